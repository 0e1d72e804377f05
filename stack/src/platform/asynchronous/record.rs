//! What Lambda tells about an asynchronous event that is done: the record for a destination, and the
//! attributes for a dead-letter queue. Pure except for the time. Source: Lambda, "Capturing records
//! of Lambda asynchronous invocations".

use std::time::SystemTime;

use serde_json::{Value, json};

use crate::deliver::Delivery;
use crate::platform::names;
use template::blueprint::Target;

/// The most of an error message in a dead-letter queue. Source: as above, "Adding a dead-letter
/// queue": the first 1 KB.
const LONGEST_ERROR: usize = 1024;

/// Why an event is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// The function did not fail.
    Success,
    /// It failed at every attempt.
    RetriesExhausted,
    /// The event became too old.
    EventAgeExceeded,
    /// The function may not run at all.
    ZeroReservedConcurrency,
}

impl Condition {
    fn name(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::RetriesExhausted => "RetriesExhausted",
            Self::EventAgeExceeded => "EventAgeExceeded",
            Self::ZeroReservedConcurrency => "ZeroReservedConcurrency",
        }
    }
}

/// An event that is done.
#[derive(Debug)]
pub(super) struct Done<'a> {
    pub function: &'a str,
    pub arn: &'a str,
    pub request_id: &'a str,
    pub version: &'a str,
    pub condition: Condition,
    pub invocations: u32,
    pub event: &'a [u8],
    /// The last answer and whether it was an error, if the function ran.
    pub answer: Option<(&'a [u8], bool)>,
}

impl Done<'_> {
    /// For a destination, in its form.
    pub(super) fn record(&self, to: &Target) -> Delivery {
        let record = self.told();
        match to {
            Target::Bus(_) => {
                let kind = if self.condition == Condition::Success { "Success" } else { "Failure" };
                let kind = format!("Lambda Function Invocation Result - {kind}");
                Delivery::of(json!({ "source": "lambda", "detail-type": kind, "detail": record }).to_string())
            }
            Target::Bucket(_) => Delivery { about: Some(key(self.function)), ..Delivery::of(record.to_string()) },
            _ => Delivery::of(record.to_string()),
        }
    }

    /// What became of the event.
    fn told(&self) -> Value {
        let mut record = json!({
            "version": "1.0",
            "timestamp": dates::milliseconds(SystemTime::now()),
            "requestContext": {
                "requestId": self.request_id,
                "functionArn": self.arn,
                "condition": self.condition.name(),
                "approximateInvokeCount": self.invocations,
            },
            "requestPayload": read(self.event),
        });
        if let (Some((payload, failed)), Some(record)) = (self.answer, record.as_object_mut()) {
            let mut context = json!({ "statusCode": 200, "executedVersion": self.version });
            if let Some(context) = context.as_object_mut().filter(|_| failed) {
                context.insert("functionError".to_owned(), "Unhandled".into());
            }
            record.insert("responseContext".to_owned(), context);
            record.insert("responsePayload".to_owned(), read(payload));
        }
        record
    }

    /// For a dead-letter queue: the event itself.
    pub(super) fn dead_letter(&self) -> Delivery {
        let (code, message) = match self.answer {
            Some((payload, _)) => ("200", read(payload).get("errorMessage").and_then(Value::as_str).unwrap_or_default().to_owned()),
            None => ("429", "Rate Exceeded.".to_owned()),
        };
        let attribute = |name: &str, kind: &str, value: &str| (name.to_owned(), json!({ "DataType": kind, "StringValue": value }));
        let mut attributes = vec![attribute("RequestID", "String", self.request_id), attribute("ErrorCode", "Number", code)];
        // A message may have no empty attribute.
        if let Some(message) = message.get(..message.floor_char_boundary(LONGEST_ERROR)).filter(|message| !message.is_empty()) {
            attributes.push(attribute("ErrorMessage", "String", message));
        }
        Delivery { attributes: attributes.into_iter().collect(), ..Delivery::of(String::from_utf8_lossy(self.event)) }
    }
}

/// The key of a record in a bucket, such as `aws/lambda/async/f/2026/11/29/2026-11-29T12.00.00-<uuid>`.
fn key(function: &str) -> String {
    let now = SystemTime::now();
    let moment = dates::seconds(now).replace(':', ".");
    format!("aws/lambda/async/{function}/{}/{}-{}", dates::day_folder(now), moment.trim_end_matches('Z'), names::uuid())
}

/// JSON as it is; other text as a text.
fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(condition: Condition, answer: Option<(&'static [u8], bool)>) -> Done<'static> {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST";
        Done { function: "f", arn, request_id: "r", version: "$LATEST", condition, invocations: 3, event: br#"{"n":1}"#, answer }
    }

    #[test]
    fn a_record_says_what_became_of_the_event() {
        let error: &[u8] = br#"{"errorMessage":"no","errorType":"E"}"#;
        let mut record = done(Condition::RetriesExhausted, Some((error, true))).told();
        assert_eq!(record["timestamp"].take().as_str().map(str::len), Some(24));
        let expected = json!({
            "version": "1.0",
            "timestamp": null,
            "requestContext": {
                "requestId": "r",
                "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": { "n": 1 },
            "responseContext": { "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" },
            "responsePayload": { "errorMessage": "no", "errorType": "E" },
        });
        assert_eq!(record, expected);
        let success = done(Condition::Success, Some((b"\"ok\"", false))).told();
        assert_eq!(success["responseContext"], json!({ "statusCode": 200, "executedVersion": "$LATEST" }));
        let old = done(Condition::EventAgeExceeded, None).told();
        assert_eq!((&old["requestContext"]["condition"], old.get("responsePayload")), (&json!("EventAgeExceeded"), None));
    }

    #[test]
    fn a_dead_letter_is_the_event_with_the_error_beside_it() {
        let letter = done(Condition::RetriesExhausted, Some((br#"{"errorMessage":"no"}"#, true))).dead_letter();
        assert_eq!(letter.body, r#"{"n":1}"#);
        let expected = [("RequestID", "String", "r"), ("ErrorCode", "Number", "200"), ("ErrorMessage", "String", "no")];
        let expected = expected.map(|(name, kind, value)| (name.to_owned(), json!({ "DataType": kind, "StringValue": value })));
        assert_eq!(letter.attributes, expected.into());
    }

    #[test]
    fn each_destination_gets_the_record_in_its_form() {
        let failed = done(Condition::RetriesExhausted, None);
        let queue = failed.record(&Target::Queue("q".into()));
        assert_eq!(serde_json::from_str::<Value>(&queue.body).unwrap()["version"], "1.0");
        let bus: Value = serde_json::from_str(&failed.record(&Target::Bus("default".into())).body).unwrap();
        assert_eq!(
            (&bus["source"], &bus["detail-type"], &bus["detail"]["version"]),
            (&json!("lambda"), &json!("Lambda Function Invocation Result - Failure"), &json!("1.0"))
        );
        let bucket = failed.record(&Target::Bucket("b".into())).about.unwrap();
        assert!(bucket.starts_with("aws/lambda/async/f/20") && !bucket.contains(':'), "{bucket}");
    }
}
