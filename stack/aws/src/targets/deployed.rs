//! Functions that are deployed on AWS: attached, armed through SSM, observed through CloudWatch
//! Logs, and restored. It deploys nothing: the application that callers reach belongs to the user,
//! and so do its requests.

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
use crate::attach::{AttachError, Step, Wish, preview};
use crate::client::Lambda;
use crate::journal::{self, Journal};
use crate::marker::Run;
use crate::recover::published;

/// The attach parameters of one function.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its ARN.
    pub arn: String,
    /// Its name, which faults use as their place.
    pub name: String,
    /// What the attach should do. If it names an alias, a version with a share of its calls is
    /// attached.
    pub wish: Wish,
    /// The share of the alias's calls, in thousandths.
    pub alias_thousandths: u16,
}

/// What is needed to reach the functions.
pub struct Reach {
    /// Lambda.
    pub lambda: Lambda,
    /// Where plans are stored.
    pub store: Store,
    /// The SDK's configuration.
    pub config: crate::SdkConfig,
    /// The journal, written before each change.
    pub journal: Arc<journal::File>,
    /// How late a line of CloudWatch Logs may be. A later line belongs to no arm, and the report
    /// says so.
    pub lag: Duration,
}

/// Functions deployed on AWS.
pub struct Deployed {
    reach: Reach,
    place: Place,
    run: Run,
    functions: Vec<Function>,
    /// The attempts, in the order of the functions: each function may have the layer.
    tried: Vec<Attached>,
    arming: Option<Arming>,
    ledgers: Option<Ledgers>,
}

impl Deployed {
    /// Functions that are not touched yet, for the attach of `run`; the plan goes to `place`.
    pub fn new(reach: Reach, run: Run, place: Place, functions: Vec<Function>) -> Self {
        Self { reach, place, run, functions, tried: Vec::new(), arming: None, ledgers: None }
    }

    /// Decides what an attach would do to each function, without changing one: if one cannot be attached to, none is.
    async fn look_at_functions(&self) -> Result<(), Failed> {
        let mut refused = Vec::new();
        for Function { arn, name, wish, .. } in &self.functions {
            let lambda = &self.reach.lambda;
            let (_, step) = preview(lambda, arn, wish).await.map_err(|error| Failed(chain(&error)))?;
            if let Step::Refuse(complaints) = step {
                refused.push(AttachError::Refused { function: name.clone(), complaints }.to_string());
            }
        }
        if refused.is_empty() { Ok(()) } else { Err(Failed(format!("{}; nothing was touched", refused.join("; ")))) }
    }

    /// Attaches all functions at once, because one in a VPC takes minutes. Each attach is awaited,
    /// even if another fails.
    async fn attach_all(&mut self) -> Result<(), Failed> {
        // However the wait ends, `restore` finds them.
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

    /// Versions that another user published during the run and that keep the layer. It is called
    /// once no further version can be published with it.
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

    /// Undoes all functions at once, because the user waits for it. Returns what could not be
    /// undone, in words.
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
        self.look_at_functions().await?;
        self.attach_all().await?;
        let mut groups = Vec::new();
        for function in &self.functions {
            let read = self.reach.lambda.function_at_last(&function.arn).await;
            groups.push((function.name.clone(), read.map_err(|error| Failed(chain(&error)))?.log_group));
        }
        self.ledgers = Some(Ledgers::follow(&self.reach.config, groups.into_iter(), self.reach.lag));
        Ok(())
    }

    /// Waits only for a calm plan. A write that keeps faults in force may be late; [`Self::health`]
    /// then reports it.
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

/// Prints a line on standard error and ignores failures: a closed terminal must not prevent the
/// detach.
pub(super) fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
