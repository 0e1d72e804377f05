//! The entry point of `record-sign-in`. It contains no logic.

use functions::clock::Deadline;
use functions::serve::serve;
use inactive_users_functions::record_sign_in::{RecordSignIn, Settings};
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        inactive_users_functions::patience::RECORD_SIGN_IN,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(RecordSignIn::new(settings, config)),
        async |function, event: Value, context| {
            function.answer(event, context.xray_trace_id.as_deref(), Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
