//! The description of a service: by it the front finds the service of a request, a fault is
//! checked, and the README is compared.

use hyper::{Method, Uri};

use super::wire::{JSON_1_0, JSON_1_1, QUERY_XML, REST_JSON};

/// A service's description, without its data.
#[derive(Debug)]
pub struct Described {
    /// The name in a fault's target and in a signature, such as `dynamodb`.
    pub name: &'static str,
    /// The name in the documentation.
    pub title: &'static str,
    /// How it is called.
    pub protocol: Protocol,
    /// The operations that a fault can target; empty if no function calls the service.
    pub operations: &'static [&'static str],
}

/// How a service is called, and how its calls are recognised.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    /// JSON 1.0; this is the part before the operation in `X-Amz-Target`.
    Json10(&'static str),
    /// JSON 1.1, likewise, except for calls that are recognised by path.
    Json11(&'static str, ByPath),
    /// JSON over REST, recognised by path.
    Rest(ByPath),
    /// A form whose field `Action` is the operation, recognised by the service name in its
    /// signature.
    Query,
    /// S3's own, recognised by the service name in the signature or by a bucket's name in the path.
    S3,
    /// Redis's own, at a separate address.
    Redis,
}

/// The operation for a method and an address.
pub type ByPath = fn(&Method, &Uri) -> Option<&'static str>;

impl Described {
    /// The content type of its answers.
    pub const fn content_type(&self) -> &'static str {
        match self.protocol {
            Protocol::Json10(_) => JSON_1_0,
            Protocol::Json11(..) => JSON_1_1,
            Protocol::Rest(_) => REST_JSON,
            Protocol::Query => QUERY_XML,
            Protocol::S3 => "application/xml",
            Protocol::Redis => "",
        }
    }

    /// The operation of a call with this `X-Amz-Target`, if it is the service's.
    pub fn targeted<'a>(&self, target: &'a str) -> Option<&'a str> {
        match self.protocol {
            Protocol::Json10(prefix) | Protocol::Json11(prefix, _) => target.strip_prefix(prefix)?.strip_prefix('.'),
            Protocol::Rest(_) | Protocol::Query | Protocol::S3 | Protocol::Redis => None,
        }
    }

    /// The operation of a call to this address, if it is the service's.
    pub fn addressed(&self, method: &Method, uri: &Uri) -> Option<&'static str> {
        match self.protocol {
            Protocol::Json11(_, by_path) | Protocol::Rest(by_path) => by_path(method, uri),
            Protocol::Json10(_) | Protocol::Query | Protocol::S3 | Protocol::Redis => None,
        }
    }

    /// Whether it is called with forms that are signed for this name.
    pub fn takes_forms_for(&self, signed: &str) -> bool {
        matches!(self.protocol, Protocol::Query) && self.name == signed
    }
}
