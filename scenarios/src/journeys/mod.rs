//! Journeys that an experiment's file describes: requests one after another, with values from a data
//! file, from answers, and made up. It judges nothing.

mod expected;
mod json;
mod kept;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use load::{Arrivals, Endpoint, Schedule, Shape};

pub use expected::Expected;
pub use json::Json;
pub use kept::Keep;
pub use text::{SENT, Text, TextError};

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
    /// Arrivals a second; where they change, on average over the phase that is judged.
    pub rate: f64,
    /// When they come.
    pub times: Times,
    /// Where its requests go.
    pub to: To,
    /// The rows of its data: an arrival takes the next, and after the last the first again.
    pub rows: Arc<Vec<BTreeMap<String, String>>>,
    /// Its requests, in their order. A journey ends at the first that is not answered as expected.
    pub steps: Vec<Step>,
    /// What is requested around them.
    pub around: Around,
}

/// What a journey requests besides its steps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Around {
    /// Once before the first arrival; what is kept is known to everything else.
    pub setup: Vec<Step>,
    /// Once after the last answer.
    pub teardown: Vec<Step>,
    /// What gives requests a token or the like.
    pub sign_in: Option<SignIn>,
}

/// A request whose kept values all steps need. It is sent again where a step is answered with 401.
#[derive(Debug, Clone, PartialEq)]
pub struct SignIn {
    /// The request.
    pub step: Step,
    /// Whether each row of the data is a user who signs in; otherwise all arrivals share one sign-in.
    pub each_row: bool,
}

impl Journey {
    /// Its arrivals up to `end`, as a system with this number.
    pub fn schedule(&self, arrivals: Arrivals, end: Duration, seed: u64, number: u64) -> Schedule {
        match &self.times {
            Times::Steady => Schedule::new(arrivals, self.rate, end, seed, number),
            Times::Stages(shape) => Schedule::shaped(arrivals, shape, end, seed, number),
            Times::Recorded(arrivals) => {
                let before_end = arrivals.iter().map(|arrival| arrival.at).take_while(|at| *at < end);
                Schedule::Drawn(Vec::new()).with(before_end)
            }
        }
    }

    /// The requests of an arrival: all, or that of the log.
    pub fn steps_of(&self, arrival: u64) -> &[Step] {
        match &self.times {
            Times::Steady | Times::Stages(_) => &self.steps,
            Times::Recorded(arrivals) => {
                let step = usize::try_from(arrival).ok().and_then(|arrival| Some(arrivals.get(arrival)?.step));
                step.and_then(|step| self.steps.get(step..=step)).unwrap_or_default()
            }
        }
    }

    /// Arrivals a second at a moment from the first arrival of the warm-up; of recorded ones on average.
    pub fn rate_at(&self, offset: Duration) -> f64 {
        match &self.times {
            Times::Stages(shape) => shape.rate_at(offset),
            Times::Steady | Times::Recorded(_) => self.rate,
        }
    }

    /// Requests a second to the endpoint `of`, if each arrival gets that far.
    pub fn a_second(&self, of: &str) -> Option<f64> {
        let is_it = |step: &&Step| step.endpoints().any(|known| known == of);
        let count = self.steps.iter().filter(is_it).count();
        let an_arrival = match &self.times {
            Times::Steady | Times::Stages(_) => count as f64,
            Times::Recorded(arrivals) => {
                let of_it = arrivals.iter().filter_map(|arrival| self.steps.get(arrival.step)).filter(is_it).count();
                of_it as f64 / arrivals.len().max(1) as f64
            }
        };
        (count > 0).then_some(self.rate * an_arrival)
    }

    /// The endpoints that its requests are recorded under.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static str> {
        self.steps.iter().flat_map(Step::endpoints)
    }
}

/// When the arrivals of a journey come, from the first of the warm-up on.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Times {
    /// At its rate.
    #[default]
    Steady,
    /// At a rate that changes.
    Stages(Shape),
    /// When they came in a log, sorted. Each is one request: one of the steps.
    Recorded(Arc<Vec<RecordedArrival>>),
}

/// An arrival of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordedArrival {
    /// After the first one.
    pub at: Duration,
    /// The index of its request among the steps.
    pub step: usize,
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
    /// What rules are told of its answer.
    pub told: ToldOf,
    /// The endpoint that the time until its body begins is recorded under, if it is.
    pub first_byte: Option<&'static str>,
}

impl Step {
    /// Its endpoint, and those of what is recorded beside it.
    pub fn endpoints(&self) -> impl Iterator<Item = &'static str> + use<> {
        [Some(self.of), self.retry.map(|retry| retry.settled), self.first_byte].into_iter().flatten()
    }

    /// The names of the values that its request needs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let of_body: Box<dyn Iterator<Item = &str>> = match &self.body {
            Body::Empty => Box::new(std::iter::empty()),
            Body::Text(text) => Box::new(text.names()),
            Body::Json(json) => json.names(),
        };
        self.path.names().chain(self.headers.iter().flat_map(|(_, text)| text.names())).chain(of_body)
    }
}

/// What rules are told of an answer besides its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldOf {
    /// The names of the values that they need; empty if no rule is about the request.
    pub names: Vec<String>,
    /// Whether reports may show the body that was sent: not if a variable of the environment is in it.
    pub shows_body: bool,
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
