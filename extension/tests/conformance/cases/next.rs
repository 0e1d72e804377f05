//! Waiting for events: cancelled, long, many at once, with clocks that jump.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::messages::{ACCEPTED, NEXT, event, event_until, message, noise, response};
use crate::runtime::Runtime;
use crate::subject::Stage;
use crate::wire::{Outcome, same};

/// How long a proxy may take to drop a `next` whose runtime is gone. It does not have to drop it.
const LET_GO: Duration = Duration::from_millis(500);

pub async fn cancelled_next_swallows_no_event(stage: &Stage) -> Outcome {
    for n in 0..3 {
        let mut first = stage.runtime().await?;
        first.begin(NEXT).await?;
        let call = stage.platform.call().await?;
        drop(first);
        tokio::time::sleep(LET_GO).await;
        let (id, mut second) = (format!("id-{n}"), stage.runtime().await?);
        second.begin(NEXT).await?;
        // The platform gives the event to the first caller that still waits.
        let call = if call.is_closed() { stage.platform.call().await? } else { call };
        call.answer(&event(&id, b"{}")).await?;
        same("the event's id", second.read().await?.values("lambda-runtime-aws-request-id").concat(), id)?;
    }
    Ok(())
}

pub async fn long_next(stage: &Stage) -> Outcome {
    let seconds = std::env::var("CONFORMANCE_HOLD_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(5);
    let mut runtime = stage.runtime().await?;
    runtime.begin(NEXT).await?;
    let call = stage.platform.call().await?;
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    call.answer(&event("late", b"{}")).await?;
    same("the event's id", runtime.read().await?.values("lambda-runtime-aws-request-id").concat(), "late")
}

async fn with_deadline(stage: &Stage, shift_ms: i128) -> Outcome {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| error.to_string())?.as_millis();
    let deadline = now.saturating_add_signed(shift_ms);
    let mut runtime = stage.runtime().await?;
    let (_, got) = stage.exchange(&mut runtime, NEXT, &event_until("a", deadline, "", b"{}")).await?;
    same("the status", got.status(), "200")?;
    same("the deadline", got.values("lambda-runtime-deadline-ms").concat(), deadline.to_string())?;
    let (received, got) = stage.exchange(&mut runtime, &response("a", b"[1]"), ACCEPTED).await?;
    same("the response", received.body, b"[1]")?;
    same("the status", got.status(), "202")?;
    stage.platform.no_more().await
}

pub async fn deadline_in_the_past(stage: &Stage) -> Outcome {
    with_deadline(stage, -3_600_000).await
}

pub async fn deadline_an_hour_ahead(stage: &Stage) -> Outcome {
    with_deadline(stage, 3_600_000).await
}

const POLLERS: usize = 16;
const EVENTS: usize = 30;

async fn poll(mut runtime: Runtime) -> Outcome {
    for _ in 0..EVENTS {
        runtime.begin(NEXT).await?;
        let got = runtime.read().await?;
        let id = got.values("lambda-runtime-aws-request-id").concat();
        same("the event", &got.body, body(&id))?;
        runtime.begin(&response(&id, &body(&id))).await?;
        same("the acknowledgement", runtime.read().await?.body, &id)?;
    }
    Ok(())
}

fn body(id: &str) -> Vec<u8> {
    [id.as_bytes(), &noise(id.len() * 700)].concat()
}

pub async fn sixteen_pollers(stage: &Stage) -> Outcome {
    let mut pollers = Vec::new();
    for _ in 0..POLLERS {
        pollers.push(tokio::spawn(poll(stage.runtime().await?)));
    }
    let (mut given, mut first) = (0, Vec::new());
    // No answer is sent before all have called.
    for _ in 0..POLLERS {
        first.push(stage.platform.call().await?);
    }
    for _ in 0..2 * POLLERS * EVENTS {
        let mut call = match first.pop() {
            Some(call) => call,
            None => stage.platform.call().await?,
        };
        let got = call.message().await?;
        match call.line().strip_prefix("POST /2018-06-01/runtime/invocation/").and_then(|rest| rest.strip_suffix("/response")) {
            Some(id) => {
                same("the response", got.body, body(id))?;
                let answer = message("HTTP/1.1 202 Accepted", id.as_bytes());
                call.answer(&answer).await?;
            }
            None => {
                let id = format!("id-{}", "n".repeat(given % 7)) + &given.to_string();
                given += 1;
                call.answer(&event(&id, &body(&id))).await?;
            }
        }
    }
    for poller in pollers {
        poller.await.map_err(|error| error.to_string())??;
    }
    Ok(())
}

pub async fn sixteen_waiting_at_once(stage: &Stage) -> Outcome {
    let (mut runtimes, mut calls) = (Vec::new(), Vec::new());
    for _ in 0..POLLERS {
        let mut runtime = stage.runtime().await?;
        runtime.begin(NEXT).await?;
        calls.push(stage.platform.call().await?);
        runtimes.push(runtime);
    }
    // Answered in another order than called: each gets its own event.
    for (n, call) in calls.into_iter().enumerate().rev() {
        call.answer(&event(&format!("id-{n}"), b"{}")).await?;
    }
    for (n, runtime) in runtimes.iter_mut().enumerate() {
        same("the event's id", runtime.read().await?.values("lambda-runtime-aws-request-id").concat(), format!("id-{n}"))?;
    }
    Ok(())
}
