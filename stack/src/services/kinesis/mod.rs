//! Kinesis data streams: shards by the hash of the partition key, records in the order of their
//! writes. Own code. It has no rates and no resharding, and speaks JSON only.

mod iterators;
mod records;
mod shown;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use base64::Engine;
use s3s::crypto::{Checksum, Md5};
use serde_json::{Value, json};

use super::described::{Described, Protocol};
use super::shard::Shard;
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_1, Refused, Service, json_answer, no_such_operation};
use crate::deliver::{Delivery, Receives, Undelivered};
use crate::platform::names::{ACCOUNT, REGION};
use template::blueprint::Target;

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "kinesis",
    title: "Kinesis data streams",
    protocol: Protocol::Json11("Kinesis_20131202", |_, _| None),
    operations: &["PutRecord", "PutRecords", "GetRecords", "GetShardIterator"],
};

/// The digits of a sequence number before those that count. At AWS it has 56 digits, too.
const BEGINS: &str = "495903382714902566085596925383615710959";

/// The data streams of this machine.
pub struct Kinesis {
    streams: BTreeMap<String, Arc<DataStream>>,
    created: SystemTime,
}

/// A data stream.
pub struct DataStream {
    /// Its name.
    pub name: String,
    shards: Vec<Shard>,
    retention: Duration,
}

/// The id of the shard with this number.
pub fn shard_id(number: usize) -> String {
    format!("shardId-{number:012}")
}

/// The `SequenceNumber` of a record.
pub fn sequence_number(sequence: u64) -> String {
    format!("{BEGINS}{sequence:017}")
}

/// The place of the record with this `SequenceNumber`.
fn sequence(number: &str) -> Option<u64> {
    number.strip_prefix(BEGINS)?.parse().ok()
}

impl DataStream {
    fn new(declared: &template::blueprint::DataStream) -> Self {
        let shards = (0..declared.shards.max(1)).map(|_| Shard::new(declared.retention)).collect();
        Self { name: declared.name.clone(), shards, retention: declared.retention }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{}", self.name)
    }

    /// How many shards it has.
    pub fn count(&self) -> usize {
        self.shards.len()
    }

    /// The shard with this number.
    pub fn shard(&self, number: usize) -> Option<&Shard> {
        self.shards.get(number)
    }

    /// How many hash keys a shard has.
    fn width(&self) -> u128 {
        let shards = u128::try_from(self.shards.len()).unwrap_or(1).max(1);
        // 2^128 divided by a power of two is one more than its predecessor divided.
        (u128::MAX / shards).saturating_add(u128::from(shards.is_power_of_two()))
    }

    /// The number of the shard that has this hash key.
    fn of_hash(&self, hash: u128) -> usize {
        usize::try_from(hash / self.width().max(1)).unwrap_or(usize::MAX).min(self.shards.len().saturating_sub(1))
    }

    /// The first and the last hash key of a shard.
    fn range(&self, number: usize) -> (u128, u128) {
        let begins = |number: usize| self.width().saturating_mul(u128::try_from(number).unwrap_or(0));
        let ends = if number + 1 >= self.shards.len() { u128::MAX } else { begins(number + 1) - 1 };
        (begins(number), ends)
    }

    /// Puts a record, whose data is in base64; returns its shard's id and its sequence number.
    fn put(&self, key: &str, hash: u128, data: &str) -> Option<(String, String)> {
        let number = self.of_hash(hash);
        let sequence = self.shard(number)?.push(key.to_owned(), |sequence, now| {
            let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default();
            json!({
                "kinesisSchemaVersion": "1.0",
                "partitionKey": key,
                "sequenceNumber": sequence_number(sequence),
                "data": data,
                // In milliseconds, as AWS has it.
                "approximateArrivalTimestamp": (seconds.as_secs_f64() * 1000.0).round() / 1000.0,
            })
        });
        Some((shard_id(number), sequence_number(sequence)))
    }

    fn described_shards(&self) -> Vec<Value> {
        let described = (0..self.count()).map(|number| {
            let (begins, ends) = self.range(number);
            json!({
                "ShardId": shard_id(number),
                "HashKeyRange": {"StartingHashKey": begins.to_string(), "EndingHashKey": ends.to_string()},
                "SequenceNumberRange": {"StartingSequenceNumber": sequence_number(0)},
            })
        });
        described.collect()
    }
}

