//! Who signs in and whose record ends, and what follows from that.

use std::time::Duration;

use async_trait::async_trait;
use load::TrafficError;
use run_folder::deployment::{Seed, User};
use run_folder::{Addresses, Deployment};

use super::traffic::members::{self, Members};
use super::{InactiveUsers, POOL, RECORDS, UsersLoad, member, row_life, rules, traffic};
use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, Quiet};
use crate::systems::load::{Setup, SystemLoad, outside, template};
use crate::systems::under_test::UnderTest;
use crate::traffic::preparation::Preparation;

const MOST_MEMBERS: u64 = 20_000;
const MOST_IN_COHORTS: u64 = 5_000;
const MOST_RACERS: u64 = 1_000;

/// No more environments are started beforehand.
const MOST_WARM: f64 = 64.0;

/// A thousand members are disabled at 25 a second, and some of them again.
const DISABLING: Duration = Duration::from_secs(50);

impl UsersLoad {
    /// How many members the pool must have in all: those who sign in, those of the cohorts, and some for what is done by hand. Those that are
    /// not there are made before the traffic begins.
    pub fn everyone(&self) -> u32 {
        traffic::members(self)
    }
}

#[async_trait]
impl SystemLoad for UsersLoad {
    fn system(&self) -> &'static dyn UnderTest {
        &InactiveUsers
    }

    fn rate(&self) -> f64 {
        self.rate.0
    }

    fn check(&self) -> Vec<String> {
        let in_cohorts = self.cohorts.iter().map(|size| u64::from(*size)).sum();
        let all = [
            outside("members", self.members.into(), 1..=MOST_MEMBERS),
            outside("racers", self.racers.into(), 0..=MOST_RACERS),
            outside("cohorts", in_cohorts, 0..=MOST_IN_COHORTS),
        ];
        all.into_iter().flatten().collect()
    }

    fn deployment(&self, _: &Setup) -> Deployment {
        // Lambda starts a hundred environments at once, this machine two: a burst is what else comes in a second.
        let at_once = (self.rate.0 * 1.25).ceil().min(MOST_WARM) as u32;
        Deployment {
            templates: template(InactiveUsers.template(), []),
            seed: seed(self.members),
            warm: [(RECORDS.to_owned(), at_once)].into(),
            ..Deployment::default()
        }
    }

    fn seed(&self, _: &Setup) -> Seed {
        seed(self.everyone())
    }

    fn rules(&self, setup: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        Ok(rules::all(row_life(setup)))
    }

    fn is_asynchronous(&self) -> bool {
        true
    }

    fn settling(&self, _: &Setup) -> Duration {
        DISABLING
    }

    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError> {
        let systems = traffic::prepare(traffic.order, self, &traffic.events).await?;
        traffic.systems.extend(systems);
        if traffic.order.addresses.is_local() {
            traffic.companions.push(Box::new(traffic::by_hand::ByHand::new(self.clone(), traffic.events.clone())));
        }
        Ok(())
    }

    async fn look(&self, addresses: &Addresses, quiet: &mut Quiet) -> Result<(), TrafficError> {
        if addresses.is_local() {
            let Members { users, rows } = members::read(addresses).await?;
            (quiet.users, quiet.rows) = (Some(users), Some(rows));
        }
        Ok(())
    }
}

/// The first members of the pool.
fn seed(members: u32) -> Seed {
    let users = (0..members).map(|n| User { name: member(n), groups: Vec::new() }).collect();
    Seed { users: [(POOL.to_owned(), users)].into(), ..Seed::default() }
}
