//! `SendEmail` of SES's second API: checks the sender and the number of recipients. Sent mail goes
//! into the mailbox and nowhere else.

use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;
use hyper::{Method, Uri};
use serde_json::{Value, json};

use super::super::described::Described;
use super::super::shows::Shows;
use super::super::wire::{Answer, Call, REST_JSON, Service, request_id};
use super::letter::{self, Letter, Refusal};
use super::mailbox::{Mailbox, Sent};
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};

/// The path for sending mail.
const OUTBOUND_EMAILS: &str = "/v2/email/outbound-emails";

/// A mail of 40 MB in base64, and the JSON around it.
pub(super) const LARGEST_MAIL: usize = 56 * 1024 * 1024;

/// Larger requests are parsed on a thread of their own, because other requests would wait
/// meanwhile.
const LARGE: usize = 256 * 1024;

/// The most recipients in one call. Source: Amazon SES, service quotas.
const MOST_RECIPIENTS: usize = 50;

/// Mail is sent to one address.
pub(super) fn operation(method: &Method, uri: &Uri) -> Option<&'static str> {
    (uri.path() == OUTBOUND_EMAILS && method == Method::POST).then_some("SendEmail")
}

/// SES's sending side.
pub struct Ses {
    /// Addresses and domains that may send.
    pub(super) identities: Vec<String>,
    pub(super) mailbox: Arc<Mailbox>,
    sightings: Sightings,
}

impl Ses {
    /// Sends mail from `identities`, which are addresses and domains, into `mailbox`.
    pub const fn new(identities: Vec<String>, mailbox: Arc<Mailbox>, sightings: Sightings) -> Self {
        Self { identities, mailbox, sightings }
    }

    fn is_verified(&self, address: &str) -> bool {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        self.identities.iter().any(|identity| identity.eq_ignore_ascii_case(address) || identity.eq_ignore_ascii_case(domain))
    }

    /// Sends what a body of the second API says.
    pub(super) async fn send(&self, body: Bytes, root: Option<&str>) -> Result<Value, Refusal> {
        let letter = if body.len() < LARGE {
            letter::read(&body)?
        } else {
            let read = tokio::task::spawn_blocking(move || letter::read(&body));
            read.await.map_err(|error| Refusal("InternalServiceErrorException", error.to_string()))??
        };
        self.check(&letter)?;
        let id = format!("0100{}-000000", request_id());
        let Letter { from, to, subject, text, attachments } = letter;
        let from = from.into_iter().next().unwrap_or_default();
        let seen = Seen::MailSent {
            id: id.clone(),
            from: from.clone(),
            to: to.clone(),
            subject: subject.clone(),
            text: text.clone(),
            attachments,
        };
        self.sightings.effect(
            || Place::Mail,
            |place, _| {
                let fields = [("to".to_owned(), json!(to)), ("from".to_owned(), json!(from)), ("subject".to_owned(), json!(subject))];
                let text = format!("{subject}\n{text}");
                let root = root.map(str::to_owned);
                Effect { root, fields: fields.into_iter().collect(), text, ..Effect::new(place, id.clone(), Change::Made) }
            },
        );
        self.mailbox.keep(Sent { id: id.clone(), at: SystemTime::now(), from, to, subject, text, attachments });
        self.sightings.tell(seen);
        Ok(json!({"MessageId": id}))
    }

    fn check(&self, letter: &Letter) -> Result<(), Refusal> {
        let unverified: Vec<_> = letter.from.iter().filter(|address| !self.is_verified(address)).map(String::as_str).collect();
        if !unverified.is_empty() {
            let which = unverified.join(", ");
            let message = format!("Email address is not verified. The following identities failed the check in region US-EAST-1: {which}");
            return Err(Refusal("MessageRejected", message));
        }
        match letter.to.len() {
            0 => Err(Refusal("BadRequestException", "the mail has no recipient".to_owned())),
            1..=MOST_RECIPIENTS => Ok(()),
            more => Err(Refusal("BadRequestException", format!("Recipient count exceeds {MOST_RECIPIENTS}: {more}"))),
        }
    }
}

#[async_trait]
impl Service for Ses {
    fn described(&self) -> &'static Described {
        &super::DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    fn largest_request(&self) -> usize {
        LARGEST_MAIL
    }

    async fn answer(&self, call: &Call) -> Answer {
        if call.operation != "SendEmail" {
            return Answer::error(REST_JSON, 404, "UnknownOperationException", "this machine's SES has no such operation");
        }
        match self.send(call.body.clone(), call.root.as_deref()).await {
            Ok(body) => Answer::ok(REST_JSON, &body),
            Err(Refusal(kind, message)) => {
                let status = match kind {
                    "NotFoundException" => 404,
                    "InternalServiceErrorException" => 500,
                    _ => 400,
                };
                Answer::error(REST_JSON, status, kind, &message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    const SENDER: &str = "sensors@brownout.example";

    fn call(from: &str, to: usize) -> Call {
        let to: Vec<_> = (0..to).map(|n| format!("reader-{n}@x.org")).collect();
        let content = json!({"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}});
        let body = json!({"FromEmailAddress": from, "Destination": {"ToAddresses": to}, "Content": content}).to_string().into();
        Call {
            operation: "SendEmail".into(),
            request_id: "r".into(),
            root: None,
            function: None,
            delivery: 0,
            path: "/v2/email/outbound-emails".into(),
            body,
        }
    }

    #[tokio::test]
    async fn sent_mail_is_in_the_sightings_and_the_mailbox_and_refused_mail_is_not() {
        let (mailbox, (sightings, mut seen)) = (Arc::new(Mailbox::default()), Sightings::channel());
        let ses = Ses::new(vec![SENDER.to_owned(), "verified.org".to_owned()], Arc::clone(&mailbox), sightings);
        for (from, to, error) in [
            (SENDER, 1, None),
            ("Sensors <Sensors@Brownout.example>", 50, None),
            ("anybody@VERIFIED.org", 2, None),
            ("other@brownout.example", 1, Some("MessageRejected")),
            ("a@sub.verified.org", 1, Some("MessageRejected")),
            (SENDER, 51, Some("BadRequestException")),
            (SENDER, 0, Some("BadRequestException")),
        ] {
            let answer = ses.answer(&call(from, to)).await;
            assert_eq!((answer.error_type.as_deref(), answer.status), (error, if error.is_some() { 400 } else { 200 }), "{from} {to}");
            let told = seen.try_recv().ok().map(|sighting| sighting.seen);
            match (error, told) {
                (None, Some(Seen::MailSent { id, to: readers, subject, text, attachments, .. })) => {
                    let body: Value = serde_json::from_slice(&answer.body).unwrap();
                    assert_eq!((body["MessageId"].as_str(), readers.len()), (Some(id.as_str()), to));
                    assert_eq!((subject.as_str(), text.as_str(), attachments), ("s", "t", 0));
                    assert_eq!(mailbox.mails().last().map(|mail| mail.id.clone()), Some(id));
                }
                (Some(_), None) => {}
                (error, told) => panic!("{from} {to}: {error:?} {told:?}"),
            }
        }
        assert_eq!(mailbox.mails().len(), 3);
    }
}
