//! Reads an account's concurrency limit and AWS's clock. It changes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_lambda::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_lambda::error::BoxError;

use crate::call::CallError;
use crate::client::Lambda;
use crate::secret::Variables;

/// An account in one Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// The unreserved concurrency of the account; `None` if Lambda does not report it.
    pub at_once: Option<u32>,
    /// The difference between this machine's clock and AWS's; `None` if no answer had a date. The
    /// resolution is one second.
    pub clock_off: Option<Duration>,
}

/// Records the header `date` of an answer.
#[derive(Debug, Clone, Default)]
struct Date(Arc<Mutex<Option<String>>>);

impl Intercept for Date {
    fn name(&self) -> &'static str {
        "Date"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = context.response().headers().get("date").map(str::to_owned);
        Ok(())
    }
}

impl Lambda {
    /// The account of the credentials.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn account(&self) -> Result<Account, CallError> {
        let date = Date::default();
        let asked = self.client.get_account_settings().customize().interceptor(date.clone()).send().await;
        let now = SystemTime::now();
        let settings = asked.map_err(|error| CallError::read("GetAccountSettings", "the account", &error, &Variables::default()))?;
        let at_once = settings.account_limit().and_then(|limit| limit.unreserved_concurrent_executions());
        let told = date.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(Account { at_once: at_once.and_then(|most| u32::try_from(most).ok()), clock_off: told.and_then(|date| off(&date, now)) })
    }
}

/// The difference between `now` and an HTTP date.
fn off(date: &str, now: SystemTime) -> Option<Duration> {
    let there = httpdate::parse_http_date(date).ok()?;
    Some(now.duration_since(there).unwrap_or_else(|behind| behind.duration()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_can_be_ahead_or_behind_and_an_invalid_date_gives_no_difference() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (now, apart) in [(784_111_777, 0), (784_111_787, 10), (784_111_700, 77)] {
            assert_eq!(off(date, at(now)), Some(Duration::from_secs(apart)), "{now}");
        }
        assert_eq!(off("yesterday", at(0)), None);
    }
}
