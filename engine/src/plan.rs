//! An experiment as it was checked: every name is known, every number within its bounds. Nothing below this reads text any more.

use std::time::Duration;

use faults::effect::GATEWAY;
use faults::{Fault, Lease};
use reports::Expectation;
use run_folder::{Compressed, Deployment};
use scenarios::Timeline;
use scenarios::invariants::WorldUnderTest;
use scenarios::systems::users_api::SHAPES;
use scenarios::systems::{self, How, Wanted};
use scenarios::traffic::{Arrivals, JourneyTime, Load, PATIENCE};

use super::bounds::MoreThanFor;
use super::deployed::Deployed;
use super::file::System;
use super::windows::Windows;

/// A checked experiment.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file's name without `.toml`.
    pub name: String,
    /// What it asks.
    pub question: String,
    /// The file as it was written.
    pub text: String,
    /// The systems to bring up.
    pub systems: Vec<System>,
    /// Functions deployed on AWS, in place of them.
    pub deployed: Option<Deployed>,
    /// What every roll depends on.
    pub seed: u64,
    /// When what happens.
    pub timeline: Timeline,
    /// What is sent.
    pub load: Load,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How long a journey may take before arrivals wait for a user, where the experiment says so.
    pub longest_journey: Option<Duration>,
    /// Weaknesses to switch on, all known.
    pub weaknesses: Vec<String>,
    /// How long the gateway keeps an authorizer's answer.
    pub authorizer_cache: Duration,
    /// How much faster long waits go.
    pub compressed: Compressed,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// When each is in force.
    pub windows: Windows,
    /// How long a plan holds without being renewed.
    pub lease: Lease,
    /// The aims.
    pub expectations: Vec<Expectation>,
    /// Endpoints whose errors are let go.
    pub any_errors: Vec<String>,
    /// Whether a broken invariant breaks the experiment.
    pub none_broken: bool,
    /// Whether to strike although the baseline broke an invariant.
    pub strike_a_broken_baseline: bool,
    /// When to end early.
    pub stop: Option<MoreThanFor>,
}

impl Plan {
    /// Homes of the thermostats, where that system is up.
    pub fn homes(&self) -> Option<u32> {
        self.load.thermostat.map(|load| load.homes)
    }

    /// Whether the clinic is up.
    pub fn has_clinic(&self) -> bool {
        self.systems.contains(&System::Clinic)
    }

    /// Members who sign in, where the inactive users are up.
    pub fn members(&self) -> Option<u32> {
        self.load.inactive_users.as_ref().map(|load| load.members)
    }

    /// Sign-ins that come at once, as far as environments are started for them: a burst is what else comes in a second.
    pub fn sign_ins_at_once(&self) -> u32 {
        const MOST: f64 = 64.0;
        self.load.inactive_users.as_ref().map_or(0, |load| (load.rate * 1.25).ceil().min(MOST) as u32)
    }

    /// Whether something works without a request that waits for it.
    pub const fn is_asynchronous(&self) -> bool {
        self.load.mail.is_some() || self.load.inactive_users.is_some() || self.load.audit.is_some()
    }

    /// Arrivals a second of all systems together.
    pub fn intended_rate(&self) -> f64 {
        let load = &self.load;
        let rates = [
            load.thermostat.map(|load| load.rate),
            load.clinic.map(|load| load.rate),
            load.mail.as_ref().map(|load| load.rate),
            load.inactive_users.as_ref().map(|load| load.rate),
            load.users_api.map(|load| load.rate * SHAPES.len() as f64),
            load.audit.as_ref().map(|load| load.rate),
        ];
        rates.into_iter().flatten().chain(load.requests.iter().map(|load| load.rate)).sum()
    }

    /// How long journeys take, from which the number of users follows.
    pub fn journeys(&self) -> JourneyTime {
        self.longest_journey.map_or_else(|| JourneyTime::Slowed(added_time(&self.faults)), JourneyTime::Fixed)
    }

