//! Reads every member and every sign-in record, once everything has settled.

use crate::systems::inactive_users::{POOL, TABLE};
use load::{TrafficError, http};
use run_folder::Addresses;
use serde_json::{Value, json};

/// Every member by name with whether it is enabled, and every record by its key with its time to
/// live in epoch seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Name, enabled.
    pub users: Vec<(String, bool)>,
    /// Key, `ttl`.
    pub rows: Vec<(String, Option<i64>)>,
}

/// Cognito returns no more users at once. Source: Amazon Cognito, ListUsers.
const PAGE: u32 = 60;

/// Reads all of them; nothing if the stack has no members' pool.
///
/// # Errors
/// If a service does not answer, or the answer cannot be read.
pub async fn read(addresses: &Addresses) -> Result<Members, TrafficError> {
    let Some(pool) = addresses.pool(POOL) else { return Ok(Members::default()) };
    let services = &addresses.services;
    let users = json!({ "UserPoolId": pool.id, "Limit": PAGE });
    let rows = json!({ "TableName": TABLE, "ConsistentRead": true });
    let user = |user: &Value| Some((user.get("Username")?.as_str()?.to_owned(), user.get("Enabled")?.as_bool()?));
    let row = |row: &Value| {
        Some((row.pointer("/sub/S")?.as_str()?.to_owned(), row.pointer("/ttl/N").and_then(Value::as_str).and_then(|ttl| ttl.parse().ok())))
    };
    let cognito = Pages {
        services,
        target: "AWSCognitoIdentityProviderService.ListUsers",
        version: "1.1",
        list: "Users",
        next: "PaginationToken",
        start: "PaginationToken",
    };
    let dynamodb = Pages {
        services,
        target: "DynamoDB_20120810.Scan",
        version: "1.0",
        list: "Items",
        next: "LastEvaluatedKey",
        start: "ExclusiveStartKey",
    };
    Ok(Members { users: cognito.all(users, user).await?, rows: dynamodb.all(rows, row).await? })
}

/// A call that is answered page by page.
struct Pages<'a> {
    services: &'a str,
    target: &'static str,
    version: &'static str,
    list: &'static str,
    /// The field in which a page names the next one, and the field that requests it.
    next: &'static str,
    start: &'static str,
}

impl Pages<'_> {
    async fn all<T>(&self, mut body: Value, read: impl Fn(&Value) -> Option<T>) -> Result<Vec<T>, TrafficError> {
        let mut all = Vec::new();
        loop {
            let content_type = format!("application/x-amz-json-{}", self.version);
            let headers = [("content-type", content_type.as_str()), ("x-amz-target", self.target)];
            let request = http::json(self.services, "/", &headers, body.to_string())?;
            let (status, answer) = http::once(self.services, request).await?;
            let page: Value = serde_json::from_slice(&answer).unwrap_or_default();
            let Some(list) = page.get(self.list).and_then(Value::as_array).filter(|_| status == 200) else {
                return Err(TrafficError::Preparation(format!("`{}` was answered with {status}", self.target)));
            };
            all.extend(list.iter().filter_map(&read));
            match (page.get(self.next).filter(|next| !next.is_null()), body.as_object_mut()) {
                (Some(next), Some(body)) => body.insert(self.start.to_owned(), next.clone()),
                _ => return Ok(all),
            };
        }
    }
}
