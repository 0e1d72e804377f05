//! AWS's query protocol: a form comes in, XML goes out. Source: Smithy, "AWS Query protocol".

use serde_json::Value;

/// A result as the XML of an operation's answer. Lists are of `member`s, and what is `null` is left out.
pub(crate) fn response(operation: &str, result: &Value) -> String {
    let mut out = format!("<{operation}Response><{operation}Result>");
    members(result, &mut out);
    out.push_str(&format!("</{operation}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{operation}Response>"));
    out
}

/// A refusal.
pub(crate) fn error(status: u16, code: &str, message: &str) -> String {
    let by = if status >= 500 { "Receiver" } else { "Sender" };
    let (code, message) = (escaped(code), escaped(message));
    format!(
        "<ErrorResponse><Error><Type>{by}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
    )
}

fn members(value: &Value, out: &mut String) {
    match value {
        Value::Object(members_of) => {
            for (name, member) in members_of.iter().filter(|(_, member)| !member.is_null()) {
                element(name, member, out);
            }
        }
        Value::Array(list) => list.iter().for_each(|member| element("member", member, out)),
        Value::String(text) => out.push_str(&escaped(text)),
        other => out.push_str(&other.to_string()),
    }
}

fn element(name: &str, value: &Value, out: &mut String) {
    out.push_str(&format!("<{name}>"));
    members(value, out);
    out.push_str(&format!("</{name}>"));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_of_members_and_text_is_escaped() {
        // One field: other crates of a build decide whether JSON keeps its order.
        let body = json!({"Stacks": [{"StackName": "a<b", "Token": null}, {"Rollback": false}]});
        let expected = "<XResponse><XResult><Stacks><member><StackName>a&lt;b</StackName></member>\
            <member><Rollback>false</Rollback></member></Stacks></XResult>";
        assert!(response("X", &body).starts_with(expected), "{}", response("X", &body));
        assert!(error(400, "Throttling", "a & b").contains("<Type>Sender</Type><Code>Throttling</Code><Message>a &amp; b</Message>"));
    }
}
