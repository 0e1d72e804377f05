//! `brownout run`: one experiment, from file to verdict.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use engine::check::{power, system_of};
use engine::run::{Done, RunError, Setting};
use engine::targets::bare::Bare;
use engine::targets::local::{Launch, Local};
use engine::targets::remote::Remote;
use engine::{Asked, Plan};
use faults::Place;
use protocol::{PROGRAM, Run};
use reports::{Report, Verdict};
use run_folder::{FolderError, RunFolder};

use crate::cli::{Target, Via};
use crate::live::{Live, Views};
use crate::signals::Signals;
use crate::{artifacts, aws_stack, check, cli, up};

/// How long a stack whose harness died stays after the lease.
const AFTER_THE_LEASE: Duration = Duration::from_secs(5);

/// No process of brownout survives a dead harness by a minute.
const LONGEST_GRACE: Duration = Duration::from_secs(50);

/// The target of a run, and what strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The stack on this machine.
    Local,
    /// Only requests, to a server that already runs on this machine.
    Bare,
    /// Functions on AWS.
    Deployed(protocol::Via),
}

impl Way {
    fn of(arguments: &cli::Run, plan: &Plan) -> Result<Self, &'static str> {
        if plan.own.is_some() && (arguments.via.is_some() || arguments.target == Target::Aws) {
            return Err("the template of `[stack]` is started on this machine; `[aws] stack` names the deployed stack");
        }
        match (arguments.via, arguments.target, plan.deployed.is_some()) {
            (Some(Via::Fis), ..) => Ok(Self::Deployed(protocol::Via::Fis)),
            (None, Target::Aws, _) => Ok(Self::Deployed(protocol::Via::Plan)),
            (None, Target::Local, true) => Err("the experiment is on functions deployed on AWS; `--target aws` strikes them"),
            (None, Target::Local, false) if plan.systems.is_empty() && plan.own.is_none() => Ok(Self::Bare),
            (None, Target::Local, false) => Ok(Self::Local),
        }
    }
}

/// The default folder of runs.
pub fn runs_folder() -> PathBuf {
    PathBuf::from("brownout-runs")
}

/// A new folder among those of runs, named for the moment and what runs.
///
/// # Errors
/// If it cannot be made.
pub fn new_folder(name: &str) -> Result<RunFolder, FolderError> {
    RunFolder::claim_new(&runs_folder().join(format!("{}-{name}", dates::file_name(SystemTime::now()))))
}

/// Judges a run and writes its report.
///
/// # Errors
/// If the folder cannot be written.
pub fn report_of(done: &Done, folder: &RunFolder) -> Result<Report, FolderError> {
    let report = reports::judge(&done.measurements);
    let written = reports::write_all(folder.path(), &report, &done.measurements.latencies);
    written.map_err(|cause| FolderError::Unwritable { path: folder.path().to_owned(), cause })?;
    Ok(report)
}

