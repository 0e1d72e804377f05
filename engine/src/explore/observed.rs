//! What a wave showed, by arrival: its requests, what followed from them, which cases struck, and what
//! was broken.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;

use faults::{Arm, Entry, Identity};
use reports::Outcome;
use run_folder::{RunFolder, Sighting};

use super::roots::{Arrival, Roots};
use super::tree::{Effect, Tree, Trees};
use crate::story::{Broken, Request, Story};

/// What a wave showed.
#[derive(Debug, Default)]
pub struct Observed {
    trees: Trees,
    requests: BTreeMap<Arrival, Vec<Request>>,
    broken: BTreeMap<Arrival, Vec<Broken>>,
    /// Breaches that no single request explains.
    pub unattributed: Vec<Broken>,
    struck: BTreeSet<String>,
}

impl Observed {
    /// Puts together what a wave told and what its stack reported in `folder`.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn read(story: Story, folder: &RunFolder, polled: &BTreeSet<String>, roots: &Roots) -> io::Result<Self> {
        let sightings = lines(&folder.sightings())?.into_iter().filter_map(|line| Sighting::from_line(&line)).collect::<Vec<_>>();
        let ledger = lines(&folder.ledger())?.into_iter().filter_map(|line| Entry::from_line(&line));
        Ok(Self::of(story, sightings, ledger, polled, roots))
    }

    /// The same from what was read.
    pub fn of(
        story: Story,
        sightings: Vec<Sighting>,
        ledger: impl Iterator<Item = Entry>,
        polled: &BTreeSet<String>,
        roots: &Roots,
    ) -> Self {
        let mut observed = Self { trees: Trees::read(sightings, polled), ..Self::default() };
        story.requests.into_iter().for_each(|request| observed.add(roots, request));
        for broken in story.breaches {
            match broken.breach.root.as_deref().and_then(|root| roots.arrival(root)) {
                Some(arrival) => observed.broken.entry(arrival).or_default().push(broken),
                None => observed.unattributed.push(broken),
            }
        }
        let struck = ledger.flat_map(|entry| entry.eligible()).filter(|line| line.arm == Arm::Treatment && line.done);
        observed.struck = struck.map(|line| line.of.fault).collect();
        observed
    }

    /// Adds a request; one that belongs to no arrival, such as a sign-in before the load, is left out.
    pub(super) fn add(&mut self, roots: &Roots, request: Request) {
        if let Some(arrival) = roots.arrival(&request.root) {
            self.requests.entry(arrival).or_default().push(request);
        }
    }

    /// The arrivals that made a request.
    pub fn arrivals(&self) -> impl Iterator<Item = (Arrival, &[Request])> {
        self.requests.iter().map(|(arrival, requests)| (*arrival, requests.as_slice()))
    }

    /// The requests of an arrival.
    pub fn requests(&self, arrival: Arrival) -> &[Request] {
        self.requests.get(&arrival).map(Vec::as_slice).unwrap_or_default()
    }

    /// What followed from a request.
    pub fn tree(&self, root: &str) -> Option<&Tree> {
        self.trees.of(root)
    }

    /// What an arrival's requests broke.
    pub fn broken(&self, arrival: Arrival) -> &[Broken] {
        self.broken.get(&arrival).map(Vec::as_slice).unwrap_or_default()
    }

    /// All breaches, those that no request explains included.
    pub fn all_broken(&self) -> impl Iterator<Item = &Broken> {
        self.broken.values().flatten().chain(&self.unattributed)
    }

    /// Whether a fault struck and was carried out.
    pub fn has_struck(&self, fault: &str) -> bool {
        self.struck.contains(fault)
    }

    /// How much of an arrival's work had not ended when the wave did.
    pub fn unfinished(&self, arrival: Arrival) -> usize {
        self.requests(arrival).iter().filter_map(|request| self.tree(&request.root)).map(|tree| tree.unfinished).sum()
    }

    /// The effects that each request to an endpoint has, each with its number: those that are the same
    /// for all requests that were answered.
    pub fn stable_effects(&self) -> HashMap<&'static str, BTreeMap<Effect, usize>> {
        let mut all: HashMap<&'static str, Vec<BTreeMap<Effect, usize>>> = HashMap::new();
        for request in self.requests.values().flatten().filter(|request| request.outcome == Outcome::Answered) {
            let counts = self.tree(&request.root).map(|tree| tree.effects.counts()).unwrap_or_default();
            let counts = counts.into_iter().map(|(effect, count)| (effect.clone(), count)).collect();
            all.entry(request.endpoint).or_default().push(counts);
        }
        all.into_iter().map(|(endpoint, counts)| (endpoint, common(&counts))).collect()
    }
}

/// The entries that are the same in all.
fn common(all: &[BTreeMap<Effect, usize>]) -> BTreeMap<Effect, usize> {
    let Some((first, rest)) = all.split_first() else { return BTreeMap::new() };
    let is_stable = |(effect, count): &(&Effect, &usize)| rest.iter().all(|other| other.get(effect) == Some(count));
    first.iter().filter(is_stable).map(|(effect, count)| (effect.clone(), *count)).collect()
}

/// The lasting part of a root.
pub(super) fn lasting(root: &str) -> &str {
    Identity(root).lasting().0
}

fn lines(path: &Path) -> io::Result<Vec<String>> {
    let text = std::fs::read(path)?;
    // The last line of a stack that was killed may be cut.
    Ok(String::from_utf8_lossy(&text).lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_effects_that_are_always_the_same_are_stable() {
        let counts = |rows: usize, messages: usize| -> BTreeMap<Effect, usize> {
            let all = [(Effect::Rows("t".into()), rows), (Effect::Messages("q".into()), messages)];
            all.into_iter().filter(|(_, count)| *count > 0).collect()
        };
        let rows = |n: usize| BTreeMap::from([(Effect::Rows("t".into()), n)]);
        for (all, stable) in [
            (vec![counts(1, 1), counts(1, 1)], counts(1, 1)),
            (vec![counts(1, 1), counts(1, 2)], rows(1)),
            (vec![counts(1, 1), counts(1, 0)], rows(1)),
            (vec![counts(1, 0), counts(1, 1)], rows(1)),
            (vec![counts(0, 1), counts(0, 2)], BTreeMap::new()),
            (vec![], BTreeMap::new()),
        ] {
            assert_eq!(common(&all), stable, "{all:?}");
        }
    }
}
