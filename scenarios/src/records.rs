//! One audit record as it was sent, and how it ended: what oracles and books of the audit are told. Never a key, never its content.

/// A record as one request carried it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `sourceTransactionID`.
    pub id: String,
    /// What is right or wrong with the request.
    pub form: RecordForm,
    /// Bytes of the content: decoded, or as they stand there where they are not base64.
    pub size: u64,
    /// The MD5 of these bytes, in lower-case hexadecimal digits; `None` where the answer came before all of them had been sent.
    pub etag: Option<String>,
    /// Whether another arrival sent this id, with the same bytes, a moment before.
    pub repeats: bool,
    /// How often this arrival had sent it already: once more after each answer that said nothing of the record.
    pub attempt: u32,
}

/// What is right or wrong with a record's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordForm {
    /// Nothing is wrong with it.
    Good,
    /// Its date is none that the calendar has, or no time in UTC.
    BadDate,
    /// Its content is plain text.
    NotBase64,
    /// It carries no key.
    NoKey,
    /// It carries a key that nobody gave out.
    WrongKey,
}

impl RecordForm {
    /// Whether it has to be refused.
    pub const fn is_bad(self) -> bool {
        !matches!(self, Self::Good)
    }
}

/// What an answer says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// 200: it will be archived, or be in the dead-letter queue.
    Accepted,
    /// 4xx, or the 503 by which `ingest-record` says that it took everything back.
    Refused,
    /// Nothing: any other 5xx, or no answer. It may be archived or not.
    Unknown,
}

impl Verdict {
    /// What the status says; `None` is no answer.
    pub const fn of(status: Option<u16>) -> Self {
        match status {
            Some(200) => Self::Accepted,
            Some(400..=499 | 503) => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_functions_own_503_is_a_refusal_among_the_errors_of_servers() {
        for (status, expected) in [
            (Some(200), Verdict::Accepted),
            (Some(400), Verdict::Refused),
            (Some(403), Verdict::Refused),
            (Some(409), Verdict::Refused),
            (Some(413), Verdict::Refused),
            (Some(503), Verdict::Refused),
            (Some(500), Verdict::Unknown),
            (Some(502), Verdict::Unknown),
            (Some(504), Verdict::Unknown),
            (None, Verdict::Unknown),
        ] {
            assert_eq!(Verdict::of(status), expected, "{status:?}");
        }
    }
}
