//! One object.

use std::collections::HashMap;
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
    /// `x-amz-meta-*`.
    pub metadata: Option<HashMap<String, String>>,
}

/// An object.
#[derive(Debug, Clone)]
pub struct Object {
    /// Its content, shared.
    pub content: Content,
    /// The MD5 of the content, in hexadecimal.
    pub etag: String,
    /// When it was stored.
    pub modified: SystemTime,
    /// The sender's headers.
    pub described: ObjectHeaders,
}
