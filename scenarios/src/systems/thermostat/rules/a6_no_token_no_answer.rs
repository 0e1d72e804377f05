//! a request without a valid token is never answered 200.

use crate::Event;
use crate::exchange::{Asked, Caller};

use super::register::Register;
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

pub(crate) fn no_token_no_answer() -> Rule<Register> {
    Rule::<Register>::new("A-6", "without a valid token the thermostats never answer 200", |_, _, moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        match &exchange.asked {
            Asked::Thermostat { caller, .. } if !matches!(caller, Caller::Valid(_)) && exchange.decision().is_some() => {
                checked((exchange.status == Some(200)).then(|| wording::breach(exchange, "401; DENY: no valid token")))
            }
            _ => NOTHING,
        }
    })
}
