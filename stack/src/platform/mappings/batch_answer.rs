//! A function's answer to a batch: which records it could not process. Pure. Source: Lambda,
//! "Implementing partial batch responses". An answer that cannot be read fails the whole batch,
//! which loses nothing.

use std::collections::BTreeSet;

use serde_json::Value;

/// Which records were processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processed {
    /// Everything.
    All,
    /// Everything but these.
    AllBut(BTreeSet<String>),
    /// None, or the answer cannot be read.
    Nothing,
}

impl Processed {
    /// Reads the answer to a batch of the records `ids`.
    pub fn read(answer: &[u8], ids: &[&str]) -> Self {
        if answer.is_empty() {
            return Self::All;
        }
        match serde_json::from_slice(answer) {
            Ok(Value::Null) => Self::All,
            Ok(Value::Object(answer)) => match answer.get("batchItemFailures") {
                None | Some(Value::Null) => Self::All,
                Some(Value::Array(failures)) if failures.is_empty() => Self::All,
                Some(Value::Array(failures)) => Self::but(failures, ids),
                Some(_) => Self::Nothing,
            },
            _ => Self::Nothing,
        }
    }

    fn but(failures: &[Value], ids: &[&str]) -> Self {
        let failed = failures.iter().map(|failure| {
            let id = failure.get("itemIdentifier")?.as_str()?;
            ids.contains(&id).then(|| id.to_owned())
        });
        failed.collect::<Option<_>>().map_or(Self::Nothing, Self::AllBut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_lambda_reads_them() {
        let but = |ids: &[&str]| Processed::AllBut(ids.iter().map(|id| (*id).to_owned()).collect());
        let cases = [
            ("", Processed::All),
            ("null", Processed::All),
            ("{}", Processed::All),
            (r#"{"batchItemFailures":[]}"#, Processed::All),
            (r#"{"batchItemFailures":null}"#, Processed::All),
            (r#"{"statusCode":500}"#, Processed::All),
            (r#"{"batchItemFailures":[{"itemIdentifier":"2"}]}"#, but(&["2"])),
            (r#"{"batchItemFailures":[{"itemIdentifier":"3"},{"itemIdentifier":"1"},{"itemIdentifier":"1"}]}"#, but(&["1", "3"])),
            (r#"{"batchItemFailures":[{"itemIdentifier":"4"}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":[{"itemIdentifier":"1"},{"itemIdentifier":"4"}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":[{"itemIdentifier":2}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":[{"messageId":"1"}]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":["1"]}"#, Processed::Nothing),
            (r#"{"batchItemFailures":{}}"#, Processed::Nothing),
            (r#"{"batchItemFail"#, Processed::Nothing),
            (r#""done""#, Processed::Nothing),
            ("[]", Processed::Nothing),
        ];
        for (answer, processed) in cases {
            assert_eq!(Processed::read(answer.as_bytes(), &["1", "2", "3"]), processed, "{answer}");
        }
    }
}
