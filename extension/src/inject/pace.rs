//! Passes on the handler's answer late, slowly, or not completely; the runtime is slowed down too,
//! so that no data piles up. The rate must never be exceeded, even to make up for a pause of the
//! runtime.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use faults::InjectedError;
use faults::kinds::stream::Pace;

use super::context::{Held, Injection};
use super::steps::pass_on;
use super::upload::{Change, Flow, Sent, upload};
use crate::connection::{self, Connection};
use crate::exchange::{Broken, Ended};
use crate::message::{RequestHead, for_another_body, mentions};

/// The time of one piece of a paced answer.
const TICK: Duration = Duration::from_millis(20);
/// The largest piece in bytes.
const LARGEST_PIECE: usize = 64 << 10;
/// The trailers that report an error within a stream. Source: AWS Lambda developer guide, "Using response streaming with custom runtimes".
const TRAILERS: [&str; 2] = ["Lambda-Runtime-Function-Error-Type", "Lambda-Runtime-Function-Error-Body"];

/// Sends the handler's answer as `pace` says. The fault counts as carried out only if all of it
/// was: not if the cut is after the answer's end, or if it has an error and the answer is not
/// chunked, and so has no trailers.
pub(super) async fn stream(
    injection: Injection<'_>,
    runtime: &mut Connection,
    request: &RequestHead,
    pace: &Pace,
) -> Result<Ended, Broken> {
    if let Some(time) = pace.first_byte
        && injection.hold(runtime, time.duration()).await == Held::Over
    {
        return pass_on(injection.context, runtime, request).await;
    }
    let chunked = request.body.is_chunked();
    let cuts = pace.cut_after.is_some_and(|after| request.body.length().is_none_or(|length| after < length));
    injection.done(if pace.error.is_some() { false } else { pace.cut_after.is_none() });
    if !chunked && !cuts && (pace.bytes_per_second.is_none() || request.body.is_done()) {
        return pass_on(injection.context, runtime, request).await;
    }
    let head = runtime.buffer.get(..request.length).unwrap_or_default();
    let announce = TRAILERS.into_iter().filter(|name| chunked && pace.error.is_some() && !mentions(head, "trailer", name));
    let more: String = announce.map(|name| format!("Trailer: {name}\r\n")).collect();
    let head = for_another_body(head, None, &more);
    upload(injection, runtime, request, &head, Change::Pace(pace)).await
}

pub(super) async fn send(flow: &mut Flow<'_>, pace: &Pace, injection: &Injection<'_>) -> Result<Sent, connection::Broken> {
    let mut clock = pace.bytes_per_second.map(Clock::new);
    let mut error = pace.error.as_ref().filter(|_| flow.chunked);
    let mut left = pace.cut_after.unwrap_or(u64::MAX);
    loop {
        if left == 0 && !flow.body.is_done() {
            break;
        }
        let most = clock.as_ref().map_or(LARGEST_PIECE, Clock::piece).min(usize::try_from(left).unwrap_or(usize::MAX)).max(1);
        let Some(piece) = flow.next(most).await? else { break };
        left -= piece.len() as u64;
        if let Some(pacing) = &mut clock
            && !injection.wait(pacing.wait_for(piece.len(), Instant::now())).await
        {
            // The rest is passed on as it comes.
            (clock, error, left) = (None, None, u64::MAX);
        }
        if flow.body.is_done() {
            injection.tell();
        }
        flow.pass_on(&piece).await?;
    }
    if let Some(error) = error {
        let own = if flow.body.is_past_payload() { flow.trailers().await?.to_vec() } else { b"\r\n".to_vec() };
        injection.done(true);
        injection.tell();
        flow.end(&with_error(&own, error)).await?;
        return Ok(Sent::Whole);
    }
    if left == 0 && !flow.body.is_done() {
        injection.done(pace.error.is_none());
        injection.tell();
        return Ok(Sent::Cut);
    }
    let trailers = flow.trailers().await?;
    injection.tell();
    flow.end(&trailers).await?;
    Ok(Sent::Whole)
}

/// The trailer lines with this error instead of any other.
fn with_error(own: &[u8], error: &InjectedError) -> Vec<u8> {
    let is_error = |line: &&[u8]| {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        TRAILERS.iter().any(|trailer| name.eq_ignore_ascii_case(trailer.as_bytes()))
    };
    let others = own.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty() && !is_error(line));
    let mut lines: Vec<u8> = others.flatten().copied().collect();
    let body = serde_json::json!({ "errorMessage": error.message, "errorType": error.error_type }).to_string();
    let [kind, what] = TRAILERS;
    lines.extend_from_slice(format!("{kind}: {}\r\n{what}: {}\r\n\r\n", error.error_type, STANDARD.encode(body)).as_bytes());
    lines
}

/// When the next bytes are due.
struct Clock {
    per_second: u64,
    due: Option<Instant>,
}

impl Clock {
    const fn new(per_second: u64) -> Self {
        Self { per_second, due: None }
    }

    /// How many bytes are sent at once.
    fn piece(&self) -> usize {
        usize::try_from(self.per_second / 50).unwrap_or(usize::MAX).clamp(1, LARGEST_PIECE)
    }

    /// How long a piece that arrives at `now` must wait at this rate. A late wait is made up for,
    /// up to a tick.
    fn wait_for(&mut self, bytes: usize, now: Instant) -> Duration {
        let from = self.due.filter(|due| *due + TICK >= now).unwrap_or(now);
        let due = from + Duration::from_secs_f64(bytes as f64 / self.per_second as f64);
        self.due = Some(due);
        due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_and_a_pause_is_not_made_up_for() {
        let (mut clock, began) = (Clock::new(1000), Instant::now());
        assert_eq!(clock.piece(), 20);
        let at = |ms| began + Duration::from_millis(ms);
        for (now, wait) in [(0, 20), (21, 19), (20, 40), (500, 20), (520, 20)] {
            assert_eq!(clock.wait_for(20, at(now)), Duration::from_millis(wait), "at {now} ms");
        }
        assert_eq!((Clock::new(1).piece(), Clock::new(1 << 30).piece()), (1, LARGEST_PIECE));
    }

    #[test]
    fn an_error_replaces_another() {
        let error = InjectedError { error_type: "T".into(), message: "m".into() };
        let own = b"X-Own: 1\r\nlambda-runtime-function-error-type: Own\r\n\r\n";
        let lines = String::from_utf8(with_error(own, &error)).unwrap();
        let body = STANDARD.encode(r#"{"errorMessage":"m","errorType":"T"}"#);
        let expected = format!("X-Own: 1\r\nLambda-Runtime-Function-Error-Type: T\r\nLambda-Runtime-Function-Error-Body: {body}\r\n\r\n");
        assert_eq!(lines, expected);
    }
}
