//! Writes a mail from its draft, in every form that the contract names. Pure: the same draft gives
//! the same bytes.

use std::io;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use load::chance::Chance;
use mail_builder::MessageBuilder;
use mail_builder::headers::content_type::ContentType;
use mail_builder::mime::MimePart;

use crate::exchange::{Attachment, MailForm};
use crate::systems::mail::traffic::draft::Draft;

/// How many sensors send mail, in turn.
const SENSORS: u64 = 40;

/// The address that mail is sent to.
pub(crate) const INBOX: &str = "inbox@brownout.example";

/// Midnight of 1 January 2024, UTC: the sensors' clock does not depend on this machine's.
const EPOCH: i64 = 1_704_067_200;

/// Bytes that base64 encodes in one line of 76 characters.
const LINE: usize = 57;

/// A mail that can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) attachments: Vec<Attachment>,
}

/// An attached file, and the MIME part that carries it.
type File = (Attachment, MimePart<'static>);

/// Writes the mail.
///
/// # Errors
/// None known: it writes into memory.
pub(crate) fn compose(draft: &Draft) -> io::Result<Made> {
    let files = files(draft)?;
    let (attachments, parts): (Vec<Attachment>, Vec<MimePart<'static>>) = files.into_iter().unzip();
    let text = body(draft);
    let body = if parts.is_empty() { text } else { multipart("mixed", draft, std::iter::once(text).chain(parts).collect()) };
    let mut bytes = envelope(&draft.token, draft.number, subject(draft)).body(body).write_to_vec()?;
    // A part that encodes its text ends with its last character, a mail with a line break.
    if !bytes.ends_with(b"\r\n") {
        bytes.extend_from_slice(b"\r\n");
    }
    Ok(Made { bytes, attachments })
}

/// The address of the sensor that sends mail `number`.
pub(crate) fn sensor(number: u64) -> String {
    format!("sensor-{}@sensors.example", number % SENSORS)
}

fn envelope(id: &str, number: u64, subject: String) -> MessageBuilder<'static> {
    let sent = EPOCH.saturating_add(i64::try_from(number).unwrap_or(0));
    MessageBuilder::new()
        .from((format!("Sensor {}", number % SENSORS), sensor(number)))
        .to(INBOX)
        .subject(subject)
        .date(sent)
        .message_id(format!("{id}@sensors.example"))
}

fn subject(draft: &Draft) -> String {
    let title = match draft.form {
        MailForm::QuotedPrintable => "Relevé du capteur",
        MailForm::Latin1 => "Messwert für Zürich",
        _ => "Reading of the sensor",
    };
    format!("[{}] {title} {}", draft.token, draft.number % SENSORS)
}

/// The text as its readers would see it, including the list.
pub(crate) fn text(draft: &Draft) -> String {
    let words = match draft.form {
        MailForm::Base64 => "測定値は添付ファイルをご覧ください。\r\n次の測定は一時間後です。",
        MailForm::QuotedPrintable => "La température relevée à l'entrée dépasse légèrement la limite fixée.\r\nRelevé complet ci-joint.",
        MailForm::Latin1 => "Die Größe des Rückstands überschreitet die zulässige Höhe.\r\nNähere Angaben in der Anlage.",
        _ => "The temperature at the inlet is 21.5 degrees, the humidity 40 %.\r\nAll readings of the hour are attached.",
    };
    let list = draft.list_line();
    let separator = if list.is_empty() { "" } else { "\r\n" };
    format!("Line1: sensor {} on site {}\r\n{list}{separator}{words}\r\n", draft.number % SENSORS, draft.number % 7)
}

/// The same as HTML.
fn html(draft: &Draft) -> String {
    let lines: Vec<String> = text(draft).lines().map(|line| format!("<p>{line}</p>")).collect();
    format!("<html><body>\r\n{}\r\n</body></html>\r\n", lines.join("\r\n"))
}

fn body(draft: &Draft) -> MimePart<'static> {
    let text = text(draft);
    match draft.form {
        MailForm::Base64 => MimePart::new(plain("utf-8"), in_lines(&STANDARD.encode(text)).into_bytes()).transfer_encoding("base64"),
        MailForm::Latin1 => MimePart::new(plain("iso-8859-1"), latin1(&text)).transfer_encoding("8bit"),
        MailForm::NestedAlternative | MailForm::NoAttachment => {
            let both = vec![MimePart::new("text/plain", text), MimePart::new("text/html", html(draft))];
            multipart("alternative", draft, both)
        }
        // mail-builder sends long or non-ASCII text as quoted-printable, which is shorter than
        // base64 for these languages.
        _ => MimePart::new("text/plain", text),
    }
}

fn plain(charset: &'static str) -> ContentType<'static> {
    ContentType::new("text/plain").attribute("charset", charset)
}

/// ISO 8859-1 has the first 256 characters of Unicode under their own numbers.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect()
}

