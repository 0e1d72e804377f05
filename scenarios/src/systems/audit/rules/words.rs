//! How an audit record is described to people: what was sent, what happened to it, and how to send
//! a similar one. Never a key.

use crate::exchange::{Record, RecordForm};

use super::known::{NoticeKind, Rested};
use crate::invariants::Breach;
use crate::invariants::wording::several;

/// The breach of a rule by the outcome of a record.
pub(crate) fn breach(rested: &Rested, expected: &str) -> Breach {
    let first = rested.known.answers.first();
    Breach {
        at: first.map_or(rested.at, |answer| answer.due),
        root: first.map(|answer| answer.root.clone()),
        asked: format!("POST /records, {}", of(&rested.record)),
        answered: became(rested),
        expected: format!("{expected}; {}", struck(rested)),
        repeat: repeat(&rested.record),
    }
}

/// For example `record [a-7-000123] (196000 bytes)`.
pub(crate) fn of(record: &Record) -> String {
    let what = match record.form {
        RecordForm::Good => "",
        RecordForm::BadDate => ", with a bad date",
        RecordForm::NotBase64 => ", plain text and no base64",
        RecordForm::NoKey => ", without a key",
        RecordForm::WrongKey => ", with a wrong key",
    };
    format!("record [{}] ({} bytes{what})", record.id, record.size)
}

/// For example `answered 200; 1 object; notices: archived 1; execution SUCCEEDED`.
fn became(rested: &Rested) -> String {
    let known = &rested.known;
    let status = |status: Option<u16>| status.map_or_else(|| "nothing".to_owned(), |status| status.to_string());
    let answers: Vec<_> = known.answers.iter().map(|answer| status(answer.status)).collect();
    let notices: Vec<_> = NoticeKind::ALL.into_iter().map(|kind| format!("{} {}", kind.name(), known.noticed(kind))).collect();
    let executions: Vec<_> = known
        .executions
        .iter()
        .map(|execution| match &execution.ended {
            None => "an execution under way".to_owned(),
            Some(ended) => {
                let error = ended.error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
                format!("an execution {}{error}", ended.status)
            }
        })
        .collect();
    let executions = if executions.is_empty() { "no execution".to_owned() } else { executions.join(", ") };
    let dead = if known.dead.is_empty() { "not in the dead-letter queue" } else { "in the dead-letter queue" };
    let objects = several(known.stored.len(), "object");
    format!("answered {}; {objects} stored; notices: {}; {executions}; {dead}", answers.join(", "), notices.join(", "))
}

fn struck(rested: &Rested) -> String {
    let mut told: Vec<_> = rested.strikes.iter().map(ToString::to_string).collect();
    told.sort();
    told.dedup();
    told.truncate(5);
    if told.is_empty() {
        "no fault struck meanwhile".to_owned()
    } else {
        format!("{} struck meanwhile, this record or others", told.join(", "))
    }
}

/// A command that sends a similar record with other content; `$GATEWAY` is a placeholder for the
/// address, `$KEY` for the key.
pub(crate) fn repeat(record: &Record) -> String {
    let key = match record.form {
        RecordForm::NoKey => "",
        RecordForm::WrongKey => r#" -H "x-api-key: wrong""#,
        _ => r#" -H "x-api-key: $KEY""#,
    };
    let date = if record.form == RecordForm::BadDate { "2026-02-29T12:00:00Z" } else { "2026-01-31T12:00:00Z" };
    let content = if record.form == RecordForm::NotBase64 { "plain text, with blanks." } else { "aGVsbG8=" };
    let body = format!(
        r#"{{"sourceTransactionID":"{}-again","sourceSystem":"ledger","occurredAt":"{date}","contentType":"text/plain","content":"{content}"}}"#,
        record.id
    );
    format!(r#"curl -i -X POST{key} -d '{body}' "http://$GATEWAY/prod/records""#)
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;

    #[test]
    fn a_breach_says_what_happened_to_a_record_and_how_to_send_a_similar_one() {
        let story = Story::new(7).started(0.7).archived(1.0).struck(1.1, "kill-middle").failed(1.5, "Lambda.Unknown");
        let breach = story.judged(|rested| breach(rested, "archived"));
        assert_eq!(breach.asked, "POST /records, record [a-7-000007] (196000 bytes)");
        assert_eq!(
            breach.answered,
            "answered 200; 1 object stored; notices: archived 1, described 0, closed 0, completed 0; an execution FAILED (Lambda.Unknown); \
             not in the dead-letter queue"
        );
        assert_eq!(breach.expected, "archived; `test` (kill-middle) at archive-record struck meanwhile, this record or others");
        assert!(breach.repeat.starts_with(r#"curl -i -X POST -H "x-api-key: $KEY" -d '{"sourceTransactionID":"a-7-000007-again""#));
    }

    #[test]
    fn the_similar_record_is_wrong_in_the_same_way() {
        let mut record = Story::new(7).record;
        for (form, part) in [
            (RecordForm::BadDate, "2026-02-29"),
            (RecordForm::NotBase64, "plain text, with"),
            (RecordForm::NoKey, "POST -d"),
            (RecordForm::WrongKey, "x-api-key: wrong"),
        ] {
            record.form = form;
            assert!(repeat(&record).contains(part), "{form:?}");
        }
    }
}
