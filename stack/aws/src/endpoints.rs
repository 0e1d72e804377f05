//! Where services are reached: at AWS's own addresses in a Region, or at those that replace them
//! (`AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_<SERVICE>`, `endpoint_url` of a profile). It makes no call.

use aws_config::SdkConfig;
use aws_sdk_lambda::config::endpoint::{DefaultResolver, Params, ResolveEndpoint};
use aws_types::service_config::ServiceConfigKey;

/// A service, by its names in settings and in addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its id in the SDKs, from which the name of the variable is made.
    pub id: &'static str,
    /// The first part of its host.
    pub prefix: &'static str,
    /// The name that requests are signed for.
    pub signed_as: &'static str,
}

impl Service {
    /// The management of REST APIs.
    pub const API_GATEWAY: Self = Self::new("API Gateway", "apigateway");
    /// The management of HTTP APIs.
    pub const API_GATEWAY_V2: Self = Self::new("ApiGatewayV2", "apigateway");
    /// The APIs themselves: the service that SDKs call `ApiGatewayManagementApi` has their addresses.
    pub const EXECUTE_API: Self = Self::new("ApiGatewayManagementApi", "execute-api");
    /// Cognito's user pools.
    pub const COGNITO: Self = Self::new("Cognito Identity Provider", "cognito-idp");
    /// The shadows of devices.
    pub const IOT_DATA: Self = Self { signed_as: "iotdata", ..Self::new("IoT Data Plane", "data-ats.iot") };
    /// AWS IoT, apart from its devices.
    pub const IOT: Self = Self::new("IoT", "iot");
    /// Tables.
    pub const DYNAMODB: Self = Self::new("DynamoDB", "dynamodb");
    /// Alarms.
    pub const CLOUDWATCH: Self = Self::new("CloudWatch", "monitoring");

    /// One that requests are signed for by the first part of its host.
    const fn new(id: &'static str, prefix: &'static str) -> Self {
        Self { id, prefix, signed_as: prefix }
    }

    /// The URL for calls in a Region of a partition that an ARN names.
    pub(crate) fn url_in(self, config: &SdkConfig, region: &str, partition: &str) -> String {
        let suffix = if partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" };
        // Source: the SDKs' endpoint rules of AWS IoT Data Plane.
        let prefix = if (self, region) == (Self::IOT_DATA, "cn-north-1") { "data.ats.iot" } else { self.prefix };
        self.replacement(config).unwrap_or_else(|| format!("https://{prefix}.{region}.{suffix}"))
    }

    /// The URL that replaces its own, by the SDKs' rules: a setting in code, then the service's
    /// setting, then the one for all services.
    fn replacement(self, config: &SdkConfig) -> Option<String> {
        let for_all = || config.endpoint_url().map(str::to_owned);
        if config.get_origin("endpoint_url").is_client_config() {
            return for_all();
        }
        let key = ServiceConfigKey::builder().service_id(self.id).env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
        config.service_config().and_then(|settings| settings.load_config(key)).or_else(for_all)
    }
}

/// An address that cannot be determined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// The SDK finds no Region.
    #[error("no Region is set; give `--region`, or set AWS_REGION")]
    NoRegion,
    /// The SDK knows no addresses in the Region.
    #[error("no address of Lambda is known in Region `{0}`; check its name")]
    UnknownRegion(String),
    /// An address that is not one.
    #[error("invalid endpoint `{0}`; write `http://host:port` or `https://host`")]
    Invalid(String),
}

/// The addresses in one Region.
#[derive(Debug, Clone)]
pub struct Endpoints {
    config: SdkConfig,
    region: String,
    suffix: String,
}

impl Endpoints {
    /// The addresses in the Region of `config`.
    ///
    /// # Errors
    /// If there is no Region, or the SDK knows none of this name.
    pub async fn new(config: &SdkConfig) -> Result<Self, EndpointError> {
        let region = config.region().ok_or(EndpointError::NoRegion)?.to_string();
        let unknown = || EndpointError::UnknownRegion(region.clone());
        // The SDK has the table of partitions, but shows it only through a service's address.
        let of_lambda = Params::builder().region(region.clone()).build().map_err(|_| unknown())?;
        let of_lambda = ResolveEndpoint::resolve_endpoint(&DefaultResolver::new(), &of_lambda).await.map_err(|_| unknown())?;
        let suffix = of_lambda.url().strip_prefix(&format!("https://lambda.{region}.")).ok_or_else(unknown)?.to_owned();
        Ok(Self { config: config.clone(), region, suffix })
    }

