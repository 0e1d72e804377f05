//! Where a fault plan comes from. Sources are looked at beside the event path, on a thread of their own: one that hangs
//! must delay neither listening nor any event.

pub mod appconfig;
pub mod fetched;
pub mod file;
pub mod keeper;
pub mod variable;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant};

use faults::{Places, Plan};
use tokio::sync::watch;

use crate::ledger::{Ledger, lock};
use crate::settings::PlanSetting;
use crate::wait::wait;

/// How often a source on this machine is looked at; those that cost more say so themselves.
pub const INTERVAL: Duration = Duration::from_millis(150);
/// How long an event waits after a thaw for the look that is due.
const THAW: Duration = Duration::from_millis(2);

/// What a look at a source gave.
#[derive(Debug)]
pub enum Look {
    /// Nothing has changed since the last look.
    Same,
    /// Nothing is heard yet: the next look goes on.
    Waiting,
    /// It is not known whether there is a plan; why, without any value. The plan in force stays until its lease is over.
    Unanswered(String),
    /// There is no plan; why, without any value.
    Missing(String),
    /// The text of a plan.
    Found(Vec<u8>),
}

/// Something that holds a plan. It may block: it is only asked on the thread of the sources.
pub trait Source: Send {
    /// Looks whether there is something new.
    fn look(&mut self) -> Look;

    /// How long until the next look.
    fn pause(&self) -> Duration {
        INTERVAL
    }
}

/// A plan and when it was received, on the monotonic clock.
#[derive(Debug)]
pub struct InForce {
    /// The plan.
    pub plan: Plan,
    /// When its lease began.
    pub received: Instant,
    /// What of an event has to be known to decide, found out once.
    places: OnceLock<Places>,
}

impl InForce {
    /// A plan that was received then.
    pub const fn new(plan: Plan, received: Instant) -> Self {
        Self { plan, received, places: OnceLock::new() }
    }

    /// What of an event of the function has to be known to decide. An environment has one function.
    pub fn places(&self, function: &str) -> &Places {
        self.places.get_or_init(|| self.plan.places(function))
    }

    /// Whether its lease still runs at `now`.
    pub fn holds(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.received) < self.plan.lease_ms.duration()
    }
}

/// What is known after one look.
#[derive(Debug, Clone, Default)]
struct Seen {
    at: Option<Instant>,
    plan: Option<Arc<InForce>>,
}

/// Wakes the thread of the sources before its time.
#[derive(Debug, Default)]
struct Nudge {
    wanted: Mutex<bool>,
    changed: Condvar,
}

impl Nudge {
    fn now(&self) {
        *lock(&self.wanted) = true;
        self.changed.notify_one();
    }

    fn sleep(&self, time: Duration) {
        let wanted = lock(&self.wanted);
        let slept = self.changed.wait_timeout_while(wanted, time, |wanted| !*wanted);
        let (mut wanted, _) = slept.unwrap_or_else(std::sync::PoisonError::into_inner);
        *wanted = false;
    }
}

/// The plan in force, as the event path sees it.
#[derive(Debug)]
pub struct Plans {
    seen: watch::Receiver<Seen>,
    nudge: Arc<Nudge>,
    /// Whether the source can change, and a look takes so little that an event may wait for one.
    changes: bool,
    /// Set when a look did not come in time: events then no longer wait for any, until one comes.
    hangs: AtomicBool,
}

