//! The measured latencies as histograms: one for each second, endpoint, phase, arm and outcome.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::counts::{Counts, lowest_equivalent};
use crate::rolls::{ArmTag, Rolls};

/// The part of the run in which a request was due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Load is sent, nothing is recorded.
    WarmUp,
    /// No fault is in force; aims and invariants must already hold.
    Baseline,
    /// The faults are in force.
    Fault,
    /// After the calm.
    Recovery,
}

impl Phase {
    /// Every one, in order.
    pub const ALL: [Self; 4] = [Self::WarmUp, Self::Baseline, Self::Fault, Self::Recovery];
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Answered with a status that its request calls right.
    Answered,
    /// Answered with any other status, or the connection failed.
    Failed,
    /// No answer within the generator's timeout.
    TimedOut,
    /// Still in progress when the run ended.
    Cancelled,
}

impl Outcome {
    /// Every one.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Failed, Self::TimedOut, Self::Cancelled];

    /// Its name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it is a failure or a timeout.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut)
    }
}

/// What a histogram is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// Such as `clinic GET /appointment/{id}`. It must not contain a comma or a line break; spaces
    /// become `_` in the interval log.
    pub endpoint: String,
    /// The phase in which it was due.
    pub phase: Phase,
    /// Its rolls.
    pub rolls: Rolls,
    /// Whether it waited for a new environment.
    pub cold: bool,
    /// How it ended.
    pub outcome: Outcome,
}

impl Tag {
    /// Its arm.
    pub const fn arm(&self) -> ArmTag {
        self.rolls.arm()
    }

    /// Whether it counts: a request that the end of the run cancelled does not.
    pub fn ended(&self) -> bool {
        self.outcome != Outcome::Cancelled
    }

    /// Whether it failed or timed out.
    pub fn is_error(&self) -> bool {
        self.outcome.is_error()
    }
}

/// One closed second of one tag, in compact form.
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

/// The longest latency that is recorded exactly: one hour.
pub const LONGEST_US: u64 = 3_600_000_000;

/// Whether a value is the one that represents a failure.
pub const fn is_failure(us: u64) -> bool {
    us >= LONGEST_US
}

/// Pairs of (lowest value of a bucket in microseconds, count), sorted.
type Pairs = Vec<(u32, u32)>;

/// The data of one tag and one half of the control arm.
#[derive(Debug)]
struct Series {
    tag: Tag,
    half: bool,
    /// The open seconds. They are sparse, because a second has few values and a dense histogram
    /// takes 90 KB.
    open: BTreeMap<u32, BTreeMap<u32, u32>>,
    closed: BTreeMap<u32, Pairs>,
}

impl Series {
    fn new(tag: &Tag, half: bool) -> Self {
        Self { tag: tag.clone(), half, open: BTreeMap::new(), closed: BTreeMap::new() }
    }
}

/// All histograms of a run. A second is open until it is closed; a request that ends later reopens
/// its second.
#[derive(Debug, Default)]
pub struct Latencies {
    /// Indexed by tag first, so that a record needs no copy of its tag.
    keys: HashMap<Tag, [usize; 2]>,
    series: Vec<Series>,
}

