//! SQS's wire protocol, JSON 1.0 by `X-Amz-Target: AmazonSQS.<operation>`. Source: Amazon SQS API reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::described::Described;
use super::queue::Unchanged;
use super::queues::Outgoing;
use super::{Message, Receipt, Sqs, md5, typed};
use crate::services::wire::{Answer, Call, JSON_1_0, Service};
use template::account::arn;

/// The most bytes of a message with its attributes, and of all messages of a batch together.
/// Source: Amazon SQS, message quotas.
const LARGEST: usize = 1024 * 1024;
/// The most messages in one call.
const MOST: usize = 10;
/// The longest delay, in seconds.
const LONGEST_DELAY: u64 = 900;
/// The longest long poll, in seconds.
const LONGEST_WAIT: u64 = 20;
/// The longest visibility timeout, in seconds.
const LONGEST_VISIBILITY: u64 = 43_200;

/// Why a call was refused: the exception and its message.
#[derive(Debug)]
struct Refused {
    kind: &'static str,
    message: String,
}

fn refused(kind: &'static str, message: impl Into<String>) -> Refused {
    Refused { kind, message: message.into() }
}

fn missing(parameter: &str) -> Refused {
    refused("MissingRequiredParameterException", format!("The request must contain the parameter {parameter}."))
}

fn query_error(exception: &str, status: u16) -> String {
    format!("{};{}", query_code(exception), if status < 500 { "Sender" } else { "Receiver" })
}

