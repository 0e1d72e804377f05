//! An account in which a stack is deployed, reached by `AWS_ENDPOINT_URL` alone: Lambda's control
//! plane, SSM, Logs and CloudFormation are `control-plane`; functions, APIs and data are a local
//! stack. It tells the command nothing that AWS would not tell.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control_plane::{Configuration, ControlPlane, Function, Iot, PolicyStore, Publishing, Scripted, Settling, Stack, Thing, UserPool};
use run_folder::{Addresses, RunFolder};
use template::apis::{Api, ApiKind};

use crate::account::devices::{self, Issuer};
use crate::account::{plans, router};
use crate::support::{BROWNOUT, Outcome, within};

/// The version of brownout's layer in the account.
pub const LAYER: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:7";

/// The things of the thermostats' template.
pub const THINGS: [&str; 2] = ["Thermostat1", "Thermostat2"];

/// The stack's name.
pub const STACK: &str = "samples";

/// The longest wait for the stack.
const COMING_UP: Duration = Duration::from_secs(120);

pub struct Account {
    plane: Arc<Mutex<Scripted>>,
    endpoint: String,
    /// The services of the local stack.
    services: String,
    folder: tempfile::TempDir,
    stack: std::process::Child,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Account {
    /// One with these systems, which have these templates, deployed in a stack; `up` are further arguments of `brownout up`.
    pub fn with(systems: &str, templates: &[&str], up: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("stack");
        let mut command = Command::new(BROWNOUT);
        command.args(["up", "--systems", systems, "--unseeded", "--folder"]).arg(&at).args(up);
        let stack = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let addresses: Addresses = within(COMING_UP, "the stack", || {
            let text = std::fs::read(at.join("stack.json")).ok()?;
            serde_json::from_slice(&text).ok()
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let plane = Arc::new(Mutex::new(Scripted { plane: plane(&addresses, templates), ..Scripted::default() }));
        let services = addresses.services.clone();
        let endpoint = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let folder = RunFolder::join(&at).unwrap();
            tokio::spawn(plans::hand_over(Arc::clone(&plane), folder.clone()));
            tokio::spawn(plans::print_ledger(Arc::clone(&plane), folder.ledger()));
            let issuer = addresses.certificates.as_deref().map(Issuer::of);
            if let Some(folder) = addresses.certificates.clone() {
                tokio::spawn(devices::register(Arc::clone(&plane), folder));
            }
            tokio::spawn(router::serve(listener, Arc::clone(&plane), addresses, issuer));
            endpoint
        });
        Self { plane, endpoint, services, folder, stack, runtime: Some(runtime) }
    }

    /// The configurations of all functions, without the revisions, which every change raises.
    pub fn functions(&self) -> BTreeMap<String, Configuration> {
        let plane = &self.plane.lock().unwrap().plane;
        let bare = |(name, function): (&String, &Function)| (name.clone(), Configuration { revision: 0, ..function.latest.clone() });
        plane.functions.iter().map(bare).collect()
    }

    /// What `seed` wrote for devices: the signer of the broker's certificate goes there by hand, as it is signed privately.
    pub fn trust_the_broker(&self) {
        let to = self.folder.path().join("brownout-seeds").join(STACK).join("certificates/ca.pem");
        std::fs::copy(self.folder.path().join("stack/certificates/ca.pem"), to).unwrap();
    }

    /// Things, certificates, policies and shadows of AWS IoT: those in the registry, and the things among these that have a shadow.
    pub fn devices(&self) -> (Iot, Vec<String>) {
        let (iot, services) = (self.plane.lock().unwrap().plane.iot.clone(), self.services.clone());
        let has_shadow = |thing: &&str| self.runtime.as_ref().unwrap().block_on(devices::has_shadow(&services, thing));
        let with_shadow = THINGS.into_iter().filter(has_shadow).map(str::to_owned).collect();
        (iot, with_shadow)
    }

    /// Writes an experiment.
    pub fn file(&self, text: &str) -> String {
        let path = self.folder.path().join("experiment.toml");
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Runs the command to its end in this account.
    pub fn brownout(&self, arguments: &[&str]) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(BROWNOUT);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        if arguments.first() == Some(&"run") {
            command.arg("--out").arg(folder.path());
        }
        command.env("AWS_ENDPOINT_URL", &self.endpoint).env("AWS_REGION", control_plane::REGION);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("AWS_EC2_METADATA_DISABLED", "true");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr), folder }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        crate::support::signal(self.stack.id(), "INT");
        let _ = self.stack.wait();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
    }
}

