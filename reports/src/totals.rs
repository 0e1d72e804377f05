//! Sums of everything recorded so far, while a run goes on. A closed second is added once, so that a
//! look costs the same after an hour as after a minute.

use std::collections::BTreeMap;

use crate::coarse::Coarse;
use crate::latencies::{IntervalHistogram, LONGEST_US, Latencies, Outcome, Phase, Tag};
use crate::rolls::ArmTag;

/// The latency of a failed request.
const FAILED: u32 = LONGEST_US as u32;

/// What a sum is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Such as `clinic GET /appointment/{id}`.
    pub endpoint: String,
    /// The arm under which the requests are counted.
    pub arm: ArmTag,
    /// The phase in which they were due.
    pub phase: Phase,
    /// How they ended.
    pub outcome: Outcome,
}

impl From<&Tag> for Label {
    fn from(tag: &Tag) -> Self {
        Self { endpoint: tag.endpoint.clone(), arm: tag.arm(), phase: tag.phase, outcome: tag.outcome }
    }
}

/// The sums. None of them ever falls.
#[derive(Debug, Clone, Default)]
pub struct Totals(BTreeMap<Label, Coarse>);

impl Totals {
    /// Adds a second that was closed.
    pub fn close(&mut self, interval: &IntervalHistogram) {
        let all = self.0.entry(Label::from(&interval.tag)).or_default();
        interval.pairs.iter().for_each(|(us, count)| all.add(*us, u64::from(*count)));
    }

    /// The same with the seconds that are still open.
    #[must_use]
    pub fn with_open(&self, latencies: &Latencies) -> Self {
        let mut all = self.clone();
        for (tag, pairs) in latencies.open() {
            let sum = all.0.entry(Label::from(tag)).or_default();
            pairs.for_each(|(us, count)| sum.add(us, count));
        }
        all
    }

    /// Each sum, in microseconds, sorted by label.
    pub fn iter(&self) -> impl Iterator<Item = (&Label, &Coarse)> {
        self.0.iter()
    }

    /// The number of requests with `wanted` labels.
    pub fn count(&self, wanted: impl Fn(&Label) -> bool) -> u64 {
        self.iter().filter(|(label, _)| wanted(label)).map(|(_, counts)| counts.total()).sum()
    }

    /// The latencies of the requests with `wanted` labels, in microseconds. A failed request is slower
    /// than any other; a cancelled one does not count.
    pub fn latency(&self, wanted: impl Fn(&Label) -> bool) -> Coarse {
        let mut all = Coarse::default();
        for (label, counts) in self.iter().filter(|(label, _)| wanted(label)) {
            match label.outcome {
                Outcome::Answered => all.merge(counts),
                Outcome::Failed | Outcome::TimedOut => all.add(FAILED, counts.total()),
                Outcome::Cancelled => {}
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latencies::is_failure;
    use crate::rolls::Rolls;

    fn tag(struck: bool, outcome: Outcome, cold: bool) -> Tag {
        Tag { endpoint: "shop GET /".into(), phase: Phase::Fault, rolls: Rolls::one(0, struck), cold, outcome }
    }

    #[test]
    fn closed_seconds_count_once_and_open_ones_at_each_look() {
        let (mut latencies, mut totals) = (Latencies::default(), Totals::default());
        for second in 0..5 {
            latencies.record(second, &tag(true, Outcome::Answered, second == 0), 1_000, false);
            latencies.record(second, &tag(false, Outcome::Answered, false), 3_000, second % 2 == 0);
        }
        let all = |totals: &Totals| totals.count(|_| true);
        assert_eq!((all(&totals), all(&totals.with_open(&latencies))), (0, 10));
        latencies.close_before(3).iter().for_each(|interval| totals.close(interval));
        assert_eq!((all(&totals), all(&totals.with_open(&latencies))), (6, 10));
        // A late request reopens its second, which is then closed again.
        latencies.record(1, &tag(true, Outcome::Answered, false), 9_000, false);
        assert_eq!(all(&totals.with_open(&latencies)), 11);
        latencies.close_before(u32::MAX).iter().for_each(|interval| totals.close(interval));
        assert_eq!((all(&totals), all(&totals.with_open(&latencies))), (11, 11));
        assert_eq!(
            totals.iter().map(|(label, counts)| (label.arm, counts.total())).collect::<Vec<_>>(),
            [(ArmTag::Treatment, 6), (ArmTag::Control, 5)]
        );
    }

    #[test]
    fn a_failed_request_is_slower_than_any_other_and_a_cancelled_one_does_not_count() {
        let mut latencies = Latencies::default();
        for (outcome, us) in [(Outcome::Answered, 1_000), (Outcome::Failed, 10), (Outcome::TimedOut, 20), (Outcome::Cancelled, 30)] {
            latencies.record(0, &tag(true, outcome, false), us, false);
        }
        let latency = Totals::default().with_open(&latencies).latency(|_| true);
        assert_eq!((latency.total(), latency.quantile(0.33)), (3, Some(1_007)));
        assert!(latency.quantile(0.5).is_some_and(is_failure));
    }
}
