//! `AWS::DynamoDB::Table`, and `AWS::SNS::Topic`, of which only the name is read.

use super::section::Section;
use crate::blueprint::{Table, Topic, View};

pub(crate) fn read(table: &Section<'_>, name: String) -> Table {
    table.only(
        &["TableName", "AttributeDefinitions", "KeySchema", "TimeToLiveSpecification", "StreamSpecification"],
        &[
            "BillingMode",
            "ProvisionedThroughput",
            "PointInTimeRecoverySpecification",
            "SSESpecification",
            "DeletionProtectionEnabled",
            "Tags",
        ],
    );
    let expiry = table.within("TimeToLiveSpecification");
    expiry.only(&["AttributeName", "Enabled"], &[]);
    let stream = table.within("StreamSpecification");
    stream.only(&["StreamViewType"], &[]);
    stream.served("StreamViewType", &["NEW_AND_OLD_IMAGES"]);
    Table {
        expires_by: expiry.flag("Enabled").then(|| expiry.needed("AttributeName")),
        streams: stream.has("StreamViewType").then_some(View::Both),
        ..Table::keyed(name, key(table))
    }
}

/// The partition key.
fn key(table: &Section<'_>) -> String {
    let schema = table.each("KeySchema");
    let [only] = schema.as_slice() else {
        table.complain("KeySchema", format!("found {} keys, one partition key is served here", schema.len()));
        return String::new();
    };
    only.served("KeyType", &["HASH"]);
    let key = only.needed("AttributeName");
    let attributes = table.each("AttributeDefinitions");
    match attributes.iter().find(|attribute| attribute.text("AttributeName").as_ref() == Some(&key)) {
        Some(attribute) => drop(attribute.served("AttributeType", &["S"])),
        None => table.complain("AttributeDefinitions", format!("found none for the key `{key}`")),
    }
    key
}

pub(crate) fn topic(topic: &Section<'_>, name: String) -> Topic {
    topic.only(&["TopicName"], &["DisplayName", "KmsMasterKeyId", "Tags"]);
    Topic::named(name)
}
