//! B-3: a short fault harms only the requests in flight during it: no 403 afterwards on a token
//! that it touched, no 5xx once it is calm that lasts until the first 200 of its kind. A failure
//! after that is one of any time, which the aims on errors judge. It judges only requests of a kind
//! that was answered 200 before: the fault did not harm what never worked.

use std::time::Duration;

use crate::{Event, Exchange};

use super::denials::Denials;
use crate::invariants::{Breach, Found, Moment, NOTHING, Rule, checked, wording};

/// Requests that were in flight when the faults were calmed have ended after this.
const AFTER_CALM: Duration = Duration::from_secs(5);

pub(crate) fn no_amplification() -> Rule<Denials> {
    let mut calmed = None;
    Rule::<Denials>::new(
        "B-3",
        "a short fault of a dependency harms only the requests in flight during it",
        move |denials, told, moment| {
            let mut breaches: Vec<Breach> = told.iter().filter(|denial| denial.explained).map(|denial| denial.breach.clone()).collect();
            let mut count = breaches.len() as u64;
            match moment {
                Moment::Event(Event::Calmed { at }) => calmed = Some(*at),
                Moment::Event(Event::Exchange(exchange)) => {
                    let (more, checks) = failure(denials, exchange, calmed);
                    breaches.extend(more);
                    count += checks;
                }
                _ => {}
            }
            (breaches, count)
        },
    )
}

/// A 5xx after the faults were calmed.
fn failure(denials: &Denials, exchange: &Exchange, calmed: Option<Duration>) -> Found {
    let calmed = calmed.filter(|calmed| exchange.sent > *calmed + AFTER_CALM && denials.any_touched());
    let judged = (calmed.is_some() || !exchange.struck.is_empty()) && exchange.status.is_some() && exchange.status != Some(403);
    let allowed = judged.then(|| denials.allowed(exchange)).flatten();
    let Some((kind, why)) = allowed.filter(|(kind, _)| denials.was_well(kind, exchange.sent)) else { return NOTHING };
    let lasts = calmed.is_some_and(|calmed| !denials.is_well_since(&kind, calmed));
    let failed = lasts && exchange.status.is_some_and(|status| status >= 500);
    checked(failed.then(|| wording::breach(exchange, format!("200: no fault has been in force for 5 s; {why}"))))
}
