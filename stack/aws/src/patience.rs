//! How long calls are retried, and how fast.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{CallError, Meaning};

/// How long a call is retried. An update of a function takes up to a minute; in a VPC, several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The time from the first try to the last.
    pub total: Duration,
    /// The first pause; each further one is twice as long.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { total: Duration::from_secs(300), first: Duration::from_millis(200), most: Duration::from_secs(5) }
    }
}

/// The pauses of one loop.
#[derive(Debug)]
pub(crate) struct Pauses {
    end: Instant,
    next: Duration,
    most: Duration,
}

impl Patience {
    /// For a command that a person waits for: ten seconds in all.
    pub fn brief() -> Self {
        Self { total: Duration::from_secs(10), ..Self::default() }
    }

    pub(crate) fn begin(self) -> Pauses {
        Pauses { end: Instant::now() + self.total, next: self.first, most: self.most }
    }

    /// Retries a call while that may help, and returns the last answer.
    pub(crate) async fn insist<T, Answer>(self, call: impl Fn() -> Answer) -> Result<T, CallError>
    where
        Answer: Future<Output = Result<T, CallError>>,
    {
        let mut pauses = self.begin();
        loop {
            match call().await {
                Err(error) if error.meaning == Meaning::Again && pauses.pause().await => (),
                answered => return answered,
            }
        }
    }
}

impl Pauses {
    /// Waits; false if the time is used up. Half of a pause is random, so that two callers that
    /// collided do not collide again.
    pub(crate) async fn pause(&mut self) -> bool {
        let chance = RandomState::new().build_hasher().finish() % 1000;
        let time = self.next / 2 + self.next / 2 * u32::try_from(chance).unwrap_or(0) / 1000;
        if Instant::now() + time >= self.end {
            return false;
        }
        tokio::time::sleep(time).await;
        self.next = (self.next * 2).min(self.most);
        true
    }
}
