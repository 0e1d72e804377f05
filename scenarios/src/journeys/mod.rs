//! Journeys that an experiment's file describes: requests one after another, with values from a data
//! file, from answers, and made up. It judges nothing.

mod expected;
mod json;
mod kept;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use load::Endpoint;

pub use expected::Expected;
pub use json::Json;
pub use kept::Keep;
pub use text::{Text, TextError};

/// The number of the first journey's schedule and trace ids. Numbers below belong to the systems that
/// come with brownout.
pub const FIRST_NUMBER: u64 = 100;

/// The trace ids of a step's requests begin at its place times this, so that they do not depend on
/// how often the steps before it were repeated.
pub const REQUESTS_OF_A_STEP: usize = 10_000;

/// What one user does at each arrival.
#[derive(Debug, Clone, PartialEq)]
pub struct Journey {
    /// One word.
    pub name: &'static str,
    /// Arrivals a second.
    pub rate: f64,
    /// Where its requests go.
    pub to: To,
    /// The rows of its data: an arrival takes the next, and after the last the first again.
    pub rows: Arc<Vec<BTreeMap<String, String>>>,
    /// Its requests, in their order. A journey ends at the first that is not answered as expected.
    pub steps: Vec<Step>,
}

impl Journey {
    /// Requests a second to the endpoint `of`, if each arrival gets that far.
    pub fn a_second(&self, of: &str) -> Option<f64> {
        let is_settled = |step: &&Step| step.retry.is_some_and(|retry| retry.settled == of);
        let count = self.steps.iter().filter(|step| step.of == of || is_settled(step)).count();
        (count > 0).then_some(self.rate * count as f64)
    }

    /// The endpoints that its requests are recorded under, and those of what takes several.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().flat_map(|step| [Some(step.of), step.retry.map(|retry| retry.settled)]).flatten()
    }
}

/// Where the requests of a journey go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// To an address that the file names; the path of the endpoint is not used.
    Elsewhere(Endpoint),
    /// To the API of this name in the template, whose address is known once the stack is up.
    Api(String),
}

/// One request of a journey.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The endpoint's name in reports: a word, a blank, the rest.
    pub of: &'static str,
    /// The HTTP method.
    pub method: &'static str,
    /// Path and query, without the stage.
    pub path: Text,
    /// Headers. Their values are in no report.
    pub headers: Vec<(&'static str, Text)>,
    /// The body.
    pub body: Body,
    /// Which answers are right.
    pub expected: Expected,
    /// What later requests use of the answer, each under its name.
    pub keep: Vec<(String, Keep)>,
    /// Whether it is repeated until the answer is right.
    pub retry: Option<Retry>,
    /// How long the user thinks before it.
    pub pause: Duration,
}

/// The body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// None.
    Empty,
    /// A text.
    Text(Text),
    /// JSON, in whose texts values are filled in.
    Json(Json),
}

/// A request that is repeated until it is answered as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How long after an answer the next is sent.
    pub every: Duration,
    /// How long after the first the last may be sent.
    pub within: Duration,
    /// The endpoint that the whole time is recorded under, from the first request to the right answer.
    pub settled: &'static str,
}
