//! A template that belongs to no shipped system: the stack knows only what it is given.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use load::chance::Chance;
use load::mqtt::{self, Broker, Heard};
use run_folder::deployment::{Deployment, Parameter, Seed, Template, User};
use run_folder::{Compressed, RunFolder, addresses};
use serde_json::{Value, json};
use stack::artifacts::Artifacts;
use stack::guard;
use stack::up::{Settings, Up, UpError};

const SHOP: &str = r#"
AWSTemplateFormatVersion: "2010-09-09"
Transform: AWS::Serverless-2016-10-31
Parameters:
  Issuer: { Type: String }
Resources:
  Shop:
    Type: AWS::Serverless::Api
    Properties: { StageName: shop }
  Orders:
    Type: AWS::Serverless::Function
    Metadata: { BuildProperties: { Binary: echo } }
    Properties:
      Runtime: provided.al2023
      CodeUri: .
      Handler: bootstrap
      Environment:
        Variables:
          ISSUER: { Fn::Sub: "${Issuer}/${Customers}" }
      Events:
        Place:
          Type: Api
          Properties: { RestApiId: { Ref: Shop }, Path: "/orders/{id}", Method: POST }
  Stock:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: stock
      AttributeDefinitions: [{ AttributeName: sku, AttributeType: S }]
      KeySchema: [{ AttributeName: sku, KeyType: HASH }]
  Customers:
    Type: AWS::Cognito::UserPool
    Properties: { UserPoolName: customers }
  Web:
    Type: AWS::Cognito::UserPoolClient
    Properties: { UserPoolId: { Ref: Customers } }
"#;

fn deployment() -> Deployment {
    let parameters = [("Issuer".to_owned(), Parameter::ServicesAddress)].into();
    Deployment {
        templates: vec![Template { text: SHOP.into(), parameters, ..Template::default() }],
        seed: Seed {
            rows: [("stock".into(), vec![json!({"sku": {"S": "tea"}, "count": {"N": "3"}})])].into(),
            users: [("customers".into(), vec![User { name: "ann".into(), groups: vec![] }])].into(),
            ..Seed::default()
        },
        compressed: Compressed::default(),
        ..Deployment::default()
    }
}

fn settings(folder: &Path, deployment: Deployment) -> Settings {
    let programs = Path::new(crate::support::BROWNOUT).parent().unwrap().to_owned();
    let folder = RunFolder::create(folder).unwrap();
    let marker = format!("foreign-{}-{}", std::process::id(), folder.path().display());
    Settings { folder, artifacts: Artifacts { folder: programs }, deployment, redis: None, marker }
}

/// Ends what a stack left, even if the test fails.
struct Left(String);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = guard::end_all(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_stack_starts_with_its_rows_and_its_users() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), deployment());
    let _left = Left(settings.marker.clone());
    let up = Up::start(settings).await.unwrap();
    assert_eq!(up.addresses.functions, ["echo"]);
    let pool = up.addresses.pool("customers").unwrap();
    let parameters = json!({"USERNAME": "ann", "PASSWORD": addresses::PASSWORD});
    let sign_in = json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": pool.client_id, "AuthParameters": parameters});
    let services = format!("http://{}/", up.addresses.services);
    let token = post(&services, Some("AWSCognitoIdentityProviderService.InitiateAuth"), &sign_in).await;
    assert!(token["AuthenticationResult"]["IdToken"].is_string(), "{token}");
    let get = json!({"TableName": "stock", "Key": {"sku": {"S": "tea"}}});
    let row = post(&services, Some("DynamoDB_20120810.GetItem"), &get).await;
    assert_eq!(row["Item"]["count"]["N"], "3");
    let order = json!({"sku": "tea"});
    let invoked = post(&format!("http://{}/2015-03-31/functions/echo/invocations", up.addresses.lambda), None, &order).await;
    assert_eq!(invoked["event"], order, "the function gives back what it was sent");
    // It does not return a valid answer for a REST API.
    let refused = post(&format!("http://{}/shop/orders/7", up.addresses.gateway), None, &order).await;
    assert_eq!(refused, json!({"message": "Internal server error"}));
    assert_eq!(up.stop().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn things_connect_over_tls_with_the_certificates_that_the_stack_issued() {
    let folder = tempfile::tempdir().unwrap();
    let things = Some(vec!["Lamp".to_owned()]);
    let settings = settings(folder.path(), Deployment { templates: vec![], seed: Seed::default(), things, ..deployment() });
    let _left = Left(settings.marker.clone());
    let up = Up::start(settings).await.unwrap();
    assert!(up.addresses.mqtt.starts_with("mqtts://"), "{}", up.addresses.mqtt);
    let key = up.addresses.certificates.clone().unwrap().join("Lamp.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
    let broker = Broker::of(&up.addresses).unwrap();
    let topics = vec!["$aws/things/Lamp/shadow/get/rejected".to_owned()];
    let (_client, mut heard, wire) = mqtt::wire(&broker, "Lamp", topics, Chance::new(&[1])).unwrap();
    tokio::select! {
        () = wire.run() => {}
        heard = heard.recv() => assert!(matches!(heard, Some(Heard::Subscribed)), "{heard:?}"),
    }
    assert_eq!(up.stop().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn seed_data_for_an_undeclared_resource_stops_the_stack_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let mut deployment = deployment();
    deployment.seed.rows.insert("shelf".into(), vec![]);
    let settings = settings(folder.path(), deployment);
    let _left = Left(settings.marker.clone());
    let Err(UpError::Io(error)) = Up::start(settings).await.map(drop) else { panic!("it came up") };
    assert!(error.to_string().contains("the seed fills the table `shelf`, which no template declares"), "{error}");
}

#[test]
fn two_templates_with_one_name_are_refused() {
    let parameters = [("Issuer".to_owned(), "x".to_owned())].into();
    let shop = template::Template::read(SHOP, &parameters).unwrap();
    let error = template::Template::join(vec![shop.clone(), shop]).unwrap_err().to_string();
    for kind in ["function", "table", "user pool"] {
        assert!(error.contains(&format!("another {kind} of the stack has this name")), "{error}");
    }
}

async fn post(url: &str, target: Option<&str>, body: &Value) -> Value {
    use http_body_util::{BodyExt, Full};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<bytes::Bytes>>();
    let mut request = hyper::Request::post(url);
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    let request = request.body(Full::new(body.to_string().into())).unwrap();
    let response = tokio::time::timeout(Duration::from_secs(30), client.request(request)).await.unwrap().unwrap();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()))
}
