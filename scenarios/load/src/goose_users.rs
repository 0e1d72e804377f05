//! The users and their schedules on goose: it starts them, counts their requests and writes its own report.
//! It runs on a thread and a runtime of its own, and never writes to the terminal.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::time::Duration;

use futures::FutureExt;
use goose::client::GooseClientBuilder;
use goose::config::GooseConfiguration;
use goose::goose::{GooseUser, Scenario as GooseScenario, Transaction, TransactionFunction, TransactionResult};
use goose::{GooseAttack, GooseError};
use timer::Alarm;
use tokio::sync::oneshot;

use crate::crew::Share;
use crate::error::TrafficError;
use crate::means::Means;
use crate::open_model::{Hands, Stage, Step, System, is_recorded};
use crate::timeline::Timeline;

/// How long one request may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long a user waits for its first connection before it begins without one.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// How long goose may take to write its report once its users have left.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// Users of one or more systems at work. Where they are dropped, what is left is cancelled.
pub struct Users {
    pub(crate) stage: Arc<Stage>,
    pub(crate) shares: Vec<Arc<Share>>,
    ended: oneshot::Receiver<Result<(), TrafficError>>,
}

/// Keeps Ctrl-C for this process. goose sets a handler by the crate `ctrlc`, which takes the signal away from tokio and lets goose
/// end the process at the second one. That crate can be set once only, so it is set here to do nothing; tokio's handlers, installed
/// afterwards, call it and then do their own work. To be called first thing in `main`, before any signal handler of tokio.
pub fn keep_signals() {
    // An error means that it is set already, which is all that is wanted.
    let _ = ctrlc::set_handler(|| {});
}

/// How many loads of this process wait for their users. goose's kill switch is one for the whole process: while it is on, a load that
/// still starts its users would get no more of them.
static STARTING: AtomicUsize = AtomicUsize::new(0);

/// A load that waits for its users.
struct Starting;

impl Starting {
    fn new() -> Self {
        STARTING.fetch_add(1, SeqCst);
        Self
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        STARTING.fetch_sub(1, SeqCst);
    }
}

/// Starts the users of `systems`; the first arrival is due when [`Stage::begun`] says.
///
/// # Errors
/// Where goose refuses, or its users do not come up within half a minute.
pub async fn start(systems: Vec<System>, timeline: Timeline, means: Means, report: Option<PathBuf>) -> Result<Users, TrafficError> {
    keep_signals();
    let count: usize = systems.iter().map(|system| system.users).sum();
    allow_many_files(count);
    let rate = systems.iter().map(|system| system.schedule.busiest()).sum();
    let stage = Arc::new(Stage::new(timeline, means, count, rate));
    let shares: Vec<Arc<Share>> = systems.into_iter().map(|system| Arc::new(Share::new(system, Arc::clone(&stage)))).collect();
    let attack = attack(&shares, count, report.as_deref())?;
    let starting = Starting::new();
    let mut steps = stage.steps();
    let (tell, ended) = oneshot::channel();
    let on_stage = Arc::clone(&stage);
    std::thread::Builder::new()
        .name("goose".to_owned())
        .spawn(move || {
            // The stage must end whatever happens here, or everybody waits for it.
            let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| run(attack, &on_stage, report.as_deref())));
            let outcome = outcome.unwrap_or_else(|panic| Err(panicked(&*panic)));
            on_stage.end();
            let _ = tell.send(outcome);
        })
        .map_err(|error| TrafficError::Goose(error.to_string()))?;
    // Only the answer is kept: what `wait_for` gives is a lock, under which nobody could stop the stage.
    let is_up = tokio::time::timeout(Duration::from_secs(30), steps.wait_for(|step| *step != Step::Preparing)).await.is_ok();
    drop(starting);
    if stage.begun().is_none() {
        stage.stop();
        let ended = tokio::time::timeout(REPORT_TIME, ended).await;
        if let Some(error) = stage.failure() {
            return Err(error);
        }
        if let Ok(Ok(Err(error))) = ended {
            return Err(error);
        }
        let why = if is_up { "its users left before they began" } else { "its users were not up after 30 s" };
        return Err(TrafficError::Goose(why.to_owned()));
    }
    Ok(Users { stage, shares, ended })
}

impl Users {
    /// Waits until no user is at work.
    pub async fn over(&self) {
        let _ = self.stage.steps().wait_for(|step| *step == Step::Over).await;
    }

