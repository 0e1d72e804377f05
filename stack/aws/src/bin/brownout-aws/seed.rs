//! `brownout seed`: creates the data that a load needs in a deployed stack.

use std::error::Error;

use aws::Patience;
use aws::seed::{AT_ONCE, SeedError, Services, seed as create, told};
use protocol::{Seed, chain};

/// Creates the data, and prints what was created.
///
/// # Errors
/// Why not everything was created, with the command that deletes what was.
pub async fn seed(task: &Seed) -> Result<u8, Box<dyn Error>> {
    let config = aws::config(Some(&task.stack.region)).await;
    let services = Services::new(&config, &task.stack.layer.partition, Patience::default(), AT_ONCE);
    let created = create(&services, task).await.map_err(|error| failed(task, &error))?;
    let folder = task.folder.display();
    say!("created in stack `{}`: {}", task.stack.stack, told(&created));
    say!("`brownout unseed {folder}` deletes exactly this; without `{folder}`, which holds the password and the keys, nothing can");
    Ok(0)
}

fn failed(task: &Seed, error: &SeedError) -> String {
    let why = chain(error);
    match error {
        SeedError::Lacking(_) | SeedError::Read(_) | SeedError::Journal(aws::seed::JournalError::Used { .. }) => why,
        _ => format!("{why}; `brownout unseed {}` deletes what was created before", task.folder.display()),
    }
}
