//! What a function before token generation changes of a token's claims. It signs nothing. Source:
//! Amazon Cognito, "Pre token generation Lambda trigger".

use serde_json::{Map, Value, json};

/// Claims that no function can change.
const FIXED: [&str; 16] = [
    "acr",
    "amr",
    "at_hash",
    "aud",
    "auth_time",
    "azp",
    "cognito:username",
    "exp",
    "iat",
    "iss",
    "jti",
    "nbf",
    "nonce",
    "origin_jti",
    "sub",
    "token_use",
];

/// The changes of both tokens.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Changes {
    /// `response` of the function, or its part for these tokens.
    id: Value,
    access: Value,
    groups: Option<Value>,
}

impl Changes {
    /// Reads the function's `response` in the form of version 1 or 2.
    pub fn read(response: &Value) -> Self {
        let part = |of: &Value, key: &str| of.get(key).cloned().unwrap_or_default();
        let (first, second) = (part(response, "claimsOverrideDetails"), part(response, "claimsAndScopeOverrideDetails"));
        let groups =
            [&first, &second].into_iter().find_map(|details| details.get("groupOverrideDetails")?.get("groupsToOverride").cloned());
        let groups = groups.filter(Value::is_array);
        match second {
            Value::Null => Self { id: first, access: Value::Null, groups },
            second => Self { id: part(&second, "idTokenGeneration"), access: part(&second, "accessTokenGeneration"), groups },
        }
    }

    /// Changes the claims of the id token.
    pub fn of_id(&self, claims: &mut Map<String, Value>) {
        self.change(&self.id, claims);
    }

    /// Changes the claims of the access token, and its scopes.
    pub fn of_access(&self, claims: &mut Map<String, Value>) {
        self.change(&self.access, claims);
        let mut scopes: Vec<String> =
            claims.get("scope").and_then(Value::as_str).unwrap_or_default().split(' ').map(str::to_owned).collect();
        scopes.retain(|scope| !texts(&self.access, "scopesToSuppress").any(|gone| gone == scope));
        scopes.extend(texts(&self.access, "scopesToAdd").map(str::to_owned));
        claims.insert("scope".to_owned(), json!(scopes.join(" ")));
    }

    fn change(&self, details: &Value, claims: &mut Map<String, Value>) {
        match &self.groups {
            Some(Value::Array(none)) if none.is_empty() => drop(claims.remove("cognito:groups")),
            Some(groups) => drop(claims.insert("cognito:groups".to_owned(), groups.clone())),
            None => {}
        }
        let added = details.get("claimsToAddOrOverride").and_then(Value::as_object).into_iter().flatten();
        claims.extend(added.filter(|(name, _)| !FIXED.contains(&name.as_str())).map(|(name, value)| (name.clone(), value.clone())));
        for name in texts(details, "claimsToSuppress").filter(|name| !FIXED.contains(name)) {
            claims.remove(name);
        }
    }
}

fn texts<'a>(details: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    details.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_changes_the_tokens_that_it_may() {
        let details = json!({
            "claimsToAddOrOverride": { "plan": "gold", "sub": "other" }, "claimsToSuppress": ["email", "iss"],
            "scopesToAdd": ["orders"], "scopesToSuppress": ["aws.cognito.signin.user.admin"],
        });
        let with = |mut details: Value| {
            details["groupOverrideDetails"] = json!({ "groupsToOverride": ["buyers"] });
            details
        };
        let claims = || json!({ "sub": "s", "iss": "i", "email": "e", "scope": "aws.cognito.signin.user.admin", "cognito:groups": ["a"] });
        let first = json!({ "claimsOverrideDetails": with(details.clone()) });
        let second =
            json!({ "claimsAndScopeOverrideDetails": with(json!({ "idTokenGeneration": details, "accessTokenGeneration": details })) });
        let changed =
            json!({ "sub": "s", "iss": "i", "scope": "aws.cognito.signin.user.admin", "cognito:groups": ["buyers"], "plan": "gold" });
        let mut with_scope = changed.clone();
        with_scope["scope"] = json!("orders");
        let mut with_groups = claims();
        with_groups["cognito:groups"] = json!(["buyers"]);
        for (response, id, access) in [
            (json!({}), claims(), claims()),
            (json!({ "claimsOverrideDetails": null }), claims(), claims()),
            (first, changed.clone(), with_groups),
            (second, changed, with_scope),
        ] {
            let (changes, mut seen) = (Changes::read(&response), [claims(), claims()]);
            changes.of_id(seen[0].as_object_mut().unwrap());
            changes.of_access(seen[1].as_object_mut().unwrap());
            assert_eq!(seen, [id, access], "{response}");
        }
    }
}
