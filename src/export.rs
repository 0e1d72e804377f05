//! `brownout export`: exports an experiment for AWS's own tools, or a workflow for CI. It makes no
//! network call.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use exports::{Experiment, File, GameDay, LoadJob, Write};
use faults::time::Time;

use crate::check;
use crate::cli::Export;

/// The time between two experiments of a game day, unless it is given.
const WAIT: Duration = Duration::from_secs(300);

/// Writes the files and prints their names.
///
/// # Errors
/// If the experiment cannot be exported in this format, or a file cannot be written.
pub fn export(arguments: &Export) -> Result<u8, Box<dyn Error>> {
    let files = match files(arguments) {
        Ok(files) => files,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let folder = arguments.out.clone().unwrap_or_else(|| PathBuf::from("brownout-export").join(arguments.form.name));
    std::fs::create_dir_all(&folder).map_err(|error| format!("`{}` cannot be made: {error}", folder.display()))?;
    for file in files {
        let path = folder.join(file.name);
        std::fs::write(&path, file.text).map_err(|error| format!("`{}` cannot be written: {error}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(0)
}

fn files(arguments: &Export) -> Result<Vec<File>, String> {
    let one = || match arguments.experiments.as_slice() {
        [wanted] => deployed(wanted),
        _ => Err(format!("error: `{}` is written for one experiment\n", arguments.form.name)),
    };
    if (arguments.wait.is_some() || arguments.name.is_some()) && !matches!(arguments.form.write, Write::GameDay(_)) {
        return Err(format!("error: `--wait` and `--name` are for a game day, and `{}` writes none\n", arguments.form.name));
    }
    if arguments.workers.is_some() != matches!(arguments.form.write, Write::Load(_)) {
        return Err(format!("error: `--workers N` is for the exports of a load, and needed there; this is `{}`\n", arguments.form.name));
    }
    match arguments.form.write {
        Write::Load(write) => load(arguments).map(|job| write(&job)),
        Write::GameDay(write) => write(&game_day(arguments)?).map_err(|error| format!("error: {error}\n")),
        Write::Experiment(write) => write(&one()?).map_err(|error| format!("error: {error}\n")),
        Write::Names(write) => local(&arguments.experiments).map(write),
    }
}

fn game_day(arguments: &Export) -> Result<GameDay, String> {
    let experiments = arguments.experiments.iter().map(|wanted| deployed(wanted)).collect::<Result<_, _>>()?;
    let wait = arguments.wait.map_or(WAIT, Time::duration);
    Ok(GameDay { name: arguments.name.clone().unwrap_or_else(|| "game-day".to_owned()), experiments, wait })
}

fn load(arguments: &Export) -> Result<LoadJob, String> {
    let (Some(workers), [file]) = (arguments.workers, arguments.experiments.as_slice()) else {
        return Err(format!("error: `{}` is written for one load\n", arguments.form.name));
    };
    let plan = check::read_load(file, workers)?;
    Ok(LoadJob { name: plan.name, file: file.clone(), workers, length: plan.timeline.end() })
}

fn local(experiments: &[String]) -> Result<&[String], String> {
    for experiment in experiments {
        if check::read(experiment)?.deployed.is_some() {
            return Err(format!(
                "error: {experiment}: the workflow runs experiments on its own machine; this one is on deployed functions\n"
            ));
        }
    }
    Ok(experiments)
}

fn deployed(wanted: &str) -> Result<Experiment, String> {
    check::read(wanted)?.for_aws().ok_or_else(|| format!("error: {wanted}: it names no deployed function; write `[aws]`\n"))
}
