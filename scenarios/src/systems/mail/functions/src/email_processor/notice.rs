//! The notice about a mail that names no readers. It always fits: content that is too large for a
//! topic becomes a link, or is cut.

use super::mail::Mail;
use super::store::Stored;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use base64::{Engine, prelude::BASE64_STANDARD};
use functions::clients::no_second_attempt_after_silence;
use functions::failure::DependencyFailure;
use hyper::body::Bytes;
use serde::Serialize;

const SERVICE: &str = "sns";

/// In bytes. Source: Amazon SNS, Publish, the maximum of `Message`.
const LARGEST: usize = 262_144;

/// Attachments that are larger in total can only be given as links: base64 makes four bytes of
/// three.
pub(super) const LARGEST_INLINE: usize = LARGEST / 4 * 3;

/// How much of the body is kept if the mail is too large for one notice.
const BRIEF_BODY: usize = 8 * 1024;
const BRIEF_LIST: usize = 50;

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Notice<'a> {
    message_id: &'a str,
    title: &'a str,
    sender: &'a str,
    recipients: &'a [String],
    body: &'a str,
    attachments: Vec<Enclosed<'a>>,
    /// Whether the mail has more content than this notice.
    shortened: bool,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Enclosed<'a> {
    name: &'a str,
    content_type: &'a str,
    size: usize,
    key: &'a str,
    link: &'a str,
    /// In base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

/// The whole notice if it fits, else with links only, else with the beginning of everything.
pub(super) fn notice(message_id: &str, mail: &Mail, attachments: &[Stored]) -> Result<String, serde_json::Error> {
    let encoded = |content: &Bytes| BASE64_STANDARD.encode(content);
    let whole = |with_contents: bool| Notice {
        message_id,
        title: &mail.title,
        sender: &mail.sender,
        recipients: &mail.recipients,
        body: &mail.text,
        attachments: attachments
            .iter()
            .map(|stored| Enclosed {
                name: &stored.name,
                content_type: &stored.content_type,
                size: stored.size,
                key: &stored.key,
                link: &stored.link,
                content: stored.content.as_ref().filter(|_| with_contents).map(encoded),
            })
            .collect(),
        shortened: false,
    };
    for with_contents in [true, false] {
        let text = serde_json::to_string(&whole(with_contents))?;
        if text.len() <= LARGEST {
            return Ok(text);
        }
    }
    let mut brief = whole(false);
    brief.recipients = mail.recipients.get(..BRIEF_LIST).unwrap_or(&mail.recipients);
    brief.body = mail.text.get(..mail.text.floor_char_boundary(BRIEF_BODY)).unwrap_or_default();
    brief.attachments.truncate(BRIEF_LIST);
    brief.shortened = true;
    serde_json::to_string(&brief)
}

pub(super) struct Fallback {
    client: Client,
    topic: String,
}

impl Fallback {
    pub(super) fn new(config: &SdkConfig, topic: String) -> Self {
        Self { client: Client::new(&no_second_attempt_after_silence(config)), topic }
    }

    /// Publishes one notice.
    pub(super) async fn publish(&self, notice: String) -> Result<(), DependencyFailure> {
        let publish = self.client.publish().topic_arn(&self.topic).subject("Mail without a list of readers").message(notice);
        publish.send().await.map(|_| ()).map_err(|error| DependencyFailure::of(SERVICE, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn mail(text: String, recipients: usize) -> Mail {
        Mail {
            sender: "sensor-1@field.example".to_owned(),
            recipients: vec!["hub@brownout.example".to_owned(); recipients],
            title: "[m-1]".to_owned(),
            text,
            readers: None,
            attachments: Vec::new(),
        }
    }

    fn stored(content: Option<Vec<u8>>) -> Stored {
        let size = content.as_ref().map_or(1 << 20, Vec::len);
        let (key, link) = ("id/1-a.bin".to_owned(), "http://127.0.0.1/attachments/id/1-a.bin".to_owned());
        let content_type = "application/octet-stream".to_owned();
        Stored { name: "a.bin".to_owned(), content_type, size, key, link, content: content.map(Bytes::from) }
    }

    fn read(mail: &Mail, attachments: &[Stored]) -> Value {
        let text = notice("id", mail, attachments).unwrap();
        assert!(text.len() <= LARGEST, "{} bytes", text.len());
        // The beginning alone identifies the mail.
        assert!(text.starts_with(r#"{"messageId":"id","title":"[m-1]","sender":"#), "{text:.80}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_small_mail_is_in_the_notice_as_a_whole() {
        let notice = read(&mail("hello".to_owned(), 1), &[stored(Some(b"abc".to_vec()))]);
        assert_eq!(
            notice,
            json!({
                "messageId": "id", "title": "[m-1]", "sender": "sensor-1@field.example", "recipients": ["hub@brownout.example"], "body": "hello",
                "attachments": [{
                    "name": "a.bin", "contentType": "application/octet-stream", "size": 3, "key": "id/1-a.bin",
                    "link": "http://127.0.0.1/attachments/id/1-a.bin", "content": "YWJj",
                }],
                "shortened": false,
            })
        );
    }

    #[test]
    fn an_attachment_that_is_too_large_is_given_as_a_link() {
        for large in [stored(None), stored(Some(vec![7; LARGEST_INLINE]))] {
            let notice = read(&mail("hello".to_owned(), 1), &[large]);
            assert_eq!((&notice["attachments"][0]["content"], &notice["shortened"]), (&Value::Null, &json!(false)));
            assert!(notice["attachments"][0]["link"].is_string());
        }
    }

    #[test]
    fn a_notice_that_is_still_too_large_is_cut() {
        let (many, long) = (vec![stored(None); 4000], "\u{1}".repeat(1 << 20));
        let notice = read(&mail(long, 20_000), &many);
        assert_eq!(notice["shortened"], json!(true));
        assert_eq!(notice["attachments"].as_array().map(Vec::len), Some(BRIEF_LIST));
    }
}
