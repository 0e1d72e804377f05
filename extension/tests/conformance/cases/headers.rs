//! Headers: which, how often, in which case and order, how long.

use crate::messages::{ACCEPTED, NEXT, error, event_with, message, response};
use crate::subject::Stage;
use crate::wire::{Outcome, bytes, check, headers, latin, same};

/// Checks that an event with these headers arrives with each of them.
async fn of_next(stage: &Stage, wanted: &[(&str, &str)]) -> Outcome {
    let lines: String = wanted.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (_, got) = stage.once(NEXT, &event_with("8476a536", &lines, b"{}")).await?;
    wanted.iter().try_for_each(|(name, value)| same(name, bytes(&got.values(name).join("|")), bytes(value)))
}

pub async fn mebibyte_of_error_cause(stage: &Stage) -> Outcome {
    let cause = "c".repeat(1 << 20);
    let request = error("a", &format!("Lambda-Runtime-Function-XRay-Error-Cause: {cause}\r\n"));
    let (got, back) = stage.once(&request, ACCEPTED).await?;
    same("the status", back.status(), "202")?;
    same("the cause", got.values("lambda-runtime-function-xray-error-cause").concat(), cause)
}

pub async fn headers_of_next_that_are_known(stage: &Stage) -> Outcome {
    let (_, got) = stage.once(NEXT, &event_with("8476a536", "", b"{}")).await?;
    same("the request id", got.values("lambda-runtime-aws-request-id").concat(), "8476a536")?;
    same("the type", got.values("content-type").concat(), "application/json")?;
    for name in ["deadline-ms", "invoked-function-arn", "trace-id"] {
        check(got.values(&format!("lambda-runtime-{name}")).len() == 1, format!("`Lambda-Runtime-{name}` did not come once"))?;
    }
    let rest = [("Lambda-Runtime-Client-Context", r#"{"client":{"a":"b c"}}"#), ("Lambda-Runtime-Cognito-Identity", r#"{"a":1}"#)];
    of_next(stage, &rest).await
}

pub async fn tenant_and_unknown_headers_of_next(stage: &Stage) -> Outcome {
    let later = [("Lambda-Runtime-Aws-Tenant-Id", "tenant 7"), ("Lambda-Runtime-Of-2040", "x, y; z=\"1\""), ("X-Amzn-New", "")];
    of_next(stage, &later).await
}

pub async fn repeated_headers(stage: &Stage) -> Outcome {
    let answer = event_with("a", "X-Many: 1\r\nX-Other: 0\r\nX-Many: 2\r\nX-Many: 1\r\n", b"{}");
    let (got, back) =
        stage.once(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nX-Twice: 2\r\n\r\n", &answer).await?;
    same("what the platform got", got.values("x-twice").join("|"), "1|2")?;
    same("what the runtime got", back.values("x-many").join("|"), "1|2|1")
}

fn names<'a>(head: &'a str, wanted: &str) -> Vec<&'a str> {
    headers(head).into_iter().map(|(name, _)| name).filter(|name| name.eq_ignore_ascii_case(wanted)).collect()
}

pub async fn case_of_an_events_headers(stage: &Stage) -> Outcome {
    let (_, got) = stage.once(NEXT, &event_with("a", "X-aMZn-oDD: 1\r\n", b"{}")).await?;
    same("one", names(&got.head, "lambda-runtime-aws-request-id").concat(), "Lambda-Runtime-Aws-Request-Id")?;
    same("another", names(&got.head, "x-amzn-odd").concat(), "X-aMZn-oDD")
}

pub async fn case_of_a_requests_headers(stage: &Stage) -> Outcome {
    let (got, _) = stage.once(&error("a", "Lambda-Runtime-Function-Error-Type: T\r\nx-ODD: 1\r\n"), ACCEPTED).await?;
    same("one", names(&got.head, "lambda-runtime-function-error-type").concat(), "Lambda-Runtime-Function-Error-Type")?;
    same("another", names(&got.head, "x-odd").concat(), "x-ODD")
}

pub async fn order_of_headers(stage: &Stage) -> Outcome {
    let lines = "X-B: 1\r\nX-A: 1\r\nX-D: 1\r\nX-C: 1\r\n";
    let order = |head: &str| {
        let own = |(name, _): &(&str, &str)| ["x-a", "x-b", "x-c", "x-d"].contains(&name.to_ascii_lowercase().as_str());
        headers(head).into_iter().filter(own).map(|(name, _)| name.to_ascii_lowercase()).collect::<String>()
    };
    let request = format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n{lines}Host: x\r\n\r\n");
    let (got, back) = stage.once(request.as_bytes(), &event_with("a", lines, b"{}")).await?;
    same("what the platform got", order(&got.head), "x-bx-ax-dx-c")?;
    same("what the runtime got", order(&back.head), "x-bx-ax-dx-c")
}

pub async fn user_agent(stage: &Stage) -> Outcome {
    let (got, _) = stage.once(NEXT, &event_with("a", "", b"{}")).await?;
    same("the user agent", got.values("user-agent").concat(), "aws-lambda-rust/1.0")
}

pub async fn header_bytes_above_127(stage: &Stage) -> Outcome {
    let odd = latin("caf\u{e9} \u{fc}".as_bytes());
    let request = bytes(&format!("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nX-Odd: {odd}\r\n\r\n"));
    let answer = bytes(&format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nX-Odd: {odd}\r\nContent-Length: 2\r\n\r\n{{}}"));
    let (got, back) = stage.once(&request, &answer).await?;
    same("what the platform got", bytes(&got.values("x-odd").concat()), bytes(&odd))?;
    same("what the runtime got", bytes(&back.values("x-odd").concat()), bytes(&odd))
}

pub async fn header_of_64_kib_on_next(stage: &Stage) -> Outcome {
    of_next(stage, &[("Lambda-Runtime-Client-Context", &"z".repeat(64 << 10))]).await
}

/// The limit of common HTTP libraries is 100.
pub async fn headers_by_the_hundred(stage: &Stage) -> Outcome {
    let many: Vec<_> = (0..150).map(|n| (format!("X-Number-{n}"), n.to_string())).collect();
    of_next(stage, &many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>()).await
}

pub async fn streaming_mode_and_content_type(stage: &Stage) -> Outcome {
    let line = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x";
    let mode = "Lambda-Runtime-Function-Response-Mode: streaming\r\nContent-Type: application/vnd.awslambda.http-integration-response";
    let (got, _) = stage.once(&message(&format!("{line}\r\n{mode}"), b"{\"statusCode\":200}\0\0\0\0\0\0\0\0hello"), ACCEPTED).await?;
    same("the mode", got.values("lambda-runtime-function-response-mode").concat(), "streaming")?;
    same("the type", got.values("content-type").concat(), "application/vnd.awslambda.http-integration-response")?;
    let (got, _) = stage.once(&response("b", b"{}"), ACCEPTED).await?;
    same("no mode", got.values("lambda-runtime-function-response-mode").concat(), "")
}
