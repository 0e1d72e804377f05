//! From the name of a CloudFormation stack to everything that a run needs of it: functions, layer, APIs, user pools, the broker. It only reads.

mod apis;
mod error;
mod functions;
pub(crate) mod layer;
mod pools;
mod reader;
mod resource;
mod status;

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use exports::Arn;
use protocol::{Resolve, Resolved};
use run_folder::Addresses;
use serde::Deserialize;

pub use error::ResolveError;
pub use functions::NotFound;

use crate::client::Lambda;
use crate::endpoints::{Endpoints, Service};
use crate::patience::Patience;
use crate::signed::Signed;
use apis::Apis;
use functions::Configured;
use pools::Pools;
use reader::Reader;
use resource::{Kind, Resources};

/// The port of MQTT over TLS with certificates of clients.
const MQTT: u16 = 8883;

/// The Region of a stack that is named by its ARN.
pub fn region(stack: &str) -> Option<String> {
    stack.parse::<Arn>().ok().map(|arn| arn.region)
}

/// Everything that a run needs of a stack. Credentials and Region are those of `config`.
///
/// # Errors
/// If the stack is missing or not ready, lacks a function that is asked for, or a call fails.
pub async fn resolve(config: &SdkConfig, patience: Patience, wish: &Resolve) -> Result<Resolved, ResolveError> {
    // `patience` retries, so the SDK must not.
    let config = &config.clone().into_builder().retry_config(RetryConfig::disabled()).timeout_config(crate::client::timeouts()).build();
    let layer = wish.layer.as_deref().map(layer::named).transpose()?;
    let endpoints = Endpoints::new(config).await?;
    let stack = Reader::new(config, patience).read(&wish.stack).await?;
    let (layer, functions) = functions_of(&Lambda::new(config, patience), &stack.resources, &wish.functions, layer).await?;
    let (resources, names) = (&stack.resources, functions.iter().map(exports::Function::name));
    let addresses = Addresses {
        apis: Apis::new(config, patience, &endpoints, resources).read().await?,
        sign_in: sign_in(&endpoints, resources)?,
        mqtt: mqtt(config, patience, &endpoints, resources).await?,
        pools: Pools::new(config, patience, &endpoints).read(resources).await?,
        ..Addresses::elsewhere(names)
    };
    Ok(Resolved {
        region: endpoints.region().to_owned(),
        account: stack.arn.account,
        layer,
        addresses,
        resources: stack.resources.by_logical_id(),
        stack: stack.name,
        functions,
    })
}

/// The layer, and the functions without it.
async fn functions_of(
    lambda: &Lambda,
    resources: &Resources,
    asked: &[String],
    layer: Option<Arn>,
) -> Result<(Arn, Vec<exports::Function>), ResolveError> {
    let mut configured: Vec<Configured> = Vec::new();
    for name in functions::find(resources, asked)? {
        configured.push(functions::read(lambda, name).await?);
    }
    let layer = match layer {
        Some(layer) => layer,
        None => {
            let architectures: BTreeSet<_> = configured.iter().map(|function| function.architecture.clone()).collect();
            layer::newest(lambda, &architectures).await?
        }
    };
    let functions = configured.into_iter().map(|function| function.without(&layer)).collect();
    Ok((layer, functions))
}

/// Where users sign in; empty for a stack without users.
fn sign_in(endpoints: &Endpoints, resources: &Resources) -> Result<String, ResolveError> {
    if resources.of(Kind::UserPool).next().is_none() {
        return Ok(String::new());
    }
    Ok(endpoints.address(Service::COGNITO, &endpoints.host(Service::COGNITO))?)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Broker {
    endpoint_address: String,
}

/// Where devices connect; empty for a stack with nothing of AWS IoT. AWS's answer has no port; a stand-in's may have one.
async fn mqtt(config: &SdkConfig, patience: Patience, endpoints: &Endpoints, resources: &Resources) -> Result<String, ResolveError> {
    if resources.of(Kind::Iot).next().is_none() {
        return Ok(String::new());
    }
    let iot = Signed::new(config, Service::IOT, endpoints.region(), &endpoints.url(Service::IOT));
    let path = "/endpoint?endpointType=iot%3AData-ATS";
    let Broker { endpoint_address: host } = iot.get(patience, "DescribeEndpoint", "the account", path).await?;
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    Ok(if has_port { format!("mqtts://{host}") } else { format!("mqtts://{host}:{MQTT}") })
}
