//! One subscription: whether it wants a notice, and what its receiver gets. Pure. Sources: Amazon
//! SNS developer guide, "Filter policies", "Parsing message formats", "Raw message delivery";
//! Lambda, "Invoking Lambda functions with Amazon SNS notifications".

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Notice;
use crate::deliver::Delivery;
use crate::pattern::{Dialect, Filter};
use template::account::{REGION, arn};
use template::blueprint::{FilterOn, Subscription, Target};

/// A subscription to a topic.
#[derive(Debug, Clone)]
pub struct Subscribed {
    /// Its ARN.
    pub arn: String,
    /// Its declaration.
    pub declared: Subscription,
    filter: Option<Filter>,
}

impl Subscribed {
    /// Reads the filter policy; `number` makes the ARN unique.
    ///
    /// # Errors
    /// What is not understood in the policy.
    pub fn new(declared: &Subscription, number: u64) -> Result<Self, String> {
        let filter = declared.filter.as_ref().map(|policy| Filter::of(policy, Dialect::Topic)).transpose()?;
        let is_flat = |policy: &Value| policy.as_object().is_none_or(|policy| !policy.values().any(Value::is_object));
        if declared.filter_on == FilterOn::Attributes && !declared.filter.as_ref().is_none_or(is_flat) {
            return Err("a filter policy on attributes cannot be nested".to_owned());
        }
        let arn = format!("{}:5b5b5b5b-0000-4000-8000-{number:012x}", arn("sns", &declared.topic));
        Ok(Self { arn, declared: declared.clone(), filter })
    }

    /// `Protocol`.
    pub const fn protocol(&self) -> &'static str {
        if matches!(self.declared.to, Target::Function(_)) { "lambda" } else { "sqs" }
    }

    /// `Endpoint`.
    pub fn endpoint(&self) -> String {
        match &self.declared.to {
            Target::Function(name) => arn("lambda", &format!("function:{name}")),
            other => arn("sqs", other.name()),
        }
    }

    /// Whether the filter policy, if there is one, takes the notice.
    pub fn wants(&self, notice: &Notice) -> bool {
        let Some(filter) = &self.filter else { return true };
        match self.declared.filter_on {
            FilterOn::Attributes => filter.takes(&compared(&notice.attributes)),
            // What is not a JSON object is not delivered.
            FilterOn::Body => {
                serde_json::from_str::<Value>(notice.text_for(self.protocol())).is_ok_and(|body| body.is_object() && filter.takes(&body))
            }
        }
    }

    /// What the receiver gets.
    pub fn delivery(&self, notice: &Notice) -> Delivery {
        let base = Delivery {
            trace: notice.trace.clone(),
            group: notice.group.clone(),
            deduplication: notice.deduplication.clone(),
            ..Delivery::default()
        };
        if matches!(self.declared.to, Target::Function(_)) {
            return Delivery { body: self.event(notice).to_string(), ..base };
        }
        if self.declared.raw {
            return Delivery { body: notice.text_for("sqs").to_owned(), attributes: notice.attributes.clone(), ..base };
        }
        Delivery { body: self.envelope(notice).to_string(), ..base }
    }

    fn unsubscribe(&self) -> String {
        format!("https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={}", self.arn)
    }

    fn event(&self, notice: &Notice) -> Value {
        json!({"Records": [{
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": self.arn,
            "Sns": {
                "Type": "Notification",
                "MessageId": notice.id,
                "TopicArn": arn("sns", &self.declared.topic),
                "Subject": notice.subject,
                "Message": notice.text_for("lambda"),
                "Timestamp": dates::milliseconds(notice.at),
                "SignatureVersion": "1",
                "Signature": SIGNATURE,
                "SigningCertUrl": certificate(),
                "UnsubscribeUrl": self.unsubscribe(),
                "MessageAttributes": shown(&notice.attributes),
            },
        }]})
    }

    fn envelope(&self, notice: &Notice) -> Value {
        let mut envelope = Map::from_iter([
            ("Type".to_owned(), json!("Notification")),
            ("MessageId".to_owned(), json!(notice.id)),
            ("TopicArn".to_owned(), json!(arn("sns", &self.declared.topic))),
            ("Message".to_owned(), json!(notice.text_for("sqs"))),
            ("Timestamp".to_owned(), json!(dates::milliseconds(notice.at))),
            ("UnsubscribeURL".to_owned(), json!(self.unsubscribe())),
        ]);
        match &notice.sequence {
            // A topic that is first in, first out does not sign.
            Some(sequence) => drop(envelope.insert("SequenceNumber".to_owned(), json!(sequence))),
            None => envelope.extend([
                ("SignatureVersion".to_owned(), json!("1")),
                ("Signature".to_owned(), json!(SIGNATURE)),
                ("SigningCertURL".to_owned(), json!(certificate())),
            ]),
        }
        if let Some(subject) = &notice.subject {
            envelope.insert("Subject".to_owned(), json!(subject));
        }
        if !notice.attributes.is_empty() {
            envelope.insert("MessageAttributes".to_owned(), shown(&notice.attributes));
        }
        Value::Object(envelope)
    }
}

