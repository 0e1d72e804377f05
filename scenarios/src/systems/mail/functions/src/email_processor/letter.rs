//! What the readers of a mail get: its subject, the links to its attachments, its text. It contains
//! neither the markers nor the list, nor any other reader's address.

use super::failure::Failure;
use super::readers::unmarked;
use super::store::Stored;
use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{Destination, EmailContent, RawMessage};
use functions::clients::no_second_attempt_after_silence;
use functions::failure::DependencyFailure;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use std::fmt::Write;
use std::time::Duration;

const SERVICE: &str = "ses";

/// An outgoing mail, the same for all of its readers.
pub(super) struct Letter {
    raw: Vec<u8>,
    is_for_one: bool,
}

pub(super) struct Outbox {
    client: Client,
    sender: String,
}

impl Letter {
    /// From `sender` to `readers`.
    pub(super) fn write(sender: &str, readers: &[String], title: &str, marker: &str, text: &str) -> Result<Self, Failure> {
        let title = title.split_once(marker).map_or_else(
            || title.to_owned(),
            |(before, after)| {
                let behind = after.rsplit_once(marker).map_or("", |(_, behind)| behind);
                format!("{} {}", before.trim_end(), behind.trim_start())
            },
        );
        let letter = MessageBuilder::new().from(sender.to_owned()).subject(title).text_body(unmarked(text, marker));
        let letter = match readers {
            [reader] => letter.to(reader.clone()),
            // Several readers do not see each other's addresses.
            _ => letter.header("To", Raw::new("undisclosed-recipients:;")),
        };
        let raw = letter.write_to_vec().map_err(|_| Failure::Letter)?;
        Ok(Self { raw, is_for_one: readers.len() == 1 })
    }
}

/// The links, which come first and so are never cut off, and the text.
pub(super) fn text_with_links(text: &str, attachments: &[Stored], life: Duration) -> String {
    let mut letter = String::with_capacity(text.len() + attachments.len() * 600);
    for (n, Stored { name, size, link, .. }) in attachments.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(letter, "{}. {name} ({size} bytes)\r\n{link}\r\n", n + 1);
    }
    if !attachments.is_empty() {
        let _ = write!(letter, "Links work for {} hours.\r\n\r\n", life.as_secs() / 3600);
    }
    letter.push_str(text);
    letter
}

impl Outbox {
    pub(super) fn new(config: &SdkConfig, sender: String) -> Self {
        Self { client: Client::new(&no_second_attempt_after_silence(config)), sender }
    }

    /// The address that the letters come from.
    pub(super) fn sender(&self) -> &str {
        &self.sender
    }

    /// Sends the letter through SES to `group`, some or all of its readers.
    pub(super) async fn send(&self, letter: &Letter, group: &[String]) -> Result<(), DependencyFailure> {
        let group = Some(group.to_vec());
        let destination = Destination::builder();
        let destination = if letter.is_for_one { destination.set_to_addresses(group) } else { destination.set_bcc_addresses(group) };
        let raw = RawMessage::builder().data(Blob::new(letter.raw.clone())).build();
        let raw = raw.map_err(|_| DependencyFailure::new(SERVICE, "the request could not be made"))?;
        let content = EmailContent::builder().raw(raw).build();
        let send = self.client.send_email().from_email_address(&self.sender).destination(destination.build()).content(content);
        send.send().await.map(|_| ()).map_err(|error| DependencyFailure::of(SERVICE, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;

    const MARKER: &str = ":Email_Rxers_Code:";

    fn letter(readers: &[&str], title: &str, text: &str) -> Vec<u8> {
        let readers: Vec<String> = readers.iter().map(|&reader| reader.to_owned()).collect();
        Letter::write("sensors@brownout.example", &readers, title, MARKER, text).unwrap().raw
    }

    #[test]
    fn the_subject_and_the_text_arrive() {
        let raw = letter(&["a@x.com"], "Messwerte für [m-7-000123]", "21 °C\r\nend");
        let read = MessageParser::default().parse(&raw).unwrap();
        assert_eq!(read.subject(), Some("Messwerte für [m-7-000123]"));
        assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), "21 °C\nend");
        assert_eq!(read.to().unwrap().first().unwrap().address(), Some("a@x.com"));
    }

    #[test]
    fn several_readers_do_not_see_each_other() {
        let raw = String::from_utf8(letter(&["a@x.com", "b@y.com"], "x", "y")).unwrap();
        assert!(!raw.contains("@x.com") && !raw.contains("@y.com"), "{raw}");
    }

    #[test]
    fn the_mail_contains_neither_marker_nor_list() {
        let marked = ":Email_Rxers_Code:a@x.com,b@y.com:Email_Rxers_Code:";
        for (title, left) in [
            (format!("one {marked} two"), "one two"),
            (format!("one {marked}"), "one"),
            ("one :Email_Rxers_Code:a@x.com".to_owned(), "one"),
        ] {
            let raw = letter(&["a@x.com", "b@y.com"], &title, &format!("text\r\n{marked}\r\nend"));
            let read = MessageParser::default().parse(&raw).unwrap();
            assert_eq!(read.subject().map(str::trim), Some(left));
            assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), "text\nend");
        }
    }

    #[test]
    fn links_come_before_the_text() {
        let stored = |n: u32| Stored {
            name: format!("{n}.csv"),
            content_type: "text/csv".to_owned(),
            size: 12,
            key: format!("id/{n}-{n}.csv"),
            link: format!("http://127.0.0.1/attachments/id/{n}-{n}.csv?X-Amz-Expires=129600"),
            content: None,
        };
        let text = text_with_links("the text", &[stored(1), stored(2)], Duration::from_secs(129_600));
        let (links, after) = text.split_once("Links work for 36 hours.").unwrap();
        assert_eq!(links.lines().filter(|line| line.starts_with("http://")).count(), 2, "{text}");
        assert_eq!(after.trim(), "the text");
        assert_eq!(text_with_links("the text", &[], Duration::from_secs(1)), "the text");
    }
}
