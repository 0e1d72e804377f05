//! The functions of this system, in the form deployed to AWS. No code here may depend on running on
//! a local stack; it reaches the cloud only through the SDKs' standard settings.

pub mod archive_record;
pub mod audit;
pub mod close_record;
pub mod describe_record;
pub mod ingest_record;
pub mod patience;
pub mod programs;
pub mod weaknesses;
