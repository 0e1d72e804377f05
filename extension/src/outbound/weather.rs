//! Which calls of the function are disturbed at the moment. It waits for changes and touches no connection.
//! Where it is not certain whose call it is, nothing is disturbed.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use faults::kinds::dependency::{Outage, Trouble};
use faults::pattern::{Wild, matches};
use tokio::sync::watch;

use crate::ledger::{Ledger, Open, lock};

/// The outages in force and the invocations that are open.
#[derive(Debug)]
pub struct Weather {
    ledger: Arc<Ledger>,
    sky: Mutex<Sky>,
    changed: watch::Sender<()>,
    next: AtomicU64,
    /// Whether the ledger knows that several invocations were open at once.
    said: AtomicBool,
}

#[derive(Debug, Default)]
struct Sky {
    /// Every invocation that was handed over and not answered, struck or not, with its deadline: after it nobody answers any more.
    open: HashMap<String, Option<Instant>>,
    storms: Vec<Storm>,
}

/// An outage that an invocation was struck with.
#[derive(Debug, Clone)]
pub struct Storm {
    key: u64,
    request_id: String,
    outage: Outage,
    page: Weak<Mutex<crate::ledger::Invocation>>,
    at: usize,
}

/// The outage is over when this is dropped.
#[derive(Debug)]
pub struct Raging {
    weather: Arc<Weather>,
    key: u64,
}

impl Storm {
    /// What goes wrong.
    pub const fn trouble(&self) -> Trouble {
        self.outage.trouble
    }

    /// Says in the ledger that a call was really disturbed.
    pub fn hit(&self) {
        if let Some(page) = self.page.upgrade()
            && let Some(line) = lock(&page).lines.get_mut(self.at)
        {
            line.done = true;
        }
    }
}

impl Weather {
    /// No outage, and no invocation is open.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger, sky: Mutex::default(), changed: watch::Sender::new(()), next: AtomicU64::new(0), said: AtomicBool::new(false) }
    }

    /// An invocation is handed over.
    pub fn opened(&self, request_id: &str, deadline: Option<Instant>) {
        lock(&self.sky).open.insert(request_id.to_owned(), deadline);
        self.changed.send_replace(());
    }

    /// An invocation is answered.
    pub fn closed(&self, request_id: &str) {
        if lock(&self.sky).open.remove(request_id).is_some() {
            self.changed.send_replace(());
        }
    }

    /// An outage begins, of the decision at `at` of an invocation.
    pub fn rage(self: &Arc<Self>, outage: Outage, page: &Open, at: usize) -> Raging {
        let key = self.next.fetch_add(1, Ordering::Relaxed);
        let request_id = lock(page).request_id.clone();
        lock(&self.sky).storms.push(Storm { key, request_id, outage, page: Arc::downgrade(page), at });
        self.changed.send_replace(());
        Raging { weather: Arc::clone(self), key }
    }

    /// The outage that calls to `host` meet now. Of several invocations that are open at once, nobody can tell whose call it is.
    pub fn over(&self, host: &str) -> Option<Storm> {
        let found = {
            let mut sky = lock(&self.sky);
            if sky.storms.is_empty() {
                return None;
            }
            let now = Instant::now();
            sky.open.retain(|_, deadline| deadline.is_none_or(|deadline| deadline > now));
            let storm = sky.storms.iter().find(|storm| is_about(&storm.outage, host)).cloned()?;
            let alone = sky.open.len() == 1 && sky.open.contains_key(&storm.request_id);
            if !alone && sky.open.len() < 2 {
                return None;
            }
            alone.then_some(storm)
        };
        if found.is_none() && !self.said.swap(true, Ordering::Relaxed) {
            self.ledger.note("several invocations are open at once: nobody can tell whose call it is, and none is disturbed");
        }
        found
    }

    /// Ends when `storm` does not disturb calls to `host` any more.
    pub async fn past(&self, host: &str, storm: &Storm) {
        let mut changes = self.changed.subscribe();
        while self.over(host).is_some_and(|now| now.key == storm.key) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Raging {
    fn drop(&mut self) {
        lock(&self.weather.sky).storms.retain(|storm| storm.key != self.key);
        self.weather.changed.send_replace(());
    }
}

fn is_about(outage: &Outage, host: &str) -> bool {
    let bare = |text: &str| text.trim_matches(['[', ']']).to_ascii_lowercase();
    matches(&bare(&outage.host), &bare(host), Wild::Text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use faults::{Action, Arm, Decision, Start};

    use super::*;
    use crate::ledger::{Invocation, Line};

    fn page(ledger: &Arc<Ledger>, id: &str, outage: &Outage) -> Open {
        let decision = Decision { fault: "f".into(), arm: Arm::Treatment, action: Action::Disturb(outage.clone()), message: None, call: 1 };
        ledger.open(Invocation {
            request_id: id.into(),
            root: None,
            run: "r".into(),
            sequence: 1,
            start: Start::Warm,
            deadline: None,
            lines: vec![Line::new(decision)],
            control: Vec::new(),
            guard: None,
            told: false,
            handed: crate::ledger::Handed::default(),
            meanwhile: crate::meanwhile::Meanwhile::default(),
        })
    }

    #[tokio::test]
    async fn an_outage_is_met_only_while_its_invocation_is_the_only_one() {
        let ledger = Arc::new(Ledger::new("f".into()));
        let weather = Arc::new(Weather::new(Arc::clone(&ledger)));
        let outage = Outage { host: "DynamoDB.*.amazonaws.com".into(), trouble: Trouble::Refused };
        let host = "dynamodb.eu-west-1.amazonaws.COM";
        let page = page(&ledger, "a", &outage);
        let raging = weather.rage(outage, &page, 0);
        assert!(weather.over(host).is_none(), "not handed over");
        weather.opened("a", None);
        assert!(weather.over(host).is_some() && weather.over("s3.amazonaws.com").is_none());
        weather.opened("b", None);
        assert!(weather.over(host).is_none() && weather.said.load(Ordering::Relaxed));
        weather.closed("b");
        weather.opened("c", Some(Instant::now()));
        let storm = weather.over(host).expect("whoever is past its deadline is not open");
        assert!(!lock(&page).lines[0].done);
        storm.hit();
        assert!(lock(&page).lines[0].done);
        let waiting = tokio::spawn({
            let weather = Arc::clone(&weather);
            async move { weather.past(host, &storm).await }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!waiting.is_finished());
        drop(raging);
        waiting.await.unwrap();
        assert!(weather.over(host).is_none());
    }
}
