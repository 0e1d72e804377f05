//! Exact waits. `tokio::time::sleep` counts in milliseconds and is up to 1.3 ms late; a timerfd in the reactor is 0.03 to 0.09 ms late.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

/// The platform acts on a deadline a moment after it. It would refuse a runtime that asks before that, and report the runtime's end instead of the
/// timeout: a hold until the deadline lasts so much longer.
pub const BEYOND_DEADLINE: Duration = Duration::from_secs(1);

/// How a wait ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The whole time has passed.
    Fully,
    /// The other end of the connection went away.
    Abandoned,
}

/// Waits for `time`.
pub async fn wait(time: Duration) {
    if time.is_zero() {
        return;
    }
    let began = Instant::now();
    if alarm(time).await.is_err() {
        // No descriptor is left, for instance: late by a millisecond is better than not at all.
        tokio::time::sleep(time.saturating_sub(began.elapsed())).await;
    }
}

/// Waits for `time`, or until the other end of `stream` is gone.
pub async fn wait_while(time: Duration, stream: &TcpStream) -> Waited {
    tokio::select! {
        biased;
        () = wait(time) => Waited::Fully,
        () = gone(stream) => Waited::Abandoned,
    }
}

async fn alarm(time: Duration) -> io::Result<()> {
    let timer: OwnedFd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    let at = Timespec { tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX), tv_nsec: i64::from(time.subsec_nanos()) as _ };
    timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: at })?;
    #[expect(deprecated, reason = "its successor is unsafe because a descriptor could be closed while registered; an `OwnedFd` cannot")]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    timer.readable().await?.clear_ready();
    Ok(())
}

/// Ends when the other end has closed its side. Once it has sent something more, nothing is known and this never ends.
pub async fn gone(stream: &TcpStream) {
    let mut byte = [0];
    if matches!(stream.peek(&mut byte).await, Ok(more) if more > 0) {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wait_is_never_too_short() {
        for time in [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(7)] {
            let began = Instant::now();
            wait(time).await;
            assert!(began.elapsed() >= time, "{time:?}");
        }
    }

    #[tokio::test]
    async fn a_wait_ends_when_the_other_end_goes_away() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        assert_eq!(wait_while(Duration::from_millis(1), &server).await, Waited::Fully);
        drop(client);
        assert_eq!(wait_while(Duration::from_secs(600), &server).await, Waited::Abandoned);
    }
}
