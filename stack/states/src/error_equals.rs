//! Error names and what matches them.

/// A Task that took longer than its `TimeoutSeconds`.
pub const TIMEOUT: &str = "States.Timeout";
/// What no state can handle, such as a path that leads nowhere: the execution fails, whatever it retries and catches.
pub const RUNTIME: &str = "States.Runtime";
/// An input, an output or a result larger than [`crate::LARGEST_PAYLOAD`].
pub const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
/// A `ResultPath` that cannot be put into the input.
pub const RESULT_PATH_MATCH_FAILURE: &str = "States.ResultPathMatchFailure";
/// The wildcard for everything.
pub(crate) const ALL: &str = "States.ALL";
/// The wildcard for everything but [`TIMEOUT`].
const TASK_FAILED: &str = "States.TaskFailed";

/// The names that begin with `States.`, all of them reserved. Source: Amazon States Language, appendix A, and developer guide, "Error names".
pub(crate) const RESERVED: [&str; 17] = [
    ALL,
    "States.BranchFailed",
    DATA_LIMIT_EXCEEDED,
    "States.ExceedToleratedFailureThreshold",
    "States.HeartbeatTimeout",
    "States.Http.Socket",
    "States.IntrinsicFailure",
    "States.ItemReaderFailed",
    "States.NoChoiceMatched",
    "States.ParameterPathFailure",
    "States.Permissions",
    "States.QueryEvaluationError",
    RESULT_PATH_MATCH_FAILURE,
    "States.ResultWriterFailed",
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
];

/// `ErrorEquals`: which errors a retrier or a catcher is for.
///
/// `States.ALL` matches every error but `States.DataLimitExceeded` and `States.Runtime`, `States.TaskFailed` the same but `States.Timeout`, and
/// any other name itself; nothing matches `States.Runtime`. Source: developer guide, "Handling errors in Step Functions workflows".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEquals {
    names: Vec<String>,
    /// What it does not match although a wildcard would. No definition can say this.
    except: Vec<String>,
}

impl ErrorEquals {
    /// Those of these names.
    pub fn new(names: Vec<String>) -> Self {
        Self { names, except: Vec::new() }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether an error is meant.
    pub fn matches(&self, error: &str) -> bool {
        error != RUNTIME && !self.except.iter().any(|name| name == error) && self.names.iter().any(|name| matches(name, error))
    }

    /// From here on these errors are not meant, whether they were by name or by a wildcard. `false` where nothing at all is meant any more.
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
    fn wildcards_match_what_the_guide_says() {
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
    fn what_is_left_out_is_not_matched_by_a_wildcard_either() {
        let mut all = ErrorEquals::new(vec![ALL.to_owned()]);
        assert!(all.leave_out(&["Lambda.Unknown".to_owned()]));
        assert!(!all.matches("Lambda.Unknown") && all.matches("Other"));
        let mut named = ErrorEquals::new(vec!["A".to_owned(), "B".to_owned()]);
        assert!(named.leave_out(&["A".to_owned()]) && !named.matches("A") && named.matches("B"));
        assert!(!named.leave_out(&["B".to_owned()]));
    }
}
