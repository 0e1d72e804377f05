//! Callers for which a function decides about access, written like AWS's own examples: the event, a
//! handler that denies it, and what counts as a grant.

use faults::Trigger;
use serde_json::{Value, json};

use crate::reading::Reading;

/// What a handler did with an event.
pub enum Did {
    /// It answered.
    Answered(Value),
    /// It failed: no caller is granted anything.
    Failed,
    /// It did something that needs permission.
    Acted,
}

/// A caller for which the function decides about access, or might.
pub struct Caller {
    pub name: &'static str,
    pub trigger: Trigger,
    pub event: Value,
    pub handler: fn(Reading, &Value) -> Did,
    /// Whether the caller reads the answer, if it can be parsed, as a grant.
    pub takes: fn(Reading, &Value) -> bool,
}

fn http_takes(reading: Reading, answer: &Value) -> bool {
    // Without a status, an HTTP API and a function URL use any JSON as the body of a 200.
    reading.number(&reading.at(answer, &["statusCode"])).is_none_or(|status| status < 400.0)
}

fn policy_takes(reading: Reading, answer: &Value) -> bool {
    let statements = match reading.at(answer, &["policyDocument", "Statement"]) {
        Value::Array(list) => list,
        one => vec![one],
    };
    let is_named = ["isAuthorized", "isAuthenticated"].iter().any(|name| reading.is_true(&reading.at(answer, &[name])));
    is_named || statements.iter().any(|statement| reading.is(&reading.at(statement, &["Effect"]), "Allow"))
}

fn never(_: Reading, _: &Value) -> bool {
    false
}

fn deny(_: Reading, _: &Value) -> Did {
    Did::Answered(json!({ "principalId": "user", "policyDocument": { "Version": "2012-10-17", "Statement": [
        { "Action": "execute-api:Invoke", "Effect": "Deny", "Resource": "arn:aws:execute-api:eu-west-1:1:a/dev/GET/x" }] } }))
}

/// Parses a text within the event, as `JSON.parse(event.body)` does.
fn parsed(reading: Reading, event: &Value, path: &[&str]) -> Option<Value> {
    match reading.at(event, path) {
        Value::String(text) => reading.read(text.as_bytes()),
        Value::Null => Some(Value::Null),
        _ => None,
    }
}

/// A login: the right password grants access.
fn login(reading: Reading, event: &Value) -> Did {
    let Some(body) = parsed(reading, event, &["body"]) else { return Did::Failed };
    let is_right = reading.at(&body, &["password"]) == "right" || reading.is_true(&reading.at(&body, &["admin"]));
    Did::Answered(if is_right { json!({ "statusCode": 200, "body": "in" }) } else { json!({ "statusCode": 401, "body": "no" }) })
}

/// Grants access by what the event itself says: its address, path or parameters.
fn by_request(reading: Reading, event: &Value) -> Did {
    let asks = [
        (&["requestContext", "http", "sourceIp"][..], "10.0.0.1"),
        (&["requestContext", "identity", "sourceIp"], "10.0.0.1"),
        (&["routeKey"], "GET /public"),
        (&["rawPath"], "/public"),
        (&["queryStringParameters", "debug"], "1"),
        (&["headers", "authorization"], "let me in"),
    ];
    let is_let_in = asks.iter().any(|(path, word)| reading.is(&reading.at(event, path), word));
    Did::Answered(json!({ "statusCode": if is_let_in { 200 } else { 403 } }))
}

/// AWS's example of a verification: the answer is right if it is the expected one.
fn verify_challenge(reading: Reading, event: &Value) -> Did {
    let expected = reading.at(event, &["request", "privateChallengeParameters", "answer"]);
    let is_right = expected == reading.at(event, &["request", "challengeAnswer"]);
    let mut answer = event.clone();
    answer["response"]["answerCorrect"] = is_right.into();
    Did::Answered(answer)
}

/// AWS's example of a definition: tokens after a challenge with a right answer, a failure after a
/// wrong one.
fn define_challenge(reading: Reading, event: &Value) -> Did {
    let mut answer = event.clone();
    let session = reading.at(event, &["request", "session"]);
    let last = session.as_array().and_then(|session| session.last()).cloned().unwrap_or_default();
    answer["response"]["issueTokens"] = reading.is_true(&reading.at(&last, &["challengeResult"])).into();
    Did::Answered(answer)
}

fn give_back(_: Reading, event: &Value) -> Did {
    Did::Answered(event.clone())
}

/// AWS's example: the right password gets a role.
fn transfer(reading: Reading, event: &Value) -> Did {
    let is_right = reading.at(event, &["password"]) == "right" || reading.is(&reading.at(event, &["sourceIp"]), "10.0.0.1");
    Did::Answered(if is_right { json!({ "Role": "arn:aws:iam::1:role/r" }) } else { json!({}) })
}

