//! One of several workers that share a load: which one it is, and what it writes. It never judges: `brownout report` does, when all have
//! ended.

pub mod batch;
pub mod kubernetes;
pub mod local;
pub mod sent_folder;
pub mod slurm;

use std::error::Error;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Plan;
use engine::measured::{experiment, ms};
use engine::run::Done;
use load::Part;
use reports::measurements::End;
use reports::workers::Worker;
use reports::{Verdict, words};
use run_folder::{FolderError, RunFolder};

use crate::cli::{Crew, Workers};

/// What this process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It sends everything.
    Alone,
    /// It sends its part.
    Worker(Part),
    /// It has workers started.
    Starts(Crew),
}

impl Role {
    /// How many share the load.
    pub const fn workers(self) -> u64 {
        match self {
            Self::Alone => 1,
            Self::Worker(part) => part.of(),
            Self::Starts(crew) => crew.count,
        }
    }
}

/// What the engines that start workers tell each of them.
struct Engine {
    /// The variable that says which one it is.
    index: &'static str,
    /// The index of the first.
    first: First,
    /// The variable that says of how many.
    count: Option<&'static str>,
}

enum First {
    Is(u64),
    /// A variable says so.
    In(&'static str),
}

/// Kubernetes' Indexed Job, AWS Batch's array job, Slurm's array and its tasks of one step, GNU parallel. The first that is there counts:
/// a task of an array has both variables of Slurm.
const ENGINES: [Engine; 5] = [
    Engine { index: "JOB_COMPLETION_INDEX", first: First::Is(0), count: None },
    Engine { index: "AWS_BATCH_JOB_ARRAY_INDEX", first: First::Is(0), count: Some("AWS_BATCH_JOB_ARRAY_SIZE") },
    Engine { index: "SLURM_ARRAY_TASK_ID", first: First::In("SLURM_ARRAY_TASK_MIN"), count: Some("SLURM_ARRAY_TASK_COUNT") },
    Engine { index: "SLURM_PROCID", first: First::Is(0), count: Some("SLURM_NTASKS") },
    Engine { index: "PARALLEL_SEQ", first: First::Is(1), count: None },
];

/// What this process is asked to be; `variable` reads the environment.
///
/// # Errors
/// If neither the command line nor an engine says which worker it is, or of how many.
pub fn role(asked: &Workers, variable: impl Fn(&str) -> Option<String>) -> Result<Role, String> {
    if let Some(crew) = asked.workers {
        return Ok(Role::Starts(crew));
    }
    if !asked.worker && asked.index.is_none() && asked.of.is_none() {
        return Ok(Role::Alone);
    }
    let number = |name: &str| -> Result<Option<u64>, String> {
        let Some(text) = variable(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("the variable `{name}` is `{text}`, which is not a whole number"))
    };
    let engine = ENGINES.iter().find(|engine| variable(engine.index).is_some());
    let index = match (asked.index, engine) {
        (Some(index), _) => index,
        (None, Some(engine)) => told(engine, number)?,
        (None, None) => {
            let known = ENGINES.map(|engine| format!("`{}`", engine.index)).join(", ");
            return Err(format!("which worker is this? give `--index`, or let an engine start it that sets one of {known}"));
        }
    };
    let of = match (asked.of, engine.and_then(|engine| engine.count)) {
        (Some(of), _) => Some(of),
        (None, Some(count)) => number(count)?,
        (None, None) => None,
    };
    let of = of.ok_or_else(|| format!("worker {index} of how many? give `--of`; its engine does not say"))?;
    let part = Part::new(index, of);
    part.map(Role::Worker).ok_or_else(|| format!("there is no worker {index} of {of}: workers are counted from 0"))
}

/// The index that an engine tells, counted from 0.
fn told(engine: &Engine, number: impl Fn(&str) -> Result<Option<u64>, String>) -> Result<u64, String> {
    let first = match engine.first {
        First::Is(first) => first,
        First::In(name) => number(name)?.unwrap_or(0),
    };
    let index = number(engine.index)?.unwrap_or(first);
    index.checked_sub(first).ok_or_else(|| format!("the variable `{}` is `{index}`, below the first, `{first}`", engine.index))
}

/// A worker that begins so late would send its part when the others have sent theirs.
const LATEST: Duration = Duration::from_secs(1);

/// A start time that is further away is a slip.
const FURTHEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Refuses a start time that is over or out of reach.
///
/// # Errors
/// How far away it is.
pub fn in_time(start_at: Option<SystemTime>, now: SystemTime) -> Result<(), String> {
    let Some(start_at) = start_at else { return Ok(()) };
    match (start_at.duration_since(now), now.duration_since(start_at)) {
        (_, Ok(late)) if late > LATEST => Err(format!("`--start-at` was {:.1} s ago; give all workers a later one", late.as_secs_f64())),
        (Ok(wait), _) if wait > FURTHEST => Err("`--start-at` is more than a week away".to_owned()),
        _ => Ok(()),
    }
}

/// The folder of a worker among those of all, and its record, begun.
///
/// # Errors
/// If the folder cannot be used.
pub fn begin(out: &Path, force: bool, plan: &Plan, part: Part) -> Result<(RunFolder, Worker), FolderError> {
    let folder = RunFolder::claim(&out.join(reports::workers::folder_name(part.index())), force)?;
    let start_at = plan.load.means.start_at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let worker = Worker {
        index: part.index(),
        of: part.of(),
        experiment: experiment(plan, String::new()),
        data: scenarios::digest::digest(&plan.load.journeys),
        start_at_unix_ms: start_at.map(ms),
        counted: None,
    };
    let written = worker.begins(folder.path());
    written.map_err(|cause| FolderError::Unwritable { path: folder.path().to_owned(), cause })?;
    Ok((folder, worker))
}

/// Writes what a worker counted; the exit code is 0 if it sent its part to the end.
///
/// # Errors
/// If the folder cannot be written.
pub fn end(worker: Worker, done: &Done, plan: &Plan, folder: &RunFolder) -> Result<u8, Box<dyn Error>> {
    let (index, of, sent) = (worker.index, worker.of, done.measurements.books.sent);
    let written = worker.ends(folder.path(), &done.measurements, ms(plan.timeline.warm_up));
    written.map_err(|cause| FolderError::Unwritable { path: folder.path().to_owned(), cause })?;
    if let Some(asked) = done.asked {
        eprintln!("worker {index} of {of} stopped as asked");
        return Ok(asked.exit_code());
    }
    match &done.measurements.end {
        End::Failed(why) => {
            eprintln!("error: worker {index} of {of}: {why}");
            Ok(crate::exit::COULD_NOT_RUN)
        }
        End::Stopped(why) => {
            eprintln!("worker {index} of {of} stopped early: {why}");
            Ok(Verdict::Stopped.exit_code())
        }
        End::Finished | End::BrokenBaseline | End::Interrupted => {
            eprintln!("worker {index} of {of} sent {} requests; `brownout report` judges those of all", words::count(sent));
            Ok(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Starter;

    type Case<'a> = (Option<u64>, Option<u64>, &'a [(&'a str, &'a str)], Result<Role, String>);

    #[test]
    fn a_worker_knows_its_place_from_the_command_line_or_from_its_engine() {
        let part = |index, of| Ok(Role::Worker(Part::new(index, of).unwrap()));
        let wrong = |says: &str| Err(says.to_owned());
        let slurm = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_COUNT", "8"), ("SLURM_PROCID", "0")];
        let cases: [Case<'_>; 14] = [
            (Some(1), Some(3), &[], part(1, 3)),
            (None, Some(8), &[("JOB_COMPLETION_INDEX", "7")], part(7, 8)),
            (None, None, &[("AWS_BATCH_JOB_ARRAY_INDEX", "2"), ("AWS_BATCH_JOB_ARRAY_SIZE", "4")], part(2, 4)),
            (None, None, &slurm, part(2, 8)),
            (None, None, &[("SLURM_PROCID", "1"), ("SLURM_NTASKS", "2")], part(1, 2)),
            (None, Some(3), &[("PARALLEL_SEQ", "3")], part(2, 3)),
            (Some(0), None, &slurm, part(0, 8)),
            (Some(0), Some(2), &slurm, part(0, 2)),
            (
                None,
                None,
                &[],
                wrong("which worker is this? give `--index`, or let an engine start it that sets one of `JOB_COMPLETION_INDEX`"),
            ),
            (None, None, &[("JOB_COMPLETION_INDEX", "7")], wrong("worker 7 of how many? give `--of`")),
            (None, Some(3), &[("PARALLEL_SEQ", "4")], wrong("there is no worker 3 of 3")),
            (None, Some(3), &[("PARALLEL_SEQ", "0")], wrong("the variable `PARALLEL_SEQ` is `0`, below the first, `1`")),
            (None, Some(3), &[("SLURM_PROCID", "x")], wrong("the variable `SLURM_PROCID` is `x`, which is not a whole number")),
            (Some(0), Some(0), &[], wrong("there is no worker 0 of 0")),
        ];
        for (index, of, variables, expected) in cases {
            let asked = Workers { worker: true, index, of, ..Workers::default() };
            let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            match (role(&asked, variable), expected) {
                (Err(found), Err(says)) => assert!(found.starts_with(&says), "{found}"),
                (found, expected) => assert_eq!(found, expected, "{index:?} {of:?} {variables:?}"),
            }
        }
        // An engine's variables alone make no worker: what is started must say so.
        assert_eq!(role(&Workers::default(), |_| Some("1".to_owned())), Ok(Role::Alone));
        let crew = Crew { starter: Starter::Slurm, count: 4 };
        assert_eq!(role(&Workers { workers: Some(crew), ..Workers::default() }, |_| None), Ok(Role::Starts(crew)));
    }

    #[test]
    fn a_start_time_that_is_over_is_refused() {
        let (now, second) = (SystemTime::now(), Duration::from_secs(1));
        for (start_at, says) in [
            (None, None),
            (Some(now + 60 * second), None),
            (Some(now - second / 2), None),
            (Some(now - 60 * second), Some("was 60.0 s ago")),
            (Some(now + 1_000_000 * second), Some("more than a week away")),
        ] {
            let found = in_time(start_at, now).err();
            assert!(found.as_ref().is_some() == says.is_some() && found.iter().all(|found| found.contains(says.unwrap())), "{found:?}");
        }
    }
}
