//! What this process sends with, whatever is sent: its part of the arrivals, when it begins, and what TLS trusts.

use std::time::{Duration, Instant, SystemTime};

use crate::part::Part;
use crate::tls::Tls;

/// Users are made ready this long before a start time that is far away: a connection that lies idle for long is closed by the other side.
const AHEAD: Duration = Duration::from_secs(10);

/// What this process sends with.
#[derive(Debug, Clone, Default)]
pub struct Means {
    /// Which arrivals are its own.
    pub part: Part,
    /// When the first arrival of the warm-up is due; as soon as all users are ready unless it is given, and not before that.
    pub start_at: Option<SystemTime>,
    /// What TLS trusts, and shows of itself.
    pub tls: Tls,
}

impl Means {
    /// Waits until users should be made ready.
    pub async fn near(&self) {
        if let Some(wait) = self.until_start().and_then(|wait| wait.checked_sub(AHEAD)) {
            tokio::time::sleep(wait).await;
        }
    }

    /// When the first arrival is due, if all users are ready at `ready`.
    pub(crate) fn begin(&self, ready: Instant) -> Instant {
        self.until_start().map_or(ready, |wait| ready.max(Instant::now() + wait))
    }

    /// `None` without a start time, and after it.
    fn until_start(&self) -> Option<Duration> {
        self.start_at?.duration_since(SystemTime::now()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_its_time_and_never_before_its_users_are_ready() {
        let (now, hour) = (Instant::now(), Duration::from_secs(3_600));
        let begin = |start_at, ready| Means { start_at, ..Means::default() }.begin(ready);
        assert_eq!(begin(None, now), now);
        assert_eq!(begin(Some(SystemTime::now() - hour), now), now);
        let later = begin(Some(SystemTime::now() + hour), now);
        assert!(later > now + hour / 2 && later < now + hour * 2, "{:?}", later - now);
        assert_eq!(begin(Some(SystemTime::now() + hour), now + hour * 3), now + hour * 3);
    }
}
