//! What an exploration has decided, as text, so that another one can go on from there.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::cases::Case;
use super::findings::Tried;
use super::judge::Judged;
use super::path::Path;
use super::place::Place;
use super::ways::Way;
use crate::plan::Plan;
use crate::story::Broken;

/// The file of an exploration's folder that holds it.
pub const SAVED: &str = "explore-decided.json";

/// What an exploration has decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Saved {
    /// What was explored.
    of: Explored,
    decided: Vec<Decided>,
    /// What else it has shown.
    pub(super) so_far: SoFar,
}

/// What two explorations must have in common for one to go on from the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Explored {
    version: String,
    seed: u64,
    file: String,
    templates: Vec<String>,
    weaknesses: Vec<String>,
}

/// A case and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Decided {
    /// What was done, in its order: one injection, or the two of a pair.
    injections: Vec<(Place, Way)>,
    judged: Judged,
    root: String,
    path: Path,
}

/// What an exploration shows besides its cases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SoFar {
    /// Breaches that no case explains.
    pub unattributed: Vec<Broken>,
    /// What its books say against its runs.
    pub notes: Vec<String>,
    /// How many runs it had.
    pub waves: usize,
    /// How long it took.
    pub took_s: f64,
}

impl Explored {
    fn of(plan: &Plan) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: plan.seed,
            file: plan.text.clone(),
            templates: plan.deployment().templates.into_iter().map(|template| template.text).collect(),
            weaknesses: plan.setup.weaknesses.clone(),
        }
    }
}

impl Saved {
    /// What is decided now; of `earlier`, what is not among it stays.
    pub(super) fn of(plan: &Plan, cases: &[Case], tried: &BTreeMap<usize, Tried>, so_far: SoFar, earlier: Option<&Self>) -> Self {
        let decided = tried.iter().filter(|(_, one)| is_decided(&one.judged)).filter_map(|(index, one)| {
            let Tried { judged, root, path } = one.clone();
            Some(Decided { injections: injections(cases.get(*index)?), judged, root, path })
        });
        let mut decided: Vec<Decided> = decided.collect();
        let is_new = |old: &&Decided| !decided.iter().any(|new| new.injections == old.injections);
        let kept: Vec<_> = earlier.iter().flat_map(|earlier| &earlier.decided).filter(is_new).cloned().collect();
        decided.extend(kept);
        Self { of: Explored::of(plan), decided, so_far }
    }

    /// Reads the text of a file, which must be about this plan.
    ///
    /// # Errors
    /// Says what differs, or that it is not such a file.
    pub fn read(text: &str, plan: &Plan) -> Result<Self, String> {
        let saved: Self =
            serde_json::from_str(text).map_err(|error| format!("it is not what an exploration of this version writes: {error}"))?;
        let (was, is) = (&saved.of, Explored::of(plan));
        let differs = [
            (was.version != is.version).then(|| format!("it is of version {}, and this is {}", was.version, is.version)),
            (was.seed != is.seed).then(|| format!("its seed is {}, and yours is {}; add `--seed {}`", was.seed, is.seed, was.seed)),
            (was.file != is.file).then(|| "the explored file has changed since".to_owned()),
            (was.templates != is.templates).then(|| "the template has changed since".to_owned()),
            (was.weaknesses != is.weaknesses).then(|| {
                let with = if was.weaknesses.is_empty() { "none".to_owned() } else { was.weaknesses.join(", ") };
                format!("other weaknesses are switched on; it has {with}")
            }),
        ];
        let differs: Vec<String> = differs.into_iter().flatten().collect();
        if differs.is_empty() { Ok(saved) } else { Err(differs.join("; ")) }
    }

    /// What came of those of `cases` from index `from` on that are decided, and how many decided ones are
    /// not among them: of the single ones if these are the first, and else of the pairs.
    pub(super) fn tried(&self, cases: &[Case], from: usize) -> (BTreeMap<usize, Tried>, usize) {
        let indices: HashMap<_, _> = cases.iter().enumerate().skip(from).map(|(index, case)| (injections(case), index)).collect();
        let tried = |decided: &Decided| Tried { judged: decided.judged.clone(), root: decided.root.clone(), path: decided.path.clone() };
        let of_these = || self.decided.iter().filter(|decided| (decided.injections.len() > 1) == (from > 0));
        let tried: BTreeMap<_, _> = of_these().filter_map(|decided| Some((*indices.get(&decided.injections)?, tried(decided)))).collect();
        let lost = of_these().count() - tried.len();
        (tried, lost)
    }
}

