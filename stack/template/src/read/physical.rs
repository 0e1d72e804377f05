//! The physical names and ARNs of resources, so that others can refer to them, and the way back
//! from an ARN to its resource. What `Ref` and `Fn::GetAtt` give is in `attributes.rs`.

use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use run_folder::addresses::{APP, client_id, pool_id};
use serde_json::{Map, Value, json};

use super::attributes::{attributes, dependent};
use crate::account::{REGION, function_name};
use crate::blueprint::Target;
use crate::intrinsics::Names;
use crate::sam::tree::{kind, properties};

/// The kinds of resources that have a name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    Queue,
    Bucket,
    Topic,
    Table,
    /// A table's stream; its name is the table's.
    Stream,
    DataStream,
    Machine,
    UserPool,
    PolicyStore,
    Bus,
    Rule,
    Schedule,
    RestApi,
    HttpApi,
    Parameter,
    Secret,
    Role,
    LogGroup,
    Key,
}

impl Kind {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Queue => "queue",
            Self::Bucket => "bucket",
            Self::Topic => "topic",
            Self::Table => "table",
            Self::Stream => "stream of a table",
            Self::DataStream => "data stream",
            Self::Machine => "state machine",
            Self::UserPool => "user pool",
            Self::PolicyStore => "policy store",
            Self::Bus => "event bus",
            Self::Rule => "rule",
            Self::Schedule => "schedule",
            Self::RestApi => "REST API",
            Self::HttpApi => "HTTP API",
            Self::Parameter => "parameter",
            Self::Secret => "secret",
            Self::Role => "role",
            Self::LogGroup => "log group",
            Self::Key => "key",
        }
    }

    /// The kind of a resource type, and the property with its name; some have none.
    pub(crate) fn of(resource_type: &str) -> Option<(Self, &'static str)> {
        Some(match resource_type {
            "AWS::Lambda::Function" => (Self::Function, "FunctionName"),
            "AWS::SQS::Queue" => (Self::Queue, "QueueName"),
            "AWS::S3::Bucket" => (Self::Bucket, "BucketName"),
            "AWS::SNS::Topic" => (Self::Topic, "TopicName"),
            "AWS::DynamoDB::Table" | "AWS::DynamoDB::GlobalTable" => (Self::Table, "TableName"),
            "AWS::Kinesis::Stream" => (Self::DataStream, "Name"),
            "AWS::StepFunctions::StateMachine" => (Self::Machine, "StateMachineName"),
            "AWS::Cognito::UserPool" => (Self::UserPool, "UserPoolName"),
            "AWS::VerifiedPermissions::PolicyStore" => (Self::PolicyStore, ""),
            "AWS::Events::EventBus" => (Self::Bus, "Name"),
            "AWS::Events::Rule" => (Self::Rule, "Name"),
            "AWS::Scheduler::Schedule" => (Self::Schedule, "Name"),
            "AWS::ApiGateway::RestApi" => (Self::RestApi, ""),
            "AWS::ApiGatewayV2::Api" => (Self::HttpApi, ""),
            "AWS::SSM::Parameter" => (Self::Parameter, "Name"),
            "AWS::SecretsManager::Secret" => (Self::Secret, "Name"),
            "AWS::IAM::Role" => (Self::Role, "RoleName"),
            "AWS::Logs::LogGroup" => (Self::LogGroup, "LogGroupName"),
            "AWS::KMS::Key" => (Self::Key, ""),
            _ => return None,
        })
    }

    /// What gets events, if this kind can.
    pub(crate) fn target(self, name: String) -> Option<Target> {
        Some(match self {
            Self::Function => Target::Function(name),
            Self::Queue => Target::Queue(name),
            Self::Topic => Target::Topic(name),
            Self::Bus => Target::Bus(name),
            Self::Bucket => Target::Bucket(name),
            Self::DataStream => Target::DataStream(name),
            Self::Machine => Target::Machine(name),
            _ => return None,
        })
    }
}

/// The ARNs of a template's own resources, and the names by logical id.
#[derive(Debug, Default)]
pub(crate) struct Arns {
    by_arn: BTreeMap<String, (Kind, String)>,
    by_id: BTreeMap<String, String>,
}

impl Arns {
    /// The resource with this ARN; a function also by the ARN of a version or an alias.
    pub(crate) fn target(&self, arn: &str) -> Option<(Kind, String)> {
        let exact = self.by_arn.get(arn).cloned();
        exact.or_else(|| Some((Kind::Function, self.function(arn).filter(|_| arn.contains(":function:"))?)))
    }

    /// The name of a function of the template, from a name, an ARN, or an address for API Gateway.
    pub(crate) fn function(&self, text: &str) -> Option<String> {
        let text = text.split_once("/functions/").map_or(text, |(_, arn)| arn);
        let name = function_name(text.trim_end_matches("/invocations").trim_end_matches("/response-streaming-invocations"));
        let functions = || self.by_arn.values().filter(|(kind, _)| *kind == Kind::Function);
        functions().any(|(_, known)| known == name).then(|| name.to_owned())
    }

