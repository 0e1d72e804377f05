//! The entry point of `record-sign-in`. It decides nothing.

use functions::clock::Deadline;
use functions::record_sign_in::{RecordSignIn, Settings};
use functions::{clients, serve::serve};
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        clients::RECORD_SIGN_IN,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(RecordSignIn::new(settings, config)),
        async |function, event: Value, context| {
            function.answer(event, context.xray_trace_id.as_deref(), Deadline::of(&context)).await.map_err(Error::from)
        },
    )
}
