//! The start of the environment: carries out its faults at the runtime's first `next`. It waits for
//! no plan source, and decides only once for all pollers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use faults::ledger::Started;
use faults::{Action, Decision, Entry, Identity};
use tokio::sync::OnceCell;

use crate::connection::Connection;
use crate::exchange::Broken;
use crate::ledger::Ledger;
use crate::lock::lock;
use crate::plan_sources::{InForce, Plans};
use crate::platform::Platform;
use crate::runtime_process::RuntimeProcess;
use crate::stdout::write;
use crate::wait::{Waited, wait_while};

/// When the lines are written: Lambda ends a start after 10 s, and the extension with it.
const TOLD_AFTER: Duration = Duration::from_secs(9);
/// Source: AWS Lambda developer guide, "Using the Lambda runtime API", "Initialization error".
const INIT_ERROR: &str = "/2018-06-01/runtime/init/error";

/// How far the environment has started.
#[derive(Debug, Default)]
pub struct EnvironmentStart {
    environment: Mutex<Option<String>>,
    decided: OnceCell<Decided>,
    /// Whether the start has failed, once it has ended.
    over: OnceCell<bool>,
    lines: Mutex<Vec<Line>>,
}

/// The decision at the first `next`.
#[derive(Debug)]
struct Decided {
    at: Instant,
    /// The time until which every `next` is held.
    until: Instant,
    failure: Option<(String, String)>,
    /// The run and the faults that apply to the start.
    run: String,
    faults: Vec<String>,
    /// Whether the faults ended before the start did.
    over: AtomicBool,
}

impl Decided {
    const fn untouched(now: Instant) -> Self {
        Self { at: now, until: now, failure: None, run: String::new(), faults: Vec::new(), over: AtomicBool::new(false) }
    }

    /// Holds a `next` until that time, as long as the faults are in force.
    async fn hold_until(&self, until: Instant, plans: &Plans, runtime: &Connection) -> Result<(), Broken> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || self.over.load(Ordering::Relaxed) {
            return Ok(());
        }
        tokio::select! {
            biased;
            waited = wait_while(left, &runtime.stream) => if waited == Waited::Abandoned { return Err(Broken::Runtime) },
            () = plans.over(self.run.clone(), self.faults.clone()) => self.over.store(true, Ordering::Relaxed),
        }
        Ok(())
    }
}

/// One line that is not written yet.
#[derive(Debug)]
struct Line {
    run: String,
    sequence: u64,
    decision: Decision,
    /// When its hold of the first `next` began, and how long it is.
    from: Instant,
    time: Duration,
    done: bool,
}

impl EnvironmentStart {
    /// The start of the environment with this name.
    pub fn of(environment: Option<String>) -> Self {
        Self { environment: Mutex::new(environment), ..Self::default() }
    }

    /// Gives the environment a new name after a restore from a snapshot: until now it had no name,
    /// or the same one as all restored environments.
    pub(crate) fn restored(&self) {
        *lock(&self.environment) = Some(name_of_its_own());
    }

    fn decide(&self, plan: Option<&InForce>, ledger: &Ledger) -> Decided {
        let now = Instant::now();
        let mut decided = Decided::untouched(now);
        let Some(plan) = plan else { return decided };
        let name = lock(&self.environment).clone();
        let identity = Identity(name.as_deref().unwrap_or_default());
        let decisions = catch_unwind(AssertUnwindSafe(|| plan.plan.decide_start(ledger.function(), identity)));
        let Ok(decisions) = decisions else {
            ledger.note("deciding about the start failed: it passes untouched");
            return decided;
        };
        if name.is_none() {
            if !decisions.is_empty() {
                ledger.note("`AWS_LAMBDA_LOG_STREAM_NAME` is not set, so the environment has no name: its start passes untouched");
            }
            return decided;
        }
        plan.plan.run.clone_into(&mut decided.run);
        let mut lines = lock(&self.lines);
        for decision in decisions {
            decided.faults.push(decision.fault.clone());
            let from = decided.until;
            let mut time = Duration::ZERO;
            match &decision.action {
                Action::SlowStart { time: slow } => time = *slow,
                Action::FailStart { error_type, message } => {
                    decided.failure.get_or_insert_with(|| (error_type.clone(), message.clone()));
                }
                _ => (),
            }
            decided.until += time;
            let done = decision.action == Action::Pass;
            lines.push(Line { run: plan.plan.run.clone(), sequence: plan.plan.sequence, decision, from, time, done });
        }
        decided
    }

