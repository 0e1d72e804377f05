//! no answer gives away the inside of a function, such as a stack trace.

use crate::Event;
use crate::exchange::{Asked, Exchange};

use super::{Breach, Moment, NOTHING, Rule, checked, wording};

fn breach(exchange: &Exchange) -> Option<Breach> {
    let what = exchange.said.internals?;
    let found = wording::breach(exchange, format!("nothing of the inside of a function; {}", wording::struck(exchange)));
    Some(Breach { answered: format!("{} with {what}", found.answered), ..found })
}

pub(crate) fn no_internals() -> Rule<()> {
    Rule::<()>::new("R-3", "no answer shows a stack trace, whatever failed", |(), (), moment| {
        let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
        match (&exchange.asked, exchange.status) {
            (Asked::Request { .. }, Some(_)) => checked(breach(exchange)),
            _ => NOTHING,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, exchange, struck};
    use super::*;

    #[test]
    fn a_stack_trace_is_a_breach_with_and_without_a_fault() {
        for (status, internals, is_struck, broken, judged) in [
            (200, None, false, 0, 1),
            (500, None, true, 0, 1),
            (500, Some("a stack trace of Python"), false, 1, 1),
            (500, Some("a stack trace of Python"), true, 1, 1),
            (0, None, false, 0, 0),
        ] {
            let mut asked = exchange(Asked::Request { statuses: vec![200] }, 1.0, 1.1, status);
            asked.said.internals = internals;
            let asked = if is_struck { struck(asked) } else { asked };
            let found = fixtures::broken(no_internals(), &[Event::Exchange(Box::new(asked))]);
            assert_eq!(found, (broken, judged), "{status} {internals:?} {is_struck}");
        }
    }
}
