//! `brownout up`: the stack in this process, for a person with curl or for a harness.

use std::error::Error;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::StopRequests;
use engine::bounds::Factor;
use engine::check::system_of;
use engine::nearest::there_are;
use engine::own_stack::OwnStack;
use run_folder::deployment::Seed;
use run_folder::{Compressed, Deployment, FolderError, RunFolder};
use scenarios::systems::{Setup, System, SystemLoad};
use serde_json::json;
use stack::services::elsewhere::{Addresses, NoSuchAddress, names};
use stack::up::{Settings, Up};
use template::find::FindError;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::artifacts;
use crate::cli;
use crate::greeting::greeting;
use crate::signals::Signals;

/// The stack runs a little below the generator, so that on a small machine the load is still sent on time.
const NICE: i32 = 5;

/// Starts the stack and keeps it running.
///
/// # Errors
/// If it does not start, or something is left behind.
pub fn up(arguments: &cli::Up) -> Result<u8, Box<dyn Error>> {
    let settings = settings(arguments)?;
    let mut guard = start_guard(&settings.marker)?;
    let _ = rustix::process::nice(NICE);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(serve(arguments, settings));
    runtime.shutdown_timeout(Duration::from_secs(1));
    // The guard process ends everything that is left once its input ends.
    drop(guard.stdin.take());
    let _ = guard.wait();
    let ended = ended?;
    match ended.left.as_slice() {
        [] => Ok(ended.code),
        left => Err(format!("could not be ended: {}", left.join(", ")).into()),
    }
}

fn settings(arguments: &cli::Up) -> Result<Settings, Box<dyn Error>> {
    // A harness has already built the programs of its systems.
    let (folder, deployment, artifacts) = if arguments.harness.is_some() {
        let folder = folder(arguments)?;
        let deployment = folder.read_deployment()?;
        (folder, deployment, artifacts::look([])?)
    } else {
        let (deployment, systems) = match own_stack(arguments)? {
            Some(own) => {
                let (templates, services) = (vec![own.deploys], own.elsewhere.all());
                (Deployment { templates, services, compressed: how_fast(arguments)?, ..Deployment::default() }, Vec::new())
            }
            None => {
                let systems = systems(arguments);
                (deployment(arguments, &systems)?, systems)
            }
        };
        (folder(arguments)?, deployment, artifacts::find(systems)?)
    };
    Ok(Settings {
        folder,
        artifacts,
        deployment,
        redis: arguments.redis.clone(),
        marker: arguments.marker.clone().unwrap_or_else(new_marker),
    })
}

/// The template that is named, or that of this folder if no system is named.
fn own_stack(arguments: &cli::Up) -> Result<Option<OwnStack>, Box<dyn Error>> {
    let named = arguments.template.as_deref();
    if named.is_none() && !arguments.systems.is_empty() {
        return Ok(None);
    }
    let found = match template::find::find(named.unwrap_or(Path::new("."))) {
        // Services elsewhere are those of a template.
        Err(FindError::Missing(_)) if named.is_none() && arguments.services.is_empty() && arguments.public_services.is_empty() => {
            return Ok(None);
        }
        found => found?,
    };
    let parameters = arguments.options.parameters.iter().cloned().collect();
    let layers = arguments.layers.iter().map(|(arn, path)| (arn.clone(), PathBuf::from(path))).collect();
    let own = OwnStack::read(&found.file, &parameters, arguments.options.config_env.as_deref(), &layers)?;
    let elsewhere = elsewhere(arguments)?;
    let of_services = elsewhere.all().into_keys().filter_map(|name| elsewhere.notice(&name));
    own.notices.iter().cloned().chain(of_services).for_each(|notice| eprintln!("notice: {notice}"));
    Ok(Some(OwnStack { elsewhere, ..own }))
}

/// The services that run somewhere else.
fn elsewhere(arguments: &cli::Up) -> Result<Addresses, String> {
    let mut all = Addresses::default();
    for (given, is_public) in [(&arguments.services, false), (&arguments.public_services, true)] {
        for (name, address) in given {
            all.add(name, address, is_public).map_err(|wrong| match wrong {
                NoSuchAddress::Unknown(_) => format!("{wrong}; {}", there_are(name, names(), "docs/own-stack.md lists them")),
                NoSuchAddress::Public(_) => format!("{wrong}, or give it with `--public-service`"),
                _ => wrong.to_string(),
            })?;
        }
    }
    Ok(all)
}

fn systems(arguments: &cli::Up) -> Vec<System> {
    if arguments.systems.is_empty() { vec![System::Thermostat, System::Clinic] } else { arguments.systems.clone() }
}

