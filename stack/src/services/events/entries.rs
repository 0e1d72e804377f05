//! The entries of `PutEvents`: which are accepted, and the events that they become. Pure. Sources:
//! EventBridge API reference, `PutEvents`, `PutEventsRequestEntry`; user guide, "PutEvents event entry
//! size", "AWS service events".

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::platform::names::uuid;
use template::account::{ACCOUNT, REGION};

/// The most entries of a call. Source: EventBridge API reference, `PutEvents`.
pub const MOST: usize = 10;
/// The most bytes of all entries of a call. Source: user guide, "PutEvents event entry size".
pub const LARGEST: usize = 256 * 1024;

/// An entry as it is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Entry {
    source: Option<String>,
    detail_type: Option<String>,
    detail: Option<String>,
    resources: Vec<String>,
    time: Option<f64>,
    event_bus_name: Option<String>,
    trace_header: Option<String>,
}

/// An accepted entry.
#[derive(Debug)]
pub struct Accepted {
    /// The bus's name.
    pub bus: String,
    /// The whole event.
    pub event: Value,
    /// The trace header.
    pub trace: Option<String>,
}

/// Why an entry was refused: `ErrorCode` and `ErrorMessage`.
pub type Refused = (&'static str, String);

impl Entry {
    /// Its size as EventBridge counts it.
    pub fn size(&self) -> usize {
        let texts = [&self.source, &self.detail_type, &self.detail].into_iter().flatten().map(String::len).sum::<usize>();
        texts + self.resources.iter().map(String::len).sum::<usize>() + if self.time.is_some() { 14 } else { 0 }
    }

    /// The event that it becomes.
    pub fn accept(self) -> Result<Accepted, Refused> {
        let missing = |name: &str| ("InvalidArgument", format!("Parameter {name} is not valid. Reason: {name} is a required argument."));
        let needed = |value: Option<String>, name: &str| value.filter(|text| !text.is_empty()).ok_or_else(|| missing(name));
        let source = needed(self.source, "Source")?;
        let detail_type = needed(self.detail_type, "DetailType")?;
        let detail = needed(self.detail, "Detail")?;
        if source.starts_with("aws.") {
            return Err(("NotAuthorizedForSourceException", "Not authorized for the source.".to_owned()));
        }
        let detail: Value = serde_json::from_str(&detail)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| ("MalformedDetail", "Detail is malformed.".to_owned()))?;
        let mut event = json!({"source": source, "detail-type": detail_type, "detail": detail, "resources": self.resources});
        let time = self.time.filter(|seconds| *seconds >= 0.0).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let (Some(time), Some(event)) = (time.and_then(|time| UNIX_EPOCH.checked_add(time)), event.as_object_mut()) {
            event.insert("time".to_owned(), json!(dates::seconds(time)));
        }
        let bus = self.event_bus_name.unwrap_or_else(|| super::DEFAULT.to_owned());
        // A name or an ARN.
        let bus = bus.rsplit('/').next().unwrap_or_default().to_owned();
        Ok(Accepted { bus, event: completed(event), trace: self.trace_header })
    }
}

/// The event with the fields that EventBridge adds; those that it has are kept.
pub fn completed(mut event: Value) -> Value {
    let added = [
        ("version", json!("0")),
        ("id", json!(uuid())),
        ("account", json!(ACCOUNT)),
        ("time", json!(dates::seconds(SystemTime::now()))),
        ("region", json!(REGION)),
        ("resources", json!([])),
        ("detail", json!({})),
    ];
    if let Some(fields) = event.as_object_mut() {
        for (name, value) in added {
            fields.entry(name).or_insert(value);
        }
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_becomes_an_event_or_is_refused_with_its_code() {
        let entry = |change: Value| {
            let mut entry = json!({"Source": "my.app", "DetailType": "ordered", "Detail": "{\"n\":1}"});
            entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value::<Entry>(entry).unwrap().accept()
        };
        for (change, code) in [
            (json!({"Source": null}), "InvalidArgument"),
            (json!({"DetailType": ""}), "InvalidArgument"),
            (json!({"Detail": null}), "InvalidArgument"),
            (json!({"Detail": "{"}), "MalformedDetail"),
            (json!({"Detail": "[1]"}), "MalformedDetail"),
            (json!({"Source": "aws.s3"}), "NotAuthorizedForSourceException"),
        ] {
            assert_eq!(entry(change.clone()).unwrap_err().0, code, "{change}");
        }
        let accepted =
            entry(json!({"Time": 86_400, "Resources": ["r"], "EventBusName": "arn:aws:events:us-east-1:123456789012:event-bus/orders"}))
                .unwrap();
        assert_eq!(accepted.bus, "orders");
        let mut event = accepted.event;
        assert_eq!(event["id"].as_str().map(str::len), Some(36));
        event["id"] = json!("i");
        let expected = json!({"version": "0", "id": "i", "detail-type": "ordered", "source": "my.app", "account": "123456789012",
            "time": "1970-01-02T00:00:00Z", "region": "us-east-1", "resources": ["r"], "detail": {"n": 1}});
        assert_eq!(event, expected);
        assert_eq!(entry(json!({})).unwrap().bus, "default");
    }
}
