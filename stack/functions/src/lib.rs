//! The functions under test, as they are deployed to AWS: one module a function, the rest is what they share.
//! Nothing here may know that it runs on a machine of ours; the cloud is reached through the SDKs' own settings only.

pub mod appointments;
pub mod archive_record;
pub mod audit;
pub mod authorizer;
pub mod clients;
pub mod clock;
pub mod close_record;
pub mod describe_record;
pub mod email_processor;
pub mod failure;
pub mod http_event;
pub mod ingest_record;
pub mod key_set;
pub mod prune_users;
pub mod record_sign_in;
pub mod serve;
pub mod settings;
pub mod thermostat_api;
pub mod time_of_day;
pub mod tokens;
pub mod users_api;
pub mod weaknesses;
