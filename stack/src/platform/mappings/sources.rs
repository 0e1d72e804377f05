//! The queues, tables and data streams of this machine's services, as mappings use them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::polled::{Message, Origin, Queue, Receiver, Record, Sources, Stream};
use crate::platform::names::{ACCOUNT, REGION};
use crate::services::dynamodb::streams;
use crate::services::s3::Buckets;
use crate::services::shard::{self, Shard};
use crate::services::sns::Sns;
use crate::services::sqs::Sqs;
use crate::services::{Services, dynamodbstreams, kinesis};
use template::blueprint::Target;

impl Sources for Services {
    fn queue(&self, name: &str) -> Option<Arc<dyn Queue>> {
        self.sqs.gauge(name)?;
        Some(Arc::new(OneQueue { sqs: Arc::clone(&self.sqs), name: name.to_owned() }))
    }

    fn stream(&self, table: &str) -> Option<Arc<dyn Stream>> {
        Some(Arc::new(OfTable { table: table.to_owned(), stream: self.tables.stream(table)? }))
    }

    fn data_stream(&self, name: &str) -> Vec<Arc<dyn Stream>> {
        let Some(stream) = self.kinesis.stream(name) else { return Vec::new() };
        (0..stream.count()).map(|number| Arc::new(OfKinesis { stream: Arc::clone(&stream), number }) as Arc<dyn Stream>).collect()
    }

    fn receiver(&self, target: &Target) -> Option<Arc<dyn Receiver>> {
        let receiver = match target {
            Target::Queue(name) => OnFailure::Queue(self.queue(name)?),
            Target::Topic(name) => OnFailure::Topic(Arc::clone(&self.sns), self.sns.names().contains(name).then(|| name.clone())?),
            Target::Bucket(name) => OnFailure::Bucket(Arc::clone(&self.buckets), self.buckets.has(name).then(|| name.clone())?),
            Target::Function(_) | Target::Bus(_) | Target::DataStream(_) | Target::Machine(_) => return None,
        };
        Some(Arc::new(receiver))
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
struct OfTable {
    table: String,
    stream: Arc<streams::Stream>,
}

#[async_trait]
impl Stream for OfTable {
    fn origin(&self) -> Origin {
        let shard = dynamodbstreams::SHARD.to_owned();
        Origin { of_table: true, name: self.table.clone(), arn: streams::arn(&self.table), shard }
    }

    fn next(&self) -> u64 {
        self.stream.shard().next()
    }

    fn read(&self, from: u64, most: usize) -> Vec<Record> {
        let records = self.stream.shard().read(from, most).into_iter();
        records
            .map(|record| Record {
                sequence: record.sequence,
                id: record.sequence.to_string(),
                key: record.key,
                written: record.written,
                value: record.value,
                filtered: None,
            })
            .collect()
    }

    fn cause(&self, sequence: u64) -> Option<String> {
        self.stream.shard().cause(sequence)
    }

    async fn arrival(&self, from: u64) {
        self.stream.shard().arrival(from).await;
    }
}

/// A shard of a data stream.
struct OfKinesis {
    stream: Arc<kinesis::DataStream>,
    number: usize,
}

impl OfKinesis {
    fn shard(&self) -> Option<&Shard> {
        self.stream.shard(self.number)
    }
}

#[async_trait]
impl Stream for OfKinesis {
    fn origin(&self) -> Origin {
        let stream = &self.stream;
        Origin { of_table: false, name: stream.name.clone(), arn: stream.arn(), shard: kinesis::shard_id(self.number) }
    }

    fn next(&self) -> u64 {
        self.shard().map_or(0, Shard::next)
    }

    fn read(&self, from: u64, most: usize) -> Vec<Record> {
        let (origin, records) = (self.origin(), self.shard().map(|shard| shard.read(from, most)).unwrap_or_default());
        records.into_iter().map(|record| of_kinesis(&origin, record)).collect()
    }

    fn cause(&self, sequence: u64) -> Option<String> {
        self.shard()?.cause(sequence)
    }

    async fn arrival(&self, from: u64) {
        match self.shard() {
            Some(shard) => shard.arrival(from).await,
            None => std::future::pending().await,
        }
    }
}

/// Source: Lambda, "Process Amazon Kinesis Data Streams records with Lambda". Filters see the
/// record itself, with its data decoded, and parsed if it is JSON. Source: Lambda, "Use event
/// filtering with a Kinesis event source".
fn of_kinesis(origin: &Origin, record: shard::Record) -> Record {
    let id = kinesis::sequence_number(record.sequence);
    let value = json!({
        "kinesis": record.value,
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{}:{id}", origin.shard),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": format!("arn:aws:iam::{ACCOUNT}:role/lambda-role"),
        "awsRegion": REGION,
        "eventSourceARN": origin.arn,
    });
    let mut filtered = record.value;
    if let Some(data) = filtered.get_mut("data") {
        let bytes = STANDARD.decode(data.as_str().unwrap_or_default()).unwrap_or_default();
        *data = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    }
    Record { sequence: record.sequence, id, key: record.key, written: record.written, value, filtered: Some(filtered) }
}

/// What gets notices about records that were given up: a queue, a topic or a bucket. Source:
/// Lambda API reference, OnFailure.
enum OnFailure {
    Queue(Arc<dyn Queue>),
    Topic(Arc<Sns>, String),
    Bucket(Arc<Buckets>, String),
}

impl Receiver for OnFailure {
    fn take(&self, key: &str, notice: String) -> Option<String> {
        match self {
            Self::Queue(queue) => queue.send(notice),
            Self::Topic(sns, name) => sns.publish(name, None, notice),
            Self::Bucket(buckets, name) => {
                buckets.put(name, key, notice.into());
                None
            }
        }
    }

    fn takes_records(&self) -> bool {
        matches!(self, Self::Bucket(..))
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
    #[test]
    fn a_record_of_kinesis_is_as_lambda_has_it_and_filters_see_its_data() {
        let origin = Origin { of_table: false, name: "s".into(), arn: "arn:s".into(), shard: kinesis::shard_id(1) };
        for (data, seen) in [("eyJhIjoxfQ==", json!({"a": 1})), ("aGFsbG8=", json!("hallo"))] {
            let record = shard::Record { sequence: 7, key: "k".into(), value: json!({"data": data}), written: std::time::UNIX_EPOCH };
            let record = of_kinesis(&origin, record);
            assert_eq!(record.filtered.unwrap()["data"], seen);
            assert_eq!(record.value["kinesis"]["data"], data);
            assert_eq!(record.value["eventID"], format!("shardId-000000000001:{}", record.id));
            assert_eq!((record.id.len(), &record.value["eventSourceARN"]), (56, &json!("arn:s")));
        }
    }
}