/// Runs an experiment; the exit code is the verdict's.
///
/// # Errors
/// If it could not be run.
pub fn run(arguments: &cli::Run) -> Result<u8, Box<dyn Error>> {
    let plan = match plan(arguments) {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let plan = on_target(arguments, plan)?;
    if let Some(own) = &plan.own {
        own.notices.iter().for_each(|notice| eprintln!("note: {notice}"));
    }
    let way = Way::of(arguments, &plan)?;
    let plan = if way == Way::Deployed(protocol::Via::Fis) { plan.driven_by_fis()? } else { plan };
    let (runtime, mut signals) = Signals::begin()?;
    let live = Live::wanted(&arguments.watch, up::new_marker())?;
    // The named folder is claimed before anything is built, so that an unusable one fails early.
    let named = arguments.out.as_ref().map(|folder| RunFolder::claim(folder, arguments.force)).transpose()?;
    // Built and found here, so that a run that cannot start is not begun.
    let found = find_programs(way, &plan);
    if let Some(asked) = signals.so_far() {
        return Ok(stopped_early(asked));
    }
    found?;
    let folder = named.map_or_else(|| new_folder(&plan.name), Ok)?;
    eprintln!("{}\n", plan.question);
    power::notices(&plan).iter().for_each(|notice| eprintln!("note: {notice}"));
    if arguments.redis.is_some() && plan.deployment().has_cache() {
        eprintln!("the cache is somebody else's: what leaves it is not seen, and no rule about it is checked\n");
    }
    let mut views = Views::new(live);
    let done = go(arguments, way, &plan, &folder, &runtime, signals, &mut views);
    runtime.shutdown_timeout(Duration::from_secs(1));
    let done = match done {
        Ok(done) => done,
        Err(error) => match error.downcast_ref() {
            Some(RunError::Asked(asked)) => return Ok(stopped_early(*asked)),
            _ => return Err(error),
        },
    };
    let report = report_of(&done, &folder)?;
    views.judged(&report);
    finish(arguments, &report, &folder)?;
    if done.asked.is_some() && report.verdict != Verdict::NotRestored {
        eprintln!("stopped as asked: the faults were ended, the stack is down, nothing is left running");
    }
    Ok(done.asked.map_or(report.verdict.exit_code(), |asked| asked.exit_code()))
}

/// On AWS, the experiment on the stack that is named.
fn on_target(arguments: &cli::Run, plan: Plan) -> Result<Plan, Box<dyn Error>> {
    match (arguments.via, arguments.target) {
        (None, Target::Local) if arguments.on.stack.is_some() => Err("`--stack` is on AWS; add `--target aws` or `--via fis`".into()),
        (None, Target::Local) => Ok(plan),
        (Some(Via::Fis), _) | (None, Target::Aws) => {
            aws_stack::with_seed(aws_stack::on_aws(plan, &arguments.on)?, &arguments.on, arguments.seed_folder.as_deref())
        }
    }
}

/// The stack's own process looks for its programs again.
fn find_programs(way: Way, plan: &Plan) -> Result<(), Box<dyn Error>> {
    match way {
        Way::Local => artifacts::find(plan.systems.iter().copied()).map(drop),
        Way::Deployed(_) => artifacts::program(PROGRAM).map(drop),
        Way::Bare => Ok(()),
    }
}

/// A signal came before there was anything to report.
fn stopped_early(asked: Asked) -> u8 {
    eprintln!("stopped as asked before the first request: nothing was struck, nothing is left running");
    asked.exit_code()
}

/// The checked plan with the additions of the command line.
fn plan(arguments: &cli::Run) -> Result<Plan, String> {
    let mut plan = check::read(&arguments.experiment)?;
    if let Some(seed) = arguments.seed {
        plan.seed = seed;
    }
    switch_on(&mut plan, &arguments.weaknesses)?;
    if let Some(fault) = arguments.redis.as_ref().and_then(|_| plan.faults.iter().find(|fault| strikes_the_cache(&fault.place))) {
        return Err(format!(
            "error: `{}` strikes the cache, which with `--redis` is one that brownout does not run; run it without\n",
            fault.name
        ));
    }
    Ok(plan)
}

/// Switches weaknesses on.
///
/// # Errors
/// If one belongs to a system that is not among the plan's, ready to print.
pub fn switch_on(plan: &mut Plan, weaknesses: &[String]) -> Result<(), String> {
    for weakness in weaknesses {
        let system = system_of(weakness).map_err(|what| format!("error: {what}\n"))?;
        if !plan.systems.contains(&system) {
            return Err(format!("error: `{weakness}` belongs to `{}`, which this experiment does not bring up\n", system.name()));
        }
        plan.switch_on(weakness);
    }
    Ok(())
}

fn strikes_the_cache(place: &Place) -> bool {
    matches!(place, Place::Service { name, .. } if name == "redis")
}

fn go(
    arguments: &cli::Run,
    way: Way,
    plan: &Plan,
    folder: &RunFolder,
    runtime: &tokio::runtime::Runtime,
    signals: Signals,
    views: &mut Views,
) -> Result<Done, Box<dyn Error>> {
    let marker = up::new_marker();
    let mut target: Box<dyn engine::Target> = match way {
        Way::Deployed(via) => {
            let aws_plan = plan.aws_plan().ok_or(aws_stack::NOT_DEPLOYED)?;
            let addresses = plan.deployed.as_ref().and_then(|deployed| deployed.addresses.clone());
            let run = Run { plan: aws_plan, via, run: marker.clone(), folder: folder.path().to_owned(), yes: arguments.yes };
            Box::new(runtime.block_on(Remote::start(&artifacts::beside(PROGRAM)?, run, addresses))?)
        }
        Way::Bare => Box::new(Bare),
        Way::Local => Box::new(Local::new(folder.clone(), launch(arguments, plan, folder, &marker)?)),
    };
    let setting =
        Setting { folder: folder.path().to_owned(), run: marker, command: command_line(arguments, way), signals: Box::new(signals) };
    runtime.block_on(engine::run::run(plan, target.as_mut(), setting, views)).map_err(|error| match error {
        RunError::Folder(cause) => FolderError::Unwritable { path: folder.path().to_owned(), cause }.into(),
        error => error.into(),
    })
}

/// The stack runs as `brownout up` in a separate process, which reads from the folder what to
/// deploy.
fn launch(arguments: &cli::Run, plan: &Plan, folder: &RunFolder, marker: &str) -> Result<Launch, Box<dyn Error>> {
    // Not in the arguments, which every user on this machine can read: the address may contain a
    // password.
    let redis = arguments.redis.iter().map(|redis| ("BROWNOUT_REDIS".to_owned(), redis.clone())).collect();
    Ok(Launch { variables: redis, ..launch_local(plan, folder, marker)? })
}

/// The same without a cache of the user's own.
///
/// # Errors
/// If the folder cannot be written, or this program is gone.
pub fn launch_local(plan: &Plan, folder: &RunFolder, marker: &str) -> Result<Launch, Box<dyn Error>> {
    folder.write_deployment(&plan.deployment())?;
    // The stack outlives a dead harness until the lease has run out, so that its traffic can be
    // seen to become normal.
    let grace = faults::time::Time::from((plan.lease.duration() + AFTER_THE_LEASE).min(LONGEST_GRACE));
    let folder = folder.path().display().to_string();
    let up = ["up", "--folder", &folder, "--marker", marker, "--harness", &grace.to_string()].map(str::to_owned);
    Ok(Launch { program: std::env::current_exe()?, arguments: up.to_vec(), variables: Vec::new(), marker: marker.to_owned() })
}

fn command_line(arguments: &cli::Run, way: Way) -> String {
    let mut line = format!("brownout run {}", arguments.experiment);
    line.push_str(match way {
        Way::Deployed(protocol::Via::Fis) => " --via fis",
        Way::Deployed(protocol::Via::Plan) => " --target aws",
        Way::Local | Way::Bare => "",
    });
    for (option, value) in [("stack", &arguments.on.stack), ("region", &arguments.on.region)] {
        if let Some(value) = value {
            line.push_str(&format!(" --{option} {value}"));
        }
    }
    if let Some(seed) = arguments.seed {
        line.push_str(&format!(" --seed {seed}"));
    }
    // Without its address, which may contain a password.
    if arguments.redis.is_some() {
        line.push_str(" --redis ...");
    }
    for weakness in &arguments.weaknesses {
        line.push_str(&format!(" --weakness {weakness}"));
    }
    line
}

fn finish(arguments: &cli::Run, report: &Report, folder: &RunFolder) -> Result<(), Box<dyn Error>> {
    if arguments.json {
        print!("{}", std::fs::read_to_string(folder.path().join("result.json"))?);
        return Ok(());
    }
    page!("{}", std::fs::read_to_string(folder.path().join("summary.md"))?);
    page!("\n{}: {}\n", report.verdict.name(), report.sentence);
    println!("report: {}", shown(&folder.path().join("report.html")));
    Ok(())
}

/// A path below this folder is shown without it.
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| here.canonicalize().ok());
    let short = here.and_then(|here| path.strip_prefix(here).ok().map(Path::to_owned));
    short.unwrap_or_else(|| path.to_owned()).display().to_string()
}
