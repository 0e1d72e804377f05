//! The requests and answers of the operations. Source: Step Functions API reference.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use states::Execution;

use super::book::{How, Shown};
use super::events::epoch_seconds;
use template::account::arn;

/// The results on a page, by default and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: u64 = 1000;
/// The most characters of an execution's name.
const LONGEST_NAME: usize = 80;
/// Characters that a name must not contain, besides white space and control characters.
const NOT_IN_A_NAME: &str = "<>{}[]?*\"#%\\^|~`$&,;:/";
const STATUSES: [&str; 6] = ["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"];

/// A call that is refused, always with status 400.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The exception.
    pub kind: &'static str,
    /// Its message.
    pub message: String,
}

impl Refusal {
    pub(super) fn new(kind: &'static str, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string() }
    }
}

/// The fields of a request.
pub(super) struct Asked(Map<String, Value>);

impl Asked {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(body).map(Self).map_err(|error| Refusal::new("SerializationException", error))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Refusal> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::new("SerializationException", format!("`{key}` is no text"))),
        }
    }

    pub(super) fn needed(&self, key: &str) -> Result<&str, Refusal> {
        let missing = || {
            Refusal::new(
                "ValidationException",
                format!("1 validation error detected: Value at '{key}' failed to satisfy constraint: Member must not be null"),
            )
        };
        self.text(key)?.ok_or_else(missing)
    }

    pub(super) fn flag(&self, key: &str, otherwise: bool) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(otherwise)
    }

    /// `maxResults`; 0 means the default.
    pub(super) fn most(&self) -> Result<usize, Refusal> {
        match self.0.get("maxResults") {
            None | Some(Value::Null) => Ok(PAGE),
            Some(value) => match value.as_u64() {
                Some(0) => Ok(PAGE),
                Some(most) if most <= LARGEST_PAGE => Ok(usize::try_from(most).unwrap_or(PAGE)),
                _ => Err(Refusal::new(
                    "ValidationException",
                    format!("Value at 'maxResults' failed to satisfy constraint: it is 0 to {LARGEST_PAGE}"),
                )),
            },
        }
    }

    /// `statusFilter`.
    pub(super) fn status(&self) -> Result<Option<&str>, Refusal> {
        let status = self.text("statusFilter")?;
        match status.filter(|status| !STATUSES.contains(status)) {
            Some(other) => Err(Refusal::new("ValidationException", format!("`{other}` is no status, there are: {}", STATUSES.join(", ")))),
            None => Ok(status),
        }
    }

    /// Where the page of `nextToken` begins, among the answers about `about`.
    pub(super) fn from(&self, about: &str) -> Result<Option<usize>, Refusal> {
        let Some(token) = self.text("nextToken")? else { return Ok(None) };
        let read = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let place = read.as_deref().and_then(|text| text.strip_prefix(about)?.strip_prefix('|')?.parse().ok());
        place.map(Some).ok_or_else(|| Refusal::new("InvalidToken", "Invalid Token: 'Invalid token'"))
    }
}

/// The token of the page that begins at this position.
pub(super) fn token(about: &str, place: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("{about}|{place}"))
}

/// Whether an execution may have this name.
pub(super) fn is_name(name: &str) -> bool {
    let is_fine = |c: char| !c.is_whitespace() && !c.is_control() && !NOT_IN_A_NAME.contains(c);
    (1..=LONGEST_NAME).contains(&name.chars().count()) && name.chars().all(is_fine)
}

/// The ARN of a machine.
pub fn machine_arn(machine: &str) -> String {
    arn("states", &format!("stateMachine:{machine}"))
}

/// The ARN of an execution.
pub fn execution_arn(machine: &str, name: &str) -> String {
    arn("states", &format!("execution:{machine}:{name}"))
}

/// The ARN of an express execution, by its name and the id that makes it unique: `name:id`.
pub fn express_arn(machine: &str, name: &str) -> String {
    arn("states", &format!("express:{machine}:{name}"))
}

/// The rest of an ARN after its kind; an ARN of another account names nothing here.
pub(super) fn named<'a>(text: &'a str, kind: &str) -> Result<Option<&'a str>, Refusal> {
    let mut parts = text.splitn(7, ':');
    let head: Vec<&str> = parts.by_ref().take(6).collect();
    match (head.as_slice(), parts.next()) {
        (["arn", _, "states", _, _, found], Some(rest)) if *found == kind && !rest.is_empty() => {
            Ok((arn("states", &format!("{kind}:{rest}")) == text).then_some(rest))
        }
        _ => Err(Refusal::new("InvalidArn", format!("Invalid Arn: 'Resource type not valid in this context: {text}'"))),
    }
}

