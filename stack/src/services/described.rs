//! What is said of a service: the front tells by it whose call a request is, a fault is checked against it, and the README is compared with it.

use hyper::{Method, Uri};

use super::wire::{JSON_1_0, JSON_1_1, QUERY_XML, REST_JSON};

/// A service without what is in it.
#[derive(Debug)]
pub struct Described {
    /// The name in a fault's place and in a signature, such as `dynamodb`.
    pub name: &'static str,
    /// The name in documents.
    pub title: &'static str,
    /// How it is called.
    pub protocol: Protocol,
    /// The operations that a fault can be about; none where no function calls it.
    pub operations: &'static [&'static str],
}

/// How a service is called, and what tells that a call is its.
#[derive(Debug, Clone, Copy)]
pub enum Protocol {
    /// JSON 1.0; this is before the operation in `X-Amz-Target`.
    Json10(&'static str),
    /// JSON 1.1, likewise, but for what is told by the path.
    Json11(&'static str, ByPath),
    /// JSON over REST, told by the path.
    Rest(ByPath),
    /// A form whose field `Action` is the operation, told by the name in its signature.
    Query,
    /// S3's own, told by the name in its signature or by a bucket's name in the path.
    S3,
    /// Redis's own, at an address of its own.
    Redis,
}

/// The operation that a method and an address stand for.
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

    /// The operation of a call with this `X-Amz-Target`, where it is the service's.
    pub fn targeted<'a>(&self, target: &'a str) -> Option<&'a str> {
        match self.protocol {
            Protocol::Json10(prefix) | Protocol::Json11(prefix, _) => target.strip_prefix(prefix)?.strip_prefix('.'),
            Protocol::Rest(_) | Protocol::Query | Protocol::S3 | Protocol::Redis => None,
        }
    }

    /// The operation of a call to this address, where it is the service's.
    pub fn addressed(&self, method: &Method, uri: &Uri) -> Option<&'static str> {
        match self.protocol {
            Protocol::Json11(_, by_path) | Protocol::Rest(by_path) => by_path(method, uri),
            Protocol::Json10(_) | Protocol::Query | Protocol::S3 | Protocol::Redis => None,
        }
    }

    /// Whether it is called by forms that are signed for this name.
    pub fn takes_forms_for(&self, signed: &str) -> bool {
        matches!(self.protocol, Protocol::Query) && self.name == signed
    }
}
