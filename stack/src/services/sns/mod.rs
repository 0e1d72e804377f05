//! SNS: topics that notify functions, queues and people, and to which alarms publish. The newest
//! messages are kept for reading; no SMS or mail leaves the machine. The query protocol: a form in,
//! XML out. Source: Amazon SNS API reference.

mod requests;
mod shown;
mod subscribed;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use quick_xml::escape::escape;
use serde_json::Value;

use self::requests::{Fields, Refused, invalid};
use self::subscribed::Subscribed;
use super::deduplication::{Deduplication, INTERVAL, id_of, is_id};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, QUERY_XML, Service, form};
use crate::deliver::{Deliver, Delivery, Receives, Undelivered};
use run_folder::effects::{Change, Effect, Place};
use run_folder::sightings::{Seen, Sightings};
use template::account::{arn, function_name};
use template::blueprint::{FilterOn, Subscription, Target, Topic};

/// The description of this service.
pub const DESCRIBED: Described = Described { name: "sns", title: "SNS", protocol: Protocol::Query, operations: &["Publish"] };

/// Notices kept of a topic.
const KEPT: usize = 1000;
/// The most bytes of a message in a sighting.
const TOLD: usize = 64 * 1024;

/// A published message.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// The message id.
    pub id: String,
    /// The subject.
    pub subject: Option<String>,
    /// The message, for protocols without one of their own.
    pub message: String,
    /// When.
    pub at: SystemTime,
    /// The messages by protocol, of `MessageStructure: json`.
    pub by_protocol: BTreeMap<String, String>,
    /// The attributes that its sender set, in SQS's spelling.
    pub attributes: BTreeMap<String, Value>,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, or what is made of the content.
    pub deduplication: Option<String>,
    /// `SequenceNumber`, of a topic that is first in, first out.
    pub sequence: Option<String>,
    /// The trace header of its sender.
    pub trace: Option<String>,
}

impl Notice {
    /// The message for a protocol.
    pub fn text_for(&self, protocol: &str) -> &str {
        self.by_protocol.get(protocol).unwrap_or(&self.message)
    }

    /// What the rules that name its topic are told.
    fn effect(&self, place: Place) -> Effect {
        let root = self.trace.as_deref().and_then(faults::trace_root).map(str::to_owned);
        let subject = self.subject.as_deref().unwrap_or_default();
        Effect { root, text: format!("{subject}\n{}", self.message), ..Effect::new(place, self.id.clone(), Change::Made) }
    }
}

/// What a caller publishes.
#[derive(Debug, Default)]
struct Published {
    subject: Option<String>,
    message: String,
    by_protocol: BTreeMap<String, String>,
    attributes: BTreeMap<String, Value>,
    group: Option<String>,
    deduplication: Option<String>,
    trace: Option<String>,
    /// Its size in bytes.
    size: usize,
}

/// One topic.
struct Held {
    declared: Topic,
    notices: Mutex<VecDeque<Notice>>,
    accepted: Mutex<Deduplication<(String, Option<String>)>>,
}

/// All topics of one machine.
pub struct Sns {
    topics: BTreeMap<String, Held>,
    subscriptions: Mutex<Vec<Subscribed>>,
    deliver: Deliver,
    sightings: Sightings,
    last: AtomicU64,
}

impl Sns {
    /// The declared topics, without subscriptions.
    pub fn new(topics: &[Topic], sightings: Sightings) -> Arc<Self> {
        Arc::new(Self::of(topics, Vec::new(), Deliver::default(), sightings))
    }

    /// The declared topics and their subscriptions.
    ///
    /// # Errors
    /// If a filter policy is not understood.
    pub fn with(topics: &[Topic], subscriptions: &[Subscription], deliver: Deliver, sightings: Sightings) -> Result<Arc<Self>, String> {
        let read = |(declared, number): (&Subscription, u64)| {
            Subscribed::new(declared, number)
                .map_err(|why| format!("the subscription of `{}` to `{}`: {why}", declared.to.name(), declared.topic))
        };
        let all = subscriptions.iter().zip(1..).map(read).collect::<Result<_, _>>()?;
        Ok(Arc::new(Self::of(topics, all, deliver, sightings)))
    }

    fn of(topics: &[Topic], subscriptions: Vec<Subscribed>, deliver: Deliver, sightings: Sightings) -> Self {
        let held = |topic: &Topic| {
            let accepted = Mutex::new(Deduplication::new(INTERVAL));
            (topic.name.clone(), Held { declared: topic.clone(), notices: Mutex::default(), accepted })
        };
        let topics = topics.iter().map(held).collect();
        Self { topics, subscriptions: Mutex::new(subscriptions), deliver, sightings, last: AtomicU64::new(0) }
    }

