//! B-2: a request that the table allows is never answered 403 unless a fault explains it.

use crate::Event;

use super::denials::Denials;
use crate::invariants::{Moment, Rule};

pub(crate) fn never_wrongly_closes() -> Rule<Denials> {
    let text = "what the clinic's table allows is never answered 403, also for the second request of one token";
    Rule::<Denials>::new("B-2", text, |denials, told, moment| {
        let count = match moment {
            Moment::Event(Event::Exchange(exchange)) => u64::from(exchange.decision().is_some() && denials.allowed(exchange).is_some()),
            _ => 0,
        };
        (told.iter().filter(|denial| !denial.explained).map(|denial| denial.breach.clone()).collect(), count)
    })
}
