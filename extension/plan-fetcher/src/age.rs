//! The age of a plan by the service's own clock, so that a wrong clock on this machine or the plan
//! writer's does not matter.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_ssm::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_ssm::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ssm::error::BoxError;
use aws_smithy_types::DateTime;

/// When a request was sent, by the local clock.
#[derive(Debug, Clone, Copy)]
pub struct Asked(SystemTime);

impl Asked {
    /// Now.
    pub fn now() -> Self {
        Self(SystemTime::now())
    }
}

/// The service's clock, from the `Date` of the last answer.
#[derive(Debug, Clone, Default)]
pub struct Clock(Arc<Mutex<Option<SystemTime>>>);

impl Clock {
    /// When, by the local clock, the service stored what it says was modified at `modified`; the
    /// time of the answer's transfer counts as age.
    pub fn taken(&self, asked: Asked, modified: Option<DateTime>) -> Option<SystemTime> {
        let modified = SystemTime::try_from(modified?).ok()?;
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = told.unwrap_or(asked.0);
        asked.0.checked_sub(now.duration_since(modified).unwrap_or(Duration::ZERO))
    }
}

impl Intercept for Clock {
    fn name(&self) -> &'static str {
        "Clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let told = context.response().headers().get("date").and_then(|date| httpdate::parse_http_date(date).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_clock_counts_if_it_is_reported() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let asked = Asked(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        for (told, modified, taken) in [
            // The local clock is far behind the service's, far ahead of it, and the service reports
            // no time.
            (Some(at(9_030)), Some(at(9_000)), Some(970)),
            (Some(at(530)), Some(at(500)), Some(970)),
            (None, Some(at(900)), Some(900)),
            // A modification in the future counts as new; a missing one is unknown.
            (Some(at(500)), Some(at(501)), Some(1_000)),
            (None, Some(at(2_000)), Some(1_000)),
            (Some(at(500)), None, None),
        ] {
            let clock = Clock(Arc::new(Mutex::new(told)));
            let expected = taken.map(at);
            assert_eq!(clock.taken(asked, modified.map(DateTime::from)), expected, "{told:?} {modified:?}");
        }
    }
}
