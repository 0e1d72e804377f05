//! Which answers may replace the handler's. It lists the answers that deny access or mean nothing,
//! not those that grant it, because a caller may read anything else as a grant. An answer that a
//! strict and a lenient parser read differently counts as a grant.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::json::{Reader, Stop, said};
use crate::places::Places;
use crate::trigger::Trigger;

/// The members of an answer to an HTTP request.
const HTTP_ANSWER: [&str; 7] = ["statusCode", "statusDescription", "headers", "multiValueHeaders", "cookies", "body", "isBase64Encoded"];

/// Parsers differ about JSON that is nested deeper than this, directly or as JSON within strings.
const DEEPEST: usize = 32;

/// Parts of member names that grant something unless the value is false or null.
const GRANTS: [&str; 10] =
    ["authorized", "authenticated", "issuetokens", "answercorrect", "autoconfirm", "autoverify", "role", "groups", "claims", "scopes"];

/// Whether a fault may answer `text` for a function with this `trigger`, as far as access is
/// concerned.
pub fn answer_fits(text: &str, trigger: Trigger) -> bool {
    match trigger {
        Trigger::Http => http_refusal(text).is_some(),
        Trigger::Queue | Trigger::TableStream | Trigger::Asynchronous => http_refusal(text).is_some() || is_batch(text) || is_words(text),
        // Their callers decide about access by the answer, or it is not known what they do with it.
        Trigger::Invoke | Trigger::Authorizer | Trigger::SignIn | Trigger::Task => false,
    }
}

/// Whether the handler's answer to an edited event may grant access: its answer to the original event is not known.
pub fn edited_may_grant(answer: &[u8], trigger: Trigger) -> bool {
    std::str::from_utf8(answer).map_or(true, |answer| match trigger {
        Trigger::Http => http_refusal(answer).is_none(),
        _ => could_grant(answer),
    })
}

/// The status of an HTTP answer that refuses, with 400 to 599; `None` for anything else. One without a status is made a 200 by an HTTP API.
pub fn http_refusal(text: &str) -> Option<u16> {
    static PLACES: LazyLock<Places> = LazyLock::new(|| Places::of([vec!["/statusCode".to_owned()]]).with_names());
    let facts = PLACES.read(text.as_bytes(), true)?;
    let is_known = facts.names().iter().all(|name| HTTP_ANSWER.contains(&name.as_ref()));
    let status = facts.raw("/statusCode").next().filter(|raw| raw.len() == 3)?.parse().ok();
    status.filter(|status| is_known && (400..=599).contains(status) && !could_grant(text))
}

/// Which records of a batch should be delivered again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Batch {
    #[serde(rename = "batchItemFailures")]
    _failures: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Failure {
    #[serde(rename = "itemIdentifier")]
    _identifier: String,
}

fn is_batch(text: &str) -> bool {
    serde_json::from_str::<Batch>(text).is_ok() && !could_grant(text)
}

/// Whether it is empty, or plain words that no parser reads as anything else.
pub fn is_words(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b" .,!?-".contains(&byte);
    let is_several = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.trim().contains(' ');
    text.is_empty() || (is_several && text.bytes().all(is_plain) && !says_allow(text))
}

/// Whether some caller could read a text as a grant: it contains "allow", a member grants
/// something, or parsers read it differently. It is too strict on purpose and never the only guard:
/// it is for places that no known caller reads.
pub fn could_grant(text: &str) -> bool {
    text_grants(text, DEEPEST)
}

fn text_grants(text: &str, levels: usize) -> bool {
    says_allow(text) || (text.contains(['{', '[', '\\']) && json_grants(text, levels))
}

fn says_allow(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("allow") || text.contains("permit")
}

fn json_grants(text: &str, levels: usize) -> bool {
    let mut reader = Reader::new(text);
    let read = value_grants(&mut reader, levels);
    read != Ok(false) || !reader.is_at_end()
}