    /// Publishes; returns the message id, or `None` if the topic does not exist or needs a group for
    /// every message.
    pub fn publish(&self, topic: &str, subject: Option<String>, message: String) -> Option<String> {
        self.accept(topic, Published { subject, message, ..Published::default() }).ok().map(|(id, _)| id)
    }

    /// Publishes what fits the topic; returns the message id and the sequence number.
    fn accept(&self, topic: &str, published: Published) -> Result<(String, Option<String>), Refused> {
        let held = self.topics.get(topic).ok_or_else(|| Refused(404, "NotFound", "Topic does not exist".to_owned()))?;
        let deduplication = deduplicated(&held.declared, &published)?;
        // Held until the message is delivered, so that a group's messages are delivered in order.
        let mut accepted = held.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = deduplication.as_deref().and_then(|id| accepted.find(id, Instant::now())) {
            return Ok(before);
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("50505050-0000-4000-8000-{number:012x}");
        let sequence = held.declared.fifo.then(|| format!("1{number:019}"));
        if let Some(deduplication) = &deduplication {
            accepted.keep(deduplication.clone(), (id.clone(), sequence.clone()), Instant::now());
        }
        let Published { subject, message, by_protocol, attributes, group, trace, .. } = published;
        let at = SystemTime::now();
        let notice = Notice {
            id: id.clone(),
            subject,
            message,
            at,
            by_protocol,
            attributes,
            group,
            deduplication,
            sequence: sequence.clone(),
            trace,
        };
        self.sightings.tell(Seen::Published {
            topic: topic.to_owned(),
            id: id.clone(),
            subject: notice.subject.clone(),
            message: notice.message.get(..notice.message.floor_char_boundary(TOLD)).unwrap_or_default().to_owned(),
        });
        self.sightings.effect(|| Place::Topic(topic.to_owned()), |place, _| notice.effect(place));
        self.notify(topic, &notice);
        let mut notices = held.notices.lock().unwrap_or_else(PoisonError::into_inner);
        if notices.len() == KEPT {
            notices.pop_front();
        }
        notices.push_back(notice);
        Ok((id, sequence))
    }

    /// What a receiver refuses goes to the subscription's dead-letter queue.
    fn notify(&self, topic: &str, notice: &Notice) {
        for subscribed in self.subscribed(|it| it.declared.topic == topic) {
            if !subscribed.wants(notice) {
                continue;
            }
            let delivery = subscribed.delivery(notice);
            let delivered = self.deliver.deliver(&subscribed.declared.to, &delivery);
            if let (Err(_), Some(dead)) = (delivered, &subscribed.declared.dead_letters) {
                // A dead-letter queue that is gone loses the message, as at AWS.
                let _ = self.deliver.deliver(&Target::Queue(dead.clone()), &delivery);
            }
        }
    }

    fn subscribed(&self, which: impl Fn(&Subscribed) -> bool) -> Vec<Subscribed> {
        let all = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().filter(|it| which(it)).cloned().collect()
    }

    /// The messages published to a topic, newest last.
    pub fn published(&self, topic: &str) -> Vec<Notice> {
        let Some(held) = self.topics.get(topic) else { return Vec::new() };
        held.notices.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The topics' names.
    pub fn names(&self) -> Vec<String> {
        self.topics.keys().cloned().collect()
    }

    /// The name of the topic in `TopicArn`.
    fn topic<'a>(&self, fields: &'a Fields) -> Result<&'a str, Refused> {
        let topic = fields.get("TopicArn").or_else(|| fields.get("TargetArn")).ok_or_else(|| invalid("TopicArn or TargetArn"))?;
        let name = topic.rsplit(':').next().unwrap_or_default();
        let exists = *topic == arn("sns", name) && self.topics.contains_key(name);
        exists.then_some(name).ok_or_else(|| Refused(404, "NotFound", "Topic does not exist".to_owned()))
    }

