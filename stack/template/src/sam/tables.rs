//! `AWS::Serverless::SimpleTable`: a table with a partition key.

use serde_json::{Map, Value, json};

use super::Expansion;
use super::tree::{field, resource};

impl Expansion<'_> {
    pub(super) fn simple_table(&mut self, id: &str, fields: &Map<String, Value>) {
        let key = fields.get("PrimaryKey");
        let name = key.and_then(|key| key.get("Name")).cloned().unwrap_or_else(|| json!("id"));
        // Source: AWS SAM developer guide, PrimaryKeyObject: `String`, `Number` or `Binary`.
        let kind = match key.and_then(|key| key.get("Type")).and_then(Value::as_str) {
            None | Some("String") => "S",
            Some("Number") => "N",
            Some("Binary") => "B",
            Some(other) => {
                self.findings.complain(format!("{id}.PrimaryKey.Type"), format!("found `{other}`, there are: String, Number, Binary"));
                "S"
            }
        };
        let table = json!({
            "TableName": field(fields, "TableName"),
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind}],
            "KeySchema": [{"AttributeName": name, "KeyType": "HASH"}],
            "Tags": field(fields, "Tags"),
            "SSESpecification": field(fields, "SSESpecification"),
            "PointInTimeRecoverySpecification": field(fields, "PointInTimeRecoverySpecification"),
            "ProvisionedThroughput": field(fields, "ProvisionedThroughput"),
            "BillingMode": if fields.contains_key("ProvisionedThroughput") { Value::Null } else { json!("PAY_PER_REQUEST") },
        });
        self.add(id, resource("AWS::DynamoDB::Table", table));
    }
}
