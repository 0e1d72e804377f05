//! The functions of this system, in the form deployed to AWS. No code here may depend on running on
//! a local stack; it reaches the cloud only through the SDKs' standard settings.

pub mod email_processor;
pub mod patience;
pub mod programs;
pub mod weaknesses;
