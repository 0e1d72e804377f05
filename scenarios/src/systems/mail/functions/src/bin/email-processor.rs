//! The entry point of `email-processor`. It contains no logic.

use functions::clock::Deadline;
use functions::serve::serve;
use lambda_runtime::Error;
use mail_functions::email_processor::{EmailProcessor, Settings};
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        mail_functions::patience::EMAIL_PROCESSOR,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(EmailProcessor::new(settings, config)),
        async |function, event: Value, context| {
            function.answer(event, &context.request_id, Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
