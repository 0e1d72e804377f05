//! Known bugs of the functions' first published versions, each with a name, so that a test can show
//! that the harness finds it.

use functions::weaknesses::Weakness;

/// A weakness of `email-processor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EmailWeakness {
    /// Fails although the mail was sent.
    SuccessRaises,
    /// A mail that SES refuses counts as sent.
    SendFailureAcknowledged,
    /// Fails although the notice was published.
    FallbackRaises,
    /// Two attachments of the same name become one object.
    AttachmentKeyCollides,
    /// Records nothing: every delivery of an event is processed again.
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
