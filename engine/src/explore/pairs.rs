//! The pairs of injections that are worth trying once all single ones were: what a first fault opens,
//! what is tried again, and two places of one way. A pair is left out if one of its faults alone broke
//! a rule, or if the first keeps requests from the place of the second. Pure.

use std::collections::BTreeMap;

use super::cases::{Case, Injection, Second, Why};
use super::findings::Tried;
use super::judge::Judged;
use super::matrix::{Matrix, Row};
use super::path::Path;
use super::place::{Place, Spot};
use super::ways::{Site, Unhurt, Way};

/// How many pairs are tried at most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Pairs {
    /// As many as the budget has room for after all single faults.
    #[default]
    Rest,
    /// So many of those.
    AtMost(usize),
}

impl Pairs {
    /// None at all.
    pub const NONE: Self = Self::AtMost(0);

    /// As a number.
    pub const fn most(self) -> usize {
        match self {
            Self::Rest => usize::MAX,
            Self::AtMost(most) => most,
        }
    }
}

impl std::str::FromStr for Pairs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "none" => Ok(Self::NONE),
            Ok(0) => Err("`0` tries no pair; write `none`".to_owned()),
            Ok(most) => Ok(Self::AtMost(most)),
            Err(_) => Err(format!("`{text}` is not a number of pairs; write a number such as `100`, or `none`")),
        }
    }
}

/// A single injection that no rule was broken by.
struct Survived<'a> {
    case: usize,
    injection: &'a Injection,
    path: &'a Path,
    /// Whether nothing at all was noticed.
    held: bool,
}

/// Adds the pairs to the cases, in the order in which they are tried, and the places that only a fault
/// opens to the rows. `site` is what is known of such a place; `None` if nothing can be done there.
pub fn add(matrix: &mut Matrix, tried: &BTreeMap<usize, Tried>, site: impl Fn(&Place) -> Option<Site>) {
    let (rows, pairs) = planned(matrix, tried, site);
    matrix.extend(rows, pairs);
}

fn planned(matrix: &Matrix, tried: &BTreeMap<usize, Tried>, site: impl Fn(&Place) -> Option<Site>) -> (Vec<Row>, Vec<Case>) {
    let survived = survived(matrix, tried);
    let (rows, mut pairs) = opened(matrix, &survived, site);
    pairs.extend(survived.iter().flat_map(|first| again(matrix, first)));
    pairs.extend(both(&survived));
    (rows, pairs)
}

fn survived<'a>(matrix: &'a Matrix, tried: &'a BTreeMap<usize, Tried>) -> Vec<Survived<'a>> {
    let one = |case: usize| {
        let Tried { judged, path, .. } = tried.get(&case)?;
        let held = match judged {
            Judged::Held => true,
            Judged::Degraded(_) => false,
            Judged::Broken(_) | Judged::Unclear(_) | Judged::HurtByAnother => return None,
        };
        Some(Survived { case, injection: &matrix.cases.get(case)?.first, path, held })
    };
    matrix.order().into_iter().filter_map(one).collect()
}

fn pair(first: &Injection, why: Why, second: Injection) -> Case {
    Case { first: first.clone(), second: Some(Second { why, injection: second }) }
}

