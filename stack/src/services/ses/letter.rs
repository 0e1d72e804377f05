//! Parses a `SendEmail` request: raw MIME by `mail-parser`, or the simple form. Anything that SES
//! would not send is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, MessageParser};
use serde::Deserialize;

use super::store::LARGEST_MESSAGE;

/// The most bytes of the text that are kept.
const MOST_TEXT: usize = 64 * 1024;

/// The fields of `SendEmail` that matter here. Others have no effect on this machine.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Request {
    from_email_address: Option<String>,
    destination: Option<Destination>,
    content: Content,
    configuration_set_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    raw: Option<Raw>,
    simple: Option<Simple>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Raw {
    data: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Text,
    body: Body,
    #[serde(default)]
    attachments: Vec<serde_json::Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

/// A mail that can be sent.
#[derive(Debug, PartialEq, Eq)]
pub struct Letter {
    /// The sender, and the address in its From header if that differs: addresses only.
    pub from: Vec<String>,
    /// All its recipients: addresses only.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// The text that its readers see.
    pub text: String,
    /// How many attachments it has.
    pub attachments: u32,
}

/// Why it cannot be sent: the exception and its message.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub &'static str, pub String);

fn bad(message: impl Into<String>) -> Refusal {
    Refusal("BadRequestException", message.into())
}

/// Parses a request.
///
/// # Errors
/// If SES would refuse it for its form.
pub fn read(body: &[u8]) -> Result<Letter, Refusal> {
    let request: Request = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    if let Some(name) = request.configuration_set_name {
        return Err(Refusal("NotFoundException", format!("Configuration set <{name}> does not exist.")));
    }
    let named = request.destination.map(|to| [to.to_addresses, to.cc_addresses, to.bcc_addresses].concat()).unwrap_or_default();
    let mut letter = match request.content {
        Content { raw: Some(raw), simple: None } => mime(&raw.data)?,
        Content { raw: None, simple: Some(simple) } => plain(simple)?,
        _ => return Err(bad("expected one of Content.Raw and Content.Simple, which are served here")),
    };
    // Fields of the request override the mail's headers.
    if !named.is_empty() {
        letter.to = named;
    }
    if let Some(from) = request.from_email_address {
        letter.from.insert(0, from);
    }
    for all in [&mut letter.from, &mut letter.to] {
        for text in all.iter_mut() {
            *text = address(text).ok_or_else(|| bad(format!("Missing final '@domain': {text}")))?;
        }
    }
    letter.from.dedup();
    if letter.from.is_empty() {
        return Err(bad("FromEmailAddress is missing"));
    }
    Ok(letter)
}

fn mime(data: &str) -> Result<Letter, Refusal> {
    let raw = STANDARD.decode(data).map_err(|_| bad("Content.Raw.Data is not base64"))?;
    if raw.len() > LARGEST_MESSAGE {
        return Err(bad(format!("Message length is more than {LARGEST_MESSAGE} bytes long: '{}'.", raw.len())));
    }
    let message = MessageParser::default().parse(&raw).ok_or_else(|| bad("the raw message has no header"))?;
    let addresses = |found: Option<&Address<'_>>| -> Vec<String> {
        found.into_iter().flat_map(Address::iter).filter_map(|one| one.address().map(str::to_owned)).collect()
    };
    let mut seen: Vec<u32> = Vec::new();
    for part in message.text_body.iter().chain(&message.html_body) {
        if !seen.contains(part) {
            seen.push(*part);
        }
    }
    let texts = seen.into_iter().filter_map(|part| message.part(part)?.text_contents());
    Ok(Letter {
        from: addresses(message.from()),
        to: [message.to(), message.cc(), message.bcc()].into_iter().flat_map(addresses).collect(),
        subject: message.subject().unwrap_or_default().to_owned(),
        text: joined(texts),
        attachments: u32::try_from(message.attachment_count()).unwrap_or(u32::MAX),
    })
}

fn plain(simple: Simple) -> Result<Letter, Refusal> {
    let Body { text, html } = simple.body;
    if text.is_none() && html.is_none() {
        return Err(bad("Content.Simple.Body has neither Text nor Html"));
    }
    let texts = [&text, &html].into_iter().flatten().map(|text| text.data.as_str());
    Ok(Letter {
        from: Vec::new(),
        to: Vec::new(),
        text: joined(texts),
        subject: simple.subject.data,
        attachments: u32::try_from(simple.attachments.len()).unwrap_or(u32::MAX),
    })
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut joined = String::new();
    for text in texts {
        if !joined.is_empty() {
            joined.push('\n');
        }
        let room = MOST_TEXT.saturating_sub(joined.len());
        let end = if text.len() <= room { text.len() } else { (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0) };
        joined.push_str(text.get(..end).unwrap_or_default());
    }
    joined
}

