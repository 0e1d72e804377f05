//! The entry point of `users-api`: settings and client once, then events. It decides nothing.

use functions::clock::Deadline;
use functions::users_api::{Settings, UsersApi};
use functions::{clients, settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    brownout_in_process::point_at_extension();
    serve()
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<(), Error> {
    let settings = Settings::read(settings::from_environment)?;
    let users = UsersApi::new(settings, &clients::load(clients::USERS_API).await);
    let users = &users;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (payload, context) = event.into_parts();
        Ok::<_, Error>(users.answer(payload, Deadline::of(&context)).await)
    }))
    .await
}
