//! The entry points of the functions. They contain no logic.

use functions::clock::Deadline;
use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{patience, users_api};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 1] = [("users-api", users_api)];

/// `users-api`.
///
/// # Errors
/// As [`serve`].
pub fn users_api() -> Result<(), Error> {
    serve(
        patience::USERS_API,
        |lookup| users_api::Settings::read(lookup),
        async |settings, config| Ok(users_api::UsersApi::new(settings, config)),
        async |function, event: Value, context| Ok::<_, Error>(function.answer(event, Deadline::of(&context)).await),
    )
}
