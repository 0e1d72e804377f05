//! Which module reads which resource. A type that is neither read nor known to have no effect here
//! is a notice.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::code::{Stored, stored};
use super::section::{Known, Section};
use super::{
    alarms, buckets, data_streams, encryption_keys, functions, machines, mappings, parameters, pools, queues, rules, tables, topics,
};
use crate::apis::Api;
use crate::blueprint::{Blueprint, Source, Target};
use crate::intrinsics::Names;
use crate::sam::tree::{is_intrinsic, kind};

/// Types that have no effect on this machine: permissions, which are not checked, settings that the
/// services get when they start, and what only AWS needs.
const WITHOUT_EFFECT: [&str; 23] = [
    "AWS::ApiGateway::Account",
    "AWS::ApiGateway::Model",
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::WaitConditionHandle",
    "AWS::Cognito::UserPoolClient",
    "AWS::Events::EventBusPolicy",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IoT::Thing",
    "AWS::Lambda::LayerVersionPermission",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::Logs::LogStream",
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ReceiptRuleSet",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::ScheduleGroup",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::Lambda::CodeSigningConfig",
];

/// Types that belong to an API, and are read with it.
const OF_APIS: [&str; 14] = [
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
];

/// The resources of a template, resolved.
pub(crate) struct Resources<'a> {
    plain: &'a BTreeMap<String, Value>,
    declared: &'a Map<String, Value>,
    names: &'a Names,
    pub known: &'a Known<'a>,
}

impl<'a> Resources<'a> {
    pub(crate) fn new(
        plain: &'a BTreeMap<String, Value>,
        declared: &'a Map<String, Value>,
        names: &'a Names,
        known: &'a Known<'a>,
    ) -> Self {
        Self { plain, declared, names, known }
    }

