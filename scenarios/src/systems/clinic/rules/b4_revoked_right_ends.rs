//! B-4: a revoked right ends within the time that the gateway caches an authorizer's answer.

use std::time::Duration;

use crate::systems::clinic::REVOCABLE;

use crate::Event;
use crate::exchange::Probe;
use crate::systems::clinic::probes::PATIENCE;

use super::denials::Denials;
use crate::invariants::{Breach, Moment, NOTHING, Rule, checked};

pub(crate) fn revoked_right_ends(cache: Duration) -> Rule<Denials> {
    Rule::<Denials>::new("B-4", "a revoked right ends within the cache time", move |_, _, moment| {
        let Moment::Event(Event::Probe { at, probe: Probe::Revocation { last_allowed, denied } }) = moment else { return NOTHING };
        let still = last_allowed.filter(|last| *last >= cache + PATIENCE);
        if still.is_none() && denied.is_none() {
            return NOTHING;
        }
        checked(still.map(|last| Breach {
            at: *at,
            root: None,
            asked: format!("GET /appointment/{} as Joy, who no longer owns it", REVOCABLE.id),
            answered: format!("200, still {:.1} s after the right was taken away", last.as_secs_f64()),
            expected: format!("403 within {:.0} s; DENY: {} belongs to nobody", cache.as_secs_f64(), REVOCABLE.id),
            repeat: format!(
                r#"curl -i -H "Authorization: Bearer $TOKEN" -H "ClientType: external" "http://$GATEWAY/dev/appointment/{}""#,
                REVOCABLE.id
            ),
        }))
    })
}
