//! Real processes, killed at random moments of a run, and `recover` on what they leave.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws::arm::{Armed, Place, Store};
use aws::recover::{Which, recover};
use aws::{Lambda, Patience};
use control_plane::{Function, Scripted, Settling};

use crate::support::{FUNCTION, LAYER, World, config, function, plane, run};

/// The outcomes of all kills.
#[derive(Debug, Default)]
pub struct Tally {
    /// Killed before anything was attached.
    pub before: u32,
    /// Killed while the layer was attached.
    pub attached: u32,
    /// Ended before the kill.
    pub ended: u32,
}

/// The example `driver`, which cargo builds with the tests.
fn driver() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(|folder| folder.parent()).unwrap().join("examples/driver");
    assert!(path.exists(), "`{}` is not built; `cargo build --example driver` builds it", path.display());
    path
}

/// Kills this many drivers, each at a random moment, and recovers after each; panics if a function
/// is not restored.
pub fn kill(times: u32) -> Tally {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let scripted = Arc::new(Mutex::new(Scripted::default()));
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(control_plane::serve(listener, Arc::clone(&scripted)));
    let (folder, mut tally, mut whole) = (tempfile::tempdir().unwrap(), Tally::default(), Duration::ZERO);
    let mut before = function();
    before.variables.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/own".to_owned());
    for time in 0..=times {
        let mut begin = plane(Function::new(before.clone()));
        begin.settling = Settling { looks: 1, next_fails: None };
        *scripted.lock().unwrap() = Scripted { plane: begin, ..Scripted::default() };
        let (name, journal) = (format!("run-{time}"), folder.path().join(format!("{time}.ndjson")));
        let begun = Instant::now();
        let mut child =
            Command::new(driver()).args([&endpoint, FUNCTION, &name, LAYER]).arg(&journal).stdout(Stdio::null()).spawn().unwrap();
        if time == 0 {
            assert!(child.wait().unwrap().success());
            whole = begun.elapsed();
        } else {
            let chance = u32::try_from(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), time) % 1100).unwrap();
            std::thread::sleep(whole * chance / 1000);
            child.kill().unwrap();
            let ended = child.wait().unwrap().success();
            let attached = scripted.lock().unwrap().plane.functions[FUNCTION].latest.variables.contains_key("BROWNOUT_UNDO");
            *(if ended {
                &mut tally.ended
            } else if attached {
                &mut tally.attached
            } else {
                &mut tally.before
            }) += 1;
            runtime.block_on(take_back(&endpoint, &name));
        }
        let state = scripted.lock().unwrap();
        let latest = &state.plane.functions[FUNCTION].latest;
        assert_eq!((&latest.layers, &latest.variables), (&before.layers, &before.variables), "{name}");
    }
    tally
}

async fn take_back(endpoint: &str, name: &str) {
    let patience = Patience { total: Duration::from_secs(20), first: Duration::from_millis(2), most: Duration::from_millis(50) };
    let config = config().into_builder().endpoint_url(endpoint).build();
    let journal = World::default();
    // A second recovery is needed if the dead driver's update was still in flight during the first.
    for _ in 0..2 {
        let recovered = recover(&Lambda::new(&config, patience), &journal, &Which::Of(run(name)), &[]).await.unwrap();
        assert!(recovered.iter().all(|one| one.result.is_ok()), "{recovered:?}");
    }
    let place = Place::Parameter(format!("/brownout/{name}"));
    if let Some(mut left) = Armed::left_by(Store::new(&config, patience), place, name).await.unwrap() {
        left.calm(&journal).await.unwrap();
        left.disarm(&journal).await.unwrap();
    }
}
