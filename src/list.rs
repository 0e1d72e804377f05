//! `brownout list`: the names that an experiment can use, one a line, each with what it is.

use engine::check::endpoints;
use engine::check::faults::{functions, services};
use engine::shipped;
use scenarios::systems::System;

use crate::cli::Names;

/// The lines of the list.
pub fn list(names: Names) -> String {
    let line = |name: &str, what: &str| format!("{name}: {what}\n");
    match names {
        Names::Experiments => {
            let question = |(name, text)| line(name, &engine::check(name, text).map(|plan| plan.question).unwrap_or_default());
            shipped::all().map(question).collect()
        }
        Names::Weaknesses => {
            let of = |system: System| system.weaknesses().iter().map(move |known| line(known.name, system.name()));
            System::ALL.into_iter().flat_map(of).collect()
        }
        Names::Functions => {
            functions().map(|(name, system, trigger)| line(name, &format!("{}, {}", system.name(), trigger.name()))).collect()
        }
        Names::Endpoints => endpoints().map(|(name, system, _)| line(name, system.name())).collect(),
        Names::Services => services().map(|known| line(known.name, &known.operations.join(", "))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_list_has_each_name_once_with_what_it_is() {
        for names in Names::value_variants() {
            let text = list(*names);
            let mut found: Vec<&str> = text.lines().map(|line| line.split_once(": ").unwrap()).map(|(name, _)| name).collect();
            assert!(found.len() >= 6 && text.lines().all(|line| !line.ends_with(": ")), "{text}");
            found.sort_unstable();
            found.windows(2).for_each(|two| assert_ne!(two[0], two[1], "{names:?}"));
        }
    }
}
