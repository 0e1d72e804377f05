//! No accepted plan turns a denial into a grant: for every caller for which a function decides
//! about access, any fault, and any parser of the answer.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod callers;
mod reading;

use callers::{Caller, Did, callers};
use faults::access::edited_may_grant;
use faults::{Action, Alteration, Identity, Memory, Plan, Trigger};
use proptest::prelude::*;
use reading::Reading;
use serde_json::{Value, json};

/// What a plan might post to gain access, or only to break something.
const ANSWERS: &[&str] = &[
    r#"{"policyDocument":{"Statement":[{"Effect":"Allow"}]}}"#,
    r#"{"policyDocument":{"Statement":{"Effect":"\u0041llow"}}}"#,
    r#"{"isAuthorized":true}"#,
    r#"{"isAuthenticated":1}"#,
    r#"{"response":{"issueTokens":true,"answerCorrect":true,"autoConfirmUser":true,"groupsToOverride":["admin"]}}"#,
    r#"{"response":{"issueTokens":"no"}}"#,
    r#"{"response":{}}"#,
    r#"{"Role":"arn:aws:iam::1:role/r"}"#,
    r#"{"decision":"\u0041LLOW"}"#,
    r#"{"disposition":"CONTINUE"}"#,
    r#"{"approved":true}"#,
    r#"{"secret":"s"}"#,
    r#"{"statusCode":200}"#,
    r#"{"statusCode":500}"#,
    r#"{"statusCode":500,"body":"no"}"#,
    r#"{"statusCode":403,"headers":{"x":"y"},"isBase64Encoded":false}"#,
    r#"{"statusCode":"500"}"#,
    r#"{"message":"in"}"#,
    r#"{"batchItemFailures":[]}"#,
    r#"{"batchItemFailures":[{"itemIdentifier":"1"}]}"#,
    "{}",
    "[]",
    "null",
    "true",
    "1",
    "\"yes\"",
    "",
    "not json",
    "It is broken.",
    "garbage",
];

