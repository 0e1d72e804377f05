//! B-4: a revoked right ends within the time that the gateway keeps an answer of the authorizer.

use std::time::Duration;

use crate::systems::clinic::REVOCABLE;

use crate::Event;
use crate::exchange::Probe;
use crate::systems::clinic::probes::PATIENCE;

use crate::invariants::{Breach, Invariant, NOTHING, checked};

pub(crate) struct RevokedRightEnds {
    cache: Duration,
}

impl RevokedRightEnds {
    pub(crate) fn new(cache: Duration) -> Self {
        Self { cache }
    }
}

impl Invariant for RevokedRightEnds {
    fn id(&self) -> &'static str {
        "B-4"
    }

    fn rule(&self) -> &'static str {
        "a revoked right ends within the cache time"
    }

    fn see(&mut self, event: &Event) -> (Vec<Breach>, u64) {
        let Event::Probe { at, probe: Probe::Revocation { last_allowed, denied } } = event else { return NOTHING };
        let still = last_allowed.filter(|last| *last >= self.cache + PATIENCE);
        if still.is_none() && denied.is_none() {
            return NOTHING;
        }
        checked(still.map(|last| Breach {
            at: *at,
            root: None,
            asked: format!("GET /appointment/{} as Joy, who no longer owns it", REVOCABLE.id),
            answered: format!("200, still {:.1} s after the right was taken away", last.as_secs_f64()),
            expected: format!("403 within {:.0} s; DENY: {} belongs to nobody", self.cache.as_secs_f64(), REVOCABLE.id),
            repeat: format!(
                r#"curl -i -H "Authorization: Bearer $TOKEN" -H "ClientType: external" "http://$GATEWAY/dev/appointment/{}""#,
                REVOCABLE.id
            ),
        }))
    }
}
