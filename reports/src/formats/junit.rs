//! `junit.xml`: one test case for each aim, invariant and fault, and one each for the ledgers, the
//! generator, the machine, the method and the restore.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use crate::measurements::{Restored, RunKind};
use crate::report::{Answer, MethodCheck, Report};
use crate::verdict::Verdict;

pub(crate) fn failed(kind: NonSuccessKind, message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(message);
    status
}

pub(crate) fn skipped(message: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}

/// An error if there is trouble, else a success.
fn sound(trouble: Option<&str>) -> TestCaseStatus {
    trouble.map_or_else(TestCaseStatus::success, |why| failed(NonSuccessKind::Error, why))
}

/// The report as JUnit's XML.
///
/// # Errors
/// If it cannot be written as XML.
pub fn write(report: &Report) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(report.experiment.name.as_str());
    let mut add = |class: &str, name: String, status: TestCaseStatus| {
        let mut case = TestCase::new(name, status);
        case.set_classname(format!("{}.{class}", report.experiment.name));
        suite.add_test_case(case);
    };
    let verdict = match report.verdict {
        Verdict::Held => TestCaseStatus::success(),
        Verdict::Broken => failed(NonSuccessKind::Failure, &report.sentence),
        _ => failed(NonSuccessKind::Error, &report.sentence),
    };
    add("verdict", report.experiment.question.clone(), verdict);
    for aim in &report.aims {
        let status = match aim.answer {
            Answer::Holds => TestCaseStatus::success(),
            Answer::Broken => failed(NonSuccessKind::Failure, &format!("found {}", aim.found)),
            Answer::NotShown => skipped(&format!("not shown: {}", aim.why)),
        };
        add("aims", format!("{}: {} ({})", aim.expectation.of, aim.asked, aim.whose()), status);
    }
    for rule in &report.invariants {
        let status = match (rule.broken, rule.checked) {
            (0, 0) => skipped("not exercised"),
            (0, _) => TestCaseStatus::success(),
            (broken, checked) => failed(NonSuccessKind::Failure, &format!("broken {broken} times in {checked} checks")),
        };
        add("invariants", format!("{}: {}", rule.id, rule.rule), status);
    }
    for row in &report.injections {
        let (low, high) = row.band;
        let struck = row.books.struck;
        let proven = (low..=high).contains(&struck) && struck > 0;
        let message = format!("struck {struck} of {}, expected {low} to {high}", row.books.eligible);
        add(
            "faults",
            format!("{} struck", row.books.fault),
            if proven { TestCaseStatus::success() } else { failed(NonSuccessKind::Error, &message) },
        );
    }
    add("harness", "the books balance".to_owned(), sound(report.discrepancies.first().map(String::as_str)));
    add("harness", "the load generator kept up".to_owned(), sound(report.generator_trouble.as_deref()));
    // What load alone is sent to is not brownout's to watch or to put back.
    if report.experiment.kind == RunKind::Experiment {
        stack(report, &mut add);
    }
    let mut junit = Junit::new("brownout");
    junit.add_test_suite(suite);
    junit.to_string()
}

/// What can go wrong with the stack and with the faults.
fn stack(report: &Report, add: &mut dyn FnMut(&str, String, TestCaseStatus)) {
    add("harness", "the machine was not the bottleneck".to_owned(), sound(report.platform_trouble.as_deref()));
    let method = match &report.method {
        MethodCheck::Passed(_) => TestCaseStatus::success(),
        MethodCheck::NotMade(why) => skipped(why),
        MethodCheck::Failed(why) => failed(NonSuccessKind::Error, why),
    };
    add("harness", "the control arm agrees with itself".to_owned(), method);
    let restored = match &report.restored {
        Restored::Yes => None,
        Restored::No { command, .. } => Some(command.as_str()),
    };
    add("harness", "everything was put back".to_owned(), sound(restored));
}

#[cfg(test)]
mod tests {
    use crate::sample::{healthy, slow};

    #[test]
    fn a_held_run_has_no_failure_and_a_broken_one_has() {
        let held = super::write(&crate::judge::judge(&healthy())).unwrap();
        assert!(held.contains(r#"failures="0" errors="0""#), "{held}");
        let broken = super::write(&crate::judge::judge(&slow())).unwrap();
        assert!(broken.contains("<failure") && broken.contains("p99 at most 1s"), "{broken}");
    }
}