    /// Writes the remaining lines. A hold in progress counts as done.
    pub fn tell(&self, ledger: &Ledger) {
        let now = Instant::now();
        let mut lines = lock(&self.lines);
        let end = lines.iter().map(|line| line.from + line.time).max();
        for line in lines.drain(..) {
            let elapsed = now.saturating_duration_since(line.from);
            // Each fault holds for its own time; only the last one includes the lateness of the
            // wait.
            let is_last = !line.time.is_zero() && Some(line.from + line.time) == end;
            let waited = if is_last { elapsed } else { elapsed.min(line.time) };
            let started = Entry::Started(Started {
                run: line.run,
                sequence: line.sequence,
                environment: lock(&self.environment).clone().unwrap_or_default(),
                place: ledger.function().to_owned(),
                fault: line.decision.fault,
                arm: line.decision.arm,
                action: line.decision.action.name(),
                waited_us: u64::try_from(waited.as_micros()).unwrap_or(u64::MAX),
                done: line.done || !waited.is_zero(),
            });
            write(&started.to_line());
        }
    }

    /// Holds or fails a `next` of an environment that has not started yet.
    ///
    /// # Errors
    /// If the runtime disconnected or was killed.
    pub(crate) async fn first_next(&self, platform: &Platform, plans: &Plans, runtime: &Connection) -> Result<(), Broken> {
        if self.over.initialized() {
            return Ok(());
        }
        let decided = self
            .decided
            .get_or_init(|| async {
                let plan = plans.in_force().await;
                self.decide(plan.as_deref(), &platform.ledger)
            })
            .await;
        let early = decided.until.min(decided.at + TOLD_AFTER);
        decided.hold_until(early, plans, runtime).await?;
        if early < decided.until {
            self.tell(&platform.ledger);
            decided.hold_until(decided.until, plans, runtime).await?;
        }
        let failed = self.over.get_or_init(|| self.end(platform, runtime, decided)).await;
        if *failed { Err(Broken::Runtime) } else { Ok(()) }
    }

    /// Writes the lines, and fails the start if that was decided; returns whether it has failed.
    async fn end(&self, platform: &Platform, runtime: &Connection, decided: &Decided) -> bool {
        let ledger = &platform.ledger;
        let failure = decided.failure.as_ref().filter(|_| !decided.over.load(Ordering::Relaxed));
        let Some((error_type, message)) = failure else {
            self.tell(ledger);
            return false;
        };
        let Some(process) = RuntimeProcess::find(&runtime.stream).await else {
            ledger.note("the runtime's process is not found: the environment starts untouched");
            self.tell(ledger);
            return false;
        };
        for line in lock(&self.lines).iter_mut() {
            line.done |= matches!(line.decision.action, Action::FailStart { .. });
        }
        // The environment dies with the runtime, maybe as soon as the error is posted.
        self.tell(ledger);
        if platform.post(&init_error(platform.upstream.address(), error_type, message)).await != Ok(202) {
            ledger.note("the platform did not take an injected init error");
        }
        process.kill();
        true
    }
}

/// A unique name for the environment. Random numbers drawn before the snapshot are equal in all
/// restored environments, so this asks the kernel again, and adds the time in case the kernel's
/// numbers repeat.
fn name_of_its_own() -> String {
    let random = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("restored-{:x}-{}", now.as_nanos(), random.trim())
}

fn init_error(host: &str, error_type: &str, message: &str) -> Vec<u8> {
    let body = serde_json::json!({ "errorMessage": message, "errorType": error_type, "stackTrace": [] }).to_string();
    format!(
        "POST {INIT_ERROR} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/vnd.aws.lambda.error+json\r\n\
         Lambda-Runtime-Function-Error-Type: {error_type}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
