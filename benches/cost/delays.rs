//! The difference between an injected and a requested wait, seen from the platform: one at a time,
//! and a hundred at once.

use std::path::Path;

use crate::lambda::{self, Platform};
use crate::paths::Way;
use crate::single::{REST, p50};
use crate::support::{Done, quantile};
use crate::{Figure, NO_PLAN, ROOT, payload};

const ASKED_US: f64 = 20_000.0;
/// In force from the start, for a minute.
const SLOW: &str = r#"json:{"version":1,"run":"bench","sequence":1,"lease_ms":60000,"until_ms":4102444800000,"seed":7,"faults":[
    {"name":"slow","place":{"function":"f"},"share":1,"kind":{"latency":{"time":"20ms"}}}]}"#;
const AT_ONCE: usize = 100;

/// The wait beyond 20 ms, minus the time of an untouched event; p50 and p99 of `count` waits, and
/// of a hundred at once.
pub fn figures(extension: &Path, count: usize) -> Done<Vec<Figure>> {
    let payload = payload(1 << 10);
    let mut untouched = Platform::start(REST)?;
    let (_idle, address, _) = Way::Extension.start(extension, untouched.address, NO_PLAN)?;
    lambda::start_runtime(address, payload.clone())?;
    p50(&mut untouched, &payload, 50)?;
    let usual = p50(&mut untouched, &payload, 200)?;

    let mut platform = Platform::start(REST)?;
    let (part, address, _) = Way::Extension.start(extension, platform.address, SLOW)?;
    let mut part = part.ok_or("no extension")?;
    lambda::start_runtime(address, payload.clone())?;
    let mut late = Vec::with_capacity(count);
    for _ in 0..count {
        late.push(platform.invoke(ROOT, &payload)?.as_secs_f64() * 1e6 - ASKED_US - usual);
        // Reads the ledger, so that its pipe is never full.
        part.tell()?;
    }
    let mut crowd = Platform::start(REST)?;
    let (crowded, address, _) = Way::Extension.start(extension, crowd.address, SLOW)?;
    let mut crowded = crowded.ok_or("no extension")?;
    for _ in 0..AT_ONCE {
        lambda::start_runtime(address, payload.clone())?;
    }
    let took = crowd.invoke_at_once(AT_ONCE, ROOT, &payload)?;
    let mut late_at_once: Vec<f64> = took.iter().map(|took| took.as_secs_f64() * 1e6 - ASKED_US - usual).collect();
    let mut waited = Vec::with_capacity(AT_ONCE);
    while waited.len() < AT_ONCE {
        waited.extend(crowded.tell()?.pointer("/brownout/waited_us").and_then(serde_json::Value::as_f64).map(|us| us - ASKED_US));
    }

    let figure = |name: &str, value: f64, most: Option<f64>| Figure {
        name: format!("wait of 20 ms, error at {name}"),
        values: [f64::NAN, f64::NAN, value],
        unit: "us",
        bar: most.map_or_else(|| "none: 100 events share the processors".to_owned(), |most| format!("<= {most:.0} us")),
        met: most.is_none_or(|most| value.abs() <= most),
    };
    Ok(vec![
        figure("p50", quantile(&mut late, 0.5), Some(200.0)),
        figure("p99", quantile(&mut late, 0.99), Some(1_000.0)),
        figure("p50, 100 at once", quantile(&mut late_at_once, 0.5), None),
        figure("p99, 100 at once", quantile(&mut late_at_once, 0.99), None),
        figure("p99, 100 at once, by the ledger", quantile(&mut waited, 0.99), None),
    ])
}
