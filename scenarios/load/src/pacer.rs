//! Wakes users when they are due, with one timer for all of them. Up to a rate each is woken at its
//! time; above it, all that have become due leave together on a grid, because a wake of its own would
//! cost a request more than its sending. It measures nothing: what that adds is lateness, which is
//! booked as any other.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use timer::Alarm;
use tokio::sync::Notify;

/// Up to so many arrivals a second each is woken at its own time.
const EXACT: f64 = 2_000.0;

/// Above that, the least time between two wakes.
const GRID: Duration = Duration::from_micros(500);

/// Those who wait, and the timer that wakes them.
#[derive(Debug)]
pub(crate) struct Pacer {
    grid: Duration,
    queue: Mutex<Queue>,
    /// The timer has to look again.
    changed: Notify,
}

#[derive(Debug)]
struct Queue {
    /// Who waits, by due time and by a number of their own.
    waiting: BTreeMap<(Instant, u64), Waker>,
    number: u64,
    /// No wake is earlier than this.
    not_before: Instant,
    /// When the timer rings; `None` while it is not set.
    set_to: Option<Instant>,
    is_closed: bool,
}

impl Queue {
    /// When the first of those who wait is to be woken.
    fn next(&self) -> Option<Instant> {
        self.waiting.keys().next().map(|(due, _)| (*due).max(self.not_before))
    }
}

/// What the timer has to do.
enum Next {
    Ring(Instant),
    Rest,
    End,
}

impl Pacer {
    /// A pacer for at most `rate` arrivals a second.
    pub(crate) fn new(rate: f64) -> Self {
        Self::on(if rate > EXACT { GRID } else { Duration::ZERO })
    }

    fn on(grid: Duration) -> Self {
        let queue = Queue { waiting: BTreeMap::new(), number: 0, not_before: Instant::now(), set_to: None, is_closed: false };
        Self { grid, queue: Mutex::new(queue), changed: Notify::new() }
    }

    /// Waits until `due`: not at all if that has passed. False if the pacer is closed first.
    pub(crate) const fn wait_until(&self, due: Instant) -> Wait<'_> {
        Wait { pacer: self, due, number: None }
    }

    /// Keeps waking until it is closed.
    ///
    /// # Errors
    /// If the kernel refuses the timer.
    pub(crate) async fn drive(&self, mut alarm: Alarm) -> io::Result<()> {
        let mut woken = Vec::new();
        loop {
            let next = self.release(&mut woken);
            woken.drain(..).for_each(Waker::wake);
            match next {
                Next::Ring(at) => tokio::select! {
                    biased;
                    () = self.changed.notified() => {}
                    waited = alarm.wait_until(at) => waited?,
                },
                Next::Rest => self.changed.notified().await,
                Next::End => return Ok(()),
            }
        }
    }

    /// Lets all go at once, and every one that comes later.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut queue = self.queue();
            queue.is_closed = true;
            std::mem::take(&mut queue.waiting)
        };
        waiting.into_values().for_each(Waker::wake);
        self.changed.notify_one();
    }

    /// Takes out those who are due, and says when to look again.
    fn release(&self, woken: &mut Vec<Waker>) -> Next {
        let now = Instant::now();
        let mut queue = self.queue();
        if queue.is_closed {
            return Next::End;
        }
        if now >= queue.not_before {
            while let Some(first) = queue.waiting.first_entry().filter(|first| first.key().0 <= now) {
                woken.push(first.remove());
            }
        }
        if !woken.is_empty() {
            queue.not_before = now + self.grid;
        }
        queue.set_to = queue.next();
        queue.set_to.map_or(Next::Rest, Next::Ring)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A wait; dropping it gives it up.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    pacer: &'a Pacer,
    due: Instant,
    /// Its number in the queue, once it is there.
    number: Option<u64>,
}

