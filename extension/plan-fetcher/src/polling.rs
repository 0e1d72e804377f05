//! When the plan is read: again and again, not in step with other environments, and less often where the service throttles.
//! It must never try again faster than that, whatever fails.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::Write;
use std::time::{Duration, Instant};

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::{EnvironmentVariableCredentialsProvider, EnvironmentVariableRegionProvider};
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

use crate::address::Address;
use crate::object::Object;
use crate::parameter::Parameter;
use crate::reading::Reading;

/// The mean time between two readings. With half of `JITTER` and the reading itself a change is seen within 2 s.
const INTERVAL: Duration = Duration::from_millis(1500);
/// The span over which an interval is spread, so that a thousand environments do not ask in step.
const JITTER: Duration = Duration::from_millis(400);
/// The longest interval of one that is throttled.
const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// How long the connecting, the wait for the first byte, and the whole of a reading may take.
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

/// Reads what stands at `address` and tells `to`, until nobody listens any more.
pub async fn poll(address: Address, to: &mut impl Write) {
    let config = config().await;
    let mut polled = match address {
        Address::Parameter(name) => Polled::Parameter(Parameter::new(&config, name)),
        Address::Object { bucket, key } => Polled::Object(Object::new(&config, bucket, key)),
    };
    let mut interval = INTERVAL;
    loop {
        let reading = in_time(WHOLE, async || polled.read().await).await;
        interval = after(&reading, interval);
        if reading.tell(to).is_err() {
            return;
        }
        drop(reading);
        tokio::time::sleep(jittered(interval, RandomState::new().build_hasher().finish())).await;
    }
}

/// Only what Lambda gives: the environment's variables, or with SnapStart the address of its credentials. No other service is asked.
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

/// A reading that takes too long is ended. One that took longer than it can take was frozen with its environment: that says nothing about the service.
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

/// The interval after a reading.
fn after(reading: &Reading, interval: Duration) -> Duration {
    if matches!(reading, Reading::Throttled) { (interval * 2).min(LONGEST_INTERVAL) } else { INTERVAL }
}

fn jittered(interval: Duration, random: u64) -> Duration {
    let spread = JITTER.mul_f64(interval.as_secs_f64() / INTERVAL.as_secs_f64());
    let share = f64::from(u32::try_from(random >> 32).unwrap_or(0)) / f64::from(u32::MAX);
    interval - spread / 2 + spread.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_spread_and_a_throttled_one_grows() {
        assert_eq!(jittered(INTERVAL, 0), Duration::from_millis(1300));
        assert_eq!(jittered(INTERVAL, u64::MAX), Duration::from_millis(1700));
        let mut interval = INTERVAL;
        for expected in [3, 6, 12, 24, 30, 30] {
            interval = after(&Reading::Throttled, interval);
            assert_eq!(interval, Duration::from_secs(expected));
        }
        assert_eq!(jittered(interval, 0), Duration::from_secs(26));
        assert_eq!(after(&Reading::Same, interval), INTERVAL);
    }

    #[tokio::test]
    async fn a_reading_that_hangs_is_ended() {
        assert_eq!(in_time(Duration::from_millis(50), async || std::future::pending().await).await, Reading::late());
    }
}
