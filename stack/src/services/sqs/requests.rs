//! SQS's requests and refusals as they are on the wire. Source: Amazon SQS API reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::order::Unfit;
use super::queue::Marks;
use super::queues::Outgoing;
use super::{Message, Sqs, md5, typed};

/// The most bytes of a message with its attributes, and of all messages of a batch together.
/// Source: Amazon SQS, message quotas.
pub const LARGEST: usize = 1024 * 1024;
/// The most messages in one call.
pub const MOST: usize = 10;
/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 900;
/// The longest long poll, in seconds.
pub const LONGEST_WAIT: u64 = 20;
/// The longest visibility timeout, in seconds.
pub const LONGEST_VISIBILITY: u64 = 43_200;
/// The one attribute that a sender can set for the system. Source: Amazon SQS API reference,
/// `SendMessage`, `MessageSystemAttributes`.
const TRACE: &str = "AWSTraceHeader";

/// Why a call was refused: the exception and its message.
#[derive(Debug)]
pub struct Refused {
    /// The exception.
    pub kind: &'static str,
    /// The message.
    pub message: String,
}

/// A refusal.
pub fn refused(kind: &'static str, message: impl Into<String>) -> Refused {
    Refused { kind, message: message.into() }
}

/// A parameter is missing.
pub fn missing(parameter: &str) -> Refused {
    refused("MissingRequiredParameterException", format!("The request must contain the parameter {parameter}."))
}

/// The value of `x-amzn-query-error`.
pub fn query_error(exception: &str, status: u16) -> String {
    format!("{};{}", query_code(exception), if status < 500 { "Sender" } else { "Receiver" })
}

