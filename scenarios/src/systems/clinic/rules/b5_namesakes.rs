//! B-5: a user of one pool never has the rights of a namesake in the other.

use crate::systems::clinic::NAMESAKES;

use crate::Event;
use crate::exchange::{Asked, ClinicToken};

use super::denials;
use crate::invariants::{Breach, Invariant, NOTHING, checked, wording};

pub(crate) struct Namesakes;

impl Invariant for Namesakes {
    fn id(&self) -> &'static str {
        "B-5"
    }

    fn rule(&self) -> &'static str {
        "a user of one pool never has the rights of a namesake in the other"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Exchange(exchange) = event else { return NOTHING };
        let Asked::Clinic { token: ClinicToken::Valid { user, .. }, client_type, .. } = &exchange.asked else { return NOTHING };
        if !NAMESAKES.contains(user) || !denials::right_client(*user, *client_type) || exchange.decision().is_none() {
            return NOTHING;
        }
        let why = || format!("403; DENY: {} of the pool {} only shares a name with who may", user.name, user.pool.client_type());
        checked((exchange.status == Some(200)).then(|| wording::breach(exchange, why())))
    }
}
