//! Problems before any fault: endpoints that serve nothing, and aims that are already missed.
//! Judged by the same rules as the fault phase.

use crate::expectation::Starts;
use crate::implied::{self, Asked};
use crate::intervals::{ONE_SIDE, holm};
use crate::latencies::{Latencies, Tag};
use crate::machine::Machine;
use crate::measurements::PhaseSpan;
use crate::misses::{Miss, Misses};
use crate::words::{count, percent};

/// The fewest requests without a right answer that cannot be chance.
const FEWEST: u64 = 5;

/// The problems of the baseline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems {
    /// Endpoints that served no request at all, in a sentence each.
    pub dead: Vec<String>,
    /// Aims that are missed.
    pub missed: Vec<String>,
}

/// What the baseline is judged on.
#[derive(Debug, Clone, Copy)]
pub struct Baseline<'a> {
    /// The aims, and latency from the intended time.
    pub asked: Asked<'a>,
    /// Latency from the actual time of sending.
    pub service_times: &'a Latencies,
    /// The time span.
    pub span: PhaseSpan,
    /// What this machine did to the requests.
    pub machine: Machine,
}

impl Baseline<'_> {
    /// The problems.
    pub fn problems(&self) -> Problems {
        let endpoints = self.asked.latencies.endpoints();
        Problems { dead: endpoints.iter().filter_map(|of| self.dead(of)).collect(), missed: self.missed(&endpoints) }
    }

    fn dead(&self, of: &str) -> Option<String> {
        let ours = |tag: &Tag| tag.phase == self.span.phase && tag.endpoint == of && tag.ended();
        let (all, failed) = (self.asked.latencies.count(ours), self.asked.latencies.count(|tag| ours(tag) && tag.is_error()));
        (all >= FEWEST && failed == all).then(|| format!("`{of}` served none of its {} requests", count(all)))
    }

    /// The missed aims, after the correction for many aims (Holm).
    fn missed(&self, endpoints: &[String]) -> Vec<String> {
        let mut asked_of: Vec<(String, f64)> = Vec::new();
        for aim in self.asked.expectations {
            let Some((miss, allowed)) = aim.bound.allows() else { continue };
            let p = self.p_missed(&aim.of, miss, allowed, aim.starts);
            asked_of.push((format!("`{}` misses {}", aim.of, aim.bound.asked()), p));
        }
        for of in endpoints {
            let Some(starts) = implied::without_faults(of, &self.asked, self.span.phase) else { continue };
            let cold = if starts == Starts::Cold { "cold " } else { "" };
            let what = format!("`{of}` fails more than {} of its {cold}requests", percent(implied::BASELINE));
            asked_of.push((what, self.p_missed(of, Miss::Failed, implied::BASELINE, starts)));
        }
        let adjusted = holm(&asked_of.iter().map(|(_, p)| *p).collect::<Vec<_>>());
        asked_of.into_iter().zip(adjusted).filter(|(_, p)| *p < ONE_SIDE).map(|((what, _), _)| what).collect()
    }

    fn p_missed(&self, of: &str, miss: Miss, allowed: f64, starts: Starts) -> f64 {
        let wanted = |tag: &Tag| tag.endpoint == of && starts.has(tag.cold);
        let p = |latencies, (miss, allowed)| Misses::of(latencies, self.span, miss, wanted).p_above(allowed);
        p(self.asked.latencies, (miss, allowed)).max(p(self.service_times, self.machine.forgives(miss, allowed)))
    }
}
