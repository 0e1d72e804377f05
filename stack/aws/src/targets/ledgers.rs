//! The ledgers of deployed functions, followed in CloudWatch Logs until this is dropped. The report
//! shows what is missing in the end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use faults::Entry;
use protocol::chain;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Failed;
use crate::SdkConfig;
use crate::logs::{Ledger, Look};

/// The longest pause between two looks at a log group; FilterLogEvents allows 5 to 10 calls a
/// second for a whole account.
const LOOKS: Duration = Duration::from_secs(2);

/// The time up to which each function's ledger was read, and the error that stopped it, if any.
type Read = Arc<Mutex<BTreeMap<String, (Instant, Option<String>)>>>;

/// The ledgers of some functions.
#[derive(Debug)]
pub struct Ledgers {
    told: UnboundedReceiver<Entry>,
    read: Read,
    lag: Duration,
    _tasks: JoinSet<()>,
}

impl Ledgers {
    /// Follows the ledgers of the functions with these names, each in its log group, from now on. `lag` is how late a line may be.
    pub fn follow(config: &SdkConfig, functions: impl Iterator<Item = (String, String)>, lag: Duration) -> Self {
        let (tell, told) = unbounded_channel();
        let (mut tasks, read) = (JoinSet::new(), Read::default());
        let from = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        for (name, group) in functions {
            let ledger = Ledger::new(config, &group, i64::try_from(from).unwrap_or_default());
            tasks.spawn(follow(ledger, name, LOOKS.min(lag / 4), tell.clone(), Arc::clone(&read)));
        }
        Self { told, read, lag, _tasks: tasks }
    }

    /// The entries that came since the last call.
    ///
    /// # Errors
    /// If the tasks that read them have ended.
    pub fn new_entries(&mut self) -> Result<Vec<Entry>, Failed> {
        let mut entries = Vec::new();
        loop {
            match self.told.try_recv() {
                Ok(entry) => entries.push(entry),
                Err(TryRecvError::Empty) => return Ok(entries),
                Err(TryRecvError::Disconnected) => return Err(Failed("nobody reads the ledgers any more".into())),
            }
        }
    }

    /// The ledgers that could not be read completely for longer than the allowed lag.
    pub fn gaps(&self) -> Vec<String> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let late = read.iter().filter(|(_, (read_at, _))| read_at.elapsed() > self.lag);
        let gap = |(name, (read_at, why)): (&String, &(Instant, Option<String>))| {
            let why = why.as_deref().unwrap_or("CloudWatch Logs do not answer");
            format!("the ledger of `{name}` could not be read to its end for {} s: {why}", read_at.elapsed().as_secs())
        };
        late.map(gap).collect()
    }
}

/// Looks again and again; after a failed look, the next one catches up.
async fn follow(mut ledger: Ledger, name: String, pause: Duration, tell: UnboundedSender<Entry>, read: Read) {
    while !tell.is_closed() {
        let Look { entries, failed } = ledger.look().await;
        let why = failed.map(|error| chain(&error));
        read.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), (ledger.read_at(), why));
        for entry in entries {
            let _ = tell.send(entry);
        }
        tokio::time::sleep(pause).await;
    }
}