/// No certificate of this machine would convince a reader, so nothing is signed.
const SIGNATURE: &str = "brownout";

fn certificate() -> String {
    format!("https://sns.{REGION}.amazonaws.com/SimpleNotificationService-brownout.pem")
}

fn kind_and_value(attribute: &Value) -> (&str, &str) {
    let text = |key: &str| attribute.get(key).and_then(Value::as_str);
    (text("DataType").unwrap_or_default(), text("StringValue").or_else(|| text("BinaryValue")).unwrap_or_default())
}

/// Attributes as in events and envelopes.
fn shown(attributes: &BTreeMap<String, Value>) -> Value {
    let shown = attributes.iter().map(|(name, attribute)| {
        let (kind, value) = kind_and_value(attribute);
        (name.clone(), json!({"Type": kind, "Value": value}))
    });
    Value::Object(shown.collect())
}

/// Attributes as filter policies see them: only those of these types. Source: Amazon SNS developer
/// guide, "Filter policy constraints".
fn compared(attributes: &BTreeMap<String, Value>) -> Value {
    let compared = attributes.iter().filter_map(|(name, attribute)| {
        let (kind, value) = kind_and_value(attribute);
        let seen = match kind {
            "String" => json!(value),
            "Number" | "String.Array" => serde_json::from_str(value).ok()?,
            _ => return None,
        };
        Some((name.clone(), seen))
    });
    Value::Object(compared.collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn subscription(to: Target) -> Subscription {
        Subscription { topic: "t".into(), to, filter: None, filter_on: FilterOn::Attributes, raw: false, dead_letters: None }
    }

    fn text(kind: &str, value: &str) -> Value {
        json!({"DataType": kind, "StringValue": value})
    }

    fn notice() -> Notice {
        Notice {
            id: "id".into(),
            subject: None,
            message: r#"{"kind":"new","n":7}"#.into(),
            at: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
            by_protocol: BTreeMap::new(),
            attributes: BTreeMap::from([
                ("kind".to_owned(), text("String", "new")),
                ("n".to_owned(), text("Number", "7")),
                ("all".to_owned(), text("String.Array", r#"["a","b"]"#)),
                ("odd".to_owned(), text("String.x", "new")),
                ("raw".to_owned(), json!({"DataType": "Binary", "BinaryValue": "AAE="})),
            ]),
            group: None,
            deduplication: None,
            sequence: None,
            trace: Some("Root=1-a-b".into()),
        }
    }

    #[test]
    fn a_policy_looks_at_attributes_or_at_the_body() {
        for (on, policy, wanted) in [
            (FilterOn::Attributes, json!({"kind": ["new"]}), true),
            (FilterOn::Attributes, json!({"kind": ["old"]}), false),
            (FilterOn::Attributes, json!({"n": [{"numeric": [">", 5]}]}), true),
            (FilterOn::Attributes, json!({"all": ["b"]}), true),
            (FilterOn::Attributes, json!({"odd": ["new"]}), false),
            (FilterOn::Attributes, json!({"gone": [{"exists": false}]}), true),
            (FilterOn::Attributes, json!({"raw": [{"exists": true}]}), false),
            (FilterOn::Attributes, json!({"$or": [{"kind": ["old"]}, {"n": [7]}]}), true),
            (FilterOn::Body, json!({"kind": [{"prefix": "ne"}]}), true),
            (FilterOn::Body, json!({"all": ["b"]}), false),
        ] {
            let declared = Subscription { filter: Some(policy.clone()), filter_on: on, ..subscription(Target::Queue("q".into())) };
            assert_eq!(Subscribed::new(&declared, 1).unwrap().wants(&notice()), wanted, "{policy}");
        }
        let on_body =
            Subscription { filter: Some(json!({"a": [1]})), filter_on: FilterOn::Body, ..subscription(Target::Queue("q".into())) };
        assert!(!Subscribed::new(&on_body, 1).unwrap().wants(&Notice { message: "no JSON".into(), ..notice() }));
        let nested = Subscription { filter: Some(json!({"a": {"b": [1]}})), ..subscription(Target::Queue("q".into())) };
        assert!(Subscribed::new(&nested, 1).is_err());
    }

    #[test]
    fn a_function_gets_lambdas_event_and_a_queue_an_envelope_or_the_bare_message() {
        let function = Subscribed::new(&subscription(Target::Function("f".into())), 1).unwrap();
        let delivery = function.delivery(&notice());
        let event: Value = serde_json::from_str(&delivery.body).unwrap();
        let record = &event["Records"][0];
        assert_eq!(record["EventSubscriptionArn"], "arn:aws:sns:us-east-1:123456789012:t:5b5b5b5b-0000-4000-8000-000000000001");
        assert_eq!((&record["Sns"]["Subject"], &record["Sns"]["Timestamp"]), (&Value::Null, &json!("2023-11-14T22:13:20.123Z")));
        assert_eq!(record["Sns"]["MessageAttributes"]["raw"], json!({"Type": "Binary", "Value": "AAE="}));
        assert_eq!(delivery.trace.as_deref(), Some("Root=1-a-b"));

        let queue = Subscribed::new(&subscription(Target::Queue("q".into())), 2).unwrap();
        let plain = Notice { subject: Some("s".into()), attributes: BTreeMap::new(), ..notice() };
        let envelope: Value = serde_json::from_str(&queue.delivery(&plain).body).unwrap();
        assert_eq!(
            (&envelope["Message"], &envelope["Subject"], &envelope["Type"]),
            (&json!(plain.message), &json!("s"), &json!("Notification"))
        );
        assert!(envelope.get("MessageAttributes").is_none() && envelope.get("SigningCertURL").is_some());
        let ordered = Notice { sequence: Some("1".into()), group: Some("g".into()), ..notice() };
        let envelope: Value = serde_json::from_str(&queue.delivery(&ordered).body).unwrap();
        assert!(envelope.get("Subject").is_none() && envelope.get("Signature").is_none() && envelope["SequenceNumber"] == "1");
        assert_eq!(queue.delivery(&ordered).group.as_deref(), Some("g"));

        let raw = Subscribed::new(&Subscription { raw: true, ..subscription(Target::Queue("q".into())) }, 3).unwrap();
        let structured = Notice { by_protocol: BTreeMap::from([("sqs".to_owned(), "for queues".to_owned())]), ..notice() };
        let delivery = raw.delivery(&structured);
        assert_eq!((delivery.body.as_str(), &delivery.attributes), ("for queues", &notice().attributes));
    }
}
