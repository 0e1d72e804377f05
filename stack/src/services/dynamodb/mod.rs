//! DynamoDB: the crate `winterbaume-dynamodb`, in memory, behind a trait of ours. Nothing outlives the process.

mod seed;

use async_trait::async_trait;
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::RwLock;
use winterbaume_core::{MockRequest, MockService};
use winterbaume_dynamodb::DynamoDbService;

use super::wire::{Answer, Call, JSON_1_0, Service};

/// The tables of this machine.
pub struct DynamoDb {
    service: DynamoDbService,
    /// The crate reads an item and writes it in two steps; a conditional write is only one step while nobody else writes.
    one_writer: RwLock<()>,
}

impl DynamoDb {
    /// Tables with the rows of the systems that are up.
    ///
    /// # Errors
    /// Where a table or a row is refused.
    pub async fn start(homes: Option<u32>, clinic: bool) -> std::io::Result<Self> {
        let tables = Self { service: DynamoDbService::new(), one_writer: RwLock::new(()) };
        for (operation, body) in seed::calls(homes, clinic) {
            let answer = tables.run(operation, body.to_string().into()).await;
            if answer.status != 200 {
                return Err(std::io::Error::other(format!("{operation}: {}", String::from_utf8_lossy(&answer.body))));
            }
        }
        Ok(tables)
    }

    async fn run(&self, operation: &str, body: bytes::Bytes) -> Answer {
        let mut headers = HeaderMap::new();
        if let Ok(target) = HeaderValue::from_str(&format!("DynamoDB_20120810.{operation}")) {
            headers.insert(HeaderName::from_static("x-amz-target"), target);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON_1_0));
        let request = MockRequest { method: "POST".to_owned(), uri: "https://dynamodb.us-east-1.amazonaws.com/".to_owned(), headers, body };
        let response = self.service.handle(request).await;
        let error_type = if response.status < 300 { None } else { error_type(&response.body) };
        Answer { status: response.status, content_type: JSON_1_0, error_type, body: response.body }
    }
}

#[async_trait]
impl Service for DynamoDb {
    async fn answer(&self, call: &Call) -> Answer {
        if asks_contains(&call.body) {
            let message = "`contains` is not served on this machine: the tables here would answer wrongly for sets";
            return Answer::error(JSON_1_0, 400, "ValidationException", message);
        }
        if matches!(call.operation.as_str(), "GetItem" | "Query" | "Scan" | "BatchGetItem" | "DescribeTable" | "ListTables") {
            let _shared = self.one_writer.read().await;
            return self.run(&call.operation, call.body.clone()).await;
        }
        let _alone = self.one_writer.write().await;
        self.run(&call.operation, call.body.clone()).await
    }
}

