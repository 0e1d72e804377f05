//! The places that the fault-free traffic showed, and what can be done to each: the rows and cells of
//! the matrix before anything is tried. Places that only a fault opens come to it later. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use reports::explored::{Cell, Journey, Step};

use super::cases::{Case, Injection};
use super::findings::{Tried, done};
use super::ground::Ground;
use super::observed::Observed;
use super::place::{Only, Place, Spot};
use super::tree::Tree;
use super::ways::{Site, Unhurt, Way};

/// A place with what can be done to it: for each way the case, or why it is not tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The place.
    pub place: Place,
    /// The case under whose fault requests come here; `None` if they do without a fault.
    pub under: Option<usize>,
    /// One for each way.
    pub cells: Vec<Result<usize, Unhurt>>,
}

/// All rows, and all cases.
#[derive(Debug, Default)]
pub struct Matrix {
    /// The rows, by endpoint and then in the order in which requests come to them.
    pub rows: Vec<Row>,
    /// The cases: the single ones, and then the pairs in the order in which they are tried.
    pub cases: Vec<Case>,
    /// How many of them are single.
    singles: usize,
    /// All places, those that are not tried included.
    known: Vec<Place>,
}

impl Matrix {
    /// Everything that can be tried at the places that `only` has.
    pub fn of(fault_free: &Observed, ground: &Ground, only: &Only) -> Self {
        let mut matrix = Self { known: places(fault_free), ..Self::default() };
        for place in matrix.known.clone().into_iter().filter(|place| place.spot.delivery() == 1 && only.has(place)) {
            let Some(site) = site(fault_free, ground, &place) else { continue };
            let cells = Way::ALL.map(|way| matrix.add(&place, way, &site)).into();
            matrix.rows.push(Row { place, under: None, cells });
        }
        matrix.singles = matrix.cases.len();
        matrix
    }

    fn add(&mut self, place: &Place, way: Way, site: &Site) -> Result<usize, Unhurt> {
        let hurt = way.hurt(&place.spot, site)?;
        self.cases.push(Case::single(Injection { place: place.clone(), way, hurt }));
        Ok(self.cases.len() - 1)
    }

    /// Adds pairs, and the rows of the places that only a fault opens, each below those of its endpoint.
    pub fn extend(&mut self, rows: Vec<Row>, pairs: Vec<Case>) {
        self.cases.extend(pairs);
        let mut endpoints: Vec<String> = Vec::new();
        self.rows.extend(rows);
        for row in &self.rows {
            if !endpoints.contains(&row.place.endpoint) {
                endpoints.push(row.place.endpoint.clone());
            }
        }
        self.rows.sort_by_key(|row| endpoints.iter().position(|endpoint| *endpoint == row.place.endpoint));
    }

    /// Whether a request to an endpoint comes to this spot without a fault.
    pub fn has(&self, endpoint: &str, spot: &Spot) -> bool {
        self.known.iter().any(|place| place.endpoint == endpoint && place.spot == *spot)
    }

    /// Whether a request to an endpoint makes this call without a fault, whichever of its calls it is.
    pub fn has_operation(&self, endpoint: &str, call: &Spot) -> bool {
        self.known.iter().any(|place| place.endpoint == endpoint && place.spot.is_same_operation(call))
    }

    /// The single cases, the most promising ways first and each way at all places.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.singles).collect();
        order.sort_by_key(|index| self.cases.get(*index).map(|case| case.first.way));
        order
    }

    /// The pairs, the most promising first.
    pub fn pairs(&self) -> std::ops::Range<usize> {
        self.singles..self.cases.len()
    }

    /// A row as it is shown.
    pub fn shown(&self, row: &Row, tried: &BTreeMap<usize, Tried>, finding: impl Fn(usize) -> Option<usize>, rest: &str) -> Vec<Cell> {
        let shown = |case: &Result<usize, Unhurt>| match case {
            Err(Unhurt::Impossible(why)) => Cell::Impossible((*why).to_owned()),
            Err(Unhurt::NotTried(why)) => Cell::NotTried((*why).to_owned()),
            Ok(index) => tried.get(index).map_or_else(|| Cell::NotTried(rest.to_owned()), |one| Cell::Done(done(one, finding(*index)))),
        };
        row.cells.iter().map(shown).collect()
    }
}

