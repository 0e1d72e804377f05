//! The functions of this system, as they are deployed to AWS. Nothing here may know that it runs on a local stack; the cloud is reached through
//! the SDKs' own settings only.

pub mod archive_record;
pub mod audit;
pub mod close_record;
pub mod describe_record;
pub mod ingest_record;
pub mod patience;
pub mod weaknesses;
