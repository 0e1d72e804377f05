//! What the functions under test share, in the form deployed to AWS. No code here may depend on
//! running on a local stack; it reaches the cloud only through the SDKs' standard settings.

pub mod clients;
pub mod clock;
pub mod failure;
pub mod http_event;
pub mod key_set;
pub mod serve;
pub mod settings;
pub mod tokens;
pub mod weaknesses;