/// Text that only some parsers ignore, before, within and after an answer.
const TWISTS: &[(&str, &str)] = &[
    ("", ""),
    (r#"{"x":"\ud800","#, ""),
    (r#"{"x":1e999,"#, ""),
    (r#"{"x":0x1,"#, ""),
    (r#"{"statusCode":500,"#, ""),
    (r#"{"statusCode":200,"#, ""),
    (r#"{"StatusCode":200,"#, ""),
    (r#"{"isAuthorized":false,"#, ""),
    ("/**/", ""),
    ("\u{feff}", ""),
    (" ", " "),
    ("", ",}"),
    ("", "//"),
    ("", r#"{"statusCode":500}"#),
];

const PLACES: &[&str] = &[
    "/body",
    "/body/password",
    "/Records/0/body",
    "/Records/0/Sns/Message",
    "/Records/0/Sns/Timestamp",
    "/Records/0/attributes/ApproximateReceiveCount",
    "/Records/0/dynamodb/SizeBytes",
    "/Records/0/dynamodb/NewImage/role/S",
    "/Records/0/dynamodb/NewImage",
    "/Records/0/eventSource",
    "/Records/0",
    "/request/challengeAnswer",
    "/request/privateChallengeParameters/answer",
    "/request/privateChallengeParameters",
    "/request/session/0/challengeResult",
    "/request/session",
    "/request/groupConfiguration/groupsToOverride",
    "/response/autoVerifyEmail",
    "/response/autoConfirmUser",
    "/sourceIp",
    "/password",
    "/signatureVerified",
    "/arguments/owner",
    "/arguments",
    "/identity",
    "/identity/sub",
    "/routeKey",
    "/rawPath",
    "/queryStringParameters",
    "/queryStringParameters/debug",
    "/headers/authorization",
    "/requestContext/http/sourceIp",
    "/requestContext/identity/sourceIp",
    "/methodArn",
    "/type",
    "",
];

fn values() -> Vec<Value> {
    let texts = [
        "10.0.0.1",
        "GET /public",
        "/public",
        "1",
        "right",
        "let me in",
        "5",
        "6",
        "a",
        "aws:sqs",
        "",
        "not json",
        "true",
        "approved: true",
        "role=admin",
        r#"{"password":"right"}"#,
        r#"{"role":"admin","approved":true}"#,
        r#"{"ro\u006ce":"admin"}"#,
        r#"{"x":"\ud800","admin":true}"#,
        r#"{role:'admin'}"#,
        r#"{"approved":1e999}"#,
        "/**/{\"approved\":1}",
        "1970-01-01T00:00:00Z",
    ];
    let others = [
        json!(true),
        json!(1),
        json!(null),
        json!([]),
        json!({}),
        json!(["admin"]),
        json!({ "password": "right" }),
        json!([{ "challengeResult": true }]),
    ];
    texts.into_iter().map(Value::from).chain(others).collect()
}

fn plan(kind: &Value) -> Option<Plan> {
    let fault = json!({ "name": "x", "place": { "function": "f" }, "share": 1, "kind": kind });
    Plan::read(json!({ "version": 1, "run": "r", "sequence": 1, "lease_ms": 5000, "seed": 7, "faults": [fault] }).to_string().as_bytes())
        .ok()
}

/// What the platform gets if this action is carried out as the extension does; `None` if that is an
/// error.
fn posted(action: &Action, caller: &Caller, reading: Reading) -> Option<Vec<u8>> {
    let event = caller.event.to_string().into_bytes();
    let edited = if let Action::EditEvent(edits) = action { edits.apply(&event) } else { None };
    let handed = edited.as_deref().unwrap_or(&event);
    let answer = match (caller.handler)(reading, &reading.read(handed).unwrap()) {
        Did::Answered(answer) => answer.to_string().into_bytes(),
        Did::Failed => return None,
        Did::Acted => panic!("{}: it was done: {action:?}", caller.name),
    };
    if edited.is_some() && edited_may_grant(&answer, Trigger::told_by(&event).unwrap()) {
        return None;
    }
    match action {
        Action::Replace { body, .. } if action.fits(&event) => Some(body.clone().into_bytes()),
        Action::Alter(Alteration::Cut { bytes }) => Some(answer.into_iter().take(usize::try_from(*bytes).unwrap()).collect()),
        // The extension always corrupts the first byte; here the others are every seventh.
        Action::Alter(Alteration::Corrupt { bytes, .. }) => {
            let mut answer = answer;
            answer.iter_mut().step_by(7).take(usize::try_from(*bytes).unwrap()).for_each(|byte| *byte = 0xFF);
            Some(answer)
        }
        _ => Some(answer),
    }
}

/// Checks that every caller is still denied; returns whether the plan was accepted.
fn still_denies(kind: &Value) -> bool {
    let Some(plan) = plan(kind) else { return false };
    let decision = plan.decide("f", Identity("1-a-b"), &faults::Facts::default(), &mut Memory::default()).remove(0);
    for caller in callers() {
        for reading in Reading::ALL {
            let taken = posted(&decision.action, &caller, reading).and_then(|answer| Some((reading.read(&answer)?, answer)));
            if let Some((read, answer)) = taken {
                let granted = (caller.takes)(reading, &read);
                assert!(!granted, "{} ({reading:?}), struck by {kind}, takes {}", caller.name, String::from_utf8_lossy(&answer));
            }
        }
    }
    true
}

/// An answer with text around it that only some parsers ignore.
fn twisted(answer: &str, (before, behind): (&str, &str)) -> String {
    let answer = if before.ends_with(',') { answer.strip_prefix('{').unwrap_or(answer) } else { answer };
    let answer = if behind == ",}" { answer.strip_suffix('}').unwrap_or(answer) } else { answer };
    format!("{before}{answer}{behind}")
}

#[test]
fn every_caller_is_denied_without_a_fault() {
    for caller in callers() {
        let event = caller.event.to_string();
        assert!(Trigger::told_by(event.as_bytes()).is_none_or(|told| told == caller.trigger), "{}", caller.name);
        for reading in Reading::ALL {
            if let Some(answer) = posted(&Action::Pass, &caller, reading) {
                assert!(!(caller.takes)(reading, &reading.read(&answer).unwrap()), "{}", caller.name);
            }
        }
    }
    for trigger in Trigger::ALL {
        assert!(callers().iter().any(|caller| caller.trigger == trigger), "no caller of trigger {}", trigger.name());
    }
}

#[test]
fn no_accepted_answer_grants_access() {
    let (mut accepted, mut refused) = (0, 0);
    for answer in ANSWERS {
        for twist in TWISTS {
            let text = twisted(answer, *twist);
            for kind in [json!({ "raw": text }), json!({ "status": 500, "body": text }), json!({ "status": 403, "headers": { "x": text } })]
            {
                let is_accepted = still_denies(&json!({ "response": kind }));
                (accepted, refused) = (accepted + usize::from(is_accepted), refused + usize::from(!is_accepted));
            }
        }
    }
    assert!(accepted > 100 && refused > 300, "{accepted} accepted, {refused} refused");
}

#[test]
fn no_accepted_edit_grants_access() {
    let (mut accepted, mut refused) = (0, 0);
    for place in PLACES {
        let removed = std::iter::once(json!({ "remove": [place] }));
        for kind in values().into_iter().map(|value| json!({ "set": { *place: value } })).chain(removed) {
            let is_accepted = still_denies(&json!({ "event": kind }));
            (accepted, refused) = (accepted + usize::from(is_accepted), refused + usize::from(!is_accepted));
        }
    }
    assert!(accepted > 20 && refused > 500, "{accepted} accepted, {refused} refused");
    assert!(!still_denies(&json!({ "event": { "remove": ["/request/challengeAnswer", "/request/privateChallengeParameters/answer"] } })));
}

fn kinds() -> impl Strategy<Value = Value> {
    let answer =
        (prop::sample::select(ANSWERS), prop::sample::select(TWISTS), prop::option::of("[ -~]{0,12}")).prop_map(|(answer, twist, more)| {
            let text = twisted(answer, twist);
            more.map_or(text.clone(), |more| format!("{text}{more}"))
        });
    let place = || prop::sample::select(PLACES);
    let edits = (prop::collection::vec(place(), 0..3), prop::collection::btree_map(place(), prop::sample::select(values()), 0..3));
    prop_oneof![
        answer.clone().prop_map(|raw| json!({ "response": { "raw": raw } })),
        "[ -~]{0,30}".prop_map(|raw| json!({ "response": { "raw": raw } })),
        (400_u16..600, answer).prop_map(|(status, body)| json!({ "response": { "status": status, "body": body } })),
        (0_u64..400).prop_map(|at| json!({ "response": { "cut-at": at } })),
        (1_u64..400).prop_map(|bytes| json!({ "response": { "corrupt": bytes } })),
        edits.prop_map(|(remove, set)| json!({ "event": { "remove": remove, "set": set } })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_accepted_plan_turns_a_denial_into_a_grant(kind in kinds()) {
        still_denies(&kind);
    }
}
