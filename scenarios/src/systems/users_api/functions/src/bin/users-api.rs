//! The entry point of `users-api`. It contains no logic.

use functions::clock::Deadline;
use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::Value;
use users_api_functions::users_api::{Settings, UsersApi};

fn main() -> Result<(), Error> {
    serve(
        users_api_functions::patience::USERS_API,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(UsersApi::new(settings, config)),
        async |function, event: Value, context| Ok::<_, Error>(function.answer(event, Deadline::of(&context)).await),
    )
}
