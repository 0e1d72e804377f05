//! Parses the head of an event: which invocation it is and when it must be answered. It reads no
//! body and decides nothing.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::{identity, trace_root};

use crate::message::header;

/// The header with the trace, in lower case.
const TRACE: &str = "lambda-runtime-trace-id";
/// The header with Lambda's request id, in lower case.
const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
/// Lambda's longest timeout: a deadline is never further away, whatever the clocks say.
const LONGEST: Duration = Duration::from_secs(900);

/// Which invocation an event belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventIdentity {
    /// Lambda's request id.
    pub request_id: String,
    /// The root of the trace id.
    pub root: Option<String>,
}

impl EventIdentity {
    /// Reads the head; `None` if it is not an event's.
    pub fn read(head: &[u8]) -> Option<Self> {
        let request_id = request_id(head)?.to_owned();
        let root = header(head, TRACE).and_then(trace_root).map(str::to_owned);
        Some(Self { request_id, root })
    }
}

/// Lambda's request id; `None` if the head is not an event's.
pub fn request_id(head: &[u8]) -> Option<&str> {
    header(head, REQUEST_ID)
}

/// Which delivery of its request the event is, from 1; 0 if the platform does not say.
pub fn delivery(head: &[u8]) -> u32 {
    header(head, TRACE).map_or(0, identity::delivery)
}

/// The event's deadline. The header uses the wall clock, which is read once; from then on the
/// monotonic clock counts.
pub fn deadline(head: &[u8]) -> Option<Instant> {
    let ms: u64 = header(head, "lambda-runtime-deadline-ms")?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Instant::now().checked_add(Duration::from_millis(ms).saturating_sub(now).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_identifies_the_invocation_of_an_event() {
        let head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Trace-Id: Root=1-a-b;Sampled=1\r\n\r\n";
        assert_eq!(EventIdentity::read(head), Some(EventIdentity { request_id: "r-1".into(), root: Some("1-a-b".into()) }));
        assert_eq!(EventIdentity::read(b"HTTP/1.1 200 OK\r\n\r\n"), None);
        assert_eq!(delivery(head), 0);
        assert_eq!(delivery(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Trace-Id: Root=1-a-b;Sampled=1;Delivery=3\r\n\r\n"), 3);
    }

    #[test]
    fn a_deadline_is_never_further_away_than_lambda_allows() {
        for (value, shortest, longest) in [("0", 0, 0), ("99999999999999", 899, 900)] {
            let head = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: {value}\r\n\r\n");
            let left = deadline(head.as_bytes()).unwrap().saturating_duration_since(Instant::now());
            assert!((shortest..=longest).contains(&left.as_secs()), "{value}: {left:?}");
        }
        assert_eq!(deadline(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Deadline-Ms: soon\r\n\r\n"), None);
    }
}
