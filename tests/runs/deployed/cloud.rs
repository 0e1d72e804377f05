//! A cloud for one test: a function on the local platform, configured through the test control
//! plane. The extension's plan and ledger go through SSM and CloudWatch Logs, and only while the
//! function has the layer.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use control_plane::{Alias, Configuration, ControlPlane, Function as Deployed, LogLine, Publishing, Scripted, Settling, serve};
use faults::Entry;
use run_folder::{Compressed, RunFolder};
use stack::deliver::Deliver;
use stack::guard;
use stack::platform::{Code, Function, Platform, Settings};
use template::apis::{Api, ApiKind, Route};

use crate::child::{self, Behaviour};
use crate::support::{BROWNOUT, Outcome};

#[path = "lie.rs"]
mod lie;

pub use lie::Lie;

pub const LAYER: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:7";

/// The access key of the command's user.
pub const KEY: &str = "test";

/// A value of the function's own variable.
pub const SECRET: &str = "planted-5ac1b3";

/// The plan's parameter, or the prefix of its name.
const PARAMETER: &str = "/brownout/orders/plan";

pub struct Cloud {
    plane: Arc<Mutex<Scripted>>,
    endpoint: String,
    folder: tempfile::TempDir,
    marker: String,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Cloud {
    /// A cloud without a problem.
    pub fn new() -> Self {
        Self::that_lies(Lie::None)
    }

    pub fn that_lies(lie: Lie) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let marker = format!("deployed-{}-{number}", std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let plane = Arc::new(Mutex::new(Scripted { plane: account(lie), ..Scripted::default() }));
        let (endpoint, gateway) = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(serve(listener, Arc::clone(&plane)));
            let (ledger, mut entries) = tokio::sync::mpsc::unbounded_channel();
            let platform = stack::platform::start(settings(&folder, &marker, lie, ledger)).await.unwrap();
            let gateway = platform.gateway.to_string();
            tokio::spawn(hand_plans_over(Arc::clone(&plane), folder.path().join("plan.json"), platform));
            let logs = Arc::clone(&plane);
            tokio::spawn(async move {
                let mut lines = 0;
                while let Some(entry) = entries.recv().await {
                    // The local platform reports every invocation; AWS's does not.
                    if matches!(entry, Entry::Invoked { .. }) {
                        continue;
                    }
                    for late in lie.arrivals(lines) {
                        let (text, logs, at_ms) = (entry.to_line(), Arc::clone(&logs), unix_ms());
                        tokio::spawn(async move {
                            tokio::time::sleep(late).await;
                            logs.lock().unwrap().plane.print("orders", LogLine { at_ms, text });
                        });
                    }
                    lines += 1;
                }
            });
            (endpoint, gateway)
        });
        std::fs::write(folder.path().join("orders.toml"), experiment(&gateway)).unwrap();
        Self { plane, endpoint, folder, marker, runtime: Some(runtime) }
    }

    /// The function's configuration, without the revision, which every change raises.
    pub fn function(&self) -> Configuration {
        Configuration { revision: 0, ..self.plane.lock().unwrap().plane.functions["orders"].latest.clone() }
    }

    /// The current plan.
    pub fn plan(&self) -> Option<String> {
        let name = self.plan_parameter()?;
        self.plane.lock().unwrap().plane.parameters.get(&name).map(|parameter| parameter.value.clone())
    }

    /// The name of its parameter.
    pub fn plan_parameter(&self) -> Option<String> {
        self.plane.lock().unwrap().plane.parameters.keys().find(|name| name.starts_with(PARAMETER)).cloned()
    }

    pub fn plane(&self) -> Arc<Mutex<Scripted>> {
        Arc::clone(&self.plane)
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn edit(&self, edit: impl FnOnce(&mut Configuration)) {
        edit(&mut self.plane.lock().unwrap().plane.functions.get_mut("orders").unwrap().latest);
    }

    /// A second function, on this architecture, that the experiment strikes too.
    pub fn strike_another(&self, name: &str, architecture: &str) {
        let mut function = Deployed::new(Configuration { architecture: architecture.to_owned(), ..Configuration::new(name) });
        function.tags.insert("brownout".into(), "allowed".into());
        self.plane.lock().unwrap().plane.add(function);
        let stem = "arn:aws:lambda:eu-central-1:123456789012:function:";
        let section = format!(
            "[[aws.function]]\narn = \"{stem}{name}\"\nrole = \"arn:aws:iam::123456789012:role/{name}\"\ntriggers = [\"http\"]\n\n"
        );
        self.rewrite("[[load.requests]]\nof = \"orders GET", &format!("{section}[[load.requests]]\nof = \"orders GET"));
    }

    /// How often the function was changed.
    pub fn revision(&self, name: &str) -> u64 {
        self.plane.lock().unwrap().plane.functions[name].latest.revision
    }

    pub fn tag(&self, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        self.plane.lock().unwrap().plane.functions.get_mut("orders").unwrap().tags = tags;
    }

    /// From now on its callers use the alias `live`, which points to version 1.
    pub fn call_it_by_an_alias(&self) {
        let function = &mut self.plane.lock().unwrap().plane;
        let function = function.functions.get_mut("orders").unwrap();
        function.versions.insert(1, Configuration { version: "1".into(), ..function.latest.clone() });
        function.last_version = 1;
        function.aliases.insert("live".into(), Alias::new("1"));
        let text = std::fs::read_to_string(self.file()).unwrap().replace("[[aws.function]]\n", "[[aws.function]]\nalias = \"live\"\n");
        std::fs::write(self.file(), text).unwrap();
    }

    /// The existing versions, and the weights of the alias.
    pub fn versions(&self) -> (Vec<u64>, BTreeMap<String, f64>) {
        let function = self.plane.lock().unwrap().plane.functions["orders"].clone();
        (function.versions.keys().copied().collect(), function.aliases["live"].weights.clone())
    }

    /// Replaces text in the experiment.
    pub fn rewrite(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "`{from}` is not in {text}");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    pub fn file(&self) -> String {
        self.folder.path().join("orders.toml").display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BROWNOUT);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, value) in [("AWS_ENDPOINT_URL", self.endpoint.as_str()), ("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", "test")] {
            command.env(name, value);
        }
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Runs the command to its end: code, standard output, standard error.
    pub fn brownout(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    /// Starts the experiment, struck and calmed by the command itself.
    pub fn run(&self, more: &[&str]) -> Started {
        self.run_by(&["--target", "aws"], more)
    }

    /// Starts the experiment, driven as `how` says.
    pub fn run_by(&self, how: &[&str], more: &[&str]) -> Started {
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (self.file(), folder.path().display().to_string());
        let mut command = self.command(&["run", &file, "--out", &out]);
        let child = command.args(how).args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Started { child: Some(child), folder: Some(folder) }
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(1));
        }
        let _ = guard::end_all(&self.marker);
    }
}

