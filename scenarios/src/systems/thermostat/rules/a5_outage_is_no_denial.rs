//! a request that the policies allow is never answered 403; a failing dependency gives a 5xx.

use crate::Event;
use crate::exchange::{Asked, Caller, ThermostatRequest};

use super::register::Register;
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

pub(crate) fn outage_is_no_denial() -> Rule<Register> {
    Rule::<Register>::new("A-5", "what the policies allow is never answered 403, also where a dependency fails", |register, _, moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        let Asked::Thermostat { caller: Caller::Valid(user), request } = &exchange.asked else { return NOTHING };
        let why = match request {
            ThermostatRequest::Items => "ALLOW: everybody may list what is theirs".to_owned(),
            _ => match register.oracle.rule(user, request) {
                Some(ruling) if ruling.allowed => ruling.why,
                _ => return NOTHING,
            },
        };
        // This rule covers an outage that a fault caused and that is reported as an outage. Any
        // other failure says nothing about denials.
        if exchange.decision().is_none() && (exchange.struck.is_empty() || exchange.status.is_none()) {
            return NOTHING;
        }
        let breach = || wording::breach(exchange, format!("200, or 5xx where a dependency fails; {why}; {}", wording::struck(exchange)));
        checked((exchange.status == Some(403)).then(breach))
    })
}
