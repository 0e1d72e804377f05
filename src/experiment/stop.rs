//! The condition that ends a run early.

use std::collections::VecDeque;
use std::time::Duration;

use super::bounds::MoreThanFor;

/// Fewer requests than this in the window say nothing.
const FEWEST: usize = 10;

/// Watches the share of failed requests over a sliding window.
#[derive(Debug)]
pub struct Watch {
    condition: MoreThanFor,
    window: VecDeque<(Duration, bool)>,
    exceeded_since: Option<Duration>,
}

impl Watch {
    /// A watch for `condition`.
    pub const fn new(condition: MoreThanFor) -> Self {
        Self { condition, window: VecDeque::new(), exceeded_since: None }
    }

    /// Counts a request that ended at `at`; a sentence where the condition has now held for its whole span.
    pub fn see(&mut self, at: Duration, failed: bool) -> Option<String> {
        self.window.push_back((at, failed));
        while self.window.front().is_some_and(|(then, _)| *then + Duration::from_secs(1) < at) {
            self.window.pop_front();
        }
        let failed = self.window.iter().filter(|(_, failed)| *failed).count();
        let share = failed as f64 / self.window.len() as f64;
        if self.window.len() < FEWEST || share <= self.condition.share.value() {
            self.exceeded_since = None;
            return None;
        }
        let since = *self.exceeded_since.get_or_insert(at);
        let span = self.condition.span;
        (at.saturating_sub(since) >= span)
            .then(|| format!("more than {:.0} % of all requests failed for {} s", self.condition.share.value() * 100.0, span.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fires(failed: impl Fn(u64) -> bool) -> Option<u64> {
        let mut watch = Watch::new(MoreThanFor::try_from("> 50% for 5s".to_owned()).unwrap());
        (0..1_000).find(|n| watch.see(Duration::from_millis(n * 20), failed(*n)).is_some()).map(|n| n * 20)
    }

    #[test]
    fn it_fires_after_its_span_and_not_before() {
        let at = fires(|n| n > 100).unwrap();
        assert!((7_000..8_200).contains(&at), "{at}");
    }

    #[test]
    fn a_short_burst_or_a_share_at_the_limit_does_not_fire() {
        assert_eq!(fires(|n| (100..200).contains(&n)), None);
        assert_eq!(fires(|n| n % 2 == 0), None);
    }
}
