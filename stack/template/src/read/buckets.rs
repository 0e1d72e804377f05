//! `AWS::S3::Bucket` and what it notifies, and `AWS::SES::ReceiptRule`, which stores mail in a
//! bucket.

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Bucket, Notification, Receipt};

pub(crate) fn read(bucket: &Section<'_>, name: String) -> Bucket {
    bucket.only(
        &["BucketName", "NotificationConfiguration", "VersioningConfiguration"],
        // Permissions are not checked, objects neither encrypted nor removed by age, and calls come
        // from programs, not from browsers.
        &[
            "AccessControl",
            "BucketEncryption",
            "PublicAccessBlockConfiguration",
            "OwnershipControls",
            "LifecycleConfiguration",
            "LoggingConfiguration",
            "Tags",
        ],
    );
    let notifications = bucket.within("NotificationConfiguration");
    notifications.only(&["QueueConfigurations", "LambdaConfigurations", "TopicConfigurations", "EventBridgeConfiguration"], &[]);
    let kinds = [
        ("LambdaConfigurations", "Function", Kind::Function),
        ("QueueConfigurations", "Queue", Kind::Queue),
        ("TopicConfigurations", "Topic", Kind::Topic),
    ];
    let notifies = kinds.into_iter().flat_map(|(list, key, kind)| {
        notifications.each(list).into_iter().filter_map(move |one| notification(&one, key, kind)).collect::<Vec<_>>()
    });
    let bridge = notifications.within("EventBridgeConfiguration");
    let versioning = bucket.within("VersioningConfiguration");
    versioning.only(&["Status"], &[]);
    let versions = versioning.one_of("Status", &["Enabled", "Suspended"]);
    Bucket {
        name,
        notifies: notifies.collect(),
        // Source: CloudFormation, EventBridgeConfiguration: enabled unless it says otherwise.
        to_event_bridge: notifications.has("EventBridgeConfiguration") && bridge.switch("EventBridgeEnabled").unwrap_or(true),
        versioned: versions.as_deref() == Some("Enabled"),
    }
}

fn notification(one: &Section<'_>, key: &str, kind: Kind) -> Option<Notification> {
    one.only(&["Event", "Filter", key], &["Id"]);
    let event = one.needed("Event");
    one.needed(key);
    if !event.is_empty() && !event.starts_with("s3:") {
        one.complain("Event", format!("found `{event}`, expected such as `s3:ObjectCreated:*`"));
    }
    let (mut prefix, mut suffix) = (String::new(), String::new());
    for rule in one.within("Filter").within("S3Key").each("Rules") {
        let value = rule.text("Value").unwrap_or_default();
        match rule.needed("Name").to_lowercase().as_str() {
            "prefix" => prefix = value,
            "suffix" => suffix = value,
            other => rule.complain("Name", format!("found `{other}`, there are: prefix, suffix")),
        }
    }
    Some(Notification { to: one.target(key, &[kind])?, event, prefix, suffix })
}

/// Where a rule stores mail; a disabled rule takes none.
pub(crate) fn receipts(resource: &Section<'_>) -> Vec<Receipt> {
    resource.only(&["Rule"], &["RuleSetName", "After"]);
    let rule = resource.within("Rule");
    rule.only(&["Enabled", "Actions"], &["Name", "ScanEnabled", "TlsPolicy"]);
    let stores = rule.each("Actions").into_iter().filter_map(|action| {
        action.only(&["S3Action"], &[]);
        let store = action.within("S3Action");
        store.only(&["BucketName", "ObjectKeyPrefix"], &[]);
        action
            .has("S3Action")
            .then(|| Receipt { bucket: store.needed("BucketName"), prefix: store.text("ObjectKeyPrefix").unwrap_or_default() })
    });
    let stores: Vec<_> = stores.collect();
    if rule.flag("Enabled") { stores } else { Vec::new() }
}
