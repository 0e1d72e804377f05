//! The life of one environment from its listener to its last process: it is started, watched and
//! ended here. Nothing here decides about invocations.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::process::Child;

use super::environment::{Environment, Phase};
use super::host::Host;
use super::invocation::Failure;
use super::lines::Outcome;
use super::pool::Pool;
use super::process::{self, Exit, Processes, spawn};
use super::room::Room;
use super::runtimes::{Code, Launch};
use super::{http, names, runtime_api, variables};
use crate::Seen;

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
pub(crate) async fn live(pool: Arc<Pool>, environment: Arc<Environment>, pause: Duration, _alive: Arc<()>) {
    let mut processes = Processes::default();
    let mut served = None;
    let room = Room::new(&environment.deployed);
    let end = match begin(&pool, &environment, pause, &mut processes, &mut served, &room).await {
        Ok(()) => watch(&environment, &mut processes).await,
        Err(end) => {
            // One that takes too long may be this machine's doing.
            if matches!(&end, End::Failed(failure) if !matches!(failure, Failure::TimedOut(_))) {
                let function = environment.deployed.function.name.clone();
                environment.deployed.machine.sightings.tell(Seen::NotStarted { function });
            }
            end
        }
    };
    let before = environment.ending();
    let failure = match &end {
        End::Failed(failure) => Some(failure),
        End::Spindown => None,
    };
    if let Some(failure) = failure {
        environment.deployed.machine.counts.ended_badly.add();
        environment.lines.finish(Outcome::Failed(failure), None);
        environment.fail(failure);
    }
    pool.gone(&environment, before, failure);
    let limit = if pool.is_closed() { LAST_SHUTDOWN } else { SHUTDOWN };
    shut_down(&environment, &mut processes, &end, limit).await;
}

/// Starts it after a pause, which the end of the platform cuts short.
async fn begin(
    pool: &Arc<Pool>,
    environment: &Arc<Environment>,
    pause: Duration,
    processes: &mut Processes,
    served: &mut Option<http::Served>,
    room: &io::Result<Room>,
) -> Result<(), End> {
    let room = room.as_ref().map_err(|why| End::Failed(Failure::Start(why.to_string())))?;
    if !pause.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = environment.end.notified() => return Err(End::Spindown),
        }
    }
    start(pool, environment, processes, served, room).await
}

async fn start(
    pool: &Arc<Pool>,
    environment: &Arc<Environment>,
    processes: &mut Processes,
    served: &mut Option<http::Served>,
    room: &Room,
) -> Result<(), End> {
    let address = listen(pool, environment, served).await.map_err(|error| End::Failed(Failure::Start(error.to_string())))?;
    let limit = tokio::time::Instant::now() + environment.limit;
    let variables = variables::of(&environment.deployed, address, room);
    let deployed = &environment.deployed;
    let refused = |program: &Path, error: io::Error| End::Failed(Failure::Start(refusal(&room.show(program), &error)));
    for program in deployed.outside() {
        let child = start_extension(environment, processes, program, &variables, room).map_err(|why| refused(program, why))?;
        processes.extensions.push(child);
    }
    let all_registered = || {
        let name = |program: &PathBuf| program.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        environment.extensions(|all| deployed.outside().all(|program| all.has(&name(program))))
    };
    reached(environment, processes, limit, all_registered).await?;
    let program = &deployed.launch.program;
    may_run(&deployed.function.code, program).map_err(|why| refused(program, why))?;
    let mut child = start_runtime(environment, &variables, room).map_err(|why| refused(program, why))?;
    attach(environment, processes, &mut child).map_err(|why| refused(program, why))?;
    child.id().map(|id| environment.runtime.set(id));
    processes.runtime = Some(child);
    reached(environment, processes, limit, || environment.phase() != Phase::Starting).await
}

