//! Error names and what matches them.

/// A Task that took longer than its `TimeoutSeconds`.
pub const TIMEOUT: &str = "States.Timeout";
/// An error that no state can handle, such as a path without a value: the execution fails, whatever
/// it retries and catches.
pub const RUNTIME: &str = "States.Runtime";
/// An input, an output or a result larger than [`crate::LARGEST_PAYLOAD`].
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
/// A `ResultPath` that cannot be applied to the input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// A function of a payload template that cannot take its arguments.
pub const INTRINSIC_FAILURE: &str = "States.IntrinsicFailure";
/// A Choice of which no rule holds, and which has no `Default`.
pub const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
/// The wildcard for everything.
pub(crate) const ALL: &str = "States.ALL";
/// The wildcard for every error except [`TIMEOUT`].
const TASK_FAILED: &str = "States.TaskFailed";

/// The names that begin with `States.`, all of them reserved. Source: Amazon States Language, appendix A, and developer guide, "Error names".
pub(crate) const RESERVED: [&str; 17] = [
    ALL,
    "States.BranchFailed",
    DATA_LIMIT_EXCEEDED,
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    INTRINSIC_FAILURE,
    "States.ItemReaderFailed",
    NO_CHOICE_MATCHED,
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    RESULT_PATH_MATCH_FAILURE,
    "States.ResultWriterFailed",
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
];

/// `ErrorEquals`: the errors that a retrier or a catcher matches.
///
/// `States.ALL` matches every error except `States.DataLimitExceeded` and `States.Runtime`;
/// `States.TaskFailed` matches the same except `States.Timeout`; any other name matches itself.
/// Nothing matches `States.Runtime`. Source: developer guide, "Handling errors in Step Functions
/// workflows".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEquals {
    names: Vec<String>,
    /// Errors that it does not match although a wildcard would. No definition can express this.
    except: Vec<String>,
}

impl ErrorEquals {
    /// Matches these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, except: Vec::new() }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether it matches an error.
    pub fn matches(&self, error: &str) -> bool {
        error != RUNTIME && !self.except.iter().any(|name| name == error) && self.names.iter().any(|name| matches(name, error))
    }

    /// Excludes these errors from now on, whether they match by name or by a wildcard. `false` if
    /// nothing can match any more.
    pub fn leave_out(&mut self, errors: &[String]) -> bool {
        self.names.retain(|name| !errors.contains(name));
        self.except.extend(errors.iter().cloned());
        !self.names.is_empty()
    }
}

fn matches(name: &str, error: &str) -> bool {
    match name {
        ALL => error != DATA_LIMIT_EXCEEDED,
        TASK_FAILED => error != DATA_LIMIT_EXCEEDED && error != TIMEOUT,
        name => name == error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_as_in_the_guide() {
        for (name, error, expected) in [
            (ALL, "Mine", true),
            (ALL, TIMEOUT, true),
            (ALL, RESULT_PATH_MATCH_FAILURE, true),
            (ALL, DATA_LIMIT_EXCEEDED, false),
            (ALL, RUNTIME, false),
            (TASK_FAILED, "Lambda.Unknown", true),
            (TASK_FAILED, TIMEOUT, false),
            (TASK_FAILED, DATA_LIMIT_EXCEEDED, false),
            (TIMEOUT, TIMEOUT, true),
            (DATA_LIMIT_EXCEEDED, DATA_LIMIT_EXCEEDED, true),
            (RUNTIME, RUNTIME, false),
            ("Mine", "Mine", true),
            ("Mine", "mine", false),
        ] {
            assert_eq!(ErrorEquals::new(vec![name.to_owned()]).matches(error), expected, "{name} {error}");
        }
    }

    #[test]
    fn an_excluded_error_is_not_matched_by_a_wildcard_either() {
        let mut all = ErrorEquals::new(vec![ALL.to_owned()]);
        assert!(all.leave_out(&["Lambda.Unknown".to_owned()]));
        assert!(!all.matches("Lambda.Unknown") && all.matches("Other"));
        let mut named = ErrorEquals::new(vec!["A".to_owned(), "B".to_owned()]);
        assert!(named.leave_out(&["A".to_owned()]) && !named.matches("A") && named.matches("B"));
        assert!(!named.leave_out(&["B".to_owned()]));
    }
}
