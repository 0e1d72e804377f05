//! The plan of a record, decided before it is sent: its id, its size, and what is wrong with it.
//! Pure: the seed and the number decide.

use load::chance::Chance;
use load::deck::Deck;
use load::shares;

use crate::systems::audit::LARGEST_EVENT;

use crate::exchange::RecordForm;
use crate::systems::audit::AuditLoad;

/// What an event contains besides the body, including the backslashes before the body's quotes, is
/// less than this: about 3 KB.
const MARGIN: u64 = 8 * 1024;

/// The largest body whose event still fits into one synchronous invocation: 6,283,264 bytes.
pub(crate) const LIMIT: u64 = LARGEST_EVENT as u64 - MARGIN;

const KIB: u64 = 1024;

/// Sizes of bodies, and how many of a hundred have each.
const SIZES: [(u64, usize); 5] = [(256 * KIB, 40), (512 * KIB, 20), (KIB * KIB, 20), (3 * KIB * KIB, 15), (LIMIT, 5)];

/// Dates that must be refused: not a day of the calendar, not a time of RFC 3339, or not in UTC.
const BAD_DATES: [&str; 8] = [
    "2026-02-29T12:00:00Z",
    "2026-04-31T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-31T12:00:00",
    "2026-01-31T12:00:00+01:00",
    "2026-01-31",
    "yesterday",
];

/// Dates that must be accepted, including the rarest.
const DATES: [&str; 4] = ["2026-01-31T12:00:00Z", "2024-02-29T23:59:59Z", "2025-12-31T23:59:59.999Z", "2000-02-29T00:00:00Z"];

const SOURCES: [&str; 4] = ["ledger", "claims", "payroll", "warehouse"];
const CONTENT_TYPES: [&str; 3] = ["application/pdf", "application/octet-stream", "image/tiff"];

/// How many earlier arrivals are searched for a record to repeat.
const FAR_BACK: u64 = 200;

/// How a record differs from most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Odd {
    Repeat,
    BadDate,
    NotBase64,
    BadKey,
}

/// A record that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Draft {
    /// The content's bytes depend on this.
    pub(crate) content_key: [u64; 3],
    pub(crate) id: String,
    pub(crate) form: RecordForm,
    pub(crate) repeats: bool,
    /// The JSON before the content.
    pub(crate) head: String,
    /// Bytes of the content, decoded; if it is not base64, its bytes as written.
    pub(crate) size: u64,
}

/// The JSON after the content.
pub(crate) const TAIL: &str = "\"}";

impl Draft {
    /// What arrival `number` of the run sends.
    pub(crate) fn new(seed: u64, load: &AuditLoad, number: u64) -> Self {
        let odd = odd(seed, load, number);
        let original = if odd == Some(Odd::Repeat) { original(seed, load, number) } else { None };
        let form = match odd {
            Some(Odd::BadDate) => RecordForm::BadDate,
            Some(Odd::NotBase64) => RecordForm::NotBase64,
            Some(Odd::BadKey) if Chance::new(&[seed, 0x6e1, number]).below(2) == 0 => RecordForm::NoKey,
            Some(Odd::BadKey) => RecordForm::WrongKey,
            Some(Odd::Repeat) | None => RecordForm::Good,
        };
        Self::of(seed, load, original.unwrap_or(number), form, original.is_some())
    }

    fn of(seed: u64, load: &AuditLoad, record: u64, form: RecordForm, repeats: bool) -> Self {
        let mut chance = Chance::new(&[seed, 0xa0d17, record]);
        let id = format!("a-{seed}-{record:06}");
        let date = if form == RecordForm::BadDate { pick(&mut chance, &BAD_DATES) } else { pick(&mut chance, &DATES) };
        let (source, content_type) = (pick(&mut chance, &SOURCES), pick(&mut chance, &CONTENT_TYPES));
        let head = format!(
            r#"{{"sourceTransactionID":"{id}","sourceSystem":"{source}","occurredAt":"{date}","contentType":"{content_type}","content":""#
        );
        let body = Deck::new(Chance::new(&[seed, 0x512e5]).number(), &SIZES).draw(record).map_or(256 * KIB, |(size, _)| size);
        let room = body.min(load.largest.0).min(LIMIT).saturating_sub((head.len() + TAIL.len()) as u64);
        let size = match form {
            RecordForm::NotBase64 => room,
            // One, two or three bytes in the last four letters, so that each padding occurs.
            _ => (room / 4 * 3).saturating_sub(chance.below(3)),
        };
        Self { content_key: [seed, 0xc047e47, record], id, form, repeats, head, size }
    }

    /// Bytes of the content as written in the JSON.
    pub(crate) fn written(&self) -> u64 {
        if self.form == RecordForm::NotBase64 { self.size } else { self.size.div_ceil(3) * 4 }
    }
}

