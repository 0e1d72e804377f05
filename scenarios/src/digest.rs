//! A digest of the data that journeys read beside their file: rows, and the requests of a log. Two processes with the same file and the
//! same digest send the same requests.

use aws_lc_rs::digest::{Context, SHA256};

use crate::journeys::{Journey, Times};

/// The first 16 hexadecimal digits of SHA-256 over all rows and recorded requests, in their order. The values of variables of the
/// environment are not in it.
pub fn digest(journeys: &[Journey]) -> String {
    let mut context = Context::new(&SHA256);
    // A length before each text, so that no two lists are one.
    let mut add = |text: &str| {
        context.update(&(text.len() as u64).to_le_bytes());
        context.update(text.as_bytes());
    };
    for journey in journeys {
        add(journey.name);
        add(&journey.rows.len().to_string());
        for (name, value) in journey.rows.iter().flatten() {
            add(name);
            add(value);
        }
        let Times::Recorded(arrivals) = &journey.times else { continue };
        for arrival in arrivals.iter() {
            add(&format!("{} {}", arrival.at.as_nanos(), arrival.step));
        }
        for step in &journey.steps {
            add(&format!("{} {} {:?}", step.of, step.method, step.path));
        }
    }
    context.finish().as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::journeys::{Around, RecordedArrival, To};

    #[test]
    fn other_rows_and_another_log_have_another_digest() {
        let with = |rows: &[(&str, &str)], times: Times| {
            let rows = rows.iter().map(|(name, value)| BTreeMap::from([((*name).to_owned(), (*value).to_owned())])).collect();
            let to = To::Api(String::new());
            digest(&[Journey { name: "buy", rate: 1.0, times, to, rows: Arc::new(rows), steps: Vec::new(), around: Around::default() }])
        };
        let recorded = |ms: u64| Times::Recorded(Arc::new(vec![RecordedArrival { at: Duration::from_millis(ms), step: 0 }]));
        let all = [
            with(&[], Times::Steady),
            with(&[("a", "bc")], Times::Steady),
            with(&[("ab", "c")], Times::Steady),
            with(&[("a", "bc"), ("a", "bc")], Times::Steady),
            with(&[], recorded(1)),
            with(&[], recorded(2)),
        ];
        assert_eq!(all[1], with(&[("a", "bc")], Times::Steady));
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len(), "{all:?}");
    }
}
