//! `brownout explore`: every fault at every place, from file to matrix.

use std::error::Error;
use std::path::{Path, PathBuf};

use engine::explore::{AcceptFile, Explore, ExploreError, Explored, Only, SAVED, Saved, Stage, Stages, explore as run_explore};
use engine::run::{RunError, Setting};
use engine::targets::local::Local;
use engine::{Asked, Plan};
use reports::Verdict;
use reports::explored::{self, Exploration, FILES, Finding, conclusion, finding};
use run_folder::{FolderError, RunFolder};

use crate::progress::Progress;
use crate::signals::Signals;
use crate::{artifacts, check, cli, run, up};

/// The folder of the runs, in that of the exploration.
const RUNS: &str = "explore-runs";

/// The folder of the experiments that repeat findings.
const EXPERIMENTS: &str = "explore";

/// Explores; the exit code is 0 without a finding, that of `broken` with one, and that of `not-shown` if
/// nothing could be tried.
///
/// # Errors
/// If the fault-free traffic could not be run.
pub fn explore(arguments: &cli::Explore) -> Result<u8, Box<dyn Error>> {
    let asked = match asked(arguments) {
        Ok(asked) => asked,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let (runtime, signals) = Signals::begin()?;
    artifacts::find(asked.plan.systems.iter().copied())?;
    let folder = claim(arguments, &asked.plan.name)?;
    let mut stages = Fresh { folder: folder.path().to_owned(), signals, quiet: arguments.json };
    let outcome = runtime.block_on(run_explore(&asked, &mut stages));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match outcome {
        Ok(found) => hand_over(arguments, &folder, found),
        Err(ExploreError::Run(RunError::Asked(signal))) => {
            eprintln!("stopped as asked before the first request: nothing was struck, nothing is left running");
            Ok(signal.exit_code())
        }
        Err(error) => Err(error.into()),
    }
}

fn asked(arguments: &cli::Explore) -> Result<Explore, String> {
    let mut plan = check::read(&arguments.experiment)?;
    plan.seed = arguments.seed.unwrap_or(plan.seed);
    run::switch_on(&mut plan, &arguments.weaknesses)?;
    let file = Path::new(&arguments.experiment);
    let folder = file.parent().filter(|_| file.is_file()).filter(|folder| !folder.as_os_str().is_empty());
    Ok(Explore {
        folder: folder.unwrap_or(Path::new(".")).to_owned(),
        budget: arguments.budget,
        pairs: arguments.pairs.unwrap_or_default(),
        only: arguments.only.clone().unwrap_or(Only::All),
        accepted: accepted(arguments.accept.as_deref())?,
        resumed: arguments.resume.as_deref().map(|folder| resumed(folder, &plan)).transpose()?,
        command: command_line(arguments, plan.seed),
        plan,
    })
}

fn accepted(file: Option<&Path>) -> Result<AcceptFile, String> {
    let Some(file) = file else { return Ok(AcceptFile::default()) };
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("error: `{shown}` cannot be read: {error}\n"))?;
    AcceptFile::read(&text).map_err(|wrong| wrong.iter().map(|what| format!("error: {shown}:{what}\n")).collect())
}

/// What the exploration of this folder has decided.
fn resumed(folder: &Path, plan: &Plan) -> Result<Saved, String> {
    let file = folder.join(SAVED);
    let shown = file.display();
    let text = std::fs::read_to_string(&file)
        .map_err(|error| format!("error: `{shown}` cannot be read, so there is nothing to go on from: {error}\n"))?;
    Saved::read(&text, plan).map_err(|what| format!("error: `{shown}` is of another exploration: {what}\n"))
}

fn command_line(arguments: &cli::Explore, seed: u64) -> String {
    let weaknesses: String = arguments.weaknesses.iter().map(|weakness| format!(" --weakness {weakness}")).collect();
    format!("brownout explore {} --seed {seed}{weaknesses}", arguments.experiment)
}

