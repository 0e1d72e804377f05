//! What let a request pass, and how each payload tells the function of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::policy::Granted;
use super::routes::Front;
use crate::account::ACCESS_KEY;
use crate::platform::names::ACCOUNT;

/// What let a request pass.
#[derive(Debug, Clone)]
pub(crate) enum Grant {
    /// No authorizer.
    Open,
    /// A function's result.
    Function(Arc<Granted>),
    /// A user pool's or another issuer's token.
    Token {
        /// The claims of the token.
        claims: Map<String, Value>,
        /// The route's scopes that the token has; `None` if the route has none.
        scopes: Option<Vec<String>>,
    },
    /// A signature with the account's key.
    Signature,
}

/// `requestContext.authorizer` of payload 1.0.
pub(crate) struct AuthorizerV1<'a>(pub Front, pub &'a Grant);

impl Serialize for AuthorizerV1<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(front, grant) = self;
        let mut map = serializer.serialize_map(None)?;
        match grant {
            Grant::Function(granted) => {
                // REST APIs hand every value on as text. Source: "Output from an API Gateway Lambda
                // authorizer": "key-value pairs of type number, boolean and string are passed as strings".
                for (name, value) in &granted.context {
                    match (front, value) {
                        (Front::Rest, value) => map.serialize_entry(name, &text(value))?,
                        (Front::Http | Front::Url, value) => map.serialize_entry(name, value)?,
                    }
                }
                if let Some(principal) = &granted.principal {
                    map.serialize_entry("principalId", principal)?;
                }
            }
            Grant::Token { claims, scopes } => {
                map.serialize_entry("claims", &if *front == Front::Rest { rest_claims(claims) } else { http_claims(claims) })?;
                if *front != Front::Rest {
                    map.serialize_entry("scopes", scopes)?;
                }
            }
            Grant::Open | Grant::Signature => {
                map.serialize_entry("claims", &())?;
                map.serialize_entry("scopes", &())?;
            }
        }
        map.end()
    }
}

impl Grant {
    /// `requestContext.authorizer` of payload 1.0, if there is one: HTTP APIs always have it.
    pub(crate) fn v1(&self, front: Front) -> Option<AuthorizerV1<'_>> {
        let is_absent = front == Front::Rest && matches!(self, Self::Open | Self::Signature);
        (!is_absent).then_some(AuthorizerV1(front, self))
    }

    /// `requestContext.authorizer` of payload 2.0.
    pub(crate) fn v2(&self) -> Option<Value> {
        Some(match self {
            Self::Open => return None,
            Self::Function(granted) => {
                let context = if granted.context.is_empty() { Value::Null } else { Value::Object(granted.context.clone()) };
                json!({ "lambda": context })
            }
            Self::Token { claims, scopes } => json!({ "jwt": { "claims": http_claims(claims), "scopes": scopes } }),
            Self::Signature => json!({ "iam": {
                "accessKey": ACCESS_KEY,
                "accountId": ACCOUNT,
                "callerId": ACCOUNT,
                "cognitoIdentity": null,
                "principalOrgId": null,
                "userArn": ROOT,
                "userId": ACCOUNT,
            } }),
        })
    }
}

/// Whom the account's key belongs to: the account itself.
pub(crate) const ROOT: &str = "arn:aws:iam::123456789012:root";

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Claims of a REST API: times as a date, lists joined by commas. Source: recorded events, such as
/// `"exp": "Thu Jul 02 10:34:11 UTC 2020"` and `"cognito:groups": "admin,users"`.
fn rest_claims(claims: &Map<String, Value>) -> BTreeMap<&str, String> {
    let claim = |(name, value): (&'_ String, &'_ Value)| match (name.as_str(), value) {
        ("exp" | "iat", Value::Number(seconds)) => seconds.as_u64().map_or_else(|| value.to_string(), java_date),
        (_, Value::Array(values)) => values.iter().map(text).collect::<Vec<_>>().join(","),
        _ => text(value),
    };
    claims.iter().map(|(name, value)| (name.as_str(), claim((name, value)))).collect()
}

/// Claims of an HTTP API: all are text, lists such as `[admin users]`. Source: recorded events.
fn http_claims(claims: &Map<String, Value>) -> BTreeMap<&str, String> {
    let claim = |value: &Value| match value {
        Value::Array(values) => format!("[{}]", values.iter().map(text).collect::<Vec<_>>().join(" ")),
        _ => text(value),
    };
    claims.iter().map(|(name, value)| (name.as_str(), claim(value))).collect()
}

/// A time as Java's `Date` writes it, in UTC.
fn java_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    // Such as `02/Jul/2020:10:34:11 +0000`.
    let written = dates::access_log(at);
    let weekday = usize::try_from(seconds / 86_400 % 7).ok().and_then(|day| DAYS.get(day)).copied().unwrap_or_default();
    let parts = || {
        let (day, rest) = written.split_once('/')?;
        let (month, rest) = rest.split_once('/')?;
        let (year, rest) = rest.split_once(':')?;
        Some(format!("{weekday} {month} {day} {} UTC {year}", rest.split(' ').next()?))
    };
    parts().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> Grant {
        let Value::Object(claims) =
            json!({ "sub": "u", "exp": 1_593_686_051, "email_verified": true, "cognito:groups": ["admin", "users"], "auth_time": 5 })
        else {
            unreachable!()
        };
        Grant::Token { claims, scopes: None }
    }

    #[test]
    fn claims_have_the_form_of_each_payload() {
        let rest = serde_json::to_value(token().v1(Front::Rest)).unwrap();
        assert_eq!(
            rest,
            json!({ "claims": { "sub": "u", "exp": "Thu Jul 02 10:34:11 UTC 2020", "email_verified": "true", "cognito:groups": "admin,users", "auth_time": "5" } })
        );
        let http =
            json!({ "sub": "u", "exp": "1593686051", "email_verified": "true", "cognito:groups": "[admin users]", "auth_time": "5" });
        assert_eq!(token().v2().unwrap(), json!({ "jwt": { "claims": http, "scopes": null } }));
        assert_eq!(serde_json::to_value(token().v1(Front::Http)).unwrap(), json!({ "claims": http, "scopes": null }));
    }

    #[test]
    fn a_context_is_text_for_rest_and_json_for_http() {
        let Value::Object(context) = json!({ "n": 1, "b": true, "s": "x" }) else { unreachable!() };
        let grant = Grant::Function(Arc::new(Granted::allowing(Some("p"), context)));
        assert_eq!(serde_json::to_value(grant.v1(Front::Rest)).unwrap(), json!({ "n": "1", "b": "true", "s": "x", "principalId": "p" }));
        assert_eq!(grant.v2().unwrap(), json!({ "lambda": { "n": 1, "b": true, "s": "x" } }));
    }

    #[test]
    fn the_root_is_that_of_the_account() {
        assert_eq!(ROOT, format!("arn:aws:iam::{ACCOUNT}:root"));
    }

    #[test]
    fn without_an_authorizer_only_payload_1_of_http_apis_has_the_field() {
        assert!(Grant::Open.v1(Front::Rest).is_none() && Grant::Open.v2().is_none());
        assert_eq!(serde_json::to_value(Grant::Open.v1(Front::Http)).unwrap(), json!({ "claims": null, "scopes": null }));
        assert_eq!(Grant::Signature.v2().unwrap()["iam"]["accessKey"], ACCESS_KEY);
    }
}
