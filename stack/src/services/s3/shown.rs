//! The buckets on the page, with their objects.

use super::Buckets;
use crate::services::shows::{Cell, Part, Rows, Shows, Thing};

impl Shows for Buckets {
    fn things(&self) -> Vec<Thing> {
        let bucket = |name: String| Thing::new("bucket", name.clone(), self.count(&name));
        self.names().into_iter().map(bucket).collect()
    }

    fn rows(&self, bucket: &str, part: Part) -> Option<Rows> {
        if !self.has(bucket) {
            return None;
        }
        Some(Rows::of(["Key", "Bytes", "Stored"], self.list(bucket).into_iter(), part, |(key, object)| {
            let link = Cell::Object { bucket: bucket.to_owned(), key };
            [link, object.content.size().to_string().into(), dates::milliseconds(object.modified).into()]
        }))
    }
}
