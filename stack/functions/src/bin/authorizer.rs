//! The entry point of `authorizer`: settings and clients once, then events. It decides nothing.

use functions::authorizer::{Authorizer, Settings};
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
    let authorizer = Authorizer::new(settings, &clients::load(clients::AUTHORIZER).await).await?;
    let authorizer = &authorizer;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| authorizer.answer(event.payload).await.map_err(Error::from)))
        .await
}