fn in_lines(encoded: &str) -> String {
    let mut lines = String::with_capacity(encoded.len() + encoded.len() / 38 + 2);
    for (place, character) in encoded.chars().enumerate() {
        if place > 0 && place % (LINE / 3 * 4) == 0 {
            lines.push_str("\r\n");
        }
        lines.push(character);
    }
    lines
}

fn multipart(kind: &str, draft: &Draft, parts: Vec<MimePart<'static>>) -> MimePart<'static> {
    let boundary = format!("={kind}={}=", draft.token);
    MimePart::new(ContentType::new(format!("multipart/{kind}")).attribute("boundary", boundary), parts)
}

/// The files of a mail in order, each with bytes of its own.
fn files(draft: &Draft) -> io::Result<Vec<File>> {
    if !draft.has_attachments {
        return Ok(Vec::new());
    }
    let room = draft.room();
    let noise = |n: u64, length: usize| Chance::new(&[draft.seed, 0xa77ac4, draft.number, n]).bytes(length.max(16));
    Ok(match draft.form {
        MailForm::Forwarded => vec![forwarded(draft, noise(0, room))?],
        // Different bytes under one name, to catch a function that keeps only one of them.
        MailForm::SameName => (0..2).map(|n| binary("reading.bin", noise(n, room / 2))).collect(),
        _ if draft.is_broken => vec![binary("reading-1.bin", noise(0, room.saturating_sub(500))), broken("reading-2.bin")],
        MailForm::Mixed | MailForm::NoList | MailForm::Malformed => match draft.number % 3 {
            0 => vec![binary("reading 1.bin", noise(0, room))],
            1 => vec![binary("Meßwerte süd.dat", noise(0, room / 2)), binary("reading-2.bin", noise(1, room / 2))],
            _ => vec![binary("reading-1.bin", noise(0, room.saturating_sub(2_000))), table("readings.csv", room.min(1_500))],
        },
        _ => vec![binary("reading.bin", noise(0, room))],
    })
}

fn binary(name: &str, bytes: Vec<u8>) -> File {
    let attachment = attachment(name, &bytes);
    (attachment, MimePart::new("application/octet-stream", bytes).attachment(name.to_owned()))
}

/// A text as an attachment, not as part of the body.
fn table(name: &str, size: usize) -> File {
    let text = "hour,degrees\r\n".to_owned() + &"12,21.5\r\n".repeat(size / 9);
    let attachment = attachment(name, text.as_bytes());
    (attachment, MimePart::new("text/csv", text).attachment(name.to_owned()))
}

/// An attachment that does not match its header: it cannot be decoded.
fn broken(name: &str) -> File {
    let bytes = "~~~ the memory of the sensor could not be read ~~~".as_bytes();
    let part = MimePart::new("application/octet-stream", bytes).attachment(name.to_owned()).transfer_encoding("base64");
    (attachment(name, bytes), part)
}

/// A whole mail as an attachment, sent unchanged.
fn forwarded(draft: &Draft, bytes: Vec<u8>) -> io::Result<File> {
    let name = "forwarded.eml";
    let parts =
        vec![MimePart::new("text/plain", "Seen at noon.\r\n"), MimePart::new("application/octet-stream", bytes).attachment("seen.bin")];
    let boundary = format!("=inner={}=", draft.token);
    let inner = envelope(&format!("inner-{}", draft.token), draft.number, "Something was seen".to_owned())
        .body(MimePart::new(ContentType::new("multipart/mixed").attribute("boundary", boundary), parts))
        .write_to_vec()?;
    let attachment = attachment(name, &inner);
    Ok((attachment, MimePart::new("message/rfc822", inner).attachment(name).transfer_encoding("7bit")))
}

fn attachment(name: &str, bytes: &[u8]) -> Attachment {
    let hash = digest::digest(&digest::SHA256, bytes);
    let sha256 = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Attachment { name: name.to_owned(), size: bytes.len() as u64, sha256 }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use mail_parser::{Encoding, MessageParser, MimeHeaders};

    use super::*;
    use crate::systems::mail::MailLoad;
    use crate::systems::mail::traffic::draft::List;
    use crate::systems::mail::traffic::sizes::Class;
    use crate::units::{Rate, Size};
    use faults::Share;

    fn load(largest: u64) -> MailLoad {
        let share = Share::try_from(0.05).unwrap();
        MailLoad { rate: Rate(1.0), burst: 0, largest: Size(largest), malformed: share, without_list: share }
    }

    #[test]
    fn every_form_is_read_back_as_written() {
        let mut seen: BTreeMap<MailForm, usize> = BTreeMap::new();
        for number in 0..400 {
            let draft = Draft::new(7, &load(60_000), number);
            let made = compose(&draft).unwrap();
            let mail = MessageParser::new().parse(&made.bytes).unwrap();
            let what = format!("{draft:?}\n{}", String::from_utf8_lossy(&made.bytes[..made.bytes.len().min(2_000)]));
            *seen.entry(draft.form).or_default() += 1;
            assert!(made.bytes.ends_with(b"\r\n"), "{what}");
            assert!(mail.subject().unwrap().starts_with(&format!("[{}] ", draft.token)), "{what}");
            assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), text(&draft).replace("\r\n", "\n"), "{what}");
            let parts: Vec<_> = mail.attachments().collect();
            let found: Vec<Attachment> = parts.iter().map(|part| attachment(part.attachment_name().unwrap(), part.contents())).collect();
            assert_eq!(parts.iter().any(|part| part.is_encoding_problem), draft.is_broken, "{what}");
            assert!(draft.is_broken || found == made.attachments, "{what}\n{found:?}");
            assert_eq!(found.len(), made.attachments.len(), "{what}");
            assert_eq!(found.is_empty(), !draft.has_attachments, "{what}");
        }
        assert_eq!(seen.len(), 11, "{seen:?}");
        assert!(seen.values().all(|count| *count >= 10), "{seen:?}");
    }

    #[test]
    fn each_form_has_the_encoding_that_its_name_says() {
        for number in 0..300 {
            let draft = Draft::new(9, &load(30_000), number);
            let made = compose(&draft).unwrap();
            let mail = MessageParser::new().parse(&made.bytes).unwrap();
            let body = mail.text_part(0).unwrap();
            let header = body.content_transfer_encoding().unwrap_or_default();
            match draft.form {
                MailForm::Base64 => assert_eq!((body.encoding, header), (Encoding::Base64, "base64"), "{draft:?}"),
                MailForm::QuotedPrintable => assert_eq!(body.encoding, Encoding::QuotedPrintable, "{draft:?}"),
                MailForm::Latin1 => {
                    assert_eq!(header, "8bit");
                    assert!(!made.bytes.is_ascii() && std::str::from_utf8(&made.bytes).is_err(), "{draft:?}");
                }
                MailForm::NestedAlternative => {
                    assert_eq!((mail.html_body_count(), mail.root_part().content_type().unwrap().subtype()), (1, Some("mixed")));
                    assert!(mail.body_html(0).unwrap().contains(&draft.list_line()), "{draft:?}");
                }
                MailForm::NoAttachment => assert_eq!(mail.root_part().content_type().unwrap().subtype(), Some("alternative")),
                MailForm::Single => assert!(!mail.root_part().is_multipart()),
                MailForm::Forwarded => assert!(mail.attachment(0).unwrap().is_message()),
                MailForm::SameName => {
                    assert_eq!(made.attachments[0].name, made.attachments[1].name);
                    assert_ne!(made.attachments[0].sha256, made.attachments[1].sha256);
                }
                _ => {}
            }
            // Every server must accept the length of each line.
            assert!(made.bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 999), "{draft:?}");
        }
    }

    #[test]
    fn a_size_stays_within_its_class_and_the_limit() {
        for number in 0..200 {
            let (class, _) = Class::of(7, number);
            if class > Class::UpTo10 {
                continue;
            }
            let made = compose(&Draft::new(7, &load(40_000_000), number)).unwrap();
            let (least, most) = class.bounds();
            assert!((least..=most).contains(&(made.bytes.len() as u64)), "{class:?} {}", made.bytes.len());
            let cut = compose(&Draft::new(7, &load(20_000), number)).unwrap();
            assert!(cut.bytes.len() <= 20_000, "{}", cut.bytes.len());
            assert!(class == Class::Small || cut.bytes.len() >= 10_000, "{}", cut.bytes.len());
        }
        for (class, least, most) in [(Class::UpTo25, 10_000_000, 25_000_000), (Class::UpTo40, 25_000_000, 40_000_000)] {
            let number = (0..1_000).find(|number| Class::of(7, *number).0 == class).unwrap();
            let size = compose(&Draft::new(7, &load(40_000_000), number)).unwrap().bytes.len();
            assert!((least..=most).contains(&size), "{class:?} {size}");
        }
    }

    #[test]
    fn the_same_seed_writes_the_same_mail_and_no_two_mails_are_alike() {
        let mut all = BTreeSet::new();
        for number in 0..60 {
            let made = compose(&Draft::new(7, &load(30_000), number)).unwrap();
            assert_eq!(made, compose(&Draft::new(7, &load(30_000), number)).unwrap());
            assert_ne!(made, compose(&Draft::new(8, &load(30_000), number)).unwrap());
            all.extend(made.attachments.into_iter().filter(|file| !file.name.ends_with("csv")).map(|file| file.sha256));
            assert!(all.insert(String::from_utf8_lossy(&made.bytes).into_owned()));
        }
    }

    #[test]
    fn a_mail_that_cannot_be_processed_is_still_a_mail() {
        let drafts = (0..2_000).map(|number| Draft::new(7, &load(20_000), number));
        for draft in drafts.filter(|draft| draft.form == MailForm::Malformed) {
            let said = text(&draft);
            let markers = said.matches(crate::systems::mail::MARKER).count();
            assert_eq!(markers, 2, "{said}");
            match draft.list {
                List::Invalid(what) => assert!(!draft.is_broken && said.contains(&format!(",{what}:")), "{said}"),
                _ => assert!(draft.is_broken, "{said}"),
            }
        }
    }
}
