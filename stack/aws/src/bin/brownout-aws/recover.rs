//! `brownout recover`: finds what dead runs left in functions on AWS, from the functions alone, and
//! removes it.

use std::error::Error;

use aws::arm::{ArmError, Place, Store};
use aws::fis::Fis;
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
    let fis = Fis::new(&config, Patience::default());
    if task.list { tell(&lambda, &fis).await } else { undo(&lambda, &store, &fis, task).await }
}

async fn tell(lambda: &Lambda, fis: &Fis) -> Result<u8, Box<dyn Error>> {
    let found = list(lambda).await.map_err(|error| chain(&error))?;
    if found.is_empty() {
        say!("nothing of brownout is in any function");
    }
    let now = now();
    for found in &found {
        let Found { function, version, record, .. } = found;
        if let Some(published) = found.published() {
            say!("{published}");
            continue;
        }
        match record {
            Some(record) => say!("{function} {version}: {}", needed(record.run.name(), record.until, now)),
            None => say!("{function} {version}: a `BROWNOUT_UNDO` that is not understood; `--journal` may help"),
        }
    }
    for leftover in fis.leftovers(None).await.map_err(|error| chain(&error))?.select(|_| true) {
        say!("{leftover}: {}", needed(&leftover.mark.run, leftover.mark.until, now));
    }
    Ok(0)
}

/// Whose it is, and for how long.
fn needed(run: &str, until: u64, now: u64) -> String {
    match until.saturating_sub(now) {
        0 => format!("run {run}, over: `brownout recover` takes it out"),
        rest => format!("run {run}, for another {rest} s at most"),
    }
}

/// Deletes what runs made in FIS and Systems Manager for themselves; the exit code is 6 if something
/// may be left.
async fn delete_made(fis: &Fis, which: &Which) -> (usize, u8) {
    let found = match fis.leftovers(None).await {
        Ok(found) => found.select(|mark| which.selects(&mark.run, mark.until)),
        Err(error) => {
            complain!("error: what runs made for FIS may still be there: {}", chain(&error));
            return (0, Verdict::NotRestored.exit_code());
        }
    };
    let mut code = 0;
    for leftover in &found {
        match fis.delete(leftover).await {
            Ok(()) => say!("{leftover}: run {} is out: it was deleted", leftover.mark.run),
            Err(error) => {
                complain!("error: {leftover}: {}", chain(&error));
                code = Verdict::NotRestored.exit_code();
            }
        }
    }
    (found.len(), code)
}

/// Deletes the plan that a run left, if there is one.
async fn delete(store: &Store, journal: &File, plan: Option<&str>, run: &Run) -> Result<(), ArmError> {
    let Some(place) = plan.and_then(Place::parse) else { return Ok(()) };
    store.clear_of(journal, &place, run.name()).await
}

async fn undo(lambda: &Lambda, store: &Store, fis: &Fis, task: &Recover) -> Result<u8, Box<dyn Error>> {
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
    let (made, mut code) = delete_made(fis, &which).await;
    if recovered.is_empty() && made == 0 {
        say!("there was nothing to take out");
    }
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
