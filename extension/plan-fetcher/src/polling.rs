//! When the plan is read: often during a lease, not in step with other environments, and less and
//! less often if there is nothing to renew or the service throttles, because an idle layer must not
//! use up the account's calls. No failure may make it retry faster than that.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use faults::Plan;
use faults::plan::{READ_AT_LAST_EVERY, READ_EVERY};

use crate::address::Address;
use crate::object::Object;
use crate::parameter::Parameter;
use crate::reading::Reading;

/// The share by which an interval is shortened at random, so that a thousand environments do not
/// call in step.
const SPREAD: f64 = 0.25;
/// The timeouts for connecting, for the first byte, and for a whole reading.
const CONNECT: Duration = Duration::from_secs(1);
const READ: Duration = Duration::from_secs(2);
const WHOLE: Duration = Duration::from_secs(3);

/// What is polled.
enum Polled {
    Parameter(Parameter),
    Object(Object),
}

impl Polled {
    async fn read(&mut self) -> Reading {
        match self {
            Self::Parameter(parameter) => parameter.read().await,
            Self::Object(object) => object.read().await,
        }
    }
}

/// Reads the plan at `address` and writes to `to` until its reader is gone.
pub async fn poll(address: Address, to: &mut impl Write) {
    let config = config().await;
    let mut polled = match address {
        Address::Parameter(name) => Polled::Parameter(Parameter::new(&config, name)),
        Address::Object { bucket, key } => Polled::Object(Object::new(&config, bucket, key)),
    };
    let mut pace = Pace::default();
    loop {
        let reading = in_time(WHOLE, async || polled.read().await).await;
        let interval = pace.after(&reading, Instant::now(), SystemTime::now());
        if reading.tell(to).is_err() {
            return;
        }
        drop(reading);
        tokio::time::sleep(jittered(interval, RandomState::new().build_hasher().finish())).await;
    }
}

/// How often the plan is read.
#[derive(Debug, Default)]
struct Pace {
    interval: Option<Duration>,
    /// When the lease of the last plan ends, calm or not: until then its writer is active.
    lease_ends: Option<Instant>,
}

impl Pace {
    /// The interval after a reading.
    fn after(&mut self, reading: &Reading, now: Instant, wall: SystemTime) -> Duration {
        match reading {
            Reading::Found { plan, taken } => {
                let age = taken.map(|taken| wall.duration_since(taken).unwrap_or_default());
                let left = Plan::read(plan).ok().and_then(|plan| plan.left(age, wall));
                self.lease_ends = left.map(|left| now + left);
            }
            Reading::Missing(_) => self.lease_ends = None,
            Reading::Same | Reading::Unanswered(_) | Reading::Throttled => (),
        }
        let is_renewed = self.lease_ends.is_some_and(|end| now < end);
        let longer = self.interval.map_or(READ_EVERY, |interval| (interval * 2).min(READ_AT_LAST_EVERY));
        let interval = match reading {
            Reading::Throttled => longer.max(2 * READ_EVERY),
            _ if is_renewed => READ_EVERY,
            _ => longer,
        };
        self.interval = Some(interval);
        interval
    }
}

/// Uses only what Lambda provides: the environment's variables, or with SnapStart the address of
/// its credentials. It calls no other service.
async fn config() -> SdkConfig {
    let credentials = CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
        .or_else("Container", EcsCredentialsProvider::builder().build());
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).operation_timeout(WHOLE).build();
    aws_config::defaults(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .region(EnvironmentVariableRegionProvider::new())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .load()
        .await
}

/// Ends a reading that takes too long. One that took longer than possible was frozen with its
/// environment, which says nothing about the service.
async fn in_time(most: Duration, mut read: impl AsyncFnMut() -> Reading) -> Reading {
    for _ in 0..2 {
        let began = Instant::now();
        let reading = tokio::time::timeout(most, read()).await.unwrap_or_else(|_| Reading::late());
        if !matches!(reading, Reading::Unanswered(_)) || began.elapsed() < 2 * most {
            return reading;
        }
    }
    Reading::late()
}

fn jittered(interval: Duration, random: u64) -> Duration {
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    interval - interval.mul_f64(SPREAD * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn found(faults: &str, taken: Option<SystemTime>) -> Reading {
        let text = format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[{faults}]}}"#);
        Reading::Found { plan: text.into_bytes(), taken }
    }

    /// The intervals after the same reading again and again, in ms.
    fn intervals(pace: &mut Pace, reading: &Reading, now: &mut Instant) -> Vec<u128> {
        let mut intervals = Vec::new();
        for _ in 0..8 {
            let interval = pace.after(reading, *now, SystemTime::now());
            *now += interval;
            intervals.push(interval.as_millis());
        }
        intervals
    }

    const SLOWER: [u128; 8] = [1_700, 3_400, 6_800, 13_600, 27_200, 54_400, 60_000, 60_000];

    #[test]
    fn reads_become_less_frequent_if_there_is_nothing_to_renew() {
        let reading = || Reading::Missing("gone".into());
        let mut now = Instant::now();
        for nothing in [reading(), Reading::late(), Reading::Found { plan: b"off".to_vec(), taken: None }] {
            assert_eq!(intervals(&mut Pace::default(), &nothing, &mut now), SLOWER, "{nothing:?}");
        }
        // A plan whose writer died long ago, and one without an end.
        let dead = found("", SystemTime::now().checked_sub(3600 * SECOND));
        let endless = found(r#"{"name":"f","place":{"function":"a"},"share":1,"kind":{"again":{}}}"#, None);
        for plan in [dead, endless] {
            assert_eq!(intervals(&mut Pace::default(), &plan, &mut now), SLOWER, "{plan:?}");
        }
    }

    #[test]
    fn reads_are_frequent_during_a_lease_and_again_when_a_new_one_comes() {
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        intervals(&mut pace, &Reading::Missing("gone".into()), &mut now);
        // A calm plan: its renewals keep the reads frequent, and after the last lease they slow
        // down.
        for _ in 0..3 {
            assert_eq!(pace.after(&found("", Some(SystemTime::now())), now, SystemTime::now()), READ_EVERY);
            assert_eq!(intervals(&mut pace, &Reading::Same, &mut now), [1_700; 8]);
        }
        now += 60 * SECOND;
        assert_eq!(intervals(&mut pace, &Reading::Same, &mut now), [3_400, 6_800, 13_600, 27_200, 54_400, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn an_interval_is_spread_and_throttling_makes_it_grow_even_during_a_lease() {
        assert_eq!(jittered(READ_EVERY, 0), Duration::from_millis(1_700));
        assert_eq!(jittered(READ_EVERY, u64::MAX), Duration::from_millis(1_275));
        assert_eq!(jittered(READ_AT_LAST_EVERY, u64::MAX), 45 * SECOND);
        let (mut pace, mut now) = (Pace::default(), Instant::now());
        pace.after(&found("", Some(SystemTime::now())), now, SystemTime::now());
        let throttled = intervals(&mut pace, &Reading::Throttled, &mut now);
        assert_eq!(throttled, [3_400, 6_800, 13_600, 27_200, 54_400, 60_000, 60_000, 60_000]);
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_ended() {
        assert_eq!(in_time(Duration::from_millis(50), async || std::future::pending().await).await, Reading::late());
    }
}
