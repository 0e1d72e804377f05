//! A checked experiment: every name is known, every number is within its bounds. Nothing below this
//! reads text any more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use faults::effect::GATEWAY;
use faults::{Fault, Lease};
use load::{Arrivals, JourneyTime, PATIENCE, Timeline};
use reports::Expectation;
use reports::measurements::RunKind;
use run_folder::deployment::Seed;
use run_folder::{Addresses, Deployment};
use scenarios::invariants::Invariant;
use scenarios::invariants::cedar::OracleError;
use scenarios::systems::{self, Setup, System};
use scenarios::traffic::{Load, Order};

use super::bounds::MoreThanFor;
use super::deployed::{Deployed, NamedStack};
use super::followed::Followed;
use super::own_stack::OwnStack;
use super::windows::Windows;

/// A checked experiment.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file's name without `.toml`.
    pub name: String,
    /// Whether it is an experiment or load alone.
    pub kind: RunKind,
    /// Its question.
    pub question: String,
    /// The file as it was written.
    pub text: String,
    /// The systems to start.
    pub systems: Vec<System>,
    /// The user's own stack, in place of systems.
    pub own: Option<OwnStack>,
    /// Functions deployed on AWS: in place of systems, or those of the systems in a stack.
    pub deployed: Option<Deployed>,
    /// The stack on AWS that the file names.
    pub stack: NamedStack,
    /// What every roll depends on.
    pub seed: u64,
    /// The times of the phases.
    pub timeline: Timeline,
    /// The load.
    pub load: Load,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// How long a journey may take before arrivals wait for a user, if the experiment sets it.
    pub longest_journey: Option<Duration>,
    /// How the stack is set up; all weaknesses are known.
    pub setup: Setup,
    /// The faults.
    pub faults: Vec<Fault>,
    /// When each fault is in force.
    pub windows: Windows,
    /// How long a plan is in force without renewal.
    pub lease: Lease,
    /// The aims.
    pub expectations: Vec<Expectation>,
    /// Endpoints whose errors are accepted.
    pub any_errors: Vec<String>,
    /// Whether a broken invariant breaks the experiment.
    pub none_broken: bool,
    /// Whether to strike even if the baseline broke an invariant.
    pub strike_a_broken_baseline: bool,
    /// What is no mistake, and should be known before the start.
    pub notices: Vec<String>,
    /// Rules about services that run somewhere else, which nothing here can see.
    pub unseen: Vec<String>,
    /// When to end early.
    pub stop: Option<MoreThanFor>,
    /// What it needs as a wave of an exploration.
    pub wave: Option<Wave>,
    /// What was read beside the file.
    pub read: Read,
}

/// What a wave of an exploration needs beyond an experiment: its stack follows requests, and each
/// request is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// How long it may take, after the last answer, until nothing is on its way any more.
    pub settling: Duration,
    /// The queues that functions poll.
    pub polled: BTreeSet<String>,
    /// How many environments of each function are started beforehand: a new one delays the requests
    /// of others.
    pub warm: BTreeMap<String, u32>,
}

/// What a file leans on: whoever has it sent from another machine takes these along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    /// Files of rows, logs and certificates, as the file names them.
    pub files: BTreeSet<PathBuf>,
    /// Environment variables.
    pub variables: BTreeSet<String>,
}

impl Plan {
    /// Whether some work has no request that waits for it.
    pub fn is_asynchronous(&self) -> bool {
        self.load.systems.iter().any(|load| load.is_asynchronous())
    }

    /// What is judged besides numbers.
    ///
    /// # Errors
    /// If policies of a system cannot be read.
    pub fn rules(&self) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        // Of load alone the aims say how many answers may be wrong; a rule would allow none.
        let mut rules = if self.kind == RunKind::Load { Vec::new() } else { self.load.rules(&self.setup)? };
        rules.extend(self.wave.iter().map(|wave| Box::new(Followed::new(wave.polled.clone())) as Box<dyn Invariant>));
        Ok(rules)
    }

    /// How long journeys take, which determines the number of users.
    pub fn journeys(&self) -> JourneyTime {
        self.longest_journey.map_or_else(|| JourneyTime::Slowed(added_time(&self.faults)), JourneyTime::Fixed)
    }

    /// What is to be sent to the stack at these addresses; goose's own report goes to `goose_report`.
    pub fn order(&self, addresses: Addresses, goose_report: PathBuf) -> Order {
        Order {
            load: self.load.clone(),
            setup: self.setup.clone(),
            arrivals: self.arrivals,
            timeline: self.timeline,
            seed: self.seed,
            addresses,
            goose_report: Some(goose_report),
            journeys: self.journeys(),
        }
    }

    /// How long the phase is on which aims are judged.
    pub const fn judged(&self) -> Duration {
        match self.kind {
            RunKind::Experiment => self.timeline.fault,
            RunKind::Load => self.timeline.baseline,
        }
    }

    /// What the stack deploys for this experiment.
    pub fn deployment(&self) -> Deployment {
        let mut all = systems::deployment(self.load.systems.iter().map(AsRef::as_ref), &self.setup);
        if let Some(own) = &self.own {
            all.templates.push(own.deploys.clone());
            all.services = own.elsewhere.all();
        }
        all.watch.extend(self.load.conservation.watch());
        all.follow = self.wave.is_some();
        all.warm.extend(self.wave.iter().flat_map(|wave| wave.warm.clone()));
        all
    }

    /// The data that the load needs in a stack elsewhere, and the things that connect to AWS IoT there.
    pub fn data(&self) -> (Seed, Vec<String>) {
        let mut data = Seed::default();
        self.load.systems.iter().for_each(|load| data.extend(load.seed(&self.setup)));
        (data, self.load.systems.iter().flat_map(|load| load.things()).collect())
    }

    /// Switches on a weakness, which must belong to one of these systems.
    pub fn switch_on(&mut self, weakness: &str) {
        if !self.setup.weaknesses.iter().any(|known| known == weakness) {
            self.setup.weaknesses.push(weakness.to_owned());
        }
    }
}

/// The time that `faults` add to a request on average: each one's share times its time, as if the
/// request met all of them.
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
    fn several_faults_add_up_to_at_most_a_requests_timeout_and_the_experiment_may_override_it() {
        let one = |name: &str| format!("[[fault]]\nname = \"{name}\"\nfunction = \"authorizer\"\nlatency = {{ time = \"20s\" }}\n");
        let mut plan = with(&(one("a") + &one("b")));
        assert_eq!(plan.journeys(), JourneyTime::Slowed(PATIENCE));
        plan.longest_journey = Some(Duration::from_secs(10));
        assert_eq!(plan.journeys(), JourneyTime::Fixed(Duration::from_secs(10)));
    }
}