/// The name of an exception in the query protocol.
pub fn query_code(exception: &str) -> &str {
    match exception {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "PurgeQueueInProgress" => "AWS.SimpleQueueService.PurgeQueueInProgress",
        "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
        "MissingRequiredParameterException" => "MissingParameter",
        "InvalidParameterValueException" => "InvalidParameterValue",
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Batch<T> {
    #[serde(default = "Vec::new")]
    entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sent {
    pub id: Option<String>,
    message_body: Option<String>,
    delay_seconds: Option<u64>,
    message_group_id: Option<String>,
    message_deduplication_id: Option<String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Value>,
    #[serde(default)]
    message_system_attributes: BTreeMap<String, Value>,
}

/// A message to send.
pub struct Checked {
    /// The message.
    pub outgoing: Outgoing,
    /// Its size in bytes.
    pub size: usize,
    /// `MD5OfMessageSystemAttributes`.
    pub system_digest: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Asked {
    #[serde(default = "one")]
    pub max_number_of_messages: u64,
    pub visibility_timeout: Option<u64>,
    pub wait_time_seconds: Option<u64>,
    pub receive_request_attempt_id: Option<String>,
    #[serde(default)]
    attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_system_attribute_names: BTreeSet<String>,
    #[serde(default)]
    message_attribute_names: BTreeSet<String>,
}

const fn one() -> u64 {
    1
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Handle {
    pub id: Option<String>,
    pub receipt_handle: Option<String>,
    pub visibility_timeout: Option<u64>,
}

/// The request's fields.
pub fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Refused> {
    T::deserialize(body).map_err(|error| refused("SerializationException", error.to_string()))
}

/// A field with text.
pub fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

/// The rules for every batch: not empty, not too many entries, each with a unique id.
pub fn entries<T: DeserializeOwned>(body: &Value, id: impl Fn(&T) -> Option<&str>) -> Result<Vec<T>, Refused> {
    let Batch { entries } = read::<Batch<T>>(body)?;
    let ids: BTreeSet<_> = entries.iter().filter_map(&id).collect();
    match entries.len() {
        0 => Err(refused("EmptyBatchRequest", "There should be at least one entry in the request.")),
        n if n > MOST => Err(refused("TooManyEntriesInBatchRequest", format!("Maximum number of entries per request are {MOST}."))),
        n if ids.len() < n => Err(refused("BatchEntryIdsNotDistinct", "Each entry needs an Id of its own.")),
        _ => Ok(entries),
    }
}

/// A number within its bounds.
pub fn within(parameter: &str, value: u64, least: u64, most: u64) -> Result<u64, Refused> {
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    let message = format!("Value {value} for parameter {parameter} is invalid. Reason: Must be between {least} and {most}, if provided.");
    Err(refused("InvalidParameterValueException", message))
}

/// The characters of XML 1.0, which are those that a message may have.
fn is_sendable(body: &str) -> bool {
    body.chars().all(|c| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..))
}

impl Sent {
    /// The message to send; `root` is the root of the caller's trace.
    pub fn checked(self, sqs: &Sqs, root: Option<&str>) -> Result<Checked, Refused> {
        let body = self.message_body.filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
        if !is_sendable(&body) {
            return Err(refused("InvalidMessageContents", "Invalid characters found. Valid unicode characters are those of XML 1.0."));
        }
        let invalid = |why: String| refused("InvalidParameterValueException", why);
        let typed_size = typed::size(&self.message_attributes).map_err(invalid)?;
        if let Some(other) = self.message_system_attributes.keys().find(|name| *name != TRACE) {
            return Err(invalid(format!("Message system attribute name '{other}' is invalid.")));
        }
        // It does not count for the size.
        typed::size(&self.message_system_attributes).map_err(invalid)?;
        let size = body.len() + typed_size;
        if size > LARGEST {
            return Err(invalid(format!("One or more parameters are invalid. Reason: Message must be shorter than {LARGEST} bytes.")));
        }
        let delay = self.delay_seconds.map(|seconds| within("DelaySeconds", seconds, 0, LONGEST_DELAY)).transpose()?;
        let told = self.message_system_attributes.get(TRACE).and_then(|it| it.get("StringValue")?.as_str()).map(str::to_owned);
        // Without the attribute, SQS takes the header of the call.
        let trace = told.or_else(|| root.map(|root| format!("Root={root}")));
        let marks = Marks { group: self.message_group_id, deduplication: self.message_deduplication_id, trace };
        let delay = delay.map(|seconds| sqs.compressed.queue(Duration::from_secs(seconds)));
        let system_digest = typed::digest(&self.message_system_attributes);
        let outgoing = Outgoing { md5: md5(body.as_bytes()), body, typed: self.message_attributes, delay, marks, about: None };
        Ok(Checked { outgoing, size, system_digest })
    }
}

impl From<Unfit> for Refused {
    fn from(why: Unfit) -> Self {
        let kind = if why == Unfit::NoGroup { "MissingRequiredParameterException" } else { "InvalidParameterValueException" };
        refused(kind, why.to_string())
    }
}

impl Asked {
    pub fn shown(&self, message: Message) -> Value {
        let wants = |name: &str| {
            [&self.attribute_names, &self.message_system_attribute_names].iter().any(|it| it.contains("All") || it.contains(name))
        };
        let attributes: Map<String, Value> =
            message.attributes.into_iter().filter(|(name, _)| wants(name)).map(|(name, value)| (name, value.into())).collect();
        let wants_typed = |name: &str| {
            let names = &self.message_attribute_names;
            names.contains("All")
                || names.contains(name)
                || names.iter().any(|it| it.strip_suffix(".*").is_some_and(|start| name.starts_with(start)))
        };
        let typed: BTreeMap<_, _> = message.typed.into_iter().filter(|(name, _)| wants_typed(name)).collect();
        let mut shown = Map::from_iter([
            ("MessageId".to_owned(), message.id.into()),
            ("ReceiptHandle".to_owned(), message.receipt.into()),
            ("MD5OfBody".to_owned(), message.md5.into()),
            ("Body".to_owned(), message.body.into()),
        ]);
        if !attributes.is_empty() {
            shown.insert("Attributes".to_owned(), attributes.into());
        }
        if let Some(digest) = typed::digest(&typed) {
            shown.insert("MD5OfMessageAttributes".to_owned(), digest.into());
            shown.insert("MessageAttributes".to_owned(), json!(typed));
        }
        shown.into()
    }
}
