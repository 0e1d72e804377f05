//! Reads a mail: any bytes give a mail or an error. Attachments are taken as they were sent,
//! without a second copy of them.

use super::file_name::file_name;
use super::readers::{addresses, listed, unmarked};
use hyper::body::Bytes;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::html::html_to_text;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{Address, Encoding, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use std::borrow::Cow;
use std::mem::take;
use thiserror::Error;

/// A longer text becomes an attachment, and the letter holds its beginning.
const LONGEST_TEXT: usize = 1024 * 1024;

/// Longest title or address that is kept from outside. Source: RFC 5322, 2.1.1, the longest line.
const LONGEST_LINE: usize = 998;

/// A parsed mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mail {
    /// The address of its author.
    pub(super) sender: String,
    /// The addresses to which its author sent it.
    pub(super) recipients: Vec<String>,
    /// Its subject.
    pub(super) title: String,
    /// The text, without the marked lines.
    pub(super) text: String,
    /// The readers; at least one.
    pub(super) readers: Option<Vec<String>>,
    /// In their order.
    pub(super) attachments: Vec<Attachment>,
}

/// A file in a mail.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Attachment {
    /// Safe to be a part of a key.
    pub(super) name: String,
    /// Such as `image/png`.
    pub(super) content_type: String,
    /// The decoded content.
    pub(super) content: Bytes,
}

/// Why a mail cannot be processed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MailError {
    /// It is not a mail.
    #[error("the object is not a mail")]
    NotAMail,
    /// Without an author.
    #[error("the mail has no sender")]
    NoSender,
    /// A part's content does not match its header.
    #[error("a part of the mail is broken")]
    Broken,
    /// An entry of the list of readers is not an address.
    #[error("reader {number} of the list is not an address")]
    Reader {
        /// Counted from 1.
        number: usize,
    },
}

impl Mail {
    /// Reads `raw`; `marker` is the text before and after the list of readers.
    ///
    /// # Errors
    /// If it cannot be processed.
    pub(super) fn read(raw: &Bytes, marker: &str) -> Result<Self, MailError> {
        let mut message = MessageParser::default().parse(raw).ok_or(MailError::NotAMail)?;
        let mail = Self::from_message(raw, &mut message, marker);
        take_apart(message);
        mail
    }

    fn from_message(raw: &Bytes, message: &mut Message<'_>, marker: &str) -> Result<Self, MailError> {
        let sender = message.from().and_then(Address::first).and_then(|from| from.address()).filter(|address| !address.is_empty());
        let sender = shortened(sender.ok_or(MailError::NoSender)?);
        if message.parts.iter().any(is_broken) {
            return Err(MailError::Broken);
        }
        let recipients = message.to().into_iter().chain(message.cc()).flat_map(Address::iter).filter_map(|recipient| recipient.address());
        let recipients = recipients.map(shortened).collect();
        let title = shortened(message.subject().unwrap_or_default());
        let texts: Vec<Cow<'_, str>> = (0..message.text_body.len()).filter_map(|n| message.body_text(n)).collect();
        let text = texts.join("\n");
        let readers = match listed(&text, marker) {
            Some(list) => addresses(list)?,
            None => listed_in_html(message, marker)?,
        };
        let mut mail = Self {
            sender,
            recipients,
            title,
            text: unmarked(&text, marker),
            readers: (!readers.is_empty()).then_some(readers),
            attachments: Vec::new(),
        };
        drop(text);
        for id in take(&mut message.attachments) {
            if let Some(part) = usize::try_from(id).ok().and_then(|id| message.parts.get_mut(id)) {
                mail.attachments.extend(Attachment::taken_from(part, raw)?);
            }
        }
        mail.put_a_long_text_aside();
        Ok(mail)
    }