/// A running experiment; killed when dropped.
pub struct Started {
    child: Option<std::process::Child>,
    folder: Option<tempfile::TempDir>,
}

impl Started {
    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    pub fn end(mut self) -> Outcome {
        let output = self.child.take().unwrap().wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self.folder.take().unwrap(),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn account(lie: Lie) -> ControlPlane {
    let mut configuration = Configuration::new("orders");
    configuration.variables.insert("DATABASE_PASSWORD".into(), SECRET.into());
    if lie == Lie::LogInJson {
        let logging = serde_json::json!({"LogFormat": "JSON", "LogGroup": "/clinic/orders"});
        configuration.others.insert("LoggingConfig".into(), logging);
    }
    let mut function = Deployed::new(configuration);
    function.tags.insert("brownout".into(), "allowed".into());
    let (settling, failing_pages) = (Settling { looks: 2, next_fails: None }, if lie == Lie::PagesFail { u32::MAX } else { 0 });
    let publishing = Publishing { looks: 2, propagation_ms: 1_500 };
    let mut plane = ControlPlane { settling, failing_pages, publishing, ..ControlPlane::default() };
    plane.layers.insert(LAYER.into(), control_plane::LayerVersion::on(&["x86_64"]));
    plane.add(function);
    plane
}

/// The extension; for a half-blind cloud, a script that gives every second one an empty plan.
fn extension(folder: &Path, lie: Lie) -> PathBuf {
    let real = PathBuf::from(BROWNOUT).with_file_name("brownout-extension");
    if lie != Lie::HalfBlind {
        return real;
    }
    let script = folder.join("half-blind/brownout-extension");
    let (mark, none) = (folder.join("sees"), folder.join("none.json"));
    std::fs::create_dir(script.parent().unwrap()).unwrap();
    std::fs::write(&none, "").unwrap();
    let text = format!(
        "#!/bin/sh\nif mkdir '{mark}' 2>/dev/null; then :; else rmdir '{mark}'; export BROWNOUT_PLAN='file:{none}'; fi\nexec '{real}' \"$@\"\n",
        mark = mark.display(),
        none = none.display(),
        real = real.display()
    );
    write_program(&script, &text);
    script
}

fn write_program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn settings(folder: &tempfile::TempDir, marker: &str, lie: Lie, ledger: tokio::sync::mpsc::UnboundedSender<Entry>) -> Settings {
    let binary = folder.path().join("function");
    let this = std::env::current_exe().unwrap();
    write_program(&binary, &format!("#!/bin/sh\nexec '{}' --ignored --exact --nocapture child::runtime\n", this.display()));
    let plan = folder.path().join("plan.json");
    let (behaviour, concurrency) = match lie {
        Lie::Function(behaviour) => (behaviour, 20),
        Lie::Crowded { environments } => (Behaviour::Well, environments),
        // All three are used, whichever see.
        Lie::HalfBlind => (Behaviour::Slow, 3),
        _ => (Behaviour::Well, 20),
    };
    let variables = [(child::BEHAVIOUR, behaviour.name()), (child::PLAN, plan.display().to_string())];
    let layer = Path::new(env!("CARGO_MANIFEST_DIR")).join("extension/layer");
    let route = Route::to_function(None, "/{api+}", "orders");
    let api = Api { id: "abc123".into(), routes: vec![route], ..Api::new(ApiKind::Rest, "Api", "prod") };
    Settings {
        functions: vec![Function {
            timeout: Duration::from_secs(10),
            concurrency,
            variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Function::new("orders", Code::Provided(binary))
        }],
        apis: vec![api],
        urls: BTreeMap::new(),
        pools: Vec::new(),
        run_folder: RunFolder::create(folder.path().join("platform")).unwrap(),
        extension: Some(extension(folder.path(), lie)),
        wrapper: layer.join("wrapper"),
        plan,
        variables: BTreeMap::from([("AWS_REGION".to_owned(), control_plane::REGION.to_owned())]),
        marker: marker.to_owned(),
        ledger,
        sightings: run_folder::Sightings::nowhere(),
        compressed: Compressed::default(),
        deliver: Deliver::default(),
        namespace: None,
    }
}

/// Gives the extension the plan in the parameter that its variable names, as long as the function
/// has the layer; otherwise no plan.
async fn hand_plans_over(plane: Arc<Mutex<Scripted>>, file: PathBuf, _platform: Platform) {
    let mut last = None;
    loop {
        let plan = {
            let plane = &plane.lock().unwrap().plane;
            let function = &plane.functions["orders"];
            let weighted = function.aliases.values().flat_map(|alias| alias.weights.keys());
            let shared = weighted.filter_map(|version| function.versions.get(&version.parse().unwrap())).next();
            let running = shared.unwrap_or(&function.latest);
            let source = running.variables.get("BROWNOUT_PLAN").and_then(|source| source.strip_prefix("ssm:"));
            let has_layer = running.layers.iter().any(|layer| layer == LAYER);
            source.filter(|_| has_layer).and_then(|name| plane.parameters.get(name)).map(|parameter| parameter.value.clone())
        };
        if plan != last {
            let new = file.with_extension("new");
            std::fs::write(&new, plan.as_deref().unwrap_or_default()).unwrap();
            std::fs::rename(&new, &file).unwrap();
            last = plan;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn experiment(gateway: &str) -> String {
    format!(
        r#"question = "Do orders keep their aims while they are slow, and are strangers kept out?"
seed = 7

[phases]
warm-up = "1s"
baseline = "5s"
fault = "12s"
recovery = "3s"
lease = "5s"

[aws]
layer = "{LAYER}"
ledger-lag = "2s"
alias-grace = "3s"
fis-lead = "8s"

[[aws.function]]
arn = "arn:aws:lambda:eu-central-1:123456789012:function:orders"
role = "arn:aws:iam::123456789012:role/orders"
triggers = ["http"]

[[load.requests]]
of = "orders GET /orders/{{id}}"
url = "http://{gateway}/prod/orders/7"
rate = "40/s"

[[load.requests]]
of = "orders stranger"
url = "http://{gateway}/prod/orders/7/address"
rate = "5/s"
statuses = [403]

[[fault]]
function = "orders"
share = 0.5
latency = {{ at = "before", time = "60ms" }}

[[expect]]
of = "orders GET /orders/{{id}}"
p50 = "<= 800ms"
errors = "<= 5%"
"#
    )
}

fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
