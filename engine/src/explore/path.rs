//! How the way of a request under a fault differs from its way without one. Pure.

use serde::{Deserialize, Serialize};

use super::place::Spot;
use super::tree::Tree;

/// How the way of a request differed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Path {
    /// Where it came that no request to its endpoint comes without a fault, in its order.
    pub opened: Vec<Spot>,
    /// Where it did not come, and came without the fault.
    pub missed: Vec<Spot>,
}

impl Path {
    /// Compares the trees of a request, without the fault and under it; `is_known` if a request to its
    /// endpoint comes there without a fault.
    pub fn of(fault_free: Option<&Tree>, under: Option<&Tree>, is_known: impl Fn(&Spot) -> bool) -> Self {
        let spots = |tree: Option<&Tree>| tree.map(Tree::spots).unwrap_or_default();
        let (before, now) = (spots(fault_free), spots(under));
        let missed = before.into_iter().filter(|spot| !now.contains(spot)).collect();
        Self { opened: now.into_iter().filter(|spot| !is_known(spot)).collect(), missed }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixtures::{called, called_in, invoked, returned, root, sighting};
    use super::super::tree::Trees;
    use super::*;
    use run_folder::Seen;

    fn tree(seen: Vec<Seen>) -> Tree {
        let sightings = seen.into_iter().zip(0..).map(|(seen, at)| sighting(at, Some(root(1)), seen));
        Trees::read(sightings, &BTreeSet::new()).of(&root(1)).unwrap().clone()
    }

    #[test]
    fn a_fallback_is_opened_and_what_it_replaces_is_missed() {
        let before = tree(vec![invoked("place", "1", 1), called("place", "PutItem"), called("place", "Query"), returned("place", "1")]);
        let under = tree(vec![
            invoked("place", "1", 1),
            called("place", "PutItem"),
            called("place", "UpdateItem"),
            returned("place", "1"),
            invoked("place", "2", 2),
            called_in(2, "place", "PutItem"),
        ]);
        let known = before.spots();
        let names = |spots: &[Spot]| spots.iter().map(ToString::to_string).collect::<Vec<_>>();
        let path = Path::of(Some(&before), Some(&under), |spot| known.contains(spot));
        let opened = ["place > dynamodb:UpdateItem", "place (delivery 2)", "place (delivery 2) > dynamodb:PutItem"];
        assert_eq!(
            (names(&path.opened), names(&path.missed)),
            (opened.map(String::from).to_vec(), vec!["place > dynamodb:Query".to_owned()])
        );
        assert_eq!(Path::of(Some(&before), Some(&before), |spot| known.contains(spot)), Path::default());
        assert_eq!(Path::of(Some(&before), None, |_| true).missed, known, "it did not even begin");
    }
}