/// The hash key of a partition key: its MD5. Source: Amazon Kinesis Data Streams, terminology.
fn hash_key(partition: &str) -> u128 {
    Md5::checksum(partition.as_bytes()).as_ref().iter().fold(0, |hash, byte| (hash << 8) | u128::from(*byte))
}

impl Kinesis {
    /// The declared streams, without records.
    pub fn new(declared: &[template::blueprint::DataStream]) -> Arc<Self> {
        let streams = declared.iter().map(|stream| (stream.name.clone(), Arc::new(DataStream::new(stream)))).collect();
        Arc::new(Self { streams, created: SystemTime::now() })
    }

    /// A stream by its name.
    pub fn stream(&self, name: &str) -> Option<Arc<DataStream>> {
        self.streams.get(name).cloned()
    }

    /// The stream that a request names or gives the ARN of.
    fn asked(&self, body: &Value) -> Result<&Arc<DataStream>, Refused> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let by_arn = text("StreamARN").and_then(|arn| arn.strip_prefix(&format!("arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/")));
        let name = text("StreamName").or(by_arn);
        let name = name.ok_or_else(|| Refused::new("InvalidArgumentException", "Either StreamName or StreamARN must be provided."))?;
        self.streams
            .get(name)
            .ok_or_else(|| Refused::new("ResourceNotFoundException", format!("Stream {name} under account {ACCOUNT} not found.")))
    }

    fn describe(&self, stream: &DataStream, is_summary: bool) -> Value {
        let mut described = json!({
            "StreamName": stream.name,
            "StreamARN": stream.arn(),
            "StreamStatus": "ACTIVE",
            "StreamModeDetails": {"StreamMode": "PROVISIONED"},
            "RetentionPeriodHours": stream.retention.as_secs() / 3600,
            "StreamCreationTimestamp": self.created.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
            "EncryptionType": "NONE",
        });
        if let Some(described) = described.as_object_mut() {
            if is_summary {
                described.insert("OpenShardCount".to_owned(), json!(stream.count()));
                described.insert("ConsumerCount".to_owned(), json!(0));
            } else {
                described.insert("Shards".to_owned(), json!(stream.described_shards()));
                described.insert("HasMoreShards".to_owned(), json!(false));
            }
        }
        described
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        match operation {
            "PutRecord" => records::put(self.asked(body)?, body),
            "PutRecords" => records::put_all(self.asked(body)?, body),
            "GetShardIterator" => iterators::first(self.asked(body)?, body),
            "GetRecords" => iterators::records(&self.streams, body),
            "DescribeStream" => Ok(json!({"StreamDescription": self.describe(self.asked(body)?, false)})),
            "DescribeStreamSummary" => Ok(json!({"StreamDescriptionSummary": self.describe(self.asked(body)?, true)})),
            "ListShards" => Ok(json!({"Shards": self.asked(body)?.described_shards()})),
            "ListStreams" => Ok(json!({"StreamNames": self.streams.keys().collect::<Vec<_>>(), "HasMoreStreams": false})),
            _ => Err(no_such_operation(operation)),
        }
    }
}

impl Receives for Kinesis {
    fn receive_delivery(&self, to: &Target, delivery: &Delivery) -> Result<(), Undelivered> {
        let data = base64::engine::general_purpose::STANDARD.encode(&delivery.body);
        // Source: EventBridge user guide, targets: without `PartitionKeyPath` the key is the event's id.
        let key = delivery.group.clone().unwrap_or_else(crate::platform::names::uuid);
        let put = self.streams.get(to.name()).and_then(|stream| stream.put(&key, hash_key(&key), &data));
        put.map(drop).ok_or_else(|| Undelivered::Missing(to.clone()))
    }
}

