//! The entry point of `thermostat-api`: settings and clients once, then events. It decides nothing.

use functions::thermostat_api::{Settings, ThermostatApi};
use functions::{clients, settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

fn main() -> Result<(), Error> {
    brownout_in_process::point_at_extension();
    serve()
}

#[tokio::main(flavor = "current_thread")]
async fn serve() -> Result<(), Error> {
    let settings = Settings::read(settings::from_environment)?;
    let api = ThermostatApi::new(settings, &clients::load(clients::THERMOSTAT_API).await)?;
    let api = &api;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| Ok::<_, Error>(api.answer(event.payload).await))).await
}
