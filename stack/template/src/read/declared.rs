//! Which module reads which resource. A type that is neither read nor known to have no effect here
//! is a complaint.

use serde_json::{Map, Value};

use super::physical::Kind;
use super::section::Known;
use super::{alarms, buckets, machines, mappings, pools, queues, tables};
use crate::blueprint::{Blueprint, Function, Source};

/// Types that are read elsewhere or have no effect on this machine: permissions, settings that the
/// services get when they start, and what only AWS needs.
const WITHOUT_EFFECT: [&str; 17] = [
    "AWS::ApiGateway::ApiKey",
    "AWS::ApiGateway::UsagePlan",
    "AWS::ApiGateway::UsagePlanKey",
    "AWS::Cognito::UserPoolClient",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::IoT::Thing",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ReceiptRuleSet",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::Serverless::Api",
    "AWS::VerifiedPermissions::Policy",
    "AWS::VerifiedPermissions::PolicyTemplate",
];

/// Reads everything besides functions and routes.
pub(crate) fn read(resources: &Map<String, Value>, functions: Vec<Function>, known: &Known<'_>) -> Blueprint {
    let mut blueprint = Blueprint { functions, ..Blueprint::default() };
    for (resource, declared) in resources {
        let section = known.properties(resource, declared);
        // `Ref` gives the name, except for queues and topics.
        let attribute = |key: &str| known.names.0.get(&format!("{resource}{key}")).cloned().unwrap_or_default();
        // `Ref` of a pool gives its id.
        let pool = |arn: &str| known.arns.name(Kind::UserPool, arn).unwrap_or_else(|_| resource.clone());
        match declared.get("Type").and_then(Value::as_str).unwrap_or_default() {
            "AWS::SQS::Queue" => blueprint.queues.push(queues::read(&section, attribute(".QueueName"))),
            "AWS::S3::Bucket" => blueprint.buckets.push(buckets::read(&section, attribute(""))),
            "AWS::SNS::Topic" => blueprint.topics.push(tables::topic(&section, attribute(".TopicName"))),
            "AWS::DynamoDB::Table" => blueprint.tables.push(tables::read(&section, attribute(""))),
            "AWS::CloudWatch::Alarm" => blueprint.alarms.extend(alarms::read(&section, resource)),
            "AWS::SES::ReceiptRule" => blueprint.receipts.extend(buckets::receipts(&section)),
            "AWS::Serverless::Function" => blueprint.mappings.extend(mappings::read(&section, &attribute(""))),
            "AWS::Cognito::UserPool" => blueprint.pools.push(pools::read(&section, pool(&attribute(".Arn")))),
            "AWS::VerifiedPermissions::PolicyStore" => blueprint.policy_stores.push(resource.clone()),
            "AWS::SES::EmailIdentity" => blueprint.senders.push(section.needed("EmailIdentity")),
            "AWS::Serverless::StateMachine" => blueprint.machines.extend(machines::read(&section, attribute(".Name"))),
            other if WITHOUT_EFFECT.contains(&other) => {}
            other => section.complain("Type", format!("found `{other}`, which is not served here")),
        }
    }
    consistent(&blueprint, known);
    blueprint
}

/// What AWS itself refuses: unknown names, and a queue whose messages become visible again while
/// its function may still be working on them.
fn consistent(blueprint: &Blueprint, known: &Known<'_>) {
    let complain = |key: &str, what: String| known.complaints.borrow_mut().push(faults::Complaint::new(key, what));
    for alarm in blueprint.alarms.iter().filter(|alarm| !blueprint.queues.iter().any(|queue| queue.name == alarm.queue)) {
        complain(&alarm.name, format!("found the queue `{}`, which the template does not declare", alarm.queue));
    }
    for receipt in blueprint.receipts.iter().filter(|receipt| !blueprint.buckets.iter().any(|bucket| bucket.name == receipt.bucket)) {
        complain("AWS::SES::ReceiptRule", format!("found the bucket `{}`, which the template does not declare", receipt.bucket));
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
                    complain(&function.resource, what);
                }
            }
            Source::DataStream { .. } => {}
            Source::Stream { table, .. } => {
                if !blueprint.tables.iter().any(|known| known.name == *table && known.streams.is_some()) {
                    complain(&function.resource, format!("found the table `{table}`, which has no stream"));
                }
            }
        }
    }
}
