//! The entry point of `authorizer`. It contains no logic.

use clinic_functions::authorizer::{Authorizer, Settings};
use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        clinic_functions::patience::AUTHORIZER,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(Authorizer::new(settings, config).await?),
        async |function, event: Value, _| function.answer(event).await.map_err(Error::from),
    )
}
