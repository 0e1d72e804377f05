//! SNS: topics that notify people, and to which alarms publish. The newest messages are kept for
//! reading. The query protocol: a form in, XML out. Source: Amazon SNS API reference, `Publish`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use super::described::{Described, Protocol};
use super::wire::{Answer, Call, QUERY_XML, Service, form};
use run_folder::sightings::{Seen, Sightings};
use template::account::arn;
use template::blueprint::Topic;

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "sns", title: "SNS", protocol: Protocol::Query, operations: &["Publish"] };

/// A message with its subject.
const LARGEST: usize = 256 * 1024;
/// The most characters of a subject, which holds printable ASCII and begins with no space.
const LONGEST_SUBJECT: usize = 100;
/// Notices kept of a topic.
const KEPT: usize = 1000;
/// The most bytes of a message in a sighting.
const TOLD: usize = 64 * 1024;

/// A published message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The message id.
    pub id: String,
    /// The subject.
    pub subject: Option<String>,
    /// The message.
    pub message: String,
    /// When.
    pub at: SystemTime,
}

/// All topics of one machine.
pub struct Sns {
    topics: BTreeMap<String, Mutex<VecDeque<Notice>>>,
    sightings: Sightings,
    last: AtomicU64,
}

impl Sns {
    /// The declared topics.
    pub fn new(topics: &[Topic], sightings: Sightings) -> Arc<Self> {
        let topics = topics.iter().map(|topic| (topic.name.clone(), Mutex::default())).collect();
        Arc::new(Self { topics, sightings, last: AtomicU64::new(0) })
    }

    /// Publishes; returns the message id, or `None` if the topic does not exist.
    pub fn publish(&self, topic: &str, subject: Option<String>, message: String) -> Option<String> {
        let notices = self.topics.get(topic)?;
        let id = format!("50505050-0000-4000-8000-{:012x}", self.last.fetch_add(1, Ordering::Relaxed) + 1);
        self.sightings.tell(Seen::Published {
            topic: topic.to_owned(),
            id: id.clone(),
            subject: subject.clone(),
            message: message.get(..message.floor_char_boundary(TOLD)).unwrap_or_default().to_owned(),
        });
        let mut notices = notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() == KEPT {
            notices.pop_front();
        }
        notices.push_back(Notice { id: id.clone(), subject, message, at: SystemTime::now() });
        Some(id)
    }

    /// The messages published to a topic, newest last.
    pub fn published(&self, topic: &str) -> Vec<Notice> {
        let Some(notices) = self.topics.get(topic) else { return Vec::new() };
        notices.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The topics' names.
    pub fn names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    fn publish_call(&self, mut fields: BTreeMap<String, String>) -> Result<String, (u16, &'static str, String)> {
        let invalid = |what: &str| (400, "InvalidParameter", format!("Invalid parameter: {what}"));
        let topic = fields.remove("TopicArn").or_else(|| fields.remove("TargetArn")).ok_or_else(|| invalid("TopicArn or TargetArn"))?;
        let name = topic.rsplit(':').next().unwrap_or_default();
        if topic != arn("sns", name) || !self.topics.contains_key(name) {
            return Err((404, "NotFound", "Topic does not exist".to_owned()));
        }
        let message = fields.remove("Message").filter(|it| !it.is_empty()).ok_or_else(|| invalid("Empty message"))?;
        let subject = fields.remove("Subject");
        if subject.as_deref().is_some_and(|subject| !is_subject(subject)) {
            return Err(invalid("Subject"));
        }
        if message.len() + subject.as_ref().map_or(0, String::len) > LARGEST {
            return Err(invalid("Message too long"));
        }
        self.publish(name, subject, message).ok_or_else(|| (404, "NotFound", "Topic does not exist".to_owned()))
    }
}

fn is_subject(subject: &str) -> bool {
    let printable = subject.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    printable && !subject.starts_with(' ') && (1..=LONGEST_SUBJECT).contains(&subject.len())
}

#[async_trait]
impl Service for Sns {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        if call.operation != "Publish" {
            let message = format!("this machine's SNS has no `{}`", call.operation);
            return Answer::error(QUERY_XML, 400, "InvalidAction", &message);
        }
        match self.publish_call(form(&call.body)) {
            Ok(id) => {
                let request = &call.request_id;
                let body = format!(
                    "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>{id}</MessageId>\
                     </PublishResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></PublishResponse>"
                );
                Answer { status: 200, content_type: QUERY_XML, error_type: None, body: body.into() }
            }
            Err((status, code, message)) => Answer::error(QUERY_XML, status, code, &message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_invalid_publish_is_refused_with_its_reason() {
        let (sightings, mut seen) = Sightings::channel();
        let sns = Sns::new(&[Topic::named("alarms")], sightings);
        let topic = "TopicArn=arn:aws:sns:us-east-1:123456789012:alarms";
        let long = "x".repeat(LARGEST);
        for (body, status, code) in [
            (format!("{topic}&Message=hello&Subject=a+%26+b"), 200, None),
            (format!("{topic}&Message={long}"), 200, None),
            (format!("{topic}&Message={long}&Subject=s"), 400, Some("InvalidParameter")),
            (format!("{topic}&Message="), 400, Some("InvalidParameter")),
            (format!("{topic}&Message=m&Subject=two%0Alines"), 400, Some("InvalidParameter")),
            (format!("{topic}&Message=m&Subject={}", "s".repeat(101)), 400, Some("InvalidParameter")),
            (format!("{topic}s&Message=m"), 404, Some("NotFound")),
            ("TopicArn=arn:aws:sns:us-east-1:999999999999:alarms&Message=m".to_owned(), 404, Some("NotFound")),
            ("Message=m".to_owned(), 400, Some("InvalidParameter")),
        ] {
            let call =
                Call { operation: "Publish".into(), request_id: "r".into(), root: None, path: "/".into(), body: body.clone().into() };
            let answer = sns.answer(&call).await;
            assert_eq!((answer.status, answer.error_type.as_deref()), (status, code), "{}", body.get(..90).unwrap_or(&body));
        }
        let notices = sns.published("alarms");
        assert_eq!((notices.len(), notices[0].subject.as_deref(), notices[0].message.as_str()), (2, Some("a & b"), "hello"));
        let Seen::Published { id, .. } = seen.recv().await.unwrap().seen else { panic!("another thing was told") };
        assert_eq!(id, notices[0].id);
        assert!(matches!(seen.recv().await.unwrap().seen, Seen::Published { message, .. } if message.len() == TOLD));
    }

    #[test]
    fn only_the_newest_are_kept() {
        let sns = Sns::new(&[Topic::named("t")], Sightings::nowhere());
        assert_eq!(sns.publish("nowhere", None, "m".into()), None);
        for n in 0..=KEPT {
            sns.publish("t", None, n.to_string()).unwrap();
        }
        let notices = sns.published("t");
        assert_eq!((notices.len(), notices[0].message.as_str()), (KEPT, "1"));
    }
}
