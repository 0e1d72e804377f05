//! The entry point of `ingest-record`: settings and clients once, then events. It decides nothing.

use functions::clock::Deadline;
use functions::ingest_record::{Event, IngestRecord, Settings};
use functions::{clients, settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};

fn main() -> Result<(), Error> {
    brownout_in_process::point_at_extension();
    serve()
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<(), Error> {
    let settings = Settings::read(settings::from_environment)?;
    let function = IngestRecord::new(settings, &clients::load(clients::INGEST_RECORD).await);
    let function = &function;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Event>| {
        let (payload, context) = event.into_parts();
        function.answer(payload, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
    }))
    .await
}
