//! A snapshot as JSON, for the page.

use engine::snapshot::{Broken, Latency, Recent, Snapshot};
use serde_json::{Value, json};

use super::news::Judged;

/// The JSON. Latencies are in milliseconds, or `"failed"`, or `null` without a request.
pub fn json(snapshot: &Snapshot) -> Value {
    let Snapshot {
        name, kind, moment, at, length, due_per_s, sent_per_s, sent, failed, struck, struck_arm, other_arms, rules, broken, ..
    } = snapshot;
    json!({
        "name": name,
        "kind": kind.name(),
        "phase": moment.name(*kind),
        "at_s": at.as_secs_f64(),
        "length_s": length.as_secs_f64(),
        "left_s": snapshot.left().as_secs_f64(),
        "due_per_s": due_per_s,
        "sent_per_s": sent_per_s,
        "sent": sent,
        "failed": failed,
        "struck": struck,
        "struck_arm": recent(struck_arm),
        "other_arms": recent(other_arms),
        "rules": rules,
        "broken": broken.iter().map(|Broken { id, rule, times }| json!({"id": id, "rule": rule, "times": times})).collect::<Vec<_>>(),
    })
}

/// How a run has ended; `null` where it was not judged.
pub fn end(judged: Option<&Judged>) -> Value {
    json!({"verdict": judged.map(|judged| judged.verdict.name()), "sentence": judged.map(|judged| &judged.sentence)})
}

fn recent(recent: &Recent) -> Value {
    let quantile = |latency: &Option<Latency>| match latency {
        Some(Latency::Took(took)) => json!(took.as_secs_f64() * 1e3),
        Some(Latency::Failed) => json!("failed"),
        None => Value::Null,
    };
    json!({"requests": recent.requests, "errors": recent.errors, "p50_ms": quantile(&recent.p50), "p99_ms": quantile(&recent.p99)})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_what_the_page_shows() {
        let broken = vec![Broken { id: "B-3".into(), rule: "a \"short\" fault".into(), times: 12 }];
        let shown = json(&Snapshot { broken, ..crate::sample::snapshot() });
        assert_eq!((shown["phase"].as_str(), shown["at_s"].as_f64(), shown["left_s"].as_f64()), (Some("fault"), Some(52.4), Some(27.6)));
        assert_eq!(shown["struck_arm"], json!({"requests": 230, "errors": 12, "p50_ms": 312.0, "p99_ms": "failed"}));
        assert_eq!(shown["broken"], json!([{"id": "B-3", "rule": "a \"short\" fault", "times": 12}]));
        let empty = json(&Snapshot { other_arms: Recent::default(), ..crate::sample::snapshot() });
        assert_eq!(empty["other_arms"]["p99_ms"], Value::Null);
        // Every name that the page reads is there.
        let page = include_str!("page.html");
        let read = page.split("now.").skip(1).map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap());
        let read: Vec<_> = read.collect();
        assert!(read.len() > 10, "{read:?}");
        assert!(read.iter().all(|name| shown.get(*name).is_some()), "{read:?}");
    }
}
