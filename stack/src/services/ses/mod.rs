//! SES: mail that comes in over SMTP and is stored as the receipt rule says, and mail that goes out by `SendEmail` into a mailbox.
//! Nothing leaves this machine.

pub mod incoming;
pub mod letter;
pub mod mailbox;
pub mod outgoing;
pub mod rules;
pub mod smtp;

pub use self::incoming::{Incoming, Store};
pub use self::mailbox::{Mailbox, Sent};
pub use self::outgoing::Ses;
pub use self::rules::Rules;

/// A message has at most so many bytes, 40 MB, in either direction. Source: Amazon SES, service quotas.
pub const LARGEST_MESSAGE: usize = 40 * 1024 * 1024;