/// The deployment of these systems that the arguments describe.
fn deployment(arguments: &cli::Up, systems: &[System]) -> Result<Deployment, String> {
    for weakness in &arguments.weaknesses {
        system_of(weakness)?;
    }
    let setup = Setup {
        authorizer_cache: arguments.authorizer_cache.duration(),
        compressed: how_fast(arguments)?,
        weaknesses: arguments.weaknesses.clone(),
    };
    let loads = systems.iter().map(|system| load(*system, arguments)).collect::<Result<Vec<_>, _>>();
    let loads = loads.map_err(|error| error.to_string())?;
    let mut deployment = scenarios::systems::deployment(loads.iter().map(AsRef::as_ref), &setup);
    if arguments.unseeded {
        // A template declares its policies itself.
        deployment.seed = Seed { policies: std::mem::take(&mut deployment.seed.policies), ..Seed::default() };
        deployment.things = Some(Vec::new());
    }
    deployment.warm.values_mut().for_each(|environments| *environments = arguments.sign_ins_at_once);
    Ok(deployment)
}

/// No load is sent, but the size of a system is part of its load.
fn load(system: System, arguments: &cli::Up) -> Result<Arc<dyn SystemLoad>, serde_json::Error> {
    system.read_load(match system {
        System::Thermostat => json!({"rate": "1/s", "homes": arguments.homes}),
        System::InactiveUsers => json!({"rate": "1/s", "members": arguments.members}),
        _ => json!({"rate": "1/s"}),
    })
}

/// Claims the folder, unless a harness already has.
fn folder(arguments: &cli::Up) -> Result<RunFolder, FolderError> {
    match &arguments.folder {
        Some(folder) if arguments.harness.is_some() => RunFolder::join(folder),
        Some(folder) => RunFolder::claim(folder, arguments.force),
        None => crate::run::new_folder("up"),
    }
}

fn how_fast(arguments: &cli::Up) -> Result<Compressed, String> {
    compressed(arguments.queue_time, arguments.expiry_time)
}

fn compressed(queue_time: Factor, expiry_time: Factor) -> Result<Compressed, String> {
    let bounded = |Factor(times): Factor, most: u32| {
        if times <= most { Ok(times) } else { Err(format!("`{times}x` is too fast; `{most}x` is the most")) }
    };
    Ok(Compressed { queues: bounded(queue_time, Compressed::MOST_FOR_QUEUES)?, expiry: bounded(expiry_time, Compressed::MOST_FOR_EXPIRY)? })
}

/// A marker that no other stack on this machine has.
pub fn new_marker() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{}-{now:x}", std::process::id())
}

fn start_guard(marker: &str) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    Command::new(std::env::current_exe()?)
        .args(["guard", marker])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_remove("BROWNOUT_STACK")
        .process_group(0)
        .spawn()
}

/// How a stack ended.
struct Ended {
    /// What could not be ended.
    left: Vec<String>,
    code: u8,
}

async fn serve(arguments: &cli::Up, settings: Settings) -> Result<Ended, Box<dyn Error>> {
    let mut signals = Signals::listen()?;
    let started = std::time::Instant::now();
    let mut ending = std::pin::pin!(ending(arguments));
    // If it is stopped while it starts, the guard process ends what was started.
    let up = tokio::select! {
        up = Up::start(settings) => up?,
        asked = signals.asked() => return Ok(Ended { left: Vec::new(), code: asked.exit_code() }),
        () = &mut ending => return Ok(Ended { left: Vec::new(), code: 0 }),
    };
    if arguments.harness.is_none() {
        let dumb = std::env::var_os("NO_COLOR").is_some() || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let bold = std::io::stdout().is_terminal() && !dumb;
        print!("{}", greeting(&up.addresses, &up.apis, started.elapsed(), bold));
    }
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            _ = tick.tick() => up.write_health()?,
            _ = signals.asked() => break,
            () = &mut ending => break,
        }
    }
    let left = up.stop().await;
    if arguments.harness.is_none() {
        println!("\nthe stack is down{}", if left.is_empty() { ", nothing is left" } else { "" });
    }
    Ok(Ended { left, code: 0 })
}

/// Waits until the harness sends `stop`, or, after its death, until the lease has run out; without
/// a harness, for ever.
async fn ending(arguments: &cli::Up) {
    let Some(grace) = arguments.harness else { return std::future::pending().await };
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.trim() == "stop" {
            return;
        }
    }
    tokio::time::sleep(grace.duration()).await;
}
