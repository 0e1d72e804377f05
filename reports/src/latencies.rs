//! What was measured, as histograms: one for each second, endpoint, phase, arm and outcome.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::counts::{Counts, lowest_equivalent};

/// The part of the run in which a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Traffic flows, nothing is recorded.
    WarmUp,
    /// No fault is in force; aims and invariants must hold already.
    Baseline,
    /// The faults are in force.
    Fault,
    /// After the calm.
    Recovery,
}

/// The arm under which a request is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ArmTag {
    /// At least one fault struck on its way.
    Treatment,
    /// Eligible, and left alone by every fault.
    Control,
    /// No fault was about it (another endpoint, a cached decision, no plan in force).
    Untouched,
    /// A new environment stood in its way; counted apart whatever the arm.
    Cold,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered with a status that the request calls right.
    Answered,
    /// Answered with any other status, or the connection failed.
    Failed,
    /// No answer within the generator's patience.
    TimedOut,
    /// Still under way when the run ended.
    Cancelled,
}

/// What a histogram is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// Such as `clinic GET /appointment/{id}`. Neither comma nor line break; spaces become `_` in the interval log.
    pub endpoint: String,
    /// When it was due.
    pub phase: Phase,
    /// Its arm.
    pub arm: ArmTag,
    /// How it ended.
    pub outcome: Outcome,
}

/// One second of one tag, over and compact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntervalHistogram {
    /// Seconds from the start of the recording.
    pub second: u32,
    /// What it is about.
    pub tag: Tag,
    /// Which half of the control arm; false for all others.
    pub half: bool,
    /// Pairs of (lowest value of a bucket in microseconds, count), sorted.
    pub pairs: Vec<(u32, u32)>,
}

/// The longest latency that is told apart: one hour.
pub const LONGEST_US: u64 = 3_600_000_000;

/// A tag and the half of the control arm.
type Key = (Tag, bool);

/// All histograms of a run. A second is open until it is closed; a request that ends later opens its second again.
#[derive(Debug, Default)]
pub struct Latencies {
    /// Indexed by tag first, so that a record needs no copy of its tag.
    keys: HashMap<Tag, [usize; 2]>,
    names: Vec<Key>,
    open: BTreeMap<u32, HashMap<usize, Histogram<u32>>>,
    closed: BTreeMap<(u32, usize), Vec<(u32, u32)>>,
    /// Histograms to be used again: a new one is 90 KB to be fetched from the system.
    spare: Vec<Histogram<u32>>,
}

impl Latencies {
    /// Counts one request: due `second` seconds after the start of the run, answered `latency_us` microseconds after it was due.
    /// `half` is a coin that hangs on the request's root alone; it matters for the control arm only.
    pub fn record(&mut self, second: u32, tag: &Tag, latency_us: u64, half: bool) {
        let key = self.key(tag, half);
        let histograms = self.open.entry(second).or_default();
        if let Some(histogram) = histograms.get_mut(&key) {
            histogram.saturating_record(latency_us.clamp(1, LONGEST_US));
        } else if let Some(mut histogram) = self.spare.pop().or_else(empty) {
            histogram.saturating_record(latency_us.clamp(1, LONGEST_US));
            histograms.insert(key, histogram);
        }
    }

    fn key(&mut self, tag: &Tag, half: bool) -> usize {
        let half = half && tag.arm == ArmTag::Control;
        let index = usize::from(half);
        if let Some(known) = self.keys.get(tag) {
            return if half { known[1] } else { known[0] };
        }
        let first = self.names.len();
        self.names.extend([(tag.clone(), false), (tag.clone(), true)]);
        self.keys.insert(tag.clone(), [first, first + 1]);
        first + index
    }

    /// Closes the seconds before `second` and hands them out, for the log.
    pub fn close_before(&mut self, second: u32) -> Vec<IntervalHistogram> {
        let later = self.open.split_off(&second);
        let over = std::mem::replace(&mut self.open, later);
        let mut intervals = Vec::new();
        for (second, histograms) in over {
            let mut histograms: Vec<_> = histograms.into_iter().collect();
            histograms.sort_unstable_by_key(|(key, _)| *key);
            for (key, mut histogram) in histograms {
                let pairs = pairs_of(&histogram);
                histogram.reset();
                if self.spare.len() < 64 {
                    self.spare.push(histogram);
                }
                add(self.closed.entry((second, key)).or_default(), &pairs);
                if let Some((tag, half)) = self.names.get(key).cloned() {
                    intervals.push(IntervalHistogram { second, tag, half, pairs });
                }
            }
        }
        intervals
    }

