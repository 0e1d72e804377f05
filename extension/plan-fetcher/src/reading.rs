//! The outcome of one reading, and how it is reported to the extension. It must never repeat what a
//! service wrote, only short codes.

use std::fmt::Debug;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_ssm::config::http::HttpResponse;
use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};

/// The outcome of one reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Nothing has changed since the last one.
    Same,
    /// A plan.
    Found {
        /// Its text, at most `LARGEST_PLAN` + 1 bytes of it.
        plan: Vec<u8>,
        /// When the service stored it, by the local clock, if that is known.
        taken: Option<SystemTime>,
    },
    /// The service says that there is no plan, or that this account may not read it.
    Missing(String),
    /// It is not known whether there is a plan.
    Unanswered(String),
    /// The service asks for fewer readings.
    Throttled,
}

impl Reading {
    /// The outcome of a timeout.
    pub fn late() -> Self {
        Self::Unanswered("the plan's service does not answer in time".to_owned())
    }

    /// The outcome for an SDK error: a refusal is an answer; after any other error it is unknown
    /// whether there is a plan.
    pub fn of_error<E: ProvideErrorMetadata + Debug>(error: &SdkError<E, HttpResponse>) -> Self {
        match error {
            SdkError::TimeoutError(_) => Self::late(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => Self::late(),
            SdkError::DispatchFailure(failure) if failure.is_io() => Self::Unanswered("the plan's service cannot be reached".to_owned()),
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => Self::Unanswered(
                "the plan's service cannot be asked: the credentials, the region or the address are missing or wrong".to_owned(),
            ),
            SdkError::ServiceError(refusal) => Self::of_refusal(refusal.raw().status().as_u16(), refusal.err().code()),
            _ => Self::Unanswered("the answer of the plan's service is not understood".to_owned()),
        }
    }

    fn of_refusal(status: u16, code: Option<&str>) -> Self {
        let code = code.filter(|code| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let throttles = ["ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"];
        let named = code.map_or_else(|| format!("status {status}"), |code| format!("`{code}`"));
        match status {
            429 => Self::Throttled,
            _ if code.is_some_and(|code| throttles.contains(&code)) => Self::Throttled,
            400..500 => Self::Missing(format!("the plan's service refuses it ({named})")),
            _ => Self::Unanswered(format!("the plan's service answers with {named}")),
        }
    }

    /// Reports to the extension: one line, and after `found <length>` or
    /// `found <length> <taken, in ms since 1970>` that many bytes.
    ///
    /// # Errors
    /// If the reader is gone.
    pub fn tell(&self, to: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Same => writeln!(to, "same")?,
            Self::Found { plan, taken } => {
                let taken = taken.and_then(|taken| taken.duration_since(UNIX_EPOCH).ok());
                let taken = taken.map(|taken| format!(" {}", taken.as_millis())).unwrap_or_default();
                writeln!(to, "found {}{taken}", plan.len())?;
                to.write_all(plan)?;
            }
            Self::Missing(why) => writeln!(to, "missing {why}")?,
            Self::Unanswered(why) => writeln!(to, "unanswered {why}")?,
            Self::Throttled => writeln!(to, "unanswered the plan's service throttles the requests")?,
        }
        to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_reported_only_by_its_code() {
        let missing = |named: &str| Reading::Missing(format!("the plan's service refuses it ({named})"));
        for (status, code, expected) in [
            (400, Some("ParameterNotFound"), missing("`ParameterNotFound`")),
            (403, None, missing("status 403")),
            (400, Some("a secret: 1"), missing("status 400")),
            (400, Some("ThrottlingException"), Reading::Throttled),
            (429, None, Reading::Throttled),
            (503, Some("SlowDown"), Reading::Throttled),
            (500, Some("InternalServerError"), Reading::Unanswered("the plan's service answers with `InternalServerError`".into())),
        ] {
            assert_eq!(Reading::of_refusal(status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn every_reading_is_one_line_and_a_plan_follows_its_length() {
        for (reading, expected) in [
            (Reading::Same, "same\n"),
            (Reading::Found { plan: b"a\nb".to_vec(), taken: None }, "found 3\na\nb"),
            (
                Reading::Found { plan: b"ab".to_vec(), taken: Some(UNIX_EPOCH + std::time::Duration::from_millis(1_234_567)) },
                "found 2 1234567\nab",
            ),
            (Reading::Missing("gone".into()), "missing gone\n"),
            (Reading::late(), "unanswered the plan's service does not answer in time\n"),
            (Reading::Throttled, "unanswered the plan's service throttles the requests\n"),
        ] {
            let mut told = Vec::new();
            reading.tell(&mut told).unwrap();
            assert_eq!(String::from_utf8(told).unwrap(), expected);
        }
    }
}
