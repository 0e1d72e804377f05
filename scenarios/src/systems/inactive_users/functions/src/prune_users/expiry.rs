//! A stream record that says that a row expired. Rows that a caller deleted, wrote or changed are
//! not expiries, even if the filter passes them.

use serde_json::Value;
use thiserror::Error;

/// What a record lacks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a record without `{0}`")]
pub struct Lacking(pub(super) &'static str);

/// An expired row: whose it is and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expiry<'a> {
    pub(super) sequence: &'a str,
    pub(super) sub: &'a str,
    pub(super) username: &'a str,
    pub(super) pool: &'a str,
}

/// The records of a batch.
pub(super) fn records(event: &Value) -> Result<&Vec<Value>, Lacking> {
    event.get("Records").and_then(Value::as_array).ok_or(Lacking("Records"))
}

/// Whether the service itself deleted the row. Source: Amazon DynamoDB, "DynamoDB Streams and Time to Live".
pub(super) fn is_expiry(record: &Value) -> bool {
    text(record, "/eventName") == Some("REMOVE")
        && text(record, "/userIdentity/type") == Some("Service")
        && text(record, "/userIdentity/principalId") == Some("dynamodb.amazonaws.com")
}

/// The record's sequence number in its shard; a failed record is reported by it.
pub(super) fn sequence(record: &Value) -> Result<&str, Lacking> {
    text(record, "/dynamodb/SequenceNumber").ok_or(Lacking("dynamodb.SequenceNumber"))
}

impl<'a> Expiry<'a> {
    pub(super) fn read(record: &'a Value) -> Result<Self, Lacking> {
        Ok(Self {
            sequence: sequence(record)?,
            sub: text(record, "/dynamodb/OldImage/sub/S").ok_or(Lacking("OldImage.sub"))?,
            username: text(record, "/dynamodb/OldImage/username/S").ok_or(Lacking("OldImage.username"))?,
            pool: text(record, "/dynamodb/OldImage/userpool_id/S").ok_or(Lacking("OldImage.userpool_id"))?,
        })
    }
}

fn text<'a>(record: &'a Value, pointer: &str) -> Option<&'a str> {
    record.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn record() -> Value {
        json!({
            "eventName": "REMOVE",
            "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"},
            "dynamodb": {
                "SequenceNumber": "100",
                "OldImage": {"sub": {"S": "s"}, "username": {"S": "jane"}, "userpool_id": {"S": "us-east-1_members"}, "ttl": {"N": "1"}},
            },
        })
    }

    #[test]
    fn an_expiry_says_who_it_is_about() {
        let record = record();
        assert!(is_expiry(&record));
        assert_eq!(Expiry::read(&record), Ok(Expiry { sequence: "100", sub: "s", username: "jane", pool: "us-east-1_members" }));
    }

    #[test]
    fn nothing_but_the_services_own_delete_is_an_expiry() {
        for (pointer, other) in [
            ("/eventName", json!("INSERT")),
            ("/eventName", json!("MODIFY")),
            ("/userIdentity/type", json!("Root")),
            ("/userIdentity/principalId", json!("admin")),
            ("/userIdentity", Value::Null),
        ] {
            let mut record = record();
            *record.pointer_mut(pointer).unwrap() = other;
            assert!(!is_expiry(&record), "{record}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (pointer, name) in [
            ("/OldImage/sub", "sub"),
            ("/OldImage/username/S", "username"),
            ("/OldImage/userpool_id", "userpool_id"),
            ("/SequenceNumber", "Sequence"),
        ] {
            let mut record = record();
            *record.pointer_mut(&format!("/dynamodb{pointer}")).unwrap() = Value::Null;
            assert!(Expiry::read(&record).is_err_and(|lacking| lacking.to_string().contains(name)), "{record}");
        }
    }
}
