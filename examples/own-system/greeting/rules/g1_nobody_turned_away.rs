//! G-1: a request for a greeting gets one, or fails; it is never turned away.

use super::super::ENDPOINT;
use crate::Event;
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

/// Statuses from here on are failures, which the aims judge.
const FAILURE: u16 = 500;

/// It looks at single answers, and needs no book.
pub(crate) fn nobody_turned_away() -> Rule<()> {
    Rule::<()>::new("G-1", "a request for a greeting gets one or fails, but for refusals by a fault", |(), (), moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        if exchange.endpoint != ENDPOINT {
            return NOTHING;
        }
        let is_wrong = exchange.status.is_some_and(|status| status != 200 && status < FAILURE) && exchange.struck.is_empty();
        checked(is_wrong.then(|| wording::breach(exchange, "200: a greeting")))
    })
}
