//! Two functions in a control plane, the exported document, and a check of what is not restored.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws::{Lambda, Patience};
use aws_sdk_lambda::config::{Credentials, Region};
use control_plane::{Alias, Configuration, ControlPlane, Function, Publishing, Scripted, Settling};
use exports::Experiment;
use serde_json::Value;

use crate::automation::{Automation, Execution, Fate, ScriptHost};
use crate::example;

pub const RUN: &str = "11111111-2222-3333-4444-555555555555";
pub const NAMES: [&str; 2] = ["authorizer", "appointments"];

/// The function whose callers use an alias.
pub const SHARED: &str = "appointments";

pub struct Bench {
    pub runtime: tokio::runtime::Runtime,
    pub host: ScriptHost,
    pub document: Value,
    pub experiment: Experiment,
    plane: Arc<Mutex<Scripted>>,
    endpoint: String,
}

/// The functions before the run: one with a wrapper, a variable and a layer, one with nothing.
pub fn before(name: &str) -> Configuration {
    let mut function = Configuration::new(name);
    if name == "authorizer" {
        function.layers = vec!["arn:aws:lambda:us-east-1:123456789012:layer:tracing:4".into()];
        function.variables.insert("AWS_LAMBDA_EXEC_WRAPPER".into(), "/opt/tracing".into());
        function.variables.insert("TABLE_NAME".into(), "t".into());
    } else {
        function.runtime = Some("provided.al2023".into());
    }
    function
}

impl Bench {
    /// `None` if the scripts cannot be run.
    pub fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let plane = Arc::new(Mutex::new(Scripted::default()));
        runtime.spawn(control_plane::serve(listener, Arc::clone(&plane)));
        let host = ScriptHost::start(&endpoint)?;
        let experiment = Experiment { duration: Duration::from_secs(40), ..example::experiment() };
        let document = exports::document(&experiment);
        let mut bench = Self { runtime, host, document, experiment, plane, endpoint };
        bench.reset();
        Some(bench)
    }

    pub fn plane(&self) -> MutexGuard<'_, Scripted> {
        self.plane.lock().unwrap()
    }

    /// Resets everything to before the run, with no accident planned.
    pub fn reset(&mut self) {
        let settling = Settling { looks: 1, next_fails: None };
        let publishing = Publishing { looks: 2, propagation_ms: 0 };
        let mut plane = ControlPlane { settling, publishing, ..ControlPlane::default() };
        plane.layers.insert(self.experiment.layer.to_string(), control_plane::LayerVersion::on(&["x86_64"]));
        for name in NAMES {
            plane.add(Function { tags: [("brownout".into(), "allowed".into())].into(), ..Function::new(before(name)) });
        }
        let shared = plane.functions.get_mut(SHARED).unwrap();
        shared.versions.insert(1, Configuration { version: "1".into(), ..shared.latest.clone() });
        shared.last_version = 1;
        shared.aliases.insert("live".into(), Alias::new("1"));
        *self.plane() = Scripted { plane, ..Scripted::default() };
        self.put(&self.experiment.faults_parameter(), &self.experiment.plan.to_json());
        self.host.plans();
    }

    pub fn put(&self, name: &str, value: &str) {
        let (labels, tier) = (Default::default(), "Standard".into());
        // The scripts' clock begins at this time and only moves forward.
        let modified_ms = aws::marker::now() * 1000;
        let parameter = control_plane::Parameter { value: value.to_owned(), version: 1, tier, labels, modified_ms };
        self.plane().plane.parameters.insert(name.to_owned(), parameter);
    }

    /// Executes the document in the current state.
    pub fn execute(&mut self, fate: Option<&Fate>) -> Execution {
        Automation::execute(&self.document, RUN, &mut self.host, fate)
    }

    pub fn latest(&self, name: &str) -> Configuration {
        self.plane().plane.functions[name].latest.clone()
    }

    /// The plan that the functions read.
    pub fn plan(&self) -> Option<String> {
        let name = self.experiment.plan_parameter();
        self.plane().plane.parameters.get(&name).map(|parameter| parameter.value.clone())
    }

    /// What is not restored, apart from other users' edits.
    pub fn dirt(&self) -> Vec<String> {
        let mut dirt = Vec::new();
        let edits = self.plane().edits.clone();
        for name in NAMES {
            let mut expected = before(name);
            for (_, edit) in edits.iter().filter(|(function, _)| function == name) {
                expected = edit.of(&expected).unwrap_or(expected);
            }
            let found = self.latest(name);
            if (&found.layers, &found.variables) != (&expected.layers, &expected.variables) {
                dirt.push(format!("{name}: {:?} {:?}", found.layers, found.variables));
            }
        }
        let shared = self.plane().plane.functions[SHARED].clone();
        let alias = &shared.aliases["live"];
        if (alias.version.as_str(), alias.weights.len()) != ("1", 0) {
            dirt.push(format!("{SHARED}: {alias:?}"));
        }
        // A version that another user published keeps the layer.
        let ours = shared.versions.iter().filter(|(_, version)| version.description.starts_with("brownout"));
        dirt.extend(ours.map(|(number, _)| format!("{SHARED}: version {number}")));
        dirt.extend(self.plan().map(|plan| format!("the plan is there: {plan}")));
        dirt
    }

    /// The command's own calls to the same control plane.
    pub fn lambda(&self) -> Lambda {
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(&self.endpoint)
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"));
        let pause = Duration::from_millis(1);
        let patience = Patience { total: Duration::from_secs(10), first: pause, most: pause };
        Lambda::new(&self.runtime.block_on(config.load()), patience).with_grace(Duration::ZERO)
    }

    /// Removes every step that undoes, so that a test can see the state before.
    pub fn without_its_end(&mut self) {
        let steps = self.document["mainSteps"].as_array_mut().unwrap();
        steps.retain(|step| ["attach", "arm", "hold"].contains(&step["name"].as_str().unwrap()));
        let text = self.document.to_string().replace("step:cleanUp", "Abort").replace(r#""nextStep":"calm""#, r#""isEnd":true"#);
        self.document = serde_json::from_str(&text).unwrap();
    }

    /// Removes all steps but the clean-up.
    pub fn without_its_beginning(&mut self) {
        self.document["mainSteps"].as_array_mut().unwrap().retain(|step| step["name"] == "cleanUp");
    }
}
