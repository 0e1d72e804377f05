//! The entry point of `record-sign-in`: settings and client once, then events. It decides nothing.

use functions::clock::Deadline;
use functions::record_sign_in::{RecordSignIn, Settings};
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
    let function = RecordSignIn::new(settings, &clients::load(clients::RECORD_SIGN_IN).await);
    let function = &function;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| {
        let (payload, context) = event.into_parts();
        function.answer(payload, context.xray_trace_id.as_deref(), Deadline::of(&context)).await.map_err(Error::from)
    }))
    .await
}
