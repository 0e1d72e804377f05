//! without a valid token there is no 200, whatever is asked.

use crate::Event;
use crate::exchange::{Asked, Caller};

use crate::invariants::{Breach, Invariant, NOTHING, checked, wording};

pub(crate) struct NoTokenNoAnswer;

impl Invariant for NoTokenNoAnswer {
    fn id(&self) -> &'static str {
        "A-6"
    }

    fn rule(&self) -> &'static str {
        "without a valid token the thermostats never answer 200"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Exchange(exchange) = event else { return NOTHING };
        match &exchange.asked {
            Asked::Thermostat { caller, .. } if !matches!(caller, Caller::Valid(_)) && exchange.decision().is_some() => {
                checked((exchange.status == Some(200)).then(|| wording::breach(exchange, "401; DENY: no valid token")))
            }
            _ => NOTHING,
        }
    }
}
