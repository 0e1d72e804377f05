//! Reduces the cases that broke something: those that broke the same rule at the same place are one
//! finding, and the first way of the table that did is its smallest case. What a pair breaks is a
//! finding of its own only if no single fault at one of its places breaks the same rule. Pure.

use std::collections::BTreeMap;

use reports::explored::{Done, Finding};

use super::cases::Case;
use super::judge::{Judged, is_tree_rule};
use super::path::Path;
use super::place::Place;
use super::ways::Way;
use crate::story::Broken;

/// A case with what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What came of it.
    pub judged: Judged,
    /// The root of the request that was hurt.
    pub root: String,
    /// How its way differed from that without a fault.
    pub path: Path,
}

/// A finding, and its smallest case.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The case's index; `None` if no case explains it.
    pub case: Option<usize>,
    /// All cases that broke the rule there.
    pub cases: Vec<usize>,
    /// What broke, in the smallest case.
    pub broken: Broken,
}

/// The findings in the order of their places, and then what no single case explains.
pub fn reduce(cases: &[Case], tried: &BTreeMap<usize, Tried>, unattributed: &[Broken]) -> Vec<Found> {
    let mut all: BTreeMap<(Vec<&Place>, &str), Vec<usize>> = BTreeMap::new();
    let broken = tried.iter().filter_map(|(index, one)| Some((*index, cases.get(*index)?, main(&one.judged)?.rule.as_str())));
    let (pairs, singles): (Vec<_>, Vec<_>) = broken.partition(|(_, case, _)| case.second.is_some());
    for (index, case, rule) in singles.into_iter().chain(pairs) {
        let places: Vec<&Place> = case.injections().map(|one| &one.place).collect();
        let of_single = places.iter().map(|place| (vec![*place], rule)).find(|key| all.contains_key(key));
        all.entry(of_single.unwrap_or((places, rule))).or_default().push(index);
    }
    let mut found: Vec<Found> = Vec::new();
    for mut group in all.into_values() {
        group.sort_by_key(|index| cases.get(*index).map(size));
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

/// What makes a case the smaller one of two: a single fault, and then the more promising way.
fn size(case: &Case) -> (bool, Vec<Way>) {
    (case.second.is_some(), case.injections().map(|one| one.way).collect())
}

/// The rule that a case broke: one of the system or of the experiment, else one of the tree.
fn main(judged: &Judged) -> Option<&Broken> {
    let Judged::Broken(broken) = judged else { return None };
    broken.iter().find(|broken| !is_tree_rule(&broken.rule)).or(broken.first())
}

impl Found {
    /// The case that an experiment repeats: rather one that is over at once than one that lasts, because
    /// an experiment's fault strikes all functions that call the service; a pair only if no single fault
    /// does it.
    pub fn repeatable<'a>(&self, cases: &'a [Case]) -> Option<&'a Case> {
        let is_pair = |index: usize| cases.get(index).is_some_and(|case| case.second.is_some());
        let as_small = |index: &&usize| self.case.is_some_and(|smallest| is_pair(smallest) == is_pair(**index));
        let all = || self.cases.iter().filter(as_small).filter_map(|index| cases.get(*index));
        let is_over_at_once = |case: &&Case| case.injections().all(|one| one.hurt.times == 1);
        all().find(is_over_at_once).or_else(|| all().next())
    }

    /// As it is handed over; `experiment` is its file, or why there is no file.
    pub fn shown(&self, number: usize, cases: &[Case], command: String, experiment: Result<String, String>) -> Finding {
        let Broken { rule, text, breach } = &self.broken;
        let ways = self.cases.iter().filter_map(|index| cases.get(*index)).map(Case::ways);
        Finding {
            number,
            rule: rule.clone(),
            text: text.clone(),
            place: self.case.and_then(|index| cases.get(index)).map(Case::places),
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

/// What came of a case, as it is handed over.
pub fn done(one: &Tried, finding: Option<usize>) -> Done {
    let (outcome, why) = one.judged.shown();
    Done { outcome, why, root: one.root.clone(), finding }
}

#[cfg(test)]
mod tests {
    use faults::Kind;
    use faults::kinds::again::Again;

    use super::super::cases::{Injection, Second, Why};
    use super::super::fixtures::root;
    use super::super::place::Spot;
    use super::super::ways::Hurt;
    use super::*;
    use scenarios::invariants::Breach;

    fn injection(function: &str, way: Way) -> Injection {
        let spot = Spot::Invocation { function: function.into(), delivery: 1 };
        Injection { place: Place { endpoint: "buy place".into(), spot }, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 1 } }
    }

    fn case(function: &str, way: Way) -> Case {
        Case::single(injection(function, way))
    }

    fn pair(first: (&str, Way), second: (&str, Way)) -> Case {
        let second = Second { why: Why::Opened, injection: injection(second.0, second.1) };
        Case { second: Some(second), ..case(first.0, first.1) }
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
        Tried { judged, root: root(1), path: Path::default() }
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
        assert_eq!(found[1].repeatable(&cases).map(|case| case.first.way), Some(Way::Error));
        assert_eq!(found[3].repeatable(&cases), None);
        let finding = found[1].shown(2, &cases, "again".into(), Err("no".into()));
        assert_eq!((finding.place.as_deref(), finding.ways.join(", ").as_str()), (Some("buy place: worker"), "error, killed after"));
    }

    #[test]
    fn what_a_pair_breaks_is_a_finding_of_a_single_fault_if_one_at_its_places_breaks_the_same_rule() {
        let (denied, outage) = (("place", Way::Denied), ("place", Way::Outage));
        let cases = [
            case("place", Way::Denied),
            case("place", Way::Slow),
            pair(denied, ("late", Way::Outage)),
            pair(outage, ("late", Way::Error)),
            pair(denied, ("late", Way::Error)),
        ];
        let broken = |rule: &str| tried(Judged::Broken(vec![broken(rule)]));
        let pairs = || [(2, broken("T-1")), (3, broken("T-1")), (4, broken("T-1"))];
        let shown = |singles: [(usize, Tried); 2]| -> Vec<(Option<usize>, Vec<usize>, String)> {
            let found = reduce(&cases, &singles.into_iter().chain(pairs()).collect(), &[]);
            found.into_iter().map(|found| (found.case, found.cases, found.broken.rule)).collect()
        };
        let held = || tried(Judged::Held);
        assert_eq!(shown([(0, held()), (1, held())]), [(Some(3), vec![3, 4, 2], "T-1".to_owned())]);
        assert_eq!(shown([(0, held()), (1, broken("T-1"))]), [(Some(1), vec![1, 3, 4, 2], "T-1".to_owned())], "another way there");
        let both = [(Some(1), vec![1], "R-1".to_owned()), (Some(3), vec![3, 4, 2], "T-1".to_owned())];
        assert_eq!(shown([(0, held()), (1, broken("R-1"))]), both, "another rule");
        let found = reduce(&cases, &pairs().into_iter().collect(), &[]);
        let finding = found[0].shown(1, &cases, "again".into(), Err("no".into()));
        assert_eq!(finding.place.as_deref(), Some("buy place: place + buy place: late"));
        assert_eq!(finding.ways, ["outage + error", "denied + error", "denied + outage"]);
        let mut lasting = cases.clone();
        lasting[1].first.hurt.times = 40;
        let found = reduce(&lasting, &[(1, broken("T-1")), (2, broken("T-1"))].into(), &[]);
        assert_eq!(found[0].repeatable(&lasting), Some(&lasting[1]), "rather one fault that lasts than two");
    }

    #[test]
    fn nothing_is_found_in_cases_that_broke_nothing() {
        let cases = [case("worker", Way::Error)];
        for judged in [Judged::Held, Judged::Degraded("slow".into()), Judged::Unclear("no".into()), Judged::HurtByAnother] {
            assert_eq!(reduce(&cases, &[(0, tried(judged))].into(), &[]), []);
        }
    }
}
