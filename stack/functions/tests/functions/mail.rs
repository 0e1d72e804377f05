//! The mail system's dependencies: buckets, SES, a topic and the table, and the mails that go
//! through them.

use crate::cloud::{Call, Cloud, Reply};
use crate::tables::Tables;
use base64::{Engine, prelude::BASE64_STANDARD};
use functions::clients::Patience;
use functions::clock::Deadline;
use functions::weaknesses::Weaknesses;
use hyper::body::Bytes;
use mail_functions::email_processor::{EmailProcessor, Settings};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

pub const MARKER: &str = ":Email_Rxers_Code:";
pub const TABLE: &str = "SentMailTable";

/// A mail that SES accepted.
#[derive(Debug, Clone)]
pub struct Sent {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// Everything that a reader could see.
    pub raw: String,
}

impl Sent {
    pub fn links(&self) -> Vec<&str> {
        self.text.lines().filter(|line| line.starts_with("http://")).collect()
    }
}

#[derive(Clone, Default)]
pub struct Services {
    pub tables: Tables,
    objects: Arc<Mutex<BTreeMap<String, Bytes>>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    notices: Arc<Mutex<Vec<Value>>>,
}

impl Services {
    pub fn answer(&self, call: &Call) -> Reply {
        let path = call.path.split('?').next().unwrap_or_default().trim_start_matches('/');
        match call.operation.as_str() {
            "GetObject" => match self.object(path) {
                Some(object) => Reply::Raw(200, object),
                None => Reply::Raw(404, "<Error><Code>NoSuchKey</Code></Error>".into()),
            },
            "PutObject" => {
                self.put(path, call.raw.clone());
                Reply::Raw(200, Bytes::new())
            }
            "SendEmail" => {
                self.sent.lock().unwrap().push(sent(&call.body));
                Reply::Json(200, json!({"MessageId": "1"}))
            }
            "Publish" => {
                self.notices.lock().unwrap().push(published(&call.raw));
                Reply::Raw(200, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>".into())
            }
            operation => self.tables.answer(operation, &call.body),
        }
    }

    pub fn put(&self, path: &str, object: Bytes) {
        self.objects.lock().unwrap().insert(path.to_owned(), object);
    }

    pub fn object(&self, path: &str) -> Option<Bytes> {
        self.objects.lock().unwrap().get(path).cloned()
    }

    pub fn attachments(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().filter(|path| path.starts_with("attachments/")).cloned().collect()
    }

    pub fn sent(&self) -> Vec<Sent> {
        self.sent.lock().unwrap().clone()
    }

    pub fn notices(&self) -> Vec<Value> {
        self.notices.lock().unwrap().clone()
    }
}

fn sent(request: &Value) -> Sent {
    let raw = BASE64_STANDARD.decode(request["Content"]["Raw"]["Data"].as_str().unwrap()).unwrap();
    let read = MessageParser::default().parse(&raw).unwrap();
    let addresses = ["ToAddresses", "CcAddresses", "BccAddresses"].into_iter().filter_map(|kind| request["Destination"][kind].as_array());
    assert_eq!(request["FromEmailAddress"], "sensors@brownout.example");
    Sent {
        to: addresses.flatten().map(|address| address.as_str().unwrap().to_owned()).collect(),
        subject: read.subject().unwrap().to_owned(),
        text: read.body_text(0).unwrap().into_owned(),
        raw: String::from_utf8_lossy(&raw).into_owned(),
    }
}

fn published(form: &Bytes) -> Value {
    let form = String::from_utf8(form.to_vec()).unwrap();
    let fields: BTreeMap<&str, String> =
        form.split('&').filter_map(|field| field.split_once('=')).map(|(name, value)| (name, plain(value))).collect();
    assert_eq!(fields["Action"], "Publish");
    assert_eq!(fields["TopicArn"], "arn:aws:sns:us-east-1:123456789012:fallback");
    serde_json::from_str(&fields["Message"]).unwrap()
}

/// Decodes a value of a form.
fn plain(value: &str) -> String {
    let mut bytes = value.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'%' => u8::from_str_radix(&String::from_utf8(vec![bytes.next().unwrap(), bytes.next().unwrap()]).unwrap(), 16).unwrap(),
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(plain).unwrap()
}

/// The function with its dependencies.
pub struct Office {
    pub cloud: Cloud,
    pub services: Services,
    processor: EmailProcessor,
}

impl Office {
    pub async fn new(weaknesses: &str, patience: Patience) -> Self {
        let services = Services::default();
        let answering = services.clone();
        let cloud = Cloud::start(move |call| answering.answer(call)).await;
        let settings = Settings {
            incoming: "incoming".to_owned(),
            attachments: "attachments".to_owned(),
            link_life_s: 129_600,
            sender: "sensors@brownout.example".to_owned(),
            topic: "arn:aws:sns:us-east-1:123456789012:fallback".to_owned(),
            marker: MARKER.to_owned(),
            sent_table: TABLE.to_owned(),
            weaknesses: Weaknesses::parse(weaknesses).unwrap(),
        };
        let processor = EmailProcessor::new(settings, &cloud.config(patience).await);
        Self { cloud, services, processor }
    }

