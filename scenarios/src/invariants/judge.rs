//! All rules of a system share one book: an event is added to it once, then each rule checks the
//! book.

use std::time::Duration;

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table, Outcome};

use crate::Event;

use super::{Found, Invariant, Quiet};

/// Returns the arm of a trace root or of a queue message.
pub type ArmOf<'a> = &'a dyn Fn(&str) -> ArmTag;

/// Work that was accepted and that no request waits for. It has ended, or it is unfinished when the
/// run is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The endpoint under which its time is recorded.
    pub endpoint: &'static str,
    /// The trace root or the queue message that determines its arm; `None` if it has no arm.
    pub identity: Option<String>,
    /// The time that determines its phase.
    pub due: Duration,
    /// When it was accepted.
    pub since: Duration,
    /// When it first ended, and whether that was the right outcome; `None` if it has not ended.
    pub end: Option<(Duration, Outcome)>,
}

/// What happened in one system. Facts may come in any order: sightings and exchanges reach the
/// harness on different paths.
pub(crate) trait Book: Send {
    /// What can be judged now, because everything about it is known.
    type Ripe;
    /// Records an event.
    fn see(&mut self, event: &Event) -> Self::Ripe;
    /// Everything that is still to be judged.
    fn settled(&mut self, quiet: &Quiet) -> Self::Ripe;
    /// What ended with the last event. Only the first end of a thing counts.
    fn ended(&mut self) -> Option<Ended> {
        None
    }
    /// How many things have not ended and may still do so.
    fn under_way(&self) -> usize {
        0
    }
    /// What has not ended. Call it once the run has ended.
    fn unfinished(&self) -> Vec<Ended> {
        Vec::new()
    }
    /// The outcomes of everything, by arm. Call it once the run has ended.
    fn tables(&self, _arm: ArmOf<'_>) -> Vec<Table> {
        Vec::new()
    }
}

/// No book, for rules that look at single events.
impl Book for () {
    type Ripe = ();
    fn see(&mut self, _event: &Event) {}
    fn settled(&mut self, _quiet: &Quiet) {}
}

/// When a rule is evaluated.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment<'a> {
    /// After this event.
    Event(&'a Event),
    /// Once everything has settled.
    Quiet(&'a Quiet),
}

/// How a rule checks its book.
type Asks<B> = dyn FnMut(&B, &<B as Book>::Ripe, Moment<'_>) -> Found + Send;

/// Where the facts come from that a rule needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Facts {
    /// Answers, and what the harness's own devices are told: known on every target.
    Answers,
    /// Reports of services and trials on them: known of services on this machine only.
    Services,
}

/// A rule over a book.
pub(crate) struct Rule<B: Book> {
    id: &'static str,
    text: &'static str,
    facts: Facts,
    asks: Box<Asks<B>>,
}

impl<B: Book> Rule<B> {
    /// `asks` is called after each event and once at the end.
    pub(crate) fn new(id: &'static str, text: &'static str, asks: impl FnMut(&B, &B::Ripe, Moment<'_>) -> Found + Send + 'static) -> Self {
        Self { id, text, facts: Facts::Answers, asks: Box::new(asks) }
    }

    /// Its id.
    pub(crate) const fn id(&self) -> &'static str {
        self.id
    }

    /// A rule that needs what only services on this machine tell.
    pub(crate) fn of_services(self) -> Self {
        Self { facts: Facts::Services, ..self }
    }
}

/// The rules of one system and their book.
pub(crate) struct Judge<B: Book> {
    book: B,
    rules: Vec<Rule<B>>,
    /// Whether services tell what became of accepted work.
    ends_are_known: bool,
}

impl<B: Book> Judge<B> {
    /// `rules` in the order of their ids.
    pub(crate) fn new(book: B, rules: Vec<Rule<B>>) -> Self {
        Self { book, rules, ends_are_known: true }
    }

    fn ask(&mut self, ripe: &B::Ripe, moment: Moment<'_>) -> Vec<Found> {
        self.rules.iter_mut().map(|rule| (rule.asks)(&self.book, ripe, moment)).collect()
    }
}

impl<B: Book> Invariant for Judge<B> {
    fn rules(&self) -> Vec<(&'static str, &'static str)> {
        self.rules.iter().map(|rule| (rule.id, rule.text)).collect()
    }

    fn see(&mut self, event: &Event) -> (Vec<Found>, Option<Ended>) {
        let ripe = self.book.see(event);
        (self.ask(&ripe, Moment::Event(event)), self.book.ended())
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Found> {
        let ripe = self.book.settled(quiet);
        self.ask(&ripe, Moment::Quiet(quiet))
    }

    fn by_answers_alone(&mut self) -> Vec<&'static str> {
        let (unchecked, checked) = std::mem::take(&mut self.rules).into_iter().partition(|rule| rule.facts == Facts::Services);
        self.rules = checked;
        self.ends_are_known = false;
        unchecked.iter().map(|rule: &Rule<B>| rule.id).collect()
    }

    fn under_way(&self) -> usize {
        if self.ends_are_known { self.book.under_way() } else { 0 }
    }

    fn unfinished(&self) -> Vec<Ended> {
        if self.ends_are_known { self.book.unfinished() } else { Vec::new() }
    }

    fn tables(&self, arm: ArmOf<'_>) -> Vec<Table> {
        if self.ends_are_known { self.book.tables(arm) } else { Vec::new() }
    }
}

/// The label of a row, and which things it counts.
pub(crate) type Kind<T> = (&'static str, fn(&T) -> bool);

/// A table of things with their arms; each thing is in exactly one of `ends`.
pub(crate) fn table<T>(of: &str, things: &[(ArmTag, T)], ends: &[Kind<T>], of_these: &[Kind<T>]) -> Table {
    let row = |(what, is): &Kind<T>| {
        let count = |wanted: ArmTag| things.iter().filter(|(arm, thing)| *arm == wanted && is(thing)).count() as u64;
        let [struck, control, neither] = [ArmTag::Treatment, ArmTag::Control, ArmTag::Untouched].map(count);
        Row { what: (*what).to_owned(), struck, control, neither }
    };
    let rows = |kinds: &[Kind<T>]| kinds.iter().map(row).collect();
    Table { of: of.to_owned(), taken: things.len() as u64, ends: rows(ends), of_these: rows(of_these) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_has_its_column_and_only_one() {
        let things = [ArmTag::Treatment, ArmTag::Control, ArmTag::Untouched].map(|arm| (arm, ()));
        let table = table("mails", &things, &[("delivered", |()| true)], &[("twice", |()| false)]);
        let row = &table.ends[0];
        assert_eq!((row.struck, row.control, row.neither, table.of_these[0].total()), (1, 1, 1, 0));
        assert_eq!((table.taken, table.imbalance()), (3, None));
    }
}
