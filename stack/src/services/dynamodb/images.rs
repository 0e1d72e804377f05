//! A change of a row in the form that Lambda gets: old and new image, and the principal who made
//! it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use template::blueprint::View;
use winterbaume_dynamodb::Item;

use super::{tables, values};
use crate::platform::names::REGION;

/// A change of a row.
pub struct Change<'a> {
    /// The row's key.
    pub key: &'a Item,
    /// The row before the write.
    pub before: Option<&'a Item>,
    /// The row after the write.
    pub after: Option<&'a Item>,
    /// Whether the service itself made it, because the row expired.
    pub by_service: bool,
}

impl Change<'_> {
    /// The key as one text: in the order of its names, the same for the same row.
    pub fn key(&self) -> String {
        json!(self.key.iter().collect::<BTreeMap<_, _>>()).to_string()
    }

    /// The record with the images of a view. `seconds` is the time since 1970.
    pub fn record(&self, view: View, arn: &str, event: &str, sequence: u64, seconds: u64) -> Value {
        let name = match (self.before, self.after) {
            (None, _) => "INSERT",
            (Some(_), Some(_)) => "MODIFY",
            (Some(_), None) => "REMOVE",
        };
        let old = self.before.filter(|_| matches!(view, View::Old | View::Both));
        let new = self.after.filter(|_| matches!(view, View::New | View::Both));
        let size: usize = [Some(self.key), old, new].into_iter().flatten().map(values::bytes).sum();
        let mut images = json!({
            "ApproximateCreationDateTime": seconds,
            "Keys": self.key,
            "SequenceNumber": sequence.to_string(),
            "SizeBytes": size,
            "StreamViewType": tables::view(view),
        });
        let mut record = json!({
            "eventID": event,
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "eventSourceARN": arn,
        });
        if let Some(images) = images.as_object_mut() {
            let both = [("OldImage", old), ("NewImage", new)];
            images.extend(both.into_iter().filter_map(|(name, image)| Some((name.to_owned(), json!(image?)))));
        }
        if let Some(record) = record.as_object_mut() {
            record.insert("dynamodb".to_owned(), images);
            if self.by_service {
                record.insert("userIdentity".to_owned(), json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
            }
        }
        record
    }
}
