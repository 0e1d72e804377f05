//! All tables: created, described, listed and deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

use serde::Deserialize;
use serde_json::{Value, json};
use template::blueprint::{Attribute, AttributeType, Index, Key, Table, View};

use super::keys::{attributes, code};
use super::requests::{self, Refusal};
use super::store::Shelf;
use super::streams;
use super::values::INVALID;
use crate::platform::names::{ACCOUNT, REGION};
use crate::services::wire::Call;

/// The tables by name.
#[derive(Default)]
pub struct Tables(BTreeMap<String, Shelf>);

impl Tables {
    /// These tables, empty.
    pub fn new(declared: &[Table]) -> Self {
        Self(declared.iter().map(|table| (table.name.clone(), Shelf::new(table.clone()))).collect())
    }

    /// All tables, by name.
    pub fn all(&self) -> impl Iterator<Item = &Shelf> {
        self.0.values()
    }

    /// A table by its name or its ARN.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn shelf(&self, name: &str) -> Result<&Shelf, Refusal> {
        self.0.get(plain(name)).ok_or_else(|| missing("Requested resource not found"))
    }

    /// A table, to be written.
    ///
    /// # Errors
    /// If it does not exist.
    pub fn shelf_mut(&mut self, name: &str) -> Result<&mut Shelf, Refusal> {
        self.0.get_mut(plain(name)).ok_or_else(|| missing("Requested resource not found"))
    }

    /// `CreateTable`.
    ///
    /// # Errors
    /// If the table exists or is not valid.
    pub fn create(&mut self, call: &Call) -> Result<Value, Refusal> {
        let table = requests::read::<Create>(requests::checked(call)?)?.table()?;
        if self.0.contains_key(&table.name) {
            return Err(Refusal { kind: "ResourceInUseException", message: format!("Table already exists: {}", table.name), more: None });
        }
        let shelf = Shelf::new(table);
        let described = json!({"TableDescription": description(&shelf, "ACTIVE")});
        self.0.insert(shelf.table.name.clone(), shelf);
        Ok(described)
    }

    /// `DeleteTable`.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn delete(&mut self, name: &str) -> Result<Value, Refusal> {
        let shelf = self.0.remove(plain(name)).ok_or_else(|| missing(&format!("Requested resource not found: Table: {name} not found")))?;
        Ok(json!({"TableDescription": description(&shelf, "DELETING")}))
    }

    /// `DescribeTable`.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn describe(&self, name: &str) -> Result<Value, Refusal> {
        let shelf = self.0.get(plain(name)).ok_or_else(|| missing(&format!("Requested resource not found: Table: {name} not found")))?;
        Ok(json!({"Table": description(shelf, "ACTIVE")}))
    }

    /// `DescribeTimeToLive`.
    ///
    /// # Errors
    /// If there is no such table.
    pub fn time_to_live(&self, name: &str) -> Result<Value, Refusal> {
        Ok(match &self.shelf(name)?.table.expires_by {
            Some(attribute) => json!({"TimeToLiveDescription": {"AttributeName": attribute, "TimeToLiveStatus": "ENABLED"}}),
            None => json!({"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}),
        })
    }

    /// `ListTables`.
    pub fn list(&self, asked: &Value) -> Value {
        let after = asked.get("ExclusiveStartTableName").and_then(Value::as_str).unwrap_or_default();
        let most = asked.get("Limit").and_then(Value::as_u64).and_then(|most| usize::try_from(most).ok()).unwrap_or(100).clamp(1, 100);
        let mut rest = self.0.keys().filter(|name| name.as_str() > after);
        let names: Vec<_> = rest.by_ref().take(most).collect();
        match (rest.next(), names.last()) {
            (Some(_), Some(last)) => json!({"TableNames": names, "LastEvaluatedTableName": last}),
            _ => json!({"TableNames": names}),
        }
    }
}

/// A table's name, of which calls may also give the ARN.
pub fn plain(name: &str) -> &str {
    name.strip_prefix(&format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/")).unwrap_or(name)
}

fn missing(message: &str) -> Refusal {
    Refusal { kind: "ResourceNotFoundException", message: message.to_owned(), more: None }
}

/// The value of `StreamViewType`.
pub fn view(view: View) -> &'static str {
    match view {
        View::Keys => "KEYS_ONLY",
        View::New => "NEW_IMAGE",
        View::Old => "OLD_IMAGE",
        View::Both => "NEW_AND_OLD_IMAGES",
    }
}

/// `KeySchema`.
pub fn schema(key: &Key) -> Value {
    let kinds = attributes(key).zip(["HASH", "RANGE"]);
    kinds.map(|(attribute, kind)| json!({"AttributeName": attribute.name, "KeyType": kind})).collect()
}

/// Source: Amazon DynamoDB API reference, TableDescription; capacity as of a table on demand.
fn description(shelf: &Shelf, status: &str) -> Value {
    let table = &shelf.table;
    let arn = format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", table.name);
    let keys = std::iter::once(&table.key).chain(table.indexes.iter().map(|index| &index.key));
    let definitions: BTreeMap<&str, AttributeType> = keys.flat_map(attributes).map(|it| (it.name.as_str(), it.kind)).collect();
    let definitions: Vec<_> =
        definitions.into_iter().map(|(name, kind)| json!({"AttributeName": name, "AttributeType": code(kind)})).collect();
    let (rows, bytes) = shelf.size();
    let throughput = json!({"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0});
    let mut all = json!({
        "AttributeDefinitions": definitions,
        "TableName": table.name,
        "KeySchema": schema(&table.key),
        "TableStatus": status,
        "CreationDateTime": shelf.created.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        "ProvisionedThroughput": throughput,
        "TableSizeBytes": bytes,
        "ItemCount": rows,
        "TableArn": arn,
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "DeletionProtectionEnabled": false,
    });
    let indexes = |local: bool| -> Vec<Value> {
        let of_kind = table.indexes.iter().filter(|index| index.local == local);
        let described = of_kind.map(|index| {
            let projection = match &index.projected {
                None => json!({"ProjectionType": "ALL"}),
                Some(more) if more.is_empty() => json!({"ProjectionType": "KEYS_ONLY"}),
                Some(more) => json!({"ProjectionType": "INCLUDE", "NonKeyAttributes": more}),
            };
            let rows = shelf.index(&index.name).map_or(0, |(_, rows)| rows.len());
            let mut described = json!({
                "IndexName": index.name, "KeySchema": schema(&index.key), "Projection": projection, "ItemCount": rows,
                "IndexSizeBytes": 0, "IndexArn": format!("{arn}/index/{}", index.name),
            });
            if let (false, Some(described)) = (local, described.as_object_mut()) {
                described.insert("IndexStatus".to_owned(), json!("ACTIVE"));
                described.insert("ProvisionedThroughput".to_owned(), throughput.clone());
            }
            described
        });
        described.collect()
    };
    if let Some(all) = all.as_object_mut() {
        for (name, indexes) in [("GlobalSecondaryIndexes", indexes(false)), ("LocalSecondaryIndexes", indexes(true))] {
            if !indexes.is_empty() {
                all.insert(name.to_owned(), json!(indexes));
            }
        }
        if let Some(kind) = table.streams {
            all.insert("StreamSpecification".to_owned(), json!({"StreamEnabled": true, "StreamViewType": view(kind)}));
            all.insert("LatestStreamArn".to_owned(), json!(streams::arn(&table.name)));
            all.insert("LatestStreamLabel".to_owned(), json!(streams::LABEL));
        }
    }
    all
}

/// A `CreateTable`. What has no effect on this machine (billing, capacity, encryption, tags, class)
/// may be given.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Create {
    table_name: String,
    key_schema: Vec<Element>,
    attribute_definitions: Vec<Definition>,
    #[serde(default)]
    global_secondary_indexes: Vec<AskedIndex>,
    #[serde(default)]
    local_secondary_indexes: Vec<AskedIndex>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Element {
    attribute_name: String,
    key_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AskedIndex {
    index_name: String,
    key_schema: Vec<Element>,
    projection: Projection,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projection {
    projection_type: Option<String>,
    #[serde(default)]
    non_key_attributes: Vec<String>,
}

impl Create {
    fn table(self) -> Result<Table, Refusal> {
        let name = &self.table_name;
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.');
        if !(3..=255).contains(&name.len()) || !name.chars().all(allowed) {
            return Err(Refusal::invalid(
                "TableName must be at least 3 characters long and at most 255 characters long, of a-z, A-Z, 0-9, '_', '-' and '.'",
            ));
        }
        let kinds = self.attribute_definitions.iter().map(|it| {
            let kind = match it.attribute_type.as_str() {
                "S" => AttributeType::Text,
                "N" => AttributeType::Number,
                "B" => AttributeType::Binary,
                other => return Err(Refusal::invalid(format!("Member must satisfy enum value set: [B, N, S], found {other}"))),
            };
            Ok((it.attribute_name.as_str(), kind))
        });
        let kinds: BTreeMap<&str, AttributeType> = kinds.collect::<Result<_, _>>()?;
        let key = key(&self.key_schema, &kinds)?;
        let mut indexes = Vec::new();
        for (asked, local) in
            self.global_secondary_indexes.iter().map(|it| (it, false)).chain(self.local_secondary_indexes.iter().map(|it| (it, true)))
        {
            indexes.push(asked.index(local, &key, &kinds)?);
        }
        let used: BTreeSet<&str> =
            std::iter::once(&key).chain(indexes.iter().map(|it| &it.key)).flat_map(attributes).map(|it| it.name.as_str()).collect();
        if used.len() != kinds.len() {
            return Err(Refusal::invalid(format!(
                "{INVALID}: Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions"
            )));
        }
        Ok(Table { name: self.table_name.clone(), key, indexes, expires_by: None, streams: None })
    }
}

fn key(schema: &[Element], kinds: &BTreeMap<&str, AttributeType>) -> Result<Key, Refusal> {
    let attribute = |element: &Element| {
        let name = &element.attribute_name;
        let kind = kinds.get(name.as_str()).ok_or_else(|| {
            Refusal::invalid(format!("{INVALID}: Some index key attributes are not defined in AttributeDefinitions. Keys: [{name}]"))
        })?;
        Ok(Attribute { name: name.clone(), kind: *kind })
    };
    match schema {
        [hash] if hash.key_type == "HASH" => Ok(Key { partition: attribute(hash)?, sort: None }),
        [hash, range] if hash.key_type == "HASH" && range.key_type == "RANGE" => {
            Ok(Key { partition: attribute(hash)?, sort: Some(attribute(range)?) })
        }
        _ => Err(Refusal::invalid(
            "Invalid KeySchema: The first KeySchemaElement is not a HASH key type, or the second not a RANGE key type",
        )),
    }
}

impl AskedIndex {
    fn index(&self, local: bool, of_table: &Key, kinds: &BTreeMap<&str, AttributeType>) -> Result<Index, Refusal> {
        let key = key(&self.key_schema, kinds)?;
        if local && (key.partition != of_table.partition || key.sort.is_none()) {
            return Err(Refusal::invalid(format!(
                "{INVALID}: Index KeySchema does not have a range key, or its hash key is not the table's, for index: {}",
                self.index_name
            )));
        }
        let projected = match (self.projection.projection_type.as_deref(), self.projection.non_key_attributes.as_slice()) {
            (Some("ALL"), []) => None,
            (Some("KEYS_ONLY"), []) => Some(Vec::new()),
            (Some("INCLUDE"), [_, ..]) => Some(self.projection.non_key_attributes.clone()),
            _ => return Err(Refusal::invalid(format!("{INVALID}: Unknown ProjectionType, or NonKeyAttributes that do not fit it"))),
        };
        Ok(Index { name: self.index_name.clone(), key, local, projected })
    }
}
