//! Reduces the cases that broke something: those that broke the same rule at the same place are one
//! finding, and the first way of the table that did is its smallest case. Pure.

use std::collections::BTreeMap;

use reports::explored::{self, Finding};

use super::cases::Case;
use super::judge::{Judged, is_tree_rule};
use super::place::Place;
use crate::story::Broken;

/// A case with what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What came of it.
    pub judged: Judged,
    /// The root of the request that was hurt.
    pub root: String,
}

/// A finding, and its smallest case.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The case's index; `None` if no single case explains it.
    pub case: Option<usize>,
    /// All cases that broke the rule there.
    pub cases: Vec<usize>,
    /// What broke, in the smallest case.
    pub broken: Broken,
}

/// The findings in the order of their places, and then what no single case explains.
pub fn reduce(cases: &[Case], tried: &BTreeMap<usize, Tried>, unattributed: &[Broken]) -> Vec<Found> {
    let mut all: BTreeMap<(&Place, &str), Vec<usize>> = BTreeMap::new();
    for (index, one) in tried {
        if let (Some(case), Some(broken)) = (cases.get(*index), main(&one.judged)) {
            all.entry((&case.place, &broken.rule)).or_default().push(*index);
        }
    }
    let mut found: Vec<Found> = Vec::new();
    for mut group in all.into_values() {
        group.sort_by_key(|index| cases.get(*index).map(|case| case.way));
        let smallest = group.first().copied();
        let broken = smallest.and_then(|index| main(&tried.get(&index)?.judged)).cloned();
        found.extend(broken.map(|broken| Found { case: smallest, cases: group, broken }));
    }
    found.sort_by_key(|found| found.case);
    for broken in unattributed {
        if !found.iter().any(|known| known.case.is_none() && known.broken.rule == broken.rule) {
            found.push(Found { case: None, cases: Vec::new(), broken: broken.clone() });
        }
    }
    found
}

/// The rule that a case broke: one of the system or of the experiment, else one of the tree.
fn main(judged: &Judged) -> Option<&Broken> {
    let Judged::Broken(broken) = judged else { return None };
    broken.iter().find(|broken| !is_tree_rule(&broken.rule)).or(broken.first())
}

impl Found {
    /// The case that an experiment repeats: rather one that is over at once than one that lasts, because
    /// an experiment's fault strikes all functions that call the service.
    pub fn repeatable<'a>(&self, cases: &'a [Case]) -> Option<&'a Case> {
        let all = || self.cases.iter().filter_map(|index| cases.get(*index));
        all().find(|case| case.hurt.times == 1).or_else(|| all().next())
    }

    /// As it is handed over; `experiment` is its file, or why there is no file.
    pub fn shown(&self, number: usize, cases: &[Case], command: String, experiment: Result<String, String>) -> Finding {
        let Broken { rule, text, breach } = &self.broken;
        let ways = self.cases.iter().filter_map(|index| cases.get(*index)).map(|case| case.way.title().to_owned());
        Finding {
            number,
            rule: rule.clone(),
            text: text.clone(),
            place: self.case.and_then(|index| cases.get(index)).map(|case| case.place.to_string()),
            ways: ways.collect(),
            asked: breach.asked.clone(),
            answered: breach.answered.clone(),
            expected: breach.expected.clone(),
            repeat: breach.repeat.clone(),
            root: breach.root.clone().unwrap_or_default(),
            command,
            experiment,
            accepted: None,
        }
    }
}

/// A cell of the matrix.
pub fn cell(one: &Tried, finding: Option<usize>) -> explored::Cell {
    let (outcome, why) = one.judged.shown();
    explored::Cell::Done(explored::Done { outcome, why, root: one.root.clone(), finding })
}

#[cfg(test)]
mod tests {
    use faults::Kind;
    use faults::kinds::again::Again;

    use super::super::fixtures::root;
    use super::super::place::Spot;
    use super::super::ways::{Hurt, Way};
    use super::*;
    use scenarios::invariants::Breach;

    fn case(function: &str, way: Way) -> Case {
        let spot = Spot::Invocation { function: function.into() };
        Case { place: Place { endpoint: "buy place".into(), spot }, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 1 } }
    }

    fn broken(rule: &str) -> Broken {
        let breach = Breach {
            at: std::time::Duration::ZERO,
            root: Some(root(1)),
            asked: "a".into(),
            answered: "b".into(),
            expected: "c".into(),
            repeat: String::new(),
        };
        Broken { rule: rule.into(), text: "t".into(), breach }
    }

    fn tried(judged: Judged) -> Tried {
        Tried { judged, root: root(1) }
    }

    #[test]
    fn the_same_rule_at_the_same_place_is_one_finding_with_its_smallest_case() {
        let cases = [
            case("worker", Way::KilledAfter),
            case("worker", Way::LostAnswer),
            case("worker", Way::Error),
            case("place", Way::LostAnswer),
            case("place", Way::Error),
        ];
        let tried: BTreeMap<usize, Tried> = [
            (0, tried(Judged::Broken(vec![broken("T-2")]))),
            (1, tried(Judged::Broken(vec![broken("T-2"), broken("R-2")]))),
            (2, tried(Judged::Broken(vec![broken("T-2")]))),
            (3, tried(Judged::Broken(vec![broken("R-2")]))),
            (4, tried(Judged::Held)),
        ]
        .into();
        let unattributed = [broken("A-1"), broken("A-1")];
        let found = reduce(&cases, &tried, &unattributed);
        let shown: Vec<_> = found.iter().map(|found| (found.case, found.cases.clone(), found.broken.rule.as_str())).collect();
        let expected = [(Some(1), vec![1], "R-2"), (Some(2), vec![2, 0], "T-2"), (Some(3), vec![3], "R-2"), (None, vec![], "A-1")];
        assert_eq!(shown, expected);
        assert_eq!(found[1].repeatable(&cases).map(|case| case.way), Some(Way::Error));
        assert_eq!(found[3].repeatable(&cases), None);
        let finding = found[1].shown(2, &cases, "again".into(), Err("no".into()));
        assert_eq!((finding.place.as_deref(), finding.ways.join(", ").as_str()), (Some("buy place: worker"), "error, killed after"));
    }

    #[test]
    fn nothing_is_found_in_cases_that_broke_nothing() {
        let cases = [case("worker", Way::Error)];
        for judged in [Judged::Held, Judged::Degraded("slow".into()), Judged::Unclear("no".into()), Judged::HurtByAnother] {
            assert_eq!(reduce(&cases, &[(0, tried(judged))].into(), &[]), []);
        }
    }
}
