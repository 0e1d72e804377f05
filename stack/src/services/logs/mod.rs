//! CloudWatch Logs: groups, streams and events that functions write by calls, in memory. Own code.
//! What functions print is in their log files, not here.

mod shown;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Refused, Service, json_answer, no_such_operation, parsed};
use crate::platform::names::{ACCOUNT, REGION, now};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "logs",
    title: "CloudWatch Logs",
    protocol: Protocol::Json11("Logs_20140328", |_, _| None),
    operations: &["CreateLogGroup", "CreateLogStream", "PutLogEvents"],
};

/// The most events of a stream that are kept; the oldest are dropped first.
const KEPT: usize = 10_000;

/// The most events and bytes of a call, what each event adds to the bytes, and how long all events
/// may span. Source: CloudWatch Logs API reference, PutLogEvents.
const MOST: usize = 10_000;
const LARGEST: usize = 1_048_576;
const AROUND: usize = 26;
const DAY: i64 = 86_400_000;

/// The log groups of this machine, each with its streams.
pub struct Logs(Mutex<BTreeMap<String, BTreeMap<String, VecDeque<Event>>>>);

/// A log event.
#[derive(Debug, Clone, Deserialize)]
struct Event {
    timestamp: i64,
    message: String,
}

impl Logs {
    /// The declared groups, and those of the functions.
    pub fn new(groups: &[String], functions: impl Iterator<Item = String>) -> Self {
        let of_functions = functions.map(|name| format!("/aws/lambda/{name}"));
        Self(Mutex::new(groups.iter().cloned().chain(of_functions).map(|group| (group, BTreeMap::new())).collect()))
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, VecDeque<Event>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        let text = |name: &str| parsed::<String>(body.get(name).unwrap_or(&Value::Null));
        let mut groups = self.groups();
        let missing = |what: &str| Refused::new("ResourceNotFoundException", format!("The specified log {what} does not exist."));
        let exists = |what: &str| Refused::new("ResourceAlreadyExistsException", format!("The specified log {what} already exists"));
        match operation {
            "CreateLogGroup" => {
                let name = text("logGroupName")?;
                if groups.contains_key(&name) {
                    return Err(exists("group"));
                }
                groups.insert(name, BTreeMap::new());
                Ok(json!({}))
            }
            "CreateLogStream" => {
                let streams = groups.get_mut(&text("logGroupName")?).ok_or_else(|| missing("group"))?;
                let name = text("logStreamName")?;
                if streams.contains_key(&name) {
                    return Err(exists("stream"));
                }
                streams.insert(name, VecDeque::new());
                Ok(json!({}))
            }
            "PutLogEvents" => {
                let streams = groups.get_mut(&text("logGroupName")?).ok_or_else(|| missing("group"))?;
                let stream = streams.get_mut(&text("logStreamName")?).ok_or_else(|| missing("stream"))?;
                let events: Vec<Event> = parsed(body.get("logEvents").unwrap_or(&Value::Null))?;
                check(&events)?;
                let (events, rejected) = accepted(events);
                stream.extend(events);
                let over = stream.len().saturating_sub(KEPT);
                stream.drain(..over);
                // The token has had no use since 2023, and is still given.
                let token = "49590000000000000000000000000000000000000000000000000000";
                Ok(json!({"nextSequenceToken": token, "rejectedLogEventsInfo": rejected}))
            }
            "DescribeLogGroups" => {
                let prefix = text("logGroupNamePrefix").unwrap_or_default();
                let arn = |name: &str| format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*");
                let found = groups.keys().filter(|name| name.starts_with(&prefix));
                Ok(json!({"logGroups": found.map(|name| json!({"logGroupName": name, "arn": arn(name)})).collect::<Vec<_>>()}))
            }
            "DescribeLogStreams" => {
                let prefix = text("logStreamNamePrefix").unwrap_or_default();
                let streams = groups.get(&text("logGroupName")?).ok_or_else(|| missing("group"))?;
                let found = streams.keys().filter(|name| name.starts_with(&prefix));
                Ok(json!({"logStreams": found.map(|name| json!({"logStreamName": name})).collect::<Vec<_>>()}))
            }
            "GetLogEvents" => {
                let streams = groups.get(&text("logGroupName")?).ok_or_else(|| missing("group"))?;
                let stream = streams.get(&text("logStreamName")?).ok_or_else(|| missing("stream"))?;
                let event =
                    |event: &Event| json!({"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp});
                let events: Vec<_> = stream.iter().map(event).collect();
                Ok(json!({"events": events, "nextForwardToken": "f/0", "nextBackwardToken": "b/0"}))
            }
            _ => Err(no_such_operation(operation)),
        }
    }
}

fn check(events: &[Event]) -> Result<(), Refused> {
    let invalid = |message: &str| Err(Refused::new("InvalidParameterException", message));
    let size: usize = events.iter().map(|event| event.message.len() + AROUND).sum();
    if !(1..=MOST).contains(&events.len()) || size > LARGEST || events.iter().any(|event| event.message.is_empty()) {
        return invalid("a batch has 1 to 10000 events of at most 1048576 bytes in all, and none is empty");
    }
    if events.windows(2).any(|pair| matches!(pair, [a, b] if a.timestamp > b.timestamp)) {
        return invalid("Log events in a single PutLogEvents request must be in chronological order.");
    }
    let span = events.last().map_or(0, |event| event.timestamp) - events.first().map_or(0, |event| event.timestamp);
    if span > DAY {
        return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
    }
    Ok(())
}

/// Takes out the events that are too old or too new, and says which; the events are in the order of
/// their times.
fn accepted(events: Vec<Event>) -> (Vec<Event>, Option<Value>) {
    let present = i64::try_from(now().as_millis()).unwrap_or(i64::MAX);
    let old = events.partition_point(|event| event.timestamp < present - 14 * DAY);
    let fine = events.partition_point(|event| event.timestamp <= present + DAY / 12);
    let mut rejected = serde_json::Map::new();
    if old > 0 {
        rejected.insert("tooOldLogEventEndIndex".to_owned(), json!(old));
    }
    if fine < events.len() {
        rejected.insert("tooNewLogEventStartIndex".to_owned(), json!(fine));
    }
    let kept = events.into_iter().take(fine).skip(old).collect();
    (kept, (!rejected.is_empty()).then_some(Value::Object(rejected)))
}

#[async_trait]
impl Service for Logs {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        json_answer(JSON_1_1, call, |body| self.act(&call.operation, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_kept_in_streams_that_exist() {
        let logs = Logs::new(&["audit".into()], ["f".to_owned()].into_iter());
        let at = |group: &str, stream: &str| json!({"logGroupName": group, "logStreamName": stream});
        let now = i64::try_from(now().as_millis()).unwrap();
        let put = |group: &str, stream: &str, events: Value| {
            let mut body = at(group, stream);
            body["logEvents"] = events;
            logs.act("PutLogEvents", &body).map_err(|refused| refused.0)
        };
        let one = json!([{"timestamp": now, "message": "hello"}]);
        assert_eq!(put("audit", "s", one.clone()), Err("ResourceNotFoundException"));
        for (operation, body, refused) in [
            ("CreateLogStream", at("audit", "s"), None),
            ("CreateLogStream", at("audit", "s"), Some("ResourceAlreadyExistsException")),
            ("CreateLogStream", at("none", "s"), Some("ResourceNotFoundException")),
            ("CreateLogGroup", at("none", ""), None),
            ("CreateLogGroup", at("/aws/lambda/f", ""), Some("ResourceAlreadyExistsException")),
            ("DeleteLogGroup", at("audit", ""), Some("UnknownOperationException")),
        ] {
            assert_eq!(logs.act(operation, &body).err().map(|it| it.0), refused, "{operation} {body}");
        }
        assert!(put("audit", "s", one).is_ok());
        for events in [
            json!([]),
            json!([{"timestamp": now, "message": ""}]),
            json!([{"timestamp": now, "message": "b"}, {"timestamp": now - 1, "message": "a"}]),
            json!([{"timestamp": now - 2 * DAY, "message": "b"}, {"timestamp": now, "message": "a"}]),
            json!([{"timestamp": now, "message": "x".repeat(LARGEST)}]),
        ] {
            assert_eq!(put("audit", "s", events.clone()), Err("InvalidParameterException"), "{}", events.to_string().len());
        }
        for (timestamp, rejected) in [(1, json!({"tooOldLogEventEndIndex": 1})), (now + DAY, json!({"tooNewLogEventStartIndex": 0}))] {
            let answer = put("audit", "s", json!([{"timestamp": timestamp, "message": "m"}])).unwrap();
            assert_eq!(answer["rejectedLogEventsInfo"], rejected);
        }
        let events = logs.act("GetLogEvents", &at("audit", "s")).unwrap();
        assert_eq!((events["events"].as_array().unwrap().len(), &events["events"][0]["message"]), (1, &json!("hello")));
    }
}