/// An archive may lack the bit, and neither a shell nor a wrapper may hide that.
fn may_run(code: &Code, program: &Path) -> io::Result<()> {
    let runs = |program: &Path| Ok::<_, io::Error>(std::fs::metadata(program)?.permissions().mode() & 0o111 != 0);
    if matches!(code, Code::Bootstrap { .. }) && !runs(program)? {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

/// As Lambda words it: the system's own words without their number.
fn refusal(program: &Path, why: &io::Error) -> String {
    let words = match why.kind() {
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        _ => why.to_string(),
    };
    format!("fork/exec {}: {words}", program.display())
}

/// Starts an extension. What brownout's own prints are lines of the ledger.
fn start_extension(
    environment: &Environment,
    processes: &mut Processes,
    program: &Path,
    variables: &BTreeMap<String, String>,
    room: &Room,
) -> io::Result<Child> {
    let deployed = &environment.deployed;
    if deployed.machine.extension.as_deref() != Some(program) {
        let mut child = spawn(&environment.group, &mut room.command(program, []), variables)?;
        attach(environment, processes, &mut child)?;
        return Ok(child);
    }
    // It needs no folder but the one of its file, and mounts would make the start slower.
    let mut child = spawn(&environment.group, &mut process::command(program), &room.seen_from_outside(variables))?;
    if let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) {
        processes.outputs.spawn(deployed.log.clone().copy_extension(output, deployed.machine.ledger.clone()));
        processes.outputs.spawn(environment.lines.attach(errors.into_owned_fd()?)?);
    }
    Ok(child)
}

/// Copies what a process prints to the function's log.
fn attach(environment: &Environment, processes: &mut Processes, child: &mut Child) -> io::Result<()> {
    if let Some(output) = child.stdout.take() {
        processes.outputs.spawn(environment.lines.attach(output.into_owned_fd()?)?);
    }
    if let Some(errors) = child.stderr.take() {
        processes.outputs.spawn(environment.lines.attach(errors.into_owned_fd()?)?);
    }
    Ok(())
}

/// Starts the runtime as Lambda's image does, a managed one through the wrapper if one is set. At
/// AWS, an OS-only runtime points itself at the extension, because no layer can do that for it;
/// here the platform does, so that the function needs no preparation.
fn start_runtime(environment: &Environment, variables: &BTreeMap<String, String>, room: &Room) -> io::Result<Child> {
    let deployed = &environment.deployed;
    let Launch { program, arguments, paths, .. } = &deployed.launch;
    let code = &deployed.function.code;
    // Of a managed runtime alone: at AWS too, an OS-only runtime knows no wrapper.
    let wrapper = variables.get(variables::WRAPPER).map(OsStr::new);
    let mut line = vec![program.as_os_str()];
    match code {
        // Through sh, so that the script need not be executable.
        Code::Provided(_) | Code::Bootstrap { .. } if deployed.machine.extension.is_some() => {
            drop(line.splice(..0, [OsStr::new("/bin/sh"), deployed.machine.wrapper.as_os_str()]));
        }
        Code::Provided(_) | Code::Bootstrap { .. } | Code::Missing { .. } => {}
        Code::Managed { .. } => drop(line.splice(..0, wrapper)),
    }
    line.extend(arguments.iter().map(OsString::as_os_str));
    let (program, arguments) = line.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = room.command(Path::new(program), arguments.iter().copied());
    if !matches!(code, Code::Provided(_)) {
        command.current_dir(code.task_root());
    }
    let mut variables = variables.clone();
    for (name, list) in paths {
        let list = room.show_all(list);
        let list = list.to_string_lossy();
        let own = deployed.function.variables.get(*name).filter(|own| !own.is_empty());
        variables.insert((*name).to_owned(), own.map_or_else(|| list.to_string(), |own| format!("{own}:{list}")));
    }
    spawn(&environment.group, &mut command, &variables)
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
            () = tokio::time::sleep_until(limit) => return Err(End::Failed(Failure::TimedOut(environment.limit))),
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
        processes.extensions_ended(ends_at.saturating_duration_since(Instant::now())).await;
    }
    // Kills whatever is left, including child processes of the function.
    environment.group.kill();
    processes.runtime_ended(SHUTDOWN).await;
    processes.extensions_ended(SHUTDOWN).await;
    processes.drain().await;
}
