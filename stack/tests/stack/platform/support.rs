//! A platform of this test binary. It is gone when the test ends, whether or not the test passes.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use faults::Entry;
use run_folder::addresses::Pool;
use run_folder::{Compressed, RunFolder};
use serde_json::Value;
use stack::deliver::Deliver;
use stack::guard;
use stack::platform::{Code, Function, Invoked, Platform, Settings};
use template::apis::Api;
use template::blueprint::Url;
use tokio::sync::mpsc::UnboundedReceiver;

pub struct Up {
    pub platform: Platform,
    pub entries: UnboundedReceiver<Entry>,
    pub folder: tempfile::TempDir,
    left: Left,
}

/// Ends the processes that a failed test left.
pub struct Left(pub String);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = guard::end_all(&self.0);
    }
}

pub fn function(name: &str) -> Function {
    Function { timeout: Duration::from_secs(20), ..Function::new(name, Code::Provided(PathBuf::new())) }
}

fn script(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// What a layer adds to an environment.
pub struct Layer {
    pub extension: PathBuf,
    pub wrapper: PathBuf,
}

/// What else differs between platforms.
#[derive(Debug, Default)]
pub struct More {
    pub deliver: Deliver,
    /// Environments have folders of their own.
    pub namespace: Option<PathBuf>,
}

/// A platform of these functions, unchanged.
pub async fn layered(functions: Vec<Function>, layer: Option<Layer>) -> std::io::Result<Up> {
    let folder = tempfile::tempdir().unwrap();
    start(functions, Front::default(), layer, folder, More::default()).await
}

/// A platform of these functions, unchanged, with files of the test in `folder`.
pub async fn with(functions: Vec<Function>, layer: Option<Layer>, folder: tempfile::TempDir, more: More) -> std::io::Result<Up> {
    start(functions, Front::default(), layer, folder, more).await
}

/// A platform whose functions are this test binary, with the real extension in front of them and a
/// plan that is in force from the start.
pub async fn struck(functions: Vec<Function>, apis: Vec<Api>, layer: Layer, plan: &Value) -> Up {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("plan.json"), plan.to_string()).unwrap();
    let exe = std::env::current_exe().unwrap();
    let binary = script(&folder, "function", &format!("exec '{}' --ignored --exact --nocapture platform::child::runtime", exe.display()));
    let functions = functions.into_iter().map(|function| Function { code: Code::Provided(binary.clone()), ..function }).collect();
    start(functions, apis.into(), Some(layer), folder, More::default()).await.unwrap()
}

/// What the gateway of a platform serves.
#[derive(Default)]
pub struct Front {
    pub apis: Vec<Api>,
    pub urls: BTreeMap<String, Url>,
    pub pools: Vec<Pool>,
}

impl From<Vec<Api>> for Front {
    fn from(apis: Vec<Api>) -> Self {
        Self { apis, ..Self::default() }
    }
}

/// A platform whose functions are this test binary.
pub async fn up(functions: Vec<Function>, front: impl Into<Front>, extension: bool) -> Up {
    up_with(functions, front, extension, More::default()).await
}

/// The same with more.
pub async fn up_with(functions: Vec<Function>, front: impl Into<Front>, extension: bool, more: More) -> Up {
    let folder = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let this = |test: &str| format!("exec '{}' --ignored --exact --nocapture platform::child::{test}", exe.display());
    let binary = script(&folder, "function", &this("runtime"));
    let stand_in = script(&folder, "stand-in", &this("extension"));
    let wrapper = script(&folder, "wrapper", "exec \"$@\"");
    let functions = functions.into_iter().map(|function| Function { code: Code::Provided(binary.clone()), ..function }).collect();
    let layer = extension.then_some(Layer { extension: stand_in, wrapper });
    start(functions, front.into(), layer, folder, more).await.unwrap()
}

async fn start(functions: Vec<Function>, front: Front, layer: Option<Layer>, folder: tempfile::TempDir, more: More) -> std::io::Result<Up> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let marker = format!("test-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let (extension, wrapper) = layer.map_or_else(Default::default, |layer| (Some(layer.extension), layer.wrapper));
    let (ledger, entries) = tokio::sync::mpsc::unbounded_channel();
    let settings = Settings {
        functions,
        apis: front.apis,
        urls: front.urls,
        pools: front.pools,
        run_folder: RunFolder::create(folder.path().join("run")).unwrap(),
        extension,
        wrapper,
        plan: folder.path().join("plan.json"),
        variables: [("AWS_REGION".to_owned(), "eu-west-1".to_owned())].into(),
        marker: marker.clone(),
        ledger,
        sightings: run_folder::Sightings::nowhere(),
        compressed: Compressed { queues: 600, expiry: 1 },
        deliver: more.deliver,
        namespace: more.namespace,
    };
    Ok(Up { platform: stack::platform::start(settings).await?, entries, folder, left: Left(marker) })
}

impl Up {
    pub async fn invoke(&self, function: &str, event: Value) -> (Invoked, Value) {
        let invoked = self.platform.invoke(function, Bytes::from(event.to_string()), None).await.unwrap();
        let payload = serde_json::from_slice(&invoked.payload).unwrap();
        (invoked, payload)
    }

    /// Itself, or `None` if this machine lacks the runtime of a function.
    pub async fn or_skipped(self) -> Option<Self> {
        let missing = self.platform.missing();
        if missing.is_empty() {
            return Some(self);
        }
        println!("SKIPPED: {missing:?}");
        self.down().await;
        None
    }

    /// The value of `BROWNOUT_STACK` in its processes.
    pub fn marker(&self) -> &str {
        &self.left.0
    }

    /// Ends it; no process may be left. Returns the ledger's entries.
    pub async fn down(mut self) -> Vec<Entry> {
        let began = Instant::now();
        assert_eq!(self.platform.stop().await, Vec::<String>::new());
        assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
        assert_eq!(guard::marked(&self.left.0), Vec::<i32>::new());
        let mut entries = Vec::new();
        while let Ok(entry) = self.entries.try_recv() {
            entries.push(entry);
        }
        entries
    }
}

/// Waits until `is_so` returns true.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
