//! The services that a seed calls. Each call is made once, and repeated by this program alone, which looks before it does.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;

use crate::call::CallError;
use crate::endpoints::Service;
use crate::patience::Patience;
use crate::signed::Signed;

/// The clients, and how long calls are retried.
#[derive(Debug, Clone)]
pub struct Services {
    /// Rows are in the service's own JSON, so no SDK need translate them.
    pub(super) dynamodb: Signed,
    pub(super) cognito: aws_sdk_cognitoidentityprovider::Client,
    pub(super) policies: aws_sdk_verifiedpermissions::Client,
    pub(super) iot: Signed,
    pub(super) shadows: Signed,
    pub(super) patience: Patience,
    pub(super) at_once: usize,
}

/// So many things are created or deleted at once. Source: Amazon Cognito's quota of 30 to 50 calls
/// a second for a category, and AWS IoT's of 10 to 15.
pub const AT_ONCE: usize = 4;

impl Services {
    /// The services of a partition; so many things are created at once.
    pub fn new(config: &SdkConfig, partition: &str, patience: Patience, at_once: usize) -> Self {
        let timeouts = crate::client::timeouts();
        let once = config.clone().into_builder().retry_config(RetryConfig::disabled()).timeout_config(timeouts).build();
        let region = config.region().map(ToString::to_string).unwrap_or_default();
        let signed = |service: Service| Signed::new(config, service, &region, &service.url_in(config, &region, partition));
        Self {
            dynamodb: signed(Service::DYNAMODB),
            cognito: aws_sdk_cognitoidentityprovider::Client::new(&once),
            policies: aws_sdk_verifiedpermissions::Client::new(&once),
            iot: signed(Service::IOT),
            shadows: signed(Service::IOT_DATA),
            patience,
            at_once,
        }
    }
}

/// `None` if the service refused with this exception.
pub(super) fn unless<T>(answered: Result<T, CallError>, code: &str) -> Result<Option<T>, CallError> {
    match answered {
        Err(error) if error.code == code => Ok(None),
        answered => answered.map(Some),
    }
}

/// `None` if the thing is not there.
pub(super) fn if_there<T>(answered: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answered {
        Err(error) if error.is_missing() => Ok(None),
        answered => answered.map(Some),
    }
}
