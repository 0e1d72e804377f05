//! no function logs a secret of the template or the token of a request.

use std::time::Duration;

use crate::leaks::{Leak, Leaks};

use super::{Breach, Moment, NOTHING, Rule};

fn breach(leak: &Leak, at: Duration) -> Breach {
    let carrier = leak.carrier.as_ref();
    Breach {
        at: carrier.map_or(at, |carrier| carrier.at),
        root: carrier.map(|carrier| carrier.root.clone()),
        asked: carrier.map_or_else(|| "no single request".to_owned(), |carrier| carrier.asked.clone()),
        answered: format!("{} is in the log of `{}`", leak.what, leak.function),
        expected: "logs without secrets and tokens".to_owned(),
        repeat: format!("less logs/{}.log", leak.function),
    }
}

pub(crate) fn no_secrets_in_logs() -> Rule<()> {
    let rule = Rule::<()>::new("R-5", "no function logs a secret of the template or the token of a request", |(), (), moment| {
        let Moment::Quiet(quiet) = moment else { return NOTHING };
        let Leaks { looked, found } = &quiet.leaks;
        (found.iter().map(|leak| breach(leak, quiet.at)).collect(), *looked)
    });
    rule.of_services()
}

#[cfg(test)]
mod tests {
    use super::super::{Quiet, fixtures};
    use super::*;
    use crate::traffic::tokens::Carrier;

    #[test]
    fn a_leak_is_a_breach_and_nothing_to_look_for_is_no_check() {
        let carrier = Carrier { at: fixtures::s(2.0), root: "1-a-b".into(), asked: "GET /orders".into() };
        let leak = |carrier| Leak { function: "place".into(), what: "a token".into(), carrier };
        for (looked, found, expected) in
            [(0, vec![], (0, 0)), (4, vec![], (0, 4)), (4, vec![leak(Some(carrier.clone())), leak(None)], (2, 4))]
        {
            let quiet = Quiet { at: fixtures::s(9.0), leaks: Leaks { looked, found }, ..Quiet::default() };
            assert_eq!(fixtures::broken_at(no_secrets_in_logs(), &[], &quiet), expected);
        }
        let breach = breach(&leak(Some(carrier)), fixtures::s(9.0));
        assert_eq!((breach.root.as_deref(), breach.at), (Some("1-a-b"), fixtures::s(2.0)));
        assert_eq!(breach.answered, "a token is in the log of `place`");
    }
}
