//! Attach, undo, recover, a plan, the look-up of a stack and a seed against moto, an independent
//! implementation of AWS, over real HTTP; and the first test against brownout's control plane too.
//!
//! Where moto is laxer than AWS: it accepts any `RevisionId`, completes every update at once, and
//! counts neither layers nor the variables' bytes. It has no `ConfigSha256`, so the proof is
//! `OursGone`, and this test compares the whole configuration. `.ci/run` installs it
//! (`pip install --target target/moto 'moto[server]'`); without it the test prints that it was
//! skipped.

#[path = "support/moto_stack.rs"]
mod moto_stack;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{FUNCTION, SECRET, World, config, run, wish};
use aws::arm::{Armed, Place, Store};
use aws::attach::{Layer, attach};
use aws::function::Function;
use aws::marker::UNDO;
use aws::recover::{Which, list, recover};
use aws::seed::{Journal as SeedJournal, JournalError, Services, seed, unseed};
use aws::undo::{Proof, undo};
use aws::{Lambda, Patience};
use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, LayerVersionContentInput, Runtime};
use base64::Engine as _;
use protocol::{Resolved, Seed};
use run_folder::deployment::User;
use serde_json::{Value, json};

const PATIENCE: Patience = Patience { total: Duration::from_secs(60), first: Duration::from_millis(5), most: Duration::from_millis(200) };

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn moto() -> Option<(Server, String)> {
    let folder =
        std::env::var_os("MOTO").map(PathBuf::from).unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/moto"));
    if !folder.join("moto").is_dir() {
        println!("skipped: moto is not in `{}`; `.ci/run` brings it", folder.display());
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let program = "from moto.server import main; main()";
    let mut command = Command::new("python3");
    command.args(["-c", program, "-H", "127.0.0.1", "-p", &port.to_string()]).env("PYTHONPATH", folder);
    let server = Server(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "moto does not listen");
        std::thread::sleep(Duration::from_millis(50));
    }
    make_role(port);
    Some((server, format!("http://127.0.0.1:{port}")))
}

/// moto requires the function's role to exist; IAM's SDK is too much for one call.
fn make_role(port: u16) {
    let body = "Action=CreateRole&Version=2010-05-08&RoleName=function&AssumeRolePolicyDocument=%7B%7D";
    let credential = "Credential=AKIDEXAMPLE/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let form = "Content-Type: application/x-www-form-urlencoded";
    let head = format!("POST / HTTP/1.1\r\nHost: iam.amazonaws.com\r\nConnection: close\r\n{form}\r\nContent-Length: {}", body.len());
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{head}\r\nAuthorization: AWS4-HMAC-SHA256 {credential}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("CreateRoleResult"), "{answer}");
}

