//! How a mail is described to people: what it was, what happened to it, and how to send a similar
//! one.

use crate::systems::mail::MARKER;

use crate::exchange::{Expected, Mail};
use crate::strike::Struck;

use super::rested::{Left, Rested};
use crate::invariants::Breach;
use crate::invariants::wording::several;

/// The breach of a rule by the outcome of a mail.
pub(crate) fn breach(rested: &Rested, expected: &str) -> Breach {
    let expected = format!("{expected}; {}", struck(&rested.strikes));
    Breach { answered: became(rested), expected, ..about(&rested.mail) }
}

/// A breach about a mail; the caller fills in what came and what was expected.
pub(crate) fn about(mail: &Mail) -> Breach {
    Breach { at: mail.due, root: None, asked: asked(mail), answered: String::new(), expected: String::new(), repeat: repeat(mail) }
}

/// For example `mail [m-7-000123] (Mixed, 2345 bytes, 1 attachment) for 2 readers`.
fn asked(mail: &Mail) -> String {
    let whom = match &mail.expected {
        Expected::Delivered { readers } => format!("for {}", several(readers.len(), "reader")),
        Expected::Fallback => "without a list of readers".to_owned(),
        Expected::DeadLetter => "that cannot be processed".to_owned(),
        Expected::Refused => "that is too large".to_owned(),
    };
    let attachments = several(mail.attachments.len(), "attachment");
    format!("mail [{}] ({:?}, {} bytes, {attachments}) {whom}", mail.token, mail.form, mail.size)
}

/// For example
/// `handed out twice, sent 1 time to 2 of 2 readers, no notice, then deleted from the queue`.
fn became(rested: &Rested) -> String {
    let readers = match &rested.mail.expected {
        Expected::Delivered { readers } => readers.as_slice(),
        _ => &[],
    };
    let reached = readers.iter().filter(|reader| rested.reached(reader)).count();
    let sent = match rested.sent.len() {
        0 => "never sent".to_owned(),
        times => format!("sent {} to {reached} of {}", several(times, "time"), several(readers.len(), "reader")),
    };
    let left = match rested.trip.left {
        Some((_, Left::Deleted)) => "then deleted from the queue",
        Some((_, Left::DeadLetter)) => "then in the dead-letter queue",
        Some((_, Left::Expired)) => "then expired in the queue",
        None if rested.trip.began() => "still in the queue",
        None => "never in the queue",
    };
    let (receives, notices) = (several(rested.trip.receives as usize, "time"), several(rested.notices as usize, "notice"));
    format!("handed out {receives}, {sent}, {notices} to the fallback topic, {left}")
}

fn struck(strikes: &[Struck]) -> String {
    let mut told: Vec<_> = strikes.iter().map(ToString::to_string).collect();
    told.dedup();
    told.truncate(5);
    if told.is_empty() { "no fault struck on its way".to_owned() } else { format!("{} struck on its way", told.join(", ")) }
}

/// A command that sends a similar mail; `$SMTP` is a placeholder for the address. It attaches an
/// arbitrary file for each attachment.
fn repeat(mail: &Mail) -> String {
    let list = match &mail.expected {
        Expected::Delivered { readers } => format!("Line2{MARKER}{}{MARKER}", readers.join(",")),
        Expected::DeadLetter => format!("Line2{MARKER}nobody@"),
        Expected::Fallback | Expected::Refused => "no list".to_owned(),
    };
    let files = mail.attachments.iter().map(|file| format!(" -F '=@Cargo.toml;filename={};encoder=base64'", quoted(&file.name)));
    format!(
        "curl 'smtp://'$SMTP --mail-from sensor@sensors.example --mail-rcpt inbox@brownout.example -H 'Subject: [{}] again' -F '={list}'{}",
        mail.token,
        files.collect::<String>()
    )
}

/// Replaces characters that would end the quotes or the name.
fn quoted(name: &str) -> String {
    name.replace(['\'', ';', '"'], "_")
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;

    #[test]
    fn a_breach_says_what_happened_to_a_mail_and_how_to_send_a_similar_one() {
        let rested = Story::new(7).received(1.0).struck(1.1, "lose-answer").sent(1.1).received(2.0).sent(2.1).deleted(2.2).rested();
        let breach = breach(&rested, "once");
        assert_eq!(breach.asked, "mail [m-7-000007] (Mixed, 2345 bytes, 1 attachment) for 2 readers");
        assert_eq!(
            breach.answered,
            "handed out 2 times, sent 2 times to 2 of 2 readers, 0 notices to the fallback topic, then deleted from the queue"
        );
        assert_eq!(breach.expected, "once; `test` (lose-answer) at email-processor struck on its way");
        assert_eq!(
            breach.repeat,
            "curl 'smtp://'$SMTP --mail-from sensor@sensors.example --mail-rcpt inbox@brownout.example \
             -H 'Subject: [m-7-000007] again' -F '=Line2:Email_Rxers_Code:r0.m-7-000007@readers.example,r1.m-7-000007@readers.example:Email_Rxers_Code:' \
             -F '=@Cargo.toml;filename=reading.bin;encoder=base64'"
        );
    }
}
