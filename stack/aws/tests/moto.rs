//! Attach, undo, recover, a plan and the look-up of a stack against moto, an independent
//! implementation of AWS, over real HTTP; and the first test against brownout's control plane too.
//!
//! Where moto is laxer than AWS: it accepts any `RevisionId`, completes every update at once, and
//! counts neither layers nor the variables' bytes. It has no `ConfigSha256`, so the proof is
//! `OursGone`, and this test compares the whole configuration. `.ci/run` installs it
//! (`pip install --target target/moto 'moto[server]'`); without it the test prints that it was
//! skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/moto_stack.rs"]
mod moto_stack;
mod support;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use aws::arm::{Armed, Place, Store};
use aws::attach::{Layer, attach};
use aws::function::Function;
use aws::marker::UNDO;
use aws::recover::{Which, list, recover};
use aws::undo::{Proof, undo};
use aws::{Lambda, Patience};
use aws_config::SdkConfig;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, LayerVersionContentInput, Runtime};
use support::{FUNCTION, SECRET, World, config, run, wish};

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
