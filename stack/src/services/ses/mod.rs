//! SES: incoming mail over SMTP is stored as the receipt rule says, and outgoing mail by
//! `SendEmail` goes into a mailbox. Nothing leaves this machine.

mod first;
pub mod incoming;
pub mod letter;
pub mod mailbox;
pub mod outgoing;
pub mod rules;
mod shown;
pub mod smtp;
mod store;

use super::described::{Described, Protocol};

pub use self::first::First;
pub use self::incoming::Incoming;
pub use self::mailbox::{Mailbox, Sent};
pub use self::outgoing::Ses;
pub use self::rules::Rules;
pub use self::store::{LARGEST_MESSAGE, Store};

/// The description of this service.
pub const DESCRIBED: Described =
    Described { name: "ses", title: "SES", protocol: Protocol::Rest(outgoing::operation), operations: &["SendEmail", "SendRawEmail"] };
