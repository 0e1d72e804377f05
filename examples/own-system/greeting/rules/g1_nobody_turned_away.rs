//! G-1: who asks for a greeting gets one, or the request fails; nobody is turned away.

use super::super::ENDPOINT;
use crate::Event;
use crate::invariants::{Breach, Invariant, NOTHING, checked, wording};

/// Statuses from here on are failures, which the aims judge.
const FAILURE: u16 = 500;

pub(crate) struct NobodyTurnedAway;

impl Invariant for NobodyTurnedAway {
    fn id(&self) -> &'static str {
        "G-1"
    }

    fn rule(&self) -> &'static str {
        "an answer to who asks for a greeting is a greeting or a failure, but for refusals by a fault"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Exchange(exchange) = event else { return NOTHING };
        if exchange.endpoint != ENDPOINT {
            return NOTHING;
        }
        let is_wrong = exchange.status.is_some_and(|status| status != 200 && status < FAILURE) && exchange.struck.is_empty();
        checked(is_wrong.then(|| wording::breach(exchange, "200: a greeting")))
    }
}
