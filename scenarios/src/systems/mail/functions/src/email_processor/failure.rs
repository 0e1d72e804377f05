//! Why a mail did not end.

use super::event::NotUnderstood;
use super::mail::MailError;
use functions::clock::TooLate;
use functions::failure::DependencyFailure;
use thiserror::Error;

/// Why a mail is not finished; the queue delivers it again.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The message contains nothing that can be processed.
    #[error(transparent)]
    Event(#[from] NotUnderstood),
    /// A dependency failed.
    #[error(transparent)]
    Dependency(#[from] DependencyFailure),
    /// The mail cannot be processed.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// The object is larger than any mail.
    #[error("the object is too large to be a mail")]
    TooLarge,
    /// The letter or the notice could not be written.
    #[error("what was to go out could not be written")]
    Letter,
    /// Another attempt may still be working on it.
    #[error("another attempt has the mail")]
    Held,
    /// The invocation is about to end.
    #[error(transparent)]
    TooLate(#[from] TooLate),
    /// The weaknesses `success-raises` and `fallback-raises`.
    #[error("raised after the mail was done with")]
    Raised,
}
