//! API Gateway, as far as the addresses and keys of APIs are read.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::answer::{Answer, Request};

/// The APIs of an account with their usage plans and keys, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Apis {
    /// The stages of each REST API.
    pub rest: BTreeMap<String, Vec<String>>,
    /// The protocol (`HTTP`, `WEBSOCKET`) and the stages of each other API.
    pub others: BTreeMap<String, (String, Vec<String>)>,
    /// The usage plans.
    pub plans: BTreeMap<String, UsagePlan>,
    /// The values of the keys, and whether they are enabled.
    pub keys: BTreeMap<String, (String, bool)>,
}

/// A usage plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UsagePlan {
    /// APIs and stages.
    pub stages: Vec<(String, String)>,
    /// The ids of the keys.
    pub keys: Vec<String>,
}

impl Apis {
    /// The answer to a call of API Gateway; `None` if it is none.
    pub(crate) fn answer(&self, request: &Request<'_>, parts: &[&str]) -> Option<Result<Answer, Answer>> {
        let found = match (request.method, parts) {
            ("GET", ["restapis", id, "stages"]) => self.rest.get(*id).map(|stages| json!({"item": named(stages)})),
            ("GET", ["v2", "apis", id]) => self.others.get(*id).map(|(protocol, _)| json!({"apiId": id, "protocolType": protocol})),
            ("GET", ["v2", "apis", id, "stages"]) => self.others.get(*id).map(|(_, stages)| json!({"items": named(stages)})),
            ("GET", ["usageplans", id]) => self.plans.get(*id).map(|plan| {
                let stages: Vec<_> = plan.stages.iter().map(|(api, stage)| json!({"apiId": api, "stage": stage})).collect();
                json!({"id": id, "apiStages": stages})
            }),
            ("GET", ["usageplans", id, "keys", key]) => {
                let plan = self.plans.get(*id).filter(|plan| plan.keys.iter().any(|one| one == key));
                plan.map(|_| json!({"id": key, "type": "API_KEY"}))
            }
            ("GET", ["apikeys", id]) => self.keys.get(*id).map(|(value, enabled)| {
                // Without being asked for, the value is left out.
                let value = request.parameter("includeValue").filter(|asked| asked == "true").map(|_| value);
                json!({"id": id, "value": value, "enabled": enabled})
            }),
            _ => return None,
        };
        Some(
            found
                .map(|body| Answer::ok(200, body))
                .ok_or_else(|| Answer::refused(404, "NotFoundException", "Invalid identifier specified")),
        )
    }
}

fn named(stages: &[String]) -> Vec<Value> {
    stages.iter().map(|stage| json!({"stageName": stage})).collect()
}
