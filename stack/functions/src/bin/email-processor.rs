//! The entry point of `email-processor`: settings and clients once, then events. It decides nothing.

use functions::clock::Deadline;
use functions::email_processor::{EmailProcessor, Settings};
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
    let processor = EmailProcessor::new(settings, &clients::load(clients::EMAIL_PROCESSOR).await);
    let processor = &processor;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (payload, context) = event.into_parts();
        processor.answer(payload, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
    }))
    .await
}
