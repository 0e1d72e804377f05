//! The sources of fault plans. They are polled on a separate thread, outside the event path: a
//! source that hangs must delay neither listening nor any event.

pub mod appconfig;
pub mod fetched;
pub mod file;
pub mod in_force;
pub mod keeper;
pub mod source;
pub mod variable;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use timer::wait;
use tokio::sync::watch;

use crate::ledger::Ledger;
use crate::lock::lock;
use crate::settings::PlanSetting;
pub use in_force::{InForce, Moment};
use source::{INTERVAL, Source};

/// The longest wait of an event, after a thaw, for a look that is due.
const THAW: Duration = Duration::from_millis(2);

/// The state after one look.
#[derive(Debug, Clone, Default)]
struct Seen {
    at: Option<Instant>,
    plan: Option<Arc<InForce>>,
    /// The life of the environment that it belongs to.
    life: u64,
}

/// Wakes the thread of the sources early.
#[derive(Debug, Default)]
struct Nudge {
    wanted: Mutex<bool>,
    changed: Condvar,
    /// How often the environment was restored from a snapshot: results from an earlier life are
    /// dropped.
    life: AtomicU64,
}

impl Nudge {
    fn now(&self) {
        *lock(&self.wanted) = true;
        self.changed.notify_one();
    }

    fn sleep(&self, time: Duration) {
        let wanted = lock(&self.wanted);
        let slept = self.changed.wait_timeout_while(wanted, time, |wanted| !*wanted);
        let (mut wanted, _) = slept.unwrap_or_else(PoisonError::into_inner);
        *wanted = false;
    }
}

/// The plan in force, as the event path sees it.
#[derive(Debug)]
pub struct Plans {
    seen: watch::Receiver<Seen>,
    nudge: Arc<Nudge>,
    /// Whether the source can change, and a look is so fast that an event may wait for one.
    changes: bool,
    /// Set when a look did not come in time: events then stop waiting until one comes.
    hangs: AtomicBool,
}

/// Starts polling the configured source, without waiting.
pub fn start(setting: &PlanSetting, ledger: &Arc<Ledger>) -> Plans {
    let (to, seen) = watch::channel(Seen::default());
    let nudge = Arc::new(Nudge::default());
    let mut keeper = keeper::Keeper::default();
    let looking = |source: &mut dyn Source, keeper: &mut keeper::Keeper| look_once(source, keeper, &to, ledger, 0);
    let source: Box<dyn Source> = match setting {
        PlanSetting::None => {
            ledger.note("no plan is set: every event passes untouched");
            return Plans { seen, nudge, changes: false, hangs: AtomicBool::new(false) };
        }
        PlanSetting::File(path) => Box::new(file::PlanFile::new(path.clone())),
        PlanSetting::Variable(text) => {
            // It is already in memory: nothing can hang, and the first event finds it.
            let mut source = variable::Variable::new(text.clone());
            looking(&mut source, &mut keeper);
            Box::new(source)
        }
        PlanSetting::AppConfig { configuration, port } => Box::new(appconfig::AppConfig::new(configuration, *port)),
        PlanSetting::Fetched { address, programs } => Box::new(fetched::Fetched::new(address.clone(), programs.clone())),
    };
    // No event waits for another program: after a thaw the last plan is in force until its lease
    // ends.
    let changes = matches!(setting, PlanSetting::File(_));
    let (ledger_there, nudge_there) = (Arc::clone(ledger), Arc::clone(&nudge));
    let thread = std::thread::Builder::new().name("plan".to_owned()).stack_size(256 << 10);
    if thread.spawn(move || watch_source(source, keeper, &to, &nudge_there, &ledger_there)).is_err() {
        ledger.note("the plan's source cannot be looked at: every event passes untouched");
    }
    Plans { seen, nudge, changes, hangs: AtomicBool::new(false) }
}

fn watch_source(mut source: Box<dyn Source>, mut keeper: keeper::Keeper, to: &watch::Sender<Seen>, nudge: &Nudge, ledger: &Ledger) {
    let mut life = 0;
    while !to.is_closed() {
        let now = nudge.life.load(Ordering::Acquire);
        if std::mem::replace(&mut life, now) != now {
            source.forget();
            keeper = keeper::Keeper::default();
        }
        look_once(source.as_mut(), &mut keeper, to, ledger, life);
        nudge.sleep(source.pause());
    }
}