/// `a@b` from `a@b` or `Name <a@b>`; `None` if it contains no address.
fn address(text: &str) -> Option<String> {
    let bare = match text.rsplit_once('<') {
        Some((_, after)) => after.split_once('>')?.0,
        None => text,
    };
    let bare = bare.trim();
    let (local, domain) = bare.rsplit_once('@')?;
    let sound = |part: &str| !part.is_empty() && part.chars().all(|letter| letter.is_ascii_graphic() && !matches!(letter, '<' | '>' | ','));
    (sound(local) && sound(domain) && !domain.contains('@')).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn raw(mail: &str) -> serde_json::Value {
        json!({"Content": {"Raw": {"Data": STANDARD.encode(mail)}}})
    }

    fn parse(request: &serde_json::Value) -> Result<Letter, Refusal> {
        read(request.to_string().as_bytes())
    }

    const ALTERNATIVE: &str = "From: Sensor <s@x.org>\r\nTo: a@x.org, B <b@x.org>\r\nCc: c@x.org\r\nBcc: d@x.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\
        MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
        --a\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ncaf=E9\r\n\
        --a\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+bGluazwvYj4=\r\n--a--\r\n\
        --m\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=x.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--m--\r\n";

    #[test]
    fn a_raw_mail_is_read_as_its_readers_see_it() {
        let letter = parse(&raw(ALTERNATIVE)).unwrap();
        let all = ["a@x.org", "b@x.org", "c@x.org", "d@x.org"].map(str::to_owned).to_vec();
        assert_eq!((&letter.from, &letter.to), (&vec!["s@x.org".to_owned()], &all));
        assert_eq!((letter.subject.as_str(), letter.attachments), ("café", 1));
        assert_eq!(letter.text.split_whitespace().collect::<Vec<_>>(), ["café", "<b>link</b>"]);
        let mut directed = raw(ALTERNATIVE);
        directed["Destination"] = json!({"BccAddresses": ["Z <z@x.org>"]});
        directed["FromEmailAddress"] = json!("s@x.org");
        let letter = parse(&directed).unwrap();
        assert_eq!((letter.from, letter.to), (vec!["s@x.org".to_owned()], vec!["z@x.org".to_owned()]));
    }

    #[test]
    fn a_simple_mail_has_its_parts_one_after_the_other() {
        let simple =
            json!({"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}, "Html": {"Data": "<p>h</p>"}}, "Attachments": [{}, {}]});
        let request = json!({"FromEmailAddress": "s@x.org", "Destination": {"ToAddresses": ["a@x.org"]}, "Content": {"Simple": simple}});
        let letter = parse(&request).unwrap();
        assert_eq!((letter.text.as_str(), letter.subject.as_str(), letter.attachments), ("t\n<p>h</p>", "s", 2));
    }

    #[test]
    fn what_ses_would_not_send_is_refused() {
        let to = |to: &str| json!({"FromEmailAddress": "s@x.org", "Destination": {"ToAddresses": [to]}, "Content": raw("A: b\r\n\r\n")["Content"]});
        for (request, kind, message) in [
            (json!({}), "BadRequestException", "Content"),
            (json!({"Content": {}}), "BadRequestException", "Content.Raw"),
            (json!({"Content": {"Raw": {"Data": "%"}}}), "BadRequestException", "base64"),
            (json!({"Content": {"Simple": {"Subject": {"Data": "s"}, "Body": {}}}}), "BadRequestException", "neither"),
            (raw("A: b\r\n\r\n"), "BadRequestException", "FromEmailAddress"),
            (raw(""), "BadRequestException", "header"),
            (to("nobody"), "BadRequestException", "@domain"),
            (to("a@"), "BadRequestException", "@domain"),
            (to("a@b@c, d"), "BadRequestException", "@domain"),
            (to("Name <a@x.org"), "BadRequestException", "@domain"),
            (json!({"ConfigurationSetName": "none", "Content": {}}), "NotFoundException", "none"),
        ] {
            let Err(Refusal(found, why)) = parse(&request) else { panic!("{request}") };
            assert!(found == kind && why.contains(message), "{request}: {found} {why}");
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let text = joined(["é".repeat(MOST_TEXT).as_str(), "more"].into_iter());
        assert_eq!((text.len(), text.chars().all(|letter| letter == 'é' || letter == '\n')), (MOST_TEXT + 1, true));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_letter_or_a_refusal(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes);
            let _ = mime(&STANDARD.encode(&bytes));
            let _ = mime(&STANDARD.encode([b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n", bytes.as_slice()].concat()));
            let _ = address(&String::from_utf8_lossy(&bytes));
        }
    }
}
