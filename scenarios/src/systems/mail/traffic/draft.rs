//! The plan of a mail, decided before it is written: form, readers, size, and expected outcome.
//! Pure: the seed and the number decide.

use load::chance::Chance;
use load::deck::Deck;
use load::shares;

use crate::systems::mail::MARKER;

use crate::exchange::{Expected, MailForm};
use crate::systems::mail::MailLoad;
use crate::systems::mail::traffic::sizes::{self, Class};

/// A mail that is still to be written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Draft {
    pub(crate) seed: u64,
    pub(crate) number: u64,
    /// Part of the subject.
    pub(crate) token: String,
    pub(crate) form: MailForm,
    /// The readers of the list, if a list can be read.
    pub(crate) readers: Vec<String>,
    pub(crate) list: List,
    /// How large the whole mail should be.
    pub(crate) size: u64,
    /// Whether it has anything besides the text.
    pub(crate) has_attachments: bool,
    /// Whether one of its attachments cannot be decoded.
    pub(crate) is_broken: bool,
}

/// How the list of readers appears in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// As the contract says.
    Plain,
    /// In brackets.
    Bracketed,
    /// Not at all.
    Missing,
    /// With something in it that is not an address.
    Invalid(&'static str),
}

/// Forms that can have attachments besides their text.
const CARRIERS: [(MailForm, usize); 7] = [
    (MailForm::Mixed, 1),
    (MailForm::Base64, 1),
    (MailForm::QuotedPrintable, 1),
    (MailForm::NestedAlternative, 1),
    (MailForm::Latin1, 1),
    (MailForm::Forwarded, 1),
    (MailForm::SameName, 1),
];

/// All well-formed forms.
const FORMS: [(MailForm, usize); 9] = [
    (MailForm::Mixed, 1),
    (MailForm::Single, 1),
    (MailForm::Base64, 1),
    (MailForm::QuotedPrintable, 1),
    (MailForm::NestedAlternative, 1),
    (MailForm::Latin1, 1),
    (MailForm::Forwarded, 1),
    (MailForm::SameName, 1),
    (MailForm::NoAttachment, 1),
];

/// Words that cannot be taken for an address.
const NO_ADDRESSES: [&str; 4] = ["not an address", "nobody", "nobody@", "@readers.example"];

/// A longer list does not fit into a line of 8-bit text, which ends after 998 octets. Source: RFC
/// 5322, section 2.1.1.
const LONGEST_PLAIN_LIST: usize = 900;

/// Size of a mail of any form without its text and attachments, in bytes.
const FRAME: u64 = 1_600;

impl Draft {
    /// Mail `number` of the run.
    pub(crate) fn new(seed: u64, load: &MailLoad, number: u64) -> Self {
        let token = format!("m-{seed}-{number:06}");
        let mut chance = Chance::new(&[seed, 0xd2af7, number]);
        let readers: Vec<String> = (0..sizes::readers(seed, number)).map(|k| format!("r{k}.{token}@readers.example")).collect();
        let (class, turn) = Class::of(seed, number);
        let (form, list) = match special(seed, load, number) {
            // Either the list or an attachment is broken.
            Some(MailForm::Malformed) if chance.below(2) == 0 => (MailForm::Malformed, List::Invalid(pick(&mut chance))),
            Some(MailForm::NoList) => (MailForm::NoList, List::Missing),
            special => {
                let form = special.unwrap_or_else(|| form(seed, class, turn));
                (form, if chance.below(4) == 0 { List::Bracketed } else { List::Plain })
            }
        };
        let is_broken = form == MailForm::Malformed && !matches!(list, List::Invalid(_));
        let has_attachments = has_attachments(form, class, &mut chance);
        let mut draft = Self { seed, number, token, form, readers, list, size: 0, has_attachments, is_broken };
        if draft.form == MailForm::Latin1 && draft.list_line().len() > LONGEST_PLAIN_LIST {
            draft.form = MailForm::QuotedPrintable;
        }
        // Text and HTML both contain the list, and each may be encoded.
        let fixed = FRAME + 3 * draft.list_line().len() as u64;
        draft.size = class.size(&mut chance, fixed, load.largest.0);
        draft
    }

    /// The expected outcome.
    pub(crate) fn expected(&self) -> Expected {
        match self.form {
            MailForm::Malformed => Expected::DeadLetter,
            MailForm::NoList => Expected::Fallback,
            _ => Expected::Delivered { readers: self.readers.clone() },
        }
    }

    /// Bytes that are left for attachments, decoded: base64 makes 78 of 57, including line breaks.
    pub(crate) fn room(&self) -> usize {
        let fixed = FRAME + 3 * self.list_line().len() as u64;
        usize::try_from(self.size.saturating_sub(fixed) * 57 / 78).unwrap_or(0)
    }