fn query_code(exception: &str) -> &str {
    match exception {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "MessageNotInflight" => "AWS.SimpleQueueService.MessageNotInflight",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        "BatchRequestTooLong" => "AWS.SimpleQueueService.BatchRequestTooLong",
        "MissingRequiredParameterException" => "MissingParameter",
        "InvalidParameterValueException" => "InvalidParameterValue",
        other => other,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<T> {
    #[serde(default = "Vec::new")]
    entries: Vec<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    id: Option<String>,
    message_body: Option<String>,
    #[serde(default)]
    delay_seconds: u64,
    #[serde(default)]
    message_attributes: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    #[serde(default = "one")]
    max_number_of_messages: u64,
    visibility_timeout: Option<u64>,
    #[serde(default)]
    wait_time_seconds: u64,
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
struct Handle {
    id: Option<String>,
    receipt_handle: Option<String>,
    visibility_timeout: Option<u64>,
}

fn read<T: DeserializeOwned>(body: &Value) -> Result<T, Refused> {
    T::deserialize(body).map_err(|error| refused("SerializationException", error.to_string()))
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

/// The rules for every batch: not empty, not too many entries, each with a unique id.
fn entries<T: DeserializeOwned>(body: &Value, id: impl Fn(&T) -> Option<&str>) -> Result<Vec<T>, Refused> {
    let Batch { entries } = read::<Batch<T>>(body)?;
    let ids: BTreeSet<_> = entries.iter().filter_map(&id).collect();
    match entries.len() {
        0 => Err(refused("EmptyBatchRequest", "There should be at least one entry in the request.")),
        n if n > MOST => Err(refused("TooManyEntriesInBatchRequest", format!("Maximum number of entries per request are {MOST}."))),
        n if ids.len() < n => Err(refused("BatchEntryIdsNotDistinct", "Each entry needs an Id of its own.")),
        _ => Ok(entries),
    }
}

fn within(parameter: &str, value: u64, least: u64, most: u64) -> Result<u64, Refused> {
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
    /// The message to send and its size.
    fn checked(self, sqs: &Sqs) -> Result<(Outgoing, usize), Refused> {
        let body = self.message_body.filter(|body| !body.is_empty()).ok_or_else(|| missing("MessageBody"))?;
        if !is_sendable(&body) {
            return Err(refused("InvalidMessageContents", "Invalid characters found. Valid unicode characters are those of XML 1.0."));
        }
        let typed_size = typed::size(&self.message_attributes).map_err(|why| refused("InvalidParameterValueException", why))?;
        let size = body.len() + typed_size;
        if size > LARGEST {
            let message = format!("One or more parameters are invalid. Reason: Message must be shorter than {LARGEST} bytes.");
            return Err(refused("InvalidParameterValueException", message));
        }
        let delay = sqs.compressed.queue(Duration::from_secs(within("DelaySeconds", self.delay_seconds, 0, LONGEST_DELAY)?));
        Ok((Outgoing { md5: md5(body.as_bytes()), body, typed: self.message_attributes, delay, about: None }, size))
    }
}

impl Asked {
    fn shown(&self, message: Message) -> Value {
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

#[async_trait]
impl Service for Sqs {
    fn described(&self) -> &'static Described {
        &super::DESCRIBED
    }

    fn query_error(&self, error_type: &str, status: u16) -> Option<String> {
        Some(query_error(error_type, status))
    }

    async fn answer(&self, call: &Call) -> Answer {
        match self.act(call).await {
            Ok(body) => Answer::ok(JSON_1_0, &body),
            Err(Refused { kind, message }) => Answer::error(JSON_1_0, 400, kind, &message),
        }
    }
}

impl Sqs {
    async fn act(&self, call: &Call) -> Result<Value, Refused> {
        let body: Value = serde_json::from_slice(&call.body).map_err(|error| refused("SerializationException", error.to_string()))?;
        match call.operation.as_str() {
            "ListQueues" => return Ok(self.list_queues(&body)),
            "GetQueueUrl" => {
                let name = text(&body, "QueueName").ok_or_else(|| missing("QueueName"))?;
                return Ok(json!({"QueueUrl": self.url(&self.existing(name)?)}));
            }
            _ => {}
        }
        let url = text(&body, "QueueUrl").ok_or_else(|| missing("QueueUrl"))?;
        let queue = self.existing(url.rsplit('/').next().unwrap_or_default())?;
        match call.operation.as_str() {
            "SendMessage" => self.send_message(&queue, read(&body)?),
            "SendMessageBatch" => self.send_message_batch(&queue, &body),
            "ReceiveMessage" => self.receive_message(&queue, read(&body)?).await,
            "DeleteMessage" => self.delete_message(&queue, read(&body)?).map(|()| json!({})),
            "DeleteMessageBatch" => self.delete_message_batch(&queue, &body),
            "ChangeMessageVisibility" => self.change_message_visibility(&queue, read(&body)?),
            "GetQueueAttributes" => self.queue_attributes(&queue, &body),
            "PurgeQueue" => {
                self.queues().purge(&queue, Instant::now());
                Ok(json!({}))
            }
            other => Err(refused("UnknownOperationException", format!("this machine's SQS has no `{other}`"))),
        }
    }

    fn existing(&self, name: &str) -> Result<String, Refused> {
        let found = self.bells.contains_key(name);
        found.then(|| name.to_owned()).ok_or_else(|| refused("QueueDoesNotExist", "The specified queue does not exist."))
    }

    fn list_queues(&self, body: &Value) -> Value {
        let prefix = text(body, "QueueNamePrefix").unwrap_or_default();
        let urls: Vec<_> = self.names().iter().filter(|name| name.starts_with(prefix)).map(|name| self.url(name)).collect();
        json!({"QueueUrls": urls})
    }

    fn send_message(&self, queue: &str, sent: Sent) -> Result<Value, Refused> {
        let (outgoing, _) = sent.checked(self)?;
        Ok(self.dispatched(queue, outgoing).into())
    }

    fn dispatched(&self, queue: &str, outgoing: Outgoing) -> Map<String, Value> {
        let mut answer = Map::from_iter([("MD5OfMessageBody".to_owned(), outgoing.md5.as_str().into())]);
        if let Some(digest) = typed::digest(&outgoing.typed) {
            answer.insert("MD5OfMessageAttributes".to_owned(), digest.into());
        }
        answer.insert("MessageId".to_owned(), self.dispatch(queue, outgoing).into());
        answer
    }

    fn send_message_batch(&self, queue: &str, body: &Value) -> Result<Value, Refused> {
        let (mut good, mut failed, mut size) = (Vec::new(), Vec::new(), 0);
        for mut entry in entries::<Sent>(body, |entry| entry.id.as_deref())? {
            let id = entry.id.take().unwrap_or_default();
            match entry.checked(self) {
                Ok((outgoing, bytes)) => {
                    size += bytes;
                    good.push((id, outgoing));
                }
                Err(refused) => failed.push(failure(id, &refused)),
            }
        }
        if size > LARGEST {
            return Err(refused("BatchRequestTooLong", format!("Batch requests cannot be longer than {LARGEST} bytes.")));
        }
        let successful: Vec<_> = good
            .into_iter()
            .map(|(id, outgoing)| {
                let mut answer = self.dispatched(queue, outgoing);
                answer.insert("Id".to_owned(), id.into());
                answer
            })
            .collect();
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    async fn receive_message(&self, queue: &str, asked: Asked) -> Result<Value, Refused> {
        let most = within("MaxNumberOfMessages", asked.max_number_of_messages, 1, MOST as u64)?;
        let wait = Duration::from_secs(within("WaitTimeSeconds", asked.wait_time_seconds, 0, LONGEST_WAIT)?);
        let visibility = match asked.visibility_timeout {
            Some(seconds) => Some(self.compressed.queue(Duration::from_secs(within("VisibilityTimeout", seconds, 0, LONGEST_VISIBILITY)?))),
            None => None,
        };
        let until = tokio::time::Instant::now() + wait;
        loop {
            let messages = self.receive_for(queue, usize::try_from(most).unwrap_or(MOST), visibility);
            // Another caller may have been faster; then it waits again.
            if !messages.is_empty() || tokio::time::timeout_at(until, self.arrival(queue)).await.is_err() {
                let shown: Vec<_> = messages.into_iter().map(|message| asked.shown(message)).collect();
                return Ok(if shown.is_empty() { json!({}) } else { json!({"Messages": shown}) });
            }
        }
    }

    fn delete_message(&self, queue: &str, handle: Handle) -> Result<(), Refused> {
        let receipt = receipt(queue, handle.receipt_handle)?;
        self.queues().delete(queue, receipt.number, receipt.receives, Instant::now());
        Ok(())
    }

    fn delete_message_batch(&self, queue: &str, body: &Value) -> Result<Value, Refused> {
        let (mut successful, mut failed) = (Vec::new(), Vec::new());
        for mut entry in entries::<Handle>(body, |entry| entry.id.as_deref())? {
            let id = entry.id.take().unwrap_or_default();
            match self.delete_message(queue, entry) {
                Ok(()) => successful.push(json!({"Id": id})),
                Err(refused) => failed.push(failure(id, &refused)),
            }
        }
        Ok(json!({"Successful": successful, "Failed": failed}))
    }

    fn change_message_visibility(&self, queue: &str, handle: Handle) -> Result<Value, Refused> {
        let seconds = handle.visibility_timeout.ok_or_else(|| missing("VisibilityTimeout"))?;
        let after = Duration::from_secs(within("VisibilityTimeout", seconds, 0, LONGEST_VISIBILITY)?);
        let receipt = receipt(queue, handle.receipt_handle)?;
        match self.change_visibility(queue, &receipt, after) {
            Ok(()) => Ok(json!({})),
            Err(Unchanged::NotInFlight) => Err(refused("MessageNotInflight", "The message is not in flight.")),
            Err(Unchanged::Gone) => {
                let message = "Reason: Message does not exist or is not available for visibility timeout change.";
                Err(refused("InvalidParameterValueException", message))
            }
        }
    }

    fn queue_attributes(&self, queue: &str, body: &Value) -> Result<Value, Refused> {
        let names: BTreeSet<String> = body.get("AttributeNames").map_or_else(|| Ok(BTreeSet::new()), read)?;
        let gauge = self.gauge(queue).unwrap_or_default();
        let Some(declared) = self.queues().queue(queue).map(|queue| queue.declared.clone()) else { return Ok(json!({})) };
        let began = self.began.1.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut attributes = vec![
            ("QueueArn", arn("sqs", queue)),
            ("ApproximateNumberOfMessages", gauge.visible.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", gauge.in_flight.to_string()),
            ("ApproximateNumberOfMessagesDelayed", gauge.delayed.to_string()),
            ("CreatedTimestamp", began.to_string()),
            ("LastModifiedTimestamp", began.to_string()),
            ("VisibilityTimeout", declared.visibility.as_secs().to_string()),
            ("MessageRetentionPeriod", declared.retention.as_secs().to_string()),
            ("MaximumMessageSize", LARGEST.to_string()),
            ("DelaySeconds", "0".to_owned()),
            ("ReceiveMessageWaitTimeSeconds", "0".to_owned()),
        ];
        if let Some(redrive) = &declared.redrive {
            let policy = json!({"deadLetterTargetArn": arn("sqs", &redrive.to), "maxReceiveCount": redrive.max_receives});
            attributes.push(("RedrivePolicy", policy.to_string()));
        }
        attributes.retain(|(name, _)| names.contains("All") || names.contains(*name));
        Ok(json!({"Attributes": attributes.into_iter().collect::<BTreeMap<_, _>>()}))
    }
}

fn failure(id: String, refused: &Refused) -> Value {
    json!({"Id": id, "SenderFault": true, "Code": query_code(refused.kind), "Message": refused.message})
}

fn receipt(queue: &str, handle: Option<String>) -> Result<Receipt, Refused> {
    let handle = handle.ok_or_else(|| missing("ReceiptHandle"))?;
    Receipt::read(&handle, queue)
        .ok_or_else(|| refused("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle."))
}
