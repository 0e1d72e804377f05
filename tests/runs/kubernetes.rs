//! `brownout load --workers kubernetes:N` with the real `kubectl`, whose cluster is played here: it takes what is valid alone, and runs each
//! pod as a process that has nothing but what the job and its secret give it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::containers::{Answer, Asked, Container, serve};
use crate::load_workers::{Counting, each_once, file, result, soon, text, wait_for};
use crate::support::{BROWNOUT, Share};

const NAMESPACE: &str = "/namespaces/default/";

/// An image that no registry has.
const NOWHERE: &str = "registry.example.com/nowhere:1";

#[derive(Default)]
struct State {
    secrets: BTreeMap<String, Value>,
    jobs: BTreeMap<String, Value>,
    pods: Vec<Container>,
    /// The secrets whose job takes them along.
    owned: Vec<String>,
}

/// The API of a cluster with one namespace. What runs in it ends when it is dropped.
struct Cluster {
    folder: tempfile::TempDir,
    state: Arc<Mutex<State>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.state().pods.clear();
    }
}

impl Cluster {
    fn start() -> Self {
        let (folder, state) = (tempfile::tempdir().unwrap(), Arc::<Mutex<State>>::default());
        let (shared, at) = (Arc::clone(&state), folder.path().to_owned());
        let unknown = |asked: &Asked| (404, Answer::Json(refusal(404, "NotFound", &asked.path)));
        let address = serve(move |asked| answer(asked, &shared, &at).unwrap_or_else(|| unknown(asked)));
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "here", "users": [],
            "clusters": [{"name": "here", "cluster": {"server": format!("http://{address}")}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": ""}}],
        });
        std::fs::write(folder.path().join("config"), config.to_string()).unwrap();
        Self { folder, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A load that its pods send.
    fn load(&self, folder: &Path, image: &str) -> Child {
        let mut load = Command::new(BROWNOUT);
        load.args(["load", "shop.toml", "--out", "out", "--workers", "kubernetes:3", "--image", image, "--start-at", &soon()]);
        load.env("KUBECONFIG", self.folder.path().join("config")).env("HOME", self.folder.path()).env("PLACE", "orders");
        load.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    #[track_caller]
    fn is_empty(&self, output: &Output) {
        let state = self.state();
        assert!(state.secrets.is_empty() && state.jobs.is_empty(), "{:?} {:?}\n{}", state.secrets, state.jobs, text(&output.stderr));
        assert_eq!(state.owned.len(), 1);
    }
}

fn refusal(code: u16, reason: &str, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": code, "reason": reason, "message": message})
}

fn answer(asked: &Asked, state: &Mutex<State>, folder: &Path) -> Option<(u16, Answer)> {
    if let Some(value) = discovery(&asked.path) {
        return Some((200, Answer::Json(value)));
    }
    let (api, resource) = asked.path.split_once(NAMESPACE)?;
    let mut words = resource.splitn(3, '/');
    let (kind, name, part) = (words.next()?, words.next(), words.next());
    let found = match (asked.method.as_str(), api, kind, name, part) {
        ("POST", "/api/v1", "secrets", None, None) => state.lock().unwrap().secret(asked.json()),
        ("PATCH", "/api/v1", "secrets", Some(name), None) => state.lock().unwrap().patch(name, &asked.json()),
        ("POST", "/apis/batch/v1", "jobs", None, None) => state.lock().unwrap().job(asked.json(), folder),
        // Of what it patches, `kubectl` wants to know how it is now.
        ("GET", "/api/v1", "secrets", Some(name), None) => state.lock().unwrap().secrets.get(name)?.clone(),
        ("DELETE", _, "jobs" | "secrets", Some(name), None) => state.lock().unwrap().delete(kind, name)?,
        ("GET", "/api/v1", "pods", None, None) => {
            let mut state = state.lock().unwrap();
            let job = state.jobs.keys().next().filter(|job| asked.query.contains(&format!("job-name%3D{job}"))).cloned();
            json!({"kind": "PodList", "apiVersion": "v1", "items": job.map(|_| state.listed()).unwrap_or_default()})
        }
        ("GET", "/api/v1", "pods", Some(name), None) => {
            json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [{"name": "worker"}]}})
        }
        ("GET", "/api/v1", "pods", Some(name), Some("log")) => {
            let index: usize = name.strip_prefix("pod-")?.parse().ok()?;
            wait_for("the end of a pod", || state.lock().unwrap().pods[index].is_over());
            let log = state.lock().unwrap().pods[index].log.clone();
            return Some((200, Answer::Text(std::fs::read_to_string(log).unwrap())));
        }
        _ => return None,
    };
    Some((if asked.method == "POST" { 201 } else { 200 }, Answer::Json(found)))
}

