//! A run in a few lines of a terminal, which are redrawn: the facts alone, as text.

use std::time::Duration;

use engine::snapshot::{Latency, Recent, Snapshot};
use reports::measurements::RunKind;
use reports::words::{count, time};

/// With fewer columns there is no room for it.
pub const NARROWEST: usize = 60;

/// The width of the bar.
const BAR: usize = 16;

/// No more broken rules are named.
const MOST_RULES: usize = 3;

/// The lines, each shorter than `columns`.
pub fn lines(snapshot: &Snapshot, columns: usize) -> Vec<String> {
    let mut lines = vec![head(snapshot)];
    lines.push(row("rate", &format!("{:.0} journeys/s due, {:.1} requests/s sent", snapshot.due_per_s, snapshot.sent_per_s)));
    match snapshot.kind {
        RunKind::Load => lines.push(row("latency", &recent(&snapshot.other_arms))),
        RunKind::Experiment => {
            lines.push(row("struck", &recent(&snapshot.struck_arm)));
            lines.push(row("not struck", &recent(&snapshot.other_arms)));
        }
    }
    let struck = if snapshot.kind == RunKind::Load { String::new() } else { format!(", {} struck", count(snapshot.struck)) };
    lines.push(row("so far", &format!("{} sent, {} failed{struck}", count(snapshot.sent), count(snapshot.failed))));
    lines.extend(rules(snapshot));
    lines.into_iter().map(|line| cut(line, columns)).collect()
}

fn head(snapshot: &Snapshot) -> String {
    let share = snapshot.at.as_secs_f64() / snapshot.length.as_secs_f64().max(0.001);
    let done = ((share * BAR as f64) as usize).min(BAR);
    let bar = format!("{}{}", "=".repeat(done), if done < BAR { ">" } else { "" });
    let at = clock(snapshot.at.min(snapshot.length));
    let left = clock(snapshot.left());
    format!("{:<9} [{bar:<BAR$}] {at} of {}, {left} left", snapshot.moment.name(snapshot.kind), clock(snapshot.length))
}

fn row(name: &str, text: &str) -> String {
    format!("{name:<10} {text}")
}

fn recent(recent: &Recent) -> String {
    let Recent { requests, errors, p50: Some(p50), p99: Some(p99) } = recent else {
        return "no answer in the last 10 s".to_owned();
    };
    let quantile = |latency: &Latency| match latency {
        Latency::Took(took) => time(took.as_micros() as f64),
        Latency::Failed => "failed".to_owned(),
    };
    format!("p50 {}, p99 {}, {} of {} failed in 10 s", quantile(p50), quantile(p99), count(*errors), count(*requests))
}

fn rules(snapshot: &Snapshot) -> Vec<String> {
    let Snapshot { rules, broken, .. } = snapshot;
    if *rules == 0 {
        return Vec::new();
    }
    if broken.is_empty() {
        return vec![row("rules", &format!("none of {rules} broken"))];
    }
    let named = broken.iter().take(MOST_RULES).map(|one| format!("{} broken {} times: {}", one.id, count(one.times), one.rule));
    let more = broken.len().saturating_sub(MOST_RULES);
    let more = (more > 0).then(|| format!("and {more} more"));
    named.chain(more).enumerate().map(|(at, text)| row(if at == 0 { "rules" } else { "" }, &text)).collect()
}

/// Minutes and seconds.
fn clock(span: Duration) -> String {
    format!("{}:{:02}", span.as_secs() / 60, span.as_secs() % 60)
}

/// A line that reaches the last column would be wrapped by some terminals.
fn cut(line: String, columns: usize) -> String {
    if line.chars().count() < columns {
        return line;
    }
    line.chars().take(columns.saturating_sub(2)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use engine::snapshot::{Broken, Moment};
    use reports::Phase;

    use super::*;
    use crate::sample::snapshot;

    #[test]
    fn an_experiment_shows_its_phase_its_rates_both_arms_and_its_rules() {
        assert_eq!(
            lines(&snapshot(), 80),
            [
                "fault     [==========>     ] 0:52 of 1:20, 0:27 left",
                "rate       45 journeys/s due, 74.4 requests/s sent",
                "struck     p50 312 ms, p99 failed, 12 of 230 failed in 10 s",
                "not struck p50 12.0 ms, p99 80.0 ms, 0 of 1,220 failed in 10 s",
                "so far     3,870 sent, 15 failed, 471 struck",
                "rules      none of 14 broken",
            ]
        );
    }

    #[test]
    fn broken_rules_are_named_and_the_rest_is_counted() {
        let broken =
            |id: &str| Broken { id: id.into(), rule: "a short fault harms only the requests in flight during it".into(), times: 12 };
        let shown = lines(&Snapshot { broken: ["B-1", "B-2", "B-3", "B-4", "B-5"].map(broken).to_vec(), ..snapshot() }, 60);
        assert_eq!(shown[5], "rules      B-1 broken 12 times: a short fault harms only t…");
        assert_eq!(shown[7..], ["           B-3 broken 12 times: a short fault harms only t…", "           and 2 more"]);
    }

    #[test]
    fn load_alone_has_one_latency_and_neither_strikes_nor_rules() {
        let load = Snapshot { kind: RunKind::Load, moment: Moment::Phase(Phase::Baseline), rules: 0, ..snapshot() };
        let text = lines(&load, 80).join("\n");
        assert!(text.starts_with("measured ") && text.contains("\nlatency    p50 12.0 ms"), "{text}");
        assert!(!text.contains("struck") && !text.contains("rules"), "{text}");
    }

    #[test]
    fn no_line_reaches_the_last_column_and_no_number_is_made_up() {
        let mut empty = Snapshot { struck_arm: Recent::default(), other_arms: Recent::default(), ..snapshot() };
        assert!(lines(&empty, 80)[2].ends_with("no answer in the last 10 s"));
        for moment in Moment::ALL {
            empty.moment = moment;
            empty.at += Duration::from_secs(30);
            for line in lines(&empty, NARROWEST) {
                assert!(line.chars().count() < NARROWEST, "{line}");
            }
        }
    }
}
