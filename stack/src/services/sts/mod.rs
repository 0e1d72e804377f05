//! STS: who calls, and roles that are assumed. Every caller has the machine's one key. Own code.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use quick_xml::escape::escape;

use super::described::{Described, Protocol};
use super::wire::{Answer, Call, QUERY_XML, Service, form};
use crate::account::{ACCESS_KEY, SECRET_KEY};
use crate::platform::names::ACCOUNT;

/// The description of this service.
pub const DESCRIBED: Described =
    Described { name: "sts", title: "STS", protocol: Protocol::Query, operations: &["GetCallerIdentity", "AssumeRole"] };

/// How long a role is assumed, if the call does not say it, and the limits. Source: STS API
/// reference, AssumeRole.
const SECONDS: u64 = 3600;
const SHORTEST: u64 = 900;
const LONGEST: u64 = 43_200;

/// STS of this machine.
pub struct Sts;

#[async_trait]
impl Service for Sts {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        let result = match call.operation.as_str() {
            "GetCallerIdentity" => Ok(format!(
                "<Arn>arn:aws:sts::{ACCOUNT}:assumed-role/lambda-role/brownout</Arn><UserId>AROALOCALBROWNOUT000:brownout</UserId>\
                 <Account>{ACCOUNT}</Account>"
            )),
            "AssumeRole" => assumed(&call.body),
            other => Err(("InvalidAction", format!("this machine's STS has no `{other}`"))),
        };
        let (operation, request) = (&call.operation, &call.request_id);
        match result {
            Ok(result) => {
                let body = format!(
                    "<{operation}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{operation}Result>{result}\
                     </{operation}Result><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{operation}Response>"
                );
                Answer { status: 200, content_type: QUERY_XML, error_type: None, body: body.into() }
            }
            Err((kind, message)) => Answer::error(QUERY_XML, 400, kind, &message),
        }
    }
}

fn assumed(body: &[u8]) -> Result<String, (&'static str, String)> {
    let fields = form(body);
    let invalid = |what: &str| ("ValidationError", format!("1 validation error detected: {what}"));
    let role = fields.get("RoleArn").ok_or_else(|| invalid("Value null at 'roleArn'"))?;
    let name = role.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/")).map(|(_, name)| name);
    let name = name.filter(|name| !name.is_empty()).ok_or_else(|| invalid("Value at 'roleArn' is no ARN of a role"))?;
    let session = fields.get("RoleSessionName").ok_or_else(|| invalid("Value null at 'roleSessionName'"))?;
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_=,.@-".contains(letter);
    if !(2..=64).contains(&session.len()) || !session.chars().all(allowed) {
        return Err(invalid("Value at 'roleSessionName' must have 2 to 64 characters of a-zA-Z0-9_+=,.@-"));
    }
    let seconds = fields.get("DurationSeconds").map_or(Some(SECONDS), |text| text.parse().ok());
    let seconds = seconds.filter(|seconds| (SHORTEST..=LONGEST).contains(seconds));
    let seconds = seconds.ok_or_else(|| invalid("Value at 'durationSeconds' must be between 900 and 43200"))?;
    let end = SystemTime::now().checked_add(Duration::from_secs(seconds)).unwrap_or_else(SystemTime::now);
    let role_name = escape(name.rsplit('/').next().unwrap_or(name));
    Ok(format!(
        "<Credentials><AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
         <SessionToken>local</SessionToken><Expiration>{}</Expiration></Credentials><AssumedRoleUser>\
         <AssumedRoleId>AROALOCALBROWNOUT000:{session}</AssumedRoleId>\
         <Arn>arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{session}</Arn></AssumedRoleUser>",
        dates::seconds(end)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_role_is_assumed_with_the_machines_key_and_a_wrong_request_is_refused() {
        let role = "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fpath%2Freader";
        for (operation, body, status, part) in [
            ("GetCallerIdentity", String::new(), 200, "<Account>123456789012</Account>"),
            ("AssumeRole", format!("{role}&RoleSessionName=me"), 200, "<AccessKeyId>AKIALOCALBROWNOUT000</AccessKeyId>"),
            ("AssumeRole", format!("{role}&RoleSessionName=me"), 200, "assumed-role/reader/me</Arn>"),
            ("AssumeRole", format!("{role}&RoleSessionName=a+b"), 400, "ValidationError"),
            ("AssumeRole", format!("{role}&RoleSessionName=me&DurationSeconds=10"), 400, "ValidationError"),
            ("AssumeRole", "RoleArn=reader&RoleSessionName=me".to_owned(), 400, "ValidationError"),
            ("GetFederationToken", String::new(), 400, "InvalidAction"),
        ] {
            let call = Call {
                operation: operation.into(),
                request_id: "r".into(),
                root: None,
                function: None,
                delivery: 0,
                path: "/".into(),
                body: body.clone().into(),
            };
            let answer = Sts.answer(&call).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(answer.status == status && text.contains(part), "{operation} {body}: {text}");
        }
    }
}
