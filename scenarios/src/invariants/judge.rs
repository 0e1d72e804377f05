//! One book for all rules of a system: an event is folded once, then each rule is asked about the book.

use crate::Event;

use super::{Found, Invariant, Quiet};

/// What happened in one system. Facts may come in any order: sightings and exchanges reach the harness on two ways.
pub(crate) trait Book: Send {
    /// What can be judged now, since all that is known of it is here.
    type Ripe;
    /// Takes in an event.
    fn see(&mut self, event: &Event) -> Self::Ripe;
    /// Everything that is left to be judged.
    fn settled(&mut self, quiet: &Quiet) -> Self::Ripe;
}

/// No book, for rules that look at single events.
impl Book for () {
    type Ripe = ();
    fn see(&mut self, _event: &Event) {}
    fn settled(&mut self, _quiet: &Quiet) {}
}

/// When a rule is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment<'a> {
    /// After this event.
    Event(&'a Event),
    /// Once everything has settled.
    Quiet(&'a Quiet),
}

/// What a rule asks of its book.
type Asks<B> = dyn FnMut(&B, &<B as Book>::Ripe, Moment<'_>) -> Found + Send;

/// A rule over a book.
pub(crate) struct Rule<B: Book> {
    id: &'static str,
    text: &'static str,
    asks: Box<Asks<B>>,
}

impl<B: Book> Rule<B> {
    /// `asks` is called after each event and once in the end.
    pub(crate) fn new(id: &'static str, text: &'static str, asks: impl FnMut(&B, &B::Ripe, Moment<'_>) -> Found + Send + 'static) -> Self {
        Self { id, text, asks: Box::new(asks) }
    }
}

/// The rules of one system and their book.
pub(crate) struct Judge<B: Book> {
    book: B,
    rules: Vec<Rule<B>>,
}

impl<B: Book> Judge<B> {
    /// `rules` in the order of their ids.
    pub(crate) fn new(book: B, rules: Vec<Rule<B>>) -> Self {
        Self { book, rules }
    }

    fn ask(&mut self, ripe: &B::Ripe, moment: Moment<'_>) -> Vec<Found> {
        self.rules.iter_mut().map(|rule| (rule.asks)(&self.book, ripe, moment)).collect()
    }
}

impl<B: Book> Invariant for Judge<B> {
    fn rules(&self) -> Vec<(&'static str, &'static str)> {
        self.rules.iter().map(|rule| (rule.id, rule.text)).collect()
    }

    fn see(&mut self, event: &Event) -> Vec<Found> {
        let ripe = self.book.see(event);
        self.ask(&ripe, Moment::Event(event))
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Found> {
        let ripe = self.book.settled(quiet);
        self.ask(&ripe, Moment::Quiet(quiet))
    }
}