    /// Adds an interval that was recorded elsewhere: another worker, or read from a log.
    pub fn add(&mut self, interval: &IntervalHistogram) {
        let key = self.key(&interval.tag, interval.half);
        add(self.closed.entry((interval.second, key)).or_default(), &interval.pairs);
    }

    /// Shows every second of every tag, open or closed: second, tag, half, pairs.
    pub fn visit(&self, mut see: impl FnMut(u32, &Tag, bool, &[(u32, u32)])) {
        for ((second, key), pairs) in &self.closed {
            if let Some((tag, half)) = self.names.get(*key) {
                see(*second, tag, *half, pairs);
            }
        }
        for (second, histograms) in &self.open {
            for (key, histogram) in histograms {
                if let Some((tag, half)) = self.names.get(*key) {
                    see(*second, tag, *half, &pairs_of(histogram));
                }
            }
        }
    }

    /// Everything that `keep` wants (second, tag, half), added up.
    pub fn counts(&self, keep: impl Fn(u32, &Tag, bool) -> bool) -> Counts {
        let mut all = Vec::new();
        self.visit(|second, tag, half, pairs| {
            if keep(second, tag, half) {
                all.extend(pairs.iter().map(|(value, count)| (*value, u64::from(*count))));
            }
        });
        Counts::merge(all)
    }

    /// The same, apart for each block: `keep` names the block.
    pub fn blocks(&self, keep: impl Fn(u32, &Tag, bool) -> Option<usize>) -> BTreeMap<usize, Counts> {
        let mut all: BTreeMap<usize, Vec<(u32, u64)>> = BTreeMap::new();
        self.visit(|second, tag, half, pairs| {
            if let Some(block) = keep(second, tag, half) {
                all.entry(block).or_default().extend(pairs.iter().map(|(value, count)| (*value, u64::from(*count))));
            }
        });
        all.into_iter().map(|(block, pairs)| (block, Counts::merge(pairs))).collect()
    }

    /// The names of all endpoints, sorted.
    pub fn endpoints(&self) -> Vec<String> {
        let names: BTreeSet<_> = self.names.iter().map(|(tag, _)| tag.endpoint.clone()).collect();
        names.into_iter().collect()
    }
}

fn empty() -> Option<Histogram<u32>> {
    Histogram::new_with_bounds(1, LONGEST_US, 3).ok()
}

fn pairs_of(histogram: &Histogram<u32>) -> Vec<(u32, u32)> {
    let low = |value: u64| lowest_equivalent(u32::try_from(value).unwrap_or(u32::MAX));
    histogram.iter_recorded().map(|step| (low(step.value_iterated_to()), step.count_at_value())).collect()
}

fn add(into: &mut Vec<(u32, u32)>, pairs: &[(u32, u32)]) {
    if into.is_empty() {
        into.extend_from_slice(pairs);
        return;
    }
    let mut sums: BTreeMap<u32, u32> = into.iter().copied().collect();
    for (value, count) in pairs {
        let sum = sums.entry(*value).or_default();
        *sum = sum.saturating_add(*count);
    }
    *into = sums.into_iter().collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(arm: ArmTag) -> Tag {
        Tag { endpoint: "clinic GET /appointment/{id}".into(), phase: Phase::Fault, arm, outcome: Outcome::Answered }
    }

    #[test]
    fn a_second_that_is_closed_counts_like_an_open_one_and_opens_again_for_a_late_request() {
        let mut latencies = Latencies::default();
        for n in 1..=100 {
            latencies.record(3, &tag(ArmTag::Control), n * 1_000, n % 2 == 0);
        }
        latencies.record(9, &tag(ArmTag::Control), 5, false);
        let before = latencies.counts(|_, _, _| true);
        let closed = latencies.close_before(9);
        assert_eq!(closed.len(), 2, "two halves of one second");
        latencies.record(3, &tag(ArmTag::Control), 1_000, false);
        assert_eq!(before.total(), 101);
        let all = latencies.counts(|_, _, _| true);
        assert_eq!(all.total(), 102);
        assert_eq!(latencies.close_before(u32::MAX).len(), 2);
        assert_eq!(latencies.counts(|_, _, _| true), all);
        assert_eq!(latencies.counts(|_, _, half| half).total(), 50);
    }

    #[test]
    fn only_the_control_arm_has_halves() {
        let mut latencies = Latencies::default();
        latencies.record(0, &tag(ArmTag::Treatment), 7, true);
        assert_eq!(latencies.counts(|_, _, half| half).total(), 0);
    }
}
