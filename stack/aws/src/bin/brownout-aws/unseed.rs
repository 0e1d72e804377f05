//! `brownout unseed`: deletes exactly what `brownout seed` created.

use std::error::Error;

use aws::Patience;
use aws::seed::{AT_ONCE, Journal, Left, Services, Undoing, unseed as delete};
use protocol::{Unseed, chain};
use reports::Verdict;

/// Deletes a seed, and prints what was deleted; the exit code is 6 if something is left.
///
/// # Errors
/// If the folder holds no seed, or cannot be written.
pub async fn unseed(task: &Unseed) -> Result<u8, Box<dyn Error>> {
    let (journal, noted) = Journal::resume(&task.folder).map_err(|error| chain(&error))?;
    let stack = journal.begun().stack.clone();
    let Some(noted) = noted else {
        say!("the seed of stack `{stack}` is deleted already");
        return Ok(0);
    };
    let config = aws::config(Some(&journal.begun().region)).await;
    let services = Services::new(&config, &journal.begun().partition, Patience::default(), AT_ONCE);
    let Undoing { deleted, gone, left } = delete(&services, &task.folder, &journal, noted).await.map_err(|error| chain(&error))?;
    say!("deleted from stack `{stack}`: {deleted}; not there any more: {gone}");
    if left.is_empty() {
        return Ok(0);
    }
    for Left { item, why } in &left {
        complain!("error: the {item} is not deleted: {why}");
    }
    complain!("error: {} left; delete them by hand or mend the reason, then `brownout unseed {}` again", left.len(), task.folder.display());
    Ok(Verdict::NotRestored.exit_code())
}