    /// The line with the list of readers; empty if there is no list.
    pub(crate) fn list_line(&self) -> String {
        let list = self.readers.join(",");
        match self.list {
            List::Plain => format!("Line2{MARKER}{list}{MARKER}"),
            List::Bracketed => format!("Line2{MARKER}[{list}]{MARKER}"),
            List::Missing => String::new(),
            List::Invalid(what) => format!("Line2{MARKER}{list},{what}{MARKER}"),
        }
    }
}

/// Whether mail `number` is malformed or has no list.
fn special(seed: u64, load: &MailLoad, number: u64) -> Option<MailForm> {
    let share = load.malformed.value() + load.without_list.value();
    if share <= 0.0 || !shares::falls_on(number, share, seed) {
        return None;
    }
    let malformed = shares::falls_on(shares::times_before(number, share, seed), load.malformed.value() / share, seed);
    Some(if malformed { MailForm::Malformed } else { MailForm::NoList })
}

/// The form of a well-formed mail: all forms of its class come equally often.
fn form(seed: u64, class: Class, turn: u64) -> MailForm {
    let seed = Chance::new(&[seed, 0xf023, class.bounds().1]).number();
    let deck = if class == Class::Small { Deck::new(seed, &FORMS) } else { Deck::new(seed, &CARRIERS) };
    deck.draw(turn).map_or(MailForm::Mixed, |(form, _)| form)
}

fn has_attachments(form: MailForm, class: Class, chance: &mut Chance) -> bool {
    match form {
        MailForm::Single | MailForm::NoAttachment => false,
        MailForm::Base64 | MailForm::QuotedPrintable | MailForm::Latin1 if class == Class::Small => chance.below(2) == 0,
        _ => true,
    }
}

fn pick(chance: &mut Chance) -> &'static str {
    let which = usize::try_from(chance.below(NO_ADDRESSES.len() as u64)).unwrap_or(0);
    NO_ADDRESSES.get(which).copied().unwrap_or("nobody")
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::units::{Rate, Size};
    use faults::Share;

    fn load(malformed: f64, without_list: f64) -> MailLoad {
        let share = |share: f64| Share::try_from(share).unwrap();
        let (malformed, without_list) = (share(malformed), share(without_list));
        MailLoad { rate: Rate(1.0), burst: 0, largest: Size(40_000_000), malformed, without_list }
    }

    fn drafts(load: &MailLoad, count: u64) -> Vec<Draft> {
        (0..count).map(|number| Draft::new(7, load, number)).collect()
    }

    #[test]
    fn the_shares_of_malformed_mails_and_of_mails_without_a_list_are_exact_within_two() {
        for (malformed, without_list) in [(0.0, 0.0), (0.05, 0.1), (0.0, 0.2), (0.02, 0.0), (0.5, 0.5)] {
            let drafts = drafts(&load(malformed, without_list), 2_000);
            for (form, share) in [(MailForm::Malformed, malformed), (MailForm::NoList, without_list)] {
                let found = drafts.iter().filter(|draft| draft.form == form).count() as f64;
                assert!((found - 2_000.0 * share).abs() <= 2.0, "{form:?} {share}: {found}");
            }
        }
    }

    #[test]
    fn every_form_comes_with_its_expected_outcome() {
        let mut forms: BTreeMap<MailForm, usize> = BTreeMap::new();
        let mut lists = BTreeSet::new();
        for draft in drafts(&load(0.05, 0.05), 1_000) {
            *forms.entry(draft.form).or_default() += 1;
            lists.insert(format!("{:?}", draft.list));
            let expected = draft.expected();
            match draft.form {
                MailForm::NoList => assert_eq!(expected, Expected::Fallback),
                MailForm::Malformed => assert_eq!(expected, Expected::DeadLetter),
                _ => assert_eq!(expected, Expected::Delivered { readers: draft.readers.clone() }),
            }
        }
        assert_eq!((forms.len(), lists.len()), (11, 3 + NO_ADDRESSES.len()), "{forms:?} {lists:?}");
        let carriers: Vec<usize> = CARRIERS.iter().map(|(form, _)| forms[form]).collect();
        assert!(carriers.iter().max().unwrap() - carriers.iter().min().unwrap() < 50, "{forms:?}");
    }

    #[test]
    fn no_two_mails_share_a_reader_or_a_token() {
        let drafts = drafts(&load(0.1, 0.1), 500);
        let readers: Vec<&String> = drafts.iter().flat_map(|draft| &draft.readers).collect();
        assert_eq!(readers.iter().collect::<BTreeSet<_>>().len(), readers.len());
        assert_eq!(drafts.iter().map(|draft| &draft.token).collect::<BTreeSet<_>>().len(), 500);
        assert!(drafts.iter().all(|draft| draft.form != MailForm::Latin1 || draft.list_line().len() <= LONGEST_PLAIN_LIST));
    }
}
