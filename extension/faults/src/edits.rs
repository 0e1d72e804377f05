//! Edits of an event, in listed places only: never the caller, the request or its credentials.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::is_words;
use crate::complaint::Complaint;
use crate::json::{Reader, Stop, said};
use crate::places::{EACH, index, unescaped};
use crate::trigger::Trigger;

/// Edits of the event by JSON pointer (RFC 6901), `remove` before `set`; every other byte of it stays. An event that is not JSON, or in which no
/// place was found, passes untouched, and so does every event that does not itself show that it comes from one of the triggers listed here.
/// An answer to an edited event that may grant access becomes an error.
///
/// What can be edited: `/body` of an HTTP request; of a record of a queue `/Records/0/body` and, within its `attributes`,
/// `ApproximateReceiveCount`, `SentTimestamp` and `ApproximateFirstReceiveTimestamp`; of a record of a table, within `dynamodb`,
/// `ApproximateCreationDateTime` and `SizeBytes`; of a notice of a topic `/Records/0/Sns/Message` and `/Records/0/Sns/Timestamp`; of one of a
/// bucket `/Records/0/eventTime` and `/Records/0/s3/object/size`. A body or message can become plain words, `""` or `null`; anything else a
/// number, a time or `null`. So no edit changes the caller, the request or its credentials.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Edits {
    /// Pointers of what is removed, if it is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
    /// Pointers and what is put there. The object that holds the place must be there.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub set: BTreeMap<String, Value>,
}

/// The kind of content of a place that can be edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// What a sender wrote. Only plain words, which a handler cannot read as anything else, may be
    /// put there.
    Message,
    /// A count, a size or a time.
    Figure,
}

/// Every place that can be edited. None of them identifies the sender or decides about access.
const EDITABLE: [(Trigger, &str, Holds); 11] = [
    (Trigger::Http, "/body", Holds::Message),
    (Trigger::Queue, "/Records/~*/body", Holds::Message),
    (Trigger::Queue, "/Records/~*/attributes/ApproximateReceiveCount", Holds::Figure),
    (Trigger::Queue, "/Records/~*/attributes/SentTimestamp", Holds::Figure),
    (Trigger::Queue, "/Records/~*/attributes/ApproximateFirstReceiveTimestamp", Holds::Figure),
    (Trigger::TableStream, "/Records/~*/dynamodb/ApproximateCreationDateTime", Holds::Figure),
    (Trigger::TableStream, "/Records/~*/dynamodb/SizeBytes", Holds::Figure),
    (Trigger::Asynchronous, "/Records/~*/Sns/Message", Holds::Message),
    (Trigger::Asynchronous, "/Records/~*/Sns/Timestamp", Holds::Figure),
    (Trigger::Asynchronous, "/Records/~*/eventTime", Holds::Figure),
    (Trigger::Asynchronous, "/Records/~*/s3/object/size", Holds::Figure),
];

impl Holds {
    fn of(pointer: &str, trigger: Trigger) -> Option<Self> {
        let is_segment = |(wanted, given): (&str, &str)| if wanted == EACH { index(given).is_some() } else { wanted == given };
        let is_place = |pattern: &str| {
            pattern.split('/').count() == pointer.split('/').count() && pattern.split('/').zip(pointer.split('/')).all(is_segment)
        };
        EDITABLE.into_iter().find(|(of, pattern, _)| *of == trigger && is_place(pattern)).map(|(.., holds)| holds)
    }

    fn takes(self, value: &Value) -> bool {
        let is_time = |text: &str| text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_digit() || b"TZ:.+-".contains(&byte));
        match (self, value) {
            (_, Value::Null) | (Self::Figure, Value::Number(_)) => true,
            (Self::Message, Value::String(text)) => is_words(text),
            (Self::Figure, Value::String(text)) => is_time(text),
            (Self::Message | Self::Figure, _) => false,
        }
    }

    const fn what_would_do(self) -> &'static str {
        match self {
            Self::Message => {
                "here only plain words such as `not json`, `\"\"` or `null` can be put: nothing that a handler could read as something else"
            }
            Self::Figure => "here only a number, a time or `null` can be put",
        }
    }
}

