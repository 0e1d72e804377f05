//! Functions that are deployed on AWS: attached to, armed through SSM, watched through CloudWatch Logs, and put back as they were.
//! It brings nothing up: what answers their callers is somebody else's, and so is what is sent to it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::{Left, chain};
use tokio::task::JoinSet;

use super::arming::Arming;
use super::attached::{Attached, bring, take};
use super::ledgers::Ledgers;
use super::{Driver, Failed};
use crate::arm::{Place, Store};
use crate::attach::Wish;
use crate::client::Lambda;
use crate::journal::{self, Journal};
use crate::marker::Run;
use crate::recover::published;

/// What one function is attached with.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its ARN.
    pub arn: String,
    /// Its name, which is the place that faults name.
    pub name: String,
    /// What the attach shall do; where it names an alias, to a version with a share of that.
    pub wish: Wish,
    /// The share of the alias's calls, in thousandths.
    pub alias_thousandths: u16,
}

/// What is needed to reach the functions.
pub struct Reach {
    /// Lambda.
    pub lambda: Lambda,
    /// Where plans go.
    pub store: Store,
    /// How calls are made.
    pub config: crate::SdkConfig,
    /// What is written down before each change.
    pub journal: Arc<journal::File>,
    /// How late CloudWatch Logs may be with a line; one that comes later belongs to no arm, and the books say so.
    pub lag: Duration,
}

/// Functions deployed on AWS.
pub struct Deployed {
    reach: Reach,
    place: Place,
    run: Run,
    functions: Vec<Function>,
    /// Those that were tried, by their place among the functions: each may have ours on it.
    tried: Vec<Attached>,
    arming: Option<Arming>,
    ledgers: Option<Ledgers>,
}

impl Deployed {
    /// Functions that are not touched yet. `run` is whose the attach is; the plan goes to `place`.
    pub fn new(reach: Reach, run: Run, place: Place, functions: Vec<Function>) -> Self {
        Self { reach, place, run, functions, tried: Vec::new(), arming: None, ledgers: None }
    }

    /// All at once: a function in a VPC takes minutes. Each is seen to its end, also where another has failed.
    async fn attach_all(&mut self) -> Result<(), Failed> {
        // Whatever ends the waiting, `restore` finds them.
        self.tried = vec![Attached::Begun; self.functions.len()];
        let mut all = JoinSet::new();
        for (place, function) in self.functions.iter().cloned().enumerate() {
            let (lambda, journal) = (self.reach.lambda.clone(), Arc::clone(&self.reach.journal));
            all.spawn(async move { (place, bring(&lambda, journal.as_ref(), &function).await) });
        }
        let mut failed = None;
        while let Some(attached) = all.join_next().await {
            match attached {
                Ok((place, Ok((attached, said)))) => {
                    said.iter().for_each(|line| tell(line));
                    if let Some(tried) = self.tried.get_mut(place) {
                        *tried = attached;
                    }
                }
                Ok((_, Err(why))) => failed = failed.or(Some(why)),
                Err(ended) => failed = failed.or(Some(ended.to_string())),
            }
        }
        failed.map_or(Ok(()), |why| Err(Failed(why)))
    }

    /// What of a deployment during the run carries ours, now that nothing is published with it any more.
    async fn published(&self) -> Vec<String> {
        let mut left = Vec::new();
        for function in &self.functions {
            match published(&self.reach.lambda, &function.arn, |record| record.run == self.run).await {
                Ok(versions) => left.extend(versions.iter().map(ToString::to_string)),
                Err(error) => left.push(format!("function {}: its versions could not be listed: {}", function.name, chain(&error))),
            }
        }
        left
    }

    /// All at once: whoever asked to stop waits for it. What could not be undone is told in words.
    async fn undo_all(&mut self) -> Vec<String> {
        let mut all = JoinSet::new();
        for (function, attached) in self.functions.iter().cloned().zip(std::mem::take(&mut self.tried)) {
            let (lambda, journal, run) = (self.reach.lambda.clone(), Arc::clone(&self.reach.journal), self.run.clone());
            all.spawn(async move {
                let taken = take(&lambda, journal.as_ref(), &function, &run, &attached).await;
                (function.name, taken)
            });
        }
        let mut left = Vec::new();
        while let Some(undone) = all.join_next().await {
            match undone {
                Ok((name, Ok(proof))) => tell(&format!("`{name}` is as it was: {proof}")),
                Ok((name, Err(why))) => left.push(format!("function {name}: {why}")),
                Err(ended) => left.push(format!("a function whose undoing ended: {ended}")),
            }
        }
        left
    }
}

#[async_trait]
impl Driver for Deployed {
    async fn deploy(&mut self) -> Result<(), Failed> {
        self.attach_all().await?;
        let mut groups = Vec::new();
        for function in &self.functions {
            let read = self.reach.lambda.function_at_last(&function.arn).await;
            groups.push((function.name.clone(), read.map_err(|error| Failed(chain(&error)))?.log_group));
        }
        self.ledgers = Some(Ledgers::follow(&self.reach.config, groups.into_iter(), self.reach.lag));
        Ok(())
    }

    /// Only a calm plan is waited for: what keeps faults in force may come late, and is then heard of by [`Self::health`].
    async fn strike(&mut self, plan: &Plan) -> Result<(), Failed> {
        let arming = match &mut self.arming {
            Some(arming) => {
                arming.wish(plan.clone());
                arming
            }
            None => {
                let journal: Arc<dyn Journal> = Arc::clone(&self.reach.journal) as Arc<dyn Journal>;
                self.arming.insert(Arming::begin(&self.reach.store, journal, self.place.clone(), plan.clone()))
            }
        };
        if plan.faults.is_empty() { arming.settled().await } else { Ok(()) }
    }

    fn observe(&mut self) -> Result<Vec<Entry>, Failed> {
        self.ledgers.as_mut().map_or_else(|| Ok(Vec::new()), Ledgers::new_entries)
    }

    fn gaps(&self) -> Vec<String> {
        self.ledgers.as_ref().map(Ledgers::gaps).unwrap_or_default()
    }

    fn health(&self) -> Result<(), Failed> {
        self.arming.as_ref().map_or(Ok(()), Arming::health)
    }

    fn ended(&self) -> Option<String> {
        self.arming.as_ref().and_then(Arming::stopped)
    }

    async fn restore(&mut self) -> Option<Left> {
        self.ledgers = None;
        let file = Arc::clone(&self.reach.journal);
        let journal: &dyn Journal = file.as_ref();
        let mut what = Vec::new();
        let mut armed = None;
        if let Some(arming) = self.arming.take() {
            armed = arming.end().await.map_err(|error| what.push(format!("the plan: {error}"))).ok();
        }
        if let Some(armed) = &mut armed
            && let Err(error) = armed.calm(journal).await
        {
            tell(&format!("warning: the faults end with their lease, within 60 s: {}", chain(&error)));
        }
        let was_attached = !self.tried.is_empty();
        what.extend(self.undo_all().await);
        if was_attached {
            what.extend(self.published().await);
        }
        if let Some(armed) = armed
            && let Err(error) = armed.with(self.reach.store.clone()).disarm(journal).await
        {
            what.push(format!("the plan: {}", chain(&error)));
        }
        (!what.is_empty()).then(|| Left { what, command: format!("brownout recover --run {}", self.run) })
    }
}

/// A line on standard error. A terminal that is gone is no reason to leave anything attached.
pub(super) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
