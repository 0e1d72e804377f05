//! Writes plans where the extension reads them: an SSM parameter, or an object in S3. Arming,
//! renewing and calming are one read and one small write each. If another user deletes or replaces
//! a plan, its faults are stopped and it is never written again.

use std::time::SystemTime;

use faults::Plan;

use crate::call::CallError;
use crate::journal::{Entry, Journal, JournalError};

mod store;

pub use store::Store;
use store::Written;

/// Where a plan is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter of SSM, up to 8 KB.
    Parameter(String),
    /// An object in S3, up to the 256 KB that the extension reads.
    Object {
        /// The bucket.
        bucket: String,
        /// The key.
        key: String,
    },
}

impl Place {
    /// The value of `BROWNOUT_PLAN` for it.
    pub fn address(&self) -> String {
        match self {
            Self::Parameter(name) => format!("ssm:{name}"),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    /// The place that `BROWNOUT_PLAN` names, if it is one of these.
    pub fn parse(address: &str) -> Option<Self> {
        if let Some(name) = address.strip_prefix("ssm:").filter(|name| !name.is_empty()) {
            return Some(Self::Parameter(name.to_owned()));
        }
        let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Whether only this run writes there: its id is the last part of the name.
    fn is_named_after(&self, run: &str) -> bool {
        let (Self::Parameter(name) | Self::Object { key: name, .. }) = self;
        name.rsplit('/').next() == Some(run)
    }

    /// Whether there was no other write between `before` (`None`: no revision) and this revision. A
    /// parameter's versions are numbered; an object is written only if the previous one is still
    /// there.
    fn follows(&self, before: Option<&str>, revision: &str) -> bool {
        let number = |revision: &str| revision.parse::<i64>().ok();
        matches!(self, Self::Object { .. }) || number(revision) == before.map_or(Some(0), number).map(|before| before + 1)
    }

    /// The largest plan, in bytes.
    pub fn most_bytes(&self) -> usize {
        match self {
            Self::Parameter(_) => LONGEST_PARAMETER,
            Self::Object { .. } => faults::LARGEST_PLAN,
        }
    }
}

const LONGEST_PARAMETER: usize = 8192;

/// Why a plan could not be put in force, calmed or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// It does not fit.
    #[error("the plan has `{bytes}` bytes and `{place}` takes `{most}`; have fewer faults, or keep it in S3 (`s3://<bucket>/<key>`)")]
    TooLong {
        /// Its size.
        bytes: usize,
        /// Where it should be written.
        place: String,
        /// The limit.
        most: usize,
    },
    /// Another run's plan, or something else, is there.
    #[error("`{place}` holds something that is not a plan of run `{run}`; name another place, or delete it")]
    Taken {
        /// Where.
        place: String,
        /// The run that wanted it.
        run: String,
    },
    /// Another user deleted or replaced the plan: its faults are stopped and stay stopped.
    #[error("another process {how} `{place}`, which stops the faults")]
    Stopped {
        /// Where.
        place: String,
        /// How it was stopped.
        how: Brake,
    },
    /// A call failed, or got no answer in time. A plan that is in force ends with its lease, within
    /// 60 s.
    #[error("`{place}` was not written")]
    Call {
        /// Where.
        place: String,
        /// The error of the last call.
        #[source]
        cause: CallError,
    },
    /// The journal's line before the change could not be written.
    #[error("`{place}` was not written")]
    Journal {
        /// Where.
        place: String,
        /// The error of the journal.
        #[source]
        cause: JournalError,
    },
}

/// How another user stopped the faults of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// The plan was deleted.
    Deleted,
    /// Something else was written in its place.
    Replaced,
}

impl std::fmt::Display for Brake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deleted => "deleted",
            Self::Replaced => "replaced",
        })
    }
}

/// A plan in its place, or being written there. Its sequence rises with every write, so that no
/// extension mistakes an older plan for a newer one.
#[derive(Debug)]
pub struct Armed {
    store: Store,
    place: Place,
    plan: Plan,
    /// The revision that this run wrote last; `None` before the first write.
    ours: Option<String>,
    /// What was sent last. If its answer was lost, it may still have been written.
    sent: Option<String>,
    /// How another user stopped the faults for good.
    brake: Option<Brake>,
}

impl Armed {
    /// A plan that is not written yet.
    pub fn new(store: Store, place: Place, plan: Plan) -> Self {
        Self { store, place, plan, ours: None, sent: None, brake: None }
    }

