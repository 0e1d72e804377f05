//! an answer with a right status says what its request expects, unless a fault struck it.

use crate::Event;
use crate::exchange::Exchange;

use super::{Breach, Moment, NOTHING, Rule, checked, wording};

fn breach(exchange: &Exchange) -> Option<Breach> {
    let missed = exchange.missed.as_ref().filter(|_| exchange.struck.is_empty())?;
    Some(wording::breach(exchange, format!("a body as expected, but {missed}; {}", wording::struck(exchange))))
}

pub(crate) fn expected_bodies() -> Rule<()> {
    Rule::<()>::new(
        "R-2",
        "every answer with a right status that no fault struck has the body that its request expects",
        |(), (), moment| {
            let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
            match (exchange.status, exchange.right()) {
                (Some(status), Some(right)) if right.contains(&status) => checked(breach(exchange)),
                _ => NOTHING,
            }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, exchange, struck};
    use super::*;
    use crate::exchange::Asked;

    #[test]
    fn only_an_untouched_answer_with_a_right_status_must_say_what_is_expected() {
        for (status, missed, is_struck, broken, judged) in
            [(200, None, false, 0, 1), (200, Some("x"), false, 1, 1), (200, Some("x"), true, 0, 1), (404, Some("x"), false, 0, 0)]
        {
            let mut asked = exchange(Asked::Request { statuses: vec![200] }, 1.0, 1.1, status);
            asked.missed = missed.map(str::to_owned);
            let asked = if is_struck { struck(asked) } else { asked };
            let found = fixtures::broken(expected_bodies(), &[Event::Exchange(Box::new(asked))]);
            assert_eq!(found, (broken, judged), "{status} {missed:?} {is_struck}");
        }
    }
}
