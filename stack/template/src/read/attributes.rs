//! What `Ref` and `Fn::GetAtt` give for each type. Source: CloudFormation's resource reference,
//! "Return values".

use run_folder::addresses::pool_id;
use serde_json::Value;

use super::physical::Kind;
use crate::account::{ACCOUNT, STREAM_LABEL, function_name, secret_id};
use crate::intrinsics::Names;
use crate::sam::tree::{kind, properties};

/// The attributes of a resource; the empty one is what `Ref` gives. A queue's address names AWS,
/// because an SDK uses its own endpoint and reads only the address's last part.
pub(super) fn attributes(kind: Kind, name: &str, region: &str) -> Vec<(&'static str, String)> {
    let named = name.to_owned();
    let arn = |service: &str, rest: &str| format!("arn:aws:{service}:{region}:{ACCOUNT}:{rest}{name}");
    match kind {
        Kind::Function => vec![("", named), ("Arn", arn("lambda", "function:"))],
        Kind::Queue => {
            let address = format!("https://sqs.{region}.amazonaws.com/{ACCOUNT}/{name}");
            vec![("", address.clone()), ("QueueUrl", address), ("Arn", arn("sqs", "")), ("QueueName", named)]
        }
        Kind::Bucket => vec![
            ("", named),
            ("Arn", format!("arn:aws:s3:::{name}")),
            ("DomainName", format!("{name}.s3.amazonaws.com")),
            ("RegionalDomainName", format!("{name}.s3.{region}.amazonaws.com")),
            ("WebsiteURL", format!("http://{name}.s3-website-{region}.amazonaws.com")),
        ],
        Kind::Machine => {
            let machine = arn("states", "stateMachine:");
            vec![("", machine.clone()), ("Arn", machine), ("Name", named)]
        }
        Kind::Topic => vec![("", arn("sns", "")), ("TopicArn", arn("sns", "")), ("TopicName", named)],
        Kind::UserPool => {
            let id = pool_id(name);
            let provider = format!("cognito-idp.{region}.amazonaws.com/{id}");
            let arn = format!("arn:aws:cognito-idp:{region}:{ACCOUNT}:userpool/{id}");
            let address = format!("https://{provider}");
            vec![("", id.clone()), ("UserPoolId", id), ("ProviderName", provider), ("ProviderURL", address), ("Arn", arn)]
        }
        Kind::PolicyStore => {
            let arn = format!("arn:aws:verifiedpermissions::{ACCOUNT}:policy-store/{name}");
            vec![("", named.clone()), ("PolicyStoreId", named), ("Arn", arn)]
        }
        Kind::Table | Kind::Stream => {
            let table = arn("dynamodb", "table/");
            let stream = format!("{table}/stream/{STREAM_LABEL}");
            vec![("", named.clone()), ("Arn", table), ("StreamArn", stream), ("TableId", named)]
        }
        Kind::DataStream => vec![("", named), ("Arn", arn("kinesis", "stream/"))],
        Kind::Bus => vec![("", named.clone()), ("Name", named), ("Arn", arn("events", "event-bus/"))],
        Kind::Rule => vec![("", named), ("Arn", arn("events", "rule/"))],
        Kind::Schedule => vec![("", named), ("Arn", arn("scheduler", "schedule/default/"))],
        Kind::RestApi => vec![("", named.clone()), ("RestApiId", named), ("RootResourceId", format!("{name}-root"))],
        Kind::HttpApi => {
            let address = format!("https://{name}.execute-api.{region}.amazonaws.com");
            vec![("", named.clone()), ("ApiId", named), ("ApiEndpoint", address)]
        }
        Kind::Parameter => vec![("", named)],
        Kind::Secret => {
            let arn = format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{}", secret_id(name));
            vec![("", arn.clone()), ("Id", arn.clone()), ("Arn", arn)]
        }
        Kind::Role => vec![("", named.clone()), ("Arn", format!("arn:aws:iam::{ACCOUNT}:role/{name}")), ("RoleId", named)],
        Kind::LogGroup => vec![("", named), ("Arn", format!("{}:*", arn("logs", "log-group:")))],
        Kind::Key => vec![("", named.clone()), ("KeyId", named), ("Arn", arn("kms", "key/"))],
    }
}

/// The attributes of types that have no name of their own, and of those that are not served: their
/// logical id. Functions must have their names already.
pub(super) fn dependent(resource: &str, declared: &Value, names: &Names, region: &str) -> Vec<(&'static str, String)> {
    let said = |key: &str| properties(declared).and_then(|fields| fields.get(key)).and_then(|value| names.text(value).ok());
    let function = |key: &str| {
        let text = said(key).unwrap_or_default();
        format!("arn:aws:lambda:{region}:{ACCOUNT}:function:{}", function_name(&text))
    };
    let id = resource.to_owned();
    match kind(declared) {
        "AWS::Lambda::Version" => {
            let arn = format!("{}:1", function("FunctionName"));
            vec![("", arn.clone()), ("FunctionArn", arn), ("Version", "1".to_owned())]
        }
        "AWS::Lambda::Alias" => {
            let name = said("Name").unwrap_or(id);
            let arn = format!("{}:{name}", function("FunctionName"));
            vec![("", arn.clone()), ("AliasArn", arn), ("Name", name)]
        }
        "AWS::Lambda::Url" => {
            let arn = function("TargetFunctionArn");
            let address = format!("https://{}.lambda-url.{region}.on.aws/", resource.to_lowercase());
            vec![("", arn.clone()), ("FunctionArn", arn), ("FunctionUrl", address)]
        }
        "AWS::Lambda::LayerVersion" => {
            let arn = format!("arn:aws:lambda:{region}:{ACCOUNT}:layer:{}:1", said("LayerName").unwrap_or(id));
            vec![("", arn.clone()), ("LayerVersionArn", arn)]
        }
        "AWS::ApiGateway::Stage" | "AWS::ApiGatewayV2::Stage" => vec![("", said("StageName").unwrap_or(id))],
        "AWS::SES::EmailIdentity" => vec![("", said("EmailIdentity").unwrap_or(id))],
        "AWS::IAM::ManagedPolicy" => {
            let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{}", said("ManagedPolicyName").unwrap_or(id));
            vec![("", arn.clone()), ("PolicyArn", arn)]
        }
        "AWS::SNS::Subscription" => vec![("", said("TopicArn").map_or(id, |topic| format!("{topic}:{resource}")))],
        "AWS::CloudWatch::Alarm" => {
            let name = said("AlarmName").unwrap_or(id);
            vec![("", name.clone()), ("Arn", format!("arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:{name}"))]
        }
        _ => {
            let ids = ["", "Id", "ResourceId", "AuthorizerId", "DeploymentId", "APIKeyId", "PolicyId", "PolicyTemplateId", "Name"];
            ids.into_iter()
                .map(|attribute| (attribute, id.clone()))
                .chain([("Arn", format!("arn:aws:other:{region}:{ACCOUNT}:{resource}"))])
                .collect()
        }
    }
}
