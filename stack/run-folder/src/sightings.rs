//! What the services saw happen, for the books and the oracles: facts, one a line in `sightings.ndjson`, never a judgement.
//! No body and no attachment is in it, but what a reader of an outgoing mail would see of it is, for that is what is judged.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One fact and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// When, in microseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
    pub at_us: u64,
    /// What.
    pub seen: Seen,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Seen {
    /// A mail was taken over SMTP, before it is stored.
    MailTaken {
        /// The message id that the sender was told (`250 OK <id>`), which is the object's key too.
        id: String,
        /// Bytes.
        size: u64,
    },
    /// An object was stored.
    ObjectStored {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
        /// Bytes.
        size: u64,
        /// The MD5 of the content, in hexadecimal.
        etag: String,
    },
    /// A message came into a queue.
    Queued {
        /// The queue's name.
        queue: String,
        /// The message id.
        message: String,
        /// What it tells of: the key of an object, where it is a bucket's notification; the `sourceTransactionID` of its body, where that has one.
        about: Option<String>,
    },
    /// A message was handed out.
    Received {
        /// The queue.
        queue: String,
        /// The message id.
        message: String,
        /// `ApproximateReceiveCount`, this one included.
        count: u32,
    },
    /// A message was deleted by its consumer.
    Deleted {
        /// The queue.
        queue: String,
        /// The message id.
        message: String,
    },
    /// A message outlived the queue's retention.
    Expired {
        /// The queue.
        queue: String,
        /// The message id.
        message: String,
        /// How often it had been received.
        count: u32,
    },
    /// A message went to the dead-letter queue, where it keeps its id.
    Redriven {
        /// The queue.
        queue: String,
        /// The dead-letter queue.
        to: String,
        /// The message id.
        message: String,
    },
    /// A mail was handed to SES to be sent.
    MailSent {
        /// SES's id of it.
        id: String,
        /// From.
        from: String,
        /// All recipients: To, Cc and Bcc.
        to: Vec<String>,
        /// The subject, decoded.
        subject: String,
        /// The text that its readers see, decoded: text and HTML parts one after the other, at most 64 KiB.
        text: String,
        /// How many attachments are in it.
        attachments: u32,
    },
    /// Something was published to a topic.
    Published {
        /// The topic's name.
        topic: String,
        /// SNS's id of it.
        id: String,
        /// The subject.
        subject: Option<String>,
        /// The message, at most 64 KiB of it.
        message: String,
    },
    /// An alarm changed its state.
    Alarm {
        /// Its name.
        name: String,
        /// `ALARM` or `OK`.
        state: String,
    },
    /// A row was written: put or updated.
    RowWritten {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// Its current time to live, in epoch seconds.
        expires: Option<i64>,
        /// The names of its attributes that are `true`, in order.
        flags: Vec<String>,
    },
    /// A row was deleted by a call.
    RowDeleted {
        /// The table.
        table: String,
        /// The key.
        key: String,
    },
    /// A row was deleted because its time to live was over.
    RowExpired {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The event id of the stream's record.
        event: String,
    },
    /// A batch of a stream could not be processed and was given up; its records went to the on-failure queue, where there is one.
    StreamGivenUp {
        /// The table.
        table: String,
        /// The keys of the records.
        keys: Vec<String>,
        /// The queue.
        to: Option<String>,
        /// The id of the message in it.
        message: Option<String>,
    },
    /// A user pool called a function after an authentication.
    Triggered {
        /// The pool's id.
        pool: String,
        /// The user's name.
        user: String,
        /// The call's number for this sign-in, from 1.
        call: u32,
        /// How it ended, in a word: `ok`, `failed`, `timed-out`, `unreadable`.
        outcome: String,
    },
    /// A sign-in that the pool granted, after its trigger.
    SignedIn {
        /// The pool's id.
        pool: String,
        /// The user's name.
        user: String,
    },
    /// A user was disabled.
    UserDisabled {
        /// The pool's id.
        pool: String,
        /// The user's name.
        user: String,
    },
    /// A user was enabled.
    UserEnabled {
        /// The pool's id.
        pool: String,
        /// The user's name.
        user: String,
    },
    /// An execution of a state machine began.
    ExecutionStarted {
        /// The machine's name.
        machine: String,
        /// The execution's name.
        name: String,
    },
    /// An execution of a state machine ended.
    ExecutionEnded {
        /// The machine's name.
        machine: String,
        /// The execution's name.
        name: String,
        /// `SUCCEEDED`, `FAILED` or `TIMED_OUT`.
        status: String,
        /// The error that it failed with.
        error: Option<String>,
        /// How often each of its states was entered or tried.
        tries: BTreeMap<String, u32>,
    },
    /// A value was put into the cache.
    CacheSet {
        /// The key.
        key: String,
        /// Bytes.
        size: u64,
    },
    /// A value was taken out of the cache by a call.
    CacheDeleted {
        /// The key.
        key: String,
    },
    /// A value went out of the cache because its time was over.
    CacheExpired {
        /// The key.
        key: String,
    },
    /// A call was refused because the quota of calls a second was used up.
    QuotaExceeded {
        /// The operation.
        operation: String,
    },
}

/// Where the services report what they see. It never blocks and never fails: a stack works also while no harness reads.
#[derive(Debug, Clone)]
pub struct Sightings(Option<UnboundedSender<Sighting>>);

/// Microseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}

impl Sightings {
    /// Discards every sighting.
    pub const fn nowhere() -> Self {
        Self(None)
    }

    /// Sends to a channel.
    pub fn channel() -> (Self, UnboundedReceiver<Sighting>) {
        let (sender, receiver) = unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// Something happened just now.
    pub fn tell(&self, seen: Seen) {
        if let Some(sender) = &self.0 {
            let _ = sender.send(Sighting { at_us: monotonic_us(), seen });
        }
    }
}

impl Sighting {
    /// The sighting as one line, with its line break.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads a line; `None` where the line is not a sighting.
    pub fn from_line(line: &str) -> Option<Self> {
        serde_json::from_str(line).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_can_be_read_in_order() {
        let (sightings, mut receiver) = Sightings::channel();
        for n in 0..3000 {
            sightings.tell(Seen::Deleted { queue: "incoming".into(), message: n.to_string() });
        }
        drop(sightings);
        let read: Vec<_> =
            std::iter::from_fn(|| receiver.blocking_recv()).map(|told| Sighting::from_line(told.to_line().trim()).unwrap()).collect();
        assert_eq!(read.len(), 3000);
        assert!(read.is_sorted_by_key(|sighting| sighting.at_us));
        assert_eq!(read[7].seen, Seen::Deleted { queue: "incoming".into(), message: "7".into() });
        assert_eq!(Sighting::from_line("{"), None);
    }
}
