//! `AWS::SNS::Topic` and `AWS::SNS::Subscription`.

use serde_json::Value;

use super::physical::Kind;
use super::section::Section;
use crate::blueprint::{FilterOn, Subscription, Topic};

/// Reads a topic, and the subscriptions that it declares itself.
pub(crate) fn read(topic: &Section<'_>, name: String) -> (Topic, Vec<Subscription>) {
    topic.only(
        &["TopicName", "FifoTopic", "ContentBasedDeduplication", "Subscription"],
        &["DisplayName", "KmsMasterKeyId", "TracingConfig", "SignatureVersion", "Tags"],
    );
    let fifo = topic.flag("FifoTopic");
    if fifo != name.ends_with(".fifo") {
        topic.complain("TopicName", format!("found `{name}`: the name of a FIFO topic, and of no other, ends in `.fifo`"));
    }
    let own = topic.each("Subscription").into_iter().filter_map(|one| read_subscription(&one, name.clone())).collect();
    (Topic { name, fifo, by_content: topic.flag("ContentBasedDeduplication") }, own)
}

pub(crate) fn subscription(subscription: &Section<'_>) -> Option<Subscription> {
    subscription.needed("TopicArn");
    let topic = subscription.resource(Kind::Topic, "TopicArn")?;
    read_subscription(subscription, topic)
}

fn read_subscription(one: &Section<'_>, topic: String) -> Option<Subscription> {
    one.only(
        &["TopicArn", "Protocol", "Endpoint", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy"],
        &["Region", "SubscriptionRoleArn"],
    );
    let kind = match one.needed("Protocol").as_str() {
        "lambda" => Kind::Function,
        "sqs" => Kind::Queue,
        other => {
            one.notice("Protocol", format!("found `{other}`, only these are served here: lambda, sqs"));
            return None;
        }
    };
    let filter = match one.value("FilterPolicy") {
        Some(Value::String(text)) => serde_json::from_str(text).map_err(|_| one.complain("FilterPolicy", "expected a JSON object")).ok(),
        other => other.cloned(),
    };
    let scope = one.one_of("FilterPolicyScope", &["MessageAttributes", "MessageBody"]);
    Some(Subscription {
        to: one.target("Endpoint", &[kind])?,
        topic,
        filter,
        filter_on: if scope.as_deref() == Some("MessageBody") { FilterOn::Body } else { FilterOn::Attributes },
        raw: one.flag("RawMessageDelivery"),
        dead_letters: one.within("RedrivePolicy").resource(Kind::Queue, "deadLetterTargetArn"),
    })
}
