//! The rules and schedules on the page, each with its targets.

use template::summary;

use super::Events;
use super::rules::Rule;
use crate::services::shows::{Part, Rows, Shows, Thing};

impl Shows for Events {
    fn things(&self) -> Vec<Thing> {
        let rule = |rule: &Rule| {
            let kind = if rule.has_schedule() { "schedule" } else { "rule" };
            let off = if rule.is_enabled() { "" } else { "; disabled" };
            let note = format!("{}{off}", summary::trigger(rule.trigger()));
            Thing { note, fires: rule.has_schedule(), ..Thing::new(kind, rule.name.clone(), rule.targets.len()) }
        };
        self.rules.iter().map(rule).collect()
    }

    fn rows(&self, rule: &str, part: Part) -> Option<Rows> {
        let rule = self.rules.iter().find(|it| it.name == rule)?;
        Some(Rows::of(["Target", "Dead letters"], rule.targets.iter(), part, |aimed| {
            [summary::target(&aimed.declared.to).into(), aimed.declared.dead_letters.clone().unwrap_or_default().into()]
        }))
    }
}