    /// Waits for goose and its report.
    ///
    /// # Errors
    /// Why the generator could not go on, or what goose complained about.
    pub async fn finished(mut self) -> Result<(), TrafficError> {
        let ended = (&mut self.ended).await.unwrap_or_else(|_| Err(TrafficError::Goose("it ended without a word".to_owned())));
        self.stage.failure().map_or(ended, Err)
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.stage.stop();
    }
}

/// What a panic says, as an error.
fn panicked(panic: &(dyn Any + Send)) -> TrafficError {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    TrafficError::Goose(format!("the load generator panicked: {}", said.unwrap_or("no message")))
}

/// What goose complains about: of a file, it is the report, the only one that it writes.
fn complaint(error: GooseError, report: Option<&Path>) -> TrafficError {
    let cause = match error {
        GooseError::Io(cause) => cause,
        GooseError::Serde(cause) if cause.is_io() => cause.into(),
        GooseError::InvalidOption { option, detail, .. } if option == "--report-file" => std::io::Error::other(detail),
        error => return TrafficError::Goose(error.to_string()),
    };
    match report {
        Some(path) => TrafficError::Unwritable { path: path.to_owned(), cause },
        None => TrafficError::Goose(cause.to_string()),
    }
}

fn run(attack: GooseAttack, stage: &Arc<Stage>, report: Option<&Path>) -> Result<(), TrafficError> {
    // One thread: the users share it, and a request costs no hop between processors.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| TrafficError::Goose(error.to_string()))?;
    let outcome = runtime.block_on(async {
        let (alarm, paced) = (Alarm::new().map_err(TrafficError::OpenFiles)?, Arc::clone(stage));
        tokio::spawn(async move {
            if let Err(error) = paced.pacer.drive(alarm).await {
                paced.fail(TrafficError::OpenFiles(error));
            }
        });
        let mut steps = stage.steps();
        let late = async {
            let _ = steps.wait_for(|step| *step == Step::Over).await;
            tokio::time::sleep(REPORT_TIME).await;
        };
        tokio::select! {
            ended = attack.execute() => ended.map(|_| ()).map_err(|error| complaint(error, report)),
            () = late => Err(TrafficError::Goose("it did not end after its users".to_owned())),
        }
    });
    runtime.shutdown_background();
    outcome
}

fn attack(shares: &[Arc<Share>], count: usize, report: Option<&Path>) -> Result<GooseAttack, TrafficError> {
    let refused = |error: GooseError| TrafficError::Goose(error.to_string());
    let address = shares.first().map(|share| share.system.address.clone()).unwrap_or_default();
    // This client sends nothing: users send by connections of their own, which check certificates. One that checks
    // cannot be built on a machine without any, such as an empty container.
    let client = GooseClientBuilder::new().without_cookies().gzip(false).accept_invalid_certs(true);
    let mut attack = GooseAttack::initialize_with_config(configuration(count, &address, report))
        .and_then(|attack| attack.set_client_builder_without_cookies(client))
        .map_err(refused)?;
    for share in shares {
        let scenario = GooseScenario::new(share.system.scenario.name())
            .set_weight(share.system.users)
            .map_err(refused)?
            .register_transaction(Transaction::new(hand_over(Arc::clone(share))).set_name("take the schedule").set_on_start())
            .register_transaction(Transaction::new(Arc::new(keep_schedule)).set_name("keep the schedule"));
        attack = attack.register_scenario(scenario);
    }
    Ok(attack)
}

fn configuration(count: usize, address: &str, report: Option<&Path>) -> GooseConfiguration {
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(format!("http://{address}"));
    configuration.users = Some(count);
    // Users only wait until all are there: the faster the better.
    configuration.increase_rate = Some("5000".to_owned());
    configuration.quiet = 2;
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    configuration.no_error_summary = true;
    // A transaction is a user's whole schedule and a scenario too: their rows would say nothing.
    configuration.no_transaction_metrics = true;
    configuration.no_scenario_metrics = true;
    configuration.no_percentiles_over_time = true;
    configuration.report_file = report.iter().map(|path| path.display().to_string()).collect();
    configuration
}

/// The `on_start` transaction: puts the schedule into the user's session data.
fn hand_over(share: Arc<Share>) -> TransactionFunction {
    Arc::new(move |user: &mut GooseUser| -> Pin<Box<dyn Future<Output = TransactionResult> + Send + '_>> {
        user.set_session_data(Seat { share: Arc::clone(&share), served: false });
        Box::pin(async { Ok(()) })
    })
}

