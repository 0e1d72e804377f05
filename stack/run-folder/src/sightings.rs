//! What the services observed, for the bookkeeping and the rule checks: facts, one a line in
//! `sightings.ndjson`, never a judgement. They contain no body and no attachment, except the text
//! of an outgoing mail that its readers see, because that is judged, and what a rule of the
//! experiment's file looks into.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cause;
use crate::effects::{Effect, Place, Watch};

/// An observed fact and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The time in microseconds of `CLOCK_MONOTONIC`, which all processes of a machine share.
    pub at_us: u64,
    /// The root of the trace of the request that caused it, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// What was observed.
    pub seen: Seen,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Seen {
    /// A mail was accepted over SMTP, before it is stored.
    MailTaken {
        /// The message id that the sender received (`250 OK <id>`), which is also the object's key.
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
    /// A message was put into a queue.
    Queued {
        /// The queue's name.
        queue: String,
        /// The message id.
        message: String,
        /// What it is about: the object's key for a bucket's notification; else the
        /// `sourceTransactionID` of its body, if it has one.
        about: Option<String>,
    },
    /// A message was delivered to a consumer.
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
    /// A message exceeded the queue's retention.
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
    /// A mail was handed to SES for sending.
    MailSent {
        /// SES's id of the mail.
        id: String,
        /// From.
        from: String,
        /// All recipients: To, Cc and Bcc.
        to: Vec<String>,
        /// The subject, decoded.
        subject: String,
        /// The text that its readers see, decoded: text and HTML parts one after the other, at most
        /// 64 KiB.
        text: String,
        /// How many attachments it has.
        attachments: u32,
    },
    /// Something was published to a topic.
    Published {
        /// The topic's name.
        topic: String,
        /// SNS's id of the message.
        id: String,
        /// The subject.
        subject: Option<String>,
        /// The first 64 KiB of the message.
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
    /// A row was deleted because it expired.
    RowExpired {
        /// The table.
        table: String,
        /// The key.
        key: String,
        /// The event id of the stream's record.
        event: String,
    },
    /// A batch of a stream could not be processed and was given up; its records went to the
    /// on-failure queue, if there is one.
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
    /// An environment of a function failed before it was ready for its first event, not for lack of time.
    NotStarted {
        /// The function.
        function: String,
    },
    /// A user pool called a function after an authentication.
    Triggered {
        /// The pool's id.
        pool: String,
        /// The call's number for this sign-in, from 1.
        user: String,
        /// The call's number for this sign-in, from 1.
        call: u32,
        /// How it ended: `ok`, `failed`, `timed-out` or `unreadable`.
        outcome: String,
    },
    /// The pool granted a sign-in, after its trigger.
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
    /// A value was removed from the cache because it expired.
    CacheExpired {
        /// The key.
        key: String,
    },
    /// A function got an event. Reported only of a stack that follows requests, as are the next four.
    Invoked {
        /// The function.
        function: String,
        /// Lambda's request id.
        id: String,
        /// Which delivery of the request to the function it is, from 1.
        delivery: u32,
    },
    /// An invocation ended.
    Returned {
        /// The function.
        function: String,
        /// Lambda's request id.
        id: String,
        /// Whether it failed.
        failed: bool,
    },
    /// A function called a service.
    Called {
        /// The function, if it is known.
        function: Option<String>,
        /// The service by its endpoint prefix.
        service: String,
        /// The operation.
        operation: String,
        /// Which delivery of the request the function works on, from 1; 0 if that is not known.
        #[serde(default)]
        delivery: u32,
    },
    /// An event was accepted for an asynchronous invocation.
    Accepted {
        /// The function.
        function: String,
        /// Lambda's request id, which all attempts have.
        id: String,
    },
    /// An accepted event is done or given up.
    Settled {
        /// The function.
        function: String,
        /// Lambda's request id.
        id: String,
    },
    /// A call was refused because it exceeded the quota of calls per second.
    QuotaExceeded {
        /// The operation.
        operation: String,
    },
    /// Something happened at a place that a rule of the experiment's file names.
    Effect(Effect),
}

/// Where the services report what they observe. It never blocks and never fails: a stack also works
/// while no harness reads.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    to: Option<UnboundedSender<Sighting>>,
    watch: Option<Arc<Watch>>,
    /// Whether invocations and calls are reported too.
    follow: bool,
}

/// Microseconds of `CLOCK_MONOTONIC`.
pub fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000 + u64::try_from(now.tv_nsec).unwrap_or_default() / 1_000
}

impl Sightings {
    /// Discards every sighting.
    pub const fn nowhere() -> Self {
        Self { to: None, watch: None, follow: false }
    }

    /// Sends to a channel.
    pub fn channel() -> (Self, UnboundedReceiver<Sighting>) {
        Self::watching(Watch::default())
    }

    /// Sends to a channel, also what happens at the watched places.
    pub fn watching(watch: Watch) -> (Self, UnboundedReceiver<Sighting>) {
        let (sender, receiver) = unbounded_channel();
        (Self { to: Some(sender), watch: Some(watch).filter(|watch| !watch.is_empty()).map(Arc::new), follow: false }, receiver)
    }

    /// Reports what happened at a place, if that is watched: `describe` gets the place and the
    /// attributes to tell of.
    pub fn effect(&self, place: impl FnOnce() -> Place, describe: impl FnOnce(Place, &BTreeSet<String>) -> Effect) {
        let Some(watch) = &self.watch else { return };
        let place = place();
        if let Some(attributes) = watch.attributes(&place) {
            self.tell(Seen::Effect(describe(place, attributes)));
        }
    }

    /// The same, with or without a report of each invocation and call.
    #[must_use]
    pub fn following(self, follow: bool) -> Self {
        Self { follow, ..self }
    }

    /// Reports something that happened just now.
    pub fn tell(&self, seen: Seen) {
        self.send(cause::root(), seen);
    }

    /// Reports a step of a request with this root, if requests are followed.
    pub fn follow(&self, root: Option<&str>, seen: impl FnOnce() -> Seen) {
        if self.follow {
            self.send(root.map(str::to_owned), seen());
        }
    }

    /// Whether requests are followed.
    pub const fn follows(&self) -> bool {
        self.follow
    }

    fn send(&self, root: Option<String>, seen: Seen) {
        if let Some(sender) = &self.to {
            let _ = sender.send(Sighting { at_us: monotonic_us(), root, seen });
        }
    }
}

impl Sighting {
    /// The sighting as one line, with its line break.
    pub fn to_line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// Reads a line; `None` if the line is not a sighting.
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

    #[tokio::test]
    async fn a_sighting_has_its_cause_and_a_step_is_told_only_if_requests_are_followed() {
        let (sightings, mut receiver) = Sightings::channel();
        let deleted = || Seen::Deleted { queue: "q".into(), message: "m".into() };
        cause::with(Some("1-a-b"), async { sightings.tell(deleted()) }).await;
        sightings.follow(Some("1-a-b"), || panic!("not followed"));
        let sightings = sightings.following(true);
        sightings.follow(Some("1-c-d"), deleted);
        sightings.tell(deleted());
        drop(sightings);
        let roots: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).map(|told| told.root).collect();
        assert_eq!(roots, [Some("1-a-b".to_owned()), Some("1-c-d".to_owned()), None]);
    }
}
