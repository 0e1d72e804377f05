//! The notices. Each call is made once: a call that was carried out although its answer was lost
//! would otherwise publish a second notice, and the state machine retries the whole task anyway.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_sns::Client;
use functions::failure::DependencyFailure;
use serde_json::json;

/// What a notice reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    Archived,
    Described,
    Closed,
}

impl Notice {
    const fn name(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Described => "described",
            Self::Closed => "closed",
        }
    }
}

/// The topic of the notices.
pub(crate) struct Notices {
    client: Client,
    topic: String,
}

impl Notices {
    pub(crate) fn new(config: &SdkConfig, topic: String) -> Self {
        let once = config.to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::new(&once), topic }
    }

    pub(crate) async fn publish(&self, notice: Notice, id: &str) -> Result<(), DependencyFailure> {
        let message = json!({"notice": notice.name(), "sourceTransactionID": id, "status": "ok"}).to_string();
        let published = self.client.publish().topic_arn(&self.topic).message(message).send().await;
        published.map(|_| ()).map_err(|error| DependencyFailure::of("sns", &error))
    }
}
