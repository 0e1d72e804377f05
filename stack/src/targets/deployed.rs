//! Functions that are deployed on AWS: attached to, armed through SSM, watched through CloudWatch Logs, and put back as they were.
//! It brings nothing up: what answers their callers is somebody else's, and so is what is sent to it.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws::Lambda;
use aws::arm::{Armed, Place, Store};
use aws::attach::{Wish, attach};
use aws::journal::{self, Journal};
use aws::logs::Ledger;
use aws::marker::Run;
use aws::undo::undo;
use faults::{Entry, Plan};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};
use tokio::task::JoinSet;

use crate::target::chain;
use crate::{Addresses, Health, Left, Sighting, Target, TargetError};

/// Between two looks at a log group at the most; FilterLogEvents takes 5 to 10 calls a second of a whole account.
const LOOKS: Duration = Duration::from_secs(2);

/// What one function is attached with.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its ARN.
    pub arn: String,
    /// Its name, which is the place that faults name.
    pub name: String,
    /// What the attach shall do.
    pub wish: Wish,
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
    /// Those that were tried: each may have ours on it.
    tried: Vec<Function>,
    armed: Option<Armed>,
    ledger: Option<(UnboundedReceiver<Entry>, JoinSet<()>)>,
}

impl Deployed {
    /// Functions that are not touched yet. `run` is whose the attach is; the plan goes to `place`.
    pub fn new(reach: Reach, run: Run, place: Place, functions: Vec<Function>) -> Self {
        Self { reach, place, run, functions, tried: Vec::new(), armed: None, ledger: None }
    }

    fn watch(&mut self) {
        let (tell, told) = unbounded_channel();
        let mut tasks = JoinSet::new();
        let from = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        for function in &self.functions {
            let ledger = Ledger::new(&self.reach.config, &function.name, i64::try_from(from).unwrap_or_default());
            tasks.spawn(follow(ledger, LOOKS.min(self.reach.lag / 4), tell.clone()));
        }
        self.ledger = Some((told, tasks));
    }
}

/// Tells what comes into a ledger. A look that fails is made good by the next: what is missing in the end, the books show.
async fn follow(mut ledger: Ledger, pause: Duration, tell: UnboundedSender<Entry>) {
    while !tell.is_closed() {
        for entry in ledger.entries().await.unwrap_or_default() {
            let _ = tell.send(entry);
        }
        tokio::time::sleep(pause).await;
    }
}

#[async_trait]
impl Target for Deployed {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        for function in self.functions.clone() {
            // Whatever ends the waiting, `restore` finds it.
            self.tried.push(function.clone());
            let attached = attach(&self.reach.lambda, self.reach.journal.as_ref(), &function.arn, &function.wish).await;
            let attached = attached.map_err(|error| TargetError::Down(chain(&error)))?;
            attached.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}")));
        }
        self.watch();
        let names = self.functions.iter().map(|function| function.name.clone()).collect();
        let nowhere = String::new;
        Ok(Addresses {
            pid: std::process::id(),
            gateway: nowhere(),
            services: nowhere(),
            lambda: nowhere(),
            mqtt: nowhere(),
            smtp: nowhere(),
            redis: nowhere(),
            redis_is_foreign: false,
            api_keys: BTreeMap::new(),
            pools: Vec::new(),
            functions: names,
        })
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
        let mut entries = Vec::new();
        let Some((told, _)) = &mut self.ledger else { return Ok(entries) };
        loop {
            match told.try_recv() {
                Ok(entry) => entries.push(entry),
                Err(TryRecvError::Empty) => return Ok(entries),
                Err(TryRecvError::Disconnected) => return Err(TargetError::Down("nobody reads the ledgers any more".into())),
            }
        }
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
        self.ledger = None;
        let journal: &dyn Journal = self.reach.journal.as_ref();
        let mut what = Vec::new();
        if let Some(armed) = &mut self.armed
            && let Err(error) = armed.calm(journal).await
        {
            tell(&format!("warning: the faults end with their lease, within 60 s: {}", chain(&error)));
        }
        for function in std::mem::take(&mut self.tried) {
            match undo(&self.reach.lambda, journal, &function.arn, &self.run, None).await {
                Ok(proof) => tell(&format!("`{}` is as it was: {proof}", function.name)),
                Err(error) => what.push(format!("function {}: {}", function.name, chain(&error))),
            }
        }
        if let Some(armed) = self.armed.take()
            && let Err(error) = armed.disarm(journal).await
        {
            what.push(format!("the plan: {}", chain(&error)));
        }
        (!what.is_empty()).then(|| Left { what, command: format!("brownout recover --run {}", self.run) })
    }
}

/// A line on standard error. A terminal that is gone is no reason to leave anything attached.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