fn odd(seed: u64, load: &AuditLoad, number: u64) -> Option<Odd> {
    let kinds =
        [(Odd::Repeat, load.repeats), (Odd::BadDate, load.bad_dates), (Odd::NotBase64, load.not_base64), (Odd::BadKey, load.bad_keys)];
    let kinds = kinds.map(|(odd, share)| (odd, share.value()));
    shares::one_of(number, &kinds, Chance::new(&[seed, 0x0dd]).number())
}

/// The record that arrival `number` repeats: one that was sent up to a second before, or the
/// nearest one before that with nothing wrong.
fn original(seed: u64, load: &AuditLoad, number: u64) -> Option<u64> {
    let within_a_second = (load.rate.0 as u64).max(1);
    let moment = 1 + Chance::new(&[seed, 0x4e9ea7, number]).below(within_a_second);
    (moment..moment + FAR_BACK).map_while(|back| number.checked_sub(back)).find(|earlier| odd(seed, load, *earlier).is_none())
}

fn pick(chance: &mut Chance, among: &[&'static str]) -> &'static str {
    let which = usize::try_from(chance.below(among.len() as u64)).unwrap_or(0);
    among.get(which).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::units::Size;
    use faults::Share;

    fn load() -> AuditLoad {
        serde_json::from_value(serde_json::json!({"rate": "20/s"})).unwrap()
    }

    fn drafts(load: &AuditLoad, count: u64) -> Vec<Draft> {
        (0..count).map(|number| Draft::new(7, load, number)).collect()
    }

    fn body(draft: &Draft) -> u64 {
        draft.head.len() as u64 + draft.written() + TAIL.len() as u64
    }

    #[test]
    fn every_form_and_every_size_comes_with_its_share() {
        let drafts = drafts(&load(), 10_000);
        let count = |is: &dyn Fn(&Draft) -> bool| drafts.iter().filter(|draft| is(draft)).count() as f64;
        for (share, found) in [
            (0.05, count(&|draft| draft.repeats)),
            (0.03, count(&|draft| draft.form == RecordForm::BadDate)),
            (0.02, count(&|draft| draft.form == RecordForm::NotBase64)),
            (0.01, count(&|draft| matches!(draft.form, RecordForm::NoKey | RecordForm::WrongKey))),
        ] {
            assert!((found - 10_000.0 * share).abs() <= 5.0, "{share}: {found}");
        }
        assert!(count(&|draft| draft.form == RecordForm::NoKey) > 20.0 && count(&|draft| draft.form == RecordForm::WrongKey) > 20.0);
        let originals: Vec<_> = drafts.iter().filter(|draft| !draft.repeats).collect();
        for (size, share) in SIZES {
            let found = originals.iter().filter(|draft| (size - 3..=size).contains(&body(draft))).count() * 100 / originals.len();
            assert!(found.abs_diff(share) <= 1, "{size}: {found} %");
        }
    }

    #[test]
    fn a_repeat_equals_what_was_sent_a_moment_before() {
        let drafts = drafts(&load(), 2_000);
        let mut sent: BTreeMap<&str, (usize, &Draft)> = BTreeMap::new();
        for (number, draft) in drafts.iter().enumerate() {
            if draft.repeats {
                let (before, original) = sent[draft.id.as_str()];
                assert!(number - before <= 30, "{number} repeats {before}");
                assert_eq!(&Draft { repeats: false, ..draft.clone() }, original);
            } else {
                assert!(sent.insert(&draft.id, (number, draft)).is_none(), "{} comes twice", draft.id);
            }
        }
    }

    #[test]
    fn the_largest_event_fits_into_one_invocation_and_no_body_exceeds_the_limit() {
        assert_eq!(LIMIT, 6_283_264);
        // Besides the body: what the gateway adds, less than 4 KB, and a backslash for each quote.
        let quotes = drafts(&load(), 1)[0].head.matches('"').count() as u64 + 1;
        assert!(LIMIT + quotes + 4096 < LARGEST_EVENT as u64);
        let small = AuditLoad { largest: Size(100_000), ..load() };
        assert!(drafts(&small, 300).iter().all(|draft| (99_996..=100_000).contains(&body(draft))));
    }

    #[test]
    fn every_bad_date_and_every_padding_occurs() {
        let drafts = drafts(&AuditLoad { bad_dates: Share::try_from(0.5).unwrap(), ..load() }, 1_000);
        let found = BAD_DATES.iter().filter(|date| drafts.iter().any(|draft| draft.head.contains(&format!("\"{date}\"")))).count();
        assert_eq!(found, BAD_DATES.len());
        assert_eq!(drafts.iter().map(|draft| draft.size % 3).collect::<BTreeSet<_>>().len(), 3);
    }
}