/// Skips the next value; returns whether it grants something.
///
/// # Errors
/// If parsers read it differently.
fn value_grants(reader: &mut Reader<'_>, levels: usize) -> Result<bool, Stop> {
    let levels = levels.checked_sub(1).ok_or(Stop::Broken)?;
    let mut grants = false;
    match reader.peek()? {
        b'{' => {
            let mut names = HashSet::new();
            reader.object(|reader, name| {
                let name = said(reader.text(name)).ok_or(Stop::Broken)?.to_ascii_lowercase();
                let value = reader.value(|reader| {
                    grants |= value_grants(reader, levels)?;
                    Ok(())
                })?;
                grants |= member_grants(&name, reader.text(value));
                if names.insert(name) { Ok(()) } else { Err(Stop::Broken) }
            })?;
        }
        b'[' => reader.array(|reader, _| {
            grants |= value_grants(reader, levels)?;
            Ok(())
        })?,
        b'"' => {
            let place = reader.skip()?;
            let text = said(reader.text(place)).ok_or(Stop::Broken)?;
            grants = text_grants(&text, levels);
        }
        _ => {
            let place = reader.skip()?;
            if reader.text(place).parse().is_ok_and(f64::is_infinite) {
                return Err(Stop::Broken);
            }
        }
    }
    Ok(grants)
}

