//! B-5: a user of one pool never has the rights of a namesake in the other.

use crate::systems::clinic::NAMESAKES;

use crate::Event;
use crate::exchange::{Asked, ClinicToken};

use super::denials::{self, Denials};
use crate::invariants::{Moment, NOTHING, Rule, checked, wording};

pub(crate) fn namesakes() -> Rule<Denials> {
    Rule::<Denials>::new("B-5", "a user of one pool never has the rights of a namesake in the other", |_, _, moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        let Asked::Clinic { token: ClinicToken::Valid { user, .. }, client_type, .. } = &exchange.asked else { return NOTHING };
        if !NAMESAKES.contains(user) || !denials::right_client(*user, *client_type) || exchange.decision().is_none() {
            return NOTHING;
        }
        let why = || format!("403; DENY: {} of the pool {} only shares a name with who may", user.name, user.pool.client_type());
        checked((exchange.status == Some(200)).then(|| wording::breach(exchange, why())))
    })
}
