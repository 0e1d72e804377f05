//! Plays the documents that FIS should start, with the interpreter of SSM Automation, the real
//! boto3 and the real clock. It ends with its cloud.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use control_plane::{Play, Scripted};

use crate::automation::{Automation, ScriptHost, Status};
use crate::cloud::Cloud;

pub struct Player {
    over: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Player {
    /// `None` if the scripts of a document cannot be run.
    pub fn start(cloud: &Cloud) -> Option<Self> {
        let host = ScriptHost::in_real_time(cloud.endpoint())?;
        let over = Arc::new(AtomicBool::new(false));
        let (plane, ends) = (cloud.plane(), Arc::clone(&over));
        let thread = std::thread::spawn(move || play_all(&plane, host, &ends));
        Some(Self { over, thread: Some(thread) })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn play_all(plane: &Arc<Mutex<Scripted>>, mut host: ScriptHost, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        let next = plane.lock().unwrap().plane.to_play();
        match next {
            Some(next) => play(plane, &mut host, &next, over),
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

fn play(plane: &Arc<Mutex<Scripted>>, host: &mut ScriptHost, play: &Play, over: &AtomicBool) {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let id = format!("aaaaaaaa-1111-2222-3333-{:012}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let document = host.read_yaml(&play.document);
    let (cancel, done) = (AtomicBool::new(false), AtomicBool::new(false));
    let execution = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let stops = plane
                    .lock()
                    .unwrap()
                    .plane
                    .experiments
                    .iter()
                    .any(|it| it.id == play.experiment && it.status == control_plane::Status::Stopping);
                cancel.fetch_or(stops || over.load(Ordering::Relaxed), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let execution = Automation::execute_with(&document, &play.parameters, &id, host, None, Some(&cancel));
        done.store(true, Ordering::Relaxed);
        execution
    });
    let outcome = if execution.status == Status::Failed { Err(execution.failures.join("; ")) } else { Ok(()) };
    plane.lock().unwrap().plane.played(play, outcome);
}
