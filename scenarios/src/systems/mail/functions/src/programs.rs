//! The entry points of the functions. They contain no logic.

use functions::clock::Deadline;
use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{email_processor, patience};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 1] = [("email-processor", email_processor)];

/// `email-processor`.
///
/// # Errors
/// As [`serve`].
pub fn email_processor() -> Result<(), Error> {
    serve(
        patience::EMAIL_PROCESSOR,
        |lookup| email_processor::Settings::read(lookup),
        async |settings, config| Ok(email_processor::EmailProcessor::new(settings, config)),
        async |function, event: Value, context| {
            function.answer(event, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
