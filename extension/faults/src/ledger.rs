//! What was decided about an invocation, as one line of JSON. Never a payload, a header value or an environment value.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::Identity;

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
    /// An invocation that a fault in force was about.
    Eligible(Eligible),
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

/// An invocation that a fault in force was about, and what was done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The fault's name.
    pub fault: String,
    /// Treatment or control.
    pub arm: Arm,
    /// The action's name, `pass` for control.
    pub action: String,
    /// What was really waited, in microseconds.
    pub waited_us: u64,
    /// Cold or warm.
    pub start: Start,
    /// False where the action could not be carried out and the invocation passed untouched.
    pub done: bool,
    /// The id of the message that the roll hung on, where it did: see [`crate::By::Message`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The number of the call that the roll hung on, where calls were counted: see [`crate::By::Call`].
    #[serde(default = "first", skip_serializing_if = "is_first")]
    pub call: u32,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_first(call: &u32) -> bool {
    *call == 1
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

    #[test]
    fn a_line_from_before_rolls_hung_on_messages_reads_and_is_written_as_it_was() {
        let line = concat!(
            r#"{"brownout":{"entry":"eligible","run":"r","sequence":1,"request_id":"i","root":"1-a-b","place":"f","fault":"slow","#,
            r#""arm":"control","action":"pass","waited_us":0,"start":"warm","done":true}}"#
        );
        let Some(Entry::Eligible(eligible)) = Entry::from_line(line) else { panic!("it does not read") };
        assert_eq!((eligible.message.as_ref(), eligible.call), (None, 1));
        assert_eq!(Entry::Eligible(eligible.clone()).to_line().trim(), line);
        let of_a_message = Entry::Eligible(Eligible { message: Some("m-1".into()), ..eligible });
        assert!(of_a_message.to_line().contains(r#""message":"m-1""#));
        assert_eq!(Entry::from_line(of_a_message.to_line().trim()), Some(of_a_message));
    }

    #[test]
    fn a_line_gives_the_name_that_its_roll_hung_on() {
        let line = |message: Option<&str>, root: Option<&str>, call| Eligible {
            run: "r".into(),
            sequence: 1,
            request_id: "id".into(),
            root: root.map(str::to_owned),
            place: "dynamodb".into(),
            fault: "f".into(),
            arm: Arm::Control,
            action: "pass".into(),
            waited_us: 0,
            start: Start::Warm,
            done: true,
            message: message.map(str::to_owned),
            call,
        };
        for (told, identity) in [
            (line(Some("m-1"), Some("1-a-b"), 1), "m-1"),
            (line(None, Some("1-a-b"), 1), "1-a-b"),
            (line(None, Some("1-a-b"), 3), "1-a-b#3"),
            (line(None, None, 1), "id"),
        ] {
            assert_eq!(told.identity(), identity, "{told:?}");
            let entry = Entry::Eligible(told.clone());
            assert_eq!(entry.to_line().contains("\"call\""), told.call > 1);
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
