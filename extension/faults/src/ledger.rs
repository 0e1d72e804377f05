//! What was decided about an invocation, as one line of JSON. Never a payload, a header value or an environment value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Action, Identity};

/// Which of the two groups an eligible invocation fell into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arm {
    /// The fault struck it.
    Treatment,
    /// It was eligible and left alone.
    Control,
}

/// Whether the execution environment was new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Start {
    /// The environment's first invocation.
    Cold,
    /// A later one.
    Warm,
}

/// One line of the ledger. On the wire it is `{"brownout":{...}}`, so that it can stand among other log lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "kebab-case")]
pub enum Entry {
    /// An invocation, or a call to a service, that faults in force were about.
    Decided(Decided),
    /// The start of an environment that a fault in force was about. Of such faults no invocation has a line.
    Started(Started),
    /// The first invocation of an environment, faults or not.
    ColdStart {
        /// The function.
        function: String,
        /// Lambda's request id.
        request_id: String,
        /// The root of the trace id, where there was one.
        root: Option<String>,
    },
    /// An invocation that the platform handed to an environment: the other side of the books.
    Invoked {
        /// The function.
        function: String,
        /// Lambda's request id.
        request_id: String,
        /// The root of the trace id, where there was one.
        root: Option<String>,
        /// The id of the event's first record, where a queue or a stream invoked it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// Something that the reader of the ledger should know: a plan that was not understood, a lease that ran out, a fault that could not be carried out.
    Note {
        /// The function or service that says so.
        place: String,
        /// What happened, without any value of a payload, header or variable.
        what: String,
    },
}

/// An invocation that faults in force were about: one line, however many they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// Lambda's request id; for a service call, the service's.
    pub request_id: String,
    /// The root of the trace id, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The function or service, as [`crate::Place`] prints it.
    pub place: String,
    /// Cold or warm.
    pub start: Start,
    /// What each fault did, in the plan's order.
    pub faults: Vec<OfFault>,
}

/// What one fault did to an invocation that it was about. A line says only what is not as for most: [`OfFault::control`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfFault {
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    #[serde(default = "control", skip_serializing_if = "is_control")]
    pub arm: Arm,
    /// The action's name, `pass` for control.
    #[serde(default = "pass", skip_serializing_if = "is_pass")]
    pub action: String,
    /// What was really waited, in microseconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub waited_us: u64,
    /// False where the action could not be carried out and the invocation passed untouched.
    #[serde(default = "done", skip_serializing_if = "is_done")]
    pub done: bool,
    /// The id of the message that the roll hung on, where it did: see [`crate::By::Message`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of the call that the roll hung on, where calls were counted: see [`crate::By::Call`].
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub call: u32,
}

impl OfFault {
    /// A fault that left the invocation alone.
    pub fn control(fault: String) -> Self {
        Self { fault, arm: control(), action: pass(), waited_us: 0, done: done(), message: None, call: first() }
    }
}

/// What one fault did to one invocation, with all that is known of the invocation: a [`Decided`] taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Eligible {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// Lambda's request id; for a service call, the service's.
    pub request_id: String,
    /// The root of the trace id, where there was one.
    pub root: Option<String>,
    /// The function or service, as [`crate::Place`] prints it.
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

const fn control() -> Arm {
    Arm::Control
}

fn pass() -> String {
    Action::Pass.name().to_owned()
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_first(call: &u32) -> bool {
    *call == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_control(arm: &Arm) -> bool {
    *arm == Arm::Control
}

fn is_pass(action: &str) -> bool {
    action == Action::Pass.name()
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
    /// What the roll hung on: the message, else the call by its root and number, else, without a trace, the request id.
    pub fn identity(&self) -> Cow<'_, str> {
        match (&self.message, &self.root) {
            (Some(message), _) => message.into(),
            (None, Some(root)) => Identity(root).of_call(self.call),
            (None, None) => (&self.request_id).into(),
        }
    }
}

/// An environment's start that a fault in force was about, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The run whose plan was in force.
    pub run: String,
    /// The plan's sequence number.
    pub sequence: u64,
    /// The environment by its name (`AWS_LAMBDA_LOG_STREAM_NAME`): what the roll hung on.
    pub environment: String,
    /// The function.
    pub place: String,
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// The action's name, `pass` for control.
    pub action: String,
    /// What was really waited, in microseconds.
    pub waited_us: u64,
    /// False where the action could not be carried out and the environment started untouched.
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
    /// Each fault's part of a decision; nothing of any other entry.
    pub fn eligible(&self) -> Vec<Eligible> {
        let Self::Decided(it) = self else { return Vec::new() };
        let one = |of: &OfFault| Eligible {
            run: it.run.clone(),
            sequence: it.sequence,
            request_id: it.request_id.clone(),
            root: it.root.clone(),
            place: it.place.clone(),
            start: it.start,
            of: of.clone(),
        };
        it.faults.iter().map(one).collect()
    }

    /// The entry as one line, with its line break.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(&LineOut { brownout: self }).unwrap_or_default();
        line.push('\n');
        line
    }

    /// Reads a line; `None` where it is not a line of the ledger.
    pub fn from_line(line: &str) -> Option<Self> {
        if !line.starts_with(r#"{"brownout":"#) {
            return None;
        }
        serde_json::from_str::<LineIn>(line).ok().map(|line| line.brownout)
    }

    /// Reads a line that was read as JSON already, whatever else its object has; `None` where it is not a line of the ledger.
    pub fn from_value(line: serde_json::Value) -> Option<Self> {
        serde_json::from_value::<LineIn>(line).ok().map(|line| line.brownout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(root: Option<&str>, faults: Vec<OfFault>) -> Entry {
        Entry::Decided(Decided {
            run: "r".into(),
            sequence: 1,
            request_id: "id".into(),
            root: root.map(str::to_owned),
            place: "dynamodb".into(),
            start: Start::Warm,
            faults,
        })
    }

    #[test]
    fn a_line_says_what_all_faults_share_once_and_of_those_that_left_it_alone_the_name() {
        let struck = OfFault { arm: Arm::Treatment, action: "wait-before".into(), waited_us: 60_012, ..OfFault::control("slow".into()) };
        let names = (0..19).map(|n| OfFault::control(format!("fault-{n}")));
        let entry = decided(Some("1-a-b"), std::iter::once(struck).chain(names).collect());
        let line = entry.to_line();
        assert!(line.len() < 1_000 && line.matches('\n').count() == 1, "{} bytes: {line}", line.len());
        assert!(line.contains(r#"{"fault":"fault-3"},{"fault":"fault-4"}"#), "{line}");
        assert!(line.contains(r#"{"fault":"slow","arm":"treatment","action":"wait-before","waited_us":60012}"#), "{line}");
        assert_eq!(Entry::from_line(line.trim()), Some(entry.clone()));
        let eligible = entry.eligible();
        assert_eq!((eligible.len(), eligible[0].waited_us, eligible[19].arm), (20, 60_012, Arm::Control));
        assert!(eligible.iter().all(|one| one.request_id == "id" && one.root.as_deref() == Some("1-a-b")));
    }

    #[test]
    fn a_line_gives_the_name_that_its_roll_hung_on() {
        for (message, root, call, identity) in [
            (Some("m-1"), Some("1-a-b"), 1, "m-1"),
            (None, Some("1-a-b"), 1, "1-a-b"),
            (None, Some("1-a-b"), 3, "1-a-b#3"),
            (None, None, 1, "id"),
        ] {
            let of = OfFault { message: message.map(str::to_owned), call, ..OfFault::control("f".into()) };
            let entry = decided(root, vec![of]);
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
