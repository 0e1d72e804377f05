//! What is to be after one answer: a case of a rule, from the answer until it is decided.

use std::time::Duration;

use load::PATIENCE;

use super::blame::Shown;
use super::claims::{GRACE, Sought, Times};
use super::records::{Records, Tally};

/// One answer that a rule is about.
#[derive(Debug)]
pub(super) struct Case {
    /// The number of its rule.
    pub rule: usize,
    pub shown: Shown,
    /// What is sought: one outcome, or alternatives.
    pub outcomes: Vec<Sought>,
    /// What it seeks, without what may differ between cases that seek the same things.
    pub subject: String,
    /// Until when it must be there.
    pub deadline: Duration,
    pub state: State,
}

/// Whether a case is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Its time is not over.
    Open,
    /// It is as the rule says.
    Kept,
    /// It is not.
    Broken,
}

/// When a case is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub at: Duration,
    /// Whether everything that happened is known.
    pub is_end: bool,
    /// How many cases of the rule seek the same things; what one of them did cannot be told from
    /// what another did.
    pub alike: u32,
}

impl Case {
    /// A case that ends at `deadline`.
    pub(super) fn new(rule: usize, shown: Shown, outcomes: Vec<Sought>, deadline: Duration) -> Self {
        let one = |sought: &Sought| format!("{:?}{:?}{:?}", sought.place, sought.key, sought.about);
        let subject = format!("{rule} {}", outcomes.iter().map(one).collect::<String>());
        Self { rule, shown, outcomes, subject, deadline, state: State::Open }
    }

    /// Whether it may still be decided in time.
    pub(super) fn is_under_way(&self, now: Duration) -> bool {
        self.state == State::Open && now < self.deadline + GRACE
    }

    /// Looks whether it is decided; returns what is wrong if it is broken.
    pub(super) fn look(&self, records: &Records, now: Now) -> Result<State, String> {
        let tally = |sought: &Sought| records.tally(sought, self.shown.sent, self.deadline);
        let tallies: Vec<_> = self.outcomes.iter().map(|sought| (sought, tally(sought))).collect();
        let is_over = now.at >= if now.is_end { self.deadline } else { self.deadline + GRACE };
        for (sought, tally) in &tallies {
            excess(sought, tally, now).map_or(Ok(()), Err)?;
        }
        let there = tallies.iter().filter(|(_, tally)| tally.made > 0 || tally.was_there).count();
        if tallies.len() > 1 && there > 1 && now.alike == 1 {
            return Err(format!("{there} of the alternatives came about"));
        }
        let met = tallies.iter().filter(|(sought, tally)| is_met(sought, tally)).count();
        // More may come as long as the time is not over.
        let may_change = tallies.len() > 1 || tallies.iter().any(|(sought, _)| sought.times.most().is_some());
        match (met > 0, is_over) {
            (true, false) if may_change => Ok(State::Open),
            (true, _) => self.last_look(&tallies, now),
            (false, false) => Ok(State::Open),
            (false, true) => Err(missing(&tallies)),
        }
    }

    /// At the end of the run, what is kept must still be there, unless another request was about the
    /// same.
    fn last_look(&self, tallies: &[(&Sought, Tally)], now: Now) -> Result<State, String> {
        let is_lost = |(sought, tally): &&(&Sought, Tally)| {
            sought.place.keeps() && sought.times.least() > 0 && tally.was_there && !tally.there && now.alike == 1
        };
        match tallies.iter().find(is_lost) {
            Some((_, tally)) if now.is_end => {
                let instead = tally.instead.clone().unwrap_or_else(|| "it is gone".to_owned());
                Err(format!("it was as it should be, and at the end {instead}"))
            }
            _ => Ok(State::Kept),
        }
    }
}

/// Whether there are as many as there should be.
fn is_met(sought: &Sought, tally: &Tally) -> bool {
    let least = sought.times.least();
    let is_there = least == 0 || !sought.place.keeps() || tally.was_there;
    match sought.times {
        Times::There if sought.place.keeps() => tally.was_there,
        _ => is_there && tally.in_time >= least,
    }
}

/// What is wrong if there are more than there may be. A request under way may be the cause of one,
/// so the newest is left alone until no such request can be.
fn excess(sought: &Sought, tally: &Tally, now: Now) -> Option<String> {
    let most = sought.times.most()?;
    let is_sure = now.is_end || now.at >= tally.last + PATIENCE;
    let thing = sought.place.thing();
    (is_sure && tally.made > most.saturating_mul(now.alike)).then(|| match (most, tally.made) {
        (0, 1) => format!("there was such a {thing}"),
        (_, 1) => format!("there was 1 such {thing}"),
        (_, made) if sought.place.keeps() => format!("such a {thing} was stored {made} times"),
        (_, made) => format!("there were {made} such {thing}s"),
    })
}

/// What is wrong if nothing is as it should be.
fn missing(tallies: &[(&Sought, Tally)]) -> String {
    let one = |(sought, tally): &(&Sought, Tally)| {
        let (thing, least) = (sought.place.thing(), sought.times.least());
        match (&tally.instead, tally.in_time) {
            (Some(instead), 0) => format!("a {thing} was found, but {instead}"),
            (None, 0) => format!("no such {thing} came in time"),
            (_, made) if made < least => format!("{made} of {least} such {thing}s came in time"),
            (Some(instead), _) => format!("a {thing} was found, but {instead}"),
            (None, _) => format!("the {thing} is not there"),
        }
    };
    tallies.iter().map(one).collect::<Vec<_>>().join(", and ")
}
