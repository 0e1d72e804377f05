//! `explore.xml` for CI: a test for each finding, of a single fault or of a pair, and for each place without one. A finding fails, an
//! accepted one is skipped with its reason, and a place of which nothing was tried is skipped.

use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestSuite};

use super::model::{End, Exploration, Finding};
use crate::formats::junit::{failed, skipped};

/// The exploration as JUnit's XML.
///
/// # Errors
/// If it cannot be written as XML.
pub fn write(exploration: &Exploration) -> Result<String, quick_junit::SerializeError> {
    let mut suite = TestSuite::new(format!("explore {}", exploration.name));
    let mut add = |class: &str, name: String, status: TestCaseStatus| {
        let mut case = TestCase::new(name, status);
        case.set_classname(format!("{}.{class}", exploration.name));
        suite.add_test_case(case);
    };
    for found in &exploration.findings {
        let place = found.place.as_deref().unwrap_or("no single place");
        add("findings", format!("{place}: {} ({})", found.text, found.rule), of_finding(found));
    }
    for place in exploration.places.iter().filter(|place| !place.has_finding()) {
        let status = if place.is_tried() { TestCaseStatus::success() } else { skipped("nothing was tried here") };
        add("places", place.name(), status);
    }
    if let End::NotShown(why) = &exploration.end {
        add("exploration", "something could be tried".to_owned(), failed(NonSuccessKind::Error, why));
    }
    let mut junit = Junit::new("brownout");
    junit.add_test_suite(suite);
    junit.to_string()
}

fn of_finding(found: &Finding) -> TestCaseStatus {
    match &found.accepted {
        Some(accepted) => skipped(&format!("accepted on {}: {}", accepted.date, accepted.reason)),
        None => {
            let what = format!("{}: {}; expected {}; {}", found.ways.join(", "), found.answered, found.expected, found.command);
            failed(NonSuccessKind::Failure, &what)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::{Accepted, Exploration};
    use super::super::sample::{exploration, finding};

    #[test]
    fn a_finding_fails_until_it_is_accepted() {
        let xml = super::write(&exploration()).unwrap();
        assert!(xml.contains(r#"failures="2" errors="0""#) && xml.contains("2 rows in Orders"), "{xml}");
        assert!(xml.contains("buy place: place &gt; dynamodb:PutItem + buy place: late: an order is stored (T-1)"), "{xml}");
        let accepted = Some(Accepted { reason: "until March".into(), date: "2026-01-31".into() });
        let known = Exploration { findings: vec![super::Finding { accepted, ..finding() }], ..exploration() };
        let xml = super::write(&known).unwrap();
        assert!(xml.contains(r#"failures="0" errors="0""#) && xml.contains("until March"), "{xml}");
    }
}
