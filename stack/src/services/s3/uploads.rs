//! The uploads in parts that are under way.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::content::Content;
use super::object::ObjectHeaders;

/// The uploads under way.
#[derive(Default)]
pub struct Uploads(Mutex<BTreeMap<String, Begun>>);

/// An upload under way.
pub struct Begun {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What describes the object.
    pub described: ObjectHeaders,
    /// The parts by their numbers.
    pub parts: BTreeMap<i32, Part>,
}

/// A received part.
#[derive(Clone)]
pub struct Part {
    /// Its content.
    pub content: Content,
    /// The MD5 of it.
    pub md5: Vec<u8>,
    /// When it was received.
    pub at: SystemTime,
}

impl Uploads {
    /// By their ids.
    pub fn all(&self) -> MutexGuard<'_, BTreeMap<String, Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
