//! Functions that are deployed on AWS: attached to, armed through SSM, watched through CloudWatch Logs, and put back as they were.
//! It brings nothing up: what answers their callers is somebody else's, and so is what is sent to it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws::Lambda;
use aws::arm::{Armed, Place, Store};
use aws::attach::Wish;
use aws::journal::{self, Journal};
use aws::marker::Run;
use faults::{Entry, Plan};
use tokio::task::JoinSet;

use super::attached::{Attached, bring, take};
use super::ledgers::Ledgers;
use crate::target::chain;
use crate::{Addresses, Health, Left, Sighting, Target, TargetError};

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
    pub config: aws_config::SdkConfig,
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
    armed: Option<Armed>,
    ledgers: Option<Ledgers>,
}

impl Deployed {
    /// Functions that are not touched yet. `run` is whose the attach is; the plan goes to `place`.
    pub fn new(reach: Reach, run: Run, place: Place, functions: Vec<Function>) -> Self {
        Self { reach, place, run, functions, tried: Vec::new(), armed: None, ledgers: None }
    }

    /// All at once: a function in a VPC takes minutes. Each is seen to its end, also where another has failed.
    async fn attach_all(&mut self) -> Result<(), TargetError> {
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
        failed.map_or(Ok(()), |why| Err(TargetError::Down(why)))
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
impl Target for Deployed {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        self.attach_all().await?;
        let names = || self.functions.iter().map(|function| function.name.as_str());
        self.ledgers = Some(Ledgers::follow(&self.reach.config, names(), self.reach.lag));
        Ok(Addresses::elsewhere(names()))
    }

    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError> {
        let journal: &dyn Journal = self.reach.journal.as_ref();
        let armed = match &mut self.armed {
            Some(armed) => armed.replace(journal, plan.clone()).await,
            None => {
                Armed::arm(self.reach.store.clone(), journal, self.place.clone(), plan.clone()).await.map(|armed| self.armed = Some(armed))
            }
        };
        armed.map_err(|error| TargetError::Down(chain(&error)))
    }

    fn observe(&mut self) -> Result<Vec<Entry>, TargetError> {
        self.ledgers.as_mut().map_or_else(|| Ok(Vec::new()), Ledgers::new_entries)
    }

    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError> {
        Ok(Vec::new())
    }

    fn health(&mut self) -> Result<Health, TargetError> {
        Ok(Health::default())
    }

    fn ledger_lag(&self) -> Duration {
        self.reach.lag
    }

    async fn restore(&mut self) -> Option<Left> {
        self.ledgers = None;
        let file = Arc::clone(&self.reach.journal);
        let journal: &dyn Journal = file.as_ref();
        let mut what = Vec::new();
        if let Some(armed) = &mut self.armed
            && let Err(error) = armed.calm(journal).await
        {
            tell(&format!("warning: the faults end with their lease, within 60 s: {}", chain(&error)));
        }
        what.extend(self.undo_all().await);
        if let Some(armed) = self.armed.take()
            && let Err(error) = armed.disarm(journal).await
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
