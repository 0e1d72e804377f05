//! The entry point of `users-api`. It decides nothing.

use functions::clock::Deadline;
use functions::users_api::{Settings, UsersApi};
use functions::{clients, serve::serve};
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        clients::USERS_API,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(UsersApi::new(settings, config)),
        async |function, event: Value, context| Ok::<_, Error>(function.answer(event, Deadline::of(&context)).await),
    )
}
