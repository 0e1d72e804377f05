//! Bodies of every size and content, and how they are framed.

use crate::messages::{ACCEPTED, NEXT, event, message, noise, response};
use crate::subject::Stage;
use crate::wire::{Framing, Outcome, check, same};

/// Lambda's limit and a little more.
const SIX_MEGABYTES: usize = (6 << 20) + 100;

async fn both_ways(stage: &Stage, body: &[u8]) -> Outcome {
    let (_, got) = stage.once(NEXT, &event("a", body)).await?;
    same("the event", got.body, body)?;
    let (got, _) = stage.once(&response("a", body), ACCEPTED).await?;
    same("the response", got.body, body)
}

pub async fn large_event(stage: &Stage) -> Outcome {
    let body = noise(SIX_MEGABYTES);
    let (_, got) = stage.once(NEXT, &event("a", &body)).await?;
    same("the event", got.body, body)
}

pub async fn large_response(stage: &Stage) -> Outcome {
    let body = noise(SIX_MEGABYTES);
    let (got, _) = stage.once(&response("a", &body), ACCEPTED).await?;
    same("the response", got.body, body)
}

pub async fn json_is_not_written_again(stage: &Stage) -> Outcome {
    both_ways(stage, b" {\"b\" : 1.0,\t\"a\":1E2, \"a\":\"\\u0041\\/\", \"n\":12345678901234567890123}\r\n").await
}

pub async fn body_that_is_not_json(stage: &Stage) -> Outcome {
    both_ways(stage, b"<?xml version=\"1.0\"?>\n{\"half").await
}

pub async fn body_that_is_not_utf_8(stage: &Stage) -> Outcome {
    both_ways(stage, &(0..=255).chain([0xc3, 0x28, 0xff, 0xfe, 0]).collect::<Vec<u8>>()).await
}

pub async fn empty_bodies(stage: &Stage) -> Outcome {
    both_ways(stage, b"").await
}

pub async fn event_of_2048_bytes_keeps_its_length(stage: &Stage) -> Outcome {
    let (_, got) = stage.once(NEXT, &event("a", &noise(2048))).await?;
    check(got.framing == Framing::Length, format!("it came with {:?}", got.framing))
}

pub async fn event_of_2049_bytes_stays_chunked(stage: &Stage) -> Outcome {
    let (_, got) = stage.once(NEXT, &event("a", &noise(2049))).await?;
    check(got.framing == Framing::Chunked, format!("it came with {:?}", got.framing))
}

pub async fn response_keeps_its_length(stage: &Stage) -> Outcome {
    let (got, _) = stage.once(&response("a", &noise(5000)), ACCEPTED).await?;
    check(got.framing == Framing::Length, format!("it came with {:?}", got.framing))
}

pub async fn chunked_response_without_streaming_mode(stage: &Stage) -> Outcome {
    let head = "POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (got, _) = stage.once(format!("{head}6\r\n{{\"a\": \r\n2\r\n1}}\r\n0\r\n\r\n").as_bytes(), ACCEPTED).await?;
    same("the response", &got.body, b"{\"a\": 1}")?;
    check(got.framing == Framing::Chunked, format!("it came with {:?}", got.framing))
}

/// The strictest case: order, spacing, reasons, chunk sizes with their extensions.
pub async fn every_byte_both_ways(stage: &Stage) -> Outcome {
    let path = "/2018-06-01/runtime/invocation/a/response";
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost:x\r\nX-a:  1 \r\nTRANSFER-Encoding: chunked\r\nx-A: 3\r\n\r\n00004;x=1\r\n\u{1}\0 z\r\n0\r\nX-Late: 1\r\n\r\n"
    );
    let answer = message("HTTP/1.1 202 Taken, thanks\r\nx-AMZ-Odd:1\r\nDate: then\r\nX-Amz-Odd:   2", b"{\"status\" :\"OK\"}\n");
    let (received, answered) = stage.once(request.as_bytes(), &answer).await?;
    same("the request", received.whole(), request)?;
    same("the answer", answered.whole(), answer)?;
    for size in [0, 2048, 2049] {
        let sent = event("a", &noise(size));
        let (received, answered) = stage.once(NEXT, &sent).await?;
        same("the call of `next`", received.whole(), NEXT)?;
        same("the event", answered.whole(), sent)?;
    }
    Ok(())
}
