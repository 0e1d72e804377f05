//! The entry point of `close-record`: settings and clients once, then events. It decides nothing.

use functions::clock::Deadline;
use functions::close_record::{CloseRecord, Settings};
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
    let function = CloseRecord::new(settings, &clients::load(clients::AUDIT_TASK).await);
    let function = &function;
    // The error keeps its type: by its name the state machine decides.
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (payload, context) = event.into_parts();
        function.answer(payload, Deadline::of(&context)).await
    }))
    .await
}
