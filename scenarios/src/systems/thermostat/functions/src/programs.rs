//! The entry points of the functions. They contain no logic.

use functions::serve::{Program, serve};
use lambda_runtime::Error;
use serde_json::Value;

use crate::{patience, thermostat_api};

/// Each by the name of its program.
pub const PROGRAMS: [Program; 1] = [("thermostat-api", thermostat_api)];

/// `thermostat-api`.
///
/// # Errors
/// As [`serve`].
pub fn thermostat_api() -> Result<(), Error> {
    serve(
        patience::THERMOSTAT_API,
        |lookup| thermostat_api::Settings::read(lookup),
        async |settings, config| Ok(thermostat_api::ThermostatApi::new(settings, config)?),
        async |function, event: Value, _| Ok::<_, Error>(function.answer(event).await),
    )
}
