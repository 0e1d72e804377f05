//! Functions have the value that another implementation gives them: moto, which others wrote.
//! Skipped with a message if moto cannot be imported; `MOTO` names the folder that it is in.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use template::Template;

/// Creates the stack in moto, and prints its outputs.
const SCRIPT: &str = r#"
import json, sys
import boto3
from moto import mock_aws
with mock_aws():
    client = boto3.client("cloudformation", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    client.create_stack(StackName="brownout", TemplateBody=sys.stdin.read())
    outputs = client.describe_stacks(StackName="brownout")["Stacks"][0].get("Outputs", [])
    print(json.dumps({one["OutputKey"]: one["OutputValue"] for one in outputs}))
"#;

const HEAD: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Stage: {Type: String, Default: dev}
  Names: {Type: CommaDelimitedList, Default: "a,b,c"}
  Count: {Type: Number, Default: 3}
Mappings:
  Sizes:
    dev: {Memory: "256", Zones: [x, y]}
    prod: {Memory: "1024", Zones: [z]}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  Both: !And [!Condition IsDev, !Equals [!Ref Count, 3]]
  Either: !Or [!Condition IsProd, !Condition IsDev]
Resources:
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "jobs-${Stage}"}}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Join [-, [news, !Ref Stage]]}}
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !If [IsProd, orders, !Sub "orders-${AWS::Region}"]
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
      BillingMode: PAY_PER_REQUEST
  OnlyProd: {Type: AWS::SQS::Queue, Condition: IsProd}
Outputs:
"#;

/// Each becomes the value of an output. Not among them is what moto gets wrong: a parameter that is a
/// list in `Fn::Join` or `Fn::Select`, and `Fn::Cidr`.
const EXPRESSIONS: [&str; 31] = [
    "plain",
    "!Ref Stage",
    "!Ref Count",
    "!Ref Jobs",
    "!Ref Topic",
    "!Ref Table",
    "!Ref AWS::Region",
    "!Ref AWS::AccountId",
    "!Ref AWS::Partition",
    "!Ref AWS::URLSuffix",
    "!Ref AWS::StackName",
    "!GetAtt Jobs.Arn",
    "!GetAtt Jobs.QueueName",
    "!GetAtt [Topic, TopicName]",
    "!GetAtt Table.Arn",
    "{Fn::GetAtt: [Jobs, Arn]}",
    "!Sub '${Stage}-${Jobs.QueueName}-${AWS::AccountId}'",
    "!Sub ['${a}/${b}', {a: !Ref Stage, b: !GetAtt Jobs.QueueName}]",
    "!Sub '${!Stage} is ${Stage}'",
    "!Sub 'no variable, $5 {x}'",
    "!Join ['', [a, !Ref Stage, b]]",
    "!Join ['-', !FindInMap [Sizes, dev, Zones]]",
    "!Join ['/', [!GetAtt Jobs.QueueName, !Ref Table]]",
    "!Select [0, [x, y]]",
    "!Select ['2', !Split ['|', 'a|b|c']]",
    "!Join ['+', !Split ['-', 'a-b--c']]",
    "!FindInMap [Sizes, !Ref Stage, Memory]",
    "!If [IsProd, yes-prod, !If [Both, both, neither]]",
    "!If [Either, !Sub '${Stage}!', '']",
    "!Join ['', ['x', !If [IsDev, !Ref Stage, !Ref 'AWS::NoValue']]]",
    "!Sub 'arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${Jobs.QueueName}'",
];

fn moto(template: &str) -> Option<BTreeMap<String, String>> {
    let mut python = Command::new("python3");
    if let Some(folder) = std::env::var_os("MOTO") {
        python.env("PYTHONPATH", folder);
    }
    let has = python.args(["-c", "import boto3, moto"]).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !has {
        return None;
    }
    let mut python = Command::new("python3");
    if let Some(folder) = std::env::var_os("MOTO") {
        python.env("PYTHONPATH", folder);
    }
    let mut child = python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(template.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "moto refused the template");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn functions_have_the_values_that_moto_gives_them() {
    let outputs: String = EXPRESSIONS.iter().enumerate().map(|(n, expression)| format!("  O{n}: {{Value: {expression}}}\n")).collect();
    let text = format!("{HEAD}{outputs}  Gone: {{Condition: IsProd, Value: !Ref OnlyProd}}\n");
    let own = Template::read(&text, &BTreeMap::new()).unwrap();
    let own: BTreeMap<_, _> = own.outputs.into_iter().map(|output| (output.name, output.value)).collect();
    assert_eq!(own.len(), EXPRESSIONS.len(), "{own:?}");
    // The long form: moto reads `!Condition` and lists in `!GetAtt` wrongly.
    let Some(theirs) = moto(&template::yaml::read(&text).unwrap().value.to_string()) else {
        eprintln!("skipped: moto cannot be imported; set MOTO to the folder that it is in");
        return;
    };
    for (n, expression) in EXPRESSIONS.iter().enumerate() {
        let name = format!("O{n}");
        assert_eq!(own.get(&name), theirs.get(&name), "{expression}");
    }
    assert_eq!(own.contains_key("Gone"), theirs.contains_key("Gone"));
}
