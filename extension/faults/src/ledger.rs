//! The decisions about an invocation, as one line of JSON. It must never contain a payload, a
//! header value or the value of a variable.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::action::ActionName;
use crate::arm::Arm;
use crate::decision::Decision;
use crate::identity::Identity;
use crate::start::Start;

/// One line of the ledger. On the wire it is `{"brownout":{...}}`, so that it can be among other log lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// An invocation, or a call to a service, that faults in force applied to.
    Decided(Decided),
    /// The start of an environment that a fault in force applied to. No invocation has a line for such a fault.
    Started(Started),
    /// The first invocation of an environment, faults or not.
    ColdStart {
        /// The function.
        function: String,
        /// Lambda's request id.
        request_id: String,
        /// The root of the trace id, if there was one.
        root: Option<String>,
    },
    /// An invocation that the platform handed to an environment: the lines of the ledger are
    /// checked against these.
    Invoked {
        /// The function.
        function: String,
        /// Lambda's request id.
        request_id: String,
        /// The root of the trace id, if there was one.
        root: Option<String>,
        /// The id of the event's first record, if a queue or a stream invoked it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// What the reader of the ledger should know: a plan that could not be read, a lease that ran
    /// out, a fault that could not be carried out.
    Note {
        /// The function or service that wrote the note.
        place: String,
        /// What happened, without any value of a payload, header or variable.
        what: String,
    },
}

/// An invocation that faults in force applied to: one line for all faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// Lambda's request id; for a service call, the service's.
    pub request_id: String,
    /// The root of the trace id, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The function or service, as [`crate::plan::Place`] prints it.
    pub place: String,
    /// Cold or warm.
    pub start: Start,
    /// The faults whose result needs more than their name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<OfFault>,
    /// The other faults: see [`OfFault::control`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control: Vec<Name>,
}

/// A fault's name, which many lines share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Name(#[serde(serialize_with = "as_text")] Arc<str>);

impl<T: AsRef<str>> From<T> for Name {
    fn from(name: T) -> Self {
        Self(name.as_ref().into())
    }
}

fn as_text<S: serde::Serializer>(name: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(name)
}

/// What one fault did to an invocation that it applied to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfFault {
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// The action's name, `pass` for control.
    pub action: ActionName,
    /// How long it really waited, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_us: u64,
    /// False if the action could not be carried out and the invocation passed untouched.
    #[serde(default = "done", skip_serializing_if = "is_done")]
    pub done: bool,
    /// The id of the message, if the roll depends on it: see [`crate::identity::By::Message`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of the call that the roll depends on, if calls are counted: see [`crate::identity::By::Call`].
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub call: u32,
}

impl OfFault {
    /// A fault that did not touch the invocation.
    pub fn control(fault: String) -> Self {
        Self { fault, arm: Arm::Control, action: ActionName::Pass, waited_us: 0, done: true, message: None, call: 1 }
    }

    /// The result of a decision.
    pub fn of(decision: Decision, waited: Duration, done: bool) -> Self {
        let Decision { fault, arm, action, message, call } = decision;
        let waited_us = u64::try_from(waited.as_micros()).unwrap_or(u64::MAX);
        Self { fault, arm, action: action.name(), waited_us, done, message, call }
    }
}

/// What one fault did to one invocation, with all that is known about the invocation: one part of a
/// [`Decided`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligible {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// Lambda's request id; for a service call, the service's.
    pub request_id: String,
    /// The root of the trace id, if there was one.
    pub root: Option<String>,
    /// The function or service, as [`crate::plan::Place`] prints it.
    pub place: String,
    /// Cold or warm.
    pub start: Start,
    /// What the fault did.
    pub of: OfFault,
}

impl std::ops::Deref for Eligible {
    type Target = OfFault;

    fn deref(&self) -> &OfFault {
        &self.of
    }
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_first(call: &u32) -> bool {
    *call == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(waited_us: &u64) -> bool {
    *waited_us == 0
}

const fn done() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_done(done: &bool) -> bool {
    *done
}

impl Eligible {
    /// What the roll depends on: the message, else the call by its root and number, else, without a trace, the request id.
    pub fn identity(&self) -> Cow<'_, str> {
        match (&self.message, &self.root) {
            (Some(message), _) => message.into(),
            (None, Some(root)) => Identity(root).of_call(self.call),
            (None, None) => (&self.request_id).into(),
        }
    }
}

/// An environment's start that a fault in force applied to, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// The environment by its name (`AWS_LAMBDA_LOG_STREAM_NAME`): what the roll depends on.
    pub environment: String,
    /// The function.
    pub place: String,
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// The action's name, `pass` for control.
    pub action: ActionName,
    /// How long it really waited, in microseconds.
    pub waited_us: u64,
    /// False if the action could not be carried out and the environment started untouched.
    pub done: bool,
}

