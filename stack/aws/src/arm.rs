//! Plans where the extension reads them: an SSM parameter, or an object in S3. Arming, renewing and calming are one small write each.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use faults::Plan;

use crate::call::{CallError, Meaning};
use crate::journal::{Entry, Journal, JournalError};
use crate::patience::Patience;
use crate::secret::Variables;

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

    /// The most bytes that fit.
    pub fn most_bytes(&self) -> usize {
        match self {
            Self::Parameter(_) => ADVANCED,
            Self::Object { .. } => faults::LARGEST_PLAN,
        }
    }
}

/// Up to this a parameter is a standard one, which costs nothing; up to [`ADVANCED`] an advanced one, which does.
const STANDARD: usize = 4096;
const ADVANCED: usize = 8192;

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

/// The services that plans stand in.
#[derive(Debug, Clone)]
pub struct Store {
    ssm: aws_sdk_ssm::Client,
    s3: aws_sdk_s3::Client,
    patience: Patience,
}

impl Store {
    /// Calls are made as `config` says, once each; a renewal that takes longer than `patience` comes too late anyway.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build();
        let ssm = aws_sdk_ssm::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone());
        let s3 = aws_sdk_s3::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        // Servers other than AWS's own have no names below the bucket's.
        let s3 = s3.force_path_style(config.endpoint_url().is_some());
        Self { ssm: aws_sdk_ssm::Client::from_conf(ssm.build()), s3: aws_sdk_s3::Client::from_conf(s3.build()), patience }
    }

    async fn get(&self, place: &Place) -> Result<Option<String>, CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        let answer = match place {
            Place::Parameter(name) => match self.ssm.get_parameter().name(name).send().await {
                Ok(read) => Ok(read.parameter().and_then(|parameter| parameter.value()).map(str::to_owned)),
                Err(error) => Err(CallError::read("GetParameter", &address, &error, &nothing)),
            },
            Place::Object { bucket, key } => match self.s3.get_object().bucket(bucket).key(key).send().await {
                Ok(read) => Ok(read.body.collect().await.ok().map(|body| String::from_utf8_lossy(&body.into_bytes()).into_owned())),
                Err(error) => Err(CallError::read("GetObject", &address, &error, &nothing)),
            },
        };
        match answer {
            Err(error) if error.meaning == Meaning::Missing => Ok(None),
            answer => answer,
        }
    }

    /// The plan that is in a place now; none where there is none, or something else.
    ///
    /// # Errors
    /// What the call says.
    pub async fn plan(&self, place: &Place) -> Result<Option<Plan>, CallError> {
        Ok(self.get(place).await?.and_then(|text| Plan::read(text.as_bytes()).ok()))
    }

    async fn get_at_last(&self, place: &Place) -> Result<Option<String>, CallError> {
        self.patience.insist(|| self.get(place)).await
    }

    async fn put(&self, place: &Place, plan: &str) -> Result<(), CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        match place {
            Place::Parameter(name) => {
                let tier = if plan.len() > STANDARD { ParameterTier::Advanced } else { ParameterTier::Standard };
                let call = self.ssm.put_parameter().name(name).value(plan).r#type(ParameterType::String).overwrite(true).tier(tier);
                call.send().await.map(drop).map_err(|error| CallError::read("PutParameter", &address, &error, &nothing))
            }
            Place::Object { bucket, key } => {
                let call = self.s3.put_object().bucket(bucket).key(key).body(plan.as_bytes().to_vec().into());
                call.send().await.map(drop).map_err(|error| CallError::read("PutObject", &address, &error, &nothing))
            }
        }
    }

    async fn delete(&self, place: &Place) -> Result<(), CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        match place {
            Place::Parameter(name) => {
                let call = self.ssm.delete_parameter().name(name).send().await;
                call.map(drop).map_err(|error| CallError::read("DeleteParameter", &address, &error, &nothing))
            }
            Place::Object { bucket, key } => {
                let call = self.s3.delete_object().bucket(bucket).key(key).send().await;
                call.map(drop).map_err(|error| CallError::read("DeleteObject", &address, &error, &nothing))
            }
        }
    }
}

/// A plan in its place. Its sequence rises with every write, so that no extension takes an older one for a newer.
#[derive(Debug)]
pub struct Armed {
    store: Store,
    place: Place,
    plan: Plan,
}

impl Armed {
    /// Puts a plan in force.
    ///
    /// # Errors
    /// Where it does not fit, something else is in its place, or it is not written.
    pub async fn arm(store: Store, journal: &dyn Journal, place: Place, plan: Plan) -> Result<Self, ArmError> {
        let mut armed = Self { store, place, plan };
        let there = armed.store.get_at_last(&armed.place).await;
        if let Some(text) = there.map_err(|cause| ArmError::Call { place: armed.place.address(), cause })? {
            match Plan::read(text.as_bytes()) {
                Ok(there) if there.run == armed.plan.run => armed.plan.sequence = armed.plan.sequence.max(there.sequence + 1),
                _ => return Err(ArmError::Taken { place: armed.place.address(), run: armed.plan.run }),
            }
        }
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

    /// Puts another plan of the same run in its place; its sequence becomes the next one.
    ///
    /// # Errors
    /// Where it is not written; the faults then end with the lease.
    pub async fn replace(&mut self, journal: &dyn Journal, plan: Plan) -> Result<(), ArmError> {
        let sequence = self.plan.sequence.max(plan.sequence.saturating_sub(1));
        self.plan = Plan { sequence, ..plan };
        self.renew(journal).await
    }

    /// Puts a plan without faults in its place: traffic is normal as soon as it is read.
    ///
    /// # Errors
    /// Where it is not written; the faults then end with the lease.
    pub async fn calm(&mut self, journal: &dyn Journal) -> Result<(), ArmError> {
        self.plan.faults.clear();
        self.renew(journal).await
    }

    /// Deletes the plan; one that is not there is as good as deleted.
    ///
    /// # Errors
    /// Where it may still be there.
    pub async fn disarm(self, journal: &dyn Journal) -> Result<(), ArmError> {
        let place = self.place.address();
        let noted = journal.note(&Entry::Disarming { plan: place.clone() });
        noted.map_err(|cause| ArmError::Journal { place: place.clone(), cause })?;
        match self.store.patience.insist(|| self.store.delete(&self.place)).await {
            Err(cause) if cause.meaning != Meaning::Missing => Err(ArmError::Call { place, cause }),
            _ => Ok(()),
        }
    }

    /// Takes up the plan that a run of this name left in a place, so that it can be calmed and deleted; none where there is none of its.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub async fn left_by(store: Store, place: Place, run: &str) -> Result<Option<Self>, ArmError> {
        let there = store.get_at_last(&place).await.map_err(|cause| ArmError::Call { place: place.address(), cause })?;
        let plan = there.and_then(|text| Plan::read(text.as_bytes()).ok()).filter(|plan| plan.run == run);
        Ok(plan.map(|plan| Self { store, place, plan }))
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
        noted.map_err(|cause| ArmError::Journal { place: place.clone(), cause })?;
        let put = self.store.patience.insist(|| self.store.put(&self.place, &text)).await;
        put.map_err(|cause| ArmError::Call { place, cause })
    }
}
