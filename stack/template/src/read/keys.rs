//! `AWS::ApiGateway::ApiKey`, and the usage plans that assign keys to the stages of APIs. A key
//! without a plan for a stage gives no access there.

use super::declared::Resources;
use super::section::Section;
use crate::apis::ApiKey;

/// The shortest and the longest value of a key. Source: API Gateway API reference, CreateApiKey.
const SHORTEST: usize = 20;
const LONGEST: usize = 128;

/// A key that gives access to a stage.
pub(crate) struct Assigned {
    /// The id of the API.
    pub api: String,
    pub stage: String,
    pub key: ApiKey,
}

/// The keys, each with a stage that it gives access to.
pub(crate) fn read(resources: &Resources<'_>) -> Vec<Assigned> {
    let keys: Vec<_> = resources.of("AWS::ApiGateway::ApiKey").map(|(resource, key)| read_key(resource, &key)).collect();
    let apis: Vec<_> = resources.of("AWS::ApiGateway::RestApi").map(|(id, _)| resources.known.arns.name(id)).collect();
    let plans: Vec<_> = resources.of("AWS::ApiGateway::UsagePlan").map(|(resource, plan)| (resource, stages(&plan, &apis))).collect();
    let mut assigned = Vec::new();
    for (_, join) in resources.of("AWS::ApiGateway::UsagePlanKey") {
        join.only(&["KeyId", "KeyType", "UsagePlanId"], &[]);
        join.one_of("KeyType", &["API_KEY"]);
        let (key_id, plan_id) = (join.needed("KeyId"), join.needed("UsagePlanId"));
        let key = keys.iter().find(|(key, _)| key.id == key_id);
        let plan = plans.iter().find(|(plan, _)| *plan == plan_id);
        if key.is_none() {
            join.complain("KeyId", "must be a `Ref` to an `AWS::ApiGateway::ApiKey` of the template");
        }
        if plan.is_none() {
            join.complain("UsagePlanId", "must be a `Ref` to an `AWS::ApiGateway::UsagePlan` of the template");
        }
        if let (Some((key, true)), Some((_, stages))) = (key, plan) {
            assigned.extend(stages.iter().map(|(api, stage)| Assigned { api: api.clone(), stage: stage.clone(), key: key.clone() }));
        }
    }
    assigned
}

/// A key, and whether it is enabled; the default is disabled.
fn read_key(resource: &str, key: &Section<'_>) -> (ApiKey, bool) {
    key.only(&["Enabled", "Value"], &["Name", "CustomerId", "Description", "GenerateDistinctId", "Tags"]);
    let value = key.text("Value").filter(|text| {
        let valid = (SHORTEST..=LONGEST).contains(&text.len());
        if !valid {
            // The value is not shown: it may be a secret.
            key.complain("Value", format!("a key has {SHORTEST} to {LONGEST} characters"));
        }
        valid
    });
    (ApiKey { id: resource.to_owned(), value }, key.flag("Enabled"))
}

/// The stages that a plan is for: ids of APIs and names.
fn stages(plan: &Section<'_>, apis: &[String]) -> Vec<(String, String)> {
    plan.only(&["ApiStages", "Quota", "Throttle"], &["UsagePlanName", "Description", "Tags"]);
    for key in ["Quota", "Throttle"].into_iter().filter(|key| plan.has(key)) {
        plan.notice(key, "requests are not limited here");
    }
    let stage = |stage: Section<'_>| {
        let api = stage.needed("ApiId");
        if !apis.contains(&api) {
            stage.notice("ApiId", format!("found `{api}`, which is no REST API of the template"));
        }
        (api, stage.needed("Stage"))
    };
    plan.each("ApiStages").into_iter().map(stage).collect()
}
