//! The buckets of one machine, and what happens when an object is stored or removed: it is reported
//! first, then the receivers of the bucket's notifications are told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use s3s::crypto::{Checksum, Md5};

use super::content::{Content, Spool};
use super::contents::{Contents, Found, Removed};
use super::notification::{Happened, Happening, test_event};
use super::object::{Object, ObjectHeaders};
use super::uploads::Uploads;
use crate::deliver::{Deliver, Delivery, Receives, Undelivered};
use crate::services::wire::hexadecimal;
use run_folder::cause;
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::{Bucket, Target};

/// The subject of what a topic gets. Source: Amazon S3 user guide, "Walkthrough: Configuring a bucket
/// for notifications (SNS topic or SQS queue)".
const SUBJECT: &str = "Amazon S3 Notification";

/// When an object is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// In any case.
    Always,
    /// If the key is new: `If-None-Match: *`.
    New,
    /// If the key has an object with this ETag: `If-Match`.
    Is(String),
}

/// Why an object was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStored {
    /// The bucket does not exist.
    NoSuchBucket,
    /// The condition asks for an object that is not there.
    NoSuchKey,
    /// The condition does not hold.
    Condition,
}

/// One bucket.
pub struct Shelf {
    declared: Bucket,
    objects: Mutex<Contents>,
}

/// All buckets of one machine.
pub struct Buckets {
    /// The buckets by name.
    pub(super) shelves: BTreeMap<String, Shelf>,
    /// The uploads in parts.
    pub(super) uploads: Uploads,
    deliver: Deliver,
    sightings: Sightings,
    spool: Arc<Spool>,
    /// When they were made.
    pub(super) made: SystemTime,
}

impl Buckets {
    /// The declared buckets, empty; large contents go to `spool`. The queues and topics that they
    /// notify get the test event that S3 sends when a notification is configured.
    pub fn new(buckets: &[Bucket], deliver: Deliver, spool: Arc<Spool>, sightings: Sightings) -> Arc<Self> {
        let made = SystemTime::now();
        let shelf = |bucket: &Bucket| {
            (bucket.name.clone(), Shelf { declared: bucket.clone(), objects: Mutex::new(Contents::new(bucket.versioned)) })
        };
        let shelves = buckets.iter().map(shelf).collect();
        let all = Self { shelves, uploads: Uploads::default(), deliver, sightings, spool, made };
        for bucket in buckets {
            for notified in bucket.notifies.iter().filter(|it| !matches!(it.to, Target::Function(_))) {
                all.notify(&notified.to, None, test_event(&bucket.name, made));
            }
        }
        Arc::new(all)
    }

    /// A receiver that is gone or refuses loses the event, as at AWS.
    fn notify(&self, to: &Target, key: Option<&str>, body: String) {
        // Source: AWS X-Ray developer guide, "Amazon S3": the tracing header goes to subscribers.
        let trace = cause::root().map(|root| format!("Root={root}"));
        let delivery = Delivery { about: key.map(str::to_owned), subject: Some(SUBJECT.to_owned()), trace, ..Delivery::of(body) };
        let _ = self.deliver.deliver(to, &delivery);
    }

    /// Stores an object in process; `false` if the bucket does not exist.
    pub fn put(&self, bucket: &str, key: &str, bytes: Bytes) -> bool {
        let etag = hexadecimal(Md5::checksum(&bytes).as_ref());
        let object = Object {
            content: Content::new(&self.spool, bytes),
            etag,
            modified: SystemTime::now(),
            version: None,
            described: ObjectHeaders::default(),
        };
        self.store(bucket, key, object, &Condition::Always, Happening::Put).is_ok()
    }

    /// Stores and reports: the sighting first, then the notifications.
    /// Returns the version, if the bucket keeps versions.
    pub(super) fn store(
        &self,
        bucket: &str,
        key: &str,
        mut object: Object,
        condition: &Condition,
        what: Happening,
    ) -> Result<Option<String>, NotStored> {
        let shelf = self.shelves.get(bucket).ok_or(NotStored::NoSuchBucket)?;
        let (size, etag) = (object.content.size() as u64, object.etag.clone());
        let mut objects = shelf.objects();
        match (condition, objects.by_key.get(key)) {
            (Condition::Always, _) | (Condition::New, None) => {}
            (Condition::Is(wanted), Some(found)) if found.etag == *wanted => {}
            (Condition::Is(_), None) => return Err(NotStored::NoSuchKey),
            (Condition::New | Condition::Is(_), Some(_)) => return Err(NotStored::Condition),
        }
        let sequence = objects.keep(key, &mut object);
        self.effect(bucket, key, Change::Made);
        drop(objects);
        self.sightings.tell(Seen::ObjectStored { bucket: bucket.to_owned(), key: key.to_owned(), size, etag });
        let version = object.version.as_deref();
        self.tell(shelf, &Happened { what, bucket, key, version, object: Some(&object), sequence, at: object.modified });
        Ok(object.version)
    }

