//! A deployed stack on the control plane: a bit of everything, and a nested stack.

#![allow(dead_code, reason = "each test uses its part")]

use control_plane::{ACCOUNT, Configuration, ControlPlane, Function, LayerVersion, REGION, Stack, StackResource, UsagePlan, UserPool};
use protocol::Resolve;
use serde_json::json;

/// The ARN of a version of brownout's layer. 4 is the newest for x86_64, 5 for arm64.
pub fn layer(version: u32) -> String {
    format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:brownout:{version}")
}

/// The ARN of a function.
pub fn function_arn(name: &str) -> String {
    control_plane::arn_of(name)
}

/// The stack, with these functions.
pub fn ask(functions: &[&str]) -> Resolve {
    let functions = functions.iter().map(|name| (*name).to_owned()).collect();
    Resolve { stack: "clinic-dev".into(), region: None, layer: None, functions }
}

/// The account that has it.
pub fn plane() -> ControlPlane {
    let mut plane = ControlPlane { broker: format!("broker-ats.iot.{REGION}.amazonaws.com"), ..ControlPlane::default() };
    for (version, architecture) in [(2, "x86_64"), (4, "x86_64"), (5, "arm64")] {
        plane.layers.insert(layer(version), LayerVersion::on(&[architecture]));
    }
    // Another layer, whose name begins with the same word.
    plane.layers.insert(layer(9).replace("brownout", "brownout-old"), LayerVersion::default());
    plane.add(Function::new(Configuration::new("authorizer")));
    let mut pruner = Configuration::new("clinic-dev-Pruner-1A");
    pruner.layers = vec![layer(1), format!("arn:aws:lambda:{REGION}:{ACCOUNT}:layer:tracing:2")];
    pruner.others.insert("LoggingConfig".into(), json!({"LogFormat": "Text", "LogGroup": "/clinic/pruner"}));
    plane.add(Function::new(pruner));
    apis(&mut plane);
    let clients = ["client-by-hand", "client-of-the-stack"].map(str::to_owned).into();
    plane.pools.insert("eu-central-1_Internal".into(), UserPool { name: "clinic-internal".into(), clients });
    stacks(&mut plane);
    plane
}

fn apis(plane: &mut ControlPlane) {
    let stages = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    plane.apis.rest = [("rest1".to_owned(), stages(&["Stage", "dev"])), ("rest2".to_owned(), stages(&["prod"]))].into();
    plane.apis.others = [
        ("http1".to_owned(), ("HTTP".to_owned(), stages(&["$default"]))),
        ("socket1".to_owned(), ("WEBSOCKET".to_owned(), stages(&["prod"]))),
    ]
    .into();
    let plan = UsagePlan { stages: vec![("rest2".into(), "prod".into())], keys: stages(&["customer", "key1"]) };
    plane.apis.plans.insert("plan1".into(), plan);
    plane.apis.keys.insert("key1".into(), ("the-stacks-key".into(), true));
    plane.apis.keys.insert("customer".into(), ("a-customers-key".into(), true));
}

fn stacks(plane: &mut ControlPlane) {
    let inner = Stack::new(
        "clinic-dev-Inner-1C",
        &[
            ("InnerQueue", "AWS::SQS::Queue", "https://sqs.eu-central-1.amazonaws.com/123456789012/inner"),
            ("Shared", "AWS::SQS::Queue", "inner"),
        ],
    );
    let mut outer = Stack::new(
        "clinic-dev",
        &[
            ("Inner", "AWS::CloudFormation::Stack", &inner.arn()),
            ("AuthorizerFunction", "AWS::Lambda::Function", "authorizer"),
            ("PrunerFunction", "AWS::Lambda::Function", "clinic-dev-Pruner-1A"),
            ("AppointmentsTable", "AWS::DynamoDB::Table", "clinic-dev-AppointmentsTable-1B"),
            ("ClinicApi", "AWS::ApiGateway::RestApi", "rest1"),
            ("ClinicApidevStage", "AWS::ApiGateway::Stage", "dev"),
            ("AuditApi", "AWS::ApiGateway::RestApi", "rest2"),
            ("AuditApiprodStage", "AWS::ApiGateway::Stage", "prod"),
            ("AuditPlan", "AWS::ApiGateway::UsagePlan", "plan1"),
            ("AuditKey", "AWS::ApiGateway::ApiKey", "key1"),
            ("WebApi", "AWS::ApiGatewayV2::Api", "http1"),
            ("WebApiStage", "AWS::ApiGatewayV2::Stage", "$default"),
            ("SocketApi", "AWS::ApiGatewayV2::Api", "socket1"),
            ("InternalPool", "AWS::Cognito::UserPool", "eu-central-1_Internal"),
            ("InternalClient", "AWS::Cognito::UserPoolClient", "client-of-the-stack"),
            ("Thing", "AWS::IoT::Thing", "Thermostat1"),
            ("Shared", "AWS::SQS::Queue", "outer"),
        ],
    );
    let other = |logical: &str, physical: Option<&str>, status: &str| StackResource {
        logical: logical.into(),
        physical: physical.map(str::to_owned),
        kind: "AWS::SQS::Queue".into(),
        status: status.into(),
    };
    outer.resources.push(other("Removed", Some("removed"), "DELETE_COMPLETE"));
    outer.resources.push(other("NotYet", None, "CREATE_FAILED"));
    plane.stacks.extend([outer, inner]);
}
