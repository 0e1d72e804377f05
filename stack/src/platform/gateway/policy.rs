//! An authorizer's result: parsed once into a policy, then checked for every method ARN. Anything
//! that is not understood is not a policy.

use std::collections::BTreeMap;

use serde_json::Value;

/// The one action in a gateway's policy.
const INVOKE: &str = "execute-api:Invoke";

/// An authorizer's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// What is passed on in `requestContext.authorizer`, including the principal.
    pub context: BTreeMap<String, String>,
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allow: bool,
    actions: Vec<String>,
    resources: Vec<String>,
}

/// A policy's decision on one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// A statement allows it and none denies it.
    Allow,
    /// No statement matches it.
    ImplicitDeny,
    /// A statement denies it.
    ExplicitDeny,
}

impl Policy {
    /// Reads an authorizer's result; `None` if it is not a policy.
    pub(crate) fn read(payload: &[u8]) -> Option<Self> {
        let result: Value = serde_json::from_slice(payload).ok()?;
        let mut context = BTreeMap::new();
        match result.get("context") {
            None | Some(Value::Null) => {}
            Some(Value::Object(values)) => {
                for (name, value) in values {
                    context.insert(name.clone(), scalar(value)?);
                }
            }
            Some(_) => return None,
        }
        context.insert("principalId".to_owned(), result.get("principalId")?.as_str()?.to_owned());
        let statements = match result.get("policyDocument")?.get("Statement")? {
            Value::Array(statements) => statements.iter().map(Statement::read).collect::<Option<Vec<_>>>()?,
            statement => vec![Statement::read(statement)?],
        };
        Some(Self { context, statements })
    }

    /// Its decision on a method.
    pub(crate) fn decide(&self, method_arn: &str) -> Decision {
        let about = |statement: &&Statement| {
            statement.actions.iter().any(|pattern| fits(&pattern.to_ascii_lowercase(), &INVOKE.to_ascii_lowercase()))
                && statement.resources.iter().any(|pattern| fits(pattern, method_arn))
        };
        let mut decision = Decision::ImplicitDeny;
        for statement in self.statements.iter().filter(about) {
            if !statement.allow {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
        decision
    }
}

impl Statement {
    fn read(value: &Value) -> Option<Self> {
        // A field that is not understood may narrow the statement, so it must not be ignored.
        if !value.as_object()?.keys().all(|key| matches!(key.as_str(), "Sid" | "Effect" | "Action" | "Resource")) {
            return None;
        }
        let effect = value.get("Effect")?.as_str()?;
        let allow = effect.eq_ignore_ascii_case("allow");
        if !allow && !effect.eq_ignore_ascii_case("deny") {
            return None;
        }
        Some(Self { allow, actions: texts(value.get("Action")?)?, resources: texts(value.get("Resource")?)? })
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Context values are passed on as text; lists and objects are refused, as the gateway does.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) | Value::Null => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// True if `text` matches `pattern`, in which `*` is any text and `?` any one character. The worst
/// case takes the product of their lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    let mut last_star: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (pattern_here, text_here) = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                text = text_here;
                last_star = Some((pattern.clone(), text.clone()));
            }
            (Some('?'), Some(_)) => {}
            (Some(expected), Some(found)) if expected == found => {}
            (_, found) => {
                let Some((after_star, mut from)) = last_star.take() else { return false };
                // The star takes one more character, if there is one.
                if from.next().is_none() || (found.is_none() && pattern_here.as_str().is_empty()) {
                    return false;
                }
                pattern = after_star.clone();
                text = from.clone();
                last_star = Some((after_star, from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:execute-api:us-east-1:123456789012:abc123/dev/GET/appointment/PI-T123";

    fn decide(statement: Value) -> Option<Decision> {
        let result = json!({ "principalId": "u", "policyDocument": { "Version": "2012-10-17", "Statement": statement } });
        Policy::read(result.to_string().as_bytes()).map(|policy| policy.decide(ARN))
    }

    #[test]
    fn a_policy_is_evaluated_as_the_gateway_does() {
        let all = "arn:aws:execute-api:*/dev/*";
        for (statement, decision) in [
            (json!({ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": ARN }), Some(Decision::Allow)),
            (json!([{ "Action": ["execute-api:*"], "Effect": "allow", "Resource": [all] }]), Some(Decision::Allow)),
            (json!([{ "Action": "*", "Effect": "ALLOW", "Resource": "arn:aws:execute-api:us-east-?:*" }]), Some(Decision::Allow)),
            (json!({ "Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "arn:*/POST/*" }), Some(Decision::ImplicitDeny)),
            (json!({ "Action": "execute-api:Invoke", "Effect": "deny", "Resource": "*" }), Some(Decision::ExplicitDeny)),
            (
                json!([{ "Action": "*", "Effect": "Allow", "Resource": "*" }, { "Action": "*", "Effect": "Deny", "Resource": ARN }]),
                Some(Decision::ExplicitDeny),
            ),
            (json!([]), Some(Decision::ImplicitDeny)),
            (json!({ "Action": "s3:GetObject", "Effect": "Allow", "Resource": "*" }), Some(Decision::ImplicitDeny)),
            (json!({ "Action": "*", "Effect": "Perhaps", "Resource": "*" }), None),
            (json!({ "Action": "*", "Effect": "Allow", "Resource": "*", "Condition": {} }), None),
            (json!({ "Action": "*", "Effect": "Allow", "NotResource": "*" }), None),
        ] {
            assert_eq!(decide(statement.clone()), decision, "{statement}");
        }
    }

    #[test]
    fn an_invalid_policy_is_refused() {
        for result in [
            json!({ "statusCode": 500 }),
            json!(null),
            json!({ "policyDocument": { "Statement": [] } }),
            json!({ "principalId": "u", "policyDocument": "x" }),
            json!({ "principalId": "u", "policyDocument": { "Statement": [] }, "context": { "a": [1] } }),
        ] {
            assert_eq!(Policy::read(result.to_string().as_bytes()), None, "{result}");
        }
    }

    #[test]
    fn the_context_is_handed_on_as_text() {
        let result = json!({ "principalId": "u", "policyDocument": { "Statement": [] }, "context": { "n": 1, "b": true, "s": "x" } });
        let context = Policy::read(result.to_string().as_bytes()).unwrap().context;
        let context: Vec<(&str, &str)> = context.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(context, [("b", "true"), ("n", "1"), ("principalId", "u"), ("s", "x")]);
    }

    #[test]
    fn wildcards_match_any_text_and_any_character() {
        for (pattern, text, yes) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcb", false),
            ("a*b*c", "a/b/b/c", true),
            ("?", "", false),
            ("a?c", "abc", true),
            ("a**", "a", true),
            ("", "a", false),
            ("ab", "a", false),
            ("*a", "bbb", false),
        ] {
            assert_eq!(fits(pattern, text), yes, "{pattern} {text}");
        }
    }
}
