//! Tables of DynamoDB.

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// `TableName`.
    pub name: String,
    /// `KeySchema`.
    pub key: Key,
    /// `GlobalSecondaryIndexes` and `LocalSecondaryIndexes`.
    pub indexes: Vec<Index>,
    /// The attribute of `TimeToLiveSpecification`, if it is enabled.
    pub expires_by: Option<String>,
    /// `StreamSpecification.StreamViewType`.
    pub streams: Option<View>,
}

impl Table {
    /// A table whose partition key is a text, without anything else.
    pub fn keyed(name: impl Into<String>, key: impl Into<String>) -> Self {
        let key = Key { partition: Attribute { name: key.into(), kind: AttributeType::Text }, sort: None };
        Self { name: name.into(), key, indexes: Vec::new(), expires_by: None, streams: None }
    }
}

/// The key of a table or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The `HASH` key.
    pub partition: Attribute,
    /// The `RANGE` key.
    pub sort: Option<Attribute>,
}

/// An attribute of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: AttributeType,
}

/// `AttributeType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributeType {
    /// `S`.
    Text,
    /// `N`.
    Number,
    /// `B`.
    Binary,
}

/// A secondary index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// `IndexName`.
    pub name: String,
    /// `KeySchema`.
    pub key: Key,
    /// Whether it is a local one.
    pub local: bool,
    /// `Projection`: `None` for `ALL`, else the attributes besides keys; none for `KEYS_ONLY`.
    pub projected: Option<Vec<String>>,
}

/// What a stream's records contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// `KEYS_ONLY`.
    Keys,
    /// `NEW_IMAGE`.
    New,
    /// `OLD_IMAGE`.
    Old,
    /// `NEW_AND_OLD_IMAGES`.
    Both,
}
