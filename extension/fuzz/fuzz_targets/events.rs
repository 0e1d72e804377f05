//! Any event has facts, and any filter decides about them quickly: an event must not be delayed by
//! its filter. A message's id is written to the ledger, so it must be an id for any event. The
//! filter's JSON is before the first NUL byte, the event after it.

#![no_main]

use std::time::{Duration, Instant};

use faults::{Facts, Places, Trigger, When};
use libfuzzer_sys::fuzz_target;

/// Hundreds of times what the slowest one needs, so that even on a busy machine only unbounded
/// growth takes longer.
const SOON: Duration = Duration::from_secs(2);

fuzz_target!(|bytes: &[u8]| {
    let nul = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (filter, event) = (&bytes[..nul], bytes.get(nul + 1..).unwrap_or_default());
    let began = Instant::now();
    let _ = Trigger::told_by(event);
    if let Some(id) = faults::facts::message(event) {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_:.".contains(&byte));
        assert!(plain && (1..=145).contains(&id.len()), "{id:?}");
    }
    let Ok(when) = serde_json::from_slice::<When>(filter) else { return };
    let complaints = when.complaints();
    if complaints.is_empty() {
        let places = Places::of(when.places());
        let known = |facts: Facts<'_>| when.matches(&facts.at_place(1));
        let matches = places.read(event, true).map(known).expect("of a whole event all is known");
        let early = places.read(&event[..event.len() / 2], false).map(known);
        // The bytes after the part that was read may not be UTF-8.
        let is_text = std::str::from_utf8(event).is_ok();
        assert!(early.is_none_or(|early| early == matches || !is_text), "what is known before the end stays so");
        let of_the_environment = when.start.is_some() || when.requests.is_some();
        assert!(matches || when.needs_event() || of_the_environment, "a filter that asks for nothing means every event");
    }
    assert!(began.elapsed() < SOON, "{:?} for {when:?}", began.elapsed());
    let again: When = serde_json::from_str(&serde_json::to_string(&when).unwrap()).unwrap();
    assert_eq!(again, when);
});
