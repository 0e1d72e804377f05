//! What a run tells request by request, for an exploration, which judges each by itself. A run without
//! one keeps counts only.

use std::time::Duration;

use reports::Outcome;
use scenarios::Exchange;
use scenarios::invariants::Breach;
use serde::{Deserialize, Serialize};

/// All requests of a run, and all breaches of rules.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The requests, in the order in which they were judged.
    pub requests: Vec<Request>,
    /// The breaches.
    pub breaches: Vec<Broken>,
}

/// One request and how it was answered. Times are offsets from the first arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The root of its trace.
    pub root: String,
    /// Such as `buy place`.
    pub endpoint: &'static str,
    /// When it was due.
    pub due: Duration,
    /// How long its answer took from the time of sending.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
}

impl From<&Exchange> for Request {
    fn from(exchange: &Exchange) -> Self {
        Self {
            root: exchange.root.clone(),
            endpoint: exchange.endpoint,
            due: exchange.due,
            took: exchange.done.saturating_sub(exchange.sent),
            outcome: exchange.outcome,
            status: exchange.status,
        }
    }
}

/// A breach of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Broken {
    /// The rule's id.
    pub rule: String,
    /// The rule in a sentence.
    pub text: String,
    /// What broke it.
    pub breach: Breach,
}