    /// From now on `fault` answers a call if it returns an answer, and the call reaches no service.
    pub fn strike(&self, fault: impl Fn(&Call) -> Option<Reply> + Send + Sync + 'static) {
        let services = self.services.clone();
        self.cloud.behave(move |call| fault(call).unwrap_or_else(|| services.answer(call)));
    }

    /// Stores an incoming mail.
    pub fn receive(&self, id: &str, mail: impl Into<Bytes>) {
        self.services.put(&format!("incoming/{id}"), mail.into());
    }

    /// Delivers messages about these mails; returns the messages that failed, each by its mail's
    /// name.
    pub async fn hand_out(&self, ids: &[&str], invocation: &str, time: Duration) -> Vec<String> {
        let records = ids.iter().map(|id| message(id, &told("incoming", id)));
        self.answer(records.collect(), invocation, time).await
    }

    pub async fn answer(&self, records: Vec<Value>, invocation: &str, time: Duration) -> Vec<String> {
        let deadline = Deadline::at(SystemTime::now() + time);
        let answer = self.processor.answer(json!({"Records": records}), invocation, deadline).await.unwrap();
        answer["batchItemFailures"]
            .as_array()
            .unwrap()
            .iter()
            .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// A message of the queue.
pub fn message(id: &str, body: &Value) -> Value {
    json!({"messageId": id, "receiptHandle": "r", "body": body.to_string(), "attributes": {"ApproximateReceiveCount": "1"}, "eventSource": "aws:sqs"})
}

/// S3's event about a new object.
pub fn told(bucket: &str, key: &str) -> Value {
    json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key.replace(' ', "+")}}}]})
}

/// A mail with the files; without readers it has no list.
pub fn mail(token: &str, readers: &[String], files: &[(&str, &[u8])]) -> Vec<u8> {
    let list = if readers.is_empty() { String::new() } else { format!("Line2{MARKER}{}{MARKER}\r\n", readers.join(",\r\n")) };
    let head = format!("From: sensor-1@field.example\r\nTo: hub@brownout.example\r\nSubject: Reading [{token}]\r\nMIME-Version: 1.0\r\n");
    let mut mail = format!("{head}Content-Type: multipart/mixed; boundary=b1\r\n\r\n--b1\r\n\r\nLine1\r\n{list}Line3\r\n").into_bytes();
    for (name, content) in files {
        let head = format!(
            "--b1\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\r\n"
        );
        mail.extend_from_slice(head.as_bytes());
        for line in content.chunks(57) {
            mail.extend_from_slice(BASE64_STANDARD.encode(line).as_bytes());
            mail.extend_from_slice(b"\r\n");
        }
    }
    mail.extend_from_slice(b"--b1--\r\n");
    mail
}

pub fn readers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("reader-{n}@brownout.example")).collect()
}
