//! a request is answered with a status that it calls right, or fails. A fault may cause a
//! denial, but never a better answer.

use crate::Event;
use crate::exchange::Exchange;

use super::{Breach, Moment, NOTHING, Rule, checked, wording};

/// Statuses from here on are failures, which the expectations judge.
const FAILURE: u16 = 500;
/// Statuses from here on refuse the request, which a fault may do.
const REFUSAL: u16 = 400;

fn breach(exchange: &Exchange, status: u16, statuses: &[u16]) -> Option<Breach> {
    if statuses.contains(&status) || status >= REFUSAL && !exchange.struck.is_empty() {
        return None;
    }
    let right = statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ");
    Some(wording::breach(exchange, format!("{right}; {}", wording::struck(exchange))))
}

pub(crate) fn right_statuses() -> Rule<()> {
    Rule::<()>::new(
        "R-1",
        "every answer below 500 has a status that its request calls right, but for refusals by a fault",
        |(), (), moment| {
            let Moment::Event(Event::Exchange(exchange)) = moment else { return NOTHING };
            let answered = exchange.status.filter(|status| *status < FAILURE);
            let (Some(status), Some(right)) = (answered, exchange.right()) else { return NOTHING };
            checked(breach(exchange, status, right))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, exchange, struck};
    use super::*;
    use crate::exchange::Asked;

    #[test]
    fn a_fault_may_deny_access_but_never_grant_it() {
        // 0 means no answer.
        for (right, status, is_struck, broken) in [
            (&[200][..], 200, false, 0),
            (&[200], 403, false, 1),
            (&[200], 403, true, 0),
            (&[200], 502, false, 0),
            (&[200], 0, false, 0),
            (&[403], 403, true, 0),
            (&[403], 200, false, 1),
            (&[403], 200, true, 1),
            (&[200, 404], 404, false, 0),
        ] {
            let asked = exchange(Asked::Request { statuses: right.to_vec() }, 1.0, 1.1, status);
            let asked = if is_struck { struck(asked) } else { asked };
            let found = fixtures::broken(right_statuses(), &[Event::Exchange(Box::new(asked))]);
            assert_eq!(found, (broken, u64::from(status != 0 && status < FAILURE)), "{right:?} {status} {is_struck}");
        }
    }
}
