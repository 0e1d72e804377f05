//! The rules that hold for every stack to which the experiment's file sends requests. They are on
//! unless the file switches one off.

use super::Judge;
use super::judge::Rule;
use super::r1_right_statuses::right_statuses;
use super::r2_expected_bodies::expected_bodies;
use super::r3_no_internals::no_internals;
use super::r5_no_secrets_in_logs::no_secrets_in_logs;
pub use super::r6_no_start_loops::START_LOOPS;

/// The rule about dead-letter queues, which only the services of this machine can show.
pub const DEAD_LETTERS: (&str, &str) =
    ("R-4", "no message goes to a dead-letter queue of the template unless a fault was in force while it was worked on");

/// The ids of all.
pub const IDS: [&str; 6] = ["R-1", "R-2", "R-3", DEAD_LETTERS.0, SECRETS, START_LOOPS.0];

/// The id of the rule about logs, which only this machine can show.
pub const SECRETS: &str = "R-5";

/// Those that need no book, without the ones that are `off`. The one about logs is there if there is
/// something to look for.
pub(crate) fn judge(off: &[&str], has_secrets: bool) -> Judge<()> {
    let all = [right_statuses(), expected_bodies(), no_internals()];
    let of_logs = has_secrets.then(no_secrets_in_logs);
    Judge::new((), all.into_iter().chain(of_logs).filter(|rule: &Rule<()>| !off.contains(&rule.id())).collect())
}

#[cfg(test)]
mod tests {
    use super::super::Invariant;
    use super::*;

    #[test]
    fn every_id_has_its_rule_and_can_be_switched_off() {
        let ids = |off: &[&str]| -> Vec<_> { judge(off, true).rules().into_iter().map(|(id, _)| id).collect() };
        let without_book: Vec<_> = IDS.into_iter().filter(|id| ![DEAD_LETTERS.0, START_LOOPS.0].contains(id)).collect();
        assert_eq!(ids(&[]), without_book);
        assert_eq!(ids(&["R-2", "R-5"]), ["R-1", "R-3"]);
        assert_eq!(judge(&[], false).rules().len(), 3);
    }
}
