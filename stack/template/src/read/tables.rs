//! `AWS::DynamoDB::Table` and `AWS::DynamoDB::GlobalTable`, which has one replica here.

use super::section::Section;
use crate::blueprint::{Attribute, AttributeType, Index, Key, Table, View};

/// The properties that are read.
const READ: [&str; 7] = [
    "TableName",
    "AttributeDefinitions",
    "KeySchema",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
    "TimeToLiveSpecification",
    "StreamSpecification",
];

/// Capacity is not limited here, and what is kept is neither encrypted nor backed up.
const WITHOUT_EFFECT: [&str; 15] = [
    "BillingMode",
    "ProvisionedThroughput",
    "OnDemandThroughput",
    "WarmThroughput",
    "WriteProvisionedThroughputSettings",
    "WriteOnDemandThroughputSettings",
    "PointInTimeRecoverySpecification",
    "SSESpecification",
    "DeletionProtectionEnabled",
    "ContributorInsightsSpecification",
    "TableClass",
    "ResourcePolicy",
    "Replicas",
    "Tags",
    "MultiRegionConsistency",
];

/// Reads a table; `None` if its key is not understood, which is a complaint.
pub(crate) fn read(table: &Section<'_>, name: String) -> Option<Table> {
    table.only(&READ, &WITHOUT_EFFECT);
    if table.each("Replicas").len() > 1 {
        table.notice("Replicas", "one replica is served here");
    }
    let expiry = table.within("TimeToLiveSpecification");
    expiry.only(&["AttributeName", "Enabled"], &[]);
    let stream = table.within("StreamSpecification");
    stream.only(&["StreamViewType"], &["ResourcePolicy"]);
    let view = stream.one_of("StreamViewType", &["NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"]);
    let indexes =
        |list: &str, local: bool| table.each(list).into_iter().filter_map(move |one| index(table, &one, local)).collect::<Vec<_>>();
    let mut all = indexes("GlobalSecondaryIndexes", false);
    all.extend(indexes("LocalSecondaryIndexes", true));
    Some(Table {
        name,
        key: key(table, table)?,
        indexes: all,
        expires_by: expiry.flag("Enabled").then(|| expiry.needed("AttributeName")),
        streams: view.map(|view| match view.as_str() {
            "NEW_IMAGE" => View::New,
            "OLD_IMAGE" => View::Old,
            "KEYS_ONLY" => View::Keys,
            _ => View::Both,
        }),
    })
}

/// The key of a table or an index of it. Source: DynamoDB API reference, CreateTable: one `HASH`
/// key first, and at most one `RANGE` key.
fn key(table: &Section<'_>, of: &Section<'_>) -> Option<Key> {
    let schema = of.each("KeySchema");
    let kinds: Vec<_> = schema.iter().map(|one| one.text("KeyType").unwrap_or_default()).collect();
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    if !matches!(kinds.as_slice(), ["HASH"] | ["HASH", "RANGE"]) {
        of.complain("KeySchema", format!("found `{}`, expected HASH, or HASH and RANGE", kinds.join(", ")));
        return None;
    }
    let mut attributes = schema.iter().map(|one| attribute(table, one));
    let partition = attributes.next()??;
    let sort = match attributes.next() {
        Some(sort) => Some(sort?),
        None => None,
    };
    Some(Key { partition, sort })
}

fn attribute(table: &Section<'_>, key: &Section<'_>) -> Option<Attribute> {
    let name = key.needed("AttributeName");
    let attributes = table.each("AttributeDefinitions");
    let Some(found) = attributes.iter().find(|attribute| attribute.text("AttributeName").as_ref() == Some(&name)) else {
        table.complain("AttributeDefinitions", format!("found none for the key `{name}`"));
        return None;
    };
    let kind = match found.one_of("AttributeType", &["S", "N", "B"])?.as_str() {
        "N" => AttributeType::Number,
        "B" => AttributeType::Binary,
        _ => AttributeType::Text,
    };
    Some(Attribute { name, kind })
}

fn index(table: &Section<'_>, index: &Section<'_>, local: bool) -> Option<Index> {
    index.only(
        &["IndexName", "KeySchema", "Projection"],
        &[
            "ProvisionedThroughput",
            "OnDemandThroughput",
            "WarmThroughput",
            "ContributorInsightsSpecification",
            "WriteProvisionedThroughputSettings",
            "WriteOnDemandThroughputSettings",
        ],
    );
    let projection = index.within("Projection");
    projection.only(&["ProjectionType", "NonKeyAttributes"], &[]);
    projection.needed("ProjectionType");
    let projected = match projection.one_of("ProjectionType", &["ALL", "KEYS_ONLY", "INCLUDE"]).as_deref() {
        Some("KEYS_ONLY") => Some(Vec::new()),
        Some("INCLUDE") => Some(projection.texts("NonKeyAttributes")),
        _ => None,
    };
    Some(Index { name: index.needed("IndexName"), key: key(table, index)?, local, projected })
}
