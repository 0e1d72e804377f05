//! The plan in force, watched in the background and never read during a call. If the plan cannot be
//! read, nothing is faulted.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use faults::{Entry, Plan};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;

/// How often the file is read: a strike takes effect within this time.
const EVERY: Duration = Duration::from_millis(100);

/// A plan and the end of its lease.
#[derive(Debug, Clone)]
struct InForce {
    plan: Arc<Plan>,
    until: Instant,
}

/// The plan in force, shared by everything that decides by it. The watch ends with its last copy.
#[derive(Debug, Clone)]
pub struct PlanWatch {
    in_force: Arc<Mutex<Option<InForce>>>,
    _watcher: Arc<Watcher>,
}

#[derive(Debug)]
struct Watcher(JoinHandle<()>);

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl PlanWatch {
    /// Watches the plan file at `path`. Notes about it go into the ledger in the name of `place`,
    /// once for each change.
    pub fn start(path: PathBuf, place: &str, ledger: UnboundedSender<Entry>) -> Self {
        let in_force = Arc::new(Mutex::new(None));
        let mut reader = Reader::new(place.to_owned(), ledger, Arc::clone(&in_force));
        reader.look(read(&path), Moment::now());
        let watcher = tokio::spawn(async move {
            loop {
                tokio::time::sleep(EVERY).await;
                reader.look(read(&path), Moment::now());
            }
        });
        Self { in_force, _watcher: Arc::new(Watcher(watcher)) }
    }

    /// The plan in force now; `None` if the file does not exist or cannot be read, or the plan's
    /// lease has expired.
    pub fn current(&self) -> Option<Arc<Plan>> {
        at(&self.in_force, Instant::now())
    }

    /// Ends when a fault of `run` is not in force any more: the plan is calm, gone or another
    /// run's, or its lease has expired.
    pub async fn over(&self, run: &str, fault: &str) {
        while self.current().is_some_and(|plan| plan.run == run && plan.strikes_with(fault)) {
            tokio::time::sleep(EVERY / 4).await;
        }
    }
}

fn at(in_force: &Mutex<Option<InForce>>, now: Instant) -> Option<Arc<Plan>> {
    let in_force = in_force.lock().unwrap_or_else(PoisonError::into_inner);
    in_force.as_ref().filter(|it| now < it.until).map(|it| Arc::clone(&it.plan))
}

/// The file is small and local, so reading it here costs less than handing it to another thread.
fn read(path: &Path) -> Content {
    let mut content = Content::default();
    if let Ok(mut file) = File::open(path) {
        content.written = file.metadata().and_then(|file| file.modified()).ok();
        if file.read_to_end(&mut content.bytes).is_err() {
            content.bytes.clear();
        }
    }
    content
}

/// The content of a file, and its time of writing.
#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    written: Option<SystemTime>,
}

/// One moment on both clocks.
#[derive(Debug, Clone, Copy)]
struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }
}

/// Reads the file repeatedly and keeps what is in force.
struct Reader {
    place: String,
    ledger: UnboundedSender<Entry>,
    in_force: Arc<Mutex<Option<InForce>>>,
    last_bytes: Vec<u8>,
    last_seen: Option<(String, u64)>,
    lapse_noted: bool,
}

impl Reader {
    fn new(place: String, ledger: UnboundedSender<Entry>, in_force: Arc<Mutex<Option<InForce>>>) -> Self {
        Self { place, ledger, in_force, last_bytes: Vec::new(), last_seen: None, lapse_noted: true }
    }

    /// An empty file is treated like a missing file: no plan.
    fn look(&mut self, content: Content, now: Moment) {
        if content.bytes == self.last_bytes {
            self.note_lapse(now.steady);
            return;
        }
        self.last_bytes = content.bytes;
        if self.last_bytes.is_empty() {
            self.put(None);
            return;
        }
        match Plan::read(&self.last_bytes) {
            Ok(plan) => self.take(plan, content.written, now),
            Err(error) => {
                self.put(None);
                self.note(format!("no fault is in force: {error}"));
            }
        }
    }

    /// The rest of the lease counts from here, on the monotonic clock. An older plan of the same
    /// run changes nothing.
    fn take(&mut self, plan: Plan, written: Option<SystemTime>, now: Moment) {
        if let Some((run, sequence)) = &self.last_seen
            && *run == plan.run
            && plan.sequence <= *sequence
        {
            self.note(format!("plan {} is ignored: {sequence} was seen before", plan.sequence));
            return;
        }
        self.last_seen = Some((plan.run.clone(), plan.sequence));
        self.lapse_noted = plan.faults.is_empty();
        let age = written.map(|written| now.wall.duration_since(written).unwrap_or_default());
        let until = now.steady + plan.left(age, now.wall).unwrap_or_default();
        self.put(Some(InForce { plan: Arc::new(plan), until }));
    }

