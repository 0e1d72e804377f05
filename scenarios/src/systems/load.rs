//! What is sent to a system, and everything that follows from it. What all systems of a stack have in common is the [`Setup`].

use std::error::Error;
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::time::Duration;

use async_trait::async_trait;
use load::TrafficError;
use run_folder::deployment::{Parameter, Seed, Template};
use run_folder::{Addresses, Compressed, Deployment};

use super::under_test::UnderTest;
use crate::exchange::Probe;
use crate::invariants::cedar::OracleError;
use crate::invariants::{Invariant, Quiet};
use crate::traffic::preparation::Preparation;

/// How the stack is set up, for all its systems together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// How long the gateway keeps an authorizer's answer.
    pub authorizer_cache: Duration,
    /// How much faster long waits go.
    pub compressed: Compressed,
    /// Weaknesses that are switched on; those of other systems change nothing.
    pub weaknesses: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self { authorizer_cache: Duration::from_secs(300), compressed: Compressed::default(), weaknesses: Vec::new() }
    }
}

/// What was tried beside the traffic; `None` where it could not show anything.
pub type Probed = Result<Option<Probe>, Box<dyn Error + Send + Sync>>;

/// A system's table under `[load]`: what is sent to it, and what follows from that.
#[async_trait]
pub trait SystemLoad: Debug + Send + Sync {
    /// The system.
    fn system(&self) -> &'static dyn UnderTest;
    /// Arrivals a second; where the system has several APIs, at each.
    fn rate(&self) -> f64;
    /// Arrivals a second in all.
    fn arrivals(&self) -> f64 {
        self.rate()
    }
    /// Everything in it that is outside its bounds, its rate apart.
    fn check(&self) -> Vec<String> {
        Vec::new()
    }
    /// What a stack deploys for the system, the weaknesses apart.
    fn deployment(&self, setup: &Setup) -> Deployment;
    /// The data that the load needs in a stack elsewhere, where nothing makes it on the way.
    fn seed(&self, setup: &Setup) -> Seed {
        self.deployment(setup).seed
    }
    /// The things that connect to AWS IoT, by name.
    fn things(&self) -> Vec<String> {
        Vec::new()
    }
    /// What must always hold.
    ///
    /// # Errors
    /// Where policies cannot be read: without them nothing can be called right.
    fn rules(&self, setup: &Setup) -> Result<Vec<Box<dyn Invariant>>, OracleError>;
    /// Whether something works without a request that waits for it.
    fn is_asynchronous(&self) -> bool {
        false
    }
    /// Whether something works on a request for minutes, so that what is known of it must be kept as long.
    fn works_for_minutes(&self) -> bool {
        false
    }
    /// How long, after the last answer, until nothing is on its way any more.
    fn settling(&self, _setup: &Setup) -> Duration {
        Duration::ZERO
    }
    /// Signs users in, connects devices, and hands its scenarios over.
    ///
    /// # Errors
    /// Where the stack does not let it.
    async fn prepare(&self, traffic: &mut Preparation<'_>) -> Result<(), TrafficError>;
    /// Tries what no traffic shows, once all is at rest.
    async fn probe(&self, _addresses: &Addresses, _setup: &Setup) -> Vec<Probed> {
        Vec::new()
    }
    /// Reads what the rules want to know at the very end into `quiet`.
    ///
    /// # Errors
    /// Where it cannot be read.
    async fn look(&self, _addresses: &Addresses, _quiet: &mut Quiet) -> Result<(), TrafficError> {
        Ok(())
    }
}

/// A complaint about a number outside its bounds.
pub(crate) fn outside(what: &str, number: u64, bounds: RangeInclusive<u64>) -> Option<String> {
    (!bounds.contains(&number)).then(|| format!("`{what} = {number}` is outside {} to {}", bounds.start(), bounds.end()))
}

/// A system's only template with these parameters.
pub(crate) fn template<const N: usize>(text: &str, parameters: [(&str, Parameter); N]) -> Vec<Template> {
    vec![Template {
        text: text.to_owned(),
        parameters: parameters.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Template::default()
    }]
}
