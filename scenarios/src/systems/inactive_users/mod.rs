//! Inactive users: the names that the template, the traffic and the rules share.

mod load;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;
use std::time::Duration;

use faults::Trigger;
use run_folder::Addresses;

use super::by_hand;
use super::load::Setup;
use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::UsersLoad;

/// Sign-ins recorded, inactive users disabled.
pub struct InactiveUsers;

const RECORDS: &str = "record-sign-in";
const PRUNES: How = How::Named("PruneUsersWeaknesses");

/// The number of those who sign in and refresh: it keeps their arrivals and trace ids apart from those of others.
const SIGN_INS: u64 = 2;

/// That of those who lose the race.
const RACERS: u64 = 3;

impl UnderTest for InactiveUsers {
    fn name(&self) -> &'static str {
        "inactive-users"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[(RECORDS, Trigger::SignIn), ("prune-users", Trigger::TableStream)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![("inactive-users sign-in", 0.9), ("inactive-users refresh", 0.1), ("inactive-users expiry -> disabled", 1.0)]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "no-check-before-disable", how: PRUNES },
            Weakness { name: "no-rate-limit", how: PRUNES },
            Weakness { name: "whole-batch-fails", how: PRUNES },
            Weakness { name: "late-write-wins", how: How::Named("RecordSignInWeaknesses") },
        ]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["expiry-race", "disable-quota", "poison-record", "sign-in-blocked"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        a.pool(POOL).map(|pool| format!("  {}\n\n", by_hand::sign_in(a, pool, &member(0))))
    }

    fn numbers(&self) -> Range<u64> {
        SIGN_INS..RACERS + 1
    }
}

/// The user pool.
pub const POOL: &str = "members";

/// The table of the latest sign-ins; key `sub`.
pub const TABLE: &str = "LatestPostAuthRecordsDDB";

/// The table with which `prune-users` keeps to the quota and remembers what it did.
pub const DISABLES_TABLE: &str = "DisablesTable";

/// The queue for records that could not be processed.
pub const FAILED: &str = "prune-users-failed";

/// A user is disabled after this many days without a sign-in.
pub const THRESHOLD_DAYS: u32 = 30;

/// How long a row lives here after a sign-in: the threshold in compressed time.
fn row_life(setup: &Setup) -> Duration {
    setup.compressed.life(Duration::from_secs(u64::from(THRESHOLD_DAYS) * 86_400))
}

/// AdminDisableUser calls per second for an account and Region, not adjustable. Source: Amazon
/// Cognito, quotas for user pool APIs.
pub const DISABLES_A_SECOND: u32 = 25;

/// The name of member `n`.
pub fn member(n: u32) -> String {
    format!("member-{n:05}")
}

/// The `sub` of a member.
pub fn sub(user: &str) -> String {
    run_folder::addresses::subject(POOL, user)
}