/// The answer of `DescribeExecution`.
pub(super) fn description(machine: &str, shown: &Shown) -> Value {
    let mut out = summary(machine, shown);
    if let Some(out) = out.as_object_mut() {
        out.insert("input".to_owned(), json!(shown.input));
        out.insert("inputDetails".to_owned(), json!({"included": true}));
        out.insert("redriveCount".to_owned(), json!(0));
        if let Some(trace) = &shown.trace {
            out.insert("traceHeader".to_owned(), json!(trace));
        }
        match &shown.ended {
            Some((_, How::Succeeded(output))) => {
                out.insert("output".to_owned(), json!(output));
                out.insert("outputDetails".to_owned(), json!({"included": true}));
            }
            Some((_, How::Failed(error, cause))) => {
                out.insert("error".to_owned(), json!(error));
                out.insert("cause".to_owned(), json!(cause));
            }
            Some((_, How::Stopped(error, cause))) => {
                let given = [("error", error), ("cause", cause)].into_iter().filter(|(_, text)| !text.is_empty());
                out.extend(given.map(|(key, text)| (key.to_owned(), json!(text))));
            }
            Some((_, How::TimedOut)) | None => {}
        }
    }
    out
}

/// The answer of `StartSyncExecution`.
pub(super) fn answered(machine: &str, shown: &Shown, execution: &Execution) -> Value {
    let mut out = description(machine, shown);
    if let (Some(out), Some((ended, _))) = (out.as_object_mut(), &shown.ended) {
        out.remove("redriveCount");
        out.insert("executionArn".to_owned(), json!(execution.id));
        out.insert("name".to_owned(), json!(execution.name));
        if matches!(shown.ended, Some((_, How::TimedOut))) {
            out.insert("error".to_owned(), json!(states::TIMEOUT));
        }
        // Billed in steps of 100 ms and 64 MB. Source: Step Functions, pricing.
        let took = ended.duration_since(shown.started).unwrap_or_default().as_millis().div_ceil(100).max(1) * 100;
        out.insert("billingDetails".to_owned(), json!({"billedDurationInMilliseconds": took, "billedMemoryUsedInMB": 64}));
    }
    out
}

/// The entry of an execution in `ListExecutions`.
pub(super) fn summary(machine: &str, shown: &Shown) -> Value {
    let mut out = json!({
        "executionArn": execution_arn(machine, &shown.name),
        "stateMachineArn": machine_arn(machine),
        "name": shown.name,
        "status": shown.status(),
        "startDate": epoch_seconds(shown.started),
    });
    if let (Some((at, _)), Some(out)) = (&shown.ended, out.as_object_mut()) {
        out.insert("stopDate".to_owned(), epoch_seconds(*at));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_has_a_name_of_the_usual_form() {
        for (name, fine) in [
            ("r-1_A", true),
            ("a.b", true),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("a:b", false),
            ("a\u{7}", false),
            (&"x".repeat(81), false),
        ] {
            assert_eq!(is_name(name), fine, "{name}");
        }
    }

    #[test]
    fn an_arn_names_a_resource_here_or_nothing_or_is_invalid() {
        let machine = machine_arn("m");
        for (text, kind, found) in [
            (machine.as_str(), "stateMachine", Ok(Some("m"))),
            (&execution_arn("m", "e"), "execution", Ok(Some("m:e"))),
            ("arn:aws:states:us-east-1:999999999999:stateMachine:m", "stateMachine", Ok(None)),
            (&machine, "execution", Err("InvalidArn")),
            ("m", "stateMachine", Err("InvalidArn")),
            ("arn:aws:states:us-east-1:123456789012:stateMachine:", "stateMachine", Err("InvalidArn")),
        ] {
            assert_eq!(named(text, kind).map_err(|refusal| refusal.kind), found, "{text}");
        }
    }

    #[test]
    fn a_token_is_valid_only_for_its_purpose() {
        let asked = |token: &str| Asked(json!({"nextToken": token}).as_object().unwrap().clone());
        assert_eq!(asked(&token("a", 7)).from("a"), Ok(Some(7)));
        for (token, about) in [(token("a", 7), "b"), ("?".to_owned(), "a"), (String::new(), "a"), (token("a|x", 1), "a")] {
            assert_eq!(asked(&token).from(about).map_err(|refusal| refusal.kind), Err("InvalidToken"), "{token} {about}");
        }
    }
}
