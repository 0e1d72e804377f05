//! What the functions under test share, as they are deployed to AWS. Nothing here may know that it runs on a local stack; the cloud is reached
//! through the SDKs' own settings only.

pub mod clients;
pub mod clock;
pub mod failure;
pub mod http_event;
pub mod key_set;
pub mod serve;
pub mod settings;
pub mod tokens;
pub mod weaknesses;
