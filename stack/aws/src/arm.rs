//! Plans where the extension reads them: an SSM parameter, or an object in S3. Arming, renewing and calming are one look and one small write each.
//! Whoever deletes or replaces a plan has stopped its faults: it is never written again.

use std::time::SystemTime;

use faults::Plan;

use crate::call::CallError;
use crate::journal::{Entry, Journal, JournalError};

mod store;

pub use store::Store;
use store::Written;

/// Where a plan stands.
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
    /// What `BROWNOUT_PLAN` holds for it.
    pub fn address(&self) -> String {
        match self {
            Self::Parameter(name) => format!("ssm:{name}"),
            Self::Object { bucket, key } => format!("s3://{bucket}/{key}"),
        }
    }

    /// The place that `BROWNOUT_PLAN` names, where it is one of these.
    pub fn parse(address: &str) -> Option<Self> {
        if let Some(name) = address.strip_prefix("ssm:").filter(|name| !name.is_empty()) {
            return Some(Self::Parameter(name.to_owned()));
        }
        let (bucket, key) = address.strip_prefix("s3://")?.split_once('/')?;
        (!bucket.is_empty() && !key.is_empty()).then(|| Self::Object { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// Whether nobody but this run writes there: its id is the last part of the name.
    fn is_named_after(&self, run: &str) -> bool {
        let (Self::Parameter(name) | Self::Object { key: name, .. }) = self;
        name.rsplit('/').next() == Some(run)
    }

    /// Whether nobody wrote between the revision `before`, or nothing, and this one. A parameter is numbered; an object is only ever written
    /// where the one before is still there.
    fn follows(&self, before: Option<&str>, revision: &str) -> bool {
        let number = |revision: &str| revision.parse::<i64>().ok();
        matches!(self, Self::Object { .. }) || number(revision) == before.map_or(Some(0), number).map(|before| before + 1)
    }

    /// The most bytes that fit.
    pub fn most_bytes(&self) -> usize {
        match self {
            Self::Parameter(_) => LONGEST_PARAMETER,
            Self::Object { .. } => faults::LARGEST_PLAN,
        }
    }
}

const LONGEST_PARAMETER: usize = 8192;

/// Why a plan is not in force, or not out of it.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// It does not fit.
    #[error("the plan has `{bytes}` bytes and `{place}` takes `{most}`; have fewer faults, or keep it in S3 (`s3://<bucket>/<key>`)")]
    TooLong {
        /// What it has.
        bytes: usize,
        /// Where it should go.
        place: String,
        /// What fits.
        most: usize,
    },
    /// Somebody else's plan, or something else, is there.
    #[error("`{place}` holds something that is not a plan of run `{run}`; name another place, or delete it")]
    Taken {
        /// Where.
        place: String,
        /// The run that wanted it.
        run: String,
    },
    /// Somebody deleted or replaced the plan: its faults are stopped, and stay so.
    #[error("another process {how} `{place}`, which stops the faults")]
    Stopped {
        /// Where.
        place: String,
        /// What they did.
        how: Brake,
    },
    /// A call said no, or nothing for too long. A plan that is in force ends with its lease, within 60 s.
    #[error("`{place}` was not written")]
    Call {
        /// Where.
        place: String,
        /// What the last call said.
        #[source]
        cause: CallError,
    },
    /// The line before the change could not be written.
    #[error("`{place}` was not written")]
    Journal {
        /// Where.
        place: String,
        /// What the journal said.
        #[source]
        cause: JournalError,
    },
}

/// What somebody else did to a plan that stops its faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// It is not there any more.
    Deleted,
    /// Something else is there.
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

/// A plan in its place, or on its way there. Its sequence rises with every write, so that no extension takes an older one for a newer.
#[derive(Debug)]
pub struct Armed {
    store: Store,
    place: Place,
    plan: Plan,
    /// The revision that is ours; none before the first write.
    ours: Option<String>,
    /// What was sent last: where its answer was lost, it may be there all the same.
    sent: Option<String>,
    /// What somebody did that stops the faults for good.
    brake: Option<Brake>,
}

impl Armed {
    /// A plan that is nowhere yet.
    pub fn new(store: Store, place: Place, plan: Plan) -> Self {
        Self { store, place, plan, ours: None, sent: None, brake: None }
    }

    /// Puts a plan in force.
    ///
    /// # Errors
    /// Where it does not fit, something else is in its place, or it is not written.
    pub async fn arm(store: Store, journal: &dyn Journal, place: Place, plan: Plan) -> Result<Self, ArmError> {
        let mut armed = Self::new(store, place, plan);
        armed.write(journal).await?;
        Ok(armed)
    }

    /// Renews the lease.
    ///
    /// # Errors
    /// Where it is not written; the faults then end with the lease.
    pub async fn renew(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        self.plan.sequence += 1;
        self.write(journal).await
    }

    /// Puts another plan of the same run in its place; its sequence becomes the next one, but for the first.
    ///
    /// # Errors
    /// Where it is not written; the faults then end with the lease.
    pub async fn replace(&mut self, journal: &dyn Journal, plan: Plan) -> Result<(), ArmError> {
        let sequence = if self.may_stand() { plan.sequence.max(self.plan.sequence + 1) } else { plan.sequence };
        self.plan = Plan { sequence, ..plan };
        self.write(journal).await
    }

    /// Puts a plan without faults in its place: traffic is normal as soon as it is read. Where somebody stopped the faults before, they are.
    ///
    /// # Errors
    /// Where it is not written; the faults then end with the lease.
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

    /// Looks whether the plan is still as it was written.
    ///
    /// # Errors
    /// [`ArmError::Stopped`] where it is not; or what the call said.
    pub async fn look(&mut self) -> Result<(), ArmError> {
        let there = self.store.get(&self.place).await.map_err(|cause| self.failed(cause))?;
        self.compare(there.as_ref())
    }

    /// Whether something of ours may be in the place.
    pub fn may_stand(&self) -> bool {
        self.ours.is_some() || self.sent.is_some()
    }

    /// Deletes what is in the plan's place; where nothing of ours was ever there, or nothing is any more, there is nothing to do.
    ///
    /// # Errors
    /// Where it may still be there.
    pub async fn disarm(self, journal: &dyn Journal) -> Result<(), ArmError> {
        if self.may_stand() { self.store.clear(journal, &self.place).await } else { Ok(()) }
    }

    /// The same with the patience of another store.
    #[must_use]
    pub fn with(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// Takes up the plan that a run of this name left in a place, so that it can be calmed and deleted; none where there is none of its.
    ///
    /// # Errors
    /// Where it cannot be read.
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

    /// Whether what is there is what we wrote last.
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
                // What we sent was refused for it.
                self.sent = None;
                Err(ArmError::Taken { place: self.place.address(), run: self.plan.run.clone() })
            }
        }
    }

    async fn write(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        // Its end is written with it: an environment that starts after our death must not begin the lease anew.
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

    /// Looks first, so that a lost answer is found and nobody else's change is written over.
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
        // Somebody stopped the faults between our look and our write, and what we wrote must not stand.
        let stopped = self.stopped(Brake::Replaced);
        let deleted = self.store.patience().insist(|| self.store.delete(&self.place)).await;
        deleted.map_err(|cause| self.failed(cause))?;
        Err(stopped)
    }
}
