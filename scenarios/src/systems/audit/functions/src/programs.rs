//! The entry points of the functions. They contain no logic.

use functions::clock::Deadline;
use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{archive_record, close_record, describe_record, ingest_record, patience};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 4] = [
    ("archive-record", archive_record),
    ("close-record", close_record),
    ("describe-record", describe_record),
    ("ingest-record", ingest_record),
];

/// `archive-record`.
///
/// # Errors
/// As [`serve`].
pub fn archive_record() -> Result<(), Error> {
    serve(
        patience::AUDIT_TASK,
        |lookup| archive_record::Settings::read(lookup),
        async |settings, config| Ok(archive_record::ArchiveRecord::new(settings, config)),
        // The error keeps its type, because the state machine decides by its name.
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await,
    )
}

/// `close-record`.
///
/// # Errors
/// As [`serve`].
pub fn close_record() -> Result<(), Error> {
    serve(
        patience::AUDIT_TASK,
        |lookup| close_record::Settings::read(lookup),
        async |settings, config| Ok(close_record::CloseRecord::new(settings, config)),
        // The error keeps its type, because the state machine decides by its name.
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await,
    )
}

/// `describe-record`.
///
/// # Errors
/// As [`serve`].
pub fn describe_record() -> Result<(), Error> {
    serve(
        patience::AUDIT_TASK,
        |lookup| describe_record::Settings::read(lookup),
        async |settings, config| Ok(describe_record::DescribeRecord::new(settings, config)),
        // The error keeps its type, because the state machine decides by its name.
        async |function, event: Value, context| function.answer(event, Deadline::of(&context)).await,
    )
}

/// `ingest-record`.
///
/// # Errors
/// As [`serve`].
pub fn ingest_record() -> Result<(), Error> {
    serve(
        patience::INGEST_RECORD,
        |lookup| ingest_record::Settings::read(lookup),
        async |settings, config| Ok(ingest_record::IngestRecord::new(settings, config)),
        async |function, event: ingest_record::Event, context| {
            function.answer(event, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