/// Creates a layer, a role and a function through the API, as a user would; returns the layer's
/// ARN.
async fn bring_up(lambda: &aws_sdk_lambda::Client) -> Layer {
    let empty_zip = || Blob::new([b"PK\x05\x06".as_slice(), &[0; 18]].concat());
    let content = LayerVersionContentInput::builder().zip_file(empty_zip()).build();
    let layer = lambda.publish_layer_version().layer_name("brownout").content(content).compatible_architectures(Architecture::X8664);
    let layer = layer.send().await.unwrap().layer_version_arn().unwrap().to_owned();
    let variables = [("DB_PASSWORD", SECRET), ("AWS_LAMBDA_EXEC_WRAPPER", "/opt/own")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let function = lambda.create_function().function_name(FUNCTION).runtime(Runtime::Python313).handler("app.handler");
    let function = function.role("arn:aws:iam::123456789012:role/function").code(FunctionCode::builder().zip_file(empty_zip()).build());
    function.environment(Environment::builder().set_variables(Some(variables)).build()).send().await.unwrap();
    Layer::try_from(layer).unwrap()
}

fn variables(function: &Function) -> HashMap<String, String> {
    let aws::function::Readable::Yes(variables) = &function.variables else { panic!("not readable") };
    variables.plain()
}

/// The test that every control plane must pass.
async fn conforms(config: &SdkConfig, expected: Proof) {
    let (lambda, sdk, journal) = (Lambda::new(config, PATIENCE), aws_sdk_lambda::Client::new(config), World::default());
    let wish = aws::attach::Wish { layer: bring_up(&sdk).await, ..wish("r1") };
    let before = lambda.function(FUNCTION).await.unwrap();

    let attached = attach(&lambda, &journal, FUNCTION, &wish).await.unwrap();
    let with_ours = lambda.function(FUNCTION).await.unwrap();
    assert_eq!(with_ours.layers, [wish.layer.arn()]);
    assert_eq!(variables(&with_ours)["BROWNOUT_EXEC_WRAPPER"], "/opt/own");
    assert!(variables(&with_ours).contains_key(UNDO));
    // Attaching again changes nothing.
    assert_eq!(attach(&lambda, &journal, FUNCTION, &wish).await.unwrap().record, attached.record);
    let other = aws::attach::Wish { run: run("r2"), ..wish.clone() };
    let locked = attach(&lambda, &journal, FUNCTION, &other).await.unwrap_err();
    assert!(locked.to_string().contains("run `r1` holds it"), "{locked}");
    assert_eq!(undo(&lambda, &journal, FUNCTION, &wish.run, None).await.unwrap(), expected);
    let after = lambda.function(FUNCTION).await.unwrap();
    assert_eq!((&after.layers, &after.variables), (&before.layers, &before.variables));

    attach(&lambda, &journal, FUNCTION, &wish).await.unwrap();
    assert_eq!(list(&lambda).await.unwrap().len(), 1);
    let recovered = recover(&lambda, &journal, &Which::Over(wish.until), &[]).await.unwrap();
    assert!(matches!(recovered.as_slice(), [one] if one.result.is_ok()), "{recovered:?}");
    let after = lambda.function(FUNCTION).await.unwrap();
    assert_eq!((&after.layers, &after.variables), (&before.layers, &before.variables));

    let plan = r#"{"version":1,"run":"r1","sequence":1,"lease_ms":5000,"seed":7,"faults":[]}"#;
    let (store, place) = (Store::new(config, PATIENCE), Place::Parameter("/brownout/r1".to_owned()));
    let mut armed = Armed::arm(store.clone(), &journal, place.clone(), faults::Plan::read(plan.as_bytes()).unwrap()).await.unwrap();
    armed.calm(&journal).await.unwrap();
    assert!(Armed::left_by(store.clone(), place.clone(), "r1").await.unwrap().is_some());
    armed.disarm(&journal).await.unwrap();
    assert!(Armed::left_by(store, place, "r1").await.unwrap().is_none());
    assert!(!format!("{:?}", journal.journal.lock().unwrap()).contains(SECRET));
}

#[tokio::test]
async fn attach_and_undo_work_against_moto() {
    let Some((_server, endpoint)) = moto() else { return };
    let config = config().into_builder().endpoint_url(&endpoint).build();
    conforms(&config, Proof::OursGone).await;
    let (store, journal) = (Store::new(&config, PATIENCE), World::default());
    let path_style = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
    let bucket = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint("eu-central-1".into()).build();
    aws_sdk_s3::Client::from_conf(path_style).create_bucket().bucket("plans").create_bucket_configuration(bucket).send().await.unwrap();
    let place = Place::parse("s3://plans/r1.json").unwrap();
    let plan = r#"{"version":1,"run":"r1","sequence":1,"lease_ms":5000,"seed":7,"faults":[]}"#;
    let mut armed = Armed::arm(store.clone(), &journal, place.clone(), faults::Plan::read(plan.as_bytes()).unwrap()).await.unwrap();
    armed.renew(&journal).await.unwrap();
    armed.disarm(&journal).await.unwrap();
    assert!(Armed::left_by(store, place, "r1").await.unwrap().is_none());
}

#[tokio::test]
async fn the_layer_is_published_once_to_moto() {
    let Some((_server, endpoint)) = moto() else { return };
    let lambda = Lambda::new(&config().into_builder().endpoint_url(&endpoint).build(), PATIENCE);
    let zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    let code_sha = base64::engine::general_purpose::STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &zip));
    let mut published = Vec::new();
    for architecture in ["x86_64", "x86_64", "arm64"] {
        published.push(aws::publish::publish(&lambda, "brownout", architecture, &zip, &code_sha).await.unwrap());
    }
    assert_eq!(published.iter().map(|one| one.is_new).collect::<Vec<_>>(), [true, false, true]);
    assert!(published[0].arn == published[1].arn && published[2].arn.to_string().ends_with("layer:brownout:2"), "{published:?}");
}

