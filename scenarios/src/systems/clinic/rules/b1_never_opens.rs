//! B-1: a 200 is only for a GET that the contract's table allows, with the right token and client
//! type. B-5 judges namesakes with tokens of their own.

use crate::systems::clinic::NAMESAKES;

use crate::Event;
use crate::exchange::{Asked, ClinicToken};

use super::denials::{self, Denials};
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

pub(crate) fn never_opens() -> Rule<Denials> {
    Rule::<Denials>::new("B-1", "the clinic answers 200 only to what its table allows", |denials, _, moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
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
                let ruling = denials.oracle.rule(*user, exchange.method, appointment);
                (!ruling.allowed).then_some(ruling.why)
            }
        };
        checked(denied.map(|why| wording::breach(exchange, why)))
    })
}
