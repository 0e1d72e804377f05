//! The entry point of `prune-users`. It contains no logic.

use functions::clock::Deadline;
use functions::serve::serve;
use inactive_users_functions::prune_users::{PruneUsers, Settings};
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        inactive_users_functions::patience::PRUNE_USERS,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(PruneUsers::new(settings, config)),
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await.map_err(Error::from),
    )
}