    fn note_lapse(&mut self, now: Instant) {
        let lapsed = self.in_force.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|it| now >= it.until);
        if lapsed && !self.lapse_noted {
            self.lapse_noted = true;
            self.note("no fault is in force: the lease ran out".to_owned());
        }
    }

    fn put(&self, plan: Option<InForce>) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// The ledger may be closed; that is no reason to stop.
    fn note(&self, what: String) {
        let _ = self.ledger.send(Entry::Note { place: self.place.clone(), what });
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn json(run: &str, sequence: u64, lease_ms: u64) -> String {
        format!(
            r#"{{"version":1,"run":"{run}","sequence":{sequence},"lease_ms":{lease_ms},"seed":1,"faults":[
            {{"name":"slow","place":{{"service":{{"name":"dynamodb"}}}},"share":1.0,"kind":{{"latency":{{"at":"before","time":"1ms"}}}}}}]}}"#
        )
    }

    struct Desk {
        reader: Reader,
        began: Instant,
        lines: UnboundedReceiver<Entry>,
    }

    impl Desk {
        fn new() -> Self {
            let (ledger, lines) = unbounded_channel();
            Self { reader: Reader::new("services".into(), ledger, Arc::default()), began: Instant::now(), lines }
        }

        /// The plan in force after a look at `bytes`, `ms` after the beginning.
        fn after(&mut self, ms: u64, bytes: &str) -> Option<u64> {
            self.after_one_of_age(ms, bytes, Duration::ZERO)
        }

        fn after_one_of_age(&mut self, ms: u64, bytes: &str, age: Duration) -> Option<u64> {
            let (steady, wall) = (self.began + Duration::from_millis(ms), SystemTime::now());
            self.reader.look(Content { bytes: bytes.as_bytes().to_vec(), written: wall.checked_sub(age) }, Moment { steady, wall });
            at(&self.reader.in_force, steady).map(|plan| plan.sequence)
        }
    }

    #[test]
    fn a_plan_ends_with_its_lease_and_a_renewal_keeps_it() {
        let mut desk = Desk::new();
        let (first, renewed) = (json("r", 1, 1000), json("r", 2, 1000));
        for (ms, bytes, in_force) in [
            (0, "", None),
            (100, first.as_str(), Some(1)),
            (1000, first.as_str(), Some(1)),
            (1050, renewed.as_str(), Some(2)),
            (2000, renewed.as_str(), Some(2)),
            (2050, renewed.as_str(), None),
            (9000, renewed.as_str(), None),
        ] {
            assert_eq!(desk.after(ms, bytes), in_force, "at {ms} ms");
        }
        assert!(matches!(desk.lines.try_recv(), Ok(Entry::Note { what, .. }) if what.contains("lease")));
        assert!(desk.lines.try_recv().is_err(), "said once");
    }

    #[test]
    fn an_older_plan_is_ignored_and_an_unreadable_one_ends_all_faults() {
        let mut desk = Desk::new();
        for (ms, bytes, in_force) in [
            (0, json("r", 5, 60_000), Some(5)),
            (100, json("r", 4, 60_000), Some(5)),
            (200, json("another", 1, 60_000), Some(1)),
            (300, "{".to_owned(), None),
            (400, json("another", 1, 60_000), None),
            (500, json("another", 2, 60_000), Some(2)),
            (600, String::new(), None),
        ] {
            assert_eq!(desk.after(ms, &bytes), in_force, "at {ms} ms");
        }
    }

    #[test]
    fn the_plan_of_a_dead_run_has_only_the_rest_of_its_lease() {
        let hours = Duration::from_secs(7_200);
        assert_eq!(Desk::new().after_one_of_age(0, &json("r", 1, 60_000), hours), None);
        let mut desk = Desk::new();
        assert_eq!(desk.after_one_of_age(0, &json("r", 1, 1000), Duration::from_millis(600)), Some(1));
        assert_eq!(desk.after(400, &json("r", 1, 1000)), None);
    }

    #[tokio::test]
    async fn a_fault_is_over_once_the_plan_is_calm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, json("r", 1, 60_000)).unwrap();
        let watch = PlanWatch::start(path.clone(), "services", unbounded_channel().0);
        let over = tokio::spawn({
            let watch = watch.clone();
            async move { watch.over("r", "slow").await }
        });
        tokio::time::timeout(Duration::from_secs(10), watch.over("r", "another")).await.expect("no such fault is in force");
        tokio::time::sleep(3 * EVERY).await;
        assert!(!over.is_finished());
        std::fs::write(&path, r#"{"version":1,"run":"r","sequence":2,"lease_ms":60000,"seed":1,"faults":[]}"#).unwrap();
        tokio::time::timeout(Duration::from_secs(10), over).await.expect("it is never over").unwrap();
    }

    #[tokio::test]
    async fn the_file_is_watched_from_the_first_call_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        std::fs::write(&path, json("r", 1, 60_000)).unwrap();
        let watch = PlanWatch::start(path.clone(), "services", unbounded_channel().0);
        assert_eq!(watch.current().map(|plan| plan.sequence), Some(1));
        std::fs::write(&path, json("r", 2, 60_000)).unwrap();
        let seen = async {
            while watch.current().map(|plan| plan.sequence) != Some(2) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap();
    }
}
