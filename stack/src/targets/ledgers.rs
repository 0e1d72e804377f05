//! The ledgers of deployed functions, followed in CloudWatch Logs until they are dropped. What is missing in the end, the books show.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws::SdkConfig;
use aws::logs::Ledger;
use faults::Entry;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};
use tokio::task::JoinSet;

use crate::TargetError;

/// Between two looks at a log group at the most; FilterLogEvents takes 5 to 10 calls a second of a whole account.
const LOOKS: Duration = Duration::from_secs(2);

/// The ledgers of some functions.
#[derive(Debug)]
pub struct Ledgers {
    told: UnboundedReceiver<Entry>,
    _tasks: JoinSet<()>,
}

impl Ledgers {
    /// Follows the ledgers of the functions with these names from now on. `lag` is how late a line may be.
    pub fn follow<'a>(config: &SdkConfig, functions: impl Iterator<Item = &'a str>, lag: Duration) -> Self {
        let (tell, told) = unbounded_channel();
        let mut tasks = JoinSet::new();
        let from = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        for function in functions {
            let ledger = Ledger::new(config, function, i64::try_from(from).unwrap_or_default());
            tasks.spawn(follow(ledger, LOOKS.min(lag / 4), tell.clone()));
        }
        Self { told, _tasks: tasks }
    }

    /// What came since this was asked last.
    ///
    /// # Errors
    /// Where nobody reads them any more.
    pub fn new_entries(&mut self) -> Result<Vec<Entry>, TargetError> {
        let mut entries = Vec::new();
        loop {
            match self.told.try_recv() {
                Ok(entry) => entries.push(entry),
                Err(TryRecvError::Empty) => return Ok(entries),
                Err(TryRecvError::Disconnected) => return Err(TargetError::Down("nobody reads the ledgers any more".into())),
            }
        }
    }
}

/// A look that fails is made good by the next.
async fn follow(mut ledger: Ledger, pause: Duration, tell: UnboundedSender<Entry>) {
    while !tell.is_closed() {
        for entry in ledger.entries().await.unwrap_or_default() {
            let _ = tell.send(entry);
        }
        tokio::time::sleep(pause).await;
    }
}
