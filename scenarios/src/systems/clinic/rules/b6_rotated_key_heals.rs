//! B-6: after a pool's signing key is replaced, new tokens are accepted without manual help. Judged
//! only if a token of the old key was accepted just before: the probe checks that first.

use crate::Event;
use crate::exchange::Probe;

use super::denials::Denials;
use crate::invariants::{Breach, Moment, NOTHING, Rule, checked};

pub(crate) fn rotated_key_heals() -> Rule<Denials> {
    Rule::<Denials>::new("B-6", "a rotated signing key heals by itself", |_, _, moment| {
        let Moment::Event(Event::Probe { at, probe: Probe::Rotation { healed, last_status } }) = moment else { return NOTHING };
        checked(healed.is_none().then(|| {
            Breach {
                at: *at,
                root: None,
                asked: "GET /appointment/PI-T123 as Jane, signed in after the key was replaced".to_owned(),
                answered: last_status.map_or_else(|| "no answer".to_owned(), |status| format!("{status} for 10 s")),
                expected: "200; ALLOW: PI-T123 is one of Jane's (internal)".to_owned(),
                repeat: r#"curl -i -H "Authorization: Bearer $TOKEN" -H "ClientType: internal" "http://$GATEWAY/dev/appointment/PI-T123""#
                    .to_owned(),
            }
        }))
    })
}
