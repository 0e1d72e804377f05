//! Policies: an authorizer's result and an API's resource policy. Each is parsed once and then
//! checked for every method ARN. What is not understood is not a policy, and grants nothing.

use serde_json::{Map, Value};

use super::condition::{Condition, Facts};

/// The one action in a gateway's policy, in lower case: actions are compared without case.
const INVOKE: &str = "execute-api:invoke";

/// An authorizer's result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Granted {
    /// Whom the token is of; simple responses do not say.
    pub principal: Option<String>,
    /// What is passed on to the function.
    pub context: Map<String, Value>,
    verdict: Verdict,
}

#[derive(Debug, Clone, PartialEq)]
enum Verdict {
    /// A policy.
    Policy(Policy),
    /// `isAuthorized`.
    Simple(bool),
}

/// How an authorizer answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A policy, with a context of plain values: REST APIs.
    Rest,
    /// A policy, with any context: HTTP APIs.
    Http,
    /// `isAuthorized`: HTTP APIs.
    Simple,
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

impl Decision {
    /// The decision of two policies together: one that denies decides, else one that allows. Source:
    /// "How API Gateway resource policies affect authorization workflow", table A.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::ExplicitDeny, _) | (_, Self::ExplicitDeny) => Self::ExplicitDeny,
            (Self::Allow, _) | (_, Self::Allow) => Self::Allow,
            (Self::ImplicitDeny, Self::ImplicitDeny) => Self::ImplicitDeny,
        }
    }
}

impl Granted {
    /// A result that allows everything.
    #[cfg(test)]
    pub(crate) fn allowing(principal: Option<&str>, context: Map<String, Value>) -> Self {
        Self { principal: principal.map(str::to_owned), context, verdict: Verdict::Simple(true) }
    }

    /// Reads an authorizer's result; `None` if it does not have the form.
    pub(crate) fn read(payload: &[u8], form: Form) -> Option<Self> {
        let Value::Object(mut result) = serde_json::from_slice(payload).ok()? else { return None };
        let context = match result.remove("context") {
            None | Some(Value::Null) => Map::new(),
            // REST APIs refuse lists and objects. Source: "Output from an API Gateway Lambda authorizer".
            Some(Value::Object(values)) if form != Form::Rest || values.values().all(is_scalar) => values,
            Some(_) => return None,
        };
        if form == Form::Simple {
            return Some(Self { principal: None, context, verdict: Verdict::Simple(result.get("isAuthorized")?.as_bool()?) });
        }
        let principal = Some(result.get("principalId")?.as_str()?.to_owned());
        Some(Self { principal, context, verdict: Verdict::Policy(Policy::read(result.get("policyDocument")?, Whose::Authorizers)?) })
    }

    /// Its decision on a method.
    pub(crate) fn decide(&self, method_arn: &str, facts: &Facts<'_>) -> Decision {
        match &self.verdict {
            Verdict::Policy(policy) => policy.decide(method_arn, facts),
            Verdict::Simple(true) => Decision::Allow,
            // Nothing else may allow what it denies.
            Verdict::Simple(false) => Decision::ExplicitDeny,
        }
    }
}

fn is_scalar(value: &Value) -> bool {
    !(value.is_array() || value.is_object())
}

/// Whose policy it is: only an API's names principals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Authorizers,
    Apis,
}

/// The statements of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy(Vec<Statement>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Statement {
    allow: bool,
    /// `None` is anyone.
    principals: Option<Vec<String>>,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

impl Policy {
    /// An API's resource policy, as in the template; `None` if it is not understood.
    pub(crate) fn of_api(document: &Value) -> Option<Self> {
        Self::read(document, Whose::Apis)
    }

    /// A policy that denies everything.
    pub(crate) fn denying() -> Self {
        let any = || vec!["*".to_owned()];
        Self(vec![Statement { allow: false, principals: None, actions: any(), resources: any(), conditions: Vec::new() }])
    }

    fn read(document: &Value, whose: Whose) -> Option<Self> {
        let statements = match document.get("Statement")? {
            Value::Array(statements) => statements.iter().map(|it| Statement::read(it, whose)).collect::<Option<Vec<_>>>()?,
            statement => vec![Statement::read(statement, whose)?],
        };
        Some(Self(statements))
    }

    /// Its decision on a method.
    pub(crate) fn decide(&self, method_arn: &str, facts: &Facts<'_>) -> Decision {
        let mut decision = Decision::ImplicitDeny;
        for statement in self.0.iter().filter(|statement| statement.is_about(method_arn, facts)) {
            if !statement.allow {
                return Decision::ExplicitDeny;
            }
            decision = Decision::Allow;
        }
        decision
    }
}

impl Statement {
    fn read(value: &Value, whose: Whose) -> Option<Self> {
        // A field that is not understood may narrow the statement, so it must not be ignored.
        let known = |key: &String| match key.as_str() {
            "Sid" | "Effect" | "Action" | "Resource" | "Condition" => true,
            "Principal" => whose == Whose::Apis,
            _ => false,
        };
        if !value.as_object()?.keys().all(known) {
            return None;
        }
        let effect = value.get("Effect")?.as_str()?;
        let allow = effect.eq_ignore_ascii_case("allow");
        if !allow && !effect.eq_ignore_ascii_case("deny") {
            return None;
        }
        let principals = match whose {
            Whose::Authorizers => None,
            Whose::Apis => principals(value.get("Principal")?)?,
        };
        let actions = texts(value.get("Action")?)?.iter().map(|action| action.to_ascii_lowercase()).collect();
        let conditions = value.get("Condition").map_or(Some(Vec::new()), Condition::read_all)?;
        Some(Self { allow, principals, actions, resources: texts(value.get("Resource")?)?, conditions })
    }

