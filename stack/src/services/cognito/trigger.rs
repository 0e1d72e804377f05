//! The post-authentication trigger: a function that must return the event before a sign-in is
//! granted. It grants nothing itself.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout};

use super::Refusal;
use super::pool::UserPool;
use super::users::User;
use crate::invoke::LateInvoke;
use crate::platform::Invoked;
use crate::platform::names::REGION;
use crate::{Seen, Sightings};

/// How long Cognito waits for a function. Source: Amazon Cognito, customizing user pool workflows
/// with Lambda triggers.
const LIMIT: Duration = Duration::from_secs(5);

/// How often Cognito calls a function that does not answer.
const CALLS: u32 = 3;

/// The platform's errors for a function that did not answer itself: it timed out or was ended.
const UNANSWERED: [&str; 3] = ["Sandbox.Timedout", "Runtime.ExitError", "Extension.Crash"];

/// A function that a pool calls after each authentication.
pub struct Trigger {
    function: String,
    invoke: LateInvoke,
    sightings: Sightings,
    /// How long it waits for each call.
    pub(super) limit: Duration,
}

/// A sign-in that waits for its trigger.
pub struct Authentication<'a> {
    /// The pool.
    pub pool: &'a UserPool,
    /// The app client.
    pub client: &'a str,
    /// The user's name.
    pub name: &'a str,
    /// The user.
    pub user: &'a User,
    /// The root of the caller's trace.
    pub root: Option<&'a str>,
}

/// How a call ended.
enum Outcome {
    Ok,
    /// The function or the platform refused.
    Failed(Refusal),
    /// There was no answer in time.
    TimedOut,
    /// The function was ended before it answered: to Cognito the same as no answer.
    Ended,
    /// The answer is not the event.
    Unreadable,
}

impl Trigger {
    /// Calls `function` through `invoke`.
    pub fn new(function: String, invoke: LateInvoke, sightings: Sightings) -> Self {
        Self { function, invoke, sightings, limit: LIMIT }
    }

    /// Calls the function until it answers, at most three times, 5 s for each.
    ///
    /// # Errors
    /// If the sign-in fails because of it.
    pub async fn run(&self, authentication: &Authentication<'_>) -> Result<(), Refusal> {
        let event = authentication.event();
        let trace = authentication.root.map(|root| format!("Root={root}"));
        for call in 1..=CALLS {
            let over = Instant::now() + self.limit;
            let outcome = self.call(&event, trace.as_deref()).await;
            self.sightings.tell(Seen::Triggered {
                pool: authentication.pool.address.id.clone(),
                user: authentication.name.to_owned(),
                call,
                outcome: outcome.word().to_owned(),
            });
            match outcome {
                Outcome::Ok => return Ok(()),
                Outcome::Failed(refusal) => return Err(refusal),
                Outcome::Unreadable => return Err(Refusal::new("InvalidLambdaResponseException", "Unrecognizable lambda output")),
                Outcome::Ended if call < CALLS => sleep_until(over).await,
                Outcome::Ended | Outcome::TimedOut => {}
            }
        }
        let message = "PostAuthentication failed due to error Socket timeout while invoking Lambda function.";
        Err(Refusal::new("UnexpectedLambdaException", message))
    }

    async fn call(&self, event: &Value, trace: Option<&str>) -> Outcome {
        let door = match self.invoke.door() {
            Ok(door) => door,
            Err(error) => return Outcome::Failed(unexpected(&error)),
        };
        match timeout(self.limit, door.invoke(&self.function, Bytes::from(event.to_string()), trace)).await {
            Err(_) => Outcome::TimedOut,
            Ok(Err(error)) => Outcome::Failed(unexpected(&error)),
            Ok(Ok(invoked)) if invoked.failed => failed(&invoked),
            Ok(Ok(invoked)) if is_event(&invoked.payload, event) => Outcome::Ok,
            Ok(Ok(_)) => Outcome::Unreadable,
        }
    }
}

impl Authentication<'_> {
    fn event(&self) -> Value {
        let own = self.user.attributes.iter().map(|(name, value)| (name.clone(), json!(value)));
        let known = [("sub", json!(self.user.sub)), ("cognito:user_status", json!(self.user.status()))];
        let attributes: Map<String, Value> = own.chain(known.map(|(name, value)| (name.to_owned(), value))).collect();
        json!({
            "version": "1",
            "region": REGION,
            "userPoolId": self.pool.address.id,
            "userName": self.name,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client},
            "triggerSource": "PostAuthentication_Authentication",
            "request": {"userAttributes": attributes, "newDeviceUsed": false},
            "response": {},
        })
    }
}

impl Outcome {
    fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) | Self::Ended => "failed",
            Self::TimedOut => "timed-out",
            Self::Unreadable => "unreadable",
        }
    }
}

fn failed(invoked: &Invoked) -> Outcome {
    let error: Value = serde_json::from_slice(&invoked.payload).unwrap_or_default();
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or_default();
    if UNANSWERED.contains(&text("errorType")) {
        return Outcome::Ended;
    }
    Outcome::Failed(Refusal::new(
        "UserLambdaValidationException",
        format!("PostAuthentication failed with error {}.", text("errorMessage")),
    ))
}

fn unexpected(error: &dyn std::error::Error) -> Refusal {
    Refusal::new("UnexpectedLambdaException", format!("PostAuthentication failed due to error {error}."))
}

/// Whether an answer is the event that was sent; its `response` may hold anything, because it is
/// not used.
fn is_event(answer: &[u8], event: &Value) -> bool {
    let Ok(answer) = serde_json::from_slice::<Value>(answer) else { return false };
    let same = |key: &str| answer.get(key) == event.get(key);
    answer.get("response").is_some_and(Value::is_object) && ["version", "userPoolId", "userName", "triggerSource"].into_iter().all(same)
}