impl Latencies {
    /// Counts one request: due `second` seconds after the start of the run, answered `latency_us`
    /// microseconds after it was due. `half` is a coin flip that depends only on the request's
    /// root; it matters only for the control arm.
    pub fn record(&mut self, second: u32, tag: &Tag, latency_us: u64, half: bool) {
        let value = lowest_equivalent(u32::try_from(latency_us.clamp(1, LONGEST_US)).unwrap_or(u32::MAX));
        if let Some(series) = self.series(tag, half) {
            let count = series.open.entry(second).or_default().entry(value).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn series(&mut self, tag: &Tag, half: bool) -> Option<&mut Series> {
        let index = usize::from(half && tag.arm() == ArmTag::Control);
        let [first, second] = match self.keys.get(tag) {
            Some(known) => *known,
            None => {
                let first = self.series.len();
                self.series.extend([false, true].map(|half| Series::new(tag, half)));
                self.keys.insert(tag.clone(), [first, first + 1]);
                [first, first + 1]
            }
        };
        self.series.get_mut(if index == 0 { first } else { second })
    }

    /// Closes the seconds before `second` and returns them, by second, for the log.
    pub fn close_before(&mut self, second: u32) -> Vec<IntervalHistogram> {
        let mut intervals = Vec::new();
        for series in &mut self.series {
            let later = series.open.split_off(&second);
            for (second, values) in std::mem::replace(&mut series.open, later) {
                let pairs: Pairs = values.into_iter().collect();
                add(series.closed.entry(second).or_default(), &pairs);
                intervals.push(IntervalHistogram { second, tag: series.tag.clone(), half: series.half, pairs });
            }
        }
        intervals.sort_by_key(|interval| interval.second);
        intervals
    }

    /// What the open seconds hold, one item a tag and half of the control arm: pairs of (lowest
    /// value of a bucket in microseconds, count).
    pub fn open(&self) -> impl Iterator<Item = (&Tag, impl Iterator<Item = (u32, u64)>)> {
        let all = self.series.iter().filter(|series| !series.open.is_empty());
        all.map(|series| {
            let pairs = series.open.values().flatten();
            (&series.tag, pairs.map(|(value, count)| (*value, u64::from(*count))))
        })
    }

    /// Adds an interval that was recorded elsewhere: another worker, or read from a log.
    pub fn add(&mut self, interval: &IntervalHistogram) {
        if let Some(series) = self.series(&interval.tag, interval.half) {
            add(series.closed.entry(interval.second).or_default(), &interval.pairs);
        }
    }

    /// Adds everything that `other` has.
    pub fn merge(&mut self, other: &Self) {
        other.intervals().iter().for_each(|interval| self.add(interval));
    }

    /// Every second of every tag, open or closed, sorted by second and tag.
    pub fn intervals(&self) -> Vec<IntervalHistogram> {
        let mut all = Latencies::default();
        self.visit(
            |_| true,
            |second, tag, half, pairs| {
                all.add(&IntervalHistogram { second, tag: tag.clone(), half, pairs: pairs.to_vec() });
            },
        );
        let mut intervals = Vec::new();
        all.visit(
            |_| true,
            |second, tag, half, pairs| {
                intervals.push(IntervalHistogram { second, tag: tag.clone(), half, pairs: pairs.to_vec() });
            },
        );
        intervals.sort_by(|a, b| (a.second, &a.tag, a.half).cmp(&(b.second, &b.tag, b.half)));
        intervals
    }

    /// Calls `see` for every second, open or closed, of the `wanted` tags: second, tag, half,
    /// pairs.
    pub fn visit(&self, wanted: impl Fn(&Tag) -> bool, mut see: impl FnMut(u32, &Tag, bool, &[(u32, u32)])) {
        for series in self.series.iter().filter(|series| wanted(&series.tag)) {
            for (second, pairs) in &series.closed {
                see(*second, &series.tag, series.half, pairs);
            }
            for (second, values) in &series.open {
                let pairs: Pairs = values.iter().map(|(value, count)| (*value, *count)).collect();
                see(*second, &series.tag, series.half, &pairs);
            }
        }
    }

    /// The number of requests with `wanted` tags.
    pub fn count(&self, wanted: impl Fn(&Tag) -> bool) -> u64 {
        let mut total = 0;
        self.visit(wanted, |_, _, _, pairs| total += sum(pairs));
        total
    }

    /// The sum of all histograms with `wanted` tags.
    pub fn counts(&self, wanted: impl Fn(&Tag) -> bool) -> Counts {
        self.blocks(wanted, |_, _| Some(())).remove(&()).unwrap_or_default()
    }

    /// The same, for each block separately: `block` names it by second and half.
    pub fn blocks<B: Ord>(&self, wanted: impl Fn(&Tag) -> bool, block: impl Fn(u32, bool) -> Option<B>) -> BTreeMap<B, Counts> {
        let mut all: BTreeMap<B, Vec<(u32, u64)>> = BTreeMap::new();
        self.visit(wanted, |second, _, half, pairs| {
            if let Some(block) = block(second, half) {
                all.entry(block).or_default().extend(pairs.iter().map(|(value, count)| (*value, u64::from(*count))));
            }
        });
        all.into_iter().map(|(block, pairs)| (block, Counts::merge(pairs))).collect()
    }

    /// The names of all endpoints, sorted.
    pub fn endpoints(&self) -> Vec<String> {
        let names: BTreeSet<_> = self.series.iter().map(|series| series.tag.endpoint.clone()).collect();
        names.into_iter().collect()
    }
}

/// The number of requests in the pairs.
pub(crate) fn sum(pairs: &[(u32, u32)]) -> u64 {
    pairs.iter().map(|(_, count)| u64::from(*count)).sum()
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

    fn tag(struck: bool) -> Tag {
        let rolls = Rolls::one(0, struck);
        Tag { endpoint: "clinic GET /appointment/{id}".into(), phase: Phase::Fault, rolls, cold: false, outcome: Outcome::Answered }
    }

    fn second_half(latencies: &Latencies) -> u64 {
        latencies.blocks(|_| true, |_, half| half.then_some(())).get(&()).map_or(0, Counts::total)
    }

    #[test]
    fn a_closed_second_counts_like_an_open_one_and_reopens_for_a_late_request() {
        let mut latencies = Latencies::default();
        for n in 1..=100 {
            latencies.record(3, &tag(false), n * 1_000, n % 2 == 0);
        }
        latencies.record(9, &tag(false), 5, false);
        let before = latencies.counts(|_| true);
        let closed = latencies.close_before(9);
        assert_eq!(closed.len(), 2, "two halves of one second");
        latencies.record(3, &tag(false), 1_000, false);
        assert_eq!(before.total(), 101);
        let all = latencies.counts(|_| true);
        assert_eq!(all.total(), 102);
        assert_eq!(latencies.close_before(u32::MAX).len(), 2);
        assert_eq!(latencies.counts(|_| true), all);
        assert_eq!(second_half(&latencies), 50);
    }

    #[test]
    fn only_the_control_arm_has_halves() {
        let mut latencies = Latencies::default();
        latencies.record(0, &tag(true), 7, true);
        assert_eq!(second_half(&latencies), 0);
    }
}
