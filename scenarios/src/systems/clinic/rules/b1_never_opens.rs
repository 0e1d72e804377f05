//! B-1: a 200 is only for a GET that the contract's table allows, with the right token and client type. Namesakes with tokens of their own are B-5's.

use std::sync::Arc;

use crate::systems::clinic::NAMESAKES;

use crate::Event;
use crate::exchange::{Asked, ClinicToken};

use super::denials;
use crate::invariants::cedar::ClinicOracle;
use crate::invariants::{Breach, Invariant, NOTHING, checked, wording};

pub(crate) struct NeverOpens {
    oracle: Arc<ClinicOracle>,
}

impl NeverOpens {
    pub(crate) fn new(oracle: Arc<ClinicOracle>) -> Self {
        Self { oracle }
    }
}

impl Invariant for NeverOpens {
    fn id(&self) -> &'static str {
        "B-1"
    }

    fn rule(&self) -> &'static str {
        "the clinic answers 200 only to what its table allows"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Exchange(exchange) = event else { return NOTHING };
        let Asked::Clinic { token, client_type, appointment } = &exchange.asked else { return NOTHING };
        if exchange.status != Some(200) {
            return NOTHING;
        }
        let denied = match token {
            ClinicToken::Missing => Some("401; DENY: no token".to_owned()),
            ClinicToken::Bad { what, .. } => Some(format!("403; DENY: the token is {what}")),
            ClinicToken::Valid { user, .. } if !denials::right_client(*user, *client_type) => {
                Some("403; DENY: the token is not of the pool that the client type names".to_owned())
            }
            ClinicToken::Valid { user, .. } if NAMESAKES.contains(user) => return NOTHING,
            ClinicToken::Valid { user, .. } => {
                let ruling = self.oracle.rule(*user, exchange.method, appointment);
                (!ruling.allowed).then_some(ruling.why)
            }
        };
        checked(denied.map(|why| wording::breach(exchange, why)))
    }
}
