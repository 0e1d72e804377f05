//! IoT data: device shadows over HTTP and over MQTT, from one state. Classic (unnamed) shadows only.

pub mod authority;
pub mod broker;
pub mod document;
pub mod registry;
pub mod secured;
pub mod sessions;
pub mod shadows;
pub mod topics;

use std::sync::Arc;

use async_trait::async_trait;
use hyper::{Method, Uri};

use self::document::Rejection;
use self::shadows::Shadows;
use self::topics::{ShadowCall, is_thing};
use super::described::{Described, Protocol};
use super::wire::{Answer, Call, REST_JSON, Service, percent_decoded};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "iotdata",
    title: "IoT data",
    protocol: Protocol::Rest(operation),
    operations: &["GetThingShadow", "UpdateThingShadow"],
};

/// Only the classic shadow is supported; a named shadow is a different one.
fn operation(method: &Method, uri: &Uri) -> Option<&'static str> {
    let path = uri.path();
    if !path.starts_with("/things/") || !path.ends_with("/shadow") || uri.query().is_some_and(|query| query.contains("name=")) {
        return None;
    }
    match *method {
        Method::GET => Some("GetThingShadow"),
        Method::POST => Some("UpdateThingShadow"),
        Method::DELETE => Some("DeleteThingShadow"),
        _ => None,
    }
}

/// The HTTP side of the shadows.
pub struct IotData {
    shadows: Arc<Shadows>,
}

impl IotData {
    /// Serves these shadows.
    pub const fn new(shadows: Arc<Shadows>) -> Self {
        Self { shadows }
    }
}

#[async_trait]
impl Service for IotData {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        let what = match call.operation.as_str() {
            "GetThingShadow" => ShadowCall::Get,
            "UpdateThingShadow" => ShadowCall::Update,
            "DeleteThingShadow" => ShadowCall::Delete,
            _ => return Answer::error(REST_JSON, 404, "UnknownOperationException", "this machine's IoT data has no such operation"),
        };
        let thing = call.path.strip_prefix("/things/").and_then(|rest| rest.strip_suffix("/shadow")).map(percent_decoded);
        let Some(thing) = thing.filter(|thing| is_thing(thing)) else {
            return refused(&Rejection::new(400, "the path names no thing"));
        };
        match self.shadows.act(&thing, what, &call.body) {
            Ok(body) => Answer::ok(REST_JSON, &body),
            Err(rejection) => refused(&rejection),
        }
    }
}

/// Source: AWS IoT data plane API reference, the errors of UpdateThingShadow.
fn refused(rejection: &Rejection) -> Answer {
    let kind = match rejection.code {
        404 => "ResourceNotFoundException",
        409 => "ConflictException",
        413 => "RequestEntityTooLargeException",
        _ => "InvalidRequestException",
    };
    Answer::error(REST_JSON, rejection.code, kind, &rejection.message)
}