/// One JSON call, signed by nobody: moto does not check.
fn called(endpoint: &str, target: &str, body: &Value) -> Value {
    let service = if target.starts_with("DynamoDB") { "dynamodb" } else { "cognito-idp" };
    let signed =
        format!("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
    sent(endpoint, "POST /", &format!("X-Amz-Target: {target}\r\nAuthorization: {signed}"), &body.to_string())
}

/// One call of AWS IoT, likewise.
fn iot(endpoint: &str, line: &str, body: &str) -> Value {
    let signed = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/eu-central-1/iot/aws4_request, SignedHeaders=host, Signature=0";
    sent(endpoint, line, &format!("Authorization: {signed}"), body)
}

fn sent(endpoint: &str, line: &str, headers: &str, body: &str) -> Value {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let json = if headers.contains("X-Amz-Target") { "x-amz-json-1.1" } else { "json" };
    let head = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/{json}\r\n{headers}\r\nContent-Length: {}",
        body.len()
    );
    write!(stream, "{head}\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or(Value::Null)
}

/// All that the seed could change: rows, users, groups, things, certificates, policies of AWS IoT.
fn seedable(endpoint: &str, pool: &str) -> [Value; 6] {
    let cognito =
        |operation: &str| called(endpoint, &format!("AWSCognitoIdentityProviderService.{operation}"), &json!({"UserPoolId": pool}));
    [
        called(endpoint, "DynamoDB_20120810.Scan", &json!({"TableName": "appointments"}))["Items"].clone(),
        cognito("ListUsers")["Users"].clone(),
        cognito("ListGroups")["Groups"].clone(),
        iot(endpoint, "GET /things", "")["things"].clone(),
        iot(endpoint, "GET /certificates", "")["certificates"].clone(),
        iot(endpoint, "GET /policies", "")["policies"].clone(),
    ]
}

/// moto has no Verified Permissions.
#[tokio::test]
async fn a_seed_and_its_end_work_against_moto_also_if_answers_were_lost() {
    let Some((_server, endpoint)) = moto() else { return };
    let config = config().into_builder().endpoint_url(&endpoint).build();
    let key = json!([{"AttributeName": "id", "KeyType": "HASH"}]);
    let attributes = json!([{"AttributeName": "id", "AttributeType": "S"}]);
    let table =
        json!({"TableName": "appointments", "BillingMode": "PAY_PER_REQUEST", "KeySchema": key, "AttributeDefinitions": attributes});
    called(&endpoint, "DynamoDB_20120810.CreateTable", &table);
    let row = json!({"id": {"S": "theirs"}});
    called(&endpoint, "DynamoDB_20120810.PutItem", &json!({"TableName": "appointments", "Item": row}));
    let made = called(&endpoint, "AWSCognitoIdentityProviderService.CreateUserPool", &json!({"PoolName": "clinic"}));
    let pool = made["UserPool"]["Id"].as_str().unwrap().to_owned();
    iot(&endpoint, "POST /things/Thermostat1", "{}");
    let (services, folder) = (Services::new(&config, "aws", PATIENCE, 4), tempfile::tempdir().unwrap());
    let row = json!({"id": {"S": "PI-1"}, "owner": {"S": "jane"}, "pets": {"SS": ["b", "a"]}});
    let user = User { name: "jane".to_owned(), groups: vec!["Doctor".to_owned()] };
    let task = |folder: &Path| Seed {
        stack: Resolved {
            stack: "clinic-dev".to_owned(),
            region: "eu-central-1".to_owned(),
            account: "123456789012".to_owned(),
            layer: crate::support::LAYER.parse().unwrap(),
            functions: Vec::new(),
            addresses: run_folder::Addresses::default(),
            resources: [("Table", "appointments"), ("clinic", &pool), ("First", "Thermostat1")]
                .map(|(logical, physical)| (logical.to_owned(), physical.to_owned()))
                .into(),
        },
        data: run_folder::deployment::Seed {
            rows: [("Table".to_owned(), vec![row.clone()])].into(),
            users: [("clinic".to_owned(), vec![user.clone()])].into(),
            ..run_folder::deployment::Seed::default()
        },
        things: vec!["Thermostat1".to_owned(), "Thermostat-1:2".to_owned()],
        folder: folder.to_owned(),
    };
    let before = seedable(&endpoint, &pool);
    for answers_lost in [false, true] {
        let folder = folder.path().join(answers_lost.to_string());
        seed(&services, &task(&folder)).await.unwrap();
        let seeded = seedable(&endpoint, &pool);
        assert_eq!(seeded.each_ref().map(|list| list.as_array().unwrap().len()), [2, 1, 1, 2, 2, 1]);
        assert_eq!(seeded[1][0]["UserStatus"], "CONFIRMED");
        let path = folder.join("journal.ndjson");
        if answers_lost {
            let text = std::fs::read_to_string(&path).unwrap();
            // moto gives a certificate a key of its own, so without its id it cannot be known.
            let is_lost = |line: &&str| line.starts_with("{\"created\"") && line.len() < 80;
            let without: String = text.lines().filter(|line| !is_lost(line)).map(|line| format!("{line}\n")).collect();
            assert!(without.len() < text.len());
            std::fs::write(&path, without).unwrap();
        }
        // A process that another test starts has the lock until it runs its own program.
        let (journal, noted) = loop {
            match SeedJournal::resume(&folder) {
                Err(JournalError::Busy(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
                resumed => break resumed.unwrap(),
            }
        };
        let undoing = unseed(&services, &folder, &journal, noted.unwrap()).await.unwrap();
        assert_eq!((undoing.deleted, undoing.gone, undoing.left.as_slice()), (9, 0, [].as_slice()));
        assert_eq!(seedable(&endpoint, &pool), before);
    }
}

#[tokio::test]
async fn a_stack_in_moto_is_looked_up_by_its_name() {
    let Some((_server, endpoint)) = moto() else { return };
    let config = config().into_builder().endpoint_url(&endpoint).build();
    let layer = bring_up(&aws_sdk_lambda::Client::new(&config)).await;
    moto_stack::is_looked_up(&config, PATIENCE, layer.arn()).await;
}

#[tokio::test]
async fn attach_and_undo_work_against_the_control_plane_over_http() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(control_plane::serve(listener, World::default().scripted));
    conforms(&config().into_builder().endpoint_url(endpoint).build(), Proof::Identical).await;
}
