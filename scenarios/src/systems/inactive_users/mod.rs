//! Inactive users: the names that template, traffic and rules share.

pub(crate) mod rules;
pub(crate) mod traffic;

use faults::Trigger;
use run_folder::Deployment;
use run_folder::deployment::{Seed, User};

use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, WorldUnderTest};

use crate::traffic::per_arrival;

use super::{How, System, Wanted, Weakness, template};

/// Sign-ins recorded, inactive users disabled.
pub struct InactiveUsers;

const RECORDS: &str = "record-sign-in";
const PRUNES: How = How::Named("PruneUsersWeaknesses");

impl System for InactiveUsers {
    fn name(&self) -> &'static str {
        "inactive-users"
    }

    fn about(&self) -> &'static str {
        "Sign-ins recorded, inactive users disabled"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[(RECORDS, Trigger::SignIn), ("prune-users", Trigger::TableStream)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("inactive-users sign-in", per_arrival::SIGN_IN),
            ("inactive-users refresh", per_arrival::REFRESH),
            ("inactive-users expiry -> disabled", 1.0),
        ]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "no-check-before-disable", how: PRUNES },
            Weakness { name: "no-rate-limit", how: PRUNES },
            Weakness { name: "whole-batch-fails", how: PRUNES },
            Weakness { name: "late-write-wins", how: How::Named("RecordSignInWeaknesses") },
        ]
    }

    fn rules(&self, world: &WorldUnderTest) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        rules::all(world)
    }

    fn deployment(&self, wanted: &Wanted) -> Deployment {
        let users = (0..wanted.members).map(|n| User { name: member(n), groups: Vec::new() }).collect();
        Deployment {
            templates: template(self.template(), []),
            seed: Seed { users: [(POOL.to_owned(), users)].into(), ..Seed::default() },
            warm: [(RECORDS.to_owned(), wanted.sign_ins_at_once)].into(),
            ..Deployment::default()
        }
    }
}

/// The user pool.
pub const POOL: &str = "members";

/// The table of the latest sign-ins; key `sub`.
pub const TABLE: &str = "LatestPostAuthRecordsDDB";

/// The table by which `prune-users` keeps to the quota and remembers what it did.
pub const DISABLES_TABLE: &str = "DisablesTable";

/// The queue for records that could not be processed.
pub const FAILED: &str = "prune-users-failed";

/// After so many days without a sign-in a user is disabled.
pub const THRESHOLD_DAYS: u32 = 30;

/// AdminDisableUser calls a second for an account and Region, not adjustable. Source: Amazon Cognito, quotas for user pool APIs.
pub const DISABLES_A_SECOND: u32 = 25;

/// The name of member `n`.
pub fn member(n: u32) -> String {
    format!("member-{n:05}")
}

/// The `sub` of a member.
pub fn sub(user: &str) -> String {
    run_folder::addresses::subject(POOL, user)
}
