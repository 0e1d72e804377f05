//! The audit: the names that the template, the traffic and the rules share.

mod load;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;

use faults::Trigger;
use run_folder::Addresses;
use run_folder::addresses::Api;

use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::AuditLoad;

/// Audit records taken in, archived, described and closed.
pub struct Audit;

const NAMED: How = How::Named("AuditWeaknesses");

impl UnderTest for Audit {
    fn name(&self) -> &'static str {
        "audit"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[(INGEST, Trigger::Http), (ARCHIVE, Trigger::Task), (DESCRIBE, Trigger::Task), (CLOSE, Trigger::Task)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![("audit POST /records", 1.0), ("audit accepted -> closed", 1.0)]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "failure-as-success", how: NAMED },
            Weakness { name: "lenient-base64", how: NAMED },
            Weakness { name: "repeats-stored-again", how: NAMED },
            Weakness { name: "closes-at-once", how: NAMED },
            Weakness { name: "lost-on-timeout", how: How::Unhandled(STATE_MACHINE, &["Lambda.Unknown", "States.Timeout"]) },
            Weakness { name: "throttling-not-retried", how: How::Unhandled(STATE_MACHINE, &["Lambda.TooManyRequestsException"]) },
        ]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["kill-the-archiver", "throttled-metadata", "close-fails", "slow-cache", "audit-sizes"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        let Api { address, stage, key, .. } = a.api(API)?;
        Some(format!(
            "  curl -i http://{address}{stage}{PATH} -H 'x-api-key: {key}' -d '{{\"sourceTransactionID\":\"one\",\"sourceSystem\":\"till\",\\\n    \
             \"occurredAt\":\"2026-01-31T12:00:00Z\",\"contentType\":\"text/plain\",\"content\":\"aGVsbG8=\"}}'\n\n"
        ))
    }

    fn numbers(&self) -> Range<u64> {
        7..8
    }
}

/// The REST API, as the template names it.
pub const API: &str = "AuditApi";

/// The path under the API's stage that records are sent to.
pub const PATH: &str = "/records";

/// The function that accepts records.
pub const INGEST: &str = "ingest-record";

/// The task that archives.
pub const ARCHIVE: &str = "archive-record";

/// The task that describes.
pub const DESCRIBE: &str = "describe-record";

/// The task that closes.
pub const CLOSE: &str = "close-record";

/// The table of records; key [`ID`].
pub const TABLE: &str = "AuditRecordsTable";

/// The name of the record's id, as a field of a record and as an attribute of a row.
pub const ID: &str = "sourceTransactionID";

/// The bucket of records: `records/<id>`.
pub const ARCHIVE_BUCKET: &str = "audit-archive";

/// The state machine.
pub const STATE_MACHINE: &str = "audit-record";

/// The queue of records that were given up.
pub const DEAD_LETTERS: &str = "audit-dead-letters";

/// The topic of the notices.
pub const NOTICES: &str = "audit-notices";

/// How long the cache keeps a record, in seconds.
pub const CACHED_S: u64 = 86_400;

/// The largest event of one synchronous invocation, in bytes. Source: AWS Lambda, quotas.
pub const LARGEST_EVENT: usize = 6_291_456;

/// The key of a record in the cache.
pub fn cache_key(id: &str) -> String {
    format!("record:{id}")
}

/// The key of a record in the archive.
pub fn object_key(id: &str) -> String {
    format!("records/{id}")
}
