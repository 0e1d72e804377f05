//! The experiment that repeats a finding: the explored file without its faults and aims, and with the
//! faults of the finding's smallest case, on a share of the traffic.

use std::path::Path;

use toml::{Table, Value};

use super::cases::{Case, Injection, Second, Why};
use super::judge::is_tree_rule;
use super::place::Spot;
use super::ways::Way;

/// What belongs to the question of the explored file.
const DROPPED: [&str; 5] = ["fault", "expect", "expect-invariants", "stop", "phases"];

/// The share of the traffic that is struck.
const SHARE: f64 = 0.3;

/// The share that each fault of a pair strikes: both strike a quarter.
const SHARE_OF_EACH: f64 = 0.5;

/// Writes the experiment: `text` is the explored file, whose paths begin at `folder`.
///
/// # Errors
/// Why it cannot be written.
pub fn write(text: &str, folder: &Path, seed: u64, case: &Case, rule: &str) -> Result<String, String> {
    let mut file: Table = text.parse().map_err(|error| format!("the explored file is not TOML: {error}"))?;
    DROPPED.iter().for_each(|key| drop(file.remove(*key)));
    absolute(&mut file, folder);
    let question = format!("Does `{}` hold under: {}, {}?", rule, case.places(), case.ways());
    file.insert("question".to_owned(), question.into());
    file.insert("seed".to_owned(), Value::try_from(seed).map_err(|error| error.to_string())?);
    file.insert("phases".to_owned(), phases());
    file.insert("fault".to_owned(), Value::Array(faults(case)?));
    let body = toml::to_string(&file).map_err(|error| error.to_string())?;
    Ok(format!("{}{body}", about(case, rule)))
}

/// What the reader must know of it.
fn about(case: &Case, rule: &str) -> String {
    let mut about = format!("# Made by `brownout explore`: {}, {}.", case.places(), case.ways());
    let mut ways: Vec<Way> = case.injections().map(|one| one.way).collect();
    ways.dedup();
    ways.into_iter().for_each(|way| about.push_str(&format!(" {}", way.about())));
    about.push('\n');
    match case.second.as_ref().map(|second| second.why) {
        None => {}
        Some(Why::Again) => about.push_str("# What is tried again can be struck again: of some requests two tries in a row are.\n"),
        Some(Why::Opened | Why::Both) => about.push_str("# Each fault strikes half of the requests, so both strike a quarter.\n"),
    }
    if case.injections().any(|one| matches!(one.place.spot, Spot::Call { .. })) {
        about.push_str("# A call is struck whichever function makes it.\n");
    }
    if is_tree_rule(rule) {
        about.push_str(&format!(
            "# {rule} is checked by `brownout explore` alone; a `[[rule]]` of your own makes `brownout run` check it.\n"
        ));
    }
    about
}

fn phases() -> Value {
    let phases = [("warm-up", "2s"), ("baseline", "6s"), ("fault", "20s"), ("recovery", "5s")];
    Value::Table(phases.into_iter().map(|(name, time)| (name.to_owned(), time.into())).collect())
}

/// A fault for each injection. One fault strikes a place and what is tried again there.
fn faults(case: &Case) -> Result<Vec<Value>, String> {
    match &case.second {
        None => Ok(vec![fault(&case.first, SHARE, None)?]),
        Some(Second { why: Why::Again, .. }) => Ok(vec![fault(&case.first, SHARE_OF_EACH, None)?]),
        Some(Second { injection, .. }) => {
            Ok(vec![fault(&case.first, SHARE_OF_EACH, Some("first"))?, fault(injection, SHARE_OF_EACH, Some("second"))?])
        }
    }
}

fn fault(injection: &Injection, share: f64, name: Option<&str>) -> Result<Value, String> {
    let Injection { place, way, hurt } = injection;
    let kind = Value::try_from(&hurt.kind).map_err(|error| error.to_string())?;
    let Value::Table(mut fault) = kind else { return Err(format!("`{}` cannot be written", hurt.kind.name())) };
    let mut put = |key: &str, value: Value| drop(fault.insert(key.to_owned(), value));
    name.into_iter().for_each(|name| put("name", name.into()));
    put("share", share.into());
    match &place.spot {
        Spot::Invocation { function, .. } => put("function", function.as_str().into()),
        Spot::Call { service, operation, .. } => {
            put("service", service.as_str().into());
            put("operation", operation.as_str().into());
            // An outage is longer than a request; anything else is over at the next call.
            put("roll", if *way == Way::Outage { "same-request" } else { "each-call" }.into());
        }
    }
    Ok(Value::Table(fault))
}

