//! Cognito's user pools, as far as a stack's are read: pages of 60 clients at most.

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::pool::UserPool;
use crate::state::ControlPlane;

impl ControlPlane {
    /// One call of Cognito.
    pub(crate) fn cognito(&self, operation: &str, wish: &Value) -> Result<Answer, Answer> {
        let id = wish["UserPoolId"].as_str().unwrap_or_default();
        let missing = || Answer::refused(400, "ResourceNotFoundException", format!("User pool {id} does not exist."));
        let pool = self.pools.get(id).ok_or_else(missing)?;
        match operation {
            "DescribeUserPool" => Ok(Answer::ok(200, json!({"UserPool": {"Id": id, "Name": pool.name}}))),
            "ListUserPoolClients" => clients(id, pool, wish),
            other => Err(Answer::refused(400, "UnknownOperationException", format!("`{other}` is not served here"))),
        }
    }
}

fn clients(id: &str, pool: &UserPool, wish: &Value) -> Result<Answer, Answer> {
    let invalid = |what: &'static str| Answer::refused(400, "InvalidParameterException", what);
    let size = match wish["MaxResults"].as_u64() {
        None => 60,
        Some(size @ 1..=60) => usize::try_from(size).unwrap_or(60),
        Some(_) => return Err(invalid("1 validation error detected: Value at 'maxResults' failed to satisfy constraint")),
    };
    let start = match wish["NextToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_| invalid("Invalid token"))?,
    };
    let page: Vec<_> = pool.clients.iter().skip(start).take(size).map(|client| json!({"ClientId": client, "UserPoolId": id})).collect();
    let end = start + page.len();
    let next = (end < pool.clients.len()).then(|| end.to_string());
    Ok(Answer::ok(200, json!({"UserPoolClients": page, "NextToken": next})))
}