impl Edits {
    fn pointers(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.remove.iter().map(|pointer| ("remove", pointer)).chain(self.set.keys().map(|pointer| ("set", pointer)))
    }

    /// Everything that is wrong with them.
    pub fn complaints(&self) -> Vec<Complaint> {
        if self.remove.is_empty() && self.set.is_empty() {
            return vec![Complaint::new("", "it changes nothing; give `remove` or `set`")];
        }
        let mut complaints = Vec::new();
        for (key, pointer) in self.pointers() {
            let holds: Vec<_> = Trigger::ALL.into_iter().filter_map(|trigger| Holds::of(pointer, trigger)).collect();
            let value = self.set.get(pointer).filter(|_| key == "set");
            let what = match holds.first() {
                None => {
                    "it is not among the places that can be edited, such as `/body` or `/Records/0/body`; `brownout faults event` lists them"
                }
                Some(first) if value.is_some_and(|value| !holds.iter().any(|holds| holds.takes(value))) => first.what_would_do(),
                Some(_) => continue,
            };
            complaints.push(Complaint::new(format!("{key}.\"{pointer}\""), what));
        }
        if complaints.is_empty() && !Trigger::ALL.into_iter().any(|trigger| self.fits(trigger)) {
            complaints.push(Complaint::new("", "no event has all of these places; write a fault for each"));
        }
        complaints
    }

    /// Whether an event of this trigger can have these edits.
    pub fn fits(&self, trigger: Trigger) -> bool {
        let is_taken = |(pointer, value): (&String, &Value)| Holds::of(pointer, trigger).is_some_and(|holds| holds.takes(value));
        self.pointers().all(|(_, pointer)| Holds::of(pointer, trigger).is_some()) && self.set.iter().all(is_taken)
    }

    /// The edited event; `None` if nothing could be edited, or the event does not show that it may be.
    pub fn apply(&self, event: &[u8]) -> Option<Vec<u8>> {
        Trigger::told_by(event).filter(|trigger| self.fits(*trigger))?;
        let mut text = std::str::from_utf8(event).ok()?.to_owned();
        let removed = self.remove.iter().map(|pointer| (pointer, None));
        let set = self.set.iter().map(|(pointer, value)| (pointer, Some(value)));
        let mut is_edited = false;
        for (pointer, value) in removed.chain(set) {
            if let Some((place, new)) = edit(&text, pointer, value) {
                text.replace_range(place, &new);
                is_edited = true;
            }
        }
        is_edited.then(|| text.into_bytes())
    }
}

/// The range to replace and its new text, so that the member at `pointer` becomes `value` or is
/// removed, and no other byte changes.
fn edit(text: &str, pointer: &str, value: Option<&Value>) -> Option<(Range<usize>, String)> {
    let (holder, segment) = pointer.rsplit_once('/')?;
    let name = unescaped(segment);
    let holder = holder.split('/').skip(1).try_fold(0..text.len(), |place, segment| within(text, place, segment))?;
    let members = members(text, holder.clone())?;
    let of_name: Vec<_> = members.iter().enumerate().filter(|(_, member)| member.name == name).collect();
    match (of_name.as_slice(), value) {
        ([(_, member)], Some(value)) => Some((member.value.clone(), value.to_string())),
        ([(at, member)], None) => {
            let before = at.checked_sub(1).and_then(|at| members.get(at));
            let gap = match (members.get(at + 1), before) {
                (Some(next), _) => member.from..next.from,
                (None, Some(before)) => before.value.end..member.value.end,
                (None, None) => member.from..member.value.end,
            };
            Some((gap, String::new()))
        }
        ([], Some(value)) => {
            let name = Value::from(name);
            Some(match members.last() {
                Some(last) => (last.value.end..last.value.end, format!(",{name}:{value}")),
                None => {
                    let inside = holder.start + text.get(holder.clone())?.find('{')? + 1;
                    (inside..inside, format!("{name}:{value}"))
                }
            })
        }
        // Of several members with this name, some parsers use the first and others the last.
        _ => None,
    }
}

