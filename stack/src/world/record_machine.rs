//! The weaknesses of the audit's state machine: errors that its published form neither retried nor caught. The template holds the hardened form
//! alone; a weakness is taken out of the definition that was read.

use states::Definition;

/// What each weakness leaves unhandled.
const UNHANDLED: [(&str, &[&str]); 2] =
    [("lost-on-timeout", &["Lambda.Unknown", "States.Timeout"]), ("throttling-not-retried", &["Lambda.TooManyRequestsException"])];

/// Gives the definition these weaknesses; those of somebody else are nothing to it.
pub fn weaken<'a>(definition: &mut Definition, weaknesses: impl Iterator<Item = &'a str>) {
    for name in weaknesses {
        for (_, errors) in UNHANDLED.iter().filter(|(weakness, _)| *weakness == name) {
            definition.each_handling(&mut |handling| {
                handling.retry.retain_mut(|retrier| retrier.errors.leave_out(errors));
                handling.catch.retain_mut(|catcher| catcher.errors.leave_out(errors));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use states::{ErrorEquals, Handling};

    use super::*;
    use crate::world::weaknesses::{ALL, Bearer};

    /// A branch that retries by name, in a Parallel that catches by wildcard.
    fn definition() -> Definition {
        let retry = json!([
            {"ErrorEquals": ["Lambda.TooManyRequestsException", "Lambda.Unknown", "States.Timeout", "NeighbourFailed"]},
            {"ErrorEquals": ["NotYet"]},
            {"ErrorEquals": ["States.Timeout"]},
        ]);
        let task = json!({"Type": "Task", "Resource": "r", "Retry": retry, "End": true});
        let branch = json!({"StartAt": "A", "States": {"A": task}});
        let catch =
            json!([{"ErrorEquals": ["States.TaskFailed", "States.Timeout"], "Next": "W"}, {"ErrorEquals": ["States.ALL"], "Next": "W"}]);
        let both = json!({"Type": "Parallel", "Branches": [branch], "Catch": catch, "Next": "W"});
        Definition::read(&json!({"StartAt": "B", "States": {"B": both, "W": {"Type": "Succeed"}}})).unwrap()
    }

    /// What is retried and what is caught anywhere in the definition.
    fn handles(definition: &Definition, error: &str) -> (bool, bool) {
        let (mut retried, mut caught) = (false, false);
        let is_for = |errors: &ErrorEquals| errors.matches(error);
        definition.clone().each_handling(&mut |handling: &mut Handling| {
            retried |= handling.retry.iter().any(|retrier| is_for(&retrier.errors));
            caught |= handling.catch.iter().any(|catcher| is_for(&catcher.errors));
        });
        (retried, caught)
    }

    #[test]
    fn a_weakness_leaves_its_errors_alone_and_nothing_else() {
        let (unknown, timeout, throttled) = ("Lambda.Unknown", "States.Timeout", "Lambda.TooManyRequestsException");
        for (weaknesses, unhandled) in [
            (&[][..], &[][..]),
            (&["lost-on-timeout"], &[unknown, timeout]),
            (&["throttling-not-retried"], &[throttled]),
            (&["lost-on-timeout", "throttling-not-retried"], &[unknown, timeout, throttled]),
            (&["lenient-base64", "no-retry"], &[]),
        ] {
            let mut definition = definition();
            weaken(&mut definition, weaknesses.iter().copied());
            for error in [unknown, timeout, throttled, "NeighbourFailed", "NotYet"] {
                let handled = !unhandled.contains(&error);
                assert_eq!(handles(&definition, error), (handled, handled), "{weaknesses:?} {error}");
            }
            assert_eq!(handles(&definition, "RecordGone"), (false, true), "{weaknesses:?}");
        }
    }

    #[test]
    fn every_weakness_of_the_machine_does_something() {
        let listed: Vec<_> = ALL.iter().filter(|(_, bearer)| *bearer == Bearer::RecordMachine).map(|(name, _)| *name).collect();
        assert_eq!(listed, UNHANDLED.map(|(name, _)| name));
    }
}