    /// The content of the operation's result.
    fn act(&self, call: &Call) -> Result<String, Refused> {
        let fields = form(&call.body);
        let trace = call.root.as_ref().map(|root| format!("Root={root}"));
        match call.operation.as_str() {
            "Publish" => {
                let topic = self.topic(&fields)?;
                let published = Published { trace, ..requests::published(&fields, "")? };
                Ok(identified(self.accept(topic, published)?))
            }
            "PublishBatch" => self.publish_batch(&fields, trace.as_ref()),
            "Subscribe" => self.subscribe(&fields),
            "Unsubscribe" => {
                let arn = fields.get("SubscriptionArn").ok_or_else(|| invalid("SubscriptionArn"))?;
                // Unsubscribing twice succeeds.
                self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| it.arn != *arn);
                Ok(String::new())
            }
            "ListSubscriptions" => Ok(listed(&self.subscribed(|_| true))),
            "ListSubscriptionsByTopic" => {
                let topic = self.topic(&fields)?;
                Ok(listed(&self.subscribed(|it| it.declared.topic == topic)))
            }
            "ListTopics" => {
                let members = self.topics.keys().map(|name| format!("<member><TopicArn>{}</TopicArn></member>", arn("sns", name)));
                Ok(format!("<Topics>{}</Topics>", members.collect::<String>()))
            }
            other => Err(Refused(400, "InvalidAction", format!("this machine's SNS has no `{other}`"))),
        }
    }

    fn publish_batch(&self, fields: &Fields, trace: Option<&String>) -> Result<String, Refused> {
        let topic = self.topic(fields)?;
        let (mut successful, mut failed) = (String::new(), String::new());
        for (id, entry) in requests::batch(fields)? {
            let id = escape(&id).into_owned();
            match entry.and_then(|entry| self.accept(topic, Published { trace: trace.cloned(), ..entry })) {
                Ok(done) => successful += &format!("<member><Id>{id}</Id>{}</member>", identified(done)),
                Err(Refused(_, code, message)) => {
                    let message = escape(&message).into_owned();
                    failed += &format!(
                        "<member><Id>{id}</Id><Code>{code}</Code><Message>{message}</Message><SenderFault>true</SenderFault></member>"
                    );
                }
            }
        }
        Ok(format!("<Successful>{successful}</Successful><Failed>{failed}</Failed>"))
    }

    fn subscribe(&self, fields: &Fields) -> Result<String, Refused> {
        let topic = self.topic(fields)?.to_owned();
        let field = |name: &str| fields.get(name).filter(|text| !text.is_empty()).ok_or_else(|| invalid(name));
        let (protocol, endpoint) = (field("Protocol")?, field("Endpoint")?);
        let to = match protocol.as_str() {
            "lambda" => Target::Function(function_name(endpoint).to_owned()),
            "sqs" => Target::Queue(endpoint.rsplit(':').next().unwrap_or_default().to_owned()),
            // People confirm first, and nothing reaches them from here.
            "email" | "email-json" | "sms" => return Ok("<SubscriptionArn>pending confirmation</SubscriptionArn>".to_owned()),
            _ => return Err(invalid(&format!("Protocol: this machine's SNS does not deliver by `{protocol}`"))),
        };
        let attributes = requests::entries(fields, "Attributes.entry.");
        let attribute = |name: &str| attributes.get(name).map(String::as_str);
        let policy =
            attribute("FilterPolicy").map(serde_json::from_str).transpose().map_err(|_| invalid("FilterPolicy: failed to parse JSON."))?;
        let dead: Option<Value> = attribute("RedrivePolicy").map(serde_json::from_str).transpose().map_err(|_| invalid("RedrivePolicy"))?;
        let dead = dead.and_then(|policy| policy.get("deadLetterTargetArn")?.as_str()?.rsplit(':').next().map(str::to_owned));
        let filter_on = if attribute("FilterPolicyScope") == Some("MessageBody") { FilterOn::Body } else { FilterOn::Attributes };
        let raw = attribute("RawMessageDelivery") == Some("true");
        let declared = Subscription { topic, to, filter: policy, filter_on, raw, dead_letters: dead };
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let subscribed = Subscribed::new(&declared, number).map_err(|why| invalid(&format!("FilterPolicy: {why}")))?;
        if *endpoint != subscribed.endpoint() {
            return Err(invalid(&format!("{protocol} endpoint ARN")));
        }
        let mut all = self.subscriptions.lock().unwrap_or_else(PoisonError::into_inner);
        // The same endpoint is subscribed once. Source: Amazon SNS API reference, `Subscribe`.
        let same = all.iter().find(|it| it.declared.topic == declared.topic && it.declared.to == declared.to).map(|it| it.arn.clone());
        let arn = same.unwrap_or_else(|| {
            all.push(subscribed.clone());
            subscribed.arn
        });
        Ok(format!("<SubscriptionArn>{arn}</SubscriptionArn>"))
    }
}

