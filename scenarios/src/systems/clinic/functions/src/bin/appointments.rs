//! The entry point of `appointments`. It contains no logic.

use clinic_functions::appointments::{Appointments, Settings};
use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        clinic_functions::patience::APPOINTMENTS,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(Appointments::new(settings, config)),
        async |function, event: Value, _| Ok::<_, Error>(function.answer(event).await),
    )
}