/// The transaction: a user's share of the schedule, to its end.
fn keep_schedule(user: &mut GooseUser) -> Pin<Box<dyn Future<Output = TransactionResult> + Send + '_>> {
    Box::pin(async move {
        let Some(Seat { share, served }) = user.get_session_data::<Seat>().cloned() else { return Ok(()) };
        let stage = Arc::clone(&share.stage);
        if !served {
            // goose would lose the user without a word, and the others would wait for it for ever.
            if let Err(panic) = AssertUnwindSafe(serve(user, &share)).catch_unwind().await {
                stage.fail(panicked(&*panic));
            }
            user.set_session_data(Seat { share, served: true });
            stage.one_has_left();
        }
        linger(&stage).await;
        // Again and again, for another load that starts switches it off.
        if STARTING.load(SeqCst) == 0 {
            // Of goose's ways to end a run, the only one that writes nothing to the terminal.
            goose::trigger_killswitch("the schedule has come to its end");
        }
        Ok(())
    })
}

/// A user's session data.
#[derive(Clone)]
struct Seat {
    share: Arc<Share>,
    /// Served its share: goose calls its transaction again until it is told to leave.
    served: bool,
}

/// Waits for the others, then lets goose look for its own end again.
async fn linger(stage: &Stage) {
    let _ = stage.steps().wait_for(|step| *step == Step::Over).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
}

async fn serve(user: &mut GooseUser, share: &Share) {
    let stage = &*share.stage;
    if share.system.scenario.keeps_connections()
        && let Ok(Err(error)) = tokio::time::timeout(FIRST_CONNECTION, share.connections.open_one()).await
    {
        // A system that cannot be reached yet is no reason not to begin; the requests will tell.
        stage.not_connected(&error);
    }
    let mut steps = stage.steps();
    let place = stage.one_is_ready();
    if !steps.wait_for(|step| *step != Step::Preparing).await.is_ok_and(|step| *step == Step::Running) {
        return;
    }
    let scenario = share.system.scenario.name();
    let mut hands = Hands { user, connections: &share.connections, steps: &mut steps, stage, scenario, place, free_at: Duration::ZERO };
    let mut is_busy = false;
    while let Some((arrival, free_at)) = share.take() {
        let begin = arrival.due.saturating_sub(share.system.scenario.lead());
        // One that goes on with an overdue arrival at once was never free.
        if is_busy && hands.now() < begin {
            share.ends();
            is_busy = false;
        }
        if !hands.wait_until(begin).await {
            return;
        }
        if is_recorded(stage.timeline.phase_at(hands.now().max(arrival.due))) {
            stage.books.begun_recorded.fetch_add(1, Relaxed);
        }
        if !is_busy {
            share.begins();
            is_busy = true;
        }
        hands.free_at = free_at;
        share.system.scenario.journey(arrival, &mut hands).await;
    }
}

/// Two files a user beside those of the process: its connection, and the other end of that where the emulator is this process.
/// The soft limit is often 1,024.
fn allow_many_files(users: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = users as u64 * 2 + 1_024;
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where it is refused and the files do not suffice, the run ends with that.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::open_model::{Arrival, Scenario};
    use crate::schedule::{Arrivals, Schedule};

    struct Panics;

    #[async_trait]
    impl Scenario for Panics {
        fn name(&self) -> &'static str {
            "panics"
        }

        async fn journey(&self, arrival: Arrival, _: &mut Hands<'_>) {
            assert!(arrival.number < 3, "arrival {} is one too many", arrival.number);
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_journey_that_panics_ends_the_run_and_says_why() {
        let minute = Duration::from_secs(60);
        let none = Duration::ZERO;
        let timeline = Timeline { warm_up: none, baseline: minute, arming: none, fault: none, recovery: none };
        let schedule = Arc::new(Schedule::new(Arrivals::Constant, 50.0, minute, 0, 0));
        let system = System { scenario: Arc::new(Panics), schedule, users: 8, address: "127.0.0.1:9".to_owned() };
        let users = start(vec![system], timeline, Means::default(), None).await.unwrap();
        tokio::time::timeout(minute / 2, users.over()).await.expect("it goes on after the panic");
        let error = users.finished().await.unwrap_err().to_string();
        assert!(error.contains("the load generator panicked: arrival 3 is one too many"), "{error}");
    }
}