#[derive(Serialize)]
struct LineOut<'a> {
    brownout: &'a Entry,
}

#[derive(Deserialize)]
struct LineIn {
    brownout: Entry,
}

impl Entry {
    /// Each fault's part of a decision; empty for any other entry.
    pub fn eligible(&self) -> Vec<Eligible> {
        let Self::Decided(it) = self else { return Vec::new() };
        let one = |of: OfFault| Eligible {
            run: it.run.clone(),
            sequence: it.sequence,
            request_id: it.request_id.clone(),
            root: it.root.clone(),
            place: it.place.clone(),
            start: it.start,
            of,
        };
        let control = it.control.iter().map(|name| OfFault::control(name.0.to_string()));
        it.faults.iter().cloned().chain(control).map(one).collect()
    }

    /// The entry as one line, with its line break.
    pub fn to_line(&self) -> String {
        let faults = if let Self::Decided(decided) = self { 96 * decided.faults.len() + 24 * decided.control.len() } else { 0 };
        // Usually enough, so that the line is not reallocated.
        let mut line = Vec::with_capacity(320 + faults);
        if serde_json::to_writer(&mut line, &LineOut { brownout: self }).is_err() {
            line.clear();
        }
        line.push(b'\n');
        String::from_utf8(line).unwrap_or_default()
    }

    /// Reads a line; `None` if it is not a line of the ledger.
    pub fn from_line(line: &str) -> Option<Self> {
        if !line.starts_with(r#"{"brownout":"#) {
            return None;
        }
        serde_json::from_str::<LineIn>(line).ok().map(|line| line.brownout)
    }

    /// Reads a line that was already parsed as JSON, ignoring other members; `None` if it is not a
    /// line of the ledger.
    pub fn from_value(line: serde_json::Value) -> Option<Self> {
        serde_json::from_value::<LineIn>(line).ok().map(|line| line.brownout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(root: Option<&str>, faults: Vec<OfFault>, control: Vec<Name>) -> Entry {
        Entry::Decided(Decided {
            run: "r".into(),
            sequence: 1,
            request_id: "id".into(),
            root: root.map(str::to_owned),
            place: "dynamodb".into(),
            start: Start::Warm,
            faults,
            control,
        })
    }

    #[test]
    fn a_line_has_shared_values_once_and_only_the_names_of_control_faults() {
        let struck = OfFault { arm: Arm::Treatment, action: ActionName::WaitBefore, waited_us: 60_012, ..OfFault::control("slow".into()) };
        let entry = decided(Some("1-a-b"), vec![struck], (0..19).map(|n| format!("fault-{n}").into()).collect());
        let line = entry.to_line();
        assert!(line.len() < 1_000 && line.matches('\n').count() == 1, "{} bytes: {line}", line.len());
        assert!(line.contains(r#""fault-3","fault-4""#), "{line}");
        assert!(line.contains(r#"{"fault":"slow","arm":"treatment","action":"wait-before","waited_us":60012}"#), "{line}");
        assert_eq!(Entry::from_line(line.trim()), Some(entry.clone()));
        let eligible = entry.eligible();
        assert_eq!((eligible.len(), eligible[0].waited_us, eligible[19].arm), (20, 60_012, Arm::Control));
        assert!(eligible.iter().all(|one| one.request_id == "id" && one.root.as_deref() == Some("1-a-b")));
    }

    #[test]
    fn a_line_gives_the_name_that_its_roll_depends_on() {
        for (message, root, call, identity) in [
            (Some("m-1"), Some("1-a-b"), 1, "m-1"),
            (None, Some("1-a-b"), 1, "1-a-b"),
            (None, Some("1-a-b"), 3, "1-a-b#3"),
            (None, None, 1, "id"),
        ] {
            let of = OfFault { message: message.map(str::to_owned), call, ..OfFault::control("f".into()) };
            let entry = decided(root, vec![of], Vec::new());
            assert_eq!(entry.eligible()[0].identity(), identity, "{entry:?}");
            assert_eq!(entry.to_line().contains("\"call\""), call > 1);
            assert_eq!(Entry::from_line(entry.to_line().trim()), Some(entry));
        }
    }

    #[test]
    fn an_entry_reads_back_from_its_line() {
        let entry = Entry::ColdStart { function: "authorizer".into(), request_id: "r".into(), root: None };
        assert_eq!(Entry::from_line(entry.to_line().trim()), Some(entry));
        assert_eq!(Entry::from_line("START RequestId"), None);
        assert_eq!(Entry::from_line(r#"{"brownout":{"entry":"never heard of"}}"#), None);
    }
}