/// The deduplication id of a message, if its topic is first in, first out. Source: Amazon SNS API
/// reference, `Publish`.
fn deduplicated(topic: &Topic, published: &Published) -> Result<Option<String>, Refused> {
    let Published { group, deduplication, message, .. } = published;
    if [group, deduplication].into_iter().flatten().any(|id| !is_id(id)) {
        return Err(invalid("MessageGroupId or MessageDeduplicationId"));
    }
    if !topic.fifo {
        let reason =
            "MessageDeduplicationId Reason: The request includes MessageDeduplicationId parameter that is not valid for this topic type";
        return if deduplication.is_some() { Err(invalid(reason)) } else { Ok(None) };
    }
    if group.is_none() {
        return Err(invalid("The MessageGroupId parameter is required for FIFO topics"));
    }
    let id = deduplication.clone().or_else(|| topic.by_content.then(|| id_of(message)));
    id.map(Some).ok_or_else(|| {
        invalid("The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
    })
}

fn identified((id, sequence): (String, Option<String>)) -> String {
    let sequence = sequence.map(|sequence| format!("<SequenceNumber>{sequence}</SequenceNumber>")).unwrap_or_default();
    format!("<MessageId>{id}</MessageId>{sequence}")
}

fn listed(all: &[Subscribed]) -> String {
    let member = |it: &Subscribed| {
        let (topic, owner) = (arn("sns", &it.declared.topic), template::account::ACCOUNT);
        let (arn, protocol, endpoint) = (&it.arn, it.protocol(), it.endpoint());
        format!(
            "<member><SubscriptionArn>{arn}</SubscriptionArn><Owner>{owner}</Owner><Protocol>{protocol}</Protocol>\
             <Endpoint>{endpoint}</Endpoint><TopicArn>{topic}</TopicArn></member>"
        )
    };
    format!("<Subscriptions>{}</Subscriptions>", all.iter().map(member).collect::<String>())
}

impl Receives for Sns {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let Delivery { body, trace, subject, attributes, group, deduplication, .. } = delivery.clone();
        let published = Published { subject, message: body, attributes, group, deduplication, trace, ..Published::default() };
        if published.message.len() > requests::LARGEST {
            return Err(Undelivered::Refused(format!("a message has at most {} bytes", requests::LARGEST)));
        }
        self.accept(to.name(), published).map(drop).map_err(|Refused(status, _, why)| match status {
            404 => Undelivered::Missing(to.clone()),
            _ => Undelivered::Refused(why),
        })
    }
}

#[async_trait]
impl Service for Sns {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        match self.act(call) {
            Ok(result) => {
                let (action, request) = (&call.operation, &call.request_id);
                let body = format!(
                    "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result>\
                     <ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></{action}Response>"
                );
                Answer { status: 200, content_type: QUERY_XML, error_type: None, body: body.into() }
            }
            Err(Refused(status, code, message)) => Answer::error(QUERY_XML, status, code, &message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::requests::LARGEST;
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
            let call = Call {
                operation: "Publish".into(),
                request_id: "r".into(),
                root: None,
                function: None,
                delivery: 0,
                path: "/".into(),
                body: body.clone().into(),
            };
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
    fn of_a_watched_topic_it_is_told_what_is_published_and_by_whose_request() {
        let mut watch = run_folder::Watch::default();
        watch.add(Place::Topic("t".into()), []);
        let (sightings, mut seen) = Sightings::watching(watch);
        let sns = Sns::new(&[Topic::named("t"), Topic::named("other")], sightings);
        let published = || Published { message: "{}".into(), trace: Some("Root=1-a-b".into()), ..Published::default() };
        sns.accept("other", published()).ok().unwrap();
        let (id, _) = sns.accept("t", Published { subject: Some("late".into()), ..published() }).ok().unwrap();
        let told = std::iter::from_fn(|| seen.try_recv().ok());
        let effects: Vec<_> =
            told.filter_map(|sighting| if let Seen::Effect(effect) = sighting.seen { Some(effect) } else { None }).collect();
        let expected =
            Effect { root: Some("1-a-b".into()), text: "late\n{}".into(), ..Effect::new(Place::Topic("t".into()), id, Change::Made) };
        assert_eq!(effects, [expected]);
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

    #[test]
    fn a_topic_that_is_first_in_first_out_needs_a_group_and_accepts_a_message_once() {
        let topic = |name: &str, fifo, by_content| Topic { name: name.into(), fifo, by_content };
        let sns = Sns::new(&[topic("a.fifo", true, true), topic("b.fifo", true, false), topic("t", false, false)], Sightings::nowhere());
        let publish = |to: &str, group: Option<&str>, id: Option<&str>| {
            let (group, deduplication) = (group.map(str::to_owned), id.map(str::to_owned));
            sns.accept(to, Published { message: "m".into(), group, deduplication, ..Published::default() }).ok()
        };
        let first = publish("a.fifo", Some("g"), None).unwrap();
        assert_eq!(publish("a.fifo", Some("g"), None), Some(first.clone()), "the content is the same");
        let other = publish("a.fifo", Some("g"), Some("d")).unwrap();
        assert!(other.1 > first.1 && other.1.is_some());
        for (to, group, id) in
            [("a.fifo", None, None), ("b.fifo", Some("g"), None), ("t", None, Some("d")), ("b.fifo", Some("g g"), Some("d"))]
        {
            assert_eq!(publish(to, group, id), None, "{to} {group:?} {id:?}");
        }
        assert_eq!((sns.published("a.fifo").len(), publish("t", Some("g"), None).unwrap().1), (2, None));
    }
}
