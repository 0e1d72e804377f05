//! The entry point of `thermostat-api`. It contains no logic.

use functions::serve::serve;
use lambda_runtime::Error;
use serde_json::Value;
use thermostat_functions::thermostat_api::{Settings, ThermostatApi};

fn main() -> Result<(), Error> {
    serve(
        thermostat_functions::patience::THERMOSTAT_API,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(ThermostatApi::new(settings, config)?),
        async |function, event: Value, _| Ok::<_, Error>(function.answer(event).await),
    )
}
