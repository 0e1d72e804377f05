//! DynamoDB Streams: the streams of tables for functions that read them on their own. Each has one
//! shard. Own code.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Value, json};

use super::described::{Described, Protocol};
use super::dynamodb::DynamoDb;
use super::dynamodb::streams::{LABEL, Stream, arn};
use super::shard::{FIRST, NoIterator, iterator, read_iterator};
use super::wire::{Answer, Call, JSON_1_0, Refused, Service, json_answer, no_such_operation, parsed};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "dynamodbstreams",
    title: "DynamoDB Streams",
    protocol: Protocol::Json10("DynamoDBStreams_20120810"),
    operations: &["GetRecords", "GetShardIterator", "DescribeStream"],
};

/// The id of the one shard of every stream.
pub const SHARD: &str = "shardId-00000000000000000000-00000000";

/// How long an iterator is valid, and the most records of an answer. Source: DynamoDB API reference,
/// GetShardIterator and GetRecords of DynamoDB Streams.
const VALID: Duration = Duration::from_secs(15 * 60);
const MOST: usize = 1000;

/// The streams of these tables.
pub struct Streams(pub Arc<DynamoDb>);

impl Streams {
    /// The table and the stream that a request gives the ARN of.
    fn asked(&self, body: &Value) -> Result<(String, Arc<Stream>), Refused> {
        let asked: String = parsed(body.get("StreamArn").unwrap_or(&Value::Null))?;
        let table = asked.split_once(":table/").and_then(|(_, rest)| rest.split_once("/stream/")).map(|(table, _)| table.to_owned());
        let found = table.filter(|table| arn(table) == asked).and_then(|table| Some((table.clone(), self.0.stream(&table)?)));
        found.ok_or_else(|| Refused::new("ResourceNotFoundException", format!("Requested resource not found: Stream: {asked} not found")))
    }

    fn act(&self, operation: &str, body: &Value) -> Result<Value, Refused> {
        match operation {
            "ListStreams" => {
                let only = body.get("TableName").and_then(Value::as_str);
                let tables = self.0.streamed().into_iter().filter(|table| only.is_none_or(|only| only == table));
                let stream = |table: String| json!({"StreamArn": arn(&table), "StreamLabel": LABEL, "TableName": table});
                Ok(json!({"Streams": tables.map(stream).collect::<Vec<_>>()}))
            }
            "DescribeStream" => {
                let (table, stream) = self.asked(body)?;
                Ok(json!({"StreamDescription": {
                    "StreamArn": arn(&table), "StreamLabel": LABEL, "StreamStatus": "ENABLED", "StreamViewType": stream.view_type(),
                    "TableName": table, "KeySchema": self.0.key_schema(&table),
                    "Shards": [{"ShardId": SHARD, "SequenceNumberRange": {"StartingSequenceNumber": FIRST.to_string()}}],
                }}))
            }
            "GetShardIterator" => self.first(body),
            "GetRecords" => self.records(body),
            _ => Err(no_such_operation(operation)),
        }
    }

    fn first(&self, body: &Value) -> Result<Value, Refused> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Asked {
            shard_id: String,
            shard_iterator_type: String,
            sequence_number: Option<String>,
        }
        let (table, stream) = self.asked(body)?;
        let asked: Asked = parsed(body)?;
        if asked.shard_id != SHARD {
            return Err(Refused::new("ResourceNotFoundException", format!("Requested resource not found: Shard: {}", asked.shard_id)));
        }
        let given = || {
            let number = asked.sequence_number.as_deref().and_then(|text| text.parse::<u64>().ok());
            number.ok_or_else(|| Refused::new("ValidationException", "SequenceNumber is missing or is no number of this stream"))
        };
        let from = match asked.shard_iterator_type.as_str() {
            "TRIM_HORIZON" => 0,
            "LATEST" => stream.shard().next(),
            "AT_SEQUENCE_NUMBER" => given()?,
            "AFTER_SEQUENCE_NUMBER" => given()? + 1,
            other => return Err(Refused::new("ValidationException", format!("there is no ShardIteratorType `{other}`"))),
        };
        Ok(json!({"ShardIterator": iterator(&table, 0, from)}))
    }

    fn records(&self, body: &Value) -> Result<Value, Refused> {
        let text = body.get("ShardIterator").and_then(Value::as_str).unwrap_or_default();
        let (table, _, from) = read_iterator(text, VALID).map_err(|why| match why {
            NoIterator::Invalid => Refused::new("ValidationException", "Invalid ShardIterator"),
            NoIterator::Expired => Refused::new("ExpiredIteratorException", "The iterator was created more than 15 minutes ago."),
        })?;
        let stream = self.0.stream(&table).ok_or_else(|| Refused::new("ValidationException", "Invalid ShardIterator"))?;
        let limit = body.get("Limit").and_then(Value::as_u64).map_or(MOST, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        if !(1..=MOST).contains(&limit) {
            return Err(Refused::new("ValidationException", format!("Limit must be between 1 and {MOST}")));
        }
        let read = stream.shard().read(from, limit);
        let next = read.last().map_or(from, |record| record.sequence + 1);
        // Lambda adds the stream's ARN.
        let records = read.into_iter().map(|mut record| {
            record.value.as_object_mut().map(|record| record.remove("eventSourceARN"));
            record.value
        });
        Ok(json!({"Records": records.collect::<Vec<_>>(), "NextShardIterator": iterator(&table, 0, next)}))
    }
}

#[async_trait]
impl Service for Streams {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    async fn answer(&self, call: &Call) -> Answer {
        json_answer(JSON_1_0, call, |body| self.act(&call.operation, body))
    }
}
