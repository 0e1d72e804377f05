//! Every other address: errors, SnapStart, the Extensions and Telemetry APIs of internal
//! extensions, and addresses that no proxy knows yet.

use crate::messages::{ACCEPTED, error, event, message, response};
use crate::subject::Stage;
use crate::wire::{Kind, Message, Outcome, same};

/// Checks that a call passes with its line, body and these headers, and that its answer comes back.
async fn passes(stage: &Stage, request: &[u8], kept: &[&str], answer: &[u8]) -> Outcome<(Message, Message)> {
    let (got, back) = stage.once(request, answer).await?;
    let text = crate::wire::latin(request);
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    same("the call", got.head.split("\r\n").next().unwrap(), head.split("\r\n").next().unwrap())?;
    same("its body", &got.body, crate::wire::bytes(body))?;
    for name in kept {
        same(name, got.values(name).concat(), crate::wire::values(head, name).concat())?;
    }
    same("the status", back.status(), &answer[9..12])?;
    let start = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    same("the answer", &back.body, &answer[start..])?;
    Ok((got, back))
}

pub async fn invocation_error(stage: &Stage) -> Outcome {
    let request = error("a", "Lambda-Runtime-Function-Error-Type: Runtime.T\r\n");
    passes(stage, &request, &["lambda-runtime-function-error-type", "content-type"], ACCEPTED).await.map(|_| ())
}

pub async fn init_error(stage: &Stage) -> Outcome {
    let head = "POST /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: x\r\nLambda-Runtime-Function-Error-Type: Runtime.NoSuchHandler";
    let request = message(head, br#"{"errorMessage":"m","errorType":"T","stackTrace":[]}"#);
    passes(stage, &request, &["lambda-runtime-function-error-type"], ACCEPTED).await.map(|_| ())
}

pub async fn restore_next(stage: &Stage) -> Outcome {
    let request = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: x\r\nUser-Agent: java/21\r\n\r\n";
    passes(stage, request, &[], &message("HTTP/1.1 200 OK\r\nLambda-Runtime-Restored: yes", b"")).await.map(|_| ())
}

pub async fn restore_error(stage: &Stage) -> Outcome {
    let head = "POST /2018-06-01/runtime/restore/error HTTP/1.1\r\nHost: x\r\nLambda-Runtime-Function-Error-Type: Runtime.AfterRestore";
    passes(stage, &message(head, b"{}"), &["lambda-runtime-function-error-type"], ACCEPTED).await.map(|_| ())
}

pub async fn register_internal_extension(stage: &Stage) -> Outcome {
    let head = "POST /2020-01-01/extension/register HTTP/1.1\r\nHost: x\r\nLambda-Extension-Name: conformance-internal\r\n\
                Lambda-Extension-Accept-Feature: accountId";
    let answer = message("HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: conformance-1", br#"{"functionName":"f"}"#);
    let request = message(head, br#"{"events":[]}"#);
    let (_, back) = passes(stage, &request, &["lambda-extension-name", "lambda-extension-accept-feature"], &answer).await?;
    same("the identifier", back.values("lambda-extension-identifier").concat(), "conformance-1")
}

pub async fn internal_extensions_events(stage: &Stage) -> Outcome {
    let request = b"GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: conformance-1\r\n\r\n";
    let answer = message("HTTP/1.1 200 OK\r\nLambda-Extension-Event-Identifier: e", br#"{"eventType":"INVOKE","requestId":"a"}"#);
    let (_, back) = passes(stage, request, &["lambda-extension-identifier"], &answer).await?;
    same("the event's identifier", back.values("lambda-extension-event-identifier").concat(), "e")
}

pub async fn internal_extensions_errors(stage: &Stage) -> Outcome {
    for kind in ["init", "exit"] {
        let head = format!(
            "POST /2020-01-01/extension/{kind}/error HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: conformance-1\r\n\
             Lambda-Extension-Function-Error-Type: Extension.T"
        );
        passes(stage, &message(&head, b"{}"), &["lambda-extension-function-error-type"], ACCEPTED).await?;
    }
    Ok(())
}

pub async fn telemetry_subscription(stage: &Stage) -> Outcome {
    for path in ["/2022-07-01/telemetry", "/2020-08-15/logs"] {
        let head =
            format!("PUT {path} HTTP/1.1\r\nHost: x\r\nLambda-Extension-Identifier: conformance-1\r\nContent-Type: application/json");
        let body = br#"{"schemaVersion": "2022-12-13", "types": ["platform"], "destination":{"protocol":"HTTP","URI":"http://sandbox:1"}}"#;
        passes(stage, &message(&head, body), &["lambda-extension-identifier"], &message("HTTP/1.1 200 OK", b"OK")).await?;
    }
    Ok(())
}

pub async fn unknown_paths(stage: &Stage) -> Outcome {
    for path in ["/", "/2018-06-01/runtime/invocation/a/later", "/2030-01-01/runtime/invocation/next", "/2040-01-01/a//b/", "/ping"] {
        passes(stage, &message(&format!("POST {path} HTTP/1.1\r\nHost: x"), b"\0"), &[], &message("HTTP/1.1 299 Odd", b"new")).await?;
    }
    Ok(())
}

pub async fn query_and_escapes(stage: &Stage) -> Outcome {
    let request = message("POST /2018-06-01/runtime/later/%2Fa%20b/%41?c=%20d&&e;f HTTP/1.1\r\nHost: x", b"{}");
    passes(stage, &request, &[], ACCEPTED).await.map(|_| ())
}

pub async fn unknown_methods(stage: &Stage) -> Outcome {
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"] {
        let request = message(&format!("{method} /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x"), b"{}");
        passes(stage, &request, &[], &message("HTTP/1.1 405 Method Not Allowed\r\nAllow: POST", b"no")).await?;
    }
    Ok(())
}

pub async fn head_request(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(b"HEAD /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n").await?;
    let call = stage.platform.call().await?;
    same("the call", call.line(), "HEAD /2018-06-01/runtime/invocation/next")?;
    call.answer(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 700\r\n\r\n").await?;
    let got = runtime.read_as(Kind::AnswerToHead).await?;
    same("the length", got.values("content-length").concat(), "700")?;
    let (_, got) = stage.exchange(&mut runtime, &response("a", b"{}"), &event("b", b"[]")).await?;
    same("the answer that follows", got.body, b"[]")
}
