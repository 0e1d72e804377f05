//! Attaches the extension to functions in AWS, arms and calms it, and restores everything.
//! Decisions are pure functions of what was read, and are carried out elsewhere. The value of a
//! user's variable is never shown, logged or stored.

pub mod account;
pub mod alarms;
pub mod arm;
pub mod attach;
pub mod call;
pub mod canary;
pub mod endpoints;
pub mod fis;
pub mod function;
pub mod journal;
pub mod logs;
pub mod marker;
pub mod named_stack;
pub mod patience;
pub mod publish;
pub mod recover;
pub mod secret;
pub mod seed;
pub mod signed;
pub mod tags;
pub mod targets;
pub mod undo;

mod client;
mod credentials;

pub use client::{GRACE, Lambda};
pub use patience::Patience;

pub use aws_config::SdkConfig;

/// Credentials, Region and endpoint as the SDK finds them, and credentials that it cannot find as AWS's command line does; `region` takes
/// precedence if it is given.
pub async fn config(region: Option<&str>) -> SdkConfig {
    let region = region.map(|region| aws_config::Region::new(region.to_owned()));
    let credentials = credentials::Found::new(region.clone()).await;
    let found = aws_config::defaults(aws_config::BehaviorVersion::latest()).credentials_provider(credentials);
    match region {
        Some(region) => found.region(region).load().await,
        None => found.load().await,
    }
}

/// Whether the SDK finds credentials.
///
/// # Errors
/// Why it does not find them.
pub async fn credentials(config: &SdkConfig) -> Result<(), String> {
    let provider = config.credentials_provider().ok_or("nothing provides them")?;
    let provided = aws_sdk_lambda::config::ProvideCredentials::provide_credentials(&provider).await;
    provided.map(drop).map_err(|error| protocol::chain(&error))
}