    /// Puts a plan in force.
    ///
    /// # Errors
    /// If it is too long, something else is in its place, or the write fails.
    pub async fn arm(store: Store, journal: &dyn Journal, place: Place, plan: Plan) -> Result<Self, ArmError> {
        let mut armed = Self::new(store, place, plan);
        armed.write(journal).await?;
        Ok(armed)
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// If the write fails; the faults then end with the lease.
    pub async fn renew(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        self.plan.sequence += 1;
        self.write(journal).await
    }

    /// Replaces the plan by another one of the same run. The sequence is incremented, except at the
    /// first write.
    ///
    /// # Errors
    /// If the write fails; the faults then end with the lease.
    pub async fn replace(&mut self, journal: &dyn Journal, plan: Plan) -> Result<(), ArmError> {
        let sequence = if self.may_stand() { plan.sequence.max(self.plan.sequence + 1) } else { plan.sequence };
        self.plan = Plan { sequence, ..plan };
        self.write(journal).await
    }

    /// Writes a plan without faults: traffic is normal as soon as it is read. If another user
    /// already stopped the faults, there is nothing to do.
    ///
    /// # Errors
    /// If the write fails; the faults then end with the lease.
    pub async fn calm(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        if !self.may_stand() {
            return Ok(());
        }
        self.plan.faults.clear();
        match self.renew(journal).await {
            Err(ArmError::Stopped { .. }) => Ok(()),
            calmed => calmed,
        }
    }

    /// Checks whether the plan is still as it was written.
    ///
    /// # Errors
    /// [`ArmError::Stopped`] if it is not; otherwise the error of the call.
    pub async fn look(&mut self) -> Result<(), ArmError> {
        let there = self.store.get(&self.place).await.map_err(|cause| self.failed(cause))?;
        self.compare(there.as_ref())
    }

    /// Whether this run's plan may be in the place.
    pub fn may_stand(&self) -> bool {
        self.ours.is_some() || self.sent.is_some()
    }

    /// Deletes what is in the plan's place. If this run never wrote there, or nothing is there any
    /// more, it does nothing.
    ///
    /// # Errors
    /// If it may still be there.
    pub async fn disarm(self, journal: &dyn Journal) -> Result<(), ArmError> {
        if self.may_stand() { self.store.clear(journal, &self.place).await } else { Ok(()) }
    }

    /// The same plan with another store, which may have another patience.
    #[must_use]
    pub fn with(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// Finds the plan that a run with this name left in a place, so that it can be calmed and
    /// deleted; `None` if there is no such plan.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn left_by(store: Store, place: Place, run: &str) -> Result<Option<Self>, ArmError> {
        let there = store.get_at_last(&place).await.map_err(|cause| ArmError::Call { place: place.address(), cause })?;
        let plan = |there: &Written| Plan::read(there.text.as_bytes()).ok().filter(|plan| plan.run == run);
        let Some((there, plan)) = there.and_then(|there| Some((there.revision.clone(), plan(&there)?))) else { return Ok(None) };
        Ok(Some(Self { ours: Some(there), ..Self::new(store, place, plan) }))
    }

    fn failed(&self, cause: CallError) -> ArmError {
        ArmError::Call { place: self.place.address(), cause }
    }

    fn stopped(&mut self, how: Brake) -> ArmError {
        self.brake = Some(how);
        ArmError::Stopped { place: self.place.address(), how }
    }

    /// Checks that the stored plan is the one that this run wrote last.
    fn compare(&mut self, there: Option<&Written>) -> Result<(), ArmError> {
        if let Some(how) = self.brake {
            return Err(self.stopped(how));
        }
        let sent = |there: &&Written| self.sent.as_ref() == Some(&there.text) && self.place.follows(self.ours.as_deref(), &there.revision);
        if let Some(there) = there.filter(sent) {
            self.ours = Some(there.revision.clone());
            return Ok(());
        }
        match (there, &self.ours) {
            (Some(there), Some(ours)) if there.revision == *ours => Ok(()),
            (None, None) => Ok(()),
            (None, Some(_)) => Err(self.stopped(Brake::Deleted)),
            (Some(_), Some(_)) => Err(self.stopped(Brake::Replaced)),
            (Some(_), None) => {
                // The other write came first, so the last one sent was refused.
                self.sent = None;
                Err(ArmError::Taken { place: self.place.address(), run: self.plan.run.clone() })
            }
        }
    }

    async fn write(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        // The plan contains the end of its lease: an environment that starts after this process
        // died must not begin the lease again.
        self.plan.begin_lease(SystemTime::now());
        let (place, text, most) = (self.place.address(), self.plan.to_json(), self.place.most_bytes());
        if text.len() > most {
            return Err(ArmError::TooLong { bytes: text.len(), place, most });
        }
        let (run, sequence, calm) = (self.plan.run.clone(), self.plan.sequence, self.plan.faults.is_empty());
        let noted = journal.note(&Entry::Arming { plan: place.clone(), run, sequence, calm });
        noted.map_err(|cause| ArmError::Journal { place, cause })?;
        let mut pauses = self.store.patience().begin();
        loop {
            match self.write_once(&text).await {
                Err(ArmError::Call { cause, .. }) if cause.may_pass() && pauses.pause().await => (),
                written => return written,
            }
        }
    }

    /// Reads first, so that a write whose answer was lost is found and another user's change is not
    /// overwritten.
    async fn write_once(&mut self, text: &str) -> Result<(), ArmError> {
        let there = self.store.get(&self.place).await.map_err(|cause| self.failed(cause))?;
        self.compare(there.as_ref())?;
        if there.is_some_and(|there| there.text == text) {
            return Ok(());
        }
        self.sent = Some(text.to_owned());
        let put = self.store.put(&self.place, text, self.ours.as_deref()).await.map_err(|cause| self.failed(cause))?;
        if self.place.follows(self.ours.as_deref(), &put) {
            self.ours = Some(put);
            return Ok(());
        }
        // Another user stopped the faults between the read and the write; remove what was just
        // written.
        let stopped = self.stopped(Brake::Replaced);
        let deleted = self.store.patience().insist(|| self.store.delete(&self.place)).await;
        deleted.map_err(|cause| self.failed(cause))?;
        Err(stopped)
    }
}
