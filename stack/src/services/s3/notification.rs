//! The events that S3 sends to functions, queues, topics and EventBridge. Sources: Amazon S3 user
//! guide, "Event message structure" (version 2.1), "EventBridge event message structure", "Supported
//! event types".

use std::time::SystemTime;

use serde_json::{Value, json};

use super::object::Object;
use crate::services::wire::request_id;
use template::account::{ACCOUNT, REGION};
use template::blueprint::Notification;

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// `PutObject`.
    Put,
    /// A form of a browser.
    Post,
    /// `CopyObject`.
    Copy,
    /// `CompleteMultipartUpload`.
    Complete,
    /// `DeleteObject` or `DeleteObjects`.
    Delete,
    /// The same without a version, in a bucket that keeps versions: a marker hides the object.
    Hide,
}

impl Happening {
    /// Its name in a record, without `s3:`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Post => "ObjectCreated:Post",
            Self::Copy => "ObjectCreated:Copy",
            Self::Complete => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
            Self::Hide => "ObjectRemoved:DeleteMarkerCreated",
        }
    }

    /// `reason` in an event of EventBridge.
    const fn reason(self) -> &'static str {
        match self {
            Self::Put => "PutObject",
            Self::Post => "POST Object",
            Self::Copy => "CopyObject",
            Self::Complete => "CompleteMultipartUpload",
            Self::Delete | Self::Hide => "DeleteObject",
        }
    }

    /// Whether a notification is about it and about this key.
    pub fn is_told(self, to: &Notification, key: &str) -> bool {
        let event = to.event.strip_prefix("s3:").unwrap_or(&to.event);
        let is_meant = event.strip_suffix('*').map_or(event == self.name(), |start| self.name().starts_with(start));
        is_meant && key.starts_with(&to.prefix) && key.ends_with(&to.suffix)
    }
}

/// Something that happened to an object.
pub struct Happened<'a> {
    /// What.
    pub what: Happening,
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The version, in a bucket that keeps versions.
    pub version: Option<&'a str>,
    /// The object; `None` if it is gone.
    pub object: Option<&'a Object>,
    /// Grows with everything that happens in the bucket.
    pub sequence: u64,
    /// When.
    pub at: SystemTime,
}

/// A key as in events and listings: form-encoded, with its slashes unchanged.
pub fn encoded(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect()).collect();
    parts.join("/")
}

/// The event that a queue or topic gets once, when its notification is configured. It is not about
/// an object.
pub fn test_event(bucket: &str, at: SystemTime) -> String {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": dates::milliseconds(at),
        "Bucket": bucket,
        "RequestId": request_id(),
        "HostId": "brownout",
    })
    .to_string()
}

impl Happened<'_> {
    fn sequencer(&self) -> String {
        format!("{:018X}", self.sequence)
    }

    /// The event for a function, a queue or a topic.
    pub fn event(&self) -> String {
        let mut object = json!({"key": encoded(self.key), "sequencer": self.sequencer()});
        if let (Some(stored), Some(fields)) = (self.object, object.as_object_mut()) {
            fields.insert("size".to_owned(), json!(stored.content.size()));
            fields.insert("eTag".to_owned(), json!(stored.etag));
        }
        if let (Some(version), Some(fields)) = (self.version, object.as_object_mut()) {
            fields.insert("versionId".to_owned(), json!(version));
        }
        let kind = if self.object.is_none() { "removed" } else { "created" };
        let bucket = self.bucket;
        json!({"Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": dates::milliseconds(self.at),
            "eventName": self.what.name(),
            "userIdentity": {"principalId": format!("AWS:{ACCOUNT}")},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": request_id(), "x-amz-id-2": "brownout"},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": format!("{bucket}-{kind}"),
                "bucket": {"name": bucket, "ownerIdentity": {"principalId": ACCOUNT}, "arn": format!("arn:aws:s3:::{bucket}")},
                "object": object,
            },
        }]})
        .to_string()
    }

    /// The event for EventBridge, which completes it. The key is not encoded.
    pub fn bus_event(&self) -> Value {
        let mut object = json!({"key": self.key, "sequencer": self.sequencer()});
        if let (Some(stored), Some(fields)) = (self.object, object.as_object_mut()) {
            fields.insert("size".to_owned(), json!(stored.content.size()));
            fields.insert("etag".to_owned(), json!(stored.etag));
        }
        if let (Some(version), Some(fields)) = (self.version, object.as_object_mut()) {
            fields.insert("version-id".to_owned(), json!(version));
        }
        let mut detail = json!({
            "version": "0",
            "bucket": {"name": self.bucket},
            "object": object,
            "request-id": request_id(),
            "requester": ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": self.what.reason(),
        });
        let is_gone = self.object.is_none();
        if let (true, Some(detail)) = (is_gone, detail.as_object_mut()) {
            let how = if self.what == Happening::Hide { "Delete Marker Created" } else { "Permanently Deleted" };
            detail.insert("deletion-type".to_owned(), json!(how));
        }
        json!({
            "source": "aws.s3",
            "detail-type": if is_gone { "Object Deleted" } else { "Object Created" },
            "time": dates::seconds(self.at),
            "resources": [format!("arn:aws:s3:::{}", self.bucket)],
            "detail": detail,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_as_s3_does() {
        for (key, in_event) in [
            ("plain.eml", "plain.eml"),
            ("a/b c+d.pdf", "a/b+c%2Bd.pdf"),
            ("m/1-façade (1).txt", "m/1-fa%C3%A7ade+%281%29.txt"),
            ("100%*", "100%25*"),
        ] {
            assert_eq!(encoded(key), in_event);
        }
    }

    #[test]
    fn a_notification_is_about_its_events_and_keys() {
        for (event, prefix, suffix, what, told) in [
            ("s3:ObjectCreated:*", "", "", Happening::Complete, true),
            ("s3:ObjectCreated:*", "", "", Happening::Delete, false),
            ("s3:ObjectCreated:Put", "", "", Happening::Copy, false),
            ("s3:ObjectRemoved:*", "in/", ".jpg", Happening::Delete, true),
            ("s3:ObjectRemoved:DeleteMarkerCreated", "", "", Happening::Delete, false),
            ("s3:ObjectRemoved:*", "", "", Happening::Hide, true),
            ("s3:ObjectCreated:Post", "in/", "", Happening::Post, true),
            ("s3:ObjectCreated:*", "out/", "", Happening::Put, false),
            ("s3:ObjectCreated:*", "", ".png", Happening::Put, false),
        ] {
            let to = Notification { event: event.into(), prefix: prefix.into(), suffix: suffix.into(), ..Notification::created("q") };
            assert_eq!(what.is_told(&to, "in/a.jpg"), told, "{event} {prefix} {suffix} {what:?}");
        }
    }

    #[test]
    fn a_removed_object_has_neither_size_nor_etag() {
        let gone = Happened {
            what: Happening::Delete,
            bucket: "b",
            key: "a b",
            version: None,
            object: None,
            sequence: 7,
            at: SystemTime::UNIX_EPOCH,
        };
        let event: Value = serde_json::from_str(&gone.event()).unwrap();
        assert_eq!(event["Records"][0]["s3"]["object"], json!({"key": "a+b", "sequencer": "000000000000000007"}));
        let event = gone.bus_event();
        assert_eq!((&event["detail-type"], &event["detail"]["deletion-type"]), (&json!("Object Deleted"), &json!("Permanently Deleted")));
        assert_eq!((&event["detail"]["object"]["key"], &event["time"]), (&json!("a b"), &json!("1970-01-01T00:00:00Z")));
    }
}
