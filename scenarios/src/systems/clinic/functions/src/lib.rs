//! The functions of this system, as they are deployed to AWS. Nothing here may know that it runs on a local stack; the cloud is reached through
//! the SDKs' own settings only.

pub mod appointments;
pub mod authorizer;
pub mod patience;
pub mod weaknesses;
