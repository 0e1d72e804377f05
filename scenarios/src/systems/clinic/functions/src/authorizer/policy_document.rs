//! The documents that the gateway understands. The context says who the caller is; it never holds a
//! token.

use functions::tokens::Caller;
use serde_json::{Value, json};

/// The subject of a policy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) caller: &'a Caller,
    pub(super) pool: &'static str,
}

/// Allows `resources` and nothing else.
pub(super) fn allow(subject: &Subject<'_>, resources: Vec<String>) -> Value {
    document(Some(subject), "Allow", json!(resources))
}

/// Denies `resource`; without a subject the caller was not identified.
pub(super) fn deny(subject: Option<&Subject<'_>>, resource: &str) -> Value {
    document(subject, "Deny", json!(resource))
}

fn document(subject: Option<&Subject<'_>>, effect: &str, resource: Value) -> Value {
    let principal = subject.map_or("unknown", |subject| subject.caller.subject.as_deref().unwrap_or(&subject.caller.username));
    let context = subject.map_or(json!({}), |subject| json!({"user": subject.caller.username, "pool": subject.pool}));
    json!({
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [{"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}],
        },
        "context": context,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allow_names_its_resources_and_its_subject() {
        let caller = Caller { username: "Jane".to_owned(), subject: Some("sub-1".to_owned()) };
        let policy = allow(&Subject { caller: &caller, pool: "internal" }, vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(policy["principalId"], "sub-1");
        assert_eq!(policy["context"], json!({"user": "Jane", "pool": "internal"}));
        let statement = json!([{"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ["a", "b"]}]);
        assert_eq!(policy["policyDocument"]["Statement"], statement);
    }

    #[test]
    fn a_deny_without_a_caller_still_has_a_principal() {
        let policy = deny(None, "*");
        assert_eq!(policy["principalId"], "unknown");
        assert_eq!(policy["policyDocument"]["Statement"][0]["Effect"], "Deny");
        assert_eq!(policy["policyDocument"]["Statement"][0]["Resource"], "*");
    }
}
