//! The condition that ends a run early.

use std::collections::VecDeque;
use std::time::Duration;

use super::bounds::MoreThanFor;

/// At least this many of the last outcomes are judged, however old they are; fewer mean nothing.
const FEWEST: usize = 10;

/// All answers within this time are judged.
const WINDOW: Duration = Duration::from_secs(5);

/// Watches the share of failed requests among the last outcomes. A request that is overdue without
/// an answer counts as failed.
#[derive(Debug)]
pub struct Watch {
    condition: MoreThanFor,
    /// When each answer came, and whether it was a failure; the latest last.
    answers: VecDeque<(Duration, bool)>,
    overdue: u64,
    now: Duration,
    exceeded_since: Option<Duration>,
}

impl Watch {
    /// A watch for `condition`.
    pub const fn new(condition: MoreThanFor) -> Self {
        Self { condition, answers: VecDeque::new(), overdue: 0, now: Duration::ZERO, exceeded_since: None }
    }

    /// Counts a request that ended at `at`. Returns a sentence if the condition has now held for
    /// its whole span.
    pub fn see(&mut self, at: Duration, failed: bool) -> Option<String> {
        self.answers.push_back((at, failed));
        self.judge(at)
    }

    /// Counts the requests that are overdue at `at`, because a hang gives no answers. Returns a
    /// sentence likewise.
    pub fn look(&mut self, at: Duration, overdue: u64) -> Option<String> {
        self.overdue = overdue;
        self.judge(at)
    }

    fn judge(&mut self, at: Duration) -> Option<String> {
        self.now = self.now.max(at);
        let (share, outcomes) = self.share();
        if outcomes < FEWEST as u64 || share <= self.condition.share.value() {
            self.exceeded_since = None;
            return None;
        }
        let since = *self.exceeded_since.get_or_insert(self.now);
        let (percent, span) = (self.condition.share.value() * 100.0, self.condition.span);
        (self.now.saturating_sub(since) >= span).then(|| {
            let overdue = if self.overdue > 0 { format!("; {} are overdue without an answer", self.overdue) } else { String::new() };
            format!("more than {percent:.0} % of all requests failed for {} s{overdue}", span.as_secs())
        })
    }

    /// The share of failures among the judged outcomes, and their number.
    fn share(&mut self) -> (f64, u64) {
        // Overdue requests are newer than every answer, so they come first among the last ten.
        let fill = FEWEST.saturating_sub(usize::try_from(self.overdue).unwrap_or(usize::MAX));
        while self.answers.len() > FEWEST && self.answers.front().is_some_and(|(then, _)| self.is_old(*then)) {
            self.answers.pop_front();
        }
        let old = self.answers.iter().take_while(|(then, _)| self.is_old(*then)).count();
        let kept = (self.answers.len() - old).max(fill).min(self.answers.len());
        let failed = self.answers.iter().rev().take(kept).filter(|(_, failed)| *failed).count();
        let outcomes = self.overdue + kept as u64;
        ((self.overdue + failed as u64) as f64 / outcomes.max(1) as f64, outcomes)
    }

    fn is_old(&self, then: Duration) -> bool {
        then + WINDOW < self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch::new("> 50% for 5s".parse::<MoreThanFor>().unwrap())
    }

    /// When it fires, in milliseconds, with an answer every `gap` milliseconds, of which `failed` says which failed.
    fn fires(gap: u64, failed: impl Fn(u64) -> bool) -> Option<u64> {
        let mut watch = watch();
        (0..1_000).find(|n| watch.see(Duration::from_millis(n * gap), failed(*n)).is_some()).map(|n| n * gap)
    }

    #[test]
    fn it_fires_after_its_span_and_not_before() {
        // All fail from 10 s on: half of the last 5 s have failed at 12.5 s.
        let at = fires(20, |n| n >= 500).unwrap();
        assert!((17_400..17_700).contains(&at), "{at}");
    }

    #[test]
    fn a_short_burst_or_a_share_at_the_limit_does_not_fire() {
        assert_eq!(fires(20, |n| (500..600).contains(&n)), None);
        assert_eq!(fires(20, |n| n % 2 == 0), None);
    }

    #[test]
    fn few_answers_a_second_are_enough() {
        // All fail from 60 s on. Of the last ten, six have failed at 65 s, or 70 s at one in two seconds.
        for (gap, from) in [(1_000, 70_000), (2_000, 75_000)] {
            let at = fires(gap, |n| n * gap >= 60_000).unwrap();
            assert!((from..from + gap).contains(&at), "{gap}: {at}");
        }
    }

    #[test]
    fn a_hang_fires_without_any_answer() {
        // 4 requests a second, all answered until 20 s, none afterwards: from 25 s on, some are
        // overdue by 5 s.
        for answered_before in [true, false] {
            let mut watch = watch();
            let mut fired = None;
            for tick in 0..600_u64 {
                let at = tick * 100;
                if answered_before && at < 20_000 && tick.is_multiple_of(2) {
                    assert_eq!(watch.see(Duration::from_millis(at), false), None);
                }
                let overdue = at.saturating_sub(25_000) * 4 / 1_000;
                if watch.look(Duration::from_millis(at), overdue).is_some() {
                    fired = Some(at);
                    break;
                }
            }
            let fired = fired.unwrap();
            assert!((31_000..34_000).contains(&fired), "{answered_before}: {fired}");
        }
    }

    #[test]
    fn overdue_requests_that_are_answered_later_no_longer_count() {
        let mut watch = watch();
        for second in 0..20 {
            assert_eq!(watch.look(Duration::from_secs(second), if second % 4 == 3 { 0 } else { 50 }), None, "{second}");
        }
    }
}