/// Whether an expression uses `contains`, which the crate answers with false for every set (0.3.0). An error is seen, a wrong row is not.
fn asks_contains(body: &[u8]) -> bool {
    const WORD: &[u8] = b"contains";
    if !body.windows(WORD.len()).any(|part| part == WORD) {
        return false;
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let expressions =
        ["FilterExpression", "ConditionExpression", "KeyConditionExpression"].into_iter().filter_map(|key| body.get(key)?.as_str());
    expressions.into_iter().any(|expression| expression.contains("contains"))
}

/// The exception's name without its namespace.
fn error_type(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    body.get("__type")?.as_str()?.rsplit('#').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    async fn call(tables: &DynamoDb, operation: &str, body: Value) -> (u16, Value) {
        let body = body.to_string().into();
        let call = Call { operation: operation.into(), request_id: "r".into(), root: None, path: "/".into(), body };
        let answer = tables.answer(&call).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[tokio::test]
    async fn both_systems_rows_are_there() {
        let tables = DynamoDb::start(Some(2), true).await.unwrap();
        let (_, row) = call(&tables, "GetItem", json!({"TableName": "UserMappingTable", "Key": {"deviceId": {"S": "Thermostat1"}}})).await;
        assert_eq!(row["Item"]["primaryOwner"], json!({"S": "john_doe"}));
        let mut others: Vec<_> = row["Item"]["additionalUsers"]["SS"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        others.sort_unstable();
        assert_eq!(others, ["jane_doe", "powercompany"]);
        let (status, none) = call(&tables, "GetItem", json!({"TableName": "UserMappingTable", "Key": {"deviceId": {"S": "none"}}})).await;
        assert_eq!((status, none.get("Item")), (200, None));
        let (_, row) = call(&tables, "GetItem", json!({"TableName": "AppointmentsTable", "Key": {"id": {"S": "PI-T123"}}})).await;
        assert_eq!((&row["Item"]["owner"]["S"], &row["Item"]["veterinarian"]["S"]), (&json!("Dave"), &json!("Jane")));
        let (status, error) = call(&tables, "GetItem", json!({"TableName": "None", "Key": {"id": {"S": "x"}}})).await;
        assert_eq!(status, 400);
        assert!(error["__type"].as_str().unwrap().ends_with("ResourceNotFoundException"), "{error}");
    }

    #[tokio::test]
    async fn a_scan_gives_every_row_once_page_by_page() {
        let tables = DynamoDb::start(Some(40), false).await.unwrap();
        let (mut seen, mut start, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let mut body = json!({"TableName": "UserMappingTable", "Limit": 7});
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            let (status, page) = call(&tables, "Scan", body).await;
            assert_eq!(status, 200, "{page}");
            seen.extend(page["Items"].as_array().unwrap().iter().map(|item| item["deviceId"]["S"].as_str().unwrap().to_owned()));
            pages += 1;
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), pages >= 12), (80, true), "{pages} pages");
    }

    #[tokio::test]
    async fn a_query_and_a_filtered_scan_find_what_they_name() {
        let tables = DynamoDb::start(Some(3), false).await.unwrap();
        let query = json!({"TableName": "UserMappingTable", "KeyConditionExpression": "deviceId = :d", "ExpressionAttributeValues": {":d": {"S": "Thermostat2"}}});
        let (_, found) = call(&tables, "Query", query).await;
        assert_eq!((&found["Count"], &found["Items"][0]["primaryOwner"]["S"]), (&json!(1), &json!("jane_doe")));
        let scan = json!({
            "TableName": "UserMappingTable",
            "FilterExpression": "primaryOwner = :u AND attribute_exists(additionalUsers)",
            "ExpressionAttributeValues": {":u": {"S": "jane_doe"}},
        });
        let (_, found) = call(&tables, "Scan", scan.clone()).await;
        assert_eq!((&found["Count"], &found["ScannedCount"]), (&json!(1), &json!(6)), "{found}");
        let mut scan = scan;
        scan["FilterExpression"] = json!("contains(additionalUsers, :u)");
        assert_eq!(call(&tables, "Scan", scan).await.0, 400, "rather an error than a wrong answer");
    }

    #[tokio::test]
    async fn an_update_changes_a_right_and_a_conditional_write_happens_once() {
        let tables = Arc::new(DynamoDb::start(None, true).await.unwrap());
        let update = json!({
            "TableName": "AppointmentsTable", "Key": {"id": {"S": "PI-T900"}}, "UpdateExpression": "SET #o = :o",
            "ExpressionAttributeNames": {"#o": "owner"}, "ExpressionAttributeValues": {":o": {"S": "Dave"}}, "ReturnValues": "ALL_NEW",
        });
        let (status, changed) = call(&tables, "UpdateItem", update).await;
        assert_eq!((status, &changed["Attributes"]["owner"]["S"]), (200, &json!("Dave")), "{changed}");
        assert_eq!(changed["Attributes"]["veterinarian"]["S"], "Adam", "the rest stays");
        let writers: Vec<_> = (0..16)
            .map(|_| {
                let tables = Arc::clone(&tables);
                tokio::spawn(async move {
                    let put = json!({"TableName": "AppointmentsTable", "Item": {"id": {"S": "new"}}, "ConditionExpression": "attribute_not_exists(id)"});
                    call(&tables, "PutItem", put).await.0
                })
            })
            .collect();
        let mut written = 0;
        for writer in writers {
            written += usize::from(writer.await.unwrap() == 200);
        }
        assert_eq!(written, 1);
    }
}