    /// What is under test, as far as what is right depends on it.
    pub fn world(&self) -> WorldUnderTest {
        WorldUnderTest {
            homes: self.homes(),
            clinic: self.has_clinic(),
            authorizer_cache: self.authorizer_cache,
            mail: self.load.mail.is_some(),
            row_life: self.load.inactive_users.as_ref().map(|load| load.life),
            users_api: self.load.users_api.is_some(),
            audit: self.load.audit.is_some(),
            requests: !self.load.requests.is_empty(),
            compressed: self.compressed,
        }
    }

    /// What the stack deploys for it.
    pub fn deployment(&self) -> Deployment {
        let wanted = Wanted {
            homes: self.homes().unwrap_or(1),
            members: self.members().unwrap_or(1),
            sign_ins_at_once: self.sign_ins_at_once(),
            authorizer_cache: self.authorizer_cache,
            weaknesses: self.weaknesses.clone(),
        };
        let deployment = systems::deployment(self.systems.iter().map(|system| system.system()), &wanted);
        Deployment { compressed: self.compressed, ..deployment }
    }

    /// Switches a weakness on, which must be one of these systems'.
    pub fn switch_on(&mut self, weakness: &str) {
        if systems::weakness(weakness).is_some_and(|(_, how)| how == How::Device)
            && let Some(load) = &mut self.load.thermostat
        {
            load.devices_die_on_reject = true;
        }
        if !self.weaknesses.iter().any(|known| known == weakness) {
            self.weaknesses.push(weakness.to_owned());
        }
    }
}

/// The time that `faults` add to a request on average: each one's share times its time, all of them taken to be on its way.
fn added_time(faults: &[Fault]) -> Duration {
    let each = faults.iter().map(|fault| fault.share.value() * fault.kind.mean_wait_s().min(GATEWAY.as_secs_f64()));
    Duration::from_secs_f64(each.sum()).min(PATIENCE)
}

#[cfg(test)]
mod tests {
    use super::super::check::check;
    use super::*;

    const SLOW: &str = include_str!("../../scenarios/experiments/slow-authorizer.toml");

    fn with(fault: &str) -> Plan {
        let before = SLOW.split("[[fault]]").next().unwrap();
        check("x", &format!("{before}{fault}")).unwrap()
    }

    #[test]
    fn faults_add_their_share_of_their_time_to_a_request() {
        for (share, kind, expected) in [
            (0.5, r#"latency = { time = "300ms" }"#, 0.15),
            (1.0, r#"latency = { time = "300ms", jitter = { uniform = 0.5 } }"#, 0.3),
            (1.0, r#"latency = { time = "1s", jitter = { lognormal = 1.0 } }"#, 1.6487),
            (1.0, r#"latency = { time = "1s", jitter = { pareto = 2.0 } }"#, std::f64::consts::SQRT_2),
            (0.1, r#"latency = { time = "1s", jitter = { pareto = 1.0 } }"#, 2.9),
            (1.0, r#"latency = { time = "1s", jitter = { empirical = [0.0, 1.0, 4.0] } }"#, 1.5),
            (0.1, r#"timeout = { share-of-deadline = 0.5 }"#, 1.45),
            (1.0, r#"init = { slow = "2s" }"#, 2.0),
            (0.5, r#"stream = { first-byte = "500ms", bytes-per-second = 4096 }"#, 2.25),
            (1.0, "error = {}", 0.0),
            (1.0, r#"kill = { at = { middle = "12ms" } }"#, 0.0),
        ] {
            let plan = with(&format!("[[fault]]\nfunction = \"authorizer\"\nshare = {share}\n{kind}\n"));
            let JourneyTime::Slowed(added) = plan.journeys() else { panic!("{kind}") };
            assert!((added.as_secs_f64() - expected).abs() < 1e-3, "{kind}: {added:?}");
        }
    }

    #[test]
    fn several_faults_add_up_to_what_a_request_waits_at_the_most_and_the_experiment_may_say_otherwise() {
        let one = |name: &str| format!("[[fault]]\nname = \"{name}\"\nfunction = \"authorizer\"\nlatency = {{ time = \"20s\" }}\n");
        let mut plan = with(&(one("a") + &one("b")));
        assert_eq!(plan.journeys(), JourneyTime::Slowed(PATIENCE));
        plan.longest_journey = Some(Duration::from_secs(10));
        assert_eq!(plan.journeys(), JourneyTime::Fixed(Duration::from_secs(10)));
    }
}
