//! Exact waits. `tokio::time::sleep` counts in milliseconds and is up to 1.3 ms late; a timerfd in the reactor is 0.03 to 0.09 ms late.
//! It never spins and is never early.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for `time` and returns how long it really took. If no descriptor is left, it uses tokio's
/// own timer: late is better than not at all.
pub async fn wait(time: Duration) -> Duration {
    let began = Instant::now();
    if !time.is_zero() && exact(began, time).await.is_err() {
        tokio::time::sleep(time.saturating_sub(began.elapsed())).await;
    }
    began.elapsed()
}

async fn exact(began: Instant, time: Duration) -> io::Result<()> {
    Alarm::new()?.wait_until(began.checked_add(time).ok_or(io::ErrorKind::InvalidInput)?).await
}

/// A reusable timer for tasks that wait often; one a task.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// A new timer.
    ///
    /// # Errors
    /// If no more files can be opened.
    #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd owns its descriptor, which is never replaced")]
    pub fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: AsyncFd::with_interest(timer, Interest::READABLE)? })
    }

    /// Waits until `due`; returns at once if that has passed. The wait may be dropped and the timer
    /// used again.
    ///
    /// # Errors
    /// If the kernel refuses the timer.
    pub async fn wait_until(&mut self, due: Instant) -> io::Result<()> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let at = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(left.subsec_nanos()) as _ };
            timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: at })?;
            // Its count of expirations is never read: setting it again clears that, and tokio waits
            // for the next edge.
            self.timer.readable().await?.clear_ready();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_is_never_too_short() {
        for time in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(7)] {
            let began = Instant::now();
            let waited = wait(time).await;
            assert!(waited >= time && began.elapsed() >= waited, "{waited:?} of {time:?}");
        }
    }

    #[tokio::test]
    async fn an_alarm_is_never_early_even_after_a_dropped_wait() {
        let mut alarm = Alarm::new().unwrap();
        let dropped = tokio::time::timeout(Duration::from_millis(5), alarm.wait_until(Instant::now() + Duration::from_secs(60))).await;
        assert!(dropped.is_err());
        for _ in 0..5 {
            let due = Instant::now() + Duration::from_millis(3);
            alarm.wait_until(due).await.unwrap();
            assert!(Instant::now() >= due);
        }
        alarm.wait_until(Instant::now()).await.unwrap();
    }
}
