//! What the rules of the users API have in common: each looks at the book and tells what is its own.

use crate::Event;

use super::book::{Book, Rule};
use crate::invariants::{Breach, NOTHING};

/// The checks of `rule` by one event.
pub(crate) fn see(book: &mut Book, rule: Rule, event: &Event) -> (Vec<Breach>, u64) {
    let Event::Exchange(exchange) = event else { return NOTHING };
    let checks = book.see(exchange).into_iter().filter(|check| check.rule == rule);
    checks.fold(NOTHING, |(mut breaches, count), check| {
        breaches.extend(check.breach);
        (breaches, count + 1)
    })
}