fn claim(arguments: &cli::Explore, name: &str) -> Result<RunFolder, Box<dyn Error>> {
    if let Some(folder) = &arguments.resume {
        return Ok(RunFolder::claim(folder, false)?);
    }
    let Some(named) = &arguments.out else {
        return Ok(run::new_folder(&format!("{name}-explore"))?);
    };
    let folder = RunFolder::claim(named, arguments.force)?;
    let earlier: Vec<_> = earlier(folder.path()).collect();
    if !arguments.force && !earlier.is_empty() {
        return Err(FolderError::Used(folder.path().to_owned()).into());
    }
    for path in earlier {
        if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
    }
    Ok(folder)
}

/// What an earlier exploration wrote, and nothing else.
fn earlier(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let numbered = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem.to_string_lossy().parse::<u32>().is_ok());
    let experiments = std::fs::read_dir(folder.join(EXPERIMENTS)).into_iter().flatten().flatten().map(|entry| entry.path());
    let files = FILES.iter().copied().chain([RUNS, SAVED]).map(|name| folder.join(name)).filter(|path| path.exists());
    files.collect::<Vec<_>>().into_iter().chain(experiments.filter(numbered))
}

fn hand_over(arguments: &cli::Explore, folder: &RunFolder, found: Explored) -> Result<u8, Box<dyn Error>> {
    let Explored { exploration, experiments, saved, asked, left } = found;
    let unwritable = |cause| FolderError::Unwritable { path: folder.path().to_owned(), cause };
    explored::write(&exploration, folder.path()).map_err(unwritable)?;
    std::fs::write(folder.path().join(SAVED), serde_json::to_string(&saved)?).map_err(unwritable)?;
    for (file, text) in &experiments {
        let path = folder.path().join(file);
        path.parent().map(std::fs::create_dir_all).transpose().map_err(unwritable)?;
        std::fs::write(path, text).map_err(unwritable)?;
    }
    if arguments.json {
        print!("{}", std::fs::read_to_string(folder.path().join("explore.json"))?);
    } else {
        show(&exploration, folder);
    }
    if let Some(left) = left {
        eprintln!("error: {left}");
        return Ok(Verdict::NotRestored.exit_code());
    }
    Ok(asked.map_or(exploration.verdict().exit_code(), Asked::exit_code))
}

fn show(exploration: &Exploration, folder: &RunFolder) {
    page!("\n{}", conclusion(exploration));
    for found in &exploration.findings {
        let experiment = found.experiment.as_ref().map_or_else(|why| why.clone(), |file| run::shown(&folder.path().join(file)));
        page!("{}\n    {experiment}\n", finding(found));
    }
    page!("\n{}\n", exploration.verdict().name());
    println!("report: {}", run::shown(&folder.path().join("explore.html")));
}

/// Runs on the stack of this machine, each in a folder of its own.
struct Fresh {
    folder: PathBuf,
    signals: Signals,
    quiet: bool,
}

impl Stages for Fresh {
    fn stage(&mut self, plan: &Plan, number: usize) -> Result<Stage, Box<dyn Error>> {
        let folder = RunFolder::claim_new(&self.folder.join(RUNS).join(number.to_string()))?;
        let marker = up::new_marker();
        let launch = run::launch_local(plan, &folder, &marker)?;
        let setting =
            Setting { folder: folder.path().to_owned(), run: marker, command: String::new(), signals: Box::new(Signals::listen()?) };
        let target = Box::new(Local::new(folder.clone(), launch));
        Ok(Stage { folder, target, setting, progress: Box::new(Progress::new()) })
    }

    fn asked(&mut self) -> Option<Asked> {
        self.signals.so_far()
    }

    fn say(&self, text: &str) {
        eprintln!("{text}");
    }

    fn found(&self, found: &Finding) {
        if !self.quiet {
            eprintln!("{}", finding(found));
        }
    }
}
