//! Reads a whole template in the form that is deployed.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Template;
use crate::apis::{Authorizer, Identity};
use crate::blueprint::{Code, Managed, Runtime};

const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Weaknesses: { Type: String, Default: "" }
Globals:
  Function:
    Runtime: provided.al2023
    Timeout: 25
    CodeUri: functions/
    Environment: { Variables: { WEAKNESSES: { Ref: Weaknesses } } }
Resources:
  ClinicApi:
    Type: AWS::Serverless::Api
    Properties:
      StageName: dev
      Auth:
        DefaultAuthorizer: Both
        Authorizers:
          Both:
            FunctionPayloadType: REQUEST
            FunctionArn: { Fn::GetAtt: [AuthorizerFunction, Arn] }
            Identity: { Headers: [Authorization], ReauthorizeEvery: 300 }
  AuthorizerFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: authorizer } }
    Properties: { Timeout: 3, MemorySize: 256 }
  AppointmentsFunction:
    Type: AWS::Serverless::Function
    Metadata: { BuildMethod: rust-cargolambda, BuildProperties: { Binary: appointments } }
    Properties:
      FunctionName: { Fn::Sub: "${AWS::StackName}-appointments" }
      ReservedConcurrentExecutions: 5
      Environment: { Variables: { TABLE: { Ref: Table } } }
      Events:
        Any:
          Type: Api
          Properties: { RestApiId: { Ref: ClinicApi }, Path: "/{api+}", Method: ANY }
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: appointments
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
"#;

#[test]
fn a_template_becomes_functions_and_routes() {
    let parameters = [("Weaknesses".to_owned(), "keys-fetched-once".to_owned())].into();
    let template = Template::read(TEMPLATE, &parameters).unwrap();
    let function = |name: &str| template.blueprint.functions.iter().find(|function| function.name == name).unwrap();
    let authorizer = function("authorizer");
    assert_eq!((&authorizer.code, authorizer.memory_mb), (&Code::Binary("authorizer".into()), 256));
    assert_eq!(authorizer.timeout, Duration::from_secs(3));
    assert_eq!(authorizer.variables["WEAKNESSES"], "keys-fetched-once");
    let appointments = function("brownout-appointments");
    assert_eq!((appointments.reserved, appointments.timeout), (Some(5), Duration::from_secs(25)));
    assert_eq!(appointments.variables["TABLE"], "appointments");
    let api = &template.apis[0];
    assert_eq!((api.id.as_str(), api.stage.as_str()), ("clinicapi", "dev"));
    let Authorizer::Request { function, identity, .. } = &api.authorizers["Both"] else { panic!("{api:?}") };
    assert_eq!((function.as_str(), identity.as_slice()), ("authorizer", &[Identity::Header("authorization".into())][..]));
    assert_eq!(api.routes[0].authorizer.as_deref(), Some("Both"));
    assert_eq!((api.routes[0].resource.as_str(), &api.routes[0].method), ("/{api+}", &None));
    assert_eq!(template.notices, []);
}

#[test]
fn what_aws_would_refuse_is_a_complaint_with_its_resource() {
    for (from, to, complaint) in [
        ("Type: Api\n", "Type: Apis\n", "AppointmentsFunction.Events.Any"),
        ("Type: Api\n", "Type: SQS\n", "AppointmentsFunction.Events.Any.Queue"),
        ("{ Ref: Table }", "{ Ref: Nowhere }", "AppointmentsFunction.Environment.Variables.TABLE"),
        ("Runtime: provided.al2023", "Runtime: python3.13", "AuthorizerFunction.Handler"),
        ("CodeUri: functions/", "Description: none", "AuthorizerFunction.CodeUri"),
        ("DefaultAuthorizer: Both", "DefaultAuthorizer: None", "ClinicApi.Auth.DefaultAuthorizer"),
        ("Headers: [Authorization]", "Header: a", "ClinicApi.Auth.Authorizers.Both"),
        ("StageName: dev", "Cors: \"'*'\"", "ClinicApi.StageName"),
        ("{ Ref: ClinicApi }", "{ Ref: Other }", "AppointmentsFunction.Events.Any"),
        ("Timeout: 3,", "Timeout: 901,", "AuthorizerFunction.Timeout"),
        ("MemorySize: 256", "MemorySize: 127", "AuthorizerFunction.MemorySize"),
        ("KeyType: HASH", "KeyType: RANGE", "Table.KeySchema"),
        ("AttributeName: id, KeyType", "AttributeName: di, KeyType", "Table.AttributeDefinitions"),
        ("AWS::Serverless::Api\n", "AWS::Serverless::Apis\n", "ClinicApi"),
    ] {
        assert!(TEMPLATE.contains(from), "{from}");
        let error = Template::read(&TEMPLATE.replace(from, to), &BTreeMap::new()).unwrap_err();
        assert!(error.to_string().contains(complaint), "{from} -> {to}: {error}");
    }
}

#[test]
fn what_is_not_served_is_a_notice_and_what_needs_it_is_there() {
    for (from, to, notice) in [
        ("ReservedConcurrentExecutions: 5", "FileSystemConfigs: []", "AppointmentsFunction.FileSystemConfigs"),
        ("Runtime: provided.al2023", "Runtime: java21", "AuthorizerFunction.Runtime"),
        ("Timeout: 3,", "PackageType: Image,", "AuthorizerFunction"),
        ("ReservedConcurrentExecutions: 5", "PackageType: Image", "AppointmentsFunction"),
        ("StageName: dev", "StageName: dev, Domain: {}", "ClinicApi.Domain"),
        ("TableName: appointments", "KinesisStreamSpecification: {}", "Table.KinesisStreamSpecification"),
        ("  Table:\n", "  Pipe: { Type: AWS::Pipes::Pipe }\n  Table:\n", "Pipe"),
    ] {
        assert!(TEMPLATE.contains(from), "{from}");
        let changed = TEMPLATE.replace(from, to).replace("StageName: dev, Domain: {}", "StageName: dev\n      Domain: {}");
        let template = Template::read(&changed, &BTreeMap::new()).unwrap();
        assert!(template.notices.iter().any(|found| found.place == notice), "{from} -> {to}: {:?}", template.notices);
        // An authorizer that cannot run denies: its method must not be open.
        let routes: Vec<_> = template.apis[0].routes.iter().map(|route| route.authorizer.as_deref()).collect();
        assert_eq!(routes, [Some("Both")], "{from} -> {to}");
    }
}

#[test]
fn a_managed_runtime_is_a_folder_and_a_handler() {
    let managed = TEMPLATE.replace("Timeout: 3,", "Runtime: python3.13, Handler: echo.handler, CodeUri: python/,");
    let template = Template::read(&managed, &BTreeMap::new()).unwrap();
    let authorizer = template.blueprint.functions.into_iter().find(|function| function.resource == "AuthorizerFunction").unwrap();
    let runtime = Runtime::Managed(Managed::Python("python3.13".into()));
    assert_eq!((authorizer.code, authorizer.runtime, authorizer.handler.as_str()), (Code::Path("python/".into()), runtime, "echo.handler"));
}