    /// The name of a resource.
    pub(crate) fn name(&self, id: &str) -> String {
        self.by_id.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}

/// The binary that a function is built from.
pub(crate) fn binary(declared: &Value) -> Option<&str> {
    declared.get("Metadata")?.get("BuildProperties")?.get("Binary")?.as_str()
}

/// Adds every resource's name, ARN and attributes to `names`.
pub(crate) fn name_all(resources: &Map<String, Value>, names: &mut Names, complaints: &mut Vec<Complaint>) -> Arns {
    let region = names.0.get("AWS::Region").map_or(REGION, String::as_str).to_owned();
    let mut arns = Arns::default();
    let mut api_ids = BTreeSet::new();
    for (resource, declared) in resources {
        let Some((kind, property)) = Kind::of(kind(declared)) else { continue };
        let said = properties(declared).and_then(|fields| fields.get(property)).filter(|name| !name.is_null());
        let name = match said {
            Some(name) => names.text(name).unwrap_or_else(|why| {
                complaints.push(Complaint::new(format!("{resource}.{property}"), why));
                resource.clone()
            }),
            None if matches!(kind, Kind::RestApi | Kind::HttpApi) => api_id(resource, &mut api_ids),
            None => unnamed(kind, resource, declared, names),
        };
        for (attribute, value) in attributes(kind, &name, &region) {
            let key = if attribute.is_empty() { resource.clone() } else { format!("{resource}.{attribute}") };
            if let (Some(kind), true) = (kind_of(kind, attribute), value.starts_with("arn:"))
                && arns.by_arn.insert(value.clone(), (kind, name.clone())).is_some()
                && attribute == "Arn"
            {
                complaints.push(Complaint::new(format!("{resource}.{property}"), format!("found `{name}`, which another resource has")));
            }
            names.0.insert(key, value);
        }
        arns.by_id.insert(resource.clone(), name);
    }
    for (resource, declared) in resources.iter().filter(|(_, declared)| Kind::of(kind(declared)).is_none()) {
        for (attribute, value) in dependent(resource, declared, names, &region) {
            let key = if attribute.is_empty() { resource.clone() } else { format!("{resource}.{attribute}") };
            names.0.insert(key, value);
        }
    }
    arns.by_arn.insert(format!("arn:aws:events:{region}:{}:event-bus/default", crate::account::ACCOUNT), (Kind::Bus, "default".to_owned()));
    name_clients(resources, names, complaints);
    arns
}

/// The ids of the pools' clients, once the pools have theirs. A pool has one client here.
fn name_clients(resources: &Map<String, Value>, names: &mut Names, complaints: &mut Vec<Complaint>) {
    let mut pools = BTreeSet::new();
    for (resource, declared) in
        resources.iter().filter(|(_, declared)| declared.get("Type") == Some(&json!("AWS::Cognito::UserPoolClient")))
    {
        let key = format!("{resource}.UserPoolId");
        let pool = declared.get("Properties").and_then(|properties| properties.get("UserPoolId")).unwrap_or(&Value::Null);
        match names.text(pool) {
            Ok(pool) => {
                if !pools.insert(pool.clone()) {
                    complaints.push(Complaint::new(key, format!("`{pool}` has another client, one is served here")));
                }
                let client = client_id(pool.trim_start_matches(&pool_id("")), APP);
                names.0.insert(format!("{resource}.ClientId"), client.clone());
                names.0.insert(resource.clone(), client);
            }
            Err(why) => complaints.push(Complaint::new(key, why)),
        }
    }
}

/// The name of a resource that declares none: a function has its binary's name, others the caller's
/// choice or their logical id, in the spelling that the service demands.
fn unnamed(kind: Kind, resource: &str, declared: &Value, names: &Names) -> String {
    let fifo = |key: &str| properties(declared).and_then(|fields| fields.get(key)).is_some_and(|on| on == true || on == "true");
    let said = match kind {
        Kind::Function => binary(declared).map(str::to_owned),
        // Source: S3 user guide, bucket naming rules: lower case.
        Kind::Bucket => Some(names.0.get(resource).cloned().unwrap_or_else(|| resource.to_lowercase())),
        Kind::Table => names.0.get(resource).cloned(),
        // Source: SQS and SNS developer guides: the name of a FIFO queue or topic ends in `.fifo`.
        Kind::Queue if fifo("FifoQueue") => Some(format!("{resource}.fifo")),
        Kind::Topic if fifo("FifoTopic") => Some(format!("{resource}.fifo")),
        _ => None,
    };
    said.unwrap_or_else(|| resource.to_owned())
}

/// The id of an API: ten characters from its logical id, and from its hash where two begin alike.
fn api_id(resource: &str, taken: &mut BTreeSet<String>) -> String {
    let letters: String = resource.to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(10).collect();
    let mut id = letters.clone();
    // FNV-1a: the same id on every machine.
    let mut hash = resource.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    while !taken.insert(id.clone()) {
        id = letters.chars().take(4).chain(format!("{:06x}", hash & 0xff_ffff).chars()).collect();
        hash = hash.wrapping_add(1);
    }
    id
}

/// The kind of resource that an attribute with an ARN names.
fn kind_of(kind: Kind, attribute: &str) -> Option<Kind> {
    match attribute {
        "Arn" => Some(kind),
        "TopicArn" => Some(Kind::Topic),
        "StreamArn" => Some(Kind::Stream),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_apis_differ_even_where_their_names_begin_alike() {
        let mut taken = BTreeSet::new();
        assert_eq!(api_id("ClinicApi", &mut taken), "clinicapi");
        assert_eq!(api_id("ServerlessRestApi", &mut taken), "serverless");
        let other = api_id("ServerlessHttpApi", &mut taken);
        assert!(other.starts_with("serv") && other.len() == 10, "{other}");
    }
}
