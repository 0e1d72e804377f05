//! B-6: after a pool's signing key was replaced, new tokens are accepted without anybody's help. Judged only where a token of the old key was
//! accepted just before: the probe asks first.

use crate::Event;
use crate::exchange::Probe;

use crate::invariants::{Breach, Invariant, NOTHING, checked};

pub(crate) struct RotatedKeyHeals;

impl Invariant for RotatedKeyHeals {
    fn id(&self) -> &'static str {
        "B-6"
    }

    fn rule(&self) -> &'static str {
        "a rotated signing key heals by itself"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Probe { at, probe: Probe::Rotation { healed, last_status } } = event else { return NOTHING };
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
    }
}
