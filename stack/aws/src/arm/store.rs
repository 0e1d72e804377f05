//! The services that store plans: one read, one conditional write, one deletion.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};
use faults::Plan;

use super::{ArmError, Place};
use crate::call::{CallError, Meaning};
use crate::journal::{Entry, Journal};
use crate::patience::Patience;
use crate::secret::Variables;

/// What is stored in a place.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) text: String,
    /// A parameter's version, or an object's tag.
    pub(super) revision: String,
}

/// The services that store plans.
#[derive(Debug, Clone)]
pub struct Store {
    ssm: aws_sdk_ssm::Client,
    s3: aws_sdk_s3::Client,
    patience: Patience,
}

impl Store {
    /// Calls use `config`, without the SDK's own retries and with a timeout of 5 s, and are retried
    /// for as long as `patience` says.
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(5)).build();
        let ssm = aws_sdk_ssm::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts.clone());
        let s3 = aws_sdk_s3::config::Builder::from(config).retry_config(RetryConfig::disabled()).timeout_config(timeouts);
        // Servers other than AWS's own have no host name for each bucket.
        let s3 = s3.force_path_style(config.endpoint_url().is_some());
        Self { ssm: aws_sdk_ssm::Client::from_conf(ssm.build()), s3: aws_sdk_s3::Client::from_conf(s3.build()), patience }
    }

    /// The same store with another patience.
    #[must_use]
    pub fn with(&self, patience: Patience) -> Self {
        Self { patience, ..self.clone() }
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    pub(super) async fn get(&self, place: &Place) -> Result<Option<Written>, CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        let answer = match place {
            Place::Parameter(name) => match self.ssm.get_parameter().name(name).send().await {
                Ok(read) => Ok(read.parameter.and_then(|it| Some(Written { revision: it.version.to_string(), text: it.value? }))),
                Err(error) => Err(CallError::read("GetParameter", &address, &error, &nothing)),
            },
            Place::Object { bucket, key } => match self.s3.get_object().bucket(bucket).key(key).send().await {
                Ok(read) => {
                    let revision = read.e_tag().unwrap_or_default().to_owned();
                    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
                    let body = read.body.collect().await.map_err(|_| CallError::cut_short("GetObject", &address))?;
                    Ok(Some(Written { revision, text: text(body.to_vec()) }))
                }
                Err(error) => Err(CallError::read("GetObject", &address, &error, &nothing)),
            },
        };
        match answer {
            Err(error) if error.meaning == Meaning::Missing => Ok(None),
            answer => answer,
        }
    }

    /// The plan that is in a place now; `None` if there is no plan, or something else.
    ///
    /// # Errors
    /// The error of the call.
    pub async fn plan(&self, place: &Place) -> Result<Option<Plan>, CallError> {
        Ok(self.get(place).await?.and_then(|there| Plan::read(there.text.as_bytes()).ok()))
    }

    pub(super) async fn get_at_last(&self, place: &Place) -> Result<Option<Written>, CallError> {
        self.patience.insist(|| self.get(place)).await
    }

    /// Writes to an empty place, or over the revision `before`, and returns the new revision. SSM
    /// does not check `before`; the version number that it returns shows whether another write came
    /// between.
    pub(super) async fn put(&self, place: &Place, plan: &str, before: Option<&str>) -> Result<String, CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        match place {
            Place::Parameter(name) => {
                let call = self.ssm.put_parameter().name(name).value(plan).r#type(ParameterType::String).overwrite(before.is_some());
                // An advanced parameter never becomes a standard one again; this tier accepts both.
                let put = call.tier(ParameterTier::IntelligentTiering).send().await;
                let put = put.map_err(|error| CallError::read("PutParameter", &address, &error, &nothing))?;
                Ok(put.version().to_string())
            }
            Place::Object { bucket, key } => {
                let call = self.s3.put_object().bucket(bucket).key(key).body(plan.as_bytes().to_vec().into());
                let call = match before {
                    Some(before) => call.if_match(before),
                    None => call.if_none_match("*"),
                };
                let put = call.send().await.map_err(|error| CallError::read("PutObject", &address, &error, &nothing))?;
                Ok(put.e_tag().unwrap_or_default().to_owned())
            }
        }
    }

    pub(super) async fn delete(&self, place: &Place) -> Result<(), CallError> {
        let (nothing, address) = (Variables::default(), place.address());
        let deleted = match place {
            Place::Parameter(name) => {
                let call = self.ssm.delete_parameter().name(name).send().await;
                call.map(drop).map_err(|error| CallError::read("DeleteParameter", &address, &error, &nothing))
            }
            Place::Object { bucket, key } => {
                let call = self.s3.delete_object().bucket(bucket).key(key).send().await;
                call.map(drop).map_err(|error| CallError::read("DeleteObject", &address, &error, &nothing))
            }
        };
        match deleted {
            Err(error) if error.meaning == Meaning::Missing => Ok(()),
            deleted => deleted,
        }
    }

    /// Deletes what is in a place.
    ///
    /// # Errors
    /// If it may still be there.
    pub async fn clear(&self, journal: &dyn Journal, place: &Place) -> Result<(), ArmError> {
        let noted = journal.note(&Entry::Disarming { plan: place.address() });
        noted.map_err(|cause| ArmError::Journal { place: place.address(), cause })?;
        let deleted = self.patience.insist(|| self.delete(place)).await;
        deleted.map_err(|cause| ArmError::Call { place: place.address(), cause })
    }

    /// Deletes what a run left in a place: its plan, or, if the place is named after the run,
    /// anything that is there.
    ///
    /// # Errors
    /// If it may still be there.
    pub async fn clear_of(&self, journal: &dyn Journal, place: &Place, run: &str) -> Result<(), ArmError> {
        let there = self.get_at_last(place).await.map_err(|cause| ArmError::Call { place: place.address(), cause })?;
        let Some(there) = there else { return Ok(()) };
        let is_its_plan = Plan::read(there.text.as_bytes()).is_ok_and(|plan| plan.run == run);
        if is_its_plan || place.is_named_after(run) { self.clear(journal, place).await } else { Ok(()) }
    }
}
