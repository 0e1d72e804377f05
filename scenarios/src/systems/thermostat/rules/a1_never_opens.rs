//! a 200 with a valid token is only for what the policies allow. A-6 judges requests without a
//! valid token.

use crate::Event;
use crate::exchange::{Asked, Caller, ThermostatRequest};

use super::register::Register;
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

pub(crate) fn never_opens() -> Rule<Register> {
    Rule::<Register>::new("A-1", "the thermostats answer 200 only to what the policies allow", |register, _, moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        let Asked::Thermostat { caller: Caller::Valid(user), request } = &exchange.asked else { return NOTHING };
        if exchange.status != Some(200) {
            return NOTHING;
        }
        match request {
            ThermostatRequest::Items => {
                let others = exchange.said.devices.iter().filter(|device| !register.oracle.may_list(user, device));
                let others: Vec<_> = others.map(String::as_str).collect();
                checked((!others.is_empty()).then(|| {
                    let mut breach = wording::breach(exchange, "only devices that the caller owns or is added to");
                    breach.answered = format!("200 with {}", others.join(", "));
                    breach
                }))
            }
            ThermostatRequest::UnknownDevice => {
                checked(Some(wording::breach(exchange, "404; DENY: nobody may touch a device that does not exist")))
            }
            _ => match register.oracle.rule(user, request) {
                Some(ruling) => checked((!ruling.allowed).then(|| wording::breach(exchange, ruling.why))),
                None => NOTHING,
            },
        }
    })
}
