//! Answers calls of services that run somewhere else, in their protocols, behind their faults.

use std::collections::BTreeMap;
use std::sync::Arc;

use hyper::http::uri::Authority;
use hyper::{Request, Response};
use quick_xml::escape::escape;
use s3s::Body;

use super::described::{Described, Protocol};
use super::front;
use super::neighbour::{Striker, failure_status};
use super::passing::{Passed, Passing};
use super::wire::{Answer, JSON_1_0, JSON_1_1, QUERY_XML, REST_JSON};

/// The content type of S3's answers.
const XML: &str = "application/xml";

/// The services that are somewhere else, behind their faults.
pub struct Relayed {
    addresses: BTreeMap<&'static str, Authority>,
    passing: Passing,
}

impl Relayed {
    /// Passes calls on to these services.
    pub fn new(addresses: BTreeMap<&'static str, Authority>, striker: Arc<Striker>) -> Self {
        Self { addresses, passing: Passing::new(striker) }
    }

    /// Whether a service is one of them.
    pub fn has(&self, service: &Described) -> bool {
        self.addresses.contains_key(service.name)
    }

    /// Answers a call of a service that is somewhere else.
    pub async fn answer(&self, service: &'static Described, operation: &str, request: Request<Body>, id: &str) -> Response<Body> {
        let fail = match service.protocol {
            Protocol::Json10(_) => |kind: &str, message: &str| failed(JSON_1_0, kind, message),
            Protocol::Json11(..) => |kind: &str, message: &str| failed(JSON_1_1, kind, message),
            Protocol::Rest(_) => |kind: &str, message: &str| failed(REST_JSON, kind, message),
            Protocol::Query => |kind: &str, message: &str| failed(QUERY_XML, kind, message),
            Protocol::S3 | Protocol::Redis => failed_s3,
        };
        let to = self.addresses.get(service.name);
        self.passing.answer(Passed { service: service.name, operation, to, fail }, request, id).await
    }
}

fn failed(content_type: &'static str, kind: &str, message: &str) -> Response<Body> {
    front::response(Answer::error(content_type, failure_status(kind, content_type), kind, message), "")
}

/// Source: S3 API reference, "Error responses".
fn failed_s3(code: &str, message: &str) -> Response<Body> {
    let body = format!("<Error><Code>{}</Code><Message>{}</Message></Error>", escape(code), escape(message));
    let status = failure_status(code, XML);
    front::response(Answer { status, content_type: XML, error_type: None, body: body.into() }, "")
}
