//! Authorizers, as an OpenAPI document or a resource declares them.

use std::time::Duration;

use super::physical::Kind;
use super::section::Section;
use crate::apis::{ApiKind, Authorizer, Identity, Payload};

/// How long a result is cached if nothing is said, in seconds. Source: API Gateway API reference,
/// CreateAuthorizer, authorizerResultTtlInSeconds.
const CACHED: u64 = 300;
const LONGEST_CACHED: u64 = 3_600;

/// Where an authorizer's fields are: the names differ between documents and resources.
pub(crate) struct Fields<'a> {
    /// `type`, in lower case.
    pub kind: String,
    pub section: Section<'a>,
    /// Names of: uri, identity source, expression, cached, pools, payload, simple, JWT.
    pub names: [&'static str; 8],
    /// The header of a scheme, for authorizers that read one.
    pub header: Option<String>,
}

/// The names in an OpenAPI document. Source: API Gateway developer guide,
/// "x-amazon-apigateway-authorizer object".
pub(crate) const IN_DOCUMENT: [&str; 8] = [
    "authorizerUri",
    "identitySource",
    "identityValidationExpression",
    "authorizerResultTtlInSeconds",
    "providerARNs",
    "authorizerPayloadFormatVersion",
    "enableSimpleResponses",
    "jwtConfiguration",
];

/// The names in `AWS::ApiGateway::Authorizer` and `AWS::ApiGatewayV2::Authorizer`.
pub(crate) const IN_RESOURCE: [&str; 8] = [
    "AuthorizerUri",
    "IdentitySource",
    "IdentityValidationExpression",
    "AuthorizerResultTtlInSeconds",
    "ProviderARNs",
    "AuthorizerPayloadFormatVersion",
    "EnableSimpleResponses",
    "JwtConfiguration",
];

/// Reads an authorizer; `None` if it is not served or not understood, which is a finding. A route
/// with such an authorizer is not served.
pub(crate) fn read(fields: &Fields<'_>, of: ApiKind) -> Option<Authorizer> {
    let Fields { kind, section, names, header } = fields;
    let [uri, source, expression, cached, pools, payload, simple, jwt] = *names;
    let sources: Vec<_> = section.texts(source).iter().flat_map(|text| text.split(',')).map(|text| text.trim().to_owned()).collect();
    let cache = section.seconds(cached, 0..=LONGEST_CACHED);
    match (kind.as_str(), of) {
        ("request", _) => {
            let identity: Vec<_> =
                sources.iter().filter(|text| !text.is_empty()).map(|text| identity(section, source, text)).collect::<Option<_>>()?;
            let (rest, without) = (of == ApiKind::Rest, identity.is_empty());
            if rest && without && cache != Some(Duration::ZERO) {
                section.complain(source, "found none, which needs a cache of 0 seconds");
            }
            let version = section.one_of(payload, &["1.0", "2.0"]);
            Some(Authorizer::Request {
                function: section.function(uri)?,
                identity,
                cached: if without {
                    Duration::ZERO
                } else {
                    cache.unwrap_or(if rest { Duration::from_secs(CACHED) } else { Duration::ZERO })
                },
                payload: if !rest && version.as_deref() == Some("2.0") { Payload::V2 } else { Payload::V1 },
                simple: !rest && section.flag(simple),
            })
        }
        ("token", ApiKind::Rest) => {
            let named = sources.first().and_then(|text| text.strip_prefix("method.request.header.")).map(str::to_owned);
            Some(Authorizer::Token {
                function: section.function(uri)?,
                header: named.or_else(|| header.clone()).unwrap_or_else(|| "Authorization".to_owned()).to_lowercase(),
                pattern: section.text(expression),
                cached: cache.unwrap_or(Duration::from_secs(CACHED)),
            })
        }
        ("cognito_user_pools", ApiKind::Rest) => {
            if section.has(expression) {
                section.notice(expression, "the expression of a Cognito authorizer is not served here");
            }
            let arns = section.texts(pools);
            let names: Vec<_> = arns.iter().filter_map(|arn| section.name(Kind::UserPool, pools, arn)).collect();
            let named = sources.first().and_then(|text| text.strip_prefix("method.request.header.")).map(str::to_owned);
            let header = named.or_else(|| header.clone()).unwrap_or_else(|| "Authorization".to_owned()).to_lowercase();
            (!names.is_empty()).then_some(Authorizer::Cognito { pools: names, header })
        }
        ("jwt", ApiKind::Http) => {
            let jwt = section.within(jwt);
            let upper = jwt.has("Issuer") || jwt.has("Audience");
            let (issuer, audience) = if upper { ("Issuer", "Audience") } else { ("issuer", "audience") };
            let token = sources
                .first()
                .map_or_else(|| Some(Identity::Header("authorization".to_owned())), |text| identity(section, source, text))?;
            Some(Authorizer::Jwt { issuer: jwt.needed(issuer), audience: jwt.texts(audience), identity: token })
        }
        (other, _) => {
            section.notice("", format!("an authorizer of the type `{other}` is not served here"));
            None
        }
    }
}

/// An identity source. Source: API Gateway developer guide, "identitySource": with
/// `method.request.` for REST APIs and `$request.` for HTTP APIs.
fn identity(section: &Section<'_>, key: &str, text: &str) -> Option<Identity> {
    let plain = text.strip_prefix('$').unwrap_or(text);
    let plain = plain.strip_prefix("method.").unwrap_or(plain);
    let read = if let Some(name) = plain.strip_prefix("request.header.") {
        Identity::Header(name.to_lowercase())
    } else if let Some(name) = plain.strip_prefix("request.querystring.") {
        Identity::Query(name.to_owned())
    } else if let Some(name) = plain.strip_prefix("stageVariables.") {
        Identity::StageVariable(name.to_owned())
    } else if let Some(name) = plain.strip_prefix("context.") {
        Identity::Context(name.to_owned())
    } else {
        section.complain(key, format!("found `{text}`, expected such as `method.request.header.Authorization`"));
        return None;
    };
    Some(read)
}
