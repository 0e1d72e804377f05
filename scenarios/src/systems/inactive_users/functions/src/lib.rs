//! The functions of this system, in the form deployed to AWS. No code here may depend on running on
//! a local stack; it reaches the cloud only through the SDKs' standard settings.

pub mod patience;
pub mod programs;
pub mod prune_users;
pub mod record_sign_in;
pub mod weaknesses;