#[async_trait]
impl Service for Kinesis {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        json_answer(JSON_1_1, call, |body| self.act(&call.operation, body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinesis(shards: u32) -> Arc<Kinesis> {
        let retention = Duration::from_secs(86_400);
        Kinesis::new(&[template::blueprint::DataStream { name: "clicks".into(), shards, retention }])
    }

    #[test]
    fn the_shards_divide_all_hash_keys_and_a_key_goes_to_the_shard_that_has_it() {
        for shards in [1, 2, 3, 4, 7] {
            let kinesis = kinesis(shards);
            let stream = kinesis.stream("clicks").unwrap();
            let ranges: Vec<_> = (0..stream.count()).map(|number| stream.range(number)).collect();
            assert_eq!((ranges[0].0, ranges[ranges.len() - 1].1), (0, u128::MAX));
            assert!(ranges.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0), "{ranges:?}");
            for key in 0..100 {
                let hash = hash_key(&key.to_string());
                let (begins, ends) = ranges[stream.of_hash(hash)];
                assert!((begins..=ends).contains(&hash), "{shards} {key}");
            }
        }
        // As `echo -n user | md5sum` has it.
        assert_eq!(format!("{:032x}", hash_key("user")), "ee11cbb19052e40b07aac0ca060c23ee");
        assert_eq!(kinesis(3).stream("clicks").unwrap().range(0).1.to_string(), "113427455640312821154458202477256070484");
    }

    #[test]
    fn records_are_put_and_read_in_their_order_by_iterators() {
        let kinesis = kinesis(2);
        let put =
            |key: &str, data: &str| kinesis.act("PutRecord", &json!({"StreamName": "clicks", "PartitionKey": key, "Data": data})).unwrap();
        let first = put("a", "MA==");
        let shard = first["ShardId"].as_str().unwrap();
        put("a", "MQ==");
        let iterator = |kind: &str, number: Option<&str>| {
            let body = json!({"StreamName": "clicks", "ShardId": shard, "ShardIteratorType": kind, "StartingSequenceNumber": number});
            kinesis.act("GetShardIterator", &body).map(|answer| answer["ShardIterator"].clone())
        };
        let read = |iterator: &Value, limit: u32| kinesis.act("GetRecords", &json!({"ShardIterator": iterator, "Limit": limit})).unwrap();
        let latest = iterator("LATEST", None).unwrap();
        put("a", "Mg==");
        let data = |answer: &Value| {
            answer["Records"].as_array().unwrap().iter().map(|it| it["Data"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let page = read(&iterator("TRIM_HORIZON", None).unwrap(), 2);
        assert_eq!(data(&page), ["MA==", "MQ=="]);
        let page = read(&page["NextShardIterator"], 10);
        assert_eq!((data(&page), &page["MillisBehindLatest"]), (vec!["Mg==".to_owned()], &json!(0)));
        assert!(data(&read(&page["NextShardIterator"], 10)).is_empty());
        assert_eq!(data(&read(&latest, 10)), ["Mg=="]);
        let number = first["SequenceNumber"].as_str();
        assert_eq!(data(&read(&iterator("AFTER_SEQUENCE_NUMBER", number).unwrap(), 1)), ["MQ=="]);
        assert_eq!(data(&read(&iterator("AT_SEQUENCE_NUMBER", number).unwrap(), 1)), ["MA=="]);
        assert!(iterator("SOMEWHERE", None).is_err() && iterator("AT_SEQUENCE_NUMBER", None).is_err());
    }

    #[test]
    fn what_aws_refuses_is_refused() {
        let kinesis = kinesis(2);
        for (operation, body, kind) in [
            ("PutRecord", json!({"StreamName": "none", "PartitionKey": "a", "Data": ""}), "ResourceNotFoundException"),
            ("PutRecord", json!({"PartitionKey": "a", "Data": ""}), "InvalidArgumentException"),
            ("PutRecord", json!({"StreamName": "clicks", "PartitionKey": "", "Data": ""}), "ValidationException"),
            ("PutRecord", json!({"StreamName": "clicks", "PartitionKey": "x".repeat(257), "Data": ""}), "ValidationException"),
            ("PutRecord", json!({"StreamName": "clicks", "PartitionKey": "a", "Data": "%"}), "SerializationException"),
            ("PutRecord", json!({"StreamName": "clicks", "PartitionKey": "a", "Data": "AAAA".repeat(400_000)}), "ValidationException"),
            (
                "PutRecord",
                json!({"StreamName": "clicks", "PartitionKey": "a", "Data": "", "ExplicitHashKey": "x"}),
                "InvalidArgumentException",
            ),
            ("PutRecords", json!({"StreamName": "clicks", "Records": []}), "ValidationException"),
            ("GetRecords", json!({"ShardIterator": "none"}), "InvalidArgumentException"),
            ("SplitShard", json!({"StreamName": "clicks"}), "UnknownOperationException"),
        ] {
            let refused = kinesis.act(operation, &body).unwrap_err();
            assert_eq!(refused.0, kind, "{operation}: {}", refused.1);
        }
        let explicit = json!({"StreamName": "clicks", "PartitionKey": "a", "Data": "", "ExplicitHashKey": u128::MAX.to_string()});
        assert_eq!(kinesis.act("PutRecord", &explicit).unwrap()["ShardId"], shard_id(1));
    }
}
