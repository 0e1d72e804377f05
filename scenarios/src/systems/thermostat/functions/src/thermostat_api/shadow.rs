//! The device shadows. A write counts only once the service has confirmed it.

use aws_config::SdkConfig;
use aws_sdk_iotdataplane::Client;
use aws_sdk_iotdataplane::primitives::Blob;
use functions::failure::DependencyFailure;
use serde_json::Value;

const SERVICE: &str = "iotdata";

pub(super) struct Shadows {
    client: Client,
}

impl Shadows {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// The temperature that the device last reported; `null` if it has not reported one or has no
    /// shadow yet.
    pub(super) async fn reported_temperature(&self, thing: &str) -> Result<Value, DependencyFailure> {
        let document = match self.client.get_thing_shadow().thing_name(thing).send().await {
            Ok(output) => read(output.payload())?,
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => return Ok(Value::Null),
            Err(error) => return Err(DependencyFailure::of(SERVICE, &error)),
        };
        Ok(document.pointer("/state/reported/temperature").cloned().unwrap_or(Value::Null))
    }

    /// Writes to the shadow and returns the service's answer.
    pub(super) async fn update(&self, thing: &str, document: &Value) -> Result<Value, DependencyFailure> {
        let payload = Blob::new(document.to_string());
        let output = self.client.update_thing_shadow().thing_name(thing).payload(payload).send().await;
        read(output.map_err(|error| DependencyFailure::of(SERVICE, &error))?.payload())
    }

    /// Starts the write without waiting for it: the weakness `shadow-write-not-awaited`. It reads
    /// first, as the published form did, so the environment is frozen between the read and the
    /// write.
    pub(super) fn update_later(&self, thing: &str, document: &Value) {
        let (shadows, thing, document) = (Self { client: self.client.clone() }, thing.to_owned(), document.clone());
        tokio::spawn(async move {
            let looked = shadows.reported_temperature(&thing).await;
            let written = match looked {
                Ok(_) => shadows.update(&thing, &document).await,
                Err(failure) => Err(failure),
            };
            if let Err(failure) = written {
                eprintln!("thermostat-api: left behind: {failure}");
            }
        });
    }
}

fn read(payload: Option<&Blob>) -> Result<Value, DependencyFailure> {
    let document = payload.and_then(|payload| serde_json::from_slice(payload.as_ref()).ok());
    document.filter(Value::is_object).ok_or_else(|| DependencyFailure::new(SERVICE, "the answer was not understood"))
}