impl Future for Wait<'_> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut queue = self.pacer.queue();
        if queue.is_closed {
            return Poll::Ready(false);
        }
        if Instant::now() >= self.due {
            return Poll::Ready(true);
        }
        let number = self.number.unwrap_or(queue.number);
        queue.number += u64::from(self.number.is_none());
        queue.waiting.insert((self.due, number), context.waker().clone());
        let is_sooner = queue.next() < queue.set_to || queue.set_to.is_none();
        drop(queue);
        self.number = Some(number);
        if is_sooner {
            self.pacer.changed.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.pacer.queue().waiting.remove(&(self.due, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    async fn driven(pacer: Pacer) -> Arc<Pacer> {
        let pacer = Arc::new(pacer);
        let driver = Arc::clone(&pacer);
        tokio::spawn(async move { driver.drive(Alarm::new().unwrap()).await.unwrap() });
        pacer
    }

    /// Waits for each offset in microseconds at once, and returns when each was let go, in the order of the offsets.
    async fn waits(pacer: &Arc<Pacer>, offsets: &[u64]) -> Vec<(Instant, Instant)> {
        let begun = Instant::now();
        let one = |offset: &u64| {
            let (pacer, due) = (Arc::clone(pacer), begun + Duration::from_micros(*offset));
            tokio::spawn(async move {
                assert!(pacer.wait_until(due).await);
                (due, Instant::now())
            })
        };
        let all: Vec<_> = offsets.iter().map(one).collect();
        let mut woken = Vec::new();
        for wait in all {
            woken.push(wait.await.unwrap());
        }
        woken
    }

    #[tokio::test]
    async fn no_wait_is_too_short_whatever_the_order_in_which_they_begin() {
        for grid in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(20)] {
            let pacer = driven(Pacer::on(grid)).await;
            for (due, woken) in waits(&pacer, &[9_000, 3_000, 0, 3_000, 12_000, 50, 8_999]).await {
                assert!(woken >= due, "{grid:?}");
            }
            pacer.close();
        }
    }

    #[tokio::test]
    async fn on_a_grid_those_that_are_due_leave_together() {
        let grid = Duration::from_millis(50);
        let pacer = driven(Pacer::on(grid)).await;
        let offsets: Vec<u64> = (1..=200).map(|n| n * 1_000).collect();
        let mut woken: Vec<Instant> = waits(&pacer, &offsets).await.into_iter().map(|(_, woken)| woken).collect();
        woken.sort_unstable();
        // A gap of more than a few milliseconds separates two departures; a busy machine only makes fewer of them.
        let departures = 1 + woken.windows(2).filter(|pair| pair[1] - pair[0] > grid / 5).count();
        assert!((2..=6).contains(&departures), "{departures}");
        pacer.close();
    }

    #[tokio::test]
    async fn a_wait_that_is_given_up_wakes_no_other_and_is_forgotten() {
        let pacer = driven(Pacer::on(Duration::ZERO)).await;
        let far = Instant::now() + Duration::from_secs(3_600);
        let given_up = tokio::time::timeout(Duration::from_millis(5), pacer.wait_until(far)).await;
        assert!(given_up.is_err() && pacer.queue().waiting.is_empty());
        let (due, woken) = waits(&pacer, &[2_000]).await[0];
        assert!(woken >= due);
        pacer.close();
    }

    #[tokio::test]
    async fn closing_lets_all_go_and_ends_the_timer() {
        let pacer = Arc::new(Pacer::new(10.0));
        let driver = Arc::clone(&pacer);
        let driving = tokio::spawn(async move { driver.drive(Alarm::new().unwrap()).await });
        let far = Instant::now() + Duration::from_secs(3_600);
        let waiting = Arc::clone(&pacer);
        let wait = tokio::spawn(async move { waiting.wait_until(far).await });
        tokio::task::yield_now().await;
        pacer.close();
        assert!(!wait.await.unwrap());
        assert!(!pacer.wait_until(far).await, "after the close");
        driving.await.unwrap().unwrap();
    }

    #[test]
    fn only_a_high_rate_is_paced_on_the_grid() {
        assert_eq!([10.0, 2_000.0, 2_001.0, 50_000.0].map(|rate| Pacer::new(rate).grid), [Duration::ZERO, Duration::ZERO, GRID, GRID]);
    }
}
