//! A small stack in moto, and one nested in it. moto knows no user pools in stacks, and no physical
//! ids of IoT.

use aws::Patience;
use aws::named_stack::{ResolveError, resolve};
use aws_config::SdkConfig;
use protocol::Resolve;
use serde_json::{Value, json};

fn inner() -> Value {
    json!({"Resources": {"InnerQueue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "inner"}}}})
}

fn outer() -> Value {
    let trust = json!({"Version": "2012-10-17", "Statement": []});
    json!({"Resources": {
        "Inner": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://templates.s3.amazonaws.com/inner.json"}},
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": trust}},
        "AuthorizerFunction": {"Type": "AWS::Lambda::Function", "Properties": {
            "Runtime": "python3.13", "Handler": "app.handler", "Timeout": 7, "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"ZipFile": "x = 1"},
        }},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "clinic"}},
        "Path": {"Type": "AWS::ApiGateway::Resource", "Properties": {
            "RestApiId": {"Ref": "Api"}, "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]}, "PathPart": "appointments",
        }},
        "Get": {"Type": "AWS::ApiGateway::Method", "Properties": {
            "RestApiId": {"Ref": "Api"}, "ResourceId": {"Ref": "Path"}, "HttpMethod": "GET", "AuthorizationType": "NONE",
            "Integration": {"Type": "HTTP_PROXY", "IntegrationHttpMethod": "GET", "Uri": "http://example.com"},
        }},
        "Deployment": {"Type": "AWS::ApiGateway::Deployment", "DependsOn": "Get", "Properties": {"RestApiId": {"Ref": "Api"}, "StageName": "dev"}},
    }})
}

async fn deploy(config: &SdkConfig) {
    let path_style = aws_sdk_s3::config::Builder::from(config).force_path_style(true).build();
    let s3 = aws_sdk_s3::Client::from_conf(path_style);
    let bucket = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("eu-central-1".into()).build();
    s3.create_bucket().bucket("templates").create_bucket_configuration(bucket).send().await.unwrap();
    s3.put_object().bucket("templates").key("inner.json").body(inner().to_string().into_bytes().into()).send().await.unwrap();
    let cloudformation = aws_sdk_cloudformation::Client::new(config);
    cloudformation.create_stack().stack_name("clinic-dev").template_body(outer().to_string()).send().await.unwrap();
}

/// Deploys a stack and looks it up; `layer` is the account's newest.
pub async fn is_looked_up(config: &SdkConfig, patience: Patience, layer: &str) {
    deploy(config).await;
    let wish = Resolve { stack: "clinic-dev".into(), region: None, layer: None, functions: vec!["authorizer".into()] };
    let found = resolve(config, patience, &wish).await.unwrap();
    assert_eq!((found.region.as_str(), found.account.as_str()), ("eu-central-1", "123456789012"));
    assert_eq!(found.layer.to_string(), layer);
    let function = &found.functions[0];
    assert_eq!((function.name(), function.timeout.as_secs()), (found.resources["AuthorizerFunction"].as_str(), 7));
    let api = found.addresses.api("Api").unwrap();
    assert_eq!(api.host, format!("{}.execute-api.eu-central-1.amazonaws.com", found.resources["Api"]));
    assert_eq!(api.stage, "/dev");
    assert!(format!("http://{}", api.address) == config.endpoint_url().unwrap(), "{api:?}");
    assert!(found.resources["InnerQueue"].ends_with("/inner"), "{:?}", found.resources);
    let missing = resolve(config, patience, &Resolve { stack: "clinic-prod".into(), ..wish }).await.unwrap_err();
    assert!(matches!(missing, ResolveError::NoStack { .. }), "{missing}");
}
