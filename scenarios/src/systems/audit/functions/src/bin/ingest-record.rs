//! The entry point of `ingest-record`. It contains no logic.

use audit_functions::ingest_record::{Event, IngestRecord, Settings};
use functions::clock::Deadline;
use functions::serve::serve;
use lambda_runtime::Error;

fn main() -> Result<(), Error> {
    serve(
        audit_functions::patience::INGEST_RECORD,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(IngestRecord::new(settings, config)),
        async |function, event: Event, context| {
            function.answer(event, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
