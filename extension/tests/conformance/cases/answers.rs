//! The platform's answers come back unchanged, successes and errors.

use crate::messages::{ACCEPTED, NEXT, message, response};
use crate::subject::Stage;
use crate::wire::{Outcome, check, same};

async fn comes_back(stage: &Stage, request: &[u8], status: &str, body: &[u8]) -> Outcome {
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nX-Amzn-Why: told");
    let (_, got) = stage.once(request, &message(&head, body)).await?;
    same("the status", got.status(), &status[..3])?;
    same("the body", &got.body, body)?;
    same("the type", got.values("content-type").concat(), "application/json")
}

pub async fn accepted_202(stage: &Stage) -> Outcome {
    comes_back(stage, &response("a", b"{}"), "202 Accepted", b"{\"status\":\"OK\"}\n").await
}

pub async fn refused_400(stage: &Stage) -> Outcome {
    let why = br#"{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}"#;
    comes_back(stage, &response("unknown", b"{}"), "400 Bad Request", why).await
}

pub async fn refused_403(stage: &Stage) -> Outcome {
    let why = br#"{"errorMessage":"State transition from Ready to InvocationResponse failed","errorType":"InvalidStateTransition"}"#;
    comes_back(stage, &response("a", b"{}"), "403 Forbidden", why).await
}

pub async fn too_large_413(stage: &Stage) -> Outcome {
    let why = br#"{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}"#;
    comes_back(stage, &response("a", &vec![b'x'; 6_291_557]), "413 Request Entity Too Large", why).await
}

pub async fn failed_500(stage: &Stage) -> Outcome {
    comes_back(stage, &response("a", b"{}"), "500 Internal Server Error", b"").await
}

pub async fn next_refused_403(stage: &Stage) -> Outcome {
    comes_back(stage, NEXT, "403 Forbidden", br#"{"errorMessage":"no","errorType":"InvalidStateTransition"}"#).await
}

pub async fn next_failed_500(stage: &Stage) -> Outcome {
    comes_back(stage, NEXT, "500 Internal Server Error", br#"{"errorMessage":"no","errorType":"InternalServerError"}"#).await
}

pub async fn answer_without_body_204(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    let (_, got) = stage.exchange(&mut runtime, &response("a", b"{}"), b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n").await?;
    same("the status", got.status(), "204")?;
    let (_, got) = stage.exchange(&mut runtime, &response("b", b"{}"), ACCEPTED).await?;
    same("the next status", got.status(), "202")
}

pub async fn answer_that_ends_with_its_connection(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(&response("a", b"{}")).await?;
    let mut call = stage.platform.call().await?;
    call.message().await?;
    call.answer_and_close(b"HTTP/1.1 202 Accepted\r\nConnection: close\r\n\r\n{\"status\":\"OK\"}\n").await?;
    let got = runtime.read().await?;
    same("the body", &got.body, b"{\"status\":\"OK\"}\n")?;
    check(!got.broken, "the answer broke off")
}