/// What tells a case from all others.
fn injections(case: &Case) -> Vec<(Place, Way)> {
    case.injections().map(|one| (one.place.clone(), one.way)).collect()
}

/// Whether a case need not be tried again.
fn is_decided(judged: &Judged) -> bool {
    matches!(judged, Judged::Held | Judged::Degraded(_) | Judged::Broken(_))
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

    fn plan() -> Plan {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        crate::check(&name, &text).unwrap()
    }

    fn case(way: Way) -> Case {
        let place = Place { endpoint: "buy place".into(), spot: Spot::Invocation { function: "place".into(), delivery: 1 } };
        Case::single(Injection { place, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 1 } })
    }

    fn pair(first: Way, second: Way) -> Case {
        let (first, second) = (case(first).first, case(second).first);
        Case { first, second: Some(Second { why: Why::Both, injection: second }) }
    }

    fn saved(plan: &Plan) -> String {
        let judged = [Judged::Held, Judged::Unclear("no".into()), Judged::HurtByAnother, Judged::Degraded("slow".into())];
        let cases: Vec<_> = Way::ALL.into_iter().take(judged.len()).map(case).collect();
        let tried =
            judged.into_iter().enumerate().map(|(index, judged)| (index, Tried { judged, root: root(1), path: Path::default() })).collect();
        serde_json::to_string(&Saved::of(plan, &cases, &tried, SoFar { waves: 3, ..SoFar::default() }, None)).unwrap()
    }

    #[test]
    fn what_is_decided_is_read_again_and_what_is_unclear_is_not() {
        let plan = plan();
        let read = Saved::read(&saved(&plan), &plan).unwrap();
        assert_eq!(read.so_far.waves, 3);
        let ways = [Way::ALL[3], Way::ALL[0], Way::ALL[1]];
        let (tried, lost) = read.tried(&ways.map(case), 0);
        assert_eq!((tried.keys().copied().collect::<Vec<_>>(), lost), (vec![0, 1], 0));
        assert_eq!((&tried[&0].judged, &tried[&1].judged), (&Judged::Degraded("slow".into()), &Judged::Held));
        assert_eq!((read.tried(&[], 0).1, read.tried(&[], 1).1), (2, 0), "none of them is a pair");
        let later = Saved::of(&plan, &[], &BTreeMap::new(), SoFar::default(), Some(&read));
        assert_eq!(later.decided, read.decided, "what the traffic did not come to stays decided");
    }

    #[test]
    fn a_pair_that_is_decided_is_found_among_the_pairs_with_its_way() {
        let plan = plan();
        let opened = Spot::Invocation { function: "late".into(), delivery: 2 };
        let path = Path { opened: vec![opened], missed: Vec::new() };
        let cases = [case(Way::Error), pair(Way::Error, Way::Slow), pair(Way::Slow, Way::Error)];
        let held = |path: &Path| Tried { judged: Judged::Held, root: root(1), path: path.clone() };
        let tried = [(0, held(&path)), (2, held(&Path::default()))].into();
        let text = serde_json::to_string(&Saved::of(&plan, &cases, &tried, SoFar::default(), None)).unwrap();
        let read = Saved::read(&text, &plan).unwrap();
        assert_eq!(read.tried(&cases[..1], 0), ([(0, held(&path))].into(), 0));
        assert_eq!(read.tried(&cases, 1), ([(2, held(&Path::default()))].into(), 0));
        assert_eq!(read.tried(&cases[..2], 1).1, 1, "that pair is not one of these");
    }

    #[test]
    fn another_exploration_is_refused_and_what_differs_is_named() {
        let plan = plan();
        let saved = saved(&plan);
        let refused = |plan: &Plan| Saved::read(&saved, plan).unwrap_err();
        let seed = Plan { seed: plan.seed + 1, ..plan.clone() };
        assert!(refused(&seed).contains(&format!("add `--seed {}`", plan.seed)), "{}", refused(&seed));
        assert!(refused(&Plan { text: "x".into(), ..plan.clone() }).contains("the explored file has changed"));
        let mut weak = plan.clone();
        weak.setup.weaknesses.push("x".into());
        assert!(refused(&weak).contains("other weaknesses"), "{}", refused(&weak));
        assert!(Saved::read("{}", &plan).unwrap_err().contains("it is not what an exploration"));
    }
}
