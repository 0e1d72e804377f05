//! SQS's wire protocol, JSON 1.0 by `X-Amz-Target: AmazonSQS.<operation>`. Source: Amazon SQS API reference.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Map, Value, json};

use super::super::described::Described;
use super::order::sequence_number;
use super::queue::Unchanged;
use super::queues::message_id;
use super::requests::{
    Asked, Checked, Handle, LARGEST, LONGEST_VISIBILITY, LONGEST_WAIT, MOST, Refused, Sent, entries, missing, query_code, query_error,
    read, refused, text, within,
};
use super::{Receipt, Sqs, typed};
use crate::services::shows::Shows;
use crate::services::wire::{Answer, Call, JSON_1_0, Service};
use template::account::arn;

/// The names that `GetQueueAttributes` knows. Source: Amazon SQS API reference.
const ATTRIBUTES: [&str; 22] = [
    "All",
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "ApproximateNumberOfMessagesDelayed",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "RedriveAllowPolicy",
    "SqsManagedSseEnabled",
];

#[async_trait]
impl Service for Sqs {
    fn described(&self) -> &'static Described {
        &super::DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
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
            "SendMessage" => self.send_message(&queue, read(&body)?, call.root.as_deref()),
            "SendMessageBatch" => self.send_message_batch(&queue, &body, call.root.as_deref()),
            "ReceiveMessage" => self.receive_message(&queue, read(&body)?).await,
            "DeleteMessage" => self.delete_message(&queue, read(&body)?).map(|()| json!({})),
            "DeleteMessageBatch" => self.delete_message_batch(&queue, &body),
            "ChangeMessageVisibility" => self.change_message_visibility(&queue, read(&body)?),
            "ChangeMessageVisibilityBatch" => self.change_message_visibility_batch(&queue, &body),
            "TagQueue" | "UntagQueue" | "ListQueueTags" => self.tags(&queue, &call.operation, &body),
            "GetQueueAttributes" => self.queue_attributes(&queue, &body),
            "PurgeQueue" if self.queues().purge(&queue, Instant::now()) => Ok(json!({})),
            "PurgeQueue" => {
                Err(refused("PurgeQueueInProgress", format!("Only one PurgeQueue operation on {queue} is allowed every 60 seconds.")))
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

    fn send_message(&self, queue: &str, sent: Sent, root: Option<&str>) -> Result<Value, Refused> {
        let checked = sent.checked(self, root)?;
        self.dispatched(queue, checked).map(Value::from)
    }

    fn dispatched(&self, queue: &str, checked: Checked) -> Result<Map<String, Value>, Refused> {
        let Checked { outgoing, system_digest, .. } = checked;
        let (md5, digest) = (outgoing.md5.clone(), typed::digest(&outgoing.typed));
        let number = self.dispatch(queue, outgoing)?;
        let is_ordered = self.queues().queue(queue).is_some_and(|queue| queue.declared.fifo.is_some());
        let fields = [
            ("MD5OfMessageBody", Some(md5)),
            ("MD5OfMessageAttributes", digest),
            ("MD5OfMessageSystemAttributes", system_digest),
            ("MessageId", number.map(message_id)),
            ("SequenceNumber", number.filter(|_| is_ordered).map(sequence_number)),
        ];
        Ok(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))).collect())
    }

    fn send_message_batch(&self, queue: &str, body: &Value, root: Option<&str>) -> Result<Value, Refused> {
        let (mut good, mut failed, mut size) = (Vec::new(), Vec::new(), 0);
        for mut entry in entries::<Sent>(body, |entry| entry.id.as_deref())? {
            let id = entry.id.take().unwrap_or_default();
            match entry.checked(self, root) {
                Ok(checked) => {
                    size += checked.size;
                    good.push((id, checked));
                }
                Err(refused) => failed.push(failure(id, &refused)),
            }
        }
        if size > LARGEST {
            return Err(refused("BatchRequestTooLong", format!("Batch requests cannot be longer than {LARGEST} bytes.")));
        }
        let mut successful = Vec::new();
        for (id, checked) in good {
            match self.dispatched(queue, checked) {
                Ok(mut answer) => {
                    answer.insert("Id".to_owned(), id.into());
                    successful.push(answer);
                }
                Err(refused) => failed.push(failure(id, &refused)),
            }
        }
        Ok(results(successful, failed))
    }

    async fn receive_message(&self, queue: &str, asked: Asked) -> Result<Value, Refused> {
        let most = within("MaxNumberOfMessages", asked.max_number_of_messages, 1, MOST as u64)?;
        let (declared_wait, is_ordered) =
            self.queues().queue(queue).map(|queue| (queue.declared.wait, queue.declared.fifo.is_some())).unwrap_or_default();
        let wait = match asked.wait_time_seconds {
            Some(seconds) => Duration::from_secs(within("WaitTimeSeconds", seconds, 0, LONGEST_WAIT)?),
            None => declared_wait,
        };
        if asked.receive_request_attempt_id.is_some() && !is_ordered {
            let message = "The request include parameter that is not valid for this queue type: ReceiveRequestAttemptId";
            return Err(refused("InvalidParameterValueException", message));
        }
        let visibility = match asked.visibility_timeout {
            Some(seconds) => Some(self.compressed.queue(Duration::from_secs(within("VisibilityTimeout", seconds, 0, LONGEST_VISIBILITY)?))),
            None => None,
        };
        let until = tokio::time::Instant::now() + wait;
        loop {
            let attempt = asked.receive_request_attempt_id.as_deref();
            let messages = self.receive_for(queue, usize::try_from(most).unwrap_or(MOST), visibility, attempt);
            // Another caller may have been faster; then it waits again.
            if !messages.is_empty() || tokio::time::timeout_at(until, self.arrival(queue)).await.is_err() {
                let shown: Vec<_> = messages.into_iter().map(|message| asked.shown(message)).collect();
                return Ok(if shown.is_empty() { json!({}) } else { json!({"Messages": shown}) });
            }
        }
    }

    fn delete_message(&self, queue: &str, handle: Handle) -> Result<(), Refused> {
        let receipt = receipt(queue, handle.receipt_handle)?;
        self.delete_by(queue, &receipt);
        Ok(())
    }

    fn delete_message_batch(&self, queue: &str, body: &Value) -> Result<Value, Refused> {
        each(body, |handle| self.delete_message(queue, handle))
    }

    fn change_message_visibility_batch(&self, queue: &str, body: &Value) -> Result<Value, Refused> {
        each(body, |handle| self.change_message_visibility(queue, handle).map(drop))
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
        if let Some(unknown) = names.iter().find(|name| !ATTRIBUTES.contains(&name.as_str())) {
            return Err(refused("InvalidAttributeName", format!("Unknown Attribute {unknown}.")));
        }
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
            ("DelaySeconds", declared.delay.as_secs().to_string()),
            ("ReceiveMessageWaitTimeSeconds", declared.wait.as_secs().to_string()),
            ("SqsManagedSseEnabled", "true".to_owned()),
        ];
        if let Some(fifo) = declared.fifo {
            attributes.extend([
                ("FifoQueue", "true".to_owned()),
                ("ContentBasedDeduplication", fifo.by_content.to_string()),
                ("DeduplicationScope", "queue".to_owned()),
                ("FifoThroughputLimit", "perQueue".to_owned()),
            ]);
        }
        if let Some(redrive) = &declared.redrive {
            let policy = json!({"deadLetterTargetArn": arn("sqs", &redrive.to), "maxReceiveCount": redrive.max_receives});
            attributes.push(("RedrivePolicy", policy.to_string()));
        }
        attributes.retain(|(name, _)| names.contains("All") || names.contains(*name));
        Ok(json!({"Attributes": attributes.into_iter().collect::<BTreeMap<_, _>>()}))
    }

    fn tags(&self, queue: &str, operation: &str, body: &Value) -> Result<Value, Refused> {
        let mut queues = self.queues();
        let Some(queue) = queues.queue(queue) else { return Ok(json!({})) };
        match operation {
            "TagQueue" => queue.tags.extend(read::<BTreeMap<String, String>>(body.get("Tags").ok_or_else(|| missing("Tags"))?)?),
            "UntagQueue" => {
                let keys: BTreeSet<String> = read(body.get("TagKeys").ok_or_else(|| missing("TagKeys"))?)?;
                queue.tags.retain(|key, _| !keys.contains(key));
            }
            _ => return Ok(json!({"Tags": queue.tags})),
        }
        Ok(json!({}))
    }
}

/// Applies `act` to each entry of a batch of receipts.
fn each(body: &Value, act: impl Fn(Handle) -> Result<(), Refused>) -> Result<Value, Refused> {
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for mut entry in entries::<Handle>(body, |entry| entry.id.as_deref())? {
        let id = entry.id.take().unwrap_or_default();
        match act(entry) {
            Ok(()) => successful.push(Map::from_iter([("Id".to_owned(), id.into())])),
            Err(refused) => failed.push(failure(id, &refused)),
        }
    }
    Ok(results(successful, failed))
}

fn results(successful: Vec<Map<String, Value>>, failed: Vec<Value>) -> Value {
    json!({"Successful": successful, "Failed": failed})
}

fn failure(id: String, refused: &Refused) -> Value {
    json!({"Id": id, "SenderFault": true, "Code": query_code(refused.kind), "Message": refused.message})
}

fn receipt(queue: &str, handle: Option<String>) -> Result<Receipt, Refused> {
    let handle = handle.ok_or_else(|| missing("ReceiptHandle"))?;
    Receipt::read(&handle, queue)
        .ok_or_else(|| refused("ReceiptHandleIsInvalid", "The input receipt handle is not a valid receipt handle."))
}