/// The places, by endpoint and then in the order in which the first arrival came to them.
fn places(fault_free: &Observed) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut endpoints: Vec<&str> = Vec::new();
    for request in fault_free.arrivals().flat_map(|(_, requests)| requests) {
        if !endpoints.contains(&request.endpoint) {
            endpoints.push(request.endpoint);
        }
        for spot in fault_free.tree(&request.root).map(Tree::spots).unwrap_or_default() {
            let place = Place { endpoint: request.endpoint.to_owned(), spot };
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    let rank = |place: &Place| endpoints.iter().position(|endpoint| *endpoint == place.endpoint);
    places.sort_by_key(rank);
    places
}

/// What is known of a place; `None` if its function is not one of the stack.
pub fn site(fault_free: &Observed, ground: &Ground, place: &Place) -> Option<Site> {
    let name = place.spot.function();
    let function = ground.function(name)?;
    let of_endpoint = fault_free.arrivals().flat_map(|(_, requests)| requests).filter(|request| request.endpoint == place.endpoint);
    let mut within: Vec<Duration> = of_endpoint.filter_map(|request| fault_free.tree(&request.root)?.within(name)).collect();
    within.sort_unstable();
    let within = within.get(within.len() / 2).copied();
    Some(Site { triggers: function.triggers.clone(), timeout: function.timeout, within })
}

/// What follows from a request to each endpoint, as most requests showed it.
pub fn journeys(fault_free: &Observed) -> Vec<Journey> {
    let mut endpoints: Vec<(&'static str, Vec<&Tree>)> = Vec::new();
    for request in fault_free.arrivals().flat_map(|(_, requests)| requests) {
        let tree = fault_free.tree(&request.root);
        match endpoints.iter_mut().find(|(endpoint, _)| *endpoint == request.endpoint) {
            Some((_, trees)) => trees.extend(tree),
            None => endpoints.push((request.endpoint, tree.into_iter().collect())),
        }
    }
    let stable = fault_free.stable_effects();
    let journey = |(endpoint, trees): (&'static str, Vec<&Tree>)| {
        let effects = stable.get(endpoint).into_iter().flatten().map(|(effect, count)| format!("{count} {effect}")).collect();
        Journey { endpoint: endpoint.to_owned(), seen: trees.len(), steps: usual(&trees), effects }
    };
    endpoints.into_iter().map(journey).collect()
}

/// The steps that most trees have; of equally many the first.
fn usual(trees: &[&Tree]) -> Vec<Step> {
    let mut shapes: Vec<(Vec<Spot>, usize)> = Vec::new();
    for tree in trees {
        let spots = tree.spots();
        match shapes.iter_mut().find(|(shape, _)| *shape == spots) {
            Some((_, count)) => *count += 1,
            None => shapes.push((spots, 1)),
        }
    }
    let most = shapes.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let usual = shapes.into_iter().find(|(_, count)| *count == most).map(|(shape, _)| shape).unwrap_or_default();
    drawn(&usual)
}

/// Each invocation with its function's calls below it, in their order.
fn drawn(spots: &[Spot]) -> Vec<Step> {
    let mut steps = Vec::new();
    for spot in spots {
        let Spot::Invocation { function, delivery } = spot else { continue };
        steps.push(Step::Invoked(spot.to_string()));
        let is_its =
            |other: &&Spot| matches!(other, Spot::Call { function: caller, delivery: of, .. } if caller == function && of == delivery);
        let of_it = spots.iter().filter(is_its);
        let words = |call: &Spot| call.to_string().split_once(" > ").map(|(_, call)| call.to_owned()).unwrap_or_default();
        steps.extend(of_it.map(|call| Step::Called(words(call))));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::fault_free;
    use super::*;

    #[test]
    fn the_journey_of_an_endpoint_is_drawn_with_its_calls_and_its_effects() {
        let journeys = journeys(&fault_free(4));
        assert_eq!(journeys.len(), 1);
        let Journey { endpoint, seen, steps, effects } = &journeys[0];
        assert_eq!((endpoint.as_str(), *seen, effects.as_slice()), ("buy place", 4, &["1 rows in Orders".to_owned()][..]));
        assert_eq!(steps, &[Step::Invoked("place".into()), Step::Called("dynamodb:PutItem".into())]);
    }

    #[test]
    fn places_are_the_rows_and_what_cannot_happen_has_no_case() {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let mut ground = Ground::of(&crate::check(&name, &text).unwrap()).unwrap();
        assert!(Matrix::of(&fault_free(4), &ground, &Only::All).rows.is_empty(), "the stack has no function `place`");
        ground.rename("users-all", "place");
        let matrix = Matrix::of(&fault_free(4), &ground, &Only::All);
        let rows: Vec<_> = matrix.rows.iter().map(|row| row.place.to_string()).collect();
        assert_eq!(rows, ["buy place: place", "buy place: place > dynamodb:PutItem"]);
        let possible = matrix.rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.is_ok()).count();
        assert_eq!((possible, matrix.order().len()), (matrix.cases.len(), matrix.cases.len()));
        let ways: Vec<_> = matrix.order().iter().map(|index| matrix.cases[*index].first.way).collect();
        assert!(ways.is_sorted() && ways.len() > 10, "{ways:?}");
        assert!(matrix.pairs().is_empty() && matrix.rows.iter().all(|row| row.under.is_none()));
        let shown = matrix.shown(&matrix.rows[0], &BTreeMap::new(), |_| None, "the budget is used up");
        assert_eq!(shown.iter().filter(|cell| matches!(cell, Cell::Impossible(_))).count(), 4, "{shown:?}");
        assert_eq!(Matrix::of(&fault_free(4), &ground, &"service:dynamodb".parse().unwrap()).rows.len(), 1);
    }
}
