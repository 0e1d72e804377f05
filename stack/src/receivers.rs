//! The services of this machine, as receivers of what became of asynchronous events.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Value, json};
use template::blueprint::Target;

use crate::deliver::{Deliver, DeliverError, Letter};
use crate::platform::names;
use crate::services::Services;
use crate::services::deliver::{self, Delivery, Undelivered};

/// Every receiver of this machine.
pub struct ToServices(deliver::Deliver);

impl ToServices {
    /// To what these services hold.
    pub fn new(services: &Services) -> Arc<Self> {
        Arc::new(Self(services.deliver.clone()))
    }
}

impl Debug for ToServices {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ToServices")
    }
}

#[async_trait]
impl Deliver for ToServices {
    async fn deliver(&self, to: &Target, letter: Letter) -> Result<(), DeliverError> {
        self.0.deliver(to, &delivery(to, letter)).map_err(|error| match error {
            Undelivered::Missing(to) => DeliverError::Unknown(to),
            Undelivered::Refused(_) | Undelivered::Later(_) => DeliverError::Kind(to.clone()),
        })
    }
}

/// A letter as its receiver gets it. Source: Lambda developer guide, "Retaining records of
/// asynchronous invocations".
fn delivery(to: &Target, letter: Letter) -> Delivery {
    let Letter { function, body, attributes, succeeded } = letter;
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    match to {
        Target::Bus(_) => Delivery::of(of_lambda(&body, succeeded).to_string()),
        Target::Bucket(_) => Delivery { about: Some(key(&function)), ..Delivery::of(body) },
        _ => Delivery { attributes, ..Delivery::of(body) },
    }
}

fn of_lambda(record: &str, succeeded: bool) -> Value {
    let detail: Value = serde_json::from_str(record).unwrap_or_default();
    let kind = if succeeded { "Success" } else { "Failure" };
    json!({ "source": "lambda", "detail-type": format!("Lambda Function Invocation Result - {kind}"), "detail": detail })
}

/// Such as `aws/lambda/async/f/2026/11/29/2026-11-29T12.00.00-<uuid>`.
fn key(function: &str) -> String {
    let now = SystemTime::now();
    let moment = dates::seconds(now).replace(':', ".");
    format!("aws/lambda/async/{function}/{}/{}-{}", dates::day_folder(now), moment.trim_end_matches('Z'), names::uuid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_receiver_gets_its_form() {
        let letter = || Letter {
            function: "f".into(),
            body: "{\"version\":\"1.0\"}".into(),
            attributes: vec![("ErrorCode", Letter::attribute("Number", "200"))],
            succeeded: false,
        };
        let queue = delivery(&Target::Queue("q".into()), letter());
        assert_eq!((queue.body.as_str(), queue.attributes.len()), ("{\"version\":\"1.0\"}", 1));
        let bus: Value = serde_json::from_str(&delivery(&Target::Bus("default".into()), letter()).body).unwrap();
        assert_eq!(
            (&bus["source"], &bus["detail-type"], &bus["detail"]["version"]),
            (&json!("lambda"), &json!("Lambda Function Invocation Result - Failure"), &json!("1.0"))
        );
        let bucket = delivery(&Target::Bucket("b".into()), letter()).about.unwrap();
        assert!(bucket.starts_with("aws/lambda/async/f/20") && !bucket.contains(':'), "{bucket}");
    }
}
