//! S3: buckets whose large objects are in a file of the process. All readers of an object share its
//! content; functions, queues, topics and buses are told of what happens to objects.

mod buckets;
mod content;
mod contents;
mod copy;
mod listing;
mod multipart;
mod notification;
mod object;
mod operations;
mod shown;
mod tags;
mod upload;
mod uploads;
mod versions;
mod wire;

pub use self::buckets::Buckets;
pub use self::content::{Content, Spool};
pub use self::object::{Object, ObjectHeaders};
pub use self::wire::Objects;
use super::described::{Described, Protocol};

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "s3", title: "S3", protocol: Protocol::S3, operations: &["GetObject", "PutObject"] };
