//! The user pool. A user who does not exist any more needs no call. A call that may succeed later
//! is retried, each attempt in a turn of its own.

use super::Failure;
use super::expiry::Expiry;
use super::pace::Pace;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use functions::clock::Deadline;
use functions::failure::DependencyFailure;
use std::time::Duration;

const SERVICE: &str = "cognito-idp";

/// Pauses between attempts. After more than a second the quota is fresh.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_millis(1000), Duration::from_millis(1000)];

/// The result of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Called {
    /// It is done.
    Done,
    /// There is no such user.
    NoSuchUser,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Disable,
    Enable,
}

pub(super) struct Users {
    client: Client,
    /// `None` with `no-rate-limit`: there is no limit.
    pace: Option<Pace>,
}

impl Users {
    pub(super) fn new(config: &SdkConfig, pace: Option<Pace>) -> Self {
        // A retry by the SDK itself would bypass the pace.
        let config = config.to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::new(&config), pace }
    }

    /// Disables the user: no sign-in is possible and tokens are revoked, but no data is lost.
    pub(super) async fn disable(&self, expiry: &Expiry<'_>, deadline: Deadline) -> Result<Called, Failure> {
        self.call(Act::Disable, expiry, deadline).await
    }

    /// Enables the user again.
    pub(super) async fn enable(&self, expiry: &Expiry<'_>, deadline: Deadline) -> Result<Called, Failure> {
        self.call(Act::Enable, expiry, deadline).await
    }

    async fn call(&self, act: Act, expiry: &Expiry<'_>, deadline: Deadline) -> Result<Called, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            if let Some(pace) = &self.pace {
                pace.turn(deadline).await?;
            }
            let answer = self.attempt(act, expiry).await;
            match (answer, pauses.next()) {
                (Ok(called), _) => return Ok(called),
                (Err(Refused::ForNow(_)), Some(pause)) => tokio::time::sleep(pause).await,
                (Err(Refused::ForNow(failure) | Refused::ForGood(failure)), _) => return Err(failure.into()),
            }
        }
    }

    async fn attempt(&self, act: Act, expiry: &Expiry<'_>) -> Result<Called, Refused> {
        match act {
            Act::Disable => {
                let call = self.client.admin_disable_user().user_pool_id(expiry.pool).username(expiry.username);
                read(call.send().await)
            }
            Act::Enable => {
                let call = self.client.admin_enable_user().user_pool_id(expiry.pool).username(expiry.username);
                read(call.send().await)
            }
        }
    }
}

/// Why a call was not carried out.
enum Refused {
    ForNow(DependencyFailure),
    ForGood(DependencyFailure),
}

fn read<T, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>) -> Result<Called, Refused> {
    let Err(error) = answer else { return Ok(Called::Done) };
    let failure = DependencyFailure::of(SERVICE, &error);
    let Some(refusal) = error.as_service_error() else { return Err(Refused::ForNow(failure)) };
    match refusal.code() {
        Some("UserNotFoundException") => Ok(Called::NoSuchUser),
        Some("TooManyRequestsException" | "ThrottlingException" | "InternalErrorException") => Err(Refused::ForNow(failure)),
        _ if error.raw_response().is_some_and(|response| response.status().is_server_error()) => Err(Refused::ForNow(failure)),
        _ => Err(Refused::ForGood(failure)),
    }
}