/// What `kubectl` asks before it does anything.
fn discovery(path: &str) -> Option<Value> {
    let resource = |name: &str, kind: &str| json!({"name": name, "kind": kind, "namespaced": true, "verbs": ["create", "delete", "get", "list", "patch"]});
    let described = |group: &str, kinds: &[&str]| {
        let paths = kinds.iter().map(|kind| {
            let patch = json!({
                "x-kubernetes-group-version-kind": {"group": group, "version": "v1", "kind": kind},
                "parameters": [{"name": "fieldValidation", "in": "query"}], "responses": {},
            });
            (format!("/{kind}"), json!({"patch": patch}))
        });
        json!({"openapi": "3.0.0", "info": {"title": "-", "version": "1"}, "paths": paths.collect::<serde_json::Map<_, _>>()})
    };
    Some(match path {
        "/version" => json!({"major": "1", "minor": "32", "gitVersion": "v1.32.0"}),
        "/api" => json!({"kind": "APIVersions", "versions": ["v1"]}),
        "/apis" => {
            let version = json!({"groupVersion": "batch/v1", "version": "v1"});
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [{"name": "batch", "versions": [version], "preferredVersion": version}]})
        }
        "/api/v1" => json!({
            "kind": "APIResourceList", "groupVersion": "v1",
            "resources": [resource("secrets", "Secret"), resource("pods", "Pod"), resource("pods/log", "Pod")],
        }),
        "/apis/batch/v1" => json!({"kind": "APIResourceList", "groupVersion": "batch/v1", "resources": [resource("jobs", "Job")]}),
        "/openapi/v3" => {
            let at = |path: &str| json!({"serverRelativeURL": format!("/openapi/v3/{path}")});
            json!({"paths": {"api/v1": at("api/v1"), "apis/batch/v1": at("apis/batch/v1")}})
        }
        "/openapi/v3/api/v1" => described("", &["Secret"]),
        "/openapi/v3/apis/batch/v1" => described("batch", &["Job"]),
        _ => return None,
    })
}

impl State {
    fn secret(&mut self, secret: Value) -> Value {
        let name = secret["metadata"]["name"].as_str().unwrap().to_owned();
        let is_data = |value: &Value| STANDARD.decode(value.as_str().unwrap()).is_ok();
        assert!(secret["data"].as_object().unwrap().values().all(is_data), "{secret}");
        self.secrets.insert(name, secret.clone());
        secret
    }

    fn patch(&mut self, name: &str, patch: &Value) -> Value {
        let owner = &patch["metadata"]["ownerReferences"][0];
        assert_eq!((&owner["kind"], &owner["apiVersion"], &owner["uid"]), (&json!("Job"), &json!("batch/v1"), &json!("a-uid")));
        assert!(self.jobs.contains_key(owner["name"].as_str().unwrap()));
        self.owned.push(name.to_owned());
        self.secrets[name].clone()
    }

    fn job(&mut self, mut job: Value, folder: &Path) -> Value {
        let name = job["metadata"]["name"].as_str().unwrap().to_owned();
        let spec = &job["spec"];
        // The hostname of a pod is the job's name with its index.
        assert!(name.len() <= 60 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{name}");
        assert_eq!(
            (&spec["completionMode"], &spec["backoffLimit"], &spec["template"]["spec"]["restartPolicy"]),
            (&json!("Indexed"), &json!(0), &json!("Never"))
        );
        assert_eq!(spec["completions"], spec["parallelism"]);
        self.pods = (0..spec["completions"].as_u64().unwrap()).map(|index| self.pod(&spec["template"]["spec"], index, folder)).collect();
        job["metadata"]["uid"] = json!("a-uid");
        self.jobs.insert(name, job.clone());
        job
    }

    /// A pod as a process: the secret's files below its `/load`, its variables and no others, and nothing else of this machine but the program.
    fn pod(&self, spec: &Value, index: u64, folder: &Path) -> Container {
        let container = &spec["containers"][0];
        let log = folder.join(format!("{index}.log"));
        if container["image"] == NOWHERE {
            return Container { child: None, log };
        }
        let (load, out) = (folder.join(format!("{index}-load")), folder.join(format!("{index}-out")));
        std::fs::create_dir(&out).unwrap();
        let value = |secret: &Value, key: &Value| {
            let secret = &self.secrets[secret.as_str().unwrap()];
            STANDARD.decode(secret["data"][key.as_str().unwrap()].as_str().unwrap()).unwrap()
        };
        let volume = &spec["volumes"][0]["secret"];
        for item in volume["items"].as_array().unwrap() {
            let path = load.join(item["path"].as_str().unwrap());
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, value(&volume["secretName"], &item["key"])).unwrap();
        }
        assert_eq!((&container["command"], &container["volumeMounts"][0]["mountPath"]), (&json!(["brownout"]), &json!("/load")));
        let variables = container["env"].as_array().unwrap().iter().map(|variable| {
            let from = &variable["valueFrom"]["secretKeyRef"];
            (variable["name"].as_str().unwrap().to_owned(), text(&value(&from["name"], &from["key"])))
        });
        let variables = variables.chain([("JOB_COMPLETION_INDEX".to_owned(), index.to_string())]);
        let at = |argument: &str| match argument.strip_prefix("/load/") {
            Some(file) => load.join(file),
            None if argument == "/out" => out.clone(),
            None => argument.into(),
        };
        Container::start(log, container["args"].as_array().unwrap().iter().map(|argument| argument.as_str().unwrap()), at, variables)
    }