/// The rows of the places that only a fault opens, and their pairs, the most promising way first: the
/// first of the faults of a place that opens another one, and each way of that.
fn opened(matrix: &Matrix, survived: &[Survived<'_>], site: impl Fn(&Place) -> Option<Site>) -> (Vec<Row>, Vec<Case>) {
    let mut openings: Vec<(&Survived<'_>, Place, Site)> = Vec::new();
    for first in survived {
        let own = &first.injection.place;
        for spot in first.path.opened.iter().filter(|spot| is_elsewhere(matrix, own, spot)) {
            let place = Place { endpoint: own.endpoint.clone(), spot: spot.clone() };
            let is_known = openings.iter().any(|(known, opened, _)| known.injection.place == *own && *opened == place);
            if let (false, Some(site)) = (is_known, site(&place)) {
                openings.push((first, place, site));
            }
        }
    }
    let mut rows: Vec<Row> =
        openings.iter().map(|(first, place, _)| Row { place: place.clone(), under: Some(first.case), cells: Vec::new() }).collect();
    let mut pairs = Vec::new();
    for way in Way::ALL {
        for (row, (first, place, site)) in rows.iter_mut().zip(&openings) {
            let hurt = match (way, &place.spot) {
                (Way::KilledWithin, Spot::Invocation { .. }) => Err(WITHIN),
                _ => way.hurt(&place.spot, site),
            };
            row.cells.push(hurt.map(|hurt| {
                pairs.push(pair(first.injection, Why::Opened, Injection { place: place.clone(), way, hurt }));
                matrix.cases.len() + pairs.len() - 1
            }));
        }
    }
    (rows, pairs)
}

const WITHIN: Unhurt = Unhurt::NotTried("when the function works is known only of places without a fault");

/// Whether a place that a fault at `first` opens is another one, and not what was hurt, tried again.
fn is_elsewhere(matrix: &Matrix, first: &Place, spot: &Spot) -> bool {
    let is_known = matrix.has(&first.endpoint, &spot.in_delivery(1));
    // A function that is run again makes its calls again.
    let is_run_again = matches!(&first.spot, Spot::Invocation { function, .. } if function == spot.function());
    let is_made_again = first.spot.is_same_operation(spot) || (is_run_again && matrix.has_operation(&first.endpoint, spot));
    !is_known && !is_made_again
}

/// What is tried again under a fault, hurt again in the same way.
fn again<'a>(matrix: &'a Matrix, first: &'a Survived<'a>) -> impl Iterator<Item = Case> + 'a {
    let Injection { place, way, hurt } = first.injection;
    let comes =
        move |spot: &Spot| first.path.opened.contains(spot) || (matrix.has(&place.endpoint, spot) && !first.path.missed.contains(spot));
    repeats(&place.spot, hurt.times).into_iter().filter(comes).map(move |spot| {
        let again = Injection { place: Place { spot, ..place.clone() }, way: *way, hurt: hurt.clone() };
        pair(first.injection, Why::Again, again)
    })
}

/// What may be tried after this many tries were hurt: the next call, and the same in the next delivery.
fn repeats(spot: &Spot, times: u32) -> Vec<Spot> {
    let next = spot.in_delivery(spot.delivery().saturating_add(1));
    match spot {
        Spot::Invocation { .. } => vec![next],
        Spot::Call { function, service, operation, number, delivery } => {
            let (function, service, operation) = (function.clone(), service.clone(), operation.clone());
            let number = number.saturating_add(times);
            vec![Spot::Call { function, service, operation, number, delivery: *delivery }, next]
        }
    }
}

