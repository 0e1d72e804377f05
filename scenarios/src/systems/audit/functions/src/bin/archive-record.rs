//! The entry point of `archive-record`. It contains no logic.

use audit_functions::archive_record::{ArchiveRecord, Settings};
use functions::clock::Deadline;
use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        audit_functions::patience::AUDIT_TASK,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(ArchiveRecord::new(settings, config)),
        // The error keeps its type, because the state machine decides by its name.
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await,
    )
}