fn look_once(source: &mut dyn Source, keeper: &mut keeper::Keeper, to: &watch::Sender<Seen>, ledger: &Ledger, life: u64) {
    // After a panic, the plan in force ends with its lease, and the source may succeed next time.
    let taken = catch_unwind(AssertUnwindSafe(|| {
        let look = source.look();
        let now = Moment::now();
        (now.steady, keeper.take(look, now))
    }));
    let Ok((now, news)) = taken else { return ledger.note("looking at the plan's source failed") };
    to.send_replace(Seen { at: Some(now), plan: keeper.in_force(), life });
    for what in news {
        ledger.note(&what);
    }
}

impl Plans {
    /// A fixed plan, even one that would be refused when read.
    #[cfg(test)]
    pub(crate) fn fixed(plan: faults::Plan) -> Self {
        let ends = Moment::now() + plan.lease_ms.duration();
        let seen = Seen { at: None, plan: Some(Arc::new(InForce::new(plan, ends))), life: 0 };
        Self { seen: watch::channel(seen).1, nudge: Arc::default(), changes: false, hangs: AtomicBool::new(false) }
    }

    /// The plan in force, if any. After a thaw the last look may be old: then the event waits at
    /// most 2 ms for the one that is due.
    pub async fn in_force(&self) -> Option<Arc<InForce>> {
        if self.changes && self.is_stale() && !self.hangs.load(Ordering::Relaxed) {
            self.look_again().await;
        }
        self.now()
    }

    /// The plan in force, without waiting.
    fn now(&self) -> Option<Arc<InForce>> {
        let seen = self.seen.borrow();
        let plan = seen.plan.as_ref().filter(|_| seen.life == self.nudge.life.load(Ordering::Acquire));
        plan.filter(|plan| plan.holds(Moment::now())).cloned()
    }

    /// Drops the plan and reads the source again: the environment was restored from a snapshot, in
    /// which a lease must not survive.
    pub fn forget(&self) {
        self.nudge.life.fetch_add(1, Ordering::AcqRel);
        self.nudge.now();
    }

    /// Completes when none of the `faults` of `run` is in force any more: the plan is calm or gone,
    /// its lease has ended, or it belongs to another run.
    pub fn over(&self, run: String, faults: Vec<String>) -> impl Future<Output = ()> + Send + use<> {
        let (mut seen, nudge) = (self.seen.clone(), Arc::clone(&self.nudge));
        async move {
            loop {
                let left = left(&seen.borrow_and_update(), &nudge, &run, &faults);
                let Some(left) = left else { return };
                tokio::select! {
                    changed = seen.changed() => if changed.is_err() { tokio::time::sleep(left).await },
                    () = tokio::time::sleep(left) => (),
                }
            }
        }
    }

    fn is_stale(&self) -> bool {
        let stale = self.seen.borrow().at.is_none_or(|at| at.elapsed() > 2 * INTERVAL);
        if !stale {
            self.hangs.store(false, Ordering::Relaxed);
        }
        stale
    }

    async fn look_again(&self) {
        let mut seen = self.seen.clone();
        seen.mark_unchanged();
        self.nudge.now();
        tokio::select! {
            biased;
            _ = seen.changed() => (),
            _ = wait(THAW) => self.hangs.store(true, Ordering::Relaxed),
        }
    }
}

