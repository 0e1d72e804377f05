//! Whether this machine, and not the system under test, made invocations wait.

use crate::measurements::Measurements;
use crate::words::{count, time};

/// Why the platform was the bottleneck, if it was. Waits behind a start that a fault made slow are
/// the fault's effect.
pub(crate) fn platform_trouble(measured: &Measurements) -> Option<String> {
    let platform = &measured.platform;
    let is_init =
        |name: &str| measured.experiment.faults.iter().any(|fault| fault.name == name && matches!(fault.kind, faults::Kind::Init(_)));
    if measured.injections.iter().any(|row| row.struck > 0 && is_init(&row.fault)) {
        return None;
    }
    let wait_us = platform.queue_p99.as_secs_f64() * 1e6;
    (platform.queued > 0 && wait_us > 5_000.0 && platform.queued * 100 > platform.invocations).then(|| {
        format!(
            "{} of {} invocations waited for an environment, {} at p99",
            count(platform.queued),
            count(platform.invocations),
            time(wait_us)
        )
    })
}

/// How long invocations waited for this machine at p99, in microseconds; 0 if it was not the
/// bottleneck.
pub(crate) fn machine_wait_us(measured: &Measurements) -> u64 {
    platform_trouble(measured).map_or(0, |_| u64::try_from(measured.platform.queue_p99.as_micros()).unwrap_or(u64::MAX))
}
