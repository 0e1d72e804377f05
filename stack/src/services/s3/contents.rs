//! What one bucket holds: the objects by their keys, and in a bucket with versions also what was
//! there before, with its markers of deletion. Pure. Source: Amazon S3 user guide, "How S3 Versioning
//! works".

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::object::Object;

/// What a bucket holds.
#[derive(Default)]
pub struct Contents {
    /// The current objects by their keys.
    pub by_key: BTreeMap<String, Object>,
    /// What is not current, oldest first. A marker is the last of a key without a current object.
    older: BTreeMap<String, Vec<Older>>,
    versioned: bool,
    sequence: u64,
}

/// A version that is not current.
#[derive(Debug, Clone)]
pub struct Older {
    /// Its id.
    pub id: String,
    /// The object; `None` is a marker of deletion.
    pub object: Option<Object>,
    /// When it was made.
    pub at: SystemTime,
}

/// What a deletion did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// There was nothing.
    Nothing,
    /// The object is gone.
    Object,
    /// A marker hides the object, which is still there.
    Hidden {
        /// The marker's id.
        marker: String,
    },
    /// A version, or a marker, is gone.
    Version {
        /// Its id.
        id: String,
        /// Whether it was a marker.
        was_marker: bool,
    },
}

/// What a key and a version name.
#[derive(Debug)]
pub enum Found {
    /// An object.
    Object(Box<Object>),
    /// A marker of deletion.
    Marker,
    /// There is no such key.
    NoSuchKey,
    /// There is no such version.
    NoSuchVersion,
}

/// A version as it is listed.
pub struct Listed<'a> {
    /// Its key.
    pub key: &'a str,
    /// Its id; `null` in a bucket without versions.
    pub id: &'a str,
    /// The object; `None` is a marker of deletion.
    pub object: Option<&'a Object>,
    /// When it was made.
    pub at: SystemTime,
    /// Whether it is the newest of its key.
    pub is_latest: bool,
}

/// The id of what was stored without versions. Source: as above.
const NULL: &str = "null";

impl Contents {
    /// An empty bucket.
    pub fn new(versioned: bool) -> Self {
        Self { versioned, ..Self::default() }
    }

    /// Whether it keeps versions.
    pub const fn is_versioned(&self) -> bool {
        self.versioned
    }

