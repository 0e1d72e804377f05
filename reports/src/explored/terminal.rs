//! An exploration in the terminal: each finding in two lines as it comes, and the conclusion.

use super::model::{Counts, End, Exploration, Finding, Outcome};

/// A finding in two lines.
pub fn finding(found: &Finding) -> String {
    let place = found.place.as_deref().unwrap_or("no case explains it");
    let ways = found.ways.join(", ");
    let by = if ways.is_empty() { place.to_owned() } else { format!("{place}: {ways}") };
    let known = found.accepted.as_ref().map(|accepted| format!(" (accepted on {})", accepted.date)).unwrap_or_default();
    format!("{:>2}  {by}\n    {} {}: {}; expected {}{known}", found.number, found.rule, found.text, found.answered, found.expected)
}

/// What was covered and what was found.
pub fn conclusion(exploration: &Exploration) -> String {
    let covered = exploration.coverage();
    let minutes = (exploration.took_s / 60.0).floor();
    let took = format!("{minutes:.0} min {:.0} s", exploration.took_s - 60.0 * minutes);
    let mut text = format!(
        "{} of {} cases tried ({} cannot happen), at {} of {} places, in {took}\n",
        covered.tried, covered.possible, covered.impossible, covered.places_tried, covered.places_seen
    );
    let count = |outcome: Outcome| match outcome {
        Outcome::Held => covered.held,
        Outcome::Degraded => covered.degraded,
        Outcome::Broken => covered.broken,
        Outcome::Unclear => covered.unclear,
    };
    let counts: Vec<_> = Outcome::ALL.iter().map(|outcome| format!("{} {}", outcome.name(), count(*outcome))).collect();
    text.push_str(&format!("{}\n", counts.join("   ")));
    let Counts { possible, tried, held, degraded, broken, unclear } = covered.pairs;
    text.push_str(&format!(
        "{tried} of {possible} pairs of faults tried: held {held}   degraded {degraded}   broken {broken}   unclear {unclear}\n"
    ));
    text.push_str(&format!("{} findings\n", exploration.findings.len()));
    text.push_str(match &exploration.end {
        End::Complete => "",
        End::Budget => "the budget is used up; a larger one tries the rest\n",
        End::Interrupted => "stopped as asked; the rest was not tried\n",
        End::BrokenWithoutFault => "the journeys break rules without any fault, so nothing was hurt\n",
        End::NotShown(_) => "nothing is shown\n",
    });
    if let End::NotShown(why) = &exploration.end {
        text.push_str(&format!("{why}\n"));
    }
    for note in &exploration.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_conclusion_has_both_numbers_of_each_share() {
        let text = conclusion(&sample::exploration());
        assert!(text.starts_with("3 of 5 cases tried (1 cannot happen), at 1 of 2 places, in 1 min 2 s\n"), "{text}");
        assert!(text.contains("held 1   degraded 1   broken 1   unclear 1\n") && !text.contains('%'), "{text}");
        assert!(text.contains("2 of 7 pairs of faults tried: held 1   degraded 0   broken 1   unclear 1\n2 findings\n"), "{text}");
        let stopped = conclusion(&Exploration { end: End::NotShown("no place".into()), ..sample::exploration() });
        assert!(stopped.contains("nothing is shown\nno place\n"), "{stopped}");
    }

    #[test]
    fn a_finding_says_where_how_and_what() {
        let text = finding(&sample::finding());
        assert!(
            text.contains("buy place: worker: duplicate, lost answer\n") && text.contains("T-2 no row is made twice: 2 rows"),
            "{text}"
        );
        let pair = finding(&sample::finding_of_pair());
        assert!(pair.contains("buy place: place > dynamodb:PutItem + buy place: late: outage + error\n"), "{pair}");
    }
}
