//! The rules and schedules on the page, each with its targets.

use template::blueprint::{Schedule, Trigger};

use super::Events;
use super::rules::Rule;
use crate::services::shows::{Part, Rows, Shows, Thing, yes};

impl Shows for Events {
    fn things(&self) -> Vec<Thing> {
        let rule = |rule: &Rule| {
            let kind = if rule.has_schedule() { "schedule" } else { "rule" };
            let off = if rule.is_enabled() { "" } else { "; disabled" };
            let note = format!("{}{off}", when(rule.trigger()));
            Thing { note, fires: rule.has_schedule(), ..Thing::new(kind, rule.name.clone(), rule.targets.len()) }
        };
        self.rules.iter().map(rule).collect()
    }

    fn rows(&self, rule: &str, part: Part) -> Option<Rows> {
        let rule = self.rules.iter().find(|it| it.name == rule)?;
        Some(Rows::of(["Target", "Dead letters", "Enabled"], rule.targets.iter(), part, |aimed| {
            let dead = aimed.declared.dead_letters.clone().unwrap_or_default();
            [format!("{:?}", aimed.declared.to).into(), dead.into(), yes(rule.is_enabled()).into()]
        }))
    }
}

/// When a rule's targets get something.
fn when(trigger: &Trigger) -> String {
    let schedule = |schedule: &Schedule| match schedule {
        Schedule::Every(time) => format!("every {} s", time.as_secs()),
        Schedule::Cron(fields) => format!("cron {fields}"),
        Schedule::Once(time) => format!("once at {time}"),
    };
    match trigger {
        Trigger::Pattern { bus, pattern } => format!("events of `{bus}` like {pattern}"),
        Trigger::Schedule(times) => schedule(times),
        Trigger::Both { bus, pattern, schedule: times } => format!("events of `{bus}` like {pattern}, and {}", schedule(times)),
    }
}
