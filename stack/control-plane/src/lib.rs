//! Lambda's control plane, SSM's parameters and documents, CloudWatch's logs and FIS on this machine: what attach and undo are tried on. Strict where AWS is, and at least as nasty;
//! the core is a deterministic state without a clock or a socket, so that a test can drive it through every accident there is.

mod aliases;
mod answer;
mod configuration;
mod documents;
mod edit;
mod experiments;
mod iam;
mod logs;
mod parameters;
mod rights;
mod routes;
mod script;
mod server;
mod state;
mod versions;

pub use aliases::Alias;
pub use answer::{Answer, Request};
pub use configuration::{Configuration, LastUpdate};
pub use documents::{Document, DocumentVersion};
pub use edit::Edit;
pub use experiments::{Experiment, Play, Template};
pub use iam::Rights;
pub use logs::LogLine;
pub use parameters::Parameter;
pub use routes::answer;
pub use script::{Accident, Outcome, Script, Scripted};
pub use server::serve;
pub use state::{ACCOUNT, ControlPlane, Function, Publishing, REGION, Settling, Signing, arn_of};
