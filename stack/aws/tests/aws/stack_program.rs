//! The program `brownout-aws` looks a stack up over HTTP: at a replaced endpoint, and with exactly
//! the permissions that are exported for it.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use crate::clinic::{ask, function_arn};
use control_plane::{ControlPlane, Scripted, serve};
use exports::{Experiment, Function};
use protocol::{Answer, Resolve, Resolved, Task};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

/// The access key of the program's user.
const KEY: &str = "test";

/// An account that is served at an address.
struct Account {
    scripted: Arc<Mutex<Scripted>>,
    address: String,
}

impl Account {
    async fn new(plane: ControlPlane) -> Self {
        let scripted = Arc::new(Mutex::new(Scripted { plane, ..Scripted::default() }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(serve(listener, Arc::clone(&scripted)));
        Self { scripted, address }
    }

    /// The program's answer, with further variables.
    async fn look(&self, wish: &Resolve, variables: &[(&str, &str)]) -> Result<Resolved, String> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_brownout-aws"));
        command.env_clear().env("AWS_ENDPOINT_URL", format!("http://{}", self.address)).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs([("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "test")]).envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let line = protocol::to_line(&Task::Resolve(wish.clone())).unwrap();
        child.stdin.take().unwrap().write_all(line.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        match (output.status.code(), protocol::read(String::from_utf8(output.stdout).unwrap().trim_end()).unwrap()) {
            (Some(0), Answer::Resolved(resolved)) => Ok(*resolved),
            (Some(2), Answer::Failed(why)) => Err(why),
            other => panic!("{other:?}"),
        }
    }

    fn hold(&self, policy: &Value) {
        self.scripted.lock().unwrap().plane.rights.hold(KEY, policy).unwrap();
    }

    fn needless(&self) -> Vec<String> {
        let needless = self.scripted.lock().unwrap().plane.rights.needless(KEY);
        needless.into_iter().map(|(sid, action)| format!("{sid} {action}")).collect()
    }
}

fn here(functions: &[&str]) -> Resolve {
    Resolve { region: Some("eu-central-1".into()), ..ask(functions) }
}

#[tokio::test]
async fn a_replaced_endpoint_is_where_apis_users_and_devices_connect() {
    let account = Account::new(ControlPlane { broker: "127.0.0.1:41883".into(), ..crate::clinic::plane() }).await;
    let found = account.look(&here(&["authorizer"]), &[]).await.unwrap().addresses;
    let api = found.api("ClinicApi").unwrap();
    assert_eq!((&api.address, api.host.as_str()), (&account.address, "rest1.execute-api.eu-central-1.amazonaws.com"));
    assert_eq!((&found.sign_in, found.mqtt.as_str()), (&account.address, "mqtts://127.0.0.1:41883"));
    assert!(found.pools[0].issuer.starts_with("https://cognito-idp.eu-central-1.amazonaws.com/"), "{found:?}");
    let gateway = [("AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI", "https://gateway.test:8443")];
    let found = account.look(&here(&[]), &gateway).await.unwrap().addresses;
    assert_eq!((found.api("WebApi").unwrap().address.as_str(), &found.sign_in), ("https://gateway.test:8443", &account.address));
    // An ARN has its Region, and the caller's own does not count.
    let stack = account.scripted.lock().unwrap().plane.stacks[0].arn();
    let found = account.look(&Resolve { stack, ..ask(&[]) }, &[("AWS_REGION", "us-east-1")]).await.unwrap();
    assert_eq!((found.region.as_str(), found.stack.as_str()), ("eu-central-1", "clinic-dev"));
    let why = account.look(&ask(&[]), &[]).await.unwrap_err();
    assert!(why.contains("no Region is set"), "{why}");
    let why = account.look(&here(&[]), &[("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", "nowhere")]).await.unwrap_err();
    assert!(why.contains("invalid endpoint `nowhere`"), "{why}");
}

/// The exported policy of this name, for functions of the stack.
fn policy(file: &str) -> Value {
    let example = crate::example::experiment();
    let moved = |arn: &exports::Arn| exports::Arn { region: "eu-central-1".into(), ..arn.clone() };
    let function = Function { arn: function_arn("authorizer").parse().unwrap(), ..example.functions[0].clone() };
    let mut plan = example.plan.clone();
    plan.faults.truncate(1);
    plan.faults[0].place = faults::Place::Function("authorizer".into());
    let experiment = Experiment { functions: vec![function], layer: moved(&example.layer), plan, alarms: Vec::new(), ..example };
    let files = exports::iam_policy(&experiment).unwrap();
    serde_json::from_str(&files.iter().find(|written| written.name == file).unwrap().text).unwrap()
}

#[tokio::test]
async fn the_exported_permissions_are_exactly_what_it_takes() {
    let account = Account::new(crate::clinic::plane()).await;
    let mut both = policy("stack-policy.json");
    let reads = policy("brownout-policy.json")["Statement"].as_array().unwrap().clone().into_iter();
    let reads: Vec<_> = reads.filter(|statement| statement["Sid"] == "ReadFunctions").collect();
    both["Statement"].as_array_mut().unwrap().extend(reads);
    account.hold(&both);
    account.look(&here(&["authorizer"]), &[]).await.unwrap();
    assert_eq!(account.needless(), ["ReadFunctions lambda:ListTags"], "the attach needs it");
    for (number, statement) in both["Statement"].as_array().unwrap().iter().enumerate() {
        let mut less = both.clone();
        less["Statement"].as_array_mut().unwrap().remove(number);
        account.hold(&less);
        let why = account.look(&here(&["authorizer"]), &[]).await.unwrap_err();
        assert!(why.contains("AccessDenied") && why.contains("is not authorized to perform"), "{statement}: {why}");
    }
}