    fn put_a_long_text_aside(&mut self) {
        if self.text.len() > LONGEST_TEXT {
            let beginning = self.text.get(..self.text.floor_char_boundary(LONGEST_TEXT)).unwrap_or_default();
            let beginning = format!("{beginning}...\n");
            let whole = std::mem::replace(&mut self.text, beginning);
            let content_type = "text/plain; charset=utf-8".to_owned();
            self.attachments.push(Attachment { name: "text.txt".to_owned(), content_type, content: Bytes::from(whole) });
        }
    }
}

impl Attachment {
    /// Takes the content out of `part`, so that the mail does not hold it any more; `None` if the
    /// part only holds others.
    fn taken_from(part: &mut MessagePart<'_>, raw: &Bytes) -> Result<Option<Self>, MailError> {
        let is_mail = matches!(part.body, PartType::Message(_));
        let name = file_name(part.attachment_name(), is_mail);
        let declared = part.content_type().map(|t| format!("{}/{}", t.ctype(), t.subtype().unwrap_or("octet-stream")));
        let is_plain = |t: &String| t.len() <= 100 && t.bytes().all(|b| b.is_ascii_graphic());
        let content_type = declared.filter(is_plain).unwrap_or_else(|| "application/octet-stream".to_owned());
        let content = match take(&mut part.body) {
            PartType::Multipart(_) => return Ok(None),
            PartType::Binary(Cow::Owned(content)) | PartType::InlineBinary(Cow::Owned(content)) => Some(content.into()),
            PartType::Binary(Cow::Borrowed(_)) | PartType::InlineBinary(Cow::Borrowed(_)) => as_sent(part, raw),
            PartType::Text(text) | PartType::Html(text) => {
                // This text was converted to UTF-8, so it is not what was sent.
                drop(text);
                decoded_anew(part, raw)
            }
            PartType::Message(mut inner) => {
                let sent = match part.encoding {
                    Encoding::None => as_sent(part, raw),
                    Encoding::Base64 | Encoding::QuotedPrintable => Some(take(&mut inner.raw_message).into_owned().into()),
                };
                take_apart(inner);
                sent
            }
        };
        Ok(Some(Self { name, content_type, content: content.ok_or(MailError::Broken)? }))
    }
}

/// The part's bytes in `raw`, still encoded.
fn as_sent(part: &MessagePart<'_>, raw: &Bytes) -> Option<Bytes> {
    let (from, to) = (usize::try_from(part.offset_body).ok()?, usize::try_from(part.offset_end).ok()?);
    raw.get(from..to).map(|sent| raw.slice_ref(sent))
}

fn decoded_anew(part: &MessagePart<'_>, raw: &Bytes) -> Option<Bytes> {
    let sent = as_sent(part, raw)?;
    match part.encoding {
        Encoding::None => Some(sent),
        Encoding::Base64 => base64_decode(&sent).map(Bytes::from),
        Encoding::QuotedPrintable => quoted_printable_decode(&sent).map(Bytes::from),
    }
}

/// A mail within the mail is passed on unchanged, so errors in it do not matter here.
fn is_broken(part: &MessagePart<'_>) -> bool {
    let declared = part.content_type().map_or("text", |declared| declared.ctype());
    let undecodable = part.is_encoding_problem && part.offset_end > part.offset_body && !declared.eq_ignore_ascii_case("message");
    undecodable || declared.eq_ignore_ascii_case("multipart") && !matches!(part.body, PartType::Multipart(_))
}

/// The readers that only the HTML form of a mail lists.
fn listed_in_html(message: &Message<'_>, marker: &str) -> Result<Vec<String>, MailError> {
    let parts = message.html_body.iter().filter_map(|&id| message.part(id));
    let texts = parts.filter_map(|part| if let PartType::Html(html) = &part.body { Some(html_to_text(html)) } else { None });
    let list = texts.into_iter().find_map(|text| listed(&text, marker).map(addresses));
    list.unwrap_or_else(|| Ok(Vec::new()))
}

/// Mails may nest so deeply that dropping them recursively would overflow the stack.
fn take_apart(message: Message<'_>) {
    let mut left = vec![message];
    while let Some(mut message) = left.pop() {
        for part in &mut message.parts {
            if let PartType::Message(inner) = take(&mut part.body) {
                left.push(inner);
            }
        }
    }
}

