//! The receipt rules: the buckets in which an accepted mail is stored. It never reads the mail.

use std::sync::Arc;

use bytes::Bytes;

use super::store::Store;
use crate::services::s3::Buckets;
use template::blueprint::Receipt;

/// The active rules, and the buckets in which they store mail.
pub struct Rules {
    rules: Vec<Receipt>,
    buckets: Arc<Buckets>,
}

/// A rule that cannot be carried out.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a receipt rule names the bucket `{0}`, which is not there")]
pub struct NoBucket(String);

impl Rules {
    /// These rules with those buckets.
    ///
    /// # Errors
    /// If a rule names a bucket that does not exist: its mail would be lost.
    pub fn new(rules: Vec<Receipt>, buckets: Arc<Buckets>) -> Result<Self, NoBucket> {
        match rules.iter().find(|rule| !buckets.has(&rule.bucket)) {
            Some(rule) => Err(NoBucket(rule.bucket.clone())),
            None => Ok(Self { rules, buckets }),
        }
    }
}

impl Store for Rules {
    fn store(&self, id: &str, raw: Bytes) {
        for rule in &self.rules {
            self.buckets.put(&rule.bucket, &format!("{}{id}", rule.prefix), raw.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sightings;
    use crate::deliver::Deliver;
    use crate::services::s3::Spool;
    use template::blueprint::Bucket;

    #[test]
    fn every_rule_stores_the_mail_under_its_prefix_and_without_rules_it_is_not_stored() {
        let bucket = |name: &str| Bucket { name: name.into(), ..Bucket::default() };
        let spool = Spool::within(&std::env::temp_dir()).unwrap();
        let buckets = Buckets::new(&[bucket("a"), bucket("b")], Deliver::default(), spool, Sightings::nowhere());
        let rule = |bucket: &str, prefix: &str| Receipt { bucket: bucket.into(), prefix: prefix.into() };
        let rules = Rules::new(vec![rule("a", ""), rule("b", "mail/")], Arc::clone(&buckets)).unwrap();
        rules.store("id", Bytes::from_static(b"raw"));
        for (bucket, key) in [("a", "id"), ("b", "mail/id")] {
            assert_eq!(buckets.get(bucket, key).unwrap().content.whole().unwrap(), "raw", "{bucket}");
        }
        assert_eq!(Rules::new(vec![rule("c", "")], buckets).err(), Some(NoBucket("c".into())));
    }
}
