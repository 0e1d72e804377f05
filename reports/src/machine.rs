//! Whether this machine, and not the system under test, made invocations wait.

use crate::latencies::Phase;
use crate::measurements::{Measurements, Processors};
use crate::misses::Miss;
use crate::words::{count, time};

/// What this machine did to the requests of a phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Machine {
    /// How long invocations waited for it at p99, in microseconds; that time does not count against
    /// an aim.
    pub wait_us: u64,
    /// How its processors were used, if that is known.
    pub processors: Option<Processors>,
}

impl Machine {
    /// In a phase of a run.
    pub(crate) fn during(phase: Phase, measured: &Measurements) -> Self {
        Self { wait_us: machine_wait_us(measured), processors: measured.platform.processors.get(&phase).copied() }
    }

    /// When a request misses an aim, and which share may miss it, before the aim is broken. While
    /// other programs take the processors, healthy functions are slow and reach their timeouts: then
    /// most requests must miss ten times the bound.
    pub(crate) fn forgives(self, miss: Miss, allowed: f64) -> (Miss, f64) {
        let punctual = miss.later_by(self.wait_us);
        if self.is_taken() { (punctual.times(10), allowed.max(0.5)) } else { (punctual, allowed) }
    }

    fn is_taken(self) -> bool {
        self.processors.is_some_and(Processors::are_taken)
    }

    /// Why an aim that many requests missed is not broken.
    pub(crate) fn excuse(self) -> Option<String> {
        let taken = self.processors.filter(|processors| processors.are_taken())?;
        Some(format!("not by most requests and ten times, while other programs took {} % of this machine's processors", taken.others))
    }
}

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
fn machine_wait_us(measured: &Measurements) -> u64 {
    platform_trouble(measured).map_or(0, |_| u64::try_from(measured.platform.queue_p99.as_micros()).unwrap_or(u64::MAX))
}
