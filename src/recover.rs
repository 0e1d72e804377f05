//! `brownout recover`: finds what dead runs left in functions on AWS, from the functions alone, and takes it out.

use std::error::Error;

use aws::arm::{ArmError, Place, Store};
use aws::journal::{self, Entry, File};
use aws::marker::{Run, now};
use aws::recover::{Found, Recovered, Which, list, recover as take_out};
use aws::{Lambda, Patience};
use reports::Verdict;

use crate::{chain, cli};

/// Recovers, or only lists; the exit code is 6 where something is left.
///
/// # Errors
/// Where the account cannot be reached, or the run or journal is none.
pub fn recover(arguments: &cli::Recover) -> Result<u8, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let config = aws::config(arguments.region.as_deref()).await;
        let (lambda, store) = (Lambda::new(&config, Patience::default()), Store::new(&config, Patience::default()));
        if arguments.list { tell(&list(&lambda).await.map_err(|error| chain(&error))?) } else { undo(&lambda, &store, arguments).await }
    })
}

fn tell(found: &[Found]) -> Result<u8, Box<dyn Error>> {
    if found.is_empty() {
        println!("nothing of brownout is in any function");
    }
    let now = now();
    for found in found {
        let Found { function, version, record, .. } = found;
        if let Some(published) = found.published() {
            println!("{published}");
            continue;
        }
        match record {
            Some(record) if record.is_over(now) => {
                println!("{function} {version}: run {}, over: `brownout recover` takes it out", record.run)
            }
            Some(record) => {
                println!("{function} {version}: run {}, for another {} s at most", record.run, record.until.saturating_sub(now))
            }
            None => println!("{function} {version}: a `BROWNOUT_UNDO` that is not understood; `--journal` may help"),
        }
    }
    Ok(0)
}

/// Deletes the plan that a run left, where there is one of its.
async fn delete(store: &Store, journal: &File, plan: Option<&str>, run: &Run) -> Result<(), ArmError> {
    let Some(place) = plan.and_then(Place::parse) else { return Ok(()) };
    store.clear_of(journal, &place, run.name()).await
}

async fn undo(lambda: &Lambda, store: &Store, arguments: &cli::Recover) -> Result<u8, Box<dyn Error>> {
    let which = match &arguments.run {
        Some(run) => Which::Of(Run::try_from(run.clone())?),
        None if arguments.all => Which::All,
        None => Which::Over(now()),
    };
    let (noted, journal) = match &arguments.journal {
        Some(path) => (journal::read(path).map_err(|error| format!("`{}` cannot be read: {error}", path.display()))?, File::open(path)),
        None => {
            let folder = crate::run::runs_folder();
            std::fs::create_dir_all(&folder)?;
            (Vec::<Entry>::new(), File::open(&folder.join("recover.ndjson")))
        }
    };
    let journal = journal.map_err(|error| chain(&error))?;
    let recovered = take_out(lambda, &journal, &which, &noted).await.map_err(|error| chain(&error))?;
    if recovered.is_empty() {
        println!("there was nothing to take out");
    }
    let mut code = 0;
    for Recovered { function, version, run, plan, result } in recovered {
        if let Err(error) = delete(store, &journal, plan.as_deref(), &run).await {
            eprintln!("error: the plan of run {run} may still be there, without effect: {}", chain(&error));
            code = Verdict::NotRestored.exit_code();
        }
        match result {
            Ok(proof) => println!("{function} {version}: run {run} is out: {proof}"),
            Err(error) => {
                eprintln!("error: {function} {version}: {}", chain(&error));
                code = Verdict::NotRestored.exit_code();
            }
        }
    }
    Ok(code)
}
