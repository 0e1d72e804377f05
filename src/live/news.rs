//! What is told of a run while it goes on, to whatever shows it.

use std::sync::Arc;

use engine::snapshot::Snapshot;
use reports::Verdict;
use tokio::sync::watch;

/// What a reader can know by now.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// The newest snapshot.
    pub newest: Option<Arc<Snapshot>>,
    /// Set at the end.
    pub judged: Option<Judged>,
}

/// How a run was judged.
#[derive(Debug, Clone)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Its sentence.
    pub sentence: String,
}

/// The news; their sender goes when the run has ended.
pub type Latest = watch::Receiver<News>;