    /// Told while there is no other writer, so that the order is that of the writes.
    fn effect(&self, bucket: &str, key: &str, change: Change) {
        self.sightings.effect(
            || Place::Bucket(bucket.to_owned()),
            |place, _| {
                let fields = [("key".to_owned(), key.into())];
                Effect { fields: fields.into_iter().collect(), ..Effect::new(place, key, change) }
            },
        );
    }

    fn tell(&self, shelf: &Shelf, happened: &Happened<'_>) {
        for notified in shelf.declared.notifies.iter().filter(|it| happened.what.is_told(it, happened.key)) {
            self.notify(&notified.to, Some(happened.key), happened.event());
        }
        if shelf.declared.to_event_bridge {
            self.notify(&Target::Bus("default".to_owned()), Some(happened.key), happened.bus_event().to_string());
        }
    }

    /// Changes what describes an object; `None` if it does not exist.
    pub(super) fn change<T>(&self, bucket: &str, key: &str, act: impl FnOnce(&mut Object) -> T) -> Option<T> {
        self.shelves.get(bucket)?.objects().by_key.get_mut(key).map(act)
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

    /// How many objects a bucket has.
    pub fn count(&self, bucket: &str) -> usize {
        self.shelves.get(bucket).map_or(0, |shelf| shelf.objects().by_key.len())
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

    /// Removes a version, or without one the object of a key, and reports it.
    pub(super) fn delete(&self, bucket: &str, key: &str, version: Option<&str>) -> Removed {
        let Some(shelf) = self.shelves.get(bucket) else { return Removed::Nothing };
        let at = SystemTime::now();
        let mut objects = shelf.objects();
        let (removed, sequence) = objects.remove(key, version, at);
        if removed != Removed::Nothing && !objects.by_key.contains_key(key) {
            self.effect(bucket, key, Change::Gone);
        }
        drop(objects);
        let (what, version) = match &removed {
            Removed::Nothing => return removed,
            Removed::Object => (Happening::Delete, None),
            Removed::Hidden { marker } => (Happening::Hide, Some(marker.as_str())),
            Removed::Version { id, .. } => (Happening::Delete, Some(id.as_str())),
        };
        self.tell(shelf, &Happened { what, bucket, key, version, object: None, sequence, at });
        removed
    }

    /// What a key and perhaps a version name; `None` if the bucket does not exist.
    pub(super) fn find(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Found> {
        self.shelves.get(bucket).map(|shelf| shelf.objects().find(key, version))
    }
}

impl Receives for Buckets {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let key = delivery.about.as_deref().ok_or_else(|| Undelivered::Refused("an object needs a key".to_owned()))?;
        let stored = self.put(to.name(), key, Bytes::from(delivery.body.clone()));
        if stored { Ok(()) } else { Err(Undelivered::Missing(to.clone())) }
    }
}

impl Shelf {
    /// Its objects.
    pub(super) fn objects(&self) -> MutexGuard<'_, Contents> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::deliver::Kind;
    use crate::services::sqs::Sqs;
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
        let deliver = Deliver::default();
        deliver.connect(Kind::Queues, &sqs);
        let buckets = Buckets::new(&[bucket("incoming", &["q"]), bucket("quiet", &[])], deliver, spool, sightings);
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
        assert_eq!(buckets.delete("incoming", "a b/ü.eml", None), Removed::Object);
        assert!(buckets.get("incoming", "a b/ü.eml").is_none());
    }

    #[tokio::test]
    async fn of_a_watched_bucket_it_is_told_what_is_stored_and_what_is_gone() {
        let mut watch = run_folder::Watch::default();
        watch.add(Place::Bucket("kept".into()), []);
        let (sightings, mut seen) = Sightings::watching(watch);
        let bucket = |name: &str| Bucket { name: name.into(), ..Bucket::default() };
        let spool = Spool::within(&std::env::temp_dir()).unwrap();
        let buckets = Buckets::new(&[bucket("kept"), bucket("other")], Deliver::default(), spool, sightings);
        for (name, key) in [("kept", "a"), ("kept", "a"), ("other", "a")] {
            assert!(buckets.put(name, key, Bytes::from_static(b"x")));
        }
        assert_eq!(buckets.delete("kept", "a", None), Removed::Object);
        assert_eq!(buckets.delete("kept", "a", None), Removed::Nothing);
        let told = std::iter::from_fn(|| seen.try_recv().ok());
        let effects = told.filter_map(|sighting| if let Seen::Effect(effect) = sighting.seen { Some(effect) } else { None });
        let effects: Vec<_> = effects.map(|effect| (effect.change, effect.fields["key"].clone())).collect();
        assert_eq!(effects, [Change::Made, Change::Made, Change::Gone].map(|change| (change, json!("a"))));
    }
}
