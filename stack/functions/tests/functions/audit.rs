//! The dependencies of the audit's functions (table, cache, bucket, topic and state machine), and
//! the functions in front of them.

use crate::cache::Cache;
use crate::cloud::{Call, Cloud, Reply, SHORT};
use crate::tables::Tables;
use audit_functions::archive_record::{self, ArchiveRecord};
use audit_functions::audit::cache::at;
use audit_functions::audit::sha256;
use audit_functions::close_record::{self, CloseRecord};
use audit_functions::describe_record::{self, DescribeRecord};
use audit_functions::ingest_record::{self, Event, IngestRecord};
use functions::clock::Deadline;
use functions::weaknesses::Weaknesses;
use serde_json::{Map, Value, json};
use std::time::{Duration, SystemTime};

pub const TABLE: &str = "AuditRecordsTable";
pub const ID: &str = "t-1";
pub const BYTES: &[u8] = b"hello";

pub struct Audit {
    pub cloud: Cloud,
    pub cache: Cache,
    pub tables: Tables,
    pub ingest: IngestRecord,
    pub archive: ArchiveRecord,
    pub describe: DescribeRecord,
    pub close: CloseRecord,
}

impl Audit {
    pub async fn new(weaknesses: &str) -> Self {
        let tables = Tables::default();
        let (cloud, cache) = (Cloud::start(sound(tables.clone())).await, Cache::start().await);
        let config = cloud.config(SHORT).await;
        let weaknesses = Weaknesses::parse(weaknesses).unwrap();
        let (table, topic) = (TABLE.to_owned(), "arn:aws:sns:us-east-1:123456789012:audit-notices".to_owned());
        let at = at(&cache.address).unwrap();
        let state_machine = "arn:aws:states:us-east-1:123456789012:stateMachine:audit-record".to_owned();
        let ingest = ingest_record::Settings { table: table.clone(), cache: at.clone(), state_machine, weaknesses: weaknesses.clone() };
        let archive = archive_record::Settings {
            table: table.clone(),
            cache: at.clone(),
            bucket: "audit-archive".to_owned(),
            topic: topic.clone(),
            weaknesses: weaknesses.clone(),
        };
        let describe = describe_record::Settings { table: table.clone(), topic: topic.clone(), weaknesses: weaknesses.clone() };
        let close = close_record::Settings { table, cache: at, topic, weaknesses };
        Self {
            ingest: IngestRecord::new(ingest, &config),
            archive: ArchiveRecord::new(archive, &config),
            describe: DescribeRecord::new(describe, &config),
            close: CloseRecord::new(close, &config),
            cloud,
            cache,
            tables,
        }
    }

    /// Everything works except `operation`, which gets `reply`.
    pub fn breaks(&self, operation: &'static str, reply: Reply) {
        let sound = sound(self.tables.clone());
        self.cloud.behave(move |call| if call.operation == operation { reply.clone() } else { sound(call) });
    }

    /// Everything works except the answer to `operation`, which is carried out but not answered.
    pub fn loses_the_answer_of(&self, operation: &'static str) {
        let sound = sound(self.tables.clone());
        self.cloud.behave(move |call| {
            let reply = sound(call);
            if call.operation == operation { Reply::Hang } else { reply }
        });
    }

    pub fn mends(&self) {
        self.cloud.behave(sound(self.tables.clone()));
    }

    /// This request ingests a record.
    pub async fn hand_in(&self, body: String, request: &str) -> Result<Value, ingest_record::Unsettled> {
        self.ingest.answer(Event { body: Some(body), is_base64: false }, request, ample()).await
    }

    pub fn row(&self) -> Map<String, Value> {
        self.tables.row(TABLE, ID).unwrap_or_default()
    }

    pub fn flags(&self) -> Vec<String> {
        self.row().into_iter().filter(|(_, value)| value["BOOL"] == true).map(|(name, _)| name).collect()
    }

    /// The content of the notices, in order.
    pub fn notices(&self) -> Vec<Value> {
        let form = |call: &Call| {
            let text = String::from_utf8(call.raw.to_vec()).unwrap();
            let message = text.split('&').find_map(|field| field.strip_prefix("Message=")).unwrap().to_owned();
            serde_json::from_str(&decoded(&message)).unwrap()
        };
        self.cloud.calls("Publish").iter().map(form).collect()
    }
}

/// A row and the bytes in the cache: the state before a task.
pub async fn begun(weaknesses: &str) -> Audit {
    let audit = Audit::new(weaknesses).await;
    audit.cache.put(&format!("record:{ID}"), BYTES);
    audit.tables.put(TABLE, ID, json!({"sourceTransactionID": {"S": ID}, "sha256": {"S": sha256(BYTES)}, "requests": {"SS": ["r"]}}));
    audit
}

pub fn notice(notice: &str) -> Value {
    json!({"notice": notice, "sourceTransactionID": ID, "status": "ok"})
}

pub fn ample() -> Deadline {
    Deadline::at(SystemTime::now() + Duration::from_secs(600))
}

pub fn input() -> Value {
    json!({"sourceTransactionID": ID, "sourceSystem": "till", "occurredAt": "2026-01-31T12:00:00Z", "contentType": "text/plain",
        "sha256": sha256(BYTES), "size": BYTES.len()})
}

pub fn sound(tables: Tables) -> impl Fn(&Call) -> Reply + Send + Sync + 'static {
    move |call| match call.operation.as_str() {
        "PutItem" | "GetItem" | "UpdateItem" | "DeleteItem" => tables.answer(&call.operation, &call.body),
        "PutObject" => Reply::Raw(200, Default::default()),
        "StartExecution" => Reply::Json(200, json!({"executionArn": "arn", "startDate": 1.0})),
        "Publish" => {
            let published = "<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>";
            Reply::Raw(200, published.into())
        }
        other => panic!("unknown operation `{other}`"),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).unwrap()
}
