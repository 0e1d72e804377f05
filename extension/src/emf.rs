//! The ledger's lines as CloudWatch metrics, in the embedded metric format: a line on standard
//! output from which CloudWatch Logs extracts the numbers. Off unless a namespace is set. It must
//! never write what the ledger may not.

use faults::Arm;
use faults::ledger::Eligible;
use serde_json::json;

/// The CloudWatch namespace of the metrics: 1 to 255 of the characters A-Z a-z 0-9 . - _ / # : and space. It begins neither with
/// `:` nor with `AWS/`, which is Amazon's own. Source: CloudWatch user guide, "Metrics concepts", and API reference, `PutMetricData`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// Parses a namespace; `None` if `text` is not one.
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#: ".contains(&byte));
        let taken = text.starts_with(':') || text.starts_with("AWS/");
        (plain && !taken && !text.trim().is_empty() && text.len() <= 255).then(|| Self(text.to_owned()))
    }
}

/// The metrics of one line of the ledger at `now_ms`, milliseconds since 1970, as one line with its line break.
///
/// Each has the dimensions `Function`, and `Function` with `Fault`: `Eligible` (1), `Struck` (1 if
/// the fault was carried out, else 0) and, if there was a wait, `Waited` in microseconds. By
/// `Function` alone an invocation counts once for each fault that applies to it. Source: CloudWatch
/// user guide, "Specification: Embedded metric format".
pub fn line(namespace: &Namespace, eligible: &Eligible, now_ms: u64) -> String {
    let mut metrics = vec![json!({ "Name": "Eligible", "Unit": "Count" }), json!({ "Name": "Struck", "Unit": "Count" })];
    let struck = eligible.arm == Arm::Treatment && eligible.done;
    let mut document = json!({
        "Function": dimension(&eligible.place),
        "Fault": dimension(&eligible.fault),
        "Eligible": 1,
        "Struck": u8::from(struck),
        "run": eligible.run,
        "sequence": eligible.sequence,
    });
    if let Some(members) = document.as_object_mut() {
        // An invocation without a wait is not measured: zeros would distort the percentiles.
        if eligible.waited_us > 0 {
            metrics.push(json!({ "Name": "Waited", "Unit": "Microseconds" }));
            members.insert("Waited".to_owned(), eligible.waited_us.into());
        }
        let directive = json!({ "Namespace": namespace.0, "Dimensions": [["Function"], ["Function", "Fault"]], "Metrics": metrics });
        members.insert("_aws".to_owned(), json!({ "Timestamp": now_ms, "CloudWatchMetrics": [directive] }));
    }
    format!("{document}\n")
}

/// A dimension's value: 1 to 1024 visible ASCII characters and spaces. Source: CloudWatch API reference, `Dimension`.
fn dimension(text: &str) -> String {
    let plain = text.chars().map(|char| if char.is_ascii_graphic() || char == ' ' { char } else { '?' });
    let value: String = plain.take(1024).collect();
    if value.trim().is_empty() { "-".to_owned() } else { value }
}

#[cfg(test)]
mod tests {
    use faults::ledger::OfFault;
    use faults::{ActionName, Start};
    use serde_json::Value;

    use super::*;

    fn eligible(arm: Arm, done: bool, waited_us: u64) -> Eligible {
        Eligible {
            run: "r".into(),
            sequence: 3,
            request_id: "id".into(),
            root: None,
            place: "f".into(),
            start: Start::Warm,
            of: OfFault { arm, action: ActionName::WaitBefore, waited_us, done, ..OfFault::control("slow".into()) },
        }
    }

    /// Checks the rules of the specification that can be checked automatically.
    fn conforms(line: &str) -> Value {
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let document: Value = serde_json::from_str(line).unwrap();
        let meta = &document["_aws"];
        assert!(meta["Timestamp"].is_u64(), "{line}");
        for directive in meta["CloudWatchMetrics"].as_array().unwrap() {
            assert!((1..=255).contains(&directive["Namespace"].as_str().unwrap().len()), "{line}");
            let sets = directive["Dimensions"].as_array().unwrap();
            assert!(!sets.is_empty(), "{line}");
            for set in sets {
                let set = set.as_array().unwrap();
                assert!(set.len() <= 9, "{line}");
                for key in set {
                    let value = document[key.as_str().unwrap()].as_str().unwrap();
                    assert!((1..=1024).contains(&value.len()) && value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
                }
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(document[metric["Name"].as_str().unwrap()].is_number(), "{line}");
                assert!(["Count", "Microseconds"].contains(&metric["Unit"].as_str().unwrap()), "{line}");
            }
        }
        document
    }

    #[test]
    fn every_line_conforms_and_counts() {
        let namespace = Namespace::read("Brownout").unwrap();
        for (arm, done, waited_us, struck) in
            [(Arm::Treatment, true, 1500, 1), (Arm::Treatment, false, 0, 0), (Arm::Control, true, 0, 0), (Arm::Treatment, true, 0, 1)]
        {
            let document = conforms(&line(&namespace, &eligible(arm, done, waited_us), 1_574_109_732_004));
            assert_eq!((&document["Eligible"], &document["Struck"]), (&json!(1), &json!(struck)), "{document}");
            assert_eq!(document.get("Waited"), (waited_us > 0).then(|| json!(waited_us)).as_ref(), "{document}");
            assert_eq!((&document["run"], &document["sequence"]), (&json!("r"), &json!(3)));
            assert_eq!(document["_aws"]["Timestamp"], json!(1_574_109_732_004_u64));
        }
    }

    #[test]
    fn odd_names_become_valid_dimensions() {
        let namespace = Namespace::read("Brownout").unwrap();
        for (name, value) in [("", "-"), (" ", "-"), ("zu spät\n", "zu sp?t?"), (&"x".repeat(2000), &"x".repeat(1024))] {
            let line = line(&namespace, &Eligible { of: OfFault::control(name.to_owned()), ..eligible(Arm::Control, true, 0) }, 0);
            assert_eq!(conforms(&line)["Fault"], value, "{name}");
        }
    }

    #[test]
    fn only_a_valid_cloudwatch_namespace_is_accepted() {
        for (text, taken) in [
            ("Brownout", true),
            ("my app/chaos #1: a_b-c.d", true),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
            ("", false),
            ("  ", false),
            (":x", false),
            ("AWS/Lambda", false),
            ("a\nb", false),
            ("naïve", false),
        ] {
            assert_eq!(Namespace::read(text).is_some(), taken, "{text}");
        }
    }
}