    fn is_about(&self, method_arn: &str, facts: &Facts<'_>) -> bool {
        self.actions.iter().any(|pattern| fits(pattern, INVOKE))
            && self.resources.iter().any(|pattern| covers(pattern, method_arn))
            && self
                .principals
                .as_ref()
                .is_none_or(|names| facts.principal.is_some_and(|who| names.iter().any(|name| who.contains(&name.as_str()))))
            && self.conditions.iter().all(|condition| condition.holds(facts))
    }
}

/// The principals of a statement; `Some(None)` is anyone.
fn principals(value: &Value) -> Option<Option<Vec<String>>> {
    let names = match value {
        Value::String(text) => vec![text.clone()],
        Value::Object(kinds) if kinds.len() == 1 => texts(kinds.get("AWS")?)?,
        _ => return None,
    };
    Some((!names.iter().any(|name| name == "*")).then_some(names))
}

/// Whether a resource is that of the method: an ARN, or an API's own in short, `execute-api:/<stage>/...`.
fn covers(pattern: &str, method_arn: &str) -> bool {
    match pattern.strip_prefix("execute-api:/") {
        Some(short) => method_arn.split_once('/').is_some_and(|(_, method)| fits(short, method)),
        None => fits(pattern, method_arn),
    }
}

/// One text or a list of them.
pub(super) fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(texts) => texts.iter().map(|text| text.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// True if `text` matches `pattern`, in which `*` is any text and `?` any one character. The worst
/// case takes the product of their lengths.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
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

    fn facts() -> Facts<'static> {
        Facts { source: "127.0.0.1".parse().unwrap(), agent: None, referer: None, principal: None }
    }

    fn read(statement: &Value) -> Option<Granted> {
        let result = json!({ "principalId": "u", "policyDocument": { "Version": "2012-10-17", "Statement": statement } });
        Granted::read(result.to_string().as_bytes(), Form::Rest)
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
            (json!({ "Action": "*", "Effect": "Allow", "Resource": "*", "Condition": { "Unknown": {} } }), None),
            (json!({ "Action": "*", "Effect": "Allow", "NotResource": "*" }), None),
            (json!({ "Action": "*", "Effect": "Allow", "Resource": "*", "Principal": "*" }), None),
        ] {
            assert_eq!(read(&statement).map(|granted| granted.decide(ARN, &facts())), decision, "{statement}");
        }
    }

    #[test]
    fn an_invalid_result_is_refused() {
        for result in [
            json!({ "statusCode": 500 }),
            json!(null),
            json!({ "policyDocument": { "Statement": [] } }),
            json!({ "principalId": "u", "policyDocument": "x" }),
            json!({ "principalId": "u", "policyDocument": { "Statement": [] }, "context": { "a": [1] } }),
            json!({ "isAuthorized": true }),
        ] {
            assert_eq!(Granted::read(result.to_string().as_bytes(), Form::Rest), None, "{result}");
        }
        for result in [json!({ "isAuthorized": "true" }), json!({}), json!({ "isAuthorized": true, "context": "x" })] {
            assert_eq!(Granted::read(result.to_string().as_bytes(), Form::Simple), None, "{result}");
        }
    }

    #[test]
    fn a_simple_result_decides_for_all_methods() {
        for (yes, decision) in [(true, Decision::Allow), (false, Decision::ExplicitDeny)] {
            let result = json!({ "isAuthorized": yes, "context": { "a": [1] } });
            let granted = Granted::read(result.to_string().as_bytes(), Form::Simple).unwrap();
            assert_eq!((granted.decide(ARN, &facts()), &granted.context["a"]), (decision, &json!([1])));
        }
    }

    #[test]
    fn an_apis_policy_looks_at_the_address_the_principal_and_the_short_resource() {
        let statement = |more: Value| {
            let mut statement =
                json!({ "Effect": "Allow", "Principal": "*", "Action": "execute-api:Invoke", "Resource": "execute-api:/*" });
            statement.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            statement
        };
        let ip = |operator: &str, range: &str| json!({ "Condition": { operator: { "aws:SourceIp": [range] } } });
        for (statement, decision) in [
            (statement(json!({})), Some(Decision::Allow)),
            (statement(json!({ "Resource": "execute-api:/prod/*" })), Some(Decision::ImplicitDeny)),
            (statement(json!({ "Resource": "execute-api:/dev/GET/appointment/*" })), Some(Decision::Allow)),
            (statement(ip("IpAddress", "127.0.0.0/8")), Some(Decision::Allow)),
            (statement(ip("IpAddress", "203.0.113.0/24")), Some(Decision::ImplicitDeny)),
            (statement(ip("NotIpAddress", "203.0.113.0/24")), Some(Decision::Allow)),
            (statement(json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } })), Some(Decision::ImplicitDeny)),
            (statement(json!({ "Principal": { "Service": "x" } })), None),
            (json!({ "Effect": "Allow", "Action": "*", "Resource": "*" }), None),
        ] {
            let policy = Policy::of_api(&json!({ "Statement": [statement] }));
            assert_eq!(policy.map(|policy| policy.decide(ARN, &facts())), decision, "{statement}");
        }
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
