//! Returns what it was given, fails, or streams, as the event asks: the function for testing a
//! runtime. It makes no calls.

use std::time::Duration;

use lambda_runtime::streaming::Body;
use lambda_runtime::{Diagnostic, Error, FunctionResponse, LambdaEvent, StreamResponse, service_fn, streaming};
use serde_json::{Value, json};

/// The size of one piece of a stream.
const PIECE: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(answer)).await
}

async fn answer(event: LambdaEvent<Value>) -> Result<FunctionResponse<Value, Body>, Diagnostic> {
    let LambdaEvent { payload, context } = event;
    let number = |name: &str| payload.get(name).and_then(Value::as_u64).unwrap_or_default();
    match payload.get("do").and_then(Value::as_str).unwrap_or_default() {
        "raise" => return Err(Diagnostic { error_type: "Refused".to_owned(), error_message: "as asked".to_owned() }),
        "sleep" => tokio::time::sleep(Duration::from_millis(number("ms"))).await,
        "exit" => std::process::exit(i32::try_from(number("code")).unwrap_or(1)),
        "stream" => return Ok(FunctionResponse::StreamingResponse(stream(payload))),
        _ => {}
    }
    Ok(FunctionResponse::BufferedResponse(json!({
        "requestId": context.request_id, "deadlineMs": context.deadline, "arn": context.invoked_function_arn,
        "trace": context.xray_trace_id, "event": payload,
    })))
}

/// `bytes` of text. The second piece waits until the file `gate` exists, and the stream ends with
/// an error if `fail` is true.
fn stream(event: Value) -> StreamResponse<Body> {
    let (mut sender, body) = streaming::channel();
    tokio::spawn(async move {
        let mut left = event.get("bytes").and_then(Value::as_u64).and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let mut gate = event.get("gate").and_then(Value::as_str);
        while left > 0 {
            let piece = left.min(PIECE);
            left -= piece;
            // The platform is gone and does not read any more.
            if sender.send_data("x".repeat(piece).into()).await.is_err() {
                return;
            }
            if let Some(gate) = gate.take() {
                while !std::path::Path::new(gate).exists() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        if event.get("fail").and_then(Value::as_bool) == Some(true) {
            sender.abort();
        }
    });
    StreamResponse::from(body)
}