    /// The properties of each resource of a type, with its logical id.
    pub(crate) fn of(&self, wanted: &'static str) -> impl Iterator<Item = (&'a str, Section<'a>)> + use<'a> {
        let (plain, known) = (self.plain, self.known);
        let found = self.declared.iter().filter(move |(_, declared)| kind(declared) == wanted);
        found.map(move |(id, _)| (id.as_str(), known.section(id, plain.get(id))))
    }

    /// A value of a file with everything in it resolved.
    pub(crate) fn resolve(&self, place: &str, value: &Value) -> Value {
        plain(place, value, self.names, self.known)
    }
}

/// A value with every intrinsic resolved; what cannot be resolved is a complaint and `null`.
pub(crate) fn plain(place: &str, value: &Value, names: &Names, known: &Known<'_>) -> Value {
    if is_intrinsic(value) && !value.as_object().is_some_and(|fields| fields.contains_key("Condition")) {
        return names.value(value).map_err(|why| known.complain(place, why)).unwrap_or_default();
    }
    match value {
        Value::Object(fields) => {
            let each = fields.iter().map(|(key, value)| (key.clone(), plain(&format!("{place}.{key}"), value, names, known)));
            Value::Object(each.collect())
        }
        Value::Array(list) => {
            Value::Array(list.iter().enumerate().map(|(n, value)| plain(&format!("{place}[{n}]"), value, names, known)).collect())
        }
        other => other.clone(),
    }
}

/// The properties of all resources that are read, resolved.
pub(crate) fn resolve(resources: &Map<String, Value>, names: &Names, known: &Known<'_>) -> BTreeMap<String, Value> {
    let read = resources.iter().filter(|(_, declared)| !WITHOUT_EFFECT.contains(&kind(declared)));
    let properties = read.filter_map(|(id, declared)| Some((id.clone(), plain(id, declared.get("Properties")?, names, known))));
    properties.collect()
}

/// Reads everything besides APIs.
pub(crate) fn read(resources: &Resources<'_>) -> Blueprint {
    let mut blueprint = Blueprint::default();
    let layers = layers(resources);
    for (id, declared) in resources.declared.iter().filter(|(_, declared)| kind(declared) == "AWS::Lambda::Function") {
        let section = resources.known.section(id, resources.plain.get(id));
        blueprint.functions.extend(functions::read(&section, id, declared, &layers));
    }
    for (id, declared) in resources.declared {
        let section = resources.known.section(id, resources.plain.get(id));
        one(kind(declared), id, &section, &mut blueprint);
    }
    for (_, alias) in resources.of("AWS::KMS::Alias") {
        encryption_keys::alias(&alias, &mut blueprint.encryption_keys);
    }
    blueprint
}

/// The content of each layer of the template, by its ARN.
fn layers(resources: &Resources<'_>) -> BTreeMap<String, Stored> {
    let mut layers = BTreeMap::new();
    for (id, layer) in resources.of("AWS::Lambda::LayerVersion") {
        layer.only(&["LayerName", "Content"], &["CompatibleRuntimes", "CompatibleArchitectures", "Description", "LicenseInfo"]);
        let arn = resources.names.0.get(id).cloned().unwrap_or_default();
        let declared = resources.declared.get(id);
        layers.insert(arn, stored(&layer, "Content", declared).map_or(Stored::Elsewhere, Stored::Path));
    }
    layers
}

fn one(kind: &str, id: &str, section: &Section<'_>, blueprint: &mut Blueprint) {
    let name = || section.known.arns.name(id);
    match kind {
        "AWS::Lambda::Function" | "AWS::Lambda::LayerVersion" => {}
        "AWS::Lambda::Url" => functions::url(section, &mut blueprint.functions),
        "AWS::Lambda::Alias" => functions::alias(section, &mut blueprint.functions),
        "AWS::Lambda::EventInvokeConfig" => functions::asynchronous(section, &mut blueprint.functions),
        "AWS::Lambda::EventSourceMapping" => blueprint.mappings.extend(mappings::read(section)),
        "AWS::SQS::Queue" => blueprint.queues.push(queues::read(section, name())),
        "AWS::S3::Bucket" => blueprint.buckets.push(buckets::read(section, name())),
        "AWS::SNS::Topic" => {
            let (topic, subscriptions) = topics::read(section, name());
            blueprint.topics.push(topic);
            blueprint.subscriptions.extend(subscriptions);
        }
        "AWS::SNS::Subscription" => blueprint.subscriptions.extend(topics::subscription(section)),
        "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => blueprint.tables.extend(tables::read(section, name())),
        "AWS::Kinesis::Stream" => blueprint.data_streams.push(data_streams::read(section, name())),
        "AWS::Events::EventBus" => blueprint.buses.push(rules::bus(section, name())),
        "AWS::Events::Rule" => blueprint.rules.extend(rules::rule(section, name())),
        "AWS::Scheduler::Schedule" => blueprint.rules.extend(rules::scheduled(section, name())),
        "AWS::CloudWatch::Alarm" => blueprint.alarms.extend(alarms::read(section, id)),
        "AWS::SES::ReceiptRule" => blueprint.receipts.extend(buckets::receipts(section)),
        "AWS::Cognito::UserPool" => blueprint.pools.push(pools::read(section, name())),
        "AWS::VerifiedPermissions::PolicyStore" => blueprint.policy_stores.push(id.to_owned()),
        "AWS::VerifiedPermissions::Policy" | "AWS::VerifiedPermissions::PolicyTemplate" => {}
        "AWS::SES::EmailIdentity" => blueprint.senders.push(section.needed("EmailIdentity")),
        "AWS::StepFunctions::StateMachine" => blueprint.machines.extend(machines::read(section, name())),
        "AWS::SSM::Parameter" => blueprint.parameters.push(parameters::parameter(section, name())),
        "AWS::KMS::Key" => blueprint.encryption_keys.push(encryption_keys::read(section, name())),
        "AWS::Logs::LogGroup" => {
            section.only(
                &["LogGroupName"],
                &["RetentionInDays", "KmsKeyId", "LogGroupClass", "DataProtectionPolicy", "FieldIndexPolicies", "Tags"],
            );
            blueprint.log_groups.push(name());
        }
        "AWS::KMS::Alias" => {}
        "AWS::SecretsManager::Secret" => blueprint.secrets.push(parameters::secret(section, name())),
        other if WITHOUT_EFFECT.contains(&other) || OF_APIS.contains(&other) => {}
        "" => section.complain("Type", "found none"),
        other => section.notice("", format!("`{other}` is not served here")),
    }
}

/// Removes what would invoke a function that is not served.
pub(crate) fn prune(blueprint: &mut Blueprint, apis: &mut [Api], known: &Known<'_>) {
    let served: BTreeSet<String> = blueprint.functions.iter().map(|function| function.name.clone()).collect();
    let has = |to: &Target| !matches!(to, Target::Function(name) if !served.contains(name));
    blueprint.mappings.retain(|mapping| served.contains(&mapping.function));
    blueprint.subscriptions.retain(|subscription| has(&subscription.to));
    for bucket in &mut blueprint.buckets {
        bucket.notifies.retain(|notification| has(&notification.to));
    }
    for rule in &mut blueprint.rules {
        rule.targets.retain(|target| has(&target.to));
    }
    blueprint.rules.retain(|rule| !rule.targets.is_empty());
    for pool in &mut blueprint.pools {
        pool.triggers.retain(|_, function| served.contains(function));
    }
    for function in &mut blueprint.functions {
        let destinations = &mut function.asynchronous;
        destinations.on_success = destinations.on_success.take().filter(has);
        destinations.on_failure = destinations.on_failure.take().filter(has);
    }
    for api in apis {
        let before = api.routes.len();
        let missing = |name: Option<&str>| name.is_some_and(|name| !served.contains(name));
        api.authorizers.retain(|_, authorizer| !missing(authorizer.function()));
        let authorizers = &api.authorizers;
        // A method whose authorizer is missing must not be open.
        api.routes.retain(|route| {
            !missing(route.integration.function()) && route.authorizer.as_ref().is_none_or(|name| authorizers.contains_key(name))
        });
        if api.routes.len() < before {
            known.notice(&api.name, format!("{} of its methods need a function that is not served", before - api.routes.len()));
        }
    }
}

/// What AWS itself refuses: unknown names, and a queue whose messages become visible again while
/// its function may still be working on them.
pub(crate) fn consistent(blueprint: &Blueprint, known: &Known<'_>) {
    for alarm in blueprint.alarms.iter().filter(|alarm| !blueprint.queues.iter().any(|queue| queue.name == alarm.queue)) {
        known.complain(&alarm.name, format!("found the queue `{}`, which the template does not declare", alarm.queue));
    }
    for receipt in blueprint.receipts.iter().filter(|receipt| !blueprint.buckets.iter().any(|bucket| bucket.name == receipt.bucket)) {
        known.complain("AWS::SES::ReceiptRule", format!("found the bucket `{}`, which the template does not declare", receipt.bucket));
    }
    for mapping in &blueprint.mappings {
        let Some(function) = blueprint.functions.iter().find(|function| function.name == mapping.function) else { continue };
        match &mapping.source {
            Source::Queue { name, .. } => {
                let queue = blueprint.queues.iter().find(|queue| queue.name == *name);
                if let Some(queue) = queue.filter(|queue| queue.visibility < function.timeout) {
                    let (visibility, timeout) = (queue.visibility.as_secs(), function.timeout.as_secs());
                    let what =
                        format!("found a visibility of {visibility} s in the queue `{name}`, shorter than the timeout of {timeout} s");
                    known.complain(&function.resource, what);
                }
            }
            Source::DataStream { .. } => {}
            Source::Stream { table, .. } => {
                if !blueprint.tables.iter().any(|known| known.name == *table && known.streams.is_some()) {
                    known.complain(&function.resource, format!("found the table `{table}`, which has no stream"));
                }
            }
        }
    }
}