/// A resolver that gives each user their own items.
fn resolve(reading: Reading, event: &Value) -> Did {
    let is_owner = reading.at(event, &["arguments", "owner"]) == reading.at(event, &["identity", "sub"]);
    Did::Answered(if is_owner { json!({ "secret": "s" }) } else { Value::Null })
}

/// Does what a message requests if the message says that it may.
fn granted_by_message(reading: Reading, event: &Value) -> Did {
    let records = reading.at(event, &["Records"]);
    let text = records.as_array().and_then(|records| records.first()).map(|record| match reading.member(record, "Sns") {
        Some(notice) => reading.at(&notice, &["Message"]),
        None => reading.at(record, &["body"]),
    });
    let Some(Value::String(text)) = text else { return Did::Failed };
    let Some(message) = reading.read(text.as_bytes()) else { return Did::Failed };
    let is_approved = reading.is_true(&reading.at(&message, &["approved"])) || reading.is(&reading.at(&message, &["role"]), "admin");
    if is_approved { Did::Acted } else { Did::Answered(json!({ "batchItemFailures": [] })) }
}

fn webhook(reading: Reading, event: &Value) -> Did {
    let is_verified = reading.is_true(&reading.at(event, &["signatureVerified"]));
    Did::Answered(json!({ "approved": is_verified }))
}

fn cognito(source: &str, request: &Value, response: &Value) -> Value {
    json!({ "version": "1", "triggerSource": source, "region": "eu-west-1", "userPoolId": "p", "userName": "u", "request": request, "response": response })
}

/// All callers.
pub fn callers() -> Vec<Caller> {
    [people(), gates(), sign_ins(), others(), batches()].into_iter().flatten().collect()
}

fn caller(
    name: &'static str,
    trigger: Trigger,
    event: Value,
    handler: fn(Reading, &Value) -> Did,
    takes: fn(Reading, &Value) -> bool,
) -> Caller {
    Caller { name, trigger, event, handler, takes }
}

