//! a 200 with a valid token is only for what the policies allow. Requests without a valid token are A-6's.

use std::sync::Arc;

use crate::Event;
use crate::exchange::{Asked, Caller, ThermostatRequest};

use crate::invariants::cedar::ThermostatOracle;
use crate::invariants::{Breach, Invariant, NOTHING, checked, wording};

pub(crate) struct NeverOpens {
    oracle: Arc<ThermostatOracle>,
}

impl NeverOpens {
    pub(crate) fn new(oracle: Arc<ThermostatOracle>) -> Self {
        Self { oracle }
    }
}

impl Invariant for NeverOpens {
    fn id(&self) -> &'static str {
        "A-1"
    }

    fn rule(&self) -> &'static str {
        "the thermostats answer 200 only to what the policies allow"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Exchange(exchange) = event else { return NOTHING };
        let Asked::Thermostat { caller: Caller::Valid(user), request } = &exchange.asked else { return NOTHING };
        if exchange.status != Some(200) {
            return NOTHING;
        }
        match request {
            ThermostatRequest::Items => {
                let others: Vec<_> =
                    exchange.said.devices.iter().filter(|device| !self.oracle.may_list(user, device)).map(String::as_str).collect();
                checked((!others.is_empty()).then(|| {
                    let mut breach = wording::breach(exchange, "only devices that the caller owns or is added to");
                    breach.answered = format!("200 with {}", others.join(", "));
                    breach
                }))
            }
            ThermostatRequest::UnknownDevice => {
                checked(Some(wording::breach(exchange, "404; DENY: nobody may touch a device that does not exist")))
            }
            _ => match self.oracle.rule(user, request) {
                Some(ruling) => checked((!ruling.allowed).then(|| wording::breach(exchange, ruling.why))),
                None => NOTHING,
            },
        }
    }
}