    /// The Region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// AWS's own host of a service, such as `iot.eu-central-1.amazonaws.com`.
    pub fn host(&self, service: Service) -> String {
        format!("{}.{}.{}", service.prefix, self.region, self.suffix)
    }

    /// The URL of a service for calls.
    pub fn url(&self, service: Service) -> String {
        service.replacement(&self.config).unwrap_or_else(|| format!("https://{}", self.host(service)))
    }

    /// Where the load reaches `host` of a service: `host:port` in the clear, or `https://host`.
    ///
    /// # Errors
    /// If the setting that replaces it is not a URL.
    pub fn address(&self, service: Service, host: &str) -> Result<String, EndpointError> {
        service.replacement(&self.config).map_or_else(|| Ok(format!("https://{host}")), |url| address(&url))
    }
}

/// The address in a URL, without its path.
fn address(url: &str) -> Result<String, EndpointError> {
    let (scheme, rest) = url.split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    match scheme {
        _ if authority.is_empty() || authority.contains('@') => Err(EndpointError::Invalid(url.to_owned())),
        "https" => Ok(format!("https://{authority}")),
        "http" if has_port => Ok(authority.to_owned()),
        "http" => Ok(format!("{authority}:80")),
        _ => Err(EndpointError::Invalid(url.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use aws_config::Region;

    use super::*;

    async fn endpoints(region: &'static str, url: Option<&str>) -> Result<Endpoints, EndpointError> {
        let mut config = SdkConfig::builder().region(Region::new(region));
        config.set_endpoint_url(url.map(str::to_owned));
        Endpoints::new(&config.build()).await
    }

    #[tokio::test]
    async fn each_partition_has_its_own_suffix() {
        for (region, suffix) in [
            ("eu-central-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("us-iso-east-1", "c2s.ic.gov"),
        ] {
            let found = endpoints(region, None).await.unwrap();
            let host = format!("execute-api.{region}.{suffix}");
            assert_eq!(found.host(Service::EXECUTE_API), host);
            assert_eq!(found.address(Service::EXECUTE_API, &host).unwrap(), format!("https://{host}"));
            assert_eq!(found.url(Service::IOT), format!("https://iot.{region}.{suffix}"));
        }
        assert_eq!(Endpoints::new(&SdkConfig::builder().build()).await.unwrap_err(), EndpointError::NoRegion);
    }

    #[test]
    fn shadows_are_reached_where_the_sdks_reach_them() {
        let config = SdkConfig::builder().build();
        for (region, partition, expected) in [
            ("eu-central-1", "aws", "https://data-ats.iot.eu-central-1.amazonaws.com"),
            ("cn-north-1", "aws-cn", "https://data.ats.iot.cn-north-1.amazonaws.com.cn"),
            ("cn-northwest-1", "aws-cn", "https://data-ats.iot.cn-northwest-1.amazonaws.com.cn"),
        ] {
            assert_eq!(Service::IOT_DATA.url_in(&config, region, partition), expected);
        }
        assert_eq!((Service::IOT_DATA.signed_as, Service::IOT.signed_as), ("iotdata", "iot"));
    }

    #[tokio::test]
    async fn a_replaced_endpoint_is_reached_by_its_own_address() {
        for (url, expected) in [
            ("http://127.0.0.1:5000", Some("127.0.0.1:5000")),
            ("http://localhost", Some("localhost:80")),
            ("http://[::1]", Some("[::1]:80")),
            ("https://account.test:8443/path", Some("https://account.test:8443")),
            ("https://account.test", Some("https://account.test")),
            ("127.0.0.1:5000", None),
            ("ftp://host", None),
            ("http://", None),
            ("http://user@host:1", None),
        ] {
            let found = endpoints("eu-central-1", Some(url)).await.unwrap();
            let address = found.address(Service::COGNITO, "cognito-idp.eu-central-1.amazonaws.com");
            assert_eq!(address.ok().as_deref(), expected, "{url}");
            assert_eq!(found.url(Service::COGNITO), url);
        }
    }
}
