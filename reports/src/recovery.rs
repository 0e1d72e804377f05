//! How long it took, after the calm, until an endpoint met its aims again and kept them: up to the
//! first window of 5 s that does not certainly miss an aim, after which the next 30 s as a whole
//! meet them too, and no later 30 s are far beyond them. A window is judged by the exact binomial.
//! The 30 s are judged by blocks, like the fault phase, because a pause of a second, which the aims
//! allow, fills a large part of one window. The error of the whole run is spread over all windows
//! and aims (Bonferroni).

use std::collections::BTreeMap;

use crate::expectation::{Bound, Starts};
use crate::implied::{self, Asked};
use crate::intervals::{ONE_SIDE, exact_share, p_of_at_least};
use crate::latencies::{Phase, Tag};
use crate::machine::Machine;
use crate::measurements::Measurements;
use crate::misses::{Block, Miss, Misses};
use crate::report::Recovered;
use crate::tables::span;

/// The length of a window in seconds.
pub const WINDOW_S: u32 = 5;
/// A window with fewer requests is skipped; if all have fewer, windows are longer.
pub const FEWEST: u64 = 5;
/// How long the aims must then be met, as a whole.
pub const KEPT_S: u32 = 30;

/// An aim that a window can meet, with its misses by second.
struct Kept {
    what: String,
    allowed: f64,
    starts: Starts,
    seconds: BTreeMap<u32, Block>,
}

impl Kept {
    fn within(&self, from: u32, to: u32) -> Block {
        self.seconds.range(from..to).fold(Block::default(), |sum, (_, one)| Block { missed: sum.missed + one.missed, of: sum.of + one.of })
    }

    /// Whether the window certainly misses; `None` if it has too few requests.
    fn window_misses(&self, start: u32, window: u32, level: f64) -> Option<bool> {
        let Block { missed, of } = self.within(start, start + window);
        (of >= FEWEST).then(|| p_of_at_least(missed, of, self.allowed) < level)
    }

    fn blocks(&self, start: u32) -> Misses {
        Misses::new((start..start + KEPT_S).step_by(WINDOW_S as usize).map(|from| self.within(from, from + WINDOW_S)))
    }

    /// Whether the next [`KEPT_S`] as a whole certainly miss.
    fn rest_misses(&self, start: u32, level: f64) -> bool {
        self.blocks(start).p_above(self.allowed) < level
    }

    /// Whether any [`KEPT_S`] after those are so far beyond the aim that it is no pause.
    fn relapses(&self, start: u32, to: u32, level: f64) -> bool {
        let last = to.saturating_sub(KEPT_S);
        let mut later = (start..last).step_by(KEPT_S as usize).skip(1).chain((last > start).then_some(last));
        later.any(|start| self.blocks(start).p_far_above(self.allowed) < level)
    }
}

/// The aims to recover to: those of the experiment, and errors unless it bounds them for requests
/// that are not struck, or accepts them. What `machine` forgives does not miss them.
fn aims(measured: &Measurements, of: &str, machine: Machine) -> Vec<Kept> {
    let own = measured.experiment.expectations.iter().filter(|aim| aim.of == of).filter_map(|aim| {
        let (miss, allowed) = aim.bound.allows()?;
        Some((aim.bound, miss, allowed, aim.starts))
    });
    let mut wanted: Vec<_> = own.collect();
    let is_judged = |tag: &Tag, starts: Starts| tag.endpoint == of && tag.phase == Phase::Recovery && tag.ended() && starts.has(tag.cold);
    if let Some(starts) = implied::without_faults(of, &Asked::of(measured), Phase::Fault) {
        let requests = measured.latencies.count(|tag| is_judged(tag, starts));
        let only = (requests == 1).then_some(implied::ONLY);
        let errors = implied::bound(measured, of, requests).or(only).and_then(|share| faults::Share::try_from(share).ok());
        wanted.extend(errors.map(|share| (Bound::Errors(share), Miss::Failed, share.value(), starts)));
    }
    let kept = |(bound, miss, allowed, starts): (Bound, Miss, f64, Starts)| {
        let (miss, allowed) = machine.forgives(miss, allowed);
        let mut seconds: BTreeMap<u32, Block> = BTreeMap::new();
        measured.latencies.visit(
            |tag| is_judged(tag, starts),
            |second, tag, _, pairs| {
                let block = seconds.entry(second).or_default();
                block.missed += miss.count(tag, pairs);
                block.of += crate::latencies::sum(pairs);
            },
        );
        Kept { what: bound.asked(), allowed, starts, seconds }
    };
    wanted.into_iter().map(kept).collect()
}

