//! S3: buckets whose large objects are in a file of the process. All readers of an object share its
//! content; queues are notified of stored objects.

mod content;
mod listing;
mod notification;
mod object;
mod operations;
mod upload;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum, Md5};

pub use self::content::{Content, Spool};
pub use self::object::{Object, ObjectHeaders};
pub use self::wire::Objects;
use super::described::{Described, Protocol};
use super::sqs::Sqs;
use super::wire::hexadecimal;
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::Bucket;

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "s3", title: "S3", protocol: Protocol::S3, operations: &["GetObject", "PutObject"] };

/// Why an object was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NotStored {
    NoSuchBucket,
    Exists,
}

/// One bucket.
struct Shelf {
    declared: Bucket,
    objects: Mutex<Contents>,
}

/// A bucket's objects, and the number of objects ever stored in it.
#[derive(Default)]
struct Contents {
    by_key: BTreeMap<String, Object>,
    sequence: u64,
}

/// All buckets of one machine.
pub struct Buckets {
    shelves: BTreeMap<String, Shelf>,
    sqs: Arc<Sqs>,
    sightings: Sightings,
    spool: Arc<Spool>,
    made: SystemTime,
}

impl Buckets {
    /// The declared buckets, empty; large contents go to `spool`. The queues that they notify get
    /// the test event that S3 sends when a notification is configured.
    pub fn new(buckets: &[Bucket], sqs: Arc<Sqs>, spool: Arc<Spool>, sightings: Sightings) -> Arc<Self> {
        let made = SystemTime::now();
        for bucket in buckets {
            for queue in &bucket.notifies {
                sqs.send(queue.to.name(), notification::test_event(&bucket.name, made), None);
            }
        }
        let shelf = |bucket: &Bucket| (bucket.name.clone(), Shelf { declared: bucket.clone(), objects: Mutex::default() });
        Arc::new(Self { shelves: buckets.iter().map(shelf).collect(), sqs, sightings, spool, made })
    }

    /// Stores an object in process; `false` if the bucket does not exist.
    pub fn put(&self, bucket: &str, key: &str, bytes: Bytes) -> bool {
        let etag = hexadecimal(Md5::checksum(&bytes).as_ref());
        let object =
            Object { content: Content::new(&self.spool, bytes), etag, modified: SystemTime::now(), described: ObjectHeaders::default() };
        self.store(bucket, key, object, false).is_ok()
    }

    /// Stores and reports: the sighting first, then the queues.
    fn store(&self, bucket: &str, key: &str, object: Object, only_new: bool) -> Result<(), NotStored> {
        let shelf = self.shelves.get(bucket).ok_or(NotStored::NoSuchBucket)?;
        let (size, etag) = (object.content.size() as u64, object.etag.clone());
        let mut objects = shelf.objects();
        if only_new && objects.by_key.contains_key(key) {
            return Err(NotStored::Exists);
        }
        objects.sequence += 1;
        let event = notification::created(bucket, key, &object, objects.sequence);
        objects.by_key.insert(key.to_owned(), object);
        drop(objects);
        self.sightings.tell(Seen::ObjectStored { bucket: bucket.to_owned(), key: key.to_owned(), size, etag });
        for queue in &shelf.declared.notifies {
            self.sqs.send(queue.to.name(), event.clone(), Some(key.to_owned()));
        }
        Ok(())
    }

    /// An object.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Object> {
        self.shelves.get(bucket)?.objects().by_key.get(key).cloned()
    }

    /// All objects of a bucket with their keys, in the keys' order.
    pub fn list(&self, bucket: &str) -> Vec<(String, Object)> {
        let Some(shelf) = self.shelves.get(bucket) else { return Vec::new() };
        shelf.objects().by_key.iter().map(|(key, object)| (key.clone(), object.clone())).collect()
    }

    /// The store of the contents.
    pub fn spool(&self) -> &Arc<Spool> {
        &self.spool
    }

    /// The buckets' names.
    pub fn names(&self) -> Vec<String> {
        self.shelves.keys().cloned().collect()
    }

    /// Whether the bucket exists.
    pub fn has(&self, bucket: &str) -> bool {
        self.shelves.contains_key(bucket)
    }

    fn delete(&self, bucket: &str, key: &str) {
        if let Some(shelf) = self.shelves.get(bucket) {
            shelf.objects().by_key.remove(key);
        }
    }
}

impl Shelf {
    fn objects(&self) -> MutexGuard<'_, Contents> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use run_folder::compressed::Compressed;
    use template::blueprint::{Notification, Queue};

    #[tokio::test]
    async fn storing_is_reported_before_the_queue_gets_the_event() {
        let (sightings, mut seen) = Sightings::channel();
        let queue = Queue { retention: Duration::from_secs(900), ..Queue::named("q") };
        let sqs = Sqs::new(&[queue], Compressed::default(), sightings.clone(), SocketAddr::from(([127, 0, 0, 1], 1)));
        let bucket = |name: &str, notifies: &[&str]| Bucket {
            name: name.into(),
            notifies: notifies.iter().map(|it| Notification::created(*it)).collect(),
            ..Bucket::default()
        };
        let spool = Spool::within(&std::env::temp_dir()).unwrap();
        let buckets = Buckets::new(&[bucket("incoming", &["q"]), bucket("quiet", &[])], Arc::clone(&sqs), spool, sightings);
        let test: Value = serde_json::from_str(&sqs.receive("q", 1).remove(0).body).unwrap();
        assert_eq!((&test["Event"], &test["Bucket"], &test["Service"]), (&json!("s3:TestEvent"), &json!("incoming"), &json!("Amazon S3")));

        assert!(buckets.put("incoming", "a b/ü.eml", Bytes::from_static(b"hello")));
        assert!(buckets.put("quiet", "k", Bytes::new()) && !buckets.put("nowhere", "k", Bytes::new()));
        let event: Value = serde_json::from_str(&sqs.receive("q", 10).remove(0).body).unwrap();
        let record = &event["Records"][0];
        assert_eq!((&record["eventSource"], &record["eventName"]), (&json!("aws:s3"), &json!("ObjectCreated:Put")));
        assert_eq!(record["s3"]["object"]["key"], "a+b/%C3%BC.eml");
        assert_eq!((&record["s3"]["object"]["size"], &record["s3"]["bucket"]["arn"]), (&json!(5), &json!("arn:aws:s3:::incoming")));
        assert_eq!(record["s3"]["object"]["eTag"], "5d41402abc4b2a76b9719d911017c592");
        let told: Vec<_> = std::iter::from_fn(|| seen.try_recv().ok()).map(|sighting| sighting.seen).collect();
        let stored = told.iter().position(|seen| matches!(seen, Seen::ObjectStored { key, size: 5, etag, .. } if key == "a b/ü.eml" && etag == "5d41402abc4b2a76b9719d911017c592"));
        let queued = told.iter().position(|seen| matches!(seen, Seen::Queued { about: Some(key), .. } if key == "a b/ü.eml"));
        assert!(stored.unwrap() < queued.unwrap(), "{told:?}");
        assert!(matches!(&told[0], Seen::Queued { about: None, .. }), "the test event is about no object");
        assert_eq!(buckets.list("incoming").len(), 1);
        buckets.delete("incoming", "a b/ü.eml");
        assert!(buckets.get("incoming", "a b/ü.eml").is_none());
    }
}