/// A member of an object: where its name begins and where its value is.
struct Member<'a> {
    name: Cow<'a, str>,
    from: usize,
    value: Range<usize>,
}

fn members(text: &str, holder: Range<usize>) -> Option<Vec<Member<'_>>> {
    let (mut reader, start) = (Reader::new(text.get(holder.clone())?), holder.start);
    let mut members = Vec::new();
    (reader.peek() == Ok(b'{')).then_some(())?;
    let read = reader.object(|reader, name| {
        let value = reader.skip()?;
        let from = start + name.start;
        let name = said(reader.text(name)).ok_or(Stop::Broken)?;
        members.push(Member { name, from, value: start + value.start..start + value.end });
        Ok(())
    });
    read.is_ok().then_some(members)
}

/// The place within an object or an array that a pointer's segment names.
fn within(text: &str, holder: Range<usize>, segment: &str) -> Option<Range<usize>> {
    let (mut reader, start) = (Reader::new(text.get(holder.clone())?), holder.start);
    if reader.peek() == Ok(b'{') {
        let name = unescaped(segment);
        let mut of_name = members(text, holder)?.into_iter().filter(|member| member.name == name);
        return of_name.next().filter(|_| of_name.next().is_none()).map(|member| member.value);
    }
    (reader.peek() == Ok(b'[')).then_some(())?;
    let (wanted, mut found) = (index(segment)?, None);
    let read = reader.array(|reader, number| {
        let value = reader.skip()?;
        if number == wanted {
            found = Some(start + value.start..start + value.end);
            return Err(Stop::Enough);
        }
        Ok(())
    });
    found.filter(|_| read != Err(Stop::Broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(text: &str) -> Edits {
        serde_json::from_str(text).unwrap()
    }

    fn applied(edit: &str, event: &str) -> Option<String> {
        edits(edit).apply(event.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap())
    }

    /// An HTTP request with these members besides the usual ones.
    fn http(rest: &str) -> String {
        format!(r#"{{"version":"2.0","rawPath":"/a","requestContext":{{"http":{{"method":"POST"}}}}{rest}}}"#)
    }

    fn queue(records: &str) -> String {
        format!(r#"{{"Records":[{records}]}}"#)
    }

    #[test]
    fn only_what_is_named_changes() {
        let set = r#"{"set":{"/body":"not json"}}"#;
        let remove = r#"{"remove":["/body"]}"#;
        for (edit, event, edited) in [
            (
                set,
                http(r#", "body" : "own" , "stageVariables":{"z":12345678901234567890123,"a":1.0e2}"#),
                Some(http(r#", "body" : "not json" , "stageVariables":{"z":12345678901234567890123,"a":1.0e2}"#)),
            ),
            (set, http(""), Some(http(r#","body":"not json""#))),
            (set, http(r#","bod\u0079":{"deep":[1,2,{"x":"}"}]}"#), Some(http(r#","bod\u0079":"not json""#))),
            (set, http(r#","body":1,"body":2"#), None),
            (remove, http(r#", "body" : "own" , "headers":{}"#), Some(http(r#", "headers":{}"#))),
            (remove, http(r#" , "body" : "own" "#), Some(http(" "))),
            (remove, http(""), None),
            (set, "not json".to_owned(), None),
            (
                r#"{"set":{"/Records/1/body":""}}"#,
                queue(r#"{"eventSource":"aws:sqs","body":"a"}, {"eventSource":"aws:sqs","body":"b"}"#),
                Some(queue(r#"{"eventSource":"aws:sqs","body":"a"}, {"eventSource":"aws:sqs","body":""}"#)),
            ),
            (r#"{"set":{"/Records/1/body":""}}"#, queue(r#"{"eventSource":"aws:sqs","body":"a"}"#), None),
            (
                r#"{"set":{"/Records/0/attributes/SentTimestamp":"0"}}"#,
                queue(r#"{"eventSource":"aws:sqs","attributes":{ }}"#),
                Some(queue(r#"{"eventSource":"aws:sqs","attributes":{"SentTimestamp":"0" }}"#)),
            ),
            (
                r#"{"remove":["/Records/0/attributes/SentTimestamp"]}"#,
                queue(r#"{"eventSource":"aws:sqs","attributes":{"SentTimestamp":"0"}}"#),
                Some(queue(r#"{"eventSource":"aws:sqs","attributes":{}}"#)),
            ),
            (r#"{"set":{"/Records/0/attributes/SentTimestamp":"0"}}"#, queue(r#"{"eventSource":"aws:sqs","attributes":[]}"#), None),
            (r#"{"remove":["/body"],"set":{"/body":null}}"#, http(r#","body":"own""#), Some(http(r#","body":null"#))),
        ] {
            assert_eq!(applied(edit, &event), edited, "{edit} {event}");
        }
    }

    #[test]
    fn only_an_event_that_shows_its_trigger_is_edited_and_only_as_that_trigger_allows() {
        let set = r#"{"set":{"/body":"not json"}}"#;
        for event in [
            r#"{"body":"own"}"#.to_owned(),
            http(r#","type":"REQUEST","routeArn":"a","body":"own""#),
            r#"{"methodArn":"x","body":"own"}"#.into(),
            r#"{"type":"REQUEST","methodArn":"x","path":"/","httpMethod":"GET","requestContext":{},"body":"own"}"#.into(),
            r#"{"body":"own","Records":[{"eventSource":"aws:sqs"}]}"#.into(),
        ] {
            assert_eq!(applied(set, &event), None, "{event}");
        }
        let mixed = edits(r#"{"set":{"/body":"not json"},"remove":["/Records/0/body"]}"#);
        assert_eq!(mixed.apply(http("").as_bytes()), None);
        assert_eq!(mixed.complaints().len(), 1);
    }

    const FINE: &[&str] = &[
        r#"{"set":{"/body":"not json"}}"#,
        r#"{"set":{"/body":""}}"#,
        r#"{"set":{"/body":null}}"#,
        r#"{"remove":["/Records/0/body"]}"#,
        r#"{"set":{"/Records/12/attributes/ApproximateReceiveCount":"99"}}"#,
        r#"{"set":{"/Records/0/Sns/Timestamp":"1970-01-01T00:00:00.000Z"}}"#,
        r#"{"set":{"/Records/0/s3/object/size":0}}"#,
        r#"{"set":{"/Records/0/dynamodb/SizeBytes":1e3}}"#,
    ];

    const REFUSED: &[&str] = &[
        // The caller, the request and its credentials.
        r#"{"set":{"/headers/Authorization":"not json"}}"#,
        r#"{"remove":["/headers"]}"#,
        r#"{"set":{"/requestContext/authorizer/claims/sub":"x"}}"#,
        r#"{"set":{"/requestContext/identity/sourceIp":"10.0.0.1"}}"#,
        r#"{"set":{"/sourceIp":"10.0.0.1"}}"#,
        r#"{"set":{"/path":"/other"}}"#,
        r#"{"set":{"/routeKey":"GET /public"}}"#,
        r#"{"set":{"/rawQueryString":"admin"}}"#,
        r#"{"set":{"/queryStringParameters/debug":"1"}}"#,
        r#"{"remove":["/queryStringParameters"]}"#,
        r#"{"remove":["/cookies"]}"#,
        r#"{"set":{"/stageVariables":null}}"#,
        r#"{"set":{"/isBase64Encoded":true}}"#,
        // Cognito: with both answers removed, they would be equal.
        r#"{"remove":["/request/challengeAnswer","/request/privateChallengeParameters/answer"]}"#,
        r#"{"set":{"/request/session":[]}}"#,
        r#"{"set":{"/response/autoVerifyEmail":true}}"#,
        r#"{"set":{"/response/claimsOverrideDetails/groupOverrideDetails/groupsToOverride":["admin"]}}"#,
        r#"{"set":{"/request/groupConfiguration/groupsToOverride":null}}"#,
        r#"{"set":{"/triggerSource":"x"}}"#,
        // Other callers that decide about access: AppSync, a verified signature, IoT, Transfer
        // Family.
        r#"{"set":{"/arguments/id":"2"}}"#,
        r#"{"set":{"/info/fieldName":"x"}}"#,
        r#"{"set":{"/signatureVerified":true}}"#,
        r#"{"set":{"/protocolData/mqtt/password":"x"}}"#,
        r#"{"set":{"/protocol":"SFTP"}}"#,
        // The content of a message, also within its text.
        r#"{"set":{"/body":"{\"role\":\"admin\"}"}}"#,
        r#"{"set":{"/body":"{\"ro\\u006ce\":1}"}}"#,
        r#"{"set":{"/body":{"role":"admin"}}}"#,
        r#"{"set":{"/body":["x"]}}"#,
        r#"{"set":{"/body":true}}"#,
        r#"{"set":{"/body":7}}"#,
        r#"{"set":{"/body":"true"}}"#,
        r#"{"set":{"/body":"7"}}"#,
        r#"{"set":{"/body":"1e999"}}"#,
        r#"{"set":{"/body":"NaN"}}"#,
        r#"{"set":{"/body":"role=admin&x=1"}}"#,
        r#"{"set":{"/body":"role: admin"}}"#,
        r#"{"set":{"/body":"<role>admin</role>"}}"#,
        r#"{"set":{"/body":"we allow it"}}"#,
        r#"{"set":{"/body/role":"admin"}}"#,
        r#"{"set":{"/Records/0/body":"{\"granted\":true}"}}"#,
        r#"{"set":{"/Records/0/attributes/SenderId":"1"}}"#,
        r#"{"set":{"/Records/0/attributes/ApproximateReceiveCount":{}}}"#,
        r#"{"set":{"/Records/0/attributes/ApproximateReceiveCount":"admin"}}"#,
        r#"{"set":{"/Records/0/messageAttributes/role":"x"}}"#,
        r#"{"set":{"/Records/0/eventSource":"aws:sqs"}}"#,
        r#"{"set":{"/Records/0/s3/object/key":"x"}}"#,
        r#"{"remove":["/Records/0/dynamodb/NewImage"]}"#,
        r#"{"remove":["/Records/0"]}"#,
        r#"{"set":{"/Records/-":{}}}"#,
        r#"{"set":{"/Records/00/body":""}}"#,
        r#"{"set":{"/Records/~*/body":""}}"#,
        r#"{"set":{"/Records/0/body/":""}}"#,
        r#"{"set":{"":{}}}"#,
        r#"{"remove":["/"]}"#,
        r#"{"remove":["body"]}"#,
        r#"{"set":{"/b~1ody":""}}"#,
        "{}",
    ];

    #[test]
    fn a_place_that_is_not_in_the_list_cannot_be_edited() {
        for (list, fine) in [(FINE, true), (REFUSED, false)] {
            for edit in list {
                assert_eq!(edits(edit).complaints().is_empty(), fine, "{edit}");
            }
        }
    }

    #[test]
    fn a_complaint_names_the_place_and_a_fix() {
        let complaint = |edit: &str| edits(edit).complaints()[0].to_string();
        assert!(complaint(r#"{"set":{"/sourceIp":"1"}}"#).starts_with("set.\"/sourceIp\": it is not among the places that can be edited"));
        assert!(complaint(r#"{"set":{"/body":"{}"}}"#).contains("plain words such as `not json`"));
        assert!(complaint(r#"{"set":{"/Records/0/s3/object/size":"x"}}"#).contains("a number, a time or `null`"));
    }
}
