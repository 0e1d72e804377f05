//! The bugs of the functions' first published forms, each with its name, so that a test can show that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `email-processor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmailWeakness {
    /// Fails after the mail was sent.
    SuccessRaises,
    /// A mail that SES does not take counts as sent.
    SendFailureAcknowledged,
    /// Fails after the notice was published.
    FallbackRaises,
    /// Two attachments with one name are one object.
    AttachmentKeyCollides,
    /// Remembers nothing: every delivery of an event is worked through anew.
    NotIdempotent,
}

impl Weakness for EmailWeakness {
    const ALL: &'static [(&'static str, Self)] = &[
        ("success-raises", Self::SuccessRaises),
        ("send-failure-acknowledged", Self::SendFailureAcknowledged),
        ("fallback-raises", Self::FallbackRaises),
        ("attachment-key-collides", Self::AttachmentKeyCollides),
        ("not-idempotent", Self::NotIdempotent),
    ];
}
