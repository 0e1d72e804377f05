//! Streamed responses, and messages that end early or are refused half-way.

use std::time::Duration;

use crate::messages::{ACCEPTED, NEXT, STREAM, message, noise, response};
use crate::platform::Call;
use crate::runtime::Runtime;
use crate::subject::Stage;
use crate::wire::{Kind, Outcome, Piece, check, same};

/// A stream of which the platform has the head.
async fn begun(stage: &Stage) -> Outcome<(Runtime, Call)> {
    let mut runtime = stage.runtime().await?;
    runtime.begin(STREAM).await?;
    Ok((runtime, stage.platform.call().await?))
}

/// A stream of which the platform has the first byte.
async fn flowing(stage: &Stage) -> Outcome<(Runtime, Call)> {
    let mut runtime = stage.runtime().await?;
    runtime.begin(&[STREAM, b"1\r\nx\r\n"].concat()).await?;
    let mut call = stage.platform.call().await?;
    same("the first byte", call.exactly(1).await?, b"x")?;
    Ok((runtime, call))
}

fn chunk(payload: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", payload.len()).as_bytes(), payload, b"\r\n"].concat()
}

pub async fn stream_of_24_mb(stage: &Stage) -> Outcome {
    let (count, piece) = (24 * 16, noise(64 << 10));
    let runtime = async {
        let mut runtime = stage.runtime().await?;
        runtime.begin(STREAM).await?;
        for _ in 0..count {
            runtime.write(&chunk(&piece)).await?;
        }
        runtime.write(b"0\r\n\r\n").await?;
        same("the status", runtime.read().await?.status(), "202")
    };
    let platform = async {
        let mut call = stage.platform.call().await?;
        for _ in 0..count {
            same("a piece of the stream", call.exactly(piece.len()).await?, &piece)?;
        }
        same("what follows", call.message().await?.body, b"")?;
        call.answer(ACCEPTED).await
    };
    tokio::try_join!(runtime, platform).map(|_| ())
}

pub async fn head_of_a_stream_goes_ahead(stage: &Stage) -> Outcome {
    begun(stage).await.map(|_| ())
}

pub async fn chunks_are_not_held_back(stage: &Stage) -> Outcome {
    let (mut runtime, mut call) = flowing(stage).await?;
    for n in 0..50_u8 {
        runtime.write(&chunk(&[n])).await?;
        same("a chunk", call.exactly(1).await?, [n])?;
    }
    runtime.write(b"0\r\n\r\n").await?;
    call.message().await?;
    call.answer(ACCEPTED).await?;
    same("the status", runtime.read().await?.status(), "202")
}

pub async fn pieces_of_an_event_are_not_held_back(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(NEXT).await?;
    let mut call = stage.platform.call().await?;
    call.write(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nContent-Length: 20\r\n\r\n!").await?;
    let (_, mut body) = runtime.head(Kind::Answer).await?;
    let mut got = Vec::new();
    for n in 0..20 {
        while got.len() <= n {
            match runtime.piece(&mut body).await? {
                Piece::Bytes(bytes) => got.extend(bytes),
                other => return Err(format!("{other:?} after {} bytes", got.len())),
            }
        }
        if n < 19 {
            call.write(b"!").await?;
        }
    }
    Ok(())
}

pub async fn trailers_arrive(stage: &Stage) -> Outcome {
    let (mut runtime, mut call) = flowing(stage).await?;
    runtime.write(b"0\r\nLambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n\r\n").await?;
    let trailers = call.message().await?.trailers.to_ascii_lowercase();
    for wanted in ["lambda-runtime-function-error-type: late\r\n", "lambda-runtime-function-error-body: eyjhijoxfq==\r\n"] {
        check(trailers.contains(wanted), format!("`{wanted}` is not among the trailers `{trailers}`"))?;
    }
    call.answer(ACCEPTED).await
}

pub async fn dying_runtime_is_seen_by_its_missing_chunk(stage: &Stage) -> Outcome {
    let (mut runtime, mut call) = flowing(stage).await?;
    runtime.write(b"5\r\nhello\r\n").await?;
    same("the last that it said", call.exactly(5).await?, b"hello")?;
    drop(runtime);
    check(call.message().await?.broken, "the platform takes it for a complete response")
}

pub async fn dying_runtime_is_seen_by_its_length(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    let whole = response("a", &noise(5000));
    runtime.begin(&whole[..whole.len() - 1000]).await?;
    let mut call = stage.platform.call().await?;
    call.exactly(4000).await?;
    drop(runtime);
    check(call.message().await?.broken, "the platform takes it for a complete response")
}

pub async fn broken_event_is_seen_as_broken(stage: &Stage) -> Outcome {
    for framing in ["Content-Length: 10\r\n\r\n{\"a\"", "Transfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n"] {
        let mut runtime = stage.runtime().await?;
        runtime.begin(NEXT).await?;
        let event = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\n{framing}");
        stage.platform.call().await?.answer_and_close(event.as_bytes()).await?;
        // No answer at all is acceptable too.
        if let Ok(got) = runtime.read().await {
            check(got.broken, "the runtime takes it for a complete event")?;
        }
    }
    Ok(())
}

/// A proxy that buffers accepts any amount. Only a writer that is blocked for this long shows that
/// this one does not buffer.
const STILL: Duration = Duration::from_secs(2);

pub async fn unread_stream_is_not_collected(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(STREAM).await?;
    let piece = chunk(&noise(1 << 20));
    for _ in 0..64 {
        match tokio::time::timeout(STILL, runtime.write(&piece)).await {
            Ok(written) => written?,
            Err(_) => return Ok(()),
        }
    }
    Err("64 MB were taken of which the platform has read nothing".to_owned())
}

pub async fn refusal_before_the_streams_end(stage: &Stage) -> Outcome {
    let (mut runtime, mut call) = flowing(stage).await?;
    call.write(&message("HTTP/1.1 413 Payload Too Large\r\nConnection: close", b"{}")).await?;
    same("the status", runtime.read().await?.status(), "413")
}
