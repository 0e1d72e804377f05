//! Where a stack's REST and HTTP APIs are reached, and with which keys.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use run_folder::addresses::Api;
use serde::Deserialize;

use super::error::ResolveError;
use super::resource::{Kind, Resource, Resources};
use crate::call::{CallError, Meaning};
use crate::endpoints::{Endpoints, Service};
use crate::patience::Patience;
use crate::signed::Signed;

/// The stage of an HTTP API that no path names.
const DEFAULT: &str = "$default";

#[derive(Debug, Deserialize)]
struct RestStages {
    #[serde(default)]
    item: Vec<Stage>,
}

/// An API has 10 stages, unless its quota was raised: they come in one page.
#[derive(Debug, Deserialize)]
struct Stages {
    #[serde(default)]
    items: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stage {
    stage_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Protocol {
    protocol_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UsagePlan {
    #[serde(default)]
    api_stages: Vec<PlanStage>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlanStage {
    api_id: String,
    stage: String,
}

/// A key of a usage plan; that the plan has it is all that matters.
#[derive(Debug, Deserialize)]
struct PlanKey {}

/// An API key. It is a credential, so it is never shown.
#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    value: String,
    #[serde(default)]
    enabled: bool,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// Reads APIs.
pub struct Apis<'a> {
    rest: Signed,
    http: Signed,
    patience: Patience,
    endpoints: &'a Endpoints,
    resources: &'a Resources,
}

impl<'a> Apis<'a> {
    /// Calls use `config`.
    pub fn new(config: &SdkConfig, patience: Patience, endpoints: &'a Endpoints, resources: &'a Resources) -> Self {
        let signed = |service| Signed::new(config, service, endpoints.region(), &endpoints.url(service));
        Self { rest: signed(Service::API_GATEWAY), http: signed(Service::API_GATEWAY_V2), patience, endpoints, resources }
    }

    /// All that can be called, by their logical ids.
    ///
    /// # Errors
    /// If it is not clear which stage is meant; the error of the last call.
    pub async fn read(&self) -> Result<BTreeMap<String, Api>, ResolveError> {
        let mut found = BTreeMap::new();
        let keys = if self.resources.of(Kind::RestApi).next().is_some() { self.keys().await? } else { BTreeMap::new() };
        for api in self.resources.of(Kind::RestApi) {
            let Some(stage) = self.rest_stage(api).await? else { continue };
            let key = keys.get(&(api.physical.clone(), stage.clone())).cloned().unwrap_or_default();
            let address = self.address(api, format!("/{stage}"), key)?;
            found.entry(api.logical.clone()).or_insert(address);
        }
        for api in self.resources.of(Kind::Api) {
            let Some(stage) = self.http_stage(api).await? else { continue };
            let stage = if stage == DEFAULT { String::new() } else { format!("/{stage}") };
            let address = self.address(api, stage, String::new())?;
            found.entry(api.logical.clone()).or_insert(address);
        }
        Ok(found)
    }

    fn address(&self, api: &Resource, stage: String, key: String) -> Result<Api, ResolveError> {
        let host = format!("{}.{}", api.physical, self.endpoints.host(Service::EXECUTE_API));
        Ok(Api { address: self.endpoints.address(Service::EXECUTE_API, &host)?, host, stage, key })
    }

    async fn rest_stage(&self, api: &Resource) -> Result<Option<String>, ResolveError> {
        let id = &api.physical;
        let stages: RestStages = self.rest.get(self.patience, "GetStages", id, &format!("/restapis/{id}/stages")).await?;
        choose(api, stages.item, &self.resources.physical(Kind::RestStage))
    }

    /// The stage of an HTTP API; a WebSocket API has none that requests could be sent to.
    async fn http_stage(&self, api: &Resource) -> Result<Option<String>, ResolveError> {
        let id = &api.physical;
        let Protocol { protocol_type } = self.http.get(self.patience, "GetApi", id, &format!("/v2/apis/{id}")).await?;
        if protocol_type != "HTTP" {
            return Ok(None);
        }
        let stages: Stages = self.http.get(self.patience, "GetStages", id, &format!("/v2/apis/{id}/stages")).await?;
        choose(api, stages.items, &self.resources.physical(Kind::Stage))
    }

    /// The stack's own keys, by the API and the stage that they open. The plans may have others, which belong to customers.
    async fn keys(&self) -> Result<BTreeMap<(String, String), String>, CallError> {
        let mut found = BTreeMap::new();
        let own = self.resources.physical(Kind::ApiKey);
        if own.is_empty() {
            return Ok(found);
        }
        for plan in self.resources.physical(Kind::UsagePlan) {
            let UsagePlan { api_stages } = self.rest.get(self.patience, "GetUsagePlan", plan, &format!("/usageplans/{plan}")).await?;
            let Some(value) = self.key_of(plan, &own).await? else { continue };
            for PlanStage { api_id, stage } in api_stages {
                found.entry((api_id, stage)).or_insert_with(|| value.clone());
            }
        }
        Ok(found)
    }

    /// The first of the stack's keys that a usage plan has.
    async fn key_of(&self, plan: &str, own: &[&str]) -> Result<Option<String>, CallError> {
        for key in own {
            let planned: Result<PlanKey, _> =
                self.rest.get(self.patience, "GetUsagePlanKey", plan, &format!("/usageplans/{plan}/keys/{key}")).await;
            match planned {
                Err(error) if error.meaning == Meaning::Missing => continue,
                planned => planned?,
            };
            let Key { value, enabled } =
                self.rest.get(self.patience, "GetApiKey", key, &format!("/apikeys/{key}?includeValue=true")).await?;
            if enabled {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }
}

/// The stage that is called: the one that is declared in the stack, else the API's only one. SAM's REST APIs have a stage `Stage` that nobody
/// declared. An API without a stage cannot be called.
fn choose(api: &Resource, stages: Vec<Stage>, declared: &[&str]) -> Result<Option<String>, ResolveError> {
    let all: Vec<_> = stages.into_iter().map(|stage| stage.stage_name).collect();
    let own: Vec<_> = all.iter().filter(|stage| declared.contains(&stage.as_str())).cloned().collect();
    let candidates = if own.is_empty() { all } else { own };
    match candidates.as_slice() {
        [] => Ok(None),
        [stage] => Ok(Some(stage.clone())),
        several if several.iter().any(|stage| stage == DEFAULT) => Ok(Some(DEFAULT.to_owned())),
        several => {
            let stages = several.iter().map(|stage| format!("`{stage}`")).collect::<Vec<_>>().join(", ");
            Err(ResolveError::Stages { api: api.logical.clone(), stages })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stage_is_the_declared_one_or_the_only_one() {
        let api = Resource { logical: "Api".into(), physical: "a1".into(), kind: Kind::RestApi, depth: 0 };
        for (stages, declared, expected) in [
            (&["prod"][..], &[][..], Some("prod")),
            (&["Stage", "prod"], &["prod"], Some("prod")),
            (&["dev", "$default"], &[], Some("$default")),
            (&["dev", "$default"], &["dev"], Some("dev")),
            (&["dev"], &["prod"], Some("dev")),
            (&[], &["prod"], None),
        ] {
            let all = stages.iter().map(|name| Stage { stage_name: (*name).into() }).collect();
            assert_eq!(choose(&api, all, declared).unwrap().as_deref(), expected, "{stages:?} {declared:?}");
        }
        let all = ["dev", "prod"].map(|name| Stage { stage_name: name.into() }).into();
        let error = choose(&api, all, &["dev", "prod"]).unwrap_err().to_string();
        assert!(error.contains("`Api` has the stages `dev`, `prod`"), "{error}");
    }

    #[test]
    fn a_key_is_never_shown() {
        let key: Key = serde_json::from_str(r#"{"id":"k","value":"hunter2","enabled":true}"#).unwrap();
        assert_eq!((format!("{key:?}").as_str(), key.value.as_str()), ("***", "hunter2"));
    }
}
