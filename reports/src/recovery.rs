//! How long it took, after the calm, until an endpoint met its aims again: up to the first window
//! of 5 s that does not certainly miss an aim, and after which the next 30 s as a whole meet them
//! too. A window is judged by the exact binomial. The 30 s are judged by blocks, like the fault
//! phase, because a pause of a second, which the aims allow, fills a large part of one window. The
//! error of the whole run is spread over all windows and aims (Bonferroni).

use std::collections::BTreeMap;

use crate::expectation::Bound;
use crate::implied::{self, Asked};
use crate::intervals::{ONE_SIDE, exact_share, p_of_at_least};
use crate::latencies::Phase;
use crate::measurements::Measurements;
use crate::misses::{Block, Miss, Misses};
use crate::report::Recovered;
use crate::tables::span;

/// The length of a window in seconds.
pub const WINDOW_S: u32 = 5;
/// A window with fewer requests is skipped.
pub const FEWEST: u64 = 5;
/// How long the aims must then be met.
pub const KEPT_S: f64 = 30.0;

/// An aim that a window can meet, with its misses by second.
struct Kept {
    what: String,
    allowed: f64,
    seconds: BTreeMap<u32, Block>,
}

impl Kept {
    fn within(&self, from: u32, to: u32) -> Block {
        self.seconds.range(from..to).fold(Block::default(), |sum, (_, one)| Block { missed: sum.missed + one.missed, of: sum.of + one.of })
    }

    /// Whether the window certainly misses; `None` if it has too few requests.
    fn window_misses(&self, start: u32, level: f64) -> Option<bool> {
        let Block { missed, of } = self.within(start, start + WINDOW_S);
        (of >= FEWEST).then(|| p_of_at_least(missed, of, self.allowed) < level)
    }

    /// Whether the next [`KEPT_S`] as a whole certainly miss.
    fn rest_misses(&self, start: u32, level: f64) -> bool {
        let blocks = (start..start + KEPT_S as u32).step_by(WINDOW_S as usize).map(|from| self.within(from, from + WINDOW_S));
        Misses::new(blocks).p_above(self.allowed) < level
    }
}

/// The aims to recover to: those of the experiment, and errors unless it bounds them for requests
/// that are not struck, or accepts them.
fn aims(measured: &Measurements, of: &str) -> Vec<Kept> {
    let own = measured.experiment.expectations.iter().filter(|aim| aim.of == of).filter_map(|aim| {
        let (miss, allowed) = aim.bound.allows()?;
        Some((aim.bound.asked(), miss, allowed, aim.warm))
    });
    let mut wanted: Vec<_> = own.collect();
    if implied::is_about_the_rest(of, &Asked::of(measured), Phase::Fault) {
        let requests = measured.latencies.count(|tag| tag.endpoint == of && tag.phase == Phase::Recovery && tag.ended());
        let errors = implied::bound(measured, of, requests).and_then(|share| faults::Share::try_from(share).ok());
        wanted.extend(errors.map(|share| (Bound::Errors(share).asked(), Miss::Failed, share.value(), false)));
    }
    let kept = |(what, miss, allowed, warm): (String, Miss, f64, bool)| {
        let mut seconds: BTreeMap<u32, Block> = BTreeMap::new();
        measured.latencies.visit(
            |tag| tag.endpoint == of && tag.phase == Phase::Recovery && tag.ended() && !(warm && tag.cold),
            |second, tag, _, pairs| {
                let block = seconds.entry(second).or_default();
                block.missed += miss.count(tag, pairs);
                block.of += crate::latencies::sum(pairs);
            },
        );
        Kept { what, allowed, seconds }
    };
    wanted.into_iter().map(kept).collect()
}

/// When `endpoint` met its aims again; `None` if there was no recovery phase or no aim to recover
/// to.
pub fn of(measured: &Measurements, endpoint: &str) -> Option<Recovered> {
    let recovery = span(&measured.phases, Phase::Recovery)?;
    let aims = aims(measured, endpoint);
    if aims.is_empty() {
        return None;
    }
    let (from, to) = (recovery.from_s.floor().max(0.0) as u32, recovery.to_s.ceil().max(0.0) as u32);
    let starts: Vec<u32> = (from..=to.saturating_sub(WINDOW_S).max(from)).collect();
    // Two tests of each aim at each start.
    let level = ONE_SIDE / (2 * starts.len() * aims.len()) as f64;
    // Whether each window meets all aims; `None` if no aim has enough requests in it.
    let kept = |start: u32| aims.iter().filter_map(|aim| aim.window_misses(start, level)).reduce(|a, b| a || b).map(|missed| !missed);
    let mut windows: Vec<Option<bool>> = starts.iter().map(|start| kept(*start)).collect();
    let seen = windows.iter().filter(|kept| kept.is_some()).count();
    // A window without enough requests counts like the next one that has them.
    let mut next = None;
    for kept in windows.iter_mut().rev() {
        *kept = kept.or(next);
        next = *kept;
    }
    let is_good = |(start, kept): &(u32, Option<bool>)| *kept == Some(true) && !aims.iter().any(|aim| aim.rest_misses(*start, level));
    let good = starts.iter().copied().zip(windows).find(is_good).map(|(start, _)| start);
    Some(Recovered {
        endpoint: endpoint.to_owned(),
        after_s: good.map(|start| f64::from(start - from)),
        watched_s: recovery.to_s - recovery.from_s,
        windows: seen,
        lacks: good.and_then(|start| lacks(&aims, start, to)).unwrap_or_default(),
    })
}

/// What the rest of the recovery does not show, because it has too few requests or too many misses:
/// it must rule out twice the misses that each aim allows.
fn lacks(aims: &[Kept], start: u32, to: u32) -> Option<String> {
    aims.iter().find_map(|aim| {
        let rest = aim.within(start, to.saturating_add(1));
        let high = exact_share(rest.missed, rest.of).map_or(1.0, |interval| interval.high);
        (high > (2.0 * aim.allowed).min(0.999))
            .then(|| format!("the {} requests after that do not show that it keeps {}", rest.of, aim.what))
    })
}
