//! The entry point of `appointments`: settings and clients once, then events. It decides nothing.

use functions::appointments::{Appointments, Settings};
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
    let appointments = Appointments::new(settings, &clients::load(clients::APPOINTMENTS).await);
    let appointments = &appointments;
    lambda_runtime::run(service_fn(async move |event: LambdaEvent<Value>| Ok::<_, Error>(appointments.answer(event.payload).await))).await
}
