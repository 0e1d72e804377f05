//! `AWS::SQS::Queue`.

use std::time::Duration;

use serde_json::Value;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Fifo, Queue, Redrive};

/// The bounds of a queue's attributes. Source: SQS API reference, SetQueueAttributes.
const LONGEST_VISIBILITY: u64 = 43_200;
const SHORTEST_RETENTION: u64 = 60;
const LONGEST_RETENTION: u64 = 1_209_600;
const LONGEST_DELAY: u64 = 900;
const LONGEST_WAIT: u64 = 20;

pub(crate) fn read(queue: &Section<'_>, name: String) -> Queue {
    queue.only(
        &[
            "QueueName",
            "VisibilityTimeout",
            "MessageRetentionPeriod",
            "DelaySeconds",
            "ReceiveMessageWaitTimeSeconds",
            "RedrivePolicy",
            "FifoQueue",
            "ContentBasedDeduplication",
            "DeduplicationScope",
        ],
        // A limit for throughput and permissions have no effect here.
        &["SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "FifoThroughputLimit", "RedriveAllowPolicy", "Tags"],
    );
    let fifo = queue.flag("FifoQueue");
    if fifo != name.ends_with(".fifo") {
        queue.complain("QueueName", format!("found `{name}`: the name of a FIFO queue, and of no other, ends in `.fifo`"));
    }
    queue.is_served("DeduplicationScope", &["queue"]);
    let standard = Queue::named(name);
    Queue {
        visibility: queue.seconds("VisibilityTimeout", 0..=LONGEST_VISIBILITY).unwrap_or(standard.visibility),
        retention: queue.seconds("MessageRetentionPeriod", SHORTEST_RETENTION..=LONGEST_RETENTION).unwrap_or(standard.retention),
        delay: queue.seconds("DelaySeconds", 0..=LONGEST_DELAY).unwrap_or(Duration::ZERO),
        wait: queue.seconds("ReceiveMessageWaitTimeSeconds", 0..=LONGEST_WAIT).unwrap_or(Duration::ZERO),
        redrive: queue.has("RedrivePolicy").then(|| redrive(queue)).flatten(),
        fifo: fifo.then(|| Fifo { by_content: queue.flag("ContentBasedDeduplication") }),
        ..standard
    }
}

/// The policy is a map, or a text with one.
fn redrive(queue: &Section<'_>) -> Option<Redrive> {
    let text = queue.value("RedrivePolicy").and_then(Value::as_str).map(serde_json::from_str::<Value>);
    let parsed = match text {
        Some(Ok(policy)) => policy,
        Some(Err(_)) => {
            queue.complain("RedrivePolicy", "expected a map");
            return None;
        }
        None => return read_redrive(&queue.within("RedrivePolicy")),
    };
    read_redrive(&queue.known.section(queue.place("RedrivePolicy"), Some(&parsed)))
}

fn read_redrive(policy: &Section<'_>) -> Option<Redrive> {
    policy.only(&["deadLetterTargetArn", "maxReceiveCount"], &[]);
    for key in ["deadLetterTargetArn", "maxReceiveCount"] {
        if !policy.has(key) {
            policy.complain(key, "found none");
        }
    }
    Some(Redrive { to: policy.resource(Kind::Queue, "deadLetterTargetArn")?, max_receives: policy.number("maxReceiveCount", 1..=1000)? })
}
