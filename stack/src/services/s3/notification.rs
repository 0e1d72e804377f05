//! The events that S3 sends to queues. Source: Amazon S3 user guide, event message structure
//! (version 2.1).

use std::time::SystemTime;

use serde_json::json;

use super::object::Object;
use crate::services::wire::request_id;
use template::account::{ACCOUNT, REGION};

/// A key as in events and listings: form-encoded, with its slashes unchanged.
pub fn encoded(key: &str) -> String {
    let parts: Vec<String> = key.split('/').map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect()).collect();
    parts.join("/")
}

/// The event that a queue gets once, when its notification is configured. It is not about an
/// object.
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

/// The event of a stored object. `sequence` increases with every put to the bucket.
pub fn created(bucket: &str, key: &str, object: &Object, sequence: u64) -> String {
    json!({"Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": dates::milliseconds(object.modified),
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": format!("AWS:{ACCOUNT}")},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": request_id(), "x-amz-id-2": "brownout"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": format!("{bucket}-created"),
            "bucket": {"name": bucket, "ownerIdentity": {"principalId": ACCOUNT}, "arn": format!("arn:aws:s3:::{bucket}")},
            "object": {
                "key": encoded(key),
                "size": object.content.size(),
                "eTag": object.etag,
                "sequencer": format!("{sequence:018X}"),
            },
        },
    }]})
    .to_string()
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
}
