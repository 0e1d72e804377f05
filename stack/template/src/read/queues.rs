//! `AWS::SQS::Queue`.

use std::time::Duration;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Queue, Redrive};

/// SQS's own defaults, and the bounds of both. Source: SQS API reference, SetQueueAttributes.
const VISIBILITY: Duration = Duration::from_secs(30);
const LONGEST_VISIBILITY: u64 = 43_200;
const RETENTION: Duration = Duration::from_secs(345_600);
const SHORTEST_RETENTION: u64 = 60;
const LONGEST_RETENTION: u64 = 1_209_600;

pub(crate) fn read(queue: &Section<'_>, name: String) -> Queue {
    queue.only(
        &["QueueName", "VisibilityTimeout", "MessageRetentionPeriod", "RedrivePolicy"],
        &["SqsManagedSseEnabled", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "Tags"],
    );
    Queue {
        delay: Duration::ZERO,
        wait: Duration::ZERO,
        fifo: None,
        name,
        visibility: queue.seconds("VisibilityTimeout", 0..=LONGEST_VISIBILITY).unwrap_or(VISIBILITY),
        retention: queue.seconds("MessageRetentionPeriod", SHORTEST_RETENTION..=LONGEST_RETENTION).unwrap_or(RETENTION),
        redrive: queue.has("RedrivePolicy").then(|| redrive(&queue.within("RedrivePolicy"))).flatten(),
    }
}

fn redrive(policy: &Section<'_>) -> Option<Redrive> {
    policy.only(&["deadLetterTargetArn", "maxReceiveCount"], &[]);
    for key in ["deadLetterTargetArn", "maxReceiveCount"] {
        if !policy.has(key) {
            policy.complain(key, "found none");
        }
    }
    Some(Redrive { to: policy.resource(Kind::Queue, "deadLetterTargetArn")?, max_receives: policy.number("maxReceiveCount", 1..=1000)? })
}
