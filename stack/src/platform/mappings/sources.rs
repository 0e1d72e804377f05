//! The queues and tables of this machine's services, as mappings use them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::polled::{Message, Queue, Record, Sources, Stream};
use crate::services::Services;
use crate::services::dynamodb::streams;
use crate::services::sqs::Sqs;

impl Sources for Services {
    fn queue(&self, name: &str) -> Option<Arc<dyn Queue>> {
        self.sqs.gauge(name)?;
        Some(Arc::new(OneQueue { sqs: Arc::clone(&self.sqs), name: name.to_owned() }))
    }

    fn stream(&self, table: &str) -> Option<Arc<dyn Stream>> {
        Some(Arc::new(OneShard(self.tables.stream(table)?)))
    }
}

/// One of the queues.
struct OneQueue {
    sqs: Arc<Sqs>,
    name: String,
}

#[async_trait]
impl Queue for OneQueue {
    fn receive(&self, most: usize) -> Vec<Message> {
        let received = self.sqs.receive(&self.name, most).into_iter();
        received
            .map(|message| Message {
                id: message.id,
                receipt: message.receipt,
                body: message.body,
                md5: message.md5,
                attributes: message.attributes,
                typed: message.typed.into_iter().map(as_in_events).collect::<BTreeMap<_, _>>(),
            })
            .collect()
    }

    async fn arrival(&self) {
        self.sqs.arrival(&self.name).await;
    }

    fn delete(&self, receipt: &str) -> bool {
        self.sqs.delete(&self.name, receipt)
    }

    fn make_visible(&self, receipt: &str, after: Duration) -> bool {
        self.sqs.make_visible(&self.name, receipt, after)
    }

    fn send(&self, body: String) -> Option<String> {
        self.sqs.send(&self.name, body, None)
    }
}

/// A typed attribute in the spelling of events, which differs from SQS's.
fn as_in_events((name, typed): (String, Value)) -> (String, Value) {
    let mut shown = json!({ "dataType": typed.get("DataType"), "stringListValues": [], "binaryListValues": [] });
    for (key, in_events) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
        if let (Some(value), Some(shown)) = (typed.get(key), shown.as_object_mut()) {
            shown.insert(in_events.to_owned(), value.clone());
        }
    }
    (name, shown)
}

/// The one shard of a table's stream.
struct OneShard(Arc<streams::Stream>);

#[async_trait]
impl Stream for OneShard {
    fn read(&self, from: u64, most: usize) -> Vec<Record> {
        let records = self.0.read(from, most).into_iter();
        records.map(|record| Record { sequence: record.sequence, value: record.value }).collect()
    }

    async fn arrival(&self, from: u64) {
        self.0.arrival(from).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_attributes_are_spelt_as_in_events() {
        let (_, text) = as_in_events(("n".into(), json!({ "DataType": "String", "StringValue": "x" })));
        let (_, binary) = as_in_events(("n".into(), json!({ "DataType": "Binary", "BinaryValue": "AAE=" })));
        let lists = |mut expected: Value| {
            expected["stringListValues"] = json!([]);
            expected["binaryListValues"] = json!([]);
            expected
        };
        assert_eq!(text, lists(json!({ "dataType": "String", "stringValue": "x" })));
        assert_eq!(binary, lists(json!({ "dataType": "Binary", "binaryValue": "AAE=" })));
    }
}