fn member_grants(name: &str, value: &str) -> bool {
    let is_nothing = matches!(value, "false" | "null");
    let is_refused = name == "statuscode" && value.parse::<u16>().is_ok_and(|status| status >= 400);
    says_allow(name) || (!is_nothing && GRANTS.iter().any(|word| name.contains(word))) || (name == "statuscode" && !is_refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The triggers that may get the answer of a batch.
    const BATCH: [Trigger; 3] = [Trigger::Queue, Trigger::TableStream, Trigger::Asynchronous];
    const WITHOUT_PERMISSION: [Trigger; 4] = [Trigger::Http, Trigger::Queue, Trigger::TableStream, Trigger::Asynchronous];

    fn may(text: &str) -> Vec<Trigger> {
        Trigger::ALL.into_iter().filter(|trigger| answer_fits(text, *trigger)).collect()
    }

    #[test]
    fn an_answer_that_grants_access_somewhere_is_allowed_nowhere() {
        let deep = |levels: usize, inner: &str| format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        let within = |inner: String| format!(r#"{{"statusCode":500,"body":{inner}}}"#);
        for text in [
            // Answers that AWS itself reads as a grant.
            r#"{"policyDocument":{"Statement":[{"Effect":"Allow"}]}}"#.to_owned(),
            r#"{"policyDocument":{"Statement":{"Effect":"aLLoW"}}}"#.into(),
            r#"{"policyDocument":{"Statement":{"Effect":"\u0041llow"}}}"#.into(),
            r#"{"isAuthorized":true}"#.into(),
            r#"{"isAuthorized":"true"}"#.into(),
            r#"{"isAuthenticated":true,"principalId":"p"}"#.into(),
            r#"{"response":{"issueTokens":true,"failAuthentication":false}}"#.into(),
            r#"{"response":{"answerCorrect":true}}"#.into(),
            r#"{"response":{"autoConfirmUser":true}}"#.into(),
            r#"{"response":{"claimsOverrideDetails":{"groupOverrideDetails":{"groupsToOverride":["admin"]}}}}"#.into(),
            r#"{"response":{}}"#.into(),
            r#"{"Role":"arn:aws:iam::1:role/r","HomeDirectory":"/"}"#.into(),
            r#"{"disposition":"CONTINUE"}"#.into(),
            // An HTTP API turns these into a 200.
            "{}".into(),
            "null".into(),
            "true".into(),
            "\"yes\"".into(),
            r#"{"message":"in"}"#.into(),
            r#"{"statusCode":200}"#.into(),
            r#"{"statusCode":302,"headers":{"Location":"/in"}}"#.into(),
            r#"{"statusCode":"500"}"#.into(),
            r#"{"statusCode":500.0}"#.into(),
            r#"{"statusCode":5e2}"#.into(),
            r#"{"statusCode":0500}"#.into(),
            r#"{"StatusCode":200,"statusCode":500}"#.into(),
            r#"{"statusCode":500,"statusCode":200}"#.into(),
            r#"{"statusCode":200,"statusCode":500}"#.into(),
            r#"{"statusCode":500,"status\u0043ode":200}"#.into(),
            // Answers that only some parsers can read.
            r#"{"statusCode":500,"isAuthorized":true}"#.into(),
            r#"{"x":"\ud800","policyDocument":{"Statement":[{"Effect":"\u0041llow"}]}}"#.into(),
            r#"{"statusCode":500,"body":"\ud800"}"#.into(),
            r#"{"statusCode":500,"body":1e999}"#.into(),
            r#"{"x":1e999,"decision":"\u0041LLOW"}"#.into(),
            format!(r#"{{"decision":"\u0041LLOW","x":{}}}"#, deep(200, "")),
            within(deep(40, "")),
            within(deep(1000, "")),
            within(r#""{\"decision\":\"\\u0041LLOW\"}""#.into()),
            within(r#""{\"evaluation\":{\"decision\":\"\\u0041LLOW\"},}""#.into()),
            within(r#""{'decision':'deny'}""#.into()),
            r#"{"statusCode":500,}"#.into(),
            r#"{"statusCode":500} {"statusCode":200}"#.into(),
            r#"//{"statusCode":500}"#.into(),
            "\u{feff}{\"statusCode\":500}".into(),
            "{statusCode:500}".into(),
            "decision: ALLOW".into(),
            "ALLOW".into(),
            "We allow it".into(),
            "garbage".into(),
            "1e999 x".into(),
            "isAuthorized=true".into(),
        ] {
            assert_eq!(may(&text), [], "{text}");
        }
    }

    #[test]
    fn an_answer_to_an_edited_event_must_not_grant_access() {
        let (http, queue) = (Trigger::Http, Trigger::Queue);
        for (trigger, answer, grants) in [
            (queue, r#"{"batchItemFailures":[]}"#, false),
            (queue, r#"{"isAuthorized":true}"#, true),
            (queue, r#"{"decision":"\u0041LLOW"}"#, true),
            (queue, r#"{"x":"\ud800","decision":"\u0041LLOW"}"#, true),
            (queue, r#"{"statusCode":200}"#, true),
            (queue, "", false),
            (queue, "fine", false),
            (http, r#"{"statusCode":403,"body":"no"}"#, false),
            (http, r#"{"statusCode":403,"body":"Allow"}"#, true),
            (http, r#"{"statusCode":403,"statusCode":200}"#, true),
            (http, r#"{"items":[]}"#, true),
            (http, r#"{"statusCode":"403"}"#, true),
            (http, "not json", true),
        ] {
            assert_eq!(edited_may_grant(answer.as_bytes(), trigger), grants, "{trigger:?} {answer}");
        }
        assert!(edited_may_grant(b"\xff no", queue));
    }

    #[test]
    fn an_answer_that_denies_or_means_nothing_is_allowed_unless_the_caller_decides_about_access() {
        for text in [
            r#"{"statusCode":500,"body":"oops"}"#,
            r#"{"statusCode":403,"headers":{"x":"y"},"cookies":[],"body":null,"isBase64Encoded":false}"#,
            r#" { "statusCode" : 599 , "body" : "{\"message\":\"no\",\"statusCode\":403}" } "#,
        ] {
            assert_eq!(may(text), WITHOUT_PERMISSION, "{text}");
        }
        for text in
            ["", "not json", "It is broken, really!", r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#]
        {
            assert_eq!(may(text), BATCH, "{text}");
        }
    }
}
