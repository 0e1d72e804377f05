//! One object.

use std::collections::{BTreeMap, HashMap};
use std::time::SystemTime;

use super::content::Content;

/// The headers that the sender of an object set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `x-amz-meta-*`.
    pub metadata: Option<HashMap<String, String>>,
    /// `x-amz-tagging`, and what was tagged later.
    pub tags: BTreeMap<String, String>,
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content, shared.
    pub content: Content,
    /// The MD5 of the content, in hexadecimal; of an upload in parts the MD5 of their MD5s, and their
    /// number.
    pub etag: String,
    /// When it was stored.
    pub modified: SystemTime,
    /// Its version, in a bucket that keeps versions.
    pub version: Option<String>,
    /// The sender's headers.
    pub described: ObjectHeaders,
}