/// When `endpoint` met its aims again; `None` if there was no recovery phase or no aim to recover
/// to.
pub fn of(measured: &Measurements, endpoint: &str) -> Option<Recovered> {
    beside(measured, endpoint, Machine::default())
}

/// The same without what misses of the aims are this machine's doing.
pub(crate) fn beside(measured: &Measurements, endpoint: &str, machine: Machine) -> Option<Recovered> {
    let recovery = span(&measured.phases, Phase::Recovery)?;
    let aims = aims(measured, endpoint, machine);
    if aims.is_empty() {
        return None;
    }
    let (from, to) = (recovery.from_s.floor().max(0.0) as u32, recovery.to_s.ceil().max(0.0) as u32);
    let Windows { length, starts, level } = Windows::of(&aims, from, to);
    // Whether each window meets all aims; `None` if no aim has enough requests in it.
    let kept =
        |start: u32| aims.iter().filter_map(|aim| aim.window_misses(start, length, level)).reduce(|a, b| a || b).map(|missed| !missed);
    let mut windows: Vec<Option<bool>> = starts.iter().map(|start| kept(*start)).collect();
    let seen = windows.iter().filter(|kept| kept.is_some()).count();
    // A window without enough requests counts like the next one that has them.
    let mut next = None;
    for kept in windows.iter_mut().rev() {
        *kept = kept.or(next);
        next = *kept;
    }
    let stays = |start: u32| !aims.iter().any(|aim| aim.rest_misses(start, level) || aim.relapses(start, to, level));
    let is_good = |(start, kept): &(u32, Option<bool>)| *kept == Some(true) && stays(*start);
    let good = starts.iter().copied().zip(windows).find(is_good).map(|(start, _)| start);
    Some(Recovered {
        endpoint: endpoint.to_owned(),
        after_s: good.map(|start| f64::from(start - from)),
        watched_s: recovery.to_s - recovery.from_s,
        windows: seen,
        lacks: good.and_then(|start| lacks(&aims, start, to)).unwrap_or_default(),
    })
}

/// The windows in which recovery may begin.
struct Windows {
    length: u32,
    starts: Vec<u32>,
    /// The error that each test may make.
    level: f64,
}

impl Windows {
    /// The shortest windows of which half have enough requests: if all of those miss, it is certain.
    /// For an endpoint with few requests, that may be the whole recovery.
    fn of(aims: &[Kept], from: u32, to: u32) -> Self {
        let longest = (to - from).max(WINDOW_S);
        let shorter = (WINDOW_S..longest).step_by(WINDOW_S as usize).map(|length| Self::long(length, aims.len(), from, to));
        shorter.into_iter().find(|windows| windows.can_tell(aims)).unwrap_or_else(|| Self::long(longest, aims.len(), from, to))
    }

    /// Each aim is tested at each start: the window, the next 30 s, and all later ones.
    fn long(length: u32, aims: usize, from: u32, to: u32) -> Self {
        let starts: Vec<u32> = (from..=to.saturating_sub(length).max(from)).collect();
        let tests = (2 + (to - from).div_ceil(KEPT_S) as usize) * starts.len() * aims;
        Self { length, starts, level: ONE_SIDE / tests as f64 }
    }

    fn can_tell(&self, aims: &[Kept]) -> bool {
        let is_certain = |aim: &Kept, of: u64| of >= FEWEST && p_of_at_least(of, of, aim.allowed) < self.level;
        let tells = |start: &&u32| aims.iter().any(|aim| is_certain(aim, aim.within(**start, **start + self.length).of));
        2 * self.starts.iter().filter(tells).count() >= self.starts.len()
    }
}

/// What the rest of the recovery does not show, because it has too few requests or too many misses:
/// it must rule out twice the misses that each aim allows.
fn lacks(aims: &[Kept], start: u32, to: u32) -> Option<String> {
    // There may be no cold start after it, and then there is nothing to show.
    aims.iter().filter(|aim| aim.starts != Starts::Cold).find_map(|aim| {
        let rest = aim.within(start, to.saturating_add(1));
        let high = exact_share(rest.missed, rest.of).map_or(1.0, |interval| interval.high);
        (high > (2.0 * aim.allowed).min(0.999))
            .then(|| format!("the {} requests after that do not show that it keeps {}", rest.of, aim.what))
    })
}