    fn listed(&mut self) -> Vec<Value> {
        let listed = |(index, pod): (usize, &mut Container)| {
            let waiting = if pod.child.is_none() { json!([{"state": {"waiting": {"reason": "ErrImagePull"}}}]) } else { json!([]) };
            json!({
                "metadata": {"name": format!("pod-{index}"), "annotations": {"batch.kubernetes.io/job-completion-index": index.to_string()}},
                "status": {"phase": pod.phase(), "containerStatuses": waiting},
            })
        };
        self.pods.iter_mut().enumerate().map(listed).collect()
    }

    fn delete(&mut self, kind: &str, name: &str) -> Option<Value> {
        if kind == "secrets" {
            self.secrets.remove(name)?;
        } else {
            self.jobs.remove(name)?;
            self.pods.iter_mut().for_each(Container::terminate);
        }
        Some(json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))
    }
}

/// A load whose address takes a part from a variable.
fn written(server: &Counting, measured: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &server.url, measured);
    let text = std::fs::read_to_string(&path).unwrap().replace("\"/orders/", "\"/{{env PLACE}}/");
    std::fs::write(path, text).unwrap();
    folder
}

#[test]
fn pods_send_each_arrival_once_and_what_they_wrote_comes_back_through_their_logs() {
    if !Command::new("kubectl").args(["version", "--client"]).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: `kubectl` is not there");
        return;
    }
    let _turn = Share::Place.take();
    let (server, cluster) = (Counting::start(), Cluster::start());
    let folder = written(&server, 4);
    let output = cluster.load(folder.path(), "brownout:1").wait_with_output().unwrap();
    let of_pod = std::fs::read_to_string(folder.path().join("out/worker-0/logs/worker.log")).unwrap_or_default();
    assert_eq!(output.status.code(), Some(0), "{}{}\n{of_pod}", text(&output.stderr), text(&output.stdout));
    each_once(&server, 250);
    assert_eq!(result(&folder.path().join("out"))["verdict"], "held");
    cluster.is_empty(&output);

    // Ctrl-C ends the pods, which still say what they counted.
    let (server, cluster) = (Counting::start(), Cluster::start());
    let folder = written(&server, 300);
    let load = cluster.load(folder.path(), "brownout:1");
    wait_for("requests", || server.total() > 100);
    kill_process(Pid::from_child(&load), Signal::INT).unwrap();
    let output = load.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("worker 2 was interrupted before its end"), "{}", text(&output.stderr));
    cluster.is_empty(&output);

    // Where a pod does not come up, nothing is sent.
    let (server, cluster) = (Counting::start(), Cluster::start());
    let folder = written(&server, 4);
    let output = cluster.load(folder.path(), NOWHERE).wait_with_output().unwrap();
    assert_eq!((output.status.code(), server.total()), (Some(2), 0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("worker 1: ErrImagePull"), "{}", text(&output.stderr));
    cluster.is_empty(&output);
}

#[test]
fn what_cannot_go_to_a_cluster_is_refused_before_anything_goes_there() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    file(folder.path(), "http://127.0.0.1:1", 2);
    let path = file(&below, "http://127.0.0.1:1", 2);
    let text_of = std::fs::read_to_string(&path).unwrap();
    std::fs::write(below.join("outside.toml"), text_of.replace("orders.csv", "../orders.csv")).unwrap();
    std::fs::write(below.join("orders.csv"), format!("id\n{}", "1\n".repeat(600_000))).unwrap();
    let image = ["--image", "brownout:1"];
    for (target, more, says) in [
        ("shop.toml", &[][..], "needs `--image`"),
        ("outside.toml", &image[..], "`../orders.csv` is not below the folder of the file"),
        ("shop.toml", &image[..], "and a secret holds 1048576"),
        ("http://127.0.0.1:1/", &["--image", "brownout:1", "--rate", "5/s", "-H", "authorization: x"], "write a file whose header"),
    ] {
        let mut load = Command::new(BROWNOUT);
        load.args(["load", target, "--workers", "kubernetes:2"]).args(more).env_remove("BROWNOUT_IMAGE");
        let output = load.current_dir(&below).output().unwrap();
        assert!(output.status.code() == Some(2) && text(&output.stderr).contains(says), "{target} {more:?}: {}", text(&output.stderr));
    }
    assert!(!below.join("brownout-runs").exists());
}