/// Two injections on one way, neither of which was noticed, the most promising ways first.
fn both(survived: &[Survived<'_>]) -> Vec<Case> {
    let mut held: Vec<&Survived<'_>> = survived.iter().filter(|one| one.held).collect();
    held.sort_by_key(|one| one.case);
    let mut chosen: Vec<(&Survived<'_>, &Survived<'_>)> = Vec::new();
    for (at, first) in held.iter().enumerate() {
        let rest = held.iter().skip(at + 1).filter(|second| are_on_one_way(first, second));
        chosen.extend(rest.map(|second| (*first, *second)));
    }
    chosen.sort_by_key(|(first, second)| {
        let (one, other) = (first.injection.way, second.injection.way);
        (one.max(other), one.min(other), first.case, second.case)
    });
    chosen.into_iter().map(|(first, second)| pair(first.injection, Why::Both, second.injection.clone())).collect()
}

/// Whether a request under one of them still comes to the place of the other. Under a fault of a call
/// the next calls to the same operation have other numbers.
fn are_on_one_way(first: &Survived<'_>, second: &Survived<'_>) -> bool {
    let (one, other) = (&first.injection.place, &second.injection.place);
    one.endpoint == other.endpoint
        && one.spot != other.spot
        && !one.spot.is_same_operation(&other.spot)
        && !first.path.missed.contains(&other.spot)
        && !second.path.missed.contains(&one.spot)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faults::Trigger;

    use super::super::fixtures::{fault_free, root};
    use super::super::ground::Ground;
    use super::super::place::Only;
    use super::*;

    /// The places `place` and `place > dynamodb:PutItem`.
    fn matrix() -> Matrix {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let mut ground = Ground::of(&crate::check(&name, &text).unwrap()).unwrap();
        ground.rename("users-all", "place");
        Matrix::of(&fault_free(4), &ground, &Only::All)
    }

    fn invocation(function: &str, delivery: u32) -> Spot {
        Spot::Invocation { function: function.into(), delivery }
    }

    fn call(function: &str, operation: &str, number: u32) -> Spot {
        Spot::Call { function: function.into(), service: "dynamodb".into(), operation: operation.into(), number, delivery: 1 }
    }

    fn put(number: u32) -> Spot {
        call("place", "PutItem", number)
    }

    fn site(_: &Place) -> Option<Site> {
        Some(Site { triggers: vec![Trigger::Queue], timeout: Duration::from_secs(3), within: None })
    }

    /// A case that was tried, what came of it, and how its way differed.
    type One<'a> = (Spot, Way, Judged, &'a [Spot], &'a [Spot]);

    /// The matrix with the pairs that these cases leave, in words.
    fn planned<const N: usize>(all: [One<'_>; N]) -> (Matrix, Vec<(Why, String, String)>) {
        let mut matrix = matrix();
        let index =
            |spot: &Spot, way| matrix.cases.iter().position(|case| case.first.place.spot == *spot && case.first.way == way).unwrap();
        let tried = all.map(|(spot, way, judged, opened, missed)| {
            let path = Path { opened: opened.to_vec(), missed: missed.to_vec() };
            (index(&spot, way), Tried { judged, root: root(1), path })
        });
        add(&mut matrix, &tried.into(), site);
        let pairs = matrix.pairs().map(|index| {
            let case = &matrix.cases[index];
            let second = case.second.as_ref().unwrap();
            (second.why, format!("{}, {}", second.injection.place.spot, second.injection.way.title()), case.first.way.title().to_owned())
        });
        let pairs = pairs.collect();
        (matrix, pairs)
    }

    fn held(spot: Spot, way: Way, opened: &[Spot]) -> One<'_> {
        (spot, way, Judged::Held, opened, &[])
    }

    #[test]
    fn a_place_that_only_a_fault_opens_is_hurt_in_each_way_by_a_pair() {
        let opened = [put(2), put(3), call("place", "UpdateItem", 1), invocation("late", 1)];
        let (matrix, pairs) = planned([held(put(1), Way::Outage, &opened), held(put(1), Way::Denied, &opened[2..])]);
        assert!(pairs.iter().all(|(why, _, first)| *why == Why::Opened && first == "outage"), "one fault opens it: {pairs:?}");
        let seconds: Vec<_> = pairs.iter().map(|(_, second, _)| second.as_str()).collect();
        let begin = ["place > dynamodb:UpdateItem, lost answer", "late, lost answer", "late, duplicate"];
        assert_eq!(&seconds[..3], begin, "the most promising ways first");
        let rows: Vec<_> = matrix.rows.iter().skip(2).map(|row| (row.place.to_string(), row.under.is_some())).collect();
        assert_eq!(rows, [("buy place: place > dynamodb:UpdateItem".to_owned(), true), ("buy place: late".to_owned(), true)]);
        let cells: Vec<usize> = matrix.rows.iter().skip(2).flat_map(|row| row.cells.iter().filter_map(|cell| cell.ok())).collect();
        assert_eq!((cells.len(), cells.iter().min()), (pairs.len(), Some(&matrix.pairs().start)));
        assert!(matrix.rows[3].cells.contains(&Err(WITHIN)), "{:?}", matrix.rows[3]);
    }

    #[test]
    fn a_fault_that_broke_a_rule_or_showed_nothing_is_part_of_no_pair() {
        let broken = || Judged::Broken(Vec::new());
        for judged in [broken(), Judged::Unclear("no".into()), Judged::HurtByAnother] {
            let opened = [put(2), invocation("late", 1)];
            let one = (put(1), Way::Error, judged.clone(), &opened[..], &[][..]);
            let (matrix, pairs) = planned([one, held(invocation("place", 1), Way::Slow, &[])]);
            assert_eq!((matrix.rows.len(), pairs), (2, vec![]), "{judged:?}");
        }
    }

    #[test]
    fn what_is_tried_again_is_hurt_again_in_the_same_way_and_is_no_new_place() {
        let again = |first: Spot, way, opened: &[Spot]| {
            let (matrix, pairs) = planned([held(first, way, opened)]);
            assert_eq!(matrix.rows.len(), 2, "{pairs:?}");
            pairs.into_iter().map(|(why, second, _)| (why, second)).collect::<Vec<_>>()
        };
        let one = |second: &str| vec![(Why::Again, second.to_owned())];
        assert_eq!(again(put(1), Way::Error, &[put(2)]), one("place > dynamodb:PutItem #2, error"));
        assert_eq!(again(put(1), Way::Throttled, &[put(2), put(3)]), one("place > dynamodb:PutItem #3, throttled"));
        assert_eq!(again(put(1), Way::Outage, &[put(2), put(3)]), vec![], "the outage hurts them already");
        assert_eq!(again(put(1), Way::Denied, &[put(1).in_delivery(2)]), one("place (delivery 2) > dynamodb:PutItem, denied"));
        let delivered = [invocation("place", 2), put(1).in_delivery(2)];
        assert_eq!(again(invocation("place", 1), Way::LostAnswer, &delivered), one("place (delivery 2), lost answer"));
        assert_eq!(again(invocation("place", 1), Way::Slow, &[put(2)]), vec![], "a function that is run again calls again");
    }

    #[test]
    fn two_places_of_one_way_are_a_pair_if_each_fault_alone_held_and_neither_keeps_requests_from_the_other() {
        let (front, missed) = (invocation("place", 1), [put(1)]);
        let both = |first: Judged, missed: &[Spot]| {
            let (_, pairs) = planned([(front.clone(), Way::LostAnswer, first, &[], missed), held(put(1), Way::Slow, &[])]);
            pairs
        };
        let pair = (Why::Both, "place > dynamodb:PutItem, slow".to_owned(), "lost answer".to_owned());
        assert_eq!(both(Judged::Held, &[]), [pair]);
        assert_eq!(both(Judged::Held, &missed), []);
        assert_eq!(both(Judged::Degraded("refused: 502".into()), &[]), []);
        let (_, same) = planned([held(put(1), Way::Slow, &[]), held(put(1), Way::Error, &[])]);
        assert_eq!(same, [], "two ways at one place");
    }

    #[test]
    fn what_a_fault_opens_comes_before_what_is_tried_again_and_before_two_places() {
        let opened = [put(2), invocation("late", 1)];
        let all = || planned([held(put(1), Way::Error, &opened), held(invocation("place", 1), Way::Error, &[])]);
        let (_, pairs) = all();
        let whys: Vec<_> = pairs.iter().map(|(why, ..)| *why).collect();
        assert!(whys.is_sorted() && whys.contains(&Why::Opened) && whys.ends_with(&[Why::Again, Why::Both]), "{pairs:?}");
        assert_eq!(pairs, all().1, "in the same order");
    }

    #[test]
    fn the_number_of_pairs_is_a_number_or_none() {
        for (text, pairs) in [("none", Pairs::NONE), ("40", Pairs::AtMost(40))] {
            assert_eq!(text.parse(), Ok(pairs), "{text}");
        }
        for text in ["", "0", "all", "-1"] {
            assert!(text.parse::<Pairs>().unwrap_err().contains(&format!("`{text}`")), "{text}");
        }
        assert_eq!(Pairs::default().most(), usize::MAX);
    }
}
