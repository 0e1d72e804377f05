//! The user pools on the page, with their users.

use super::Cognito;
use crate::services::shows::{Part, Rows, Shows, Thing, yes};

/// The most users that are counted.
const MOST: usize = 100_000;

impl Shows for Cognito {
    fn things(&self) -> Vec<Thing> {
        let pools = self.pools.iter();
        pools
            .map(|pool| {
                let note = format!("id {}, client {}", pool.address.id, pool.address.client_id);
                Thing { note, ..Thing::new("user pool", pool.address.name.clone(), pool.users.count()) }
            })
            .collect()
    }

    fn rows(&self, pool: &str, part: Part) -> Option<Rows> {
        let pool = self.pools.iter().find(|it| it.address.name == pool)?;
        let users = pool.users.after("", MOST);
        Some(Rows::of(["User", "Email", "Enabled", "Status", "Groups"], users.into_iter(), part, |(name, user)| {
            let email = user.attributes.get("email").cloned().unwrap_or_default();
            [name.into(), email.into(), yes(user.enabled).into(), user.status().into(), user.groups.join(", ").into()]
        }))
    }
}
