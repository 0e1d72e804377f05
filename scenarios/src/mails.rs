//! One mail as it was made, what is to become of it, and what did: what oracles and books of mail are told.

use std::time::Duration;

use reports::{Outcome, Phase};

/// One mail that was sent, and what is to become of it: decided when it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct Mail {
    /// Stands in its subject in square brackets, unlike any other's of the run, such as `m-7-000123`.
    pub token: String,
    /// The message id that the server gave it (`250 OK <id>`), which is the object's key; `None` where it was not taken.
    pub id: Option<String>,
    /// The phase in which it was due.
    pub phase: Option<Phase>,
    /// When it was due.
    pub due: Duration,
    /// When its sending began.
    pub sent: Duration,
    /// When the server had taken or refused it.
    pub done: Duration,
    /// How the sending ended.
    pub outcome: Outcome,
    /// How it is built.
    pub form: MailForm,
    /// Bytes of the whole mail.
    pub size: u64,
    /// What is to become of it.
    pub expected: Expected,
    /// Its attachments in their order.
    pub attachments: Vec<Attachment>,
}

/// How a mail is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailForm {
    /// multipart/mixed with text and attachments.
    Mixed,
    /// A single text part.
    Single,
    /// The body in base64.
    Base64,
    /// The body in quoted-printable.
    QuotedPrintable,
    /// multipart/alternative within multipart/mixed.
    NestedAlternative,
    /// An 8-bit body in ISO 8859-1.
    Latin1,
    /// With a message/rfc822 attachment.
    Forwarded,
    /// Two attachments with one name.
    SameName,
    /// No attachment.
    NoAttachment,
    /// No list of readers.
    NoList,
    /// Cannot be read as a mail.
    Malformed,
}

/// What is to become of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Sent on to exactly these readers.
    Delivered {
        /// In the order of the list.
        readers: Vec<String>,
    },
    /// One notice to the fallback topic.
    Fallback,
    /// It cannot be processed: the dead-letter queue.
    DeadLetter,
    /// Larger than the server takes: refused when it is sent.
    Refused,
}

/// An attachment as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Bytes, decoded.
    pub size: u64,
    /// SHA-256 of the decoded bytes, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// How a mail ended, as far as one can see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disposition {
    /// Handed to SES for its readers, all groups of them.
    Delivered,
    /// A notice was published.
    Fallback,
    /// In the dead-letter queue.
    DeadLetter,
    /// Its message outlived the queue's retention unprocessed.
    Expired,
}

impl Expected {
    /// Whether this is the end that a mail was to come to.
    pub const fn is(&self, disposition: Disposition) -> bool {
        matches!(
            (self, disposition),
            (Self::Delivered { .. }, Disposition::Delivered)
                | (Self::Fallback, Disposition::Fallback)
                | (Self::DeadLetter, Disposition::DeadLetter)
        )
    }
}

/// The words of a notice, among which is the message id or the token of the mail that it tells of, however it puts it.
pub(crate) fn words<'a>(subject: Option<&'a str>, text: &'a str) -> impl Iterator<Item = &'a str> {
    let apart = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '_'));
    subject.into_iter().chain([text]).flat_map(move |part| part.split(apart)).filter(|word| !word.is_empty())
}

/// Notices of the fallback topic, as long as the mails that they tell of are not known: senders and services tell on two ways.
#[derive(Debug, Default)]
pub(crate) struct EarlyNotices(Vec<(Duration, Vec<String>)>);

impl EarlyNotices {
    /// Keeps one.
    pub(crate) fn keep(&mut self, at: Duration, subject: Option<&str>, text: &str) {
        self.0.push((at, words(subject, text).map(str::to_owned).collect()));
    }

    /// Takes those that tell of a mail: when each was published.
    pub(crate) fn take(&mut self, mail: &Mail) -> Vec<Duration> {
        let tells = |words: &[String]| words.iter().any(|word| *word == mail.token || Some(word) == mail.id.as_ref());
        self.0.extract_if(.., |(_, words)| tells(words)).map(|(at, _)| at).collect()
    }

    /// Forgets those that are older.
    pub(crate) fn forget(&mut self, old: Duration) {
        self.0.retain(|(at, _)| *at > old);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A link in a mail that was sent on, and what came of following it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTried {
    /// The mail's message id.
    pub id: String,
    /// The key of the object, as the link names it.
    pub key: String,
    /// When it was followed.
    pub at: Duration,
    /// The HTTP status; `None` where there was no answer.
    pub status: Option<u16>,
    /// SHA-256 of what came, in lower-case hexadecimal digits.
    pub sha256: Option<String>,
    /// How long the link says that it is good for; `None` where it does not say.
    pub life: Option<LinkLife>,
}

/// How long a presigned link says that it is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkLife {
    /// From its signing on: `X-Amz-Expires`, signature version 4.
    FromSigning(Duration),
    /// From when it was sent until `Expires`, signature version 2: it was signed a moment before, and the end has whole seconds.
    FromSending(Duration),
}

impl LinkLife {
    /// The span.
    pub const fn duration(self) -> Duration {
        match self {
            Self::FromSigning(span) | Self::FromSending(span) => span,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_names_its_mail_in_whatever_words() {
        for (subject, text) in [
            (None, r#"{"messageId":"abc","title":"x"}"#),
            (None, r#"{"messageId": "abc", "title":"cut of"#),
            (None, "Mail s3://incoming/abc could not be sent on."),
            (Some("[m-7-000001] x"), ""),
            (None, r#"{"title":"[m-7-000001] x"}"#),
            (Some("no readers: abc"), "ALARM"),
        ] {
            assert!(words(subject, text).any(|word| ["abc", "m-7-000001"].contains(&word)), "{subject:?} {text}");
        }
        for text in ["", "ALARM", "abcd", "xabc", "abc-1", "m-7-0000011"] {
            assert!(words(None, text).all(|word| !["abc", "m-7-000001"].contains(&word)), "{text}");
        }
    }
}
