//! The audit's world: the names that template, services, traffic and oracles share.

/// The REST API, as [`crate::Addresses::api_keys`] names it.
pub const API: &str = "AuditApi";

/// The path under the API's stage that records are sent to.
pub const PATH: &str = "/records";

/// The function that takes records in.
pub const INGEST: &str = "ingest-record";

/// The task that archives.
pub const ARCHIVE: &str = "archive-record";

/// The task that describes.
pub const DESCRIBE: &str = "describe-record";

/// The task that closes.
pub const CLOSE: &str = "close-record";

/// The table of records; key [`ID`].
pub const TABLE: &str = "AuditRecordsTable";

/// The field of a record and the attribute of a row that names it.
pub const ID: &str = "sourceTransactionID";

/// The bucket of records: `records/<id>`.
pub const ARCHIVE_BUCKET: &str = "audit-archive";

/// The state machine.
pub const STATE_MACHINE: &str = "audit-record";

/// The queue of what was given up.
pub const DEAD_LETTERS: &str = "audit-dead-letters";

/// The topic of the notices.
pub const NOTICES: &str = "audit-notices";

/// What the functions reach the cache by, a parameter of the template.
pub const CACHE_URL: &str = "CacheUrl";

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
