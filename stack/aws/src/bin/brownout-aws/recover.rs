//! `brownout recover`: finds what dead runs left in functions on AWS, from the functions alone, and
//! removes it.

use std::error::Error;

use aws::arm::{ArmError, Place, Store};
use aws::journal::{self, Entry, File};
use aws::marker::{Run, now};
use aws::recover::{Found, Recovered, Which, list, recover as take_out};
use aws::{Lambda, Patience};
use protocol::{Recover, chain};
use reports::Verdict;

/// Recovers, or only lists; the exit code is 6 if something is left.
///
/// # Errors
/// If the account cannot be reached, or the run's name or the journal is invalid.
pub async fn recover(task: &Recover) -> Result<u8, Box<dyn Error>> {
    let config = aws::config(task.region.as_deref()).await;
    let (lambda, store) = (Lambda::new(&config, Patience::default()), Store::new(&config, Patience::default()));
    if task.list { tell(&list(&lambda).await.map_err(|error| chain(&error))?) } else { undo(&lambda, &store, task).await }
}

fn tell(found: &[Found]) -> Result<u8, Box<dyn Error>> {
    if found.is_empty() {
        say!("nothing of brownout is in any function");
    }
    let now = now();
    for found in found {
        let Found { function, version, record, .. } = found;
        if let Some(published) = found.published() {
            say!("{published}");
            continue;
        }
        match record {
            Some(record) if record.is_over(now) => {
                say!("{function} {version}: run {}, over: `brownout recover` takes it out", record.run)
            }
            Some(record) => {
                say!("{function} {version}: run {}, for another {} s at most", record.run, record.until.saturating_sub(now))
            }
            None => say!("{function} {version}: a `BROWNOUT_UNDO` that is not understood; `--journal` may help"),
        }
    }
    Ok(0)
}

/// Deletes the plan that a run left, if there is one.
async fn delete(store: &Store, journal: &File, plan: Option<&str>, run: &Run) -> Result<(), ArmError> {
    let Some(place) = plan.and_then(Place::parse) else { return Ok(()) };
    store.clear_of(journal, &place, run.name()).await
}

async fn undo(lambda: &Lambda, store: &Store, task: &Recover) -> Result<u8, Box<dyn Error>> {
    let which = match &task.which {
        protocol::Which::Over => Which::Over(now()),
        protocol::Which::Of(run) => Which::Of(Run::try_from(run.clone())?),
        protocol::Which::All => Which::All,
    };
    let (noted, journal) = match &task.journal {
        Some(path) => (journal::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?, File::open(path)),
        None => {
            std::fs::create_dir_all(&task.folder)?;
            (Vec::<Entry>::new(), File::open(&task.folder.join("recover.ndjson")))
        }
    };
    let journal = journal.map_err(|error| chain(&error))?;
    let recovered = take_out(lambda, &journal, &which, &noted).await.map_err(|error| chain(&error))?;
    if recovered.is_empty() {
        say!("there was nothing to take out");
    }
    let mut code = 0;
    for Recovered { function, version, run, plan, result } in recovered {
        if let Err(error) = delete(store, &journal, plan.as_deref(), &run).await {
            complain!("error: the plan of run {run} may still be there, without effect: {}", chain(&error));
            code = Verdict::NotRestored.exit_code();
        }
        match result {
            Ok(proof) => say!("{function} {version}: run {run} is out: {proof}"),
            Err(error) => {
                complain!("error: {function} {version}: {}", chain(&error));
                code = Verdict::NotRestored.exit_code();
            }
        }
    }
    Ok(code)
}
