//! The exchange that is at fault: found by its trace root, and described.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::claims::GRACE;
use crate::Exchange;
use crate::invariants::{Breach, wording};

/// So many exchanges are remembered.
const MOST: usize = 100_000;

/// An exchange as a breach shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub due: Duration,
    pub sent: Duration,
    pub root: String,
    asked: String,
    answered: String,
    struck: String,
    repeat: String,
}

impl Shown {
    pub(super) fn of(exchange: &Exchange) -> Self {
        Self {
            due: exchange.due,
            sent: exchange.sent,
            root: exchange.root.clone(),
            asked: wording::asked(exchange),
            answered: wording::answered(exchange),
            struck: wording::struck(exchange),
            repeat: wording::repeat(exchange),
        }
    }

    /// The breach of a rule after this exchange.
    pub(super) fn breach(&self, found: &str, sentence: &str) -> Breach {
        Breach {
            at: self.due,
            root: Some(self.root.clone()),
            asked: self.asked.clone(),
            answered: format!("{}; {found}", self.answered),
            expected: format!("{sentence}; {}", self.struck),
            repeat: self.repeat.clone(),
        }
    }
}

/// Exchanges by trace root, the newest of them.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    by_root: HashMap<String, Shown>,
    order: VecDeque<String>,
}

impl Exchanges {
    pub(super) fn add(&mut self, shown: Shown) {
        if self.order.len() >= MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_root.remove(&oldest);
        }
        self.order.push_back(shown.root.clone());
        self.by_root.insert(shown.root.clone(), shown);
    }

    pub(super) fn find(&self, root: Option<&str>) -> Option<&Shown> {
        self.by_root.get(root?)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

/// Something that a service saw and that no rule allows. Its exchange may still be under way, so the
/// breach is told once that has come to its end, or cannot come any more.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Accused {
    pub at: Duration,
    pub root: Option<String>,
    /// Such as ``a message in `NotShipped```.
    pub what: String,
    /// What identifies it in the file of sightings.
    pub id: String,
}

impl Accused {
    /// Whether its exchange is known by now, or will never be.
    pub(super) fn is_ready(&self, exchanges: &Exchanges, now: Duration) -> bool {
        self.root.is_none() || exchanges.find(self.root.as_deref()).is_some() || now >= self.at + load::PATIENCE + GRACE
    }

    /// The breach, by its exchange if that is known.
    pub(super) fn breach(&self, exchanges: &Exchanges, sentence: &str) -> Breach {
        if let Some(shown) = exchanges.find(self.root.as_deref()) {
            return shown.breach(&self.what, sentence);
        }
        Breach {
            at: self.at,
            root: self.root.clone(),
            asked: "no request of a journey is known to have caused it".to_owned(),
            answered: self.what.clone(),
            expected: sentence.to_owned(),
            repeat: format!("grep -F '{}' sightings.ndjson", self.id.replace('\'', "")),
        }
    }
}
