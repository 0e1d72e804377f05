//! SNS's requests: the fields of a form. Source: Amazon SNS API reference, `Publish`,
//! `PublishBatch`, `Subscribe`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Published;

/// A message with its attributes, and all messages of a batch together. Source: Amazon SNS quotas.
pub const LARGEST: usize = 256 * 1024;
/// The most characters of a subject, which holds printable ASCII and begins with no space.
const LONGEST_SUBJECT: usize = 100;
/// The most entries of a batch.
const MOST: usize = 10;

/// A refusal: status, code and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub u16, pub &'static str, pub String);

/// A parameter is invalid.
pub fn invalid(what: &str) -> Refused {
    Refused(400, "InvalidParameter", format!("Invalid parameter: {what}"))
}

/// The fields of a form.
pub type Fields = BTreeMap<String, String>;

/// What is published, from the fields that begin with `prefix`.
pub fn published(fields: &Fields, prefix: &str) -> Result<Published, Refused> {
    let field = |name: &str| fields.get(&format!("{prefix}{name}")).cloned();
    let message = field("Message").filter(|it| !it.is_empty()).ok_or_else(|| invalid("Empty message"))?;
    let subject = field("Subject");
    if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
        return Err(invalid("Subject"));
    }
    let attributes = attributes(fields, &format!("{prefix}MessageAttributes.entry."))?;
    let size = message.len() + subject.as_ref().map_or(0, String::len) + size(&attributes);
    if size > LARGEST {
        return Err(invalid("Message too long"));
    }
    let (message, by_protocol) = match field("MessageStructure").as_deref() {
        None => (message, BTreeMap::new()),
        Some("json") => structured(&message)?,
        Some(_) => return Err(invalid("MessageStructure")),
    };
    let (group, deduplication) = (field("MessageGroupId"), field("MessageDeduplicationId"));
    Ok(Published { subject, message, by_protocol, attributes, group, deduplication, trace: None, size })
}

/// The message for each protocol, and the default one.
fn structured(message: &str) -> Result<(String, BTreeMap<String, String>), Refused> {
    let wrong = || invalid("Message Structure - No default entry in JSON message body");
    let read: Map<String, Value> =
        serde_json::from_str(message).map_err(|_| invalid("Message Structure - JSON message body failed to parse"))?;
    let mut texts = BTreeMap::new();
    for (protocol, text) in read {
        texts.insert(protocol, text.as_str().map(str::to_owned).ok_or_else(wrong)?);
    }
    Ok((texts.remove("default").ok_or_else(wrong)?, texts))
}

/// An entry of a batch: its id, and what it publishes.
pub type Entry = (String, Result<Published, Refused>);

/// The entries of a batch.
pub fn batch(fields: &Fields) -> Result<Vec<Entry>, Refused> {
    let prefix = |n: usize| format!("PublishBatchRequestEntries.member.{n}.");
    let count = (1..).take_while(|n| fields.keys().any(|key| key.starts_with(&prefix(*n)))).count();
    if count == 0 {
        return Err(Refused(400, "EmptyBatchRequest", "The batch request doesn't contain any entries.".to_owned()));
    }
    if count > MOST {
        return Err(Refused(
            400,
            "TooManyEntriesInBatchRequest",
            format!("The batch request contains more entries than permissible: {MOST}."),
        ));
    }
    let entries: Vec<_> = (1..=count)
        .map(|n| (fields.get(&format!("{}Id", prefix(n))).cloned().unwrap_or_default(), published(fields, &prefix(n))))
        .collect();
    let ids: BTreeSet<_> = entries.iter().map(|(id, _)| id).collect();
    if ids.len() < count {
        return Err(Refused(400, "BatchEntryIdsNotDistinct", "Two or more batch entries in the request have the same Id.".to_owned()));
    }
    let size: usize = entries.iter().filter_map(|(_, entry)| entry.as_ref().ok()).map(|entry| entry.size).sum();
    if size > LARGEST {
        return Err(Refused(
            400,
            "BatchRequestTooLong",
            "The length of all the batch messages put together is more than the limit.".to_owned(),
        ));
    }
    Ok(entries)
}

