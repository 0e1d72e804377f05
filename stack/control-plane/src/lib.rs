//! Lambda's control plane, SSM's parameters and documents, CloudWatch's logs and alarms, FIS, AWS
//! IoT's registry and Verified Permissions' policies on this machine, to test attach, undo, seed and
//! unseed. It is as strict as AWS, and fails at least as badly. The core
//! is a deterministic state without a clock or a socket, so that a test can drive it through every
//! accident.

mod alarm;
mod alarms;
mod alias;
mod aliases;
mod answer;
mod apis;
mod arn;
mod configuration;
mod document;
mod documents;
mod edit;
mod experiment;
mod experiments;
mod function;
mod iam;
mod iot;
mod layers;
mod log_line;
mod logs;
mod need;
mod parameter;
mod parameters;
mod policies;
mod policy_store;
mod policy_stores;
mod pool;
mod pools;
mod query;
mod registry;
mod rights;
mod routes;
mod script;
mod seed_rights;
mod server;
mod stack;
mod stack_rights;
mod stacks;
mod state;
mod versions;

pub use alarm::Alarm;
pub use alias::Alias;
pub use answer::{Answer, Request};
pub use apis::{Apis, UsagePlan};
pub use arn::{ACCOUNT, REGION, arn_of};
pub use configuration::{Configuration, LastUpdate};
pub use document::{Document, DocumentVersion};
pub use edit::Edit;
pub use experiment::{Action, Experiment, Status, Template};
pub use experiments::Play;
pub use function::{Function, Signing};
pub use layers::LayerVersion;
pub use log_line::LogLine;
pub use parameter::Parameter;
pub use policies::Rights;
pub use policy_store::PolicyStore;
pub use pool::UserPool;
pub use registry::{Certificate, Iot, Thing};
pub use routes::answer;
pub use script::{Accident, Effects, Outcome, Script, Scripted};
pub use server::{respond, serve};
pub use stack::{Stack, StackResource};
pub use state::{ControlPlane, Publishing, Settling};