fn plane(addresses: &Addresses, templates: &[&str]) -> ControlPlane {
    let broker = addresses.mqtt.trim_start_matches("mqtts://").to_owned();
    let (settling, publishing) = (Settling { looks: 2, next_fails: None }, Publishing { looks: 2, propagation_ms: 1_500 });
    let mut plane = ControlPlane { settling, publishing, broker, ..ControlPlane::default() };
    plane.layers.insert(LAYER.into(), control_plane::LayerVersion::on(&["x86_64"]));
    for name in &addresses.functions {
        let mut function = Function::new(Configuration { runtime: Some("provided.al2023".to_owned()), ..Configuration::new(name) });
        function.tags.insert("brownout".into(), "allowed".into());
        plane.add(function);
    }
    let mut resources: Vec<Declared> = templates.iter().flat_map(|text| declared(text)).collect();
    for (name, api) in &addresses.apis {
        let stage = api.stage.trim_start_matches('/').to_owned();
        let id = Api::new(ApiKind::Rest, name, &stage).id;
        let of_api = |suffix: &str, kind: &str, physical: &str| (format!("{name}{suffix}"), kind.to_owned(), physical.to_owned());
        resources.push(of_api("", "AWS::ApiGateway::RestApi", &id));
        resources.push(of_api(&format!("{stage}Stage"), "AWS::ApiGateway::Stage", &stage));
        plane.apis.rest.insert(id, vec![stage]);
    }
    for pool in &addresses.pools {
        let logical = |suffix: &str| format!("{}{suffix}", pool.name.replace('-', ""));
        resources.push((logical("Pool"), "AWS::Cognito::UserPool".to_owned(), pool.id.clone()));
        resources.push((logical("Client"), "AWS::Cognito::UserPoolClient".to_owned(), pool.client_id.clone()));
        let clients = [&pool.other_client_id, &pool.client_id].map(Clone::clone).into();
        plane.pools.insert(pool.id.clone(), UserPool { name: pool.name.clone(), clients });
    }
    let stores = resources.iter().filter(|(_, kind, _)| kind == "AWS::VerifiedPermissions::PolicyStore");
    plane.stores = stores.map(|(_, _, id)| (id.clone(), PolicyStore::default())).collect();
    let things = resources.iter().filter(|(_, kind, _)| kind == "AWS::IoT::Thing");
    plane.iot.things = things.map(|(_, _, name)| (name.clone(), Thing { id: name.clone(), ..Thing::default() })).collect();
    let resources: Vec<_> =
        resources.iter().map(|(logical, kind, physical)| (logical.as_str(), kind.as_str(), physical.as_str())).collect();
    plane.stacks.push(Stack::new(STACK, &resources));
    plane
}

/// A resource: its logical id, its type and its physical id.
type Declared = (String, String, String);

/// The types of resources that are shown.
const SHOWN: [&str; 4] = ["AWS::Lambda::Function", "AWS::DynamoDB::Table", "AWS::VerifiedPermissions::PolicyStore", "AWS::IoT::Thing"];

/// The functions, tables, policy stores and things of a template, whose physical ids are their names.
fn declared(template: &str) -> Vec<Declared> {
    let mut found: Vec<Declared> = Vec::new();
    for line in template.lines() {
        let word = line.trim();
        if let Some(logical) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')).and_then(|rest| rest.strip_suffix(':')) {
            found.push((logical.to_owned(), String::new(), logical.to_owned()));
        } else if let (Some(kind), Some(last)) = (word.strip_prefix("Type: AWS::"), found.last_mut().filter(|last| last.1.is_empty())) {
            last.1 = format!("AWS::{}", kind.replace("Serverless::Function", "Lambda::Function"));
        } else if let (Some((_, name)), Some(last)) =
            (word.split_once("Name: ").filter(|(key, _)| ["Function", "Table", "Thing"].contains(key)), found.last_mut())
        {
            name.clone_into(&mut last.2);
        }
    }
    found.retain(|(_, kind, _)| SHOWN.contains(&kind.as_str()));
    found
}
