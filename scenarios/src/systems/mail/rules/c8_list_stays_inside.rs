//! C-8: neither the marker nor the list of readers reaches a reader.

use crate::exchange::Expected;

use super::book::{MailBook, each};
use super::rested::Rested;
use super::words;
use crate::invariants::{Found, Rule};

pub(crate) fn list_stays_inside() -> Rule<MailBook> {
    each("C-8", "the marker and the list never reach a reader", rule)
}

fn rule(rested: &Rested) -> Found {
    let Some(leak) = leak(rested) else { return (Vec::new(), rested.sent.len() as u64) };
    let mut breach = words::breach(rested, "neither the marker nor any reader's address in what they read");
    breach.answered = format!("{leak} stands in what its readers got");
    (vec![breach], rested.sent.len() as u64)
}

fn leak(rested: &Rested) -> Option<String> {
    if rested.sent.iter().any(|sent| sent.marker) {
        return Some("the marker".to_owned());
    }
    let readers = match &rested.mail.expected {
        Expected::Delivered { readers } => readers.as_slice(),
        _ => &[],
    };
    let named = |address: &String| readers.iter().any(|reader| reader.eq_ignore_ascii_case(address));
    rested.sent.iter().find_map(|sent| sent.addresses.iter().find(|address| named(address) || sent.is_for(address))).cloned()
}

#[cfg(test)]
mod tests {
    use crate::systems::mail::SENDER;

    use super::super::fixtures::{Story, with_list};
    use super::*;
    use crate::invariants::fixtures::broken;

    #[test]
    fn the_text_that_readers_get_names_no_reader() {
        let readers = Story::new(1).readers();
        let says = |text: &str| Story::new(1).received(1.0).said(1.1, &readers[..1], text).deleted(1.2);
        for (what, story, expected) in [
            ("nothing of it", says("Line1: all is well\n"), (0, 1)),
            ("the sender's own address", says(&format!("write to {SENDER}.")), (0, 1)),
            ("nothing was sent", Story::new(1).redriven(6.0), (0, 0)),
            ("marker and list", says(&with_list(&readers)), (1, 1)),
            ("the marker without its colons", says("Line2 Email_Rxers_Code"), (1, 1)),
            ("the list without its marker", says(&format!("Line2[{}]", readers.join(","))), (1, 1)),
            ("another reader", says(&format!("also sent to <{}>.", readers[1].to_uppercase())), (1, 1)),
            ("in HTML", says(&format!("<a href=\"mailto:{}\">x</a>", readers[1])), (1, 1)),
        ] {
            assert_eq!(broken(list_stays_inside(), &story.events()), expected, "{what}");
        }
    }
}
