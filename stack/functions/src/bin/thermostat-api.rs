//! The entry point of `thermostat-api`. It decides nothing.

use functions::thermostat_api::{Settings, ThermostatApi};
use functions::{clients, serve::serve};
use lambda_runtime::Error;
use serde_json::Value;

fn main() -> Result<(), Error> {
    serve(
        clients::THERMOSTAT_API,
        |lookup| Settings::read(lookup),
        async |settings, config| Ok(ThermostatApi::new(settings, config)?),
        async |function, event: Value, _| Ok::<_, Error>(function.answer(event).await),
    )
}
