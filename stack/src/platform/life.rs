//! The life of one environment from its listener to its last process: it is started, watched and
//! ended here. Nothing here decides about invocations.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::process::Child;

use super::environment::{Environment, Phase};
use super::host::Host;
use super::invocation::Failure;
use super::pool::Pool;
use super::process::{self, Exit, Processes, spawn};
use super::runtimes::Code;
use super::{http, names, runtime_api, variables};

/// Lambda's limit for the start of an environment.
const INIT: Duration = Duration::from_secs(10);
/// How long the extensions may take for SHUTDOWN.
const SHUTDOWN: Duration = Duration::from_secs(2);
/// How much of it the runtime has after its SIGTERM.
const RUNTIME_SHUTDOWN: Duration = Duration::from_millis(300);
/// The same for the extension when the whole platform ends, because the platform promises to be
/// gone within 2 s.
const LAST_SHUTDOWN: Duration = Duration::from_millis(1200);

/// Why an environment ends.
enum End {
    Spindown,
    Failed(Failure),
}

/// Runs one environment from start to end. `_alive` is dropped when no process of it is left.
pub(crate) async fn live(pool: Arc<Pool>, environment: Arc<Environment>, _alive: Arc<()>) {
    let mut processes = Processes::default();
    let mut served = None;
    let end = match start(&pool, &environment, &mut processes, &mut served).await {
        Ok(()) => watch(&environment, &mut processes).await,
        Err(end) => end,
    };
    let before = environment.ending();
    let failure = match &end {
        End::Failed(failure) => Some(failure),
        End::Spindown => None,
    };
    if let Some(failure) = failure {
        environment.deployed.machine.counts.ended_badly.add();
        environment.fail(failure);
    }
    pool.gone(&environment, before, failure);
    let limit = if pool.is_closed() { LAST_SHUTDOWN } else { SHUTDOWN };
    shut_down(&environment, &mut processes, &end, limit).await;
}

async fn start(
    pool: &Arc<Pool>,
    environment: &Arc<Environment>,
    processes: &mut Processes,
    served: &mut Option<http::Served>,
) -> Result<(), End> {
    let address = listen(pool, environment, served).await.map_err(|error| End::Failed(Failure::Start(error.to_string())))?;
    let limit = tokio::time::Instant::now() + INIT;
    let variables = variables::of(&environment.deployed, address);
    let deployed = &environment.deployed;
    let refused = |error: io::Error| End::Failed(Failure::Start(format!("fork/exec failed: {error}")));
    if let Some(extension) = &deployed.machine.extension {
        let mut child = spawn(&environment.group, &mut process::command(extension), &variables).map_err(refused)?;
        let log = || deployed.log.clone();
        if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
            processes.outputs.spawn(log().copy_extension(output, deployed.machine.ledger.clone()));
            processes.outputs.spawn(log().copy(errors));
        }
        processes.extension = Some(child);
        let name = deployed.extension_name().unwrap_or_default();
        reached(environment, processes, limit, || environment.extensions(|all| all.has(name))).await?;
    }
    let mut child = start_runtime(environment, &variables).map_err(refused)?;
    if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
        processes.outputs.spawn(deployed.log.clone().copy(output));
        processes.outputs.spawn(deployed.log.clone().copy(errors));
    }
    processes.runtime = Some(child);
    reached(environment, processes, limit, || environment.phase() != Phase::Starting).await
}

/// Starts the runtime as Lambda's image does, a managed one through the wrapper if one is set. At
/// AWS, an OS-only runtime points itself at the extension, because no layer can do that for it;
/// here the platform does, so that the function needs no preparation.
fn start_runtime(environment: &Environment, variables: &BTreeMap<String, String>) -> io::Result<Child> {
    let deployed = &environment.deployed;
    let launch = &deployed.launch;
    let mut command = match &deployed.function.code {
        Code::Provided(_) if deployed.machine.extension.is_some() => {
            // Through sh, so that the script need not be executable.
            let mut command = process::command("/bin/sh");
            command.arg(&deployed.machine.wrapper).arg(&launch.program);
            command
        }
        Code::Provided(_) => process::command(&launch.program),
        Code::Managed { folder, .. } => {
            let wrapper = variables.get(variables::WRAPPER);
            let mut command = process::command(wrapper.map_or(launch.program.as_os_str(), OsStr::new));
            command.args(wrapper.map(|_| &launch.program)).current_dir(folder);
            command
        }
    };
    command.args(&launch.arguments).envs(launch.variables.iter().map(|(name, value)| (name, value)));
    spawn(&environment.group, &mut command, variables)
}

async fn listen(pool: &Arc<Pool>, environment: &Arc<Environment>, served: &mut Option<http::Served>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (of, settled) = (Arc::clone(pool), Arc::clone(environment));
    let settled = Box::new(move |before| of.settled(&settled, before));
    let host = Arc::new(Host { environment: Arc::clone(environment), settled });
    *served = Some(http::serve(listener, move |request, _| runtime_api::answer(Arc::clone(&host), request)));
    Ok(address)
}

/// Waits until the start has progressed as far as `reached` says.
async fn reached(
    environment: &Environment,
    processes: &mut Processes,
    limit: tokio::time::Instant,
    reached: impl Fn() -> bool,
) -> Result<(), End> {
    while !reached() {
        if let Some(why) = environment.init_error() {
            return Err(End::Failed(Failure::Init(why)));
        }
        tokio::select! {
            () = environment.progress.notified() => {}
            () = environment.end.notified() => return Err(End::Spindown),
            exit = processes.exit() => return Err(End::Failed(failure_of(environment, exit))),
            () = tokio::time::sleep_until(limit) => return Err(End::Failed(Failure::TimedOut(INIT))),
        }
    }
    Ok(())
}

fn failure_of(environment: &Environment, exit: Exit) -> Failure {
    // A runtime that reports why it cannot start then exits; its report says more than the exit
    // status.
    match (environment.init_error(), exit) {
        (Some(why), _) => Failure::Init(why),
        (None, Exit::Runtime(how)) => Failure::RuntimeExit(how),
        (None, Exit::Extension(how)) => Failure::ExtensionExit(how),
    }
}

async fn watch(environment: &Environment, processes: &mut Processes) -> End {
    tokio::select! {
        exit = processes.exit() => End::Failed(failure_of(environment, exit)),
        () = environment.overdue() => End::Failed(Failure::TimedOut(environment.deployed.function.timeout)),
        () = environment.end.notified() => End::Spindown,
    }
}

async fn shut_down(environment: &Environment, processes: &mut Processes, end: &End, limit: Duration) {
    let reason = match end {
        End::Spindown => "spindown",
        End::Failed(Failure::TimedOut(_)) => "timeout",
        End::Failed(_) => "failure",
    };
    let ends_at = Instant::now() + limit;
    let told = environment.extensions(|all| all.shut_down(reason, (names::now() + limit).as_millis()));
    if told && matches!(end, End::Spindown) {
        processes.terminate_runtime();
        processes.runtime_ended(RUNTIME_SHUTDOWN).await;
    }
    processes.kill_runtime();
    if told {
        processes.extension_ended(ends_at.saturating_duration_since(Instant::now())).await;
    }
    // Kills whatever is left, including child processes of the function.
    environment.group.kill();
    processes.runtime_ended(SHUTDOWN).await;
    processes.extension_ended(SHUTDOWN).await;
    processes.drain().await;
}
