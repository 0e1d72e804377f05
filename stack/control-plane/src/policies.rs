//! Policies: the part of IAM that the exported policies use. An unknown element is a bug in the
//! test.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::arn::ACCOUNT;
use crate::need::Need;

/// The policies that apply, by the id of the caller's access key, and which of their statements
/// were used.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rights {
    policies: BTreeMap<String, Vec<Statement>>,
    /// Statement and action of every call that was allowed, in the order of first use.
    used: BTreeMap<String, Vec<(String, String)>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    sid: String,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, PartialEq)]
struct Condition {
    for_all: bool,
    key: String,
    patterns: Vec<String>,
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        list => list.as_array().into_iter().flatten().filter_map(|one| one.as_str().map(str::to_owned)).collect(),
    }
}

impl Statement {
    fn read(value: &Value) -> Result<Self, String> {
        if value["Effect"] != "Allow" || value.get("NotAction").is_some() || value.get("NotResource").is_some() {
            return Err(format!("only what is allowed is understood: {value}"));
        }
        let mut conditions = Vec::new();
        for (operator, keys) in value["Condition"].as_object().into_iter().flatten() {
            let for_all = match operator.as_str() {
                "StringEquals" | "StringLike" => false,
                "ForAllValues:StringLike" => true,
                other => return Err(format!("the condition `{other}` is not understood")),
            };
            let keys = keys.as_object().into_iter().flatten();
            conditions.extend(keys.map(|(key, values)| Condition { for_all, key: key.clone(), patterns: texts(values) }));
        }
        let (actions, resources) = (texts(&value["Action"]), texts(&value["Resource"]));
        Ok(Self { sid: value["Sid"].as_str().unwrap_or_default().to_owned(), actions, resources, conditions })
    }

    fn allows(&self, need: &Need, resource: &str) -> bool {
        self.actions.iter().any(|action| like(action, &need.action))
            && self.resources.iter().any(|pattern| like(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(&need.context))
    }
}

impl Condition {
    fn holds(&self, context: &[(&str, String)]) -> bool {
        let mut values = context.iter().filter(|(key, _)| *key == self.key).map(|(_, value)| value);
        let is_one = |value: &String| self.patterns.iter().any(|pattern| like(pattern, value));
        if self.for_all { values.all(is_one) } else { values.any(is_one) }
    }
}

/// Whether a string matches a pattern, in which `*` is anything.
fn like(pattern: &str, text: &str) -> bool {
    let Some((before, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(before) else { return false };
    (0..=text.len()).filter_map(|at| text.get(at..)).any(|text| like(rest, text))
}

impl Rights {
    /// From now on a caller with this access key may do only what the policy allows.
    ///
    /// # Errors
    /// The part of the policy that is not supported here.
    pub fn hold(&mut self, key: &str, policy: &Value) -> Result<(), String> {
        let statements = policy["Statement"].as_array().into_iter().flatten().map(Statement::read).collect::<Result<_, _>>()?;
        self.policies.insert(key.to_owned(), statements);
        Ok(())
    }

    /// The statements and actions of a policy that no call has needed.
    pub fn needless(&self, key: &str) -> Vec<(String, String)> {
        let used = self.used.get(key).cloned().unwrap_or_default();
        let all = self.policies.get(key).into_iter().flatten();
        let all = all.flat_map(|statement| statement.actions.iter().map(|action| (statement.sid.clone(), action.clone())));
        all.filter(|(sid, action)| !used.iter().any(|(of, used)| of == sid && used == action)).collect()
    }

    /// The actions that a caller with a policy has used, in the order of first use.
    pub fn used(&self, key: &str) -> Vec<&str> {
        self.used.get(key).into_iter().flatten().map(|(_, action)| action.as_str()).collect()
    }

    pub(crate) fn allow(&mut self, key: &str, need: &Need) -> Result<(), String> {
        let Some(statements) = self.policies.get(key) else { return Ok(()) };
        for resource in &need.resources {
            let allowing = statements.iter().find(|statement| statement.allows(need, resource));
            let statement = allowing.ok_or_else(|| {
                let (user, action) = (format!("arn:aws:iam::{}:user/{key}", ACCOUNT), &need.action);
                format!("User: {user} is not authorized to perform: {action} on resource: {resource}")
            })?;
            let (one, used) = ((statement.sid.clone(), need.action.clone().into_owned()), self.used.entry(key.to_owned()).or_default());
            if !used.contains(&one) {
                used.push(one);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_matches_anything() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("a:*", "a:", true),
            ("a:*", "a", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*:7", "layer:7:7", true),
        ] {
            assert_eq!(like(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn only_allowed_calls_pass_and_their_use_is_recorded() {
        let mut rights = Rights::default();
        let statement = json!({"Sid": "S", "Effect": "Allow", "Action": ["a:One", "a:Two"], "Resource": ["r/*"],
            "Condition": {"ForAllValues:StringLike": {"k": ["x*"]}}});
        rights.hold("key", &json!({"Statement": [statement]})).unwrap();
        let need = |action: &'static str, resource: &str, value: Option<&str>| Need {
            action: action.into(),
            resources: vec![resource.to_owned()],
            context: value.map(|value| ("k", value.to_owned())).into_iter().collect(),
        };
        for (need, is) in [
            (need("a:One", "r/1", None), true),
            (need("a:One", "r/1", Some("xy")), true),
            (need("a:One", "r/1", Some("y")), false),
            (need("a:One", "q", None), false),
            (need("a:Three", "r/1", None), false),
        ] {
            assert_eq!(rights.allow("key", &need).is_ok(), is, "{need:?}");
        }
        assert!(rights.allow("another", &need("b:Any", "q", None)).is_ok());
        assert_eq!(rights.needless("key"), [("S".to_owned(), "a:Two".to_owned())]);
        assert!(Rights::default().hold("key", &json!({"Statement": [{"Effect": "Deny"}]})).is_err());
    }
}