/// One line of a bounded length, without any character that could begin another line.
fn shortened(line: &str) -> String {
    let line = line.get(..line.floor_char_boundary(LONGEST_LINE)).unwrap_or_default();
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine, prelude::BASE64_STANDARD};

    const MARKER: &str = ":Email_Rxers_Code:";
    const HEAD: &str = "From: Sensor 1 <sensor-1@field.example>\r\nTo: hub@brownout.example\r\nCc: Deputy <deputy@brownout.example>\r\nSubject: =?utf-8?Q?Messwerte_f=C3=BCr?= [m-1]\r\nMIME-Version: 1.0\r\n";
    const TEXT: &str = "Line1\r\nLine2:Email_Rxers_Code:a@x.com,b@y.com:Email_Rxers_Code:\r\nLine3";

    fn read(rest: &str) -> Result<Mail, MailError> {
        read_bytes(format!("{HEAD}{rest}").into_bytes())
    }

    fn read_bytes(raw: Vec<u8>) -> Result<Mail, MailError> {
        Mail::read(&raw.into(), MARKER)
    }

    fn mixed(parts: &[&str]) -> String {
        let parts: String = parts.iter().map(|part| format!("--b1\r\n{part}\r\n")).collect();
        format!("Content-Type: multipart/mixed; boundary=b1\r\n\r\n{parts}--b1--\r\n")
    }

    fn file(name: &str, content: &[u8]) -> String {
        let encoded = BASE64_STANDARD.encode(content);
        format!(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n{encoded}"
        )
    }

    fn plain(text: &str) -> String {
        format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}")
    }

    #[test]
    fn every_form_of_a_body_has_its_readers_and_its_text() {
        let encoded = BASE64_STANDARD.encode(TEXT);
        let soft = TEXT.replace('=', "=3D").replace("b@y", "=\r\nb@y");
        let html = "<html><body><p>Line1</p><p>Line2:Email_Rxers_Code:a@x.com,b@y.com:Email_Rxers_Code:</p><p>Line3</p></body></html>";
        let alternative = format!(
            "Content-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\n{}\r\n--b2\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b2--",
            plain(TEXT)
        );
        let only_in_html = format!(
            "Content-Type: multipart/alternative; boundary=b2\r\n\r\n--b2\r\n{}\r\n--b2\r\nContent-Type: text/html\r\n\r\n{html}\r\n--b2--",
            plain("Line1\r\nLine3")
        );
        let forms = [
            ("a single part", format!("\r\n{TEXT}")),
            ("base64", format!("Content-Transfer-Encoding: base64\r\n\r\n{encoded}\r\n")),
            ("quoted-printable", format!("Content-Transfer-Encoding: quoted-printable\r\n\r\n{soft}")),
            ("multipart/mixed", mixed(&[&plain(TEXT), &file("a.bin", b"a")])),
            ("nested alternative", mixed(&[&alternative, &file("a.bin", b"a")])),
            ("listed in HTML only", only_in_html),
            ("HTML alone", format!("Content-Type: text/html\r\n\r\n{html}")),
            ("line feeds alone", format!("\r\n{TEXT}").replace("\r\n", "\n")),
        ];
        for (form, rest) in forms {
            let mail = read(&rest).unwrap_or_else(|error| panic!("{form}: {error}"));
            assert_eq!(mail.readers.as_deref(), Some(&["a@x.com".to_owned(), "b@y.com".to_owned()][..]), "{form}");
            assert!(mail.text.contains("Line1") && mail.text.contains("Line3"), "{form}: {}", mail.text);
            assert!(!mail.text.contains(MARKER) && !mail.text.contains("@x.com"), "{form}: {}", mail.text);
            assert_eq!((mail.sender.as_str(), mail.title.as_str()), ("sensor-1@field.example", "Messwerte für [m-1]"), "{form}");
            assert_eq!(mail.recipients, ["hub@brownout.example", "deputy@brownout.example"], "{form}");
        }
    }

    #[test]
    fn latin_1_is_decoded_and_passed_on() {
        let mut raw =
            format!("{HEAD}Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{TEXT} 21 ").into_bytes();
        raw.extend_from_slice(b"\xb0C");
        assert!(read_bytes(raw).unwrap().text.ends_with("21 °C"));
    }

    #[test]
    fn attachments_are_byte_for_byte_what_was_sent() {
        let inner = "From: a@b.example\r\nSubject: inner\r\nContent-Type: multipart/mixed; boundary=b3\r\n\r\n--b3\r\n\r\n:Email_Rxers_Code:x@x.com:Email_Rxers_Code:\r\n--b3\r\n\r\nsecond\r\n--b3--\r\n";
        let latin = b"temp;21\xb0\r\nend".as_slice();
        let latin_file = format!(
            "Content-Type: text/csv; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=t.csv\r\n\r\n{}",
            BASE64_STANDARD.encode(latin)
        );
        let quoted = "Content-Type: text/plain; name=q.txt\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Disposition: attachment\r\n\r\n=F6=\r\n!";
        let plain_file = "Content-Type: application/json\r\nContent-Disposition: attachment; filename=p.json\r\n\r\n{\r\n}";
        let image = format!("Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", BASE64_STANDARD.encode(b"\x89PNG"));
        let rest = mixed(&[
            &plain(TEXT),
            &file("one.bin", &[0, 255, 13, 10, 7]),
            &file("one.bin", b"another"),
            &format!("Content-Type: message/rfc822\r\n\r\n{inner}"),
            &format!("Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", BASE64_STANDARD.encode(inner)),
            &latin_file,
            quoted,
            plain_file,
            &image,
            &file("empty", b""),
        ]);
        let mail = read(&rest).unwrap();
        let expected: [(&str, &[u8]); 9] = [
            ("one.bin", &[0, 255, 13, 10, 7]),
            ("one.bin", b"another"),
            ("message.eml", inner.as_bytes()),
            ("message.eml", inner.as_bytes()),
            ("t.csv", latin),
            ("q.txt", b"\xf6!"),
            ("p.json", b"{\r\n}"),
            ("attachment", b"\x89PNG"),
            ("empty", b""),
        ];
        let found: Vec<(&str, &[u8])> = mail.attachments.iter().map(|file| (file.name.as_str(), &*file.content)).collect();
        assert_eq!(found, expected);
        let types: Vec<&str> = mail.attachments.iter().map(|file| file.content_type.as_str()).collect();
        assert_eq!((types[2], types[4], types[7]), ("message/rfc822", "text/csv", "image/png"));
        assert_eq!(mail.readers.map(|readers| readers.len()), Some(2));
    }

    #[test]
    fn a_mail_without_a_list_has_no_readers() {
        for rest in ["\r\nHello", "\r\n", "", "\r\n:Email_Rxers_Code: , :Email_Rxers_Code:", "\r\nLine2:Email_Rxers_Code:a@x.com"] {
            assert_eq!(read(rest).map(|mail| mail.readers), Ok(None), "{rest}");
        }
    }

    #[test]
    fn a_mail_that_cannot_be_processed_is_an_error() {
        let broken = [
            (read_bytes(Vec::new()), MailError::NotAMail),
            (read_bytes(vec![0xff; 3000]), MailError::NoSender),
            (read_bytes(b"\r\n\r\n".to_vec()), MailError::NoSender),
            (read_bytes(b"just some words".to_vec()), MailError::NoSender),
            (read_bytes(format!("Subject: x\r\n\r\n{TEXT}").into_bytes()), MailError::NoSender),
            (read_bytes(b"Received: from x\r\n\xff\xfe\x00\r\n\r\n\xff".to_vec()), MailError::NoSender),
            (read("\r\n:Email_Rxers_Code:a@x.com,nobody:Email_Rxers_Code:"), MailError::Reader { number: 2 }),
            (read("Content-Transfer-Encoding: base64\r\n\r\n!!!! no base64 !!!!"), MailError::Broken),
            (read(&format!("Content-Type: multipart/mixed\r\n\r\n--b1\r\n\r\n{TEXT}\r\n--b1--")), MailError::Broken),
            (read(mixed(&[&plain(TEXT), &file("a", &[9; 400])]).split_at(400).0), MailError::Broken),
        ];
        for (n, (found, expected)) in broken.into_iter().enumerate() {
            assert_eq!(found, Err(expected), "case {n}");
        }
    }

    #[test]
    fn a_title_is_one_line_and_no_longer_than_one() {
        let encoded = BASE64_STANDARD.encode(format!("a\r\nBcc: everyone@x.com{}", "x".repeat(30)));
        let raw = format!("From: a@b.example\r\nSubject: =?utf-8?B?{encoded}?=\r\n\r\n{TEXT}");
        let title = read_bytes(raw.into_bytes()).unwrap().title;
        assert!(title.starts_with("a  Bcc:") && !title.contains(char::is_control), "{title}");
    }

    #[test]
    fn a_long_text_becomes_an_attachment_and_loses_nothing_but_its_list() {
        let line = "0123456789 °\r\n";
        let lines = line.repeat(LONGEST_TEXT / line.len() + 10);
        let mail = read(&format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}{TEXT}")).unwrap();
        assert!(mail.text.len() < LONGEST_TEXT + 10 && mail.text.starts_with(line) && mail.text.ends_with("...\n"));
        let [whole] = &mail.attachments[..] else { panic!("{} attachments", mail.attachments.len()) };
        assert_eq!((whole.name.as_str(), &*whole.content), ("text.txt", format!("{lines}Line1\r\nLine3").as_bytes()));
    }

    #[test]
    fn mails_within_mails_are_dropped_at_any_depth() {
        for rest in ["", "\r\nend"] {
            let deep = format!("{HEAD}{}{rest}", "Content-Type: message/rfc822\r\n\r\n".repeat(200_000));
            let _ = read_bytes(deep.into_bytes());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_a_mail_or_an_error(raw in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
            let _ = read_bytes(raw);
        }

        #[test]
        fn any_mixture_of_fragments_of_mails_is_a_mail_or_an_error(pieces in proptest::collection::vec(0_usize..24, 0..40), noise in "\\PC{0,12}") {
            const PIECES: [&str; 23] = [
                HEAD, TEXT, "\r\n", "\n", "--", "--b1", "--b1--", "--b2", "=", "=3D", "=?utf-8?B?YQ==?=", "<p>", "&#x;", "&", "YWJj",
                "Content-Type: multipart/mixed; boundary=b1\r\n", "Content-Type: multipart/alternative; boundary=b2\r\n",
                "Content-Type: message/rfc822\r\n", "Content-Type: text/html\r\n", "Content-Transfer-Encoding: base64\r\n",
                "Content-Transfer-Encoding: quoted-printable\r\n", "Content-Disposition: attachment; filename*0*=utf-8''a%20; filename*1=b\r\n", "From: x@y.z\r\n",
            ];
            let raw: String = pieces.into_iter().map(|n| PIECES.get(n).copied().unwrap_or(&noise)).collect();
            if let Ok(mail) = read_bytes(raw.into_bytes()) {
                proptest::prop_assert!(!mail.text.contains(MARKER) && mail.readers.is_none_or(|readers| !readers.is_empty()));
            }
        }

        #[test]
        fn a_file_of_any_bytes_comes_out_unchanged(content in proptest::collection::vec(proptest::num::u8::ANY, 0..2000)) {
            let mail = read(&mixed(&[&plain(TEXT), &file("a.bin", &content)])).unwrap();
            proptest::prop_assert_eq!(&*mail.attachments[0].content, &content[..]);
        }
    }
}
