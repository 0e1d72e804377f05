//! From the head of an event and the plan in force to what is decided about it. It carries nothing out,
//! and a mistake in it must never cost the event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::{Facts, Identity, trace_root};

use crate::ledger::{Handed, Invocation, Ledger, Line, lock, start};
use crate::meanwhile::Meanwhile;
use crate::message::header;
use crate::plan_sources::InForce;

/// No invocation has more time than this, whatever the clocks say.
const LONGEST: Duration = Duration::from_secs(900);

/// Who an event is, from the head that it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Lambda's request id.
    pub request_id: String,
    /// The root of the trace id.
    pub root: Option<String>,
}

impl Who {
    /// Reads the head; `None` where it is not an event's.
    pub fn read(head: &[u8]) -> Option<Self> {
        let request_id = header(head, "lambda-runtime-aws-request-id")?.to_owned();
        let root = header(head, "lambda-runtime-trace-id").and_then(trace_root).map(str::to_owned);
        Some(Self { request_id, root })
    }
}

/// When the event's deadline comes. The header is on the wall clock, which is read once; from then on the monotonic clock counts.
pub fn deadline(head: &[u8]) -> Option<Instant> {
    let ms: u64 = header(head, "lambda-runtime-deadline-ms")?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Instant::now().checked_add(Duration::from_millis(ms).saturating_sub(now).min(LONGEST))
}

/// Decides about one event of which this is known; `None` where no fault is about it.
pub fn decide(plan: &InForce, ledger: &Ledger, who: Who, deadline: Option<Instant>, facts: &Facts<'_>) -> Option<Invocation> {
    let identity = Identity(who.root.as_deref().unwrap_or(&who.request_id));
    let decided = catch_unwind(AssertUnwindSafe(|| {
        let (mut lines, mut control) = (Vec::new(), Vec::with_capacity(plan.plan.faults.len()));
        for (at, rolled) in plan.plan.roll(ledger.function(), identity, facts, &mut lock(ledger.memory())) {
            match plan.names.get(at).filter(|_| !rolled.is_notable()) {
                Some(name) => control.push(name.clone()),
                None => lines.push(Line::new(rolled.decision())),
            }
        }
        (lines, control)
    }));
    let Ok((lines, control)) = decided else {
        ledger.note("deciding failed: the event passes untouched");
        return None;
    };
    if lines.is_empty() && control.is_empty() {
        return None;
    }
    Some(Invocation {
        request_id: who.request_id,
        root: who.root,
        run: plan.plan.run.clone(),
        sequence: plan.plan.sequence,
        start: start(facts.request),
        deadline,
        lines,
        control,
        guard: None,
        told: false,
        handed: Handed::default(),
        meanwhile: Meanwhile::default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_known_by_its_head() {
        let head = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r-1\r\nLambda-Runtime-Trace-Id: Root=1-a-b;Sampled=1\r\n\r\n";
        assert_eq!(Who::read(head), Some(Who { request_id: "r-1".into(), root: Some("1-a-b".into()) }));
        assert_eq!(Who::read(b"HTTP/1.1 200 OK\r\n\r\n"), None);
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
