//! An account in which a stack is deployed, reached by `AWS_ENDPOINT_URL` alone: Lambda's control
//! plane, SSM, Logs and CloudFormation are `control-plane`; functions, APIs and data are a local
//! stack. It tells the command nothing that AWS would not tell.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control_plane::{Configuration, ControlPlane, Function, Publishing, Scripted, Settling};
use run_folder::{Addresses, RunFolder};

use crate::support::{BROWNOUT, Outcome, within};
use crate::{plans, router};

/// The version of brownout's layer in the account.
pub const LAYER: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:7";

/// The stack's name.
pub const STACK: &str = "samples";

/// The longest wait for the stack.
const COMING_UP: Duration = Duration::from_secs(120);

pub struct Account {
    plane: Arc<Mutex<Scripted>>,
    endpoint: String,
    folder: tempfile::TempDir,
    stack: std::process::Child,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Account {
    /// One with these systems deployed in a stack; `up` are further arguments of `brownout up`.
    pub fn with(systems: &str, up: &[&str]) -> Self {
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
        let plane = Arc::new(Mutex::new(Scripted { plane: plane(&addresses), ..Scripted::default() }));
        let endpoint = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let folder = RunFolder::join(&at).unwrap();
            tokio::spawn(plans::hand_over(Arc::clone(&plane), folder.clone()));
            tokio::spawn(plans::print_ledger(Arc::clone(&plane), folder.ledger()));
            tokio::spawn(router::serve(listener, Arc::clone(&plane), addresses));
            endpoint
        });
        Self { plane, endpoint, folder, stack, runtime: Some(runtime) }
    }

    /// The configurations of all functions, without the revisions, which every change raises.
    pub fn functions(&self) -> BTreeMap<String, Configuration> {
        let plane = &self.plane.lock().unwrap().plane;
        let bare = |(name, function): (&String, &Function)| (name.clone(), Configuration { revision: 0, ..function.latest.clone() });
        plane.functions.iter().map(bare).collect()
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

fn plane(addresses: &Addresses) -> ControlPlane {
    let (settling, publishing) = (Settling { looks: 2, next_fails: None }, Publishing { looks: 2, propagation_ms: 1_500 });
    let mut plane = ControlPlane { settling, publishing, ..ControlPlane::default() };
    plane.layers.insert(LAYER.into(), vec!["x86_64".into()]);
    for name in &addresses.functions {
        let mut function = Function::new(Configuration { runtime: Some("provided.al2023".to_owned()), ..Configuration::new(name) });
        function.tags.insert("brownout".into(), "allowed".into());
        plane.add(function);
    }
    plane
}
