//! Whether a stack is in a state in which an experiment on it means anything.

/// Why a stack in this status cannot be used, and what to do; `None` if it can.
pub fn objection(status: &str) -> Option<&'static str> {
    match status {
        "REVIEW_IN_PROGRESS" => Some("it was never deployed: execute its change set, or deploy again"),
        "ROLLBACK_COMPLETE" => Some("its creation failed, and it is empty: delete it, and deploy again"),
        _ if status.starts_with("DELETE_") => Some("it is deleted, or partly: deploy again"),
        _ if status.ends_with("_IN_PROGRESS") => Some("wait until that is over"),
        _ if status.ends_with("_FAILED") => Some("parts of it may be missing: repair it (continue the rollback), or deploy again"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stack_that_is_complete_can_be_used() {
        for status in ["CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"] {
            assert_eq!(objection(status), None, "{status}");
        }
        for (status, fix) in [
            ("REVIEW_IN_PROGRESS", "change set"),
            ("CREATE_IN_PROGRESS", "wait"),
            ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "wait"),
            ("ROLLBACK_COMPLETE", "delete it"),
            ("CREATE_FAILED", "repair it"),
            ("UPDATE_ROLLBACK_FAILED", "continue the rollback"),
            ("DELETE_COMPLETE", "deploy again"),
            ("DELETE_IN_PROGRESS", "deploy again"),
            ("DELETE_FAILED", "deploy again"),
        ] {
            assert!(objection(status).is_some_and(|why| why.contains(fix)), "{status}");
        }
    }
}
