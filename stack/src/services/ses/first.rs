//! SES's first API, which boto3's client `ses` speaks: `SendEmail` and `SendRawEmail` as forms. A call
//! becomes one of the second API, which checks it. Source: SES API reference, version 2010-12-01.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use quick_xml::escape::escape;
use serde_json::{Map, Value, json};

use super::super::described::{Described, Protocol};
use super::super::wire::{Answer, Call, QUERY_XML, Service, form};
use super::letter::Refusal;
use super::outgoing::{LARGEST_MAIL, Ses};

/// The description of the first API: the same service, called otherwise.
const DESCRIBED: Described = Described { protocol: Protocol::Query, ..super::DESCRIBED };

/// The first API.
pub struct First(Arc<Ses>);

impl First {
    /// Sends as `ses` does.
    pub const fn new(ses: Arc<Ses>) -> Self {
        Self(ses)
    }
}

#[async_trait]
impl Service for First {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn largest_request(&self) -> usize {
        LARGEST_MAIL
    }

    async fn answer(&self, call: &Call) -> Answer {
        let Some(asked) = asked(&call.operation, &form(&call.body)) else {
            let message = format!("this machine's SES has no `{}`", call.operation);
            return Answer::error(QUERY_XML, 400, "InvalidAction", &message);
        };
        match self.0.send(Bytes::from(asked.to_string()), call.root.as_deref()).await {
            Ok(sent) => {
                let (action, id) = (&call.operation, sent.get("MessageId").and_then(Value::as_str).unwrap_or_default());
                let (id, request) = (escape(id), &call.request_id);
                let body = format!(
                    "<{action}Response xmlns=\"http://ses.amazonaws.com/doc/2010-12-01/\"><{action}Result><MessageId>{id}</MessageId></{action}Result>\
                     <ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
                );
                Answer { status: 200, content_type: QUERY_XML, error_type: None, body: body.into() }
            }
            Err(Refusal(kind, message)) => {
                let (status, kind) = match kind {
                    "InternalServiceErrorException" => (500, "InternalFailure"),
                    "NotFoundException" => (400, "ConfigurationSetDoesNotExist"),
                    "BadRequestException" => (400, "InvalidParameterValue"),
                    other => (400, other),
                };
                Answer::error(QUERY_XML, status, kind, &message)
            }
        }
    }
}

/// The call of the second API; `None` for an operation that is not served.
fn asked(operation: &str, form: &BTreeMap<String, String>) -> Option<Value> {
    let text = |key: &str| form.get(key);
    let list = |key: &str| -> Vec<&String> { (1..).map_while(|n| text(&format!("{key}.member.{n}"))).collect() };
    let content = match operation {
        "SendEmail" => {
            let mut body = Map::new();
            for kind in ["Text", "Html"] {
                body.extend(text(&format!("Message.Body.{kind}.Data")).map(|data| (kind.to_owned(), json!({ "Data": data }))));
            }
            json!({ "Simple": { "Subject": { "Data": text("Message.Subject.Data").map_or("", String::as_str) }, "Body": body } })
        }
        "SendRawEmail" => json!({ "Raw": { "Data": text("RawMessage.Data").map_or("", String::as_str) } }),
        _ => return None,
    };
    let to = match operation {
        "SendRawEmail" => json!({ "ToAddresses": list("Destinations") }),
        _ => {
            let of = |kind: &str| list(&format!("Destination.{kind}"));
            json!({ "ToAddresses": of("ToAddresses"), "CcAddresses": of("CcAddresses"), "BccAddresses": of("BccAddresses") })
        }
    };
    let mut asked = json!({ "Destination": to, "Content": content });
    if let Some(asked) = asked.as_object_mut() {
        asked.extend(text("Source").map(|from| ("FromEmailAddress".to_owned(), json!(from))));
        asked.extend(text("ConfigurationSetName").map(|name| ("ConfigurationSetName".to_owned(), json!(name))));
    }
    Some(asked)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use run_folder::sightings::Sightings;

    use super::super::Mailbox;
    use super::*;

    const SENDER: &str = "shop@brownout.example";

    fn call(operation: &str, fields: &[(&str, &str)]) -> Call {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Call {
            operation: operation.into(),
            request_id: "r".into(),
            root: None,
            function: None,
            delivery: 0,
            path: "/".into(),
            body: body.into(),
        }
    }

    #[tokio::test]
    async fn mail_of_the_first_api_is_in_the_same_mailbox() {
        let mailbox = Arc::new(Mailbox::default());
        let ses = First::new(Arc::new(Ses::new(vec![SENDER.into()], Arc::clone(&mailbox), Sightings::nowhere())));
        let raw = base64::engine::general_purpose::STANDARD.encode(format!("From: {SENDER}\r\nTo: b@x.org\r\nSubject: raw\r\n\r\ntext"));
        let simple = [
            ("Source", SENDER),
            ("Destination.ToAddresses.member.1", "a@x.org"),
            ("Destination.CcAddresses.member.1", "c@x.org"),
            ("Message.Subject.Data", "s & t"),
            ("Message.Body.Text.Data", "hello"),
        ];
        let other = simple.map(|(key, value)| (key, if key == "Source" { "other@x.org" } else { value }));
        for (operation, fields, says) in [
            ("SendEmail", &simple[..], "<SendEmailResult><MessageId>0100"),
            ("SendRawEmail", &[("RawMessage.Data", raw.as_str())], "<SendRawEmailResult><MessageId>0100"),
            ("SendRawEmail", &[("RawMessage.Data", raw.as_str()), ("Destinations.member.1", "d@x.org")], "<MessageId>"),
            ("SendEmail", &other, "<Code>MessageRejected</Code>"),
            ("SendEmail", &simple[..1], "<Code>InvalidParameterValue</Code>"),
            ("SendRawEmail", &[("RawMessage.Data", "?")], "<Code>InvalidParameterValue</Code>"),
            ("SendTemplatedEmail", &simple, "<Code>InvalidAction</Code>"),
        ] {
            let answer = ses.answer(&call(operation, fields)).await;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(text.contains(says) && (answer.status == 200) == says.contains("MessageId"), "{operation} {fields:?}: {text}");
        }
        let sent: Vec<_> = mailbox.mails().iter().map(|mail| (mail.subject.clone(), mail.to.clone(), mail.text.clone())).collect();
        assert_eq!(sent[0], ("s & t".into(), vec!["a@x.org".into(), "c@x.org".into()], "hello".into()));
        assert_eq!((sent[1].1.as_slice(), sent[2].1.as_slice()), (&["b@x.org".to_owned()][..], &["d@x.org".to_owned()][..]));
    }
}