/// Requests over HTTP.
fn people() -> Vec<Caller> {
    let http = |body: &str| {
        json!({ "version": "2.0", "routeKey": "POST /login", "rawPath": "/login", "rawQueryString": "", "headers": {}, "queryStringParameters": {},
            "requestContext": { "http": { "method": "POST", "path": "/login", "sourceIp": "192.0.2.1" } }, "body": body, "isBase64Encoded": false })
    };
    let rest = json!({ "resource": "/x", "path": "/x", "httpMethod": "GET", "headers": {}, "requestContext": { "identity": { "sourceIp": "192.0.2.1" } },
        "body": "{\"password\":\"wrong\"}", "isBase64Encoded": false });
    vec![
        caller("login", Trigger::Http, http(r#"{"password":"wrong"}"#), login, http_takes),
        caller("login, REST", Trigger::Http, rest, login, http_takes),
        caller("by request", Trigger::Http, http("{}"), by_request, http_takes),
    ]
}

/// Functions that grant access themselves.
fn gates() -> Vec<Caller> {
    vec![
        caller(
            "REST authorizer",
            Trigger::Authorizer,
            json!({ "type": "REQUEST", "methodArn": "arn:m", "resource": "/x", "path": "/x", "httpMethod": "GET", "headers": {}, "requestContext": {} }),
            deny,
            policy_takes,
        ),
        caller(
            "token authorizer",
            Trigger::Authorizer,
            json!({ "type": "TOKEN", "authorizationToken": "t", "methodArn": "arn:m" }),
            deny,
            policy_takes,
        ),
        caller(
            "HTTP API authorizer",
            Trigger::Authorizer,
            json!({ "version": "2.0", "type": "REQUEST", "routeArn": "arn:r", "identitySource": ["t"], "rawPath": "/x", "requestContext": { "http": { "method": "GET" } } }),
            |_, _| Did::Answered(json!({ "isAuthorized": false })),
            policy_takes,
        ),
        caller(
            "IoT authorizer",
            Trigger::Invoke,
            json!({ "signatureVerified": false, "protocolData": { "mqtt": { "password": "x" } } }),
            |_, _| Did::Answered(json!({ "isAuthenticated": false })),
            policy_takes,
        ),
        caller(
            "AppSync authorizer",
            Trigger::Authorizer,
            json!({ "authorizationToken": "t", "requestContext": { "apiId": "a" } }),
            |_, _| Did::Answered(json!({ "isAuthorized": false })),
            policy_takes,
        ),
        caller(
            "Transfer Family",
            Trigger::Invoke,
            json!({ "username": "u", "password": "wrong", "protocol": "SFTP", "serverId": "s", "sourceIp": "192.0.2.1" }),
            transfer,
            |reading, answer| reading.is_true(&reading.at(answer, &["Role"])) || reading.at(answer, &["Role"]).is_string(),
        ),
    ]
}

/// A user pool.
fn sign_ins() -> Vec<Caller> {
    vec![
        caller(
            "verify challenge",
            Trigger::SignIn,
            cognito(
                "VerifyAuthChallengeResponse_Authentication",
                &json!({ "privateChallengeParameters": { "answer": "5" }, "challengeAnswer": "6" }),
                &json!({}),
            ),
            verify_challenge,
            |reading, answer| reading.is_true(&reading.at(answer, &["response", "answerCorrect"])),
        ),
        caller(
            "define challenge",
            Trigger::SignIn,
            cognito("DefineAuthChallenge_Authentication", &json!({ "session": [{ "challengeResult": false }] }), &json!({})),
            define_challenge,
            |reading, answer| reading.is_true(&reading.at(answer, &["response", "issueTokens"])),
        ),
        caller(
            "before the sign-up",
            Trigger::SignIn,
            cognito("PreSignUp_SignUp", &json!({}), &json!({ "autoConfirmUser": false, "autoVerifyEmail": false })),
            give_back,
            |reading, answer| {
                ["autoConfirmUser", "autoVerifyEmail"].iter().any(|name| reading.is_true(&reading.at(answer, &["response", name])))
            },
        ),
        caller(
            "before the token",
            Trigger::SignIn,
            cognito("TokenGeneration_Authentication", &json!({ "groupConfiguration": { "groupsToOverride": ["guests"] } }), &json!({})),
            |reading, event| {
                let mut answer = event.clone();
                answer["response"]["groupsToOverride"] = reading.at(event, &["request", "groupConfiguration", "groupsToOverride"]);
                Did::Answered(answer)
            },
            |reading, answer| reading.at(answer, &["response"]).to_string().contains("admin"),
        ),
        caller(
            "after the sign-in",
            Trigger::SignIn,
            cognito("PostAuthentication_Authentication", &json!({}), &json!({})),
            |_, _| Did::Failed,
            |reading, answer| reading.member(answer, "response").is_some(),
        ),
    ]
}

/// Callers that use the answer in another way.
fn others() -> Vec<Caller> {
    vec![
        caller(
            "AppSync resolver",
            Trigger::Invoke,
            json!({ "arguments": { "owner": "b" }, "identity": { "sub": "a" }, "info": { "fieldName": "secret" } }),
            resolve,
            |reading, answer| reading.at(answer, &["secret"]) == "s",
        ),
        caller(
            "decision",
            Trigger::Invoke,
            json!({ "subject": "a", "action": "read", "resource": "b" }),
            |_, _| Did::Answered(json!({ "decision": "DENY" })),
            |reading, answer| reading.is(&reading.at(answer, &["decision"]), "ALLOW") || reading.is_true(answer) && !answer.is_object(),
        ),
        caller(
            "mail rule",
            Trigger::Invoke,
            json!({ "Records": [{ "eventSource": "aws:ses", "ses": { "receipt": {} } }] }),
            |_, _| Did::Answered(json!({ "disposition": "STOP_RULE_SET" })),
            |reading, answer| reading.is(&reading.at(answer, &["disposition"]), "CONTINUE"),
        ),
        caller("approval", Trigger::Task, json!({ "signatureVerified": false }), webhook, |reading, answer| {
            reading.is_true(&reading.at(answer, &["approved"]))
        }),
    ]
}

/// Services that never read an answer as a grant, and handlers that act on the content of a
/// message.
fn batches() -> Vec<Caller> {
    vec![
        caller(
            "queue",
            Trigger::Queue,
            json!({ "Records": [{ "messageId": "1", "body": "{\"role\":\"guest\"}", "attributes": { "ApproximateReceiveCount": "1" }, "eventSource": "aws:sqs" }] }),
            granted_by_message,
            never,
        ),
        caller(
            "topic",
            Trigger::Asynchronous,
            json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": "{\"approved\":false}", "Timestamp": "t" } }] }),
            granted_by_message,
            never,
        ),
        caller(
            "table",
            Trigger::TableStream,
            json!({ "Records": [{ "eventName": "MODIFY", "eventSource": "aws:dynamodb", "dynamodb": { "NewImage": { "role": { "S": "guest" } }, "SizeBytes": 3 } }] }),
            |reading, event| {
                let records = reading.at(event, &["Records"]);
                let image =
                    records.as_array().and_then(|records| records.first()).map(|record| reading.at(record, &["dynamodb", "NewImage"]));
                let is_guest = image.is_some_and(|image| reading.at(&image, &["role", "S"]) == "guest");
                if is_guest { Did::Answered(Value::Null) } else { Did::Acted }
            },
            never,
        ),
    ]
}