/// The experiment is in another folder, so its paths are written in full.
fn absolute(file: &mut Table, folder: &Path) {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let full = |value: &mut Value| {
        if let Value::String(path) = value {
            *path = folder.join(path.as_str()).display().to_string();
        }
    };
    if let Some(template) = file.get_mut("stack").and_then(|stack| stack.get_mut("template")) {
        full(template);
    }
    if let Some(Value::Array(journeys)) = file.get_mut("journey") {
        for journey in journeys {
            ["data", "replay"].into_iter().for_each(|key| journey.get_mut(key).into_iter().for_each(full));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faults::Trigger;

    use super::super::place::Place;
    use super::super::ways::Site;
    use super::*;

    const CLINIC: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

    fn case(spot: Spot, way: Way) -> Case {
        let site = Site { triggers: vec![Trigger::Queue], timeout: Duration::from_secs(3), within: Some(Duration::from_micros(7_250)) };
        let hurt = way.hurt(&spot, &site).unwrap();
        Case::single(Injection { place: Place { endpoint: "clinic GET /appointment/{id}".into(), spot }, way, hurt })
    }

    fn invocation(function: &str) -> Spot {
        Spot::Invocation { function: function.into(), delivery: 1 }
    }

    fn call(operation: &str) -> Spot {
        Spot::Call { function: "appointments".into(), service: "dynamodb".into(), operation: operation.into(), number: 2, delivery: 1 }
    }

    #[test]
    fn each_case_gives_an_experiment_that_the_check_accepts() {
        let mut written = 0;
        for way in Way::ALL {
            for spot in [invocation("appointments"), call("GetItem")] {
                let site = Site { triggers: vec![Trigger::Queue], timeout: Duration::from_secs(3), within: Some(Duration::from_millis(7)) };
                if way.hurt(&spot, &site).is_err() {
                    continue;
                }
                let text = write(CLINIC, Path::new("."), 11, &case(spot, way), "B-2").unwrap();
                let plan = crate::check("x", &text).unwrap_or_else(|wrong| panic!("{way:?}: {wrong:?}\n{text}"));
                assert_eq!((plan.faults.len(), plan.seed, plan.expectations.len()), (1, 11, 0), "{text}");
                written += 1;
            }
        }
        assert!(written > 12, "{written}");
    }

    #[test]
    fn a_pair_gives_an_experiment_with_both_faults_and_what_is_tried_again_one_with_one() {
        let pair = |first: Case, why: Why, second: Case| Case { second: Some(Second { why, injection: second.first }), ..first };
        let denied = || case(call("PutItem"), Way::Denied);
        for (pair, count, says) in [
            (pair(denied(), Why::Opened, case(call("GetItem"), Way::Outage)), 2, "both strike a quarter"),
            (pair(denied(), Why::Both, case(invocation("appointments"), Way::Slow)), 2, "both strike a quarter"),
            (pair(denied(), Why::Again, denied()), 1, "two tries in a row"),
        ] {
            let text = write(CLINIC, Path::new("."), 11, &pair, "T-1").unwrap();
            let plan = crate::check("x", &text).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"));
            assert_eq!(plan.faults.len(), count, "{text}");
            assert!(plan.faults.iter().all(|fault| fault.share.value() == SHARE_OF_EACH) && text.contains(says), "{text}");
        }
    }

    #[test]
    fn paths_are_written_in_full_and_the_rest_is_kept() {
        let text = "[stack]\ntemplate = \"template.yaml\"\n[[journey]]\nname = \"buy\"\ndata = \"rows.csv\"\n[[journey]]\nname = \"day\"\nreplay = \"access.log\"\n[[fault]]\nname = \"before\"\n";
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().canonicalize().unwrap();
        let written = write(text, folder.path(), 1, &case(invocation("worker"), Way::Duplicate), "T-2").unwrap();
        let table: Table = written.parse().unwrap();
        assert_eq!(table["stack"]["template"].as_str().unwrap(), full.join("template.yaml").display().to_string());
        assert_eq!(table["journey"][0]["data"].as_str().unwrap(), full.join("rows.csv").display().to_string());
        assert_eq!(table["journey"][1]["replay"].as_str().unwrap(), full.join("access.log").display().to_string());
        assert_eq!(table["fault"][0]["function"].as_str(), Some("worker"));
        assert!(written.contains("T-2 is checked by `brownout explore` alone") && !written.contains("before"), "{written}");
    }
}