    /// Counts something that happens.
    fn count(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    fn version_id(&self) -> String {
        format!("v{:031x}", self.sequence)
    }

    /// Stores an object, with its version if it gets one; returns its number.
    pub fn keep(&mut self, key: &str, object: &mut Object) -> u64 {
        let number = self.count();
        if self.versioned {
            object.version = Some(self.version_id());
        }
        if let Some(before) = self.by_key.insert(key.to_owned(), object.clone()) {
            self.retire(key, before);
        }
        number
    }

    /// Keeps what is not current any more, if the bucket keeps versions.
    fn retire(&mut self, key: &str, object: Object) {
        if self.versioned {
            let id = object.version.clone().unwrap_or_else(|| NULL.to_owned());
            self.older.entry(key.to_owned()).or_default().push(Older { id, at: object.modified, object: Some(object) });
        }
    }

    /// Removes a version, or without one the object of a key; returns what it did and its number.
    pub fn remove(&mut self, key: &str, version: Option<&str>, at: SystemTime) -> (Removed, u64) {
        let number = self.count();
        let removed = match version {
            Some(version) => self.remove_version(key, version),
            None if self.versioned => {
                if let Some(before) = self.by_key.remove(key) {
                    self.retire(key, before);
                }
                let marker = self.version_id();
                self.older.entry(key.to_owned()).or_default().push(Older { id: marker.clone(), object: None, at });
                Removed::Hidden { marker }
            }
            None => self.by_key.remove(key).map_or(Removed::Nothing, |_| Removed::Object),
        };
        (removed, number)
    }

    fn remove_version(&mut self, key: &str, version: &str) -> Removed {
        let is_it = |object: &Object| object.version.as_deref().unwrap_or(NULL) == version;
        if self.by_key.get(key).is_some_and(is_it) {
            self.by_key.remove(key);
            self.promote(key);
            return if self.versioned { Removed::Version { id: version.to_owned(), was_marker: false } } else { Removed::Object };
        }
        let Some(older) = self.older.get_mut(key) else { return Removed::Nothing };
        let Some(at) = older.iter().position(|it| it.id == version) else { return Removed::Nothing };
        let gone = older.remove(at);
        if !self.by_key.contains_key(key) {
            self.promote(key);
        }
        Removed::Version { id: gone.id, was_marker: gone.object.is_none() }
    }

    /// The newest of the older versions becomes current, unless it is a marker.
    fn promote(&mut self, key: &str) {
        let Some(older) = self.older.get_mut(key) else { return };
        if older.last().is_some_and(|last| last.object.is_some())
            && let Some(object) = older.pop().and_then(|last| last.object)
        {
            self.by_key.insert(key.to_owned(), object);
        }
        if older.is_empty() {
            self.older.remove(key);
        }
    }

    /// What a key and perhaps a version name.
    pub fn find(&self, key: &str, version: Option<&str>) -> Found {
        let older = self.older.get(key).map(Vec::as_slice).unwrap_or_default();
        let Some(version) = version else {
            return match (self.by_key.get(key), older.is_empty()) {
                (Some(object), _) => Found::Object(Box::new(object.clone())),
                (None, true) => Found::NoSuchKey,
                (None, false) => Found::Marker,
            };
        };
        let current = self.by_key.get(key).filter(|object| object.version.as_deref().unwrap_or(NULL) == version);
        match (current, older.iter().find(|it| it.id == version)) {
            (Some(object), _) => Found::Object(Box::new(object.clone())),
            (None, Some(Older { object: Some(object), .. })) => Found::Object(Box::new(object.clone())),
            (None, Some(_)) => Found::Marker,
            (None, None) => Found::NoSuchVersion,
        }
    }

    /// All versions whose keys begin so: by key, the newest first.
    pub fn versions<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = Listed<'a>> {
        let mut keys: Vec<&str> =
            self.by_key.keys().chain(self.older.keys()).map(String::as_str).filter(|key| key.starts_with(prefix)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().flat_map(|key| {
            let current = self.by_key.get(key).map(|object| (object.version.as_deref().unwrap_or(NULL), Some(object), object.modified));
            let older = self.older.get(key).map(Vec::as_slice).unwrap_or_default();
            let older = older.iter().rev().map(|it| (it.id.as_str(), it.object.as_ref(), it.at));
            current.into_iter().chain(older).enumerate().map(move |(place, (id, object, at))| Listed {
                key,
                id,
                object,
                at,
                is_latest: place == 0,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::{Content, Spool};
    use super::super::object::ObjectHeaders;
    use super::*;

    fn object(etag: &str) -> Object {
        let spool = Spool::within(&std::env::temp_dir()).unwrap();
        let content = Content::new(&spool, bytes::Bytes::new());
        Object { content, etag: etag.into(), modified: SystemTime::UNIX_EPOCH, version: None, described: ObjectHeaders::default() }
    }

    fn shown(contents: &Contents, version: Option<&str>) -> String {
        match contents.find("k", version) {
            Found::Object(object) => object.etag,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn without_versions_a_key_has_one_object() {
        let mut contents = Contents::new(false);
        contents.keep("k", &mut object("a"));
        contents.keep("k", &mut object("b"));
        assert_eq!(
            (shown(&contents, None), shown(&contents, Some("null")), shown(&contents, Some("v1"))),
            ("b".into(), "b".into(), "NoSuchVersion".into())
        );
        assert_eq!(contents.remove("k", None, SystemTime::UNIX_EPOCH), (Removed::Object, 3));
        assert_eq!(contents.remove("k", None, SystemTime::UNIX_EPOCH).0, Removed::Nothing);
        assert_eq!((shown(&contents, None), contents.versions("").count()), ("NoSuchKey".into(), 0));
    }

    #[test]
    fn with_versions_a_deletion_only_hides_and_each_version_is_there_until_it_is_deleted() {
        let mut contents = Contents::new(true);
        let (mut first, mut second) = (object("a"), object("b"));
        contents.keep("k", &mut first);
        contents.keep("k", &mut second);
        let (first, second) = (first.version.unwrap(), second.version.unwrap());
        assert_eq!((shown(&contents, None), shown(&contents, Some(&first))), ("b".into(), "a".into()));
        let (Removed::Hidden { marker }, _) = contents.remove("k", None, SystemTime::UNIX_EPOCH) else { panic!("it was not hidden") };
        assert_eq!(
            (shown(&contents, None), shown(&contents, Some(&marker)), shown(&contents, Some(&second))),
            ("Marker".into(), "Marker".into(), "b".into())
        );
        let listed: Vec<_> = contents.versions("").map(|it| (it.id.to_owned(), it.object.is_some(), it.is_latest)).collect();
        assert_eq!(listed, [(marker.clone(), false, true), (second.clone(), true, false), (first.clone(), true, false)]);
        let gone = |id: &str, was_marker| Removed::Version { id: id.to_owned(), was_marker };
        assert_eq!(contents.remove("k", Some(&marker), SystemTime::UNIX_EPOCH).0, gone(&marker, true));
        assert_eq!(shown(&contents, None), "b", "it is visible again");
        assert_eq!(contents.remove("k", Some(&second), SystemTime::UNIX_EPOCH).0, gone(&second, false));
        assert_eq!(shown(&contents, None), "a", "the older one is current");
        assert_eq!(contents.remove("k", Some(&first), SystemTime::UNIX_EPOCH).0, gone(&first, false));
        assert_eq!(
            (shown(&contents, None), contents.remove("k", Some(&first), SystemTime::UNIX_EPOCH).0),
            ("NoSuchKey".into(), Removed::Nothing)
        );
    }
}
