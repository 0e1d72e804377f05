//! `AWS::S3::Bucket` and the queues that it notifies, and `AWS::SES::ReceiptRule`, which stores
//! mail in a bucket.

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{Bucket, Notification, Receipt};

pub(crate) fn read(bucket: &Section<'_>, name: String) -> Bucket {
    bucket.only(
        &["BucketName", "NotificationConfiguration"],
        &["BucketEncryption", "PublicAccessBlockConfiguration", "OwnershipControls", "LifecycleConfiguration", "Tags"],
    );
    let notifications = bucket.within("NotificationConfiguration");
    notifications.only(&["QueueConfigurations"], &[]);
    let told = notifications.each("QueueConfigurations").into_iter().filter_map(|told| {
        told.only(&["Event", "Queue"], &[]);
        told.needed("Queue");
        told.needed("Event");
        told.served("Event", &["s3:ObjectCreated:*"]);
        told.resource(Kind::Queue, "Queue").map(Notification::created)
    });
    Bucket { name, notifies: told.collect(), ..Bucket::default() }
}

/// Where a rule stores mail; a disabled rule takes none.
pub(crate) fn receipts(resource: &Section<'_>) -> Vec<Receipt> {
    resource.only(&["Rule"], &["RuleSetName", "After"]);
    let rule = resource.within("Rule");
    rule.only(&["Enabled", "Actions"], &["Name", "ScanEnabled", "TlsPolicy"]);
    let stores = rule.each("Actions").into_iter().map(|action| {
        action.only(&["S3Action"], &[]);
        let store = action.within("S3Action");
        store.only(&["BucketName", "ObjectKeyPrefix"], &[]);
        Receipt { bucket: store.needed("BucketName"), prefix: store.text("ObjectKeyPrefix").unwrap_or_default() }
    });
    let stores: Vec<_> = stores.collect();
    if rule.flag("Enabled") { stores } else { Vec::new() }
}
