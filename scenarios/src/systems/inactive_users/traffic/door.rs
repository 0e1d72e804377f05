//! The services as an administrator calls them: members and rows, one plain call each. It decides
//! nothing.

use std::time::{Duration, UNIX_EPOCH};

use crate::systems::inactive_users::{POOL, TABLE, sub};
use load::sender::Connections;
use load::{TrafficError, http};
use run_folder::Addresses;
use run_folder::addresses::Pool;
use serde_json::{Value, json};

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// The service rejected the call: the exception's name, and the status.
    #[error("`{operation}` was answered {status} {exception}")]
    Answered { operation: &'static str, status: u16, exception: String },
    /// There was no answer, or the call could not be made.
    #[error("`{0}` was not answered: {1}")]
    Silent(&'static str, String),
}

impl Refused {
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(self, Self::Answered { exception, .. } if exception == name)
    }
}

/// One of the services.
#[derive(Debug, Clone, Copy)]
enum Service {
    Cognito,
    DynamoDb,
}

impl Service {
    /// The prefix of `X-Amz-Target`, the service in the signature's scope, the content type.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Cognito => ("AWSCognitoIdentityProviderService", "cognito-idp", "application/x-amz-json-1.1"),
            Self::DynamoDb => ("DynamoDB_20120810", "dynamodb", "application/x-amz-json-1.0"),
        }
    }
}

/// A connection to the services.
pub(crate) struct Door {
    connections: Connections,
    services: String,
    pool: Pool,
    password: String,
}

impl Door {
    /// A connection for the members' pool.
    pub(crate) fn new(addresses: &Addresses) -> Result<Self, TrafficError> {
        let pool = addresses.pool(POOL).ok_or_else(|| TrafficError::Preparation(format!("there is no pool `{POOL}`")))?;
        let services = addresses.services.clone();
        let (connections, password) = (Connections::new(&services, PATIENCE), addresses.password.clone());
        Ok(Self { connections, services, pool: pool.clone(), password })
    }

    /// Creates a member who can sign in; an existing one stays unchanged.
    pub(crate) async fn create(&mut self, user: &str) -> Result<(), Refused> {
        let email = format!("{user}@members.example");
        let attributes = json!([{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}]);
        let body = json!({
            "UserPoolId": self.pool.id, "Username": user, "UserAttributes": attributes, "MessageAction": "SUPPRESS",
        });
        match self.call(Service::Cognito, "AdminCreateUser", &body).await {
            Ok(_) => {}
            Err(refused) if refused.is("UsernameExistsException") => return Ok(()),
            Err(refused) => return Err(refused),
        }
        let body = json!({"UserPoolId": self.pool.id, "Username": user, "Password": self.password, "Permanent": true});
        self.call(Service::Cognito, "AdminSetUserPassword", &body).await.map(drop)
    }

    /// Deletes a member.
    pub(crate) async fn delete_member(&mut self, user: &str) -> Result<(), Refused> {
        self.of_member("AdminDeleteUser", user).await
    }

    /// Enables a member again.
    pub(crate) async fn enable(&mut self, user: &str) -> Result<(), Refused> {
        self.of_member("AdminEnableUser", user).await
    }

    async fn of_member(&mut self, operation: &'static str, user: &str) -> Result<(), Refused> {
        let body = json!({"UserPoolId": self.pool.id, "Username": user});
        self.call(Service::Cognito, operation, &body).await.map(drop)
    }

    /// Puts a member's row as a sign-in at `signed_in` would have written it; both times in epoch
    /// seconds.
    pub(crate) async fn put_row(&mut self, user: &str, signed_in: i64, ttl: i64) -> Result<(), Refused> {
        let timestamp = dates::seconds(UNIX_EPOCH + Duration::from_secs(signed_in.unsigned_abs()));
        let item = json!({
            "sub": {"S": sub(user)}, "username": {"S": user}, "userpool_id": {"S": self.pool.id},
            "timestamp": {"S": timestamp}, "ttl": {"N": ttl.to_string()},
        });
        self.call(Service::DynamoDb, "PutItem", &json!({"TableName": TABLE, "Item": item})).await.map(drop)
    }

    /// Deletes a member's row.
    pub(crate) async fn delete_row(&mut self, user: &str) -> Result<(), Refused> {
        let body = json!({"TableName": TABLE, "Key": {"sub": {"S": sub(user)}}});
        self.call(Service::DynamoDb, "DeleteItem", &body).await.map(drop)
    }

    async fn call(&mut self, service: Service, operation: &'static str, body: &Value) -> Result<Value, Refused> {
        let (prefix, scope, content_type) = service.words();
        let target = format!("{prefix}.{operation}");
        // The local services do not check the signature, but its scope names the service.
        let scope =
            format!("AWS4-HMAC-SHA256 Credential=brownout/20240101/us-east-1/{scope}/aws4_request, SignedHeaders=host, Signature=0");
        let headers = [("x-amz-target", target.as_str()), ("content-type", content_type), ("authorization", &scope)];
        let silent = |why: &dyn std::fmt::Display| Refused::Silent(operation, why.to_string());
        let request = http::json(&self.services, "/", &headers, body.to_string()).map_err(|error| silent(&error))?;
        let (status, answer) = self.connections.send(request).await.map_err(|error| silent(&error))?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status == 200 {
            return Ok(answer);
        }
        let exception = answer.get("__type").and_then(Value::as_str).and_then(|name| name.rsplit('#').next());
        Err(Refused::Answered { operation, status, exception: exception.unwrap_or("without a name").to_owned() })
    }
}

/// The body of a refresh.
pub(crate) fn refresh(client: &str, token: &str) -> Value {
    json!({"AuthFlow": "REFRESH_TOKEN_AUTH", "ClientId": client, "AuthParameters": {"REFRESH_TOKEN": token}})
}