/// The rest of the lease of these faults; `None` if none of them is in force.
fn left(seen: &Seen, nudge: &Nudge, run: &str, faults: &[String]) -> Option<Duration> {
    let plan = seen.plan.as_ref().filter(|_| seen.life == nudge.life.load(Ordering::Acquire))?;
    let now = Moment::now();
    let strikes = faults.iter().any(|fault| plan.strikes_with(run, fault, now));
    strikes.then(|| plan.ends.steady.saturating_duration_since(now.steady).max(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::source::Look;
    use super::*;

    struct Hanging;

    impl Source for Hanging {
        fn look(&mut self) -> Look {
            std::thread::sleep(Duration::from_secs(60));
            Look::Same
        }

        fn forget(&mut self) {}
    }

    #[tokio::test]
    async fn a_source_that_hangs_delays_the_first_event_by_2_ms_and_later_ones_not_at_all() {
        let (to, seen) = watch::channel(Seen::default());
        let plans = Plans { seen, nudge: Arc::default(), changes: true, hangs: AtomicBool::new(false) };
        let nudge = Arc::clone(&plans.nudge);
        std::thread::spawn(move || watch_source(Box::new(Hanging), keeper::Keeper::default(), &to, &nudge, &Ledger::new("f".into())));
        let began = Instant::now();
        assert!(plans.in_force().await.is_none());
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(plans.hangs.load(Ordering::Relaxed));
        let began = Instant::now();
        // 2 ms each would be 200 s.
        for _ in 0..100_000 {
            assert!(plans.in_force().await.is_none());
        }
        assert!(began.elapsed() < Duration::from_secs(20));
    }

    const STRIKES: &str = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[
        {"name":"f","place":{"function":"a"},"share":1,"kind":{"again":{}}}]}"#;

    fn seen(plan: Option<faults::Plan>) -> Seen {
        let plan = plan.map(|plan| Arc::new(InForce::new(plan.clone(), Moment::now() + plan.lease_ms.duration())));
        Seen { at: Some(Instant::now()), plan, life: 0 }
    }

    #[tokio::test]
    async fn a_fault_ends_when_its_plan_is_calm_gone_or_another_runs_or_its_lease_ends() {
        let plan = faults::Plan::read(STRIKES.as_bytes()).unwrap();
        let calm = faults::Plan { faults: Vec::new(), ..plan.clone() };
        let other = faults::Plan { run: "s".into(), ..plan.clone() };
        let mut rehearsal = plan.clone();
        rehearsal.faults[0].share = faults::Share::NONE;
        for end in [Some(calm), None, Some(other), Some(rehearsal)] {
            let (to, from) = watch::channel(seen(Some(plan.clone())));
            let plans = Plans { seen: from, nudge: Arc::default(), changes: false, hangs: AtomicBool::new(false) };
            let over = tokio::spawn(plans.over("r".into(), vec!["f".into()]));
            to.send_replace(seen(Some(faults::Plan { sequence: 2, ..plan.clone() })));
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(!over.is_finished(), "a renewal ends nothing");
            to.send_replace(seen(end));
            tokio::time::timeout(Duration::from_secs(20), over).await.expect("it is never over").unwrap();
        }
        let short = faults::Plan { lease_ms: faults::Lease::try_from(30).unwrap(), ..plan };
        let plans = Plans::fixed(short);
        tokio::time::timeout(Duration::from_secs(20), plans.over("r".into(), vec!["f".into()])).await.expect("its lease is over");
    }

    #[test]
    fn no_lease_survives_a_restore() {
        let (_to, seen) = watch::channel(seen(Some(faults::Plan::read(STRIKES.as_bytes()).unwrap())));
        let plans = Plans { seen, nudge: Arc::default(), changes: false, hangs: AtomicBool::new(false) };
        assert!(plans.now().is_some());
        plans.forget();
        assert!(plans.now().is_none());
    }

    #[tokio::test]
    async fn a_restored_environment_has_no_plan_until_its_source_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (path, aside) = (folder.path().join("plan.json"), folder.path().join("aside"));
        std::fs::write(&path, STRIKES).unwrap();
        let ledger = Arc::new(Ledger::new("a".into()));
        let plans = start(&PlanSetting::File(path.clone()), &ledger);
        let struck = async |wanted: bool| {
            let began = Instant::now();
            while plans.in_force().await.is_some() != wanted {
                assert!(began.elapsed() < Duration::from_secs(20), "in force: {wanted}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        struck(true).await;
        plans.forget();
        struck(true).await;
        // The plan was removed while the snapshot existed.
        std::fs::rename(&path, &aside).unwrap();
        plans.forget();
        struck(false).await;
        tokio::time::sleep(3 * INTERVAL).await;
        assert!(plans.in_force().await.is_none());
    }

    #[tokio::test]
    async fn a_fixed_plan_is_in_force_from_the_start() {
        let json = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[]}"#;
        let plans = start(&PlanSetting::Variable(json.to_owned()), &Arc::new(Ledger::new("f".into())));
        assert_eq!(plans.in_force().await.unwrap().plan.run, "r");
    }
}