/// Begins to look at the source that is set. It waits for nothing.
pub fn start(setting: &PlanSetting, ledger: &Arc<Ledger>) -> Plans {
    let (to, seen) = watch::channel(Seen::default());
    let nudge = Arc::new(Nudge::default());
    let mut keeper = keeper::Keeper::default();
    let source: Box<dyn Source> = match setting {
        PlanSetting::None => {
            ledger.note("no plan is set: every event passes untouched");
            return Plans { seen, nudge, changes: false, hangs: AtomicBool::new(false) };
        }
        PlanSetting::File(path) => Box::new(file::PlanFile::new(path.clone())),
        PlanSetting::Variable(text) => {
            // It is in our memory already: nothing can hang, and the first event finds it.
            let mut source = variable::Variable::new(text.clone());
            look_once(&mut source, &mut keeper, &to, ledger);
            Box::new(source)
        }
        PlanSetting::AppConfig { configuration, port } => Box::new(appconfig::AppConfig::new(configuration, *port)),
        PlanSetting::Fetched { address, programs } => Box::new(fetched::Fetched::new(address.clone(), programs.clone())),
    };
    // No event waits for another program: after a thaw the last plan is in force until its lease is over.
    let changes = matches!(setting, PlanSetting::File(_));
    let (ledger_there, nudge_there) = (Arc::clone(ledger), Arc::clone(&nudge));
    let thread = std::thread::Builder::new().name("plan".to_owned()).stack_size(256 << 10);
    if thread.spawn(move || watch_source(source, keeper, &to, &nudge_there, &ledger_there)).is_err() {
        ledger.note("the plan's source cannot be looked at: every event passes untouched");
    }
    Plans { seen, nudge, changes, hangs: AtomicBool::new(false) }
}

fn watch_source(mut source: Box<dyn Source>, mut keeper: keeper::Keeper, to: &watch::Sender<Seen>, nudge: &Nudge, ledger: &Ledger) {
    while !to.is_closed() {
        look_once(source.as_mut(), &mut keeper, to, ledger);
        nudge.sleep(source.pause());
    }
}

fn look_once(source: &mut dyn Source, keeper: &mut keeper::Keeper, to: &watch::Sender<Seen>, ledger: &Ledger) {
    // The plan in force ends with its lease; a source that fails once may not fail again.
    let taken = catch_unwind(AssertUnwindSafe(|| {
        let look = source.look();
        let now = Instant::now();
        (now, keeper.take(look, now))
    }));
    let Ok((now, news)) = taken else { return ledger.note("looking at the plan's source failed") };
    to.send_replace(Seen { at: Some(now), plan: keeper.in_force() });
    for what in news {
        ledger.note(&what);
    }
}

impl Plans {
    /// One plan as it is, also one that would be refused when read.
    #[cfg(test)]
    pub(crate) fn fixed(plan: Plan) -> Self {
        let seen = Seen { at: None, plan: Some(Arc::new(InForce::new(plan, Instant::now()))) };
        Self { seen: watch::channel(seen).1, nudge: Arc::default(), changes: false, hangs: AtomicBool::new(false) }
    }

    /// The plan in force, if any. After a thaw the last look may be old: then the event waits for the one that is due, 2 ms at most.
    pub async fn in_force(&self) -> Option<Arc<InForce>> {
        if self.changes && self.is_stale() && !self.hangs.load(Ordering::Relaxed) {
            self.look_again().await;
        }
        let seen = self.seen.borrow();
        seen.plan.as_ref().filter(|plan| plan.holds(Instant::now())).cloned()
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
            () = wait(THAW) => self.hangs.store(true, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Hanging;

    impl Source for Hanging {
        fn look(&mut self) -> Look {
            std::thread::sleep(Duration::from_secs(2));
            Look::Same
        }
    }

    #[tokio::test]
    async fn a_source_that_hangs_delays_the_first_event_by_2_ms_and_later_ones_not_at_all() {
        let (to, seen) = watch::channel(Seen::default());
        let plans = Plans { seen, nudge: Arc::default(), changes: true, hangs: AtomicBool::new(false) };
        let nudge = Arc::clone(&plans.nudge);
        std::thread::spawn(move || watch_source(Box::new(Hanging), keeper::Keeper::default(), &to, &nudge, &Ledger::new("f".into())));
        let began = Instant::now();
        assert!(plans.in_force().await.is_none());
        assert!(began.elapsed() < Duration::from_millis(500));
        assert!(plans.hangs.load(Ordering::Relaxed));
        let began = Instant::now();
        for _ in 0..1000 {
            assert!(plans.in_force().await.is_none());
        }
        assert!(began.elapsed() < Duration::from_millis(500));
    }

    #[tokio::test]
    async fn a_fixed_plan_is_in_force_from_the_start() {
        let json = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[]}"#;
        let plans = start(&PlanSetting::Variable(json.to_owned()), &Arc::new(Ledger::new("f".into())));
        assert_eq!(plans.in_force().await.unwrap().plan.run, "r");
    }
}