/// `Attributes.entry.N.key` and `.value` of a subscription.
pub fn entries(fields: &Fields, prefix: &str) -> BTreeMap<String, String> {
    let pairs =
        (1..).map_while(|n| Some((fields.get(&format!("{prefix}{n}.key"))?.clone(), fields.get(&format!("{prefix}{n}.value"))?.clone())));
    pairs.collect()
}

fn attributes(fields: &Fields, prefix: &str) -> Result<BTreeMap<String, Value>, Refused> {
    let mut attributes = BTreeMap::new();
    for n in 1.. {
        let Some(name) = fields.get(&format!("{prefix}{n}.Name")) else { break };
        let value = |key: &str| fields.get(&format!("{prefix}{n}.Value.{key}")).filter(|value| !value.is_empty());
        let wrong = || invalid(&format!("The message attribute '{name}' must contain non-empty message attribute value for its type."));
        let kind = value("DataType").ok_or_else(wrong)?;
        let is_binary = kind == "Binary" || kind.starts_with("Binary.");
        let key = if is_binary { "BinaryValue" } else { "StringValue" };
        let is_known = ["String", "Number", "Binary"]
            .iter()
            .any(|it| kind.strip_prefix(it).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
        let content = value(key).filter(|_| is_known).ok_or_else(wrong)?;
        if kind == "Number" && content.parse::<f64>().is_err() {
            return Err(invalid(&format!("Could not cast message attribute '{name}' value to number.")));
        }
        attributes.insert(name.clone(), json!({"DataType": kind, key: content}));
    }
    Ok(attributes)
}

fn size(attributes: &BTreeMap<String, Value>) -> usize {
    let texts = |value: &Value| value.as_object().map_or(0, |fields| fields.values().filter_map(Value::as_str).map(str::len).sum());
    attributes.iter().map(|(name, value)| name.len() + texts(value)).sum()
}

fn is_subject(subject: &str) -> bool {
    let printable = subject.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    printable && !subject.starts_with(' ') && (1..=LONGEST_SUBJECT).contains(&subject.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::wire::form;

    #[test]
    fn attributes_and_structures_are_read_or_refused() {
        let typed =
            "MessageAttributes.entry.1.Name=n&MessageAttributes.entry.1.Value.DataType=Number&MessageAttributes.entry.1.Value.StringValue=";
        for (body, fine) in [
            ("Message=m".to_owned(), true),
            (format!("Message=m&{typed}7"), true),
            (format!("Message=m&{typed}x"), false),
            (format!("Message=m&{typed}"), false),
            ("Message=m&MessageStructure=json".to_owned(), false),
            ("Message={\"sqs\":\"q\"}&MessageStructure=json".to_owned(), false),
            ("Message={\"sqs\":\"q\",\"default\":\"d\"}&MessageStructure=json".to_owned(), true),
            ("Message=m&MessageStructure=xml".to_owned(), false),
        ] {
            assert_eq!(published(&form(body.as_bytes()), "").is_ok(), fine, "{body}");
        }
        let read =
            published(&form(format!("Message={{\"sqs\":\"q\",\"default\":\"d\"}}&MessageStructure=json&{typed}7").as_bytes()), "").unwrap();
        assert_eq!((read.message.as_str(), read.by_protocol["sqs"].as_str()), ("d", "q"));
        assert_eq!(read.attributes["n"], json!({"DataType": "Number", "StringValue": "7"}));
    }

    #[test]
    fn a_batch_has_one_to_ten_entries_with_ids_of_their_own() {
        let entry = |n: usize, id: &str, message: &str| {
            format!("PublishBatchRequestEntries.member.{n}.Id={id}&PublishBatchRequestEntries.member.{n}.Message={message}&")
        };
        let half = "x".repeat(LARGEST / 2 + 1);
        for (body, code) in [
            (String::new(), Some("EmptyBatchRequest")),
            (entry(1, "a", "m") + &entry(2, "a", "m"), Some("BatchEntryIdsNotDistinct")),
            ((1..=11).map(|n| entry(n, &n.to_string(), "m")).collect(), Some("TooManyEntriesInBatchRequest")),
            (entry(1, "a", &half) + &entry(2, "b", &half), Some("BatchRequestTooLong")),
            (entry(1, "a", "m") + &entry(2, "b", ""), None),
        ] {
            assert_eq!(batch(&form(body.as_bytes())).err().map(|it| it.1), code, "{}", body.get(..40).unwrap_or(&body));
        }
    }
}
