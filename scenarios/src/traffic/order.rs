//! What is to be sent, where, and when.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use load::{Arrivals, JourneyTime, Means, Timeline, TrafficError};
use run_folder::Addresses;
use run_folder::addresses::{Api, Pool};

use crate::conservation::Conservation;
use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, everywhere, r6_no_start_loops};
use crate::journeys::Journey;
use crate::systems::load::{Setup, SystemLoad};
use crate::traffic::tokens::Tokens;

/// What is sent, checked.
#[derive(Debug, Clone, Default)]
pub struct Load {
    /// To each system that is up, in the order of their list.
    pub systems: Vec<Arc<dyn SystemLoad>>,
    /// Journeys that the experiment's file describes.
    pub journeys: Vec<Journey>,
    /// The rules that the file writes about them.
    pub conservation: Conservation,
    /// The ids of the rules that the file switches off.
    pub off: Vec<&'static str>,
    /// Whether requests carry tokens, or the template has secrets, that a log could have.
    pub has_secrets: bool,
    /// How many functions a stack of one's own has whose starts are judged.
    pub functions: u64,
    /// Where the tokens of its requests are remembered.
    pub tokens: Tokens,
    /// What this process sends with: its part of the arrivals, its start time, what TLS trusts.
    pub means: Means,
}

impl Load {
    /// What is sent to the system of this name.
    pub fn of(&self, system: &str) -> Option<&dyn SystemLoad> {
        self.systems.iter().map(AsRef::as_ref).find(|load| load.system().name() == system)
    }

    /// Arrivals a second of all together.
    pub fn arrivals(&self) -> f64 {
        let systems = self.systems.iter().map(|load| load.arrivals());
        systems.chain(self.journeys.iter().map(|journey| journey.rate)).sum()
    }

    /// The same of this process's part, at one moment: an offset from the first arrival of the warm-up.
    pub fn arrivals_at(&self, offset: Duration) -> f64 {
        let journeys = self.journeys.iter().map(|journey| journey.rate_at(offset));
        self.means.part.rate(self.systems.iter().map(|load| load.arrivals()).chain(journeys).sum())
    }

    /// Every rule about what is sent, in the order of their ids.
    ///
    /// # Errors
    /// Where the policies cannot be read: without them nothing can be called right.
    pub fn rules(&self, setup: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError> {
        let mut rules = Vec::new();
        for system in &self.systems {
            rules.extend(system.rules(setup)?);
        }
        if !self.journeys.is_empty() {
            rules.push(Box::new(everywhere::judge(&self.off, self.has_secrets)));
        }
        if self.functions > 0 {
            rules.push(Box::new(r6_no_start_loops::judge(self.functions, self.conservation.faults_from)));
        }
        rules.extend(self.conservation.judge());
        Ok(rules)
    }
}

/// What to send, where, and when.
#[derive(Debug, Clone)]
pub struct Order {
    /// What.
    pub load: Load,
    /// How the stack is set up.
    pub setup: Setup,
    /// How arrivals are spread.
    pub arrivals: Arrivals,
    /// When.
    pub timeline: Timeline,
    /// What arrivals, journeys and trace ids depend on.
    pub seed: u64,
    /// Where.
    pub addresses: Addresses,
    /// Where goose's own report goes, where it is wanted.
    pub goose_report: Option<PathBuf>,
    /// How long journeys take, from which the number of users follows.
    pub journeys: JourneyTime,
}

impl Order {
    /// The API called `name` in the template.
    ///
    /// # Errors
    /// If the stack has none of that name.
    pub(crate) fn api(&self, name: &str) -> Result<&Api, TrafficError> {
        self.addresses.api(name).ok_or_else(|| TrafficError::Preparation(format!("the stack has no API `{name}`")))
    }

    /// The user pool called `name`.
    ///
    /// # Errors
    /// If the stack has none of that name.
    pub(crate) fn pool(&self, name: &str) -> Result<&Pool, TrafficError> {
        self.addresses.pool(name).ok_or_else(|| TrafficError::Preparation(format!("the stack has no user pool `{name}`")))
    }

    /// The users needed for this process's part of `rate` arrivals a second whose journeys take up to `journey`.
    pub(crate) fn users(&self, rate: f64, journey: load::Journey) -> usize {
        self.journeys.users(self.load.means.part.rate(rate), journey)
    }
}
