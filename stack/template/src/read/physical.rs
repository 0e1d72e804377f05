//! The physical names and ARNs of resources, so that others can refer to them, and the way back
//! from an ARN to its resource.

use std::collections::{BTreeMap, BTreeSet};

use faults::Complaint;
use run_folder::addresses::{APP, client_id, pool_id};
use serde_json::{Map, Value, json};

use crate::account::{ACCOUNT, REGION};
use crate::intrinsics::Names;

/// The kinds of resources that an ARN may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Function,
    Queue,
    Bucket,
    Topic,
    Table,
    /// A table's stream; its name is the table's.
    Stream,
    Machine,
    UserPool,
    PolicyStore,
}

impl Kind {
    const fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Queue => "queue",
            Self::Bucket => "bucket",
            Self::Topic => "topic",
            Self::Table => "table",
            Self::Stream => "stream of a table",
            Self::Machine => "state machine",
            Self::UserPool => "user pool",
            Self::PolicyStore => "policy store",
        }
    }

    /// The kind of a resource type, and the property with its name; a policy store has none.
    fn of(resource_type: &str) -> Option<(Self, &'static str)> {
        Some(match resource_type {
            "AWS::Serverless::Function" => (Self::Function, "FunctionName"),
            "AWS::SQS::Queue" => (Self::Queue, "QueueName"),
            "AWS::S3::Bucket" => (Self::Bucket, "BucketName"),
            "AWS::SNS::Topic" => (Self::Topic, "TopicName"),
            "AWS::DynamoDB::Table" => (Self::Table, "TableName"),
            "AWS::Serverless::StateMachine" => (Self::Machine, "Name"),
            "AWS::Cognito::UserPool" => (Self::UserPool, "UserPoolName"),
            "AWS::VerifiedPermissions::PolicyStore" => (Self::PolicyStore, ""),
            _ => return None,
        })
    }
}

/// The ARNs of a template's own resources.
#[derive(Debug, Default)]
pub(crate) struct Arns(BTreeMap<String, (Kind, String)>);

impl Arns {
    /// The name of the resource with this ARN.
    pub(crate) fn name(&self, kind: Kind, arn: &str) -> Result<String, String> {
        match self.0.get(arn) {
            Some((found, name)) if *found == kind => Ok(name.clone()),
            _ => Err(format!("found `{arn}`, which is no {} of the template", kind.word())),
        }
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
    for (resource, declared) in resources {
        let Some((kind, property)) = declared.get("Type").and_then(Value::as_str).and_then(Kind::of) else { continue };
        let name = match declared.get("Properties").and_then(|properties| properties.get(property)) {
            Some(name) => names.text(name).unwrap_or_else(|why| {
                complaints.push(Complaint::new(format!("{resource}.{property}"), why));
                resource.clone()
            }),
            None => unnamed(kind, resource, declared, names),
        };
        for (attribute, value) in attributes(kind, &name, &region) {
            let key = if attribute.is_empty() { resource.clone() } else { format!("{resource}.{attribute}") };
            if let (Some(kind), true) = (kind_of(kind, attribute), value.starts_with("arn:"))
                && arns.0.insert(value.clone(), (kind, name.clone())).is_some()
                && attribute == "Arn"
            {
                complaints.push(Complaint::new(format!("{resource}.{property}"), format!("found `{name}`, which another resource has")));
            }
            names.0.insert(key, value);
        }
    }
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
/// choice or their logical id.
fn unnamed(kind: Kind, resource: &str, declared: &Value, names: &Names) -> String {
    let said = match kind {
        Kind::Function => binary(declared).map(str::to_owned),
        Kind::Bucket | Kind::Table => names.0.get(resource).cloned(),
        Kind::Queue | Kind::Topic | Kind::Stream | Kind::Machine | Kind::UserPool | Kind::PolicyStore => None,
    };
    said.unwrap_or_else(|| resource.to_owned())
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

/// The attributes of a resource; the empty one is what `Ref` gives. A queue's address names AWS,
/// because an SDK uses its own endpoint and reads only the address's last part.
fn attributes(kind: Kind, name: &str, region: &str) -> Vec<(&'static str, String)> {
    let named = name.to_owned();
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:{ACCOUNT}:{rest}{name}");
    match kind {
        Kind::Function => vec![("", named), ("Arn", arn("lambda", "function:"))],
        Kind::Queue => {
            let address = format!("https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}");
            vec![("", address.clone()), ("QueueUrl", address), ("Arn", arn("sqs", "")), ("QueueName", named)]
        }
        Kind::Bucket => vec![("", named), ("Arn", format!("arn:aws:s3:::{name}"))],
        Kind::Machine => {
            let machine = arn("states", "stateMachine:");
            vec![("", machine.clone()), ("Arn", machine), ("Name", named)]
        }
        Kind::Topic => vec![("", arn("sns", "")), ("TopicArn", arn("sns", "")), ("TopicName", named)],
        Kind::UserPool => {
            let id = pool_id(name);
            let provider = format!("cognito-idp.{region}.amazonaws.com/{id}");
            let arn = format!("arn:aws:cognito-idp:{region}:{ACCOUNT}:userpool/{id}");
            vec![("", id.clone()), ("UserPoolId", id), ("ProviderName", provider), ("Arn", arn)]
        }
        Kind::PolicyStore => {
            let arn = format!("arn:aws:verifiedpermissions::{ACCOUNT}:policy-store/{name}");
            vec![("", named.clone()), ("PolicyStoreId", named), ("Arn", arn)]
        }
        Kind::Table | Kind::Stream => {
            let table = arn("dynamodb", "table/");
            let stream = format!("{table}/stream/2026-01-01T00:00:00.000");
            vec![("", named), ("Arn", table), ("StreamArn", stream)]
        }
    }
}
