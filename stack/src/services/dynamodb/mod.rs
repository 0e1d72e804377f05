//! DynamoDB in memory: own tables, reads, writes, conditions, streams and time to live. Expressions
//! are parsed by the crate `winterbaume-dynamodb`. Nothing outlives the process.

mod conditions;
mod decimal;
mod effects;
mod expiry;
mod expressions;
mod images;
mod keys;
mod pages;
mod paths;
mod reads;
mod requests;
mod reserved_words;
mod shown;
mod store;
pub mod streams;
mod tables;
mod updates;
mod values;
mod writes;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;
use winterbaume_dynamodb::Item;
use winterbaume_dynamodb::types::AttributeValue;

use self::expiry::Expiry;
use self::images::Change;
use self::requests::Refusal;
use self::store::Place;
use self::streams::Stream;
use self::tables::Tables;
use self::writes::{Staged, Tokens};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::wire::{Answer, Call, JSON_1_0, Service};
use crate::{Compressed, Seen, Sightings};
use template::blueprint::{Key, Table};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "dynamodb",
    title: "DynamoDB",
    protocol: Protocol::Json10("DynamoDB_20120810"),
    operations: &[
        "GetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "Query",
        "Scan",
        "BatchGetItem",
        "BatchWriteItem",
        "TransactGetItems",
        "TransactWriteItems",
    ],
};

/// This many expired rows are deleted before other writers get a turn.
const EXPIRED_AT_ONCE: usize = 100;

/// The tables of this machine.
pub struct DynamoDb {
    /// A row is read, checked and written in separate steps; they are atomic because there is one
    /// writer.
    state: RwLock<State>,
    watched: BTreeMap<String, Watched>,
    expiry: Expiry<(String, Place)>,
    sightings: Sightings,
}

/// Who writes a row.
#[derive(Clone, Copy)]
enum Writer<'a> {
    /// It is there before the first call.
    Seed,
    /// A call, with its trace root.
    Call(Option<&'a str>),
    /// Its time to live was over.
    Expiry,
}

struct State {
    tables: Tables,
    tokens: Tokens,
}

/// A table of the template: its writes are reported to streams, expiry and sightings.
struct Watched {
    key: Key,
    expires_by: Option<String>,
    stream: Option<Arc<Stream>>,
}

impl DynamoDb {
    /// The declared tables, each with its rows.
    ///
    /// # Errors
    /// If a row is refused.
    pub fn start(
        declared: &[Table],
        rows: &BTreeMap<String, Vec<Value>>,
        compressed: Compressed,
        sightings: Sightings,
    ) -> io::Result<Self> {
        let tables = Self {
            state: RwLock::new(State { tables: Tables::new(declared), tokens: Tokens::default() }),
            watched: declared.iter().map(|table| (table.name.clone(), Watched::of(table))).collect(),
            expiry: Expiry::new(compressed),
            sightings,
        };
        for (table, row) in rows.iter().flat_map(|(table, rows)| rows.iter().map(move |row| (table, row))) {
            let body = json!({"TableName": table, "Item": row}).to_string().into();
            let call = Call {
                operation: "PutItem".to_owned(),
                request_id: String::new(),
                root: None,
                function: None,
                delivery: 0,
                path: String::new(),
                body,
            };
            let mut state = tables.write();
            let (_, staged) = writes::one(&state.tables, &call)
                .map_err(|refusal| io::Error::other(format!("a row of table `{table}` is refused: {}", refusal.message)))?;
            // What was there at the beginning is no news.
            staged.into_iter().for_each(|staged| tables.store(&mut state, staged, Writer::Seed));
        }
        Ok(tables)
    }

    /// The stream of a table, if it has one.
    pub fn stream(&self, table: &str) -> Option<Arc<Stream>> {
        self.watched.get(table)?.stream.clone()
    }

    /// The names of the tables that have a stream.
    pub fn streamed(&self) -> Vec<String> {
        self.watched.iter().filter(|(_, watched)| watched.stream.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// The `KeySchema` of a table of the template.
    pub fn key_schema(&self, table: &str) -> Option<Value> {
        Some(tables::schema(&self.watched.get(table)?.key))
    }

    /// At most `most` rows of a table, in no order; empty if the table does not exist. For the
    /// page.
    pub fn rows(&self, table: &str, most: usize) -> Vec<Value> {
        let state = self.read();
        state.tables.shelf(table).map(|shelf| shelf.all().values().take(most).map(|item| json!(item)).collect()).unwrap_or_default()
    }

    /// Deletes expired rows, as long as it is polled. At AWS that may take days; here it is done at
    /// once.
    pub async fn expire(self: Arc<Self>) {
        loop {
            self.expiry.arrival().await;
            self.expire_due(Instant::now());
            tokio::task::yield_now().await;
        }
    }

    /// Deletes rows that have expired at `now`, some at a time, so that other writers get a turn;
    /// returns how many.
    fn expire_due(&self, now: Instant) -> usize {
        let mut state = self.write();
        let all = self.expiry.take(now, EXPIRED_AT_ONCE);
        let count = all.len();
        for due in all {
            let (table, place) = due.place;
            let (Some(watched), Ok(shelf)) = (self.watched.get(&table), state.tables.shelf(&table)) else { continue };
            // Every write resets the row's time, so the row should be unchanged since its time was
            // set. Checking again costs nothing.
            if let Some(row) = shelf.row(&place).filter(|row| watched.ttl(row) == Some(due.ttl)) {
                let row = Item::clone(row);
                let names = keys::attributes(&watched.key).map(|attribute| &attribute.name);
                let key = names.filter_map(|name| Some((name.clone(), row.get(name)?.clone()))).collect();
                self.store(&mut state, Staged::deletion(&table, place, key, row), Writer::Expiry);
            }
        }
        count
    }

    /// Writes a row and reports it, unless it is there from the beginning.
    fn store(&self, state: &mut State, staged: Staged, writer: Writer<'_>) {
        let Ok(shelf) = state.tables.shelf_mut(&staged.table) else { return };
        if !staged.writes {
            return;
        }
        shelf.put(staged.place.clone(), staged.after.clone());
        let Some(watched) = self.watched.get(&staged.table) else { return };
        if watched.expires_by.is_some() {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let expires = staged.after.as_ref().and_then(|row| watched.ttl(row));
            self.expiry.set((staged.table.clone(), staged.place.clone()), expires, Instant::now(), since_1970);
        }
        if !matches!(writer, Writer::Seed) {
            self.observe(watched, &staged, matches!(writer, Writer::Expiry));
            effects::tell(&self.sightings, &watched.key, &staged, writer);
        }
    }

    /// Reports a write to the stream and the sightings, while there is no other writer.
    fn observe(&self, watched: &Watched, write: &Staged, by_service: bool) {
        let (before, after) = (write.before.as_ref(), write.after.as_ref());
        let changed = match (before, after) {
            (Some(before), Some(after)) => !values::same(before, after),
            (before, after) => before.is_some() || after.is_some(),
        };
        let change = Change { key: &write.key, before, after, by_service };
        let event = watched.stream.as_ref().filter(|_| changed).map(|stream| stream.push(&change));
        let (table, key) = (write.table.clone(), watched.text(&write.key));
        if by_service {
            self.sightings.tell(Seen::RowExpired { table, key, event: event.unwrap_or_default() });
        } else if let Some(row) = after {
            let mut flags: Vec<_> =
                row.iter().filter(|(_, value)| matches!(value, AttributeValue::Bool(true))).map(|(name, _)| name.clone()).collect();
            flags.sort_unstable();
            self.sightings.tell(Seen::RowWritten { table, key, expires: watched.ttl(row), flags });
        } else if before.is_some() {
            self.sightings.tell(Seen::RowDeleted { table, key });
        }
    }

    /// Calls may create and delete tables, but not tables that the template declares.
    fn arrange(&self, call: &Call) -> Result<Value, Refusal> {
        let body = requests::checked(call)?;
        let name = body.get("TableName").and_then(Value::as_str).unwrap_or_default();
        let streams = body.get("StreamSpecification").is_some_and(|asked| asked.get("StreamEnabled") != Some(&json!(false)));
        if self.watched.contains_key(tables::plain(name)) && call.operation == "DeleteTable" || streams {
            let message = "the template's tables stay as they are declared on this machine, and a stream or a time to live have only they";
            return Err(Refusal::invalid(message));
        }
        let mut state = self.write();
        if call.operation == "CreateTable" { state.tables.create(call) } else { state.tables.delete(name) }
    }

    fn change(&self, call: &Call) -> Result<Value, Refusal> {
        let mut state = self.write();
        let State { tables, tokens } = &mut *state;
        let (answer, staged) = match call.operation.as_str() {
            "BatchWriteItem" => writes::batch(tables, call)?,
            "TransactWriteItems" => writes::transaction(tables, tokens, call)?,
            _ => writes::one(tables, call)?,
        };
        staged.into_iter().for_each(|staged| self.store(&mut state, staged, Writer::Call(call.root.as_deref())));
        Ok(answer)
    }

    fn look(&self, call: &Call) -> Result<Value, Refusal> {
        let state = self.read();
        let body = || serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
        let table = || body().get("TableName").and_then(Value::as_str).unwrap_or_default().to_owned();
        match call.operation.as_str() {
            "GetItem" => reads::get(&state.tables, call),
            "BatchGetItem" => reads::get_batch(&state.tables, call),
            "TransactGetItems" => reads::get_transaction(&state.tables, call),
            "DescribeTable" => state.tables.describe(&table()),
            "DescribeTimeToLive" => state.tables.time_to_live(&table()),
            "ListTables" => Ok(state.tables.list(&body())),
            _ => reads::page(&state.tables, call),
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn of(table: &Table) -> Self {
        let stream = table.streams.map(|view| Arc::new(Stream::new(&table.name, view)));
        Self { key: table.key.clone(), expires_by: table.expires_by.clone(), stream }
    }

    /// A row's time to live in epoch seconds, if it has one. Fractions are dropped; a value that is
    /// not a number is ignored.
    fn ttl(&self, row: &Item) -> Option<i64> {
        match row.get(self.expires_by.as_ref()?)? {
            AttributeValue::N(text) => text.split('.').next()?.parse().ok(),
            _ => None,
        }
    }

    /// A row's key for sightings: the partition key and, after a `/`, the sort key.
    fn text(&self, key: &Item) -> String {
        let values = keys::attributes(&self.key).filter_map(|attribute| reads::text(key.get(&attribute.name)));
        values.collect::<Vec<_>>().join("/")
    }
}

#[async_trait]
impl Service for DynamoDb {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        let answer = match call.operation.as_str() {
            "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" | "DescribeTable" | "DescribeTimeToLive" | "ListTables" => {
                self.look(call)
            }
            "CreateTable" | "DeleteTable" => self.arrange(call),
            "PutItem" | "UpdateItem" | "DeleteItem" | "BatchWriteItem" | "TransactWriteItems" => self.change(call),
            _ => return Answer::error(JSON_1_0, 400, "UnknownOperationException", "this machine's tables have no such operation"),
        };
        answer.map_or_else(Refusal::answer, |body| Answer::ok(JSON_1_0, &body))
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use template::blueprint::View;

    use super::*;
    use crate::Sighting;

    /// A table with `devices` devices, and one of appointments.
    async fn plain(devices: usize) -> DynamoDb {
        let table = |name: &str, key: &str| Table::keyed(name, key);
        let device = |n: usize| {
            json!({
                "deviceId": {"S": format!("Thermostat{n}")},
                "primaryOwner": {"S": if n == 2 { "jane_doe" } else { "john_doe" }},
                "additionalUsers": {"SS": ["jane_doe", "powercompany"]},
            })
        };
        let appointment = json!({"id": {"S": "PI-T123"}, "owner": {"S": "Dave"}, "veterinarian": {"S": "Jane"}});
        let tables = [table("UserMappingTable", "deviceId"), table("AppointmentsTable", "id")];
        let rows =
            [("UserMappingTable".into(), (1..=devices).map(device).collect()), ("AppointmentsTable".into(), vec![appointment])].into();
        DynamoDb::start(&tables, &rows, Compressed::default(), Sightings::nowhere()).unwrap()
    }

    async fn call(tables: &DynamoDb, operation: &str, body: Value) -> (u16, Value) {
        let body = body.to_string().into();
        let call =
            Call { operation: operation.into(), request_id: "r".into(), root: None, function: None, delivery: 0, path: "/".into(), body };
        let answer = tables.answer(&call).await;
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[tokio::test]
    async fn the_seeded_rows_are_there() {
        let tables = plain(4).await;
        let (_, row) = call(&tables, "GetItem", json!({"TableName": "UserMappingTable", "Key": {"deviceId": {"S": "Thermostat1"}}})).await;
        let mut others: Vec<_> = row["Item"]["additionalUsers"]["SS"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        others.sort_unstable();
        assert_eq!(others, ["jane_doe", "powercompany"]);
        let (status, none) = call(&tables, "GetItem", json!({"TableName": "UserMappingTable", "Key": {"deviceId": {"S": "none"}}})).await;
        assert_eq!((status, none.get("Item")), (200, None));
        let (_, row) = call(&tables, "GetItem", json!({"TableName": "AppointmentsTable", "Key": {"id": {"S": "PI-T123"}}})).await;
        assert_eq!((&row["Item"]["owner"]["S"], &row["Item"]["veterinarian"]["S"]), (&json!("Dave"), &json!("Jane")));
        let (status, error) = call(&tables, "GetItem", json!({"TableName": "None", "Key": {"id": {"S": "x"}}})).await;
        assert_eq!(status, 400);
        assert!(error["__type"].as_str().unwrap().ends_with("ResourceNotFoundException"), "{error}");
    }

    #[tokio::test]
    async fn a_scan_gives_every_row_once_page_by_page() {
        let tables = plain(80).await;
        let (mut seen, mut start, mut pages) = (Vec::new(), Value::Null, 0);
        loop {
            let mut body = json!({"TableName": "UserMappingTable", "Limit": 7});
            if !start.is_null() {
                body["ExclusiveStartKey"] = start;
            }
            let (status, page) = call(&tables, "Scan", body).await;
            assert_eq!(status, 200, "{page}");
            seen.extend(page["Items"].as_array().unwrap().iter().map(|item| item["deviceId"]["S"].as_str().unwrap().to_owned()));
            pages += 1;
            start = page["LastEvaluatedKey"].clone();
            if start.is_null() {
                break;
            }
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!((seen.len(), pages >= 12), (80, true), "{pages} pages");
    }

    #[tokio::test]
    async fn a_query_and_a_filtered_scan_find_what_they_name() {
        let tables = plain(6).await;
        let query = json!({"TableName": "UserMappingTable", "KeyConditionExpression": "deviceId = :d", "ExpressionAttributeValues": {":d": {"S": "Thermostat2"}}});
        let (_, found) = call(&tables, "Query", query).await;
        assert_eq!((&found["Count"], &found["Items"][0]["primaryOwner"]["S"]), (&json!(1), &json!("jane_doe")));
        let scan = json!({
            "TableName": "UserMappingTable",
            "FilterExpression": "primaryOwner = :u AND attribute_exists(additionalUsers)",
            "ExpressionAttributeValues": {":u": {"S": "jane_doe"}},
        });
        let (_, found) = call(&tables, "Scan", scan.clone()).await;
        assert_eq!((&found["Count"], &found["ScannedCount"]), (&json!(1), &json!(6)), "{found}");
        let mut scan = scan;
        scan["FilterExpression"] = json!("contains(additionalUsers, :u)");
        assert_eq!(call(&tables, "Scan", scan).await.1["Count"], 6);
    }

    #[tokio::test]
    async fn an_update_changes_an_owner_and_a_conditional_write_happens_once() {
        let tables = Arc::new(plain(0).await);
        let update = json!({
            "TableName": "AppointmentsTable", "Key": {"id": {"S": "PI-T123"}}, "UpdateExpression": "SET #o = :o",
            "ExpressionAttributeNames": {"#o": "owner"}, "ExpressionAttributeValues": {":o": {"S": "Joy"}}, "ReturnValues": "ALL_NEW",
        });
        let (status, changed) = call(&tables, "UpdateItem", update).await;
        assert_eq!((status, &changed["Attributes"]["owner"]["S"]), (200, &json!("Joy")), "{changed}");
        assert_eq!(changed["Attributes"]["veterinarian"]["S"], "Jane", "the rest stays");
        let writers: Vec<_> = (0..16)
            .map(|_| {
                let tables = Arc::clone(&tables);
                tokio::spawn(async move {
                    let put = json!({"TableName": "AppointmentsTable", "Item": {"id": {"S": "new"}}, "ConditionExpression": "attribute_not_exists(id)"});
                    call(&tables, "PutItem", put).await.0
                })
            })
            .collect();
        let mut written = 0;
        for writer in writers {
            written += usize::from(writer.await.unwrap() == 200);
        }
        assert_eq!(written, 1);
    }

    /// Tables of the inactive users: `Watched` expires by `ttl` and has a stream, `Expiring` only
    /// expires, `Plain` does neither.
    async fn watched(expiry: u32) -> (Arc<DynamoDb>, UnboundedReceiver<Sighting>) {
        let table = |name: &str, expires: bool, streams: bool| Table {
            expires_by: expires.then(|| "ttl".to_owned()),
            streams: streams.then_some(View::Both),
            ..Table::keyed(name, "id")
        };
        let declared = [table("Watched", true, true), table("Expiring", true, false), table("Plain", false, false)];
        let (sightings, seen) = Sightings::channel();
        let tables = DynamoDb::start(&declared, &BTreeMap::new(), Compressed { queues: 1, expiry }, sightings).unwrap();
        (Arc::new(tables), seen)
    }

    fn in_seconds(seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        (i64::try_from(now).unwrap() + seconds).to_string()
    }

    async fn put(tables: &DynamoDb, table: &str, id: &str, ttl: &str) {
        let item = json!({"id": {"S": id}, "ttl": {"N": ttl}, "username": {"S": "jane"}});
        assert_eq!(call(tables, "PutItem", json!({"TableName": table, "Item": item})).await, (200, json!({})));
    }

    fn all_seen(seen: &mut UnboundedReceiver<Sighting>) -> Vec<Seen> {
        std::iter::from_fn(|| seen.try_recv().ok()).map(|sighting| sighting.seen).collect()
    }

    #[tokio::test]
    async fn every_kind_of_write_leaves_its_images_and_a_write_without_a_change_leaves_no_image() {
        let (tables, mut seen) = watched(1).await;
        let key = |id: &str| json!({"id": {"S": id}});
        let row = |id: &str, n: u32| json!({"id": {"S": id}, "n": {"N": n.to_string()}});
        let one = json!({":one": {"N": "1"}});
        for (operation, body) in [
            ("PutItem", json!({"TableName": "Watched", "Item": row("a", 1)})),
            ("PutItem", json!({"TableName": "Watched", "Item": row("a", 1)})),
            (
                "UpdateItem",
                json!({"TableName": "Watched", "Key": key("a"), "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": one}),
            ),
            (
                "BatchWriteItem",
                json!({"RequestItems": {"Watched": [{"PutRequest": {"Item": row("b", 1)}}, {"DeleteRequest": {"Key": key("a")}}]}}),
            ),
            ("DeleteItem", json!({"TableName": "Watched", "Key": key("none")})),
            (
                "TransactWriteItems",
                json!({"TransactItems": [
                    {"Put": {"TableName": "Watched", "Item": row("c", 1)}},
                    {"Delete": {"TableName": "Watched", "Key": key("b"), "ConditionExpression": "n = :one", "ExpressionAttributeValues": one}},
                    {"ConditionCheck": {"TableName": "Watched", "Key": key("a"), "ConditionExpression": "attribute_not_exists(id)"}},
                    {"Put": {"TableName": "Plain", "Item": row("c", 1)}},
                ]}),
            ),
        ] {
            let (status, answer) = call(&tables, operation, body).await;
            assert_eq!(status, 200, "{operation} {answer}");
        }
        let records = tables.stream("Watched").unwrap().shard().read(0, 100);
        let images: Vec<_> = records
            .iter()
            .map(|record| {
                let (value, images) = (&record.value, &record.value["dynamodb"]);
                assert!(value.get("userIdentity").is_none(), "{value}");
                assert_eq!((&value["eventSource"], &images["StreamViewType"]), (&json!("aws:dynamodb"), &json!("NEW_AND_OLD_IMAGES")));
                let n = |image: &str| images[image]["n"]["N"].as_str().map(str::to_owned);
                let (name, id) = (value["eventName"].as_str().unwrap(), images["Keys"]["id"]["S"].as_str().unwrap());
                format!("{name} {id} {:?} {:?}", n("OldImage"), n("NewImage")).replace('"', "")
            })
            .collect();
        assert_eq!(
            images,
            [
                "INSERT a None Some(1)",
                "MODIFY a Some(1) Some(2)",
                "INSERT b None Some(1)",
                "REMOVE a Some(2) None",
                "INSERT c None Some(1)",
                "REMOVE b Some(1) None",
            ]
        );
        assert_eq!(records[0].value["dynamodb"]["SizeBytes"], 3 + 3 + 3, "key, and no old image, and the new one");
        assert!(tables.stream("Plain").is_none() && tables.stream("Expiring").is_none());
        let seen = all_seen(&mut seen);
        let written = seen.iter().filter(|it| matches!(it, Seen::RowWritten { table, .. } if table == "Watched")).count();
        let deleted = seen.iter().filter(|it| matches!(it, Seen::RowDeleted { table, .. } if table == "Watched")).count();
        // The other table has one more.
        assert_eq!((written, deleted, seen.len()), (5, 2, 8), "also what changes nothing is a write, but no delete of nothing: {seen:?}");
    }

    #[tokio::test]
    async fn a_written_row_reports_which_of_its_attributes_are_true() {
        let (tables, mut seen) = watched(1).await;
        let item =
            json!({"id": {"S": "a"}, "b": {"BOOL": true}, "a": {"BOOL": true}, "c": {"BOOL": false}, "d": {"S": "true"}, "e": {"N": "1"}});
        assert_eq!(call(&tables, "PutItem", json!({"TableName": "Watched", "Item": item})).await.0, 200);
        let update = json!({"TableName": "Watched", "Key": {"id": {"S": "a"}}, "UpdateExpression": "SET c = :t REMOVE b",
            "ExpressionAttributeValues": {":t": {"BOOL": true}}});
        assert_eq!(call(&tables, "UpdateItem", update).await.0, 200);
        let flags: Vec<_> = all_seen(&mut seen)
            .into_iter()
            .filter_map(|seen| match seen {
                Seen::RowWritten { flags, .. } => Some(flags),
                _ => None,
            })
            .collect();
        assert_eq!(flags, [["a", "b"], ["a", "c"]]);
    }

    #[tokio::test]
    async fn a_transaction_is_atomic_and_happens_once_per_token() {
        let (tables, _seen) = watched(1).await;
        put(&tables, "Watched", "there", "1").await;
        let transaction = |id: &str, condition: &str| {
            json!({"ClientRequestToken": format!("t-{id}"), "TransactItems": [
                {"Update": {"TableName": "Watched", "Key": {"id": {"S": id}}, "UpdateExpression": "ADD n :one", "ExpressionAttributeValues": {":one": {"N": "1"}}}},
                {"ConditionCheck": {"TableName": "Watched", "Key": {"id": {"S": "there"}}, "ConditionExpression": condition, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}},
            ]})
        };
        let (status, refused) = call(&tables, "TransactWriteItems", transaction("a", "attribute_not_exists(id)")).await;
        assert_eq!(status, 400);
        assert!(refused["__type"].as_str().unwrap().ends_with("#TransactionCanceledException"), "{refused}");
        assert_eq!(refused["CancellationReasons"][0]["Code"], "None");
        assert_eq!(
            (&refused["CancellationReasons"][1]["Code"], &refused["CancellationReasons"][1]["Item"]["username"]["S"]),
            (&json!("ConditionalCheckFailed"), &json!("jane"))
        );
        for _ in 0..2 {
            assert_eq!(call(&tables, "TransactWriteItems", transaction("a", "attribute_exists(id)")).await, (200, json!({})));
        }
        let (_, row) = call(&tables, "GetItem", json!({"TableName": "Watched", "Key": {"id": {"S": "a"}}})).await;
        assert_eq!(row["Item"]["n"], json!({"N": "1"}), "a repeated transaction is the same one");
        let twice = json!({"TransactItems": [{"Put": {"TableName": "Plain", "Item": {"id": {"S": "x"}}}}, {"Delete": {"TableName": "Plain", "Key": {"id": {"S": "x"}}}}]});
        assert_eq!(call(&tables, "TransactWriteItems", twice).await.0, 400);
        let twice = json!({"RequestItems": {"Plain": [{"PutRequest": {"Item": {"id": {"S": "x"}}}}, {"DeleteRequest": {"Key": {"id": {"S": "x"}}}}]}});
        assert_eq!(call(&tables, "BatchWriteItem", twice).await.0, 400);
        assert!(tables.rows("Plain", 10).is_empty());
    }

    #[tokio::test]
    async fn a_thousand_rows_due_at_once_expire_once_each_by_the_service() {
        let (tables, mut seen) = watched(1_000_000).await;
        let ttl = in_seconds(1000);
        for n in 0..1000 {
            put(&tables, "Watched", &format!("row-{n}"), &ttl).await;
        }
        put(&tables, "Watched", "by-hand", &ttl).await;
        put(&tables, "Watched", "stays", &in_seconds(-6 * 365 * 86_400)).await;
        put(&tables, "Expiring", "elsewhere", &ttl).await;
        let by_hand = json!({"TableName": "Watched", "Key": {"id": {"S": "by-hand"}}});
        assert_eq!(call(&tables, "DeleteItem", by_hand).await.0, 200);
        let stream = tables.stream("Watched").unwrap();
        let written = stream.shard().read(0, 10_000);
        assert_eq!(written.len(), 1003);
        assert!(
            written.iter().all(|record| record.value.get("userIdentity").is_none()),
            "not even the delete by hand has the service's identity"
        );
        let expiring = tokio::spawn(Arc::clone(&tables).expire());
        let from = written.last().unwrap().sequence + 1;
        stream.shard().arrival(from + 999).await;
        let elsewhere = async {
            while !tables.rows("Expiring", 1).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), elsewhere).await.unwrap();
        let ever = Instant::now() + std::time::Duration::from_secs(100 * 365 * 86_400);
        assert_eq!(tables.expire_due(ever), 0, "nothing is left to expire");
        let expired = stream.shard().read(from, 10_000);
        let mut keys: Vec<_> = expired.iter().map(|record| record.value["dynamodb"]["Keys"]["id"]["S"].as_str().unwrap()).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!((expired.len(), keys.len()), (1000, 1000));
        for record in &expired {
            assert_eq!(record.value["eventName"], "REMOVE");
            assert_eq!(record.value["userIdentity"], json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"}));
            assert_eq!(record.value["dynamodb"]["OldImage"]["username"]["S"], "jane");
            assert!(record.value["dynamodb"].get("NewImage").is_none());
        }
        let seen = all_seen(&mut seen);
        let events: Vec<_> =
            seen.iter().filter_map(|it| if let Seen::RowExpired { event, .. } = it { Some(event.as_str()) } else { None }).collect();
        let mut told: Vec<_> = expired.iter().map(|record| record.value["eventID"].as_str().unwrap()).chain([""]).collect();
        told.sort_unstable();
        let mut events = events;
        events.sort_unstable();
        assert_eq!(events, told, "each is told with its record, and the one of a table without a stream without");
        assert_eq!((tables.rows("Watched", 10).len(), tables.rows("Expiring", 10).len()), (1, 0), "what is long past stays");
        expiring.abort();
    }

    #[tokio::test]
    async fn a_row_rewritten_just_before_its_end_is_not_deleted() {
        let (tables, _seen) = watched(1).await;
        let after = |seconds| Instant::now() + std::time::Duration::from_secs(seconds);
        for id in ["put", "updated", "unlimited", "left"] {
            put(&tables, "Watched", id, &in_seconds(100)).await;
        }
        assert_eq!(tables.expire_due(after(50)), 0);
        put(&tables, "Watched", "put", &in_seconds(10_000)).await;
        let update = |id: &str, update: &str| {
            json!({
                "TableName": "Watched", "Key": {"id": {"S": id}}, "UpdateExpression": update, "ExpressionAttributeNames": {"#ttl": "ttl"},
                "ExpressionAttributeValues": {":ttl": {"N": in_seconds(10_000)}},
            })
        };
        for (id, expression) in [("updated", "SET #ttl = :ttl"), ("unlimited", "REMOVE #ttl SET note = :ttl")] {
            assert_eq!(call(&tables, "UpdateItem", update(id, expression)).await.0, 200);
        }
        let ids = |rows: Vec<Value>| {
            let mut ids: Vec<_> = rows.iter().map(|row| row["id"]["S"].as_str().unwrap().to_owned()).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(tables.expire_due(after(5_000)), 1);
        assert_eq!(ids(tables.rows("Watched", 10)), ["put", "unlimited", "updated"]);
        assert_eq!(tables.expire_due(after(20_000)), 2);
        assert_eq!(ids(tables.rows("Watched", 10)), ["unlimited"]);
    }

    #[tokio::test]
    async fn conditions_decide_and_a_failed_one_shows_the_row_that_it_failed_for() {
        let (tables, _seen) = watched(1).await;
        let put = |until: &str, now: &str| {
            json!({
                "TableName": "Plain", "Item": {"id": {"S": "m"}, "claimed_until": {"N": until}},
                "ConditionExpression": "attribute_not_exists(id) OR claimed_until < :now", "ExpressionAttributeValues": {":now": {"N": now}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD", "ReturnValues": "ALL_OLD",
            })
        };
        assert_eq!(call(&tables, "PutItem", put("100", "50")).await, (200, json!({})));
        let (status, refused) = call(&tables, "PutItem", put("200", "100")).await;
        assert_eq!((status, &refused["Item"]["claimed_until"]["N"]), (400, &json!("100")), "{refused}");
        assert!(refused["__type"].as_str().unwrap().ends_with("#ConditionalCheckFailedException"));
        let (status, old) = call(&tables, "PutItem", put("200", "101")).await;
        assert_eq!((status, &old["Attributes"]["claimed_until"]["N"]), (200, &json!("100")));

        let newer = |ts: &str, returns: &str| {
            json!({
                "TableName": "Plain", "Key": {"id": {"S": "u"}}, "UpdateExpression": "SET #ts = :ts, #n = if_not_exists(#n, :zero) + :one",
                "ConditionExpression": "attribute_not_exists(#ts) OR #ts < :ts", "ExpressionAttributeNames": {"#ts": "timestamp", "#n": "count"},
                "ExpressionAttributeValues": {":ts": {"S": ts}, ":zero": {"N": "0"}, ":one": {"N": "1"}}, "ReturnValues": returns,
            })
        };
        for (ts, returns, status, attributes) in [
            ("2024-05-02", "UPDATED_OLD", 200, Value::Null),
            ("2024-05-01", "ALL_NEW", 400, Value::Null),
            ("2024-05-02", "ALL_NEW", 400, Value::Null),
            ("2024-05-03", "UPDATED_NEW", 200, json!({"timestamp": {"S": "2024-05-03"}, "count": {"N": "2"}})),
            ("2024-05-04", "UPDATED_OLD", 200, json!({"timestamp": {"S": "2024-05-03"}, "count": {"N": "2"}})),
            ("2024-05-05", "ALL_OLD", 200, json!({"id": {"S": "u"}, "timestamp": {"S": "2024-05-04"}, "count": {"N": "3"}})),
            ("2024-05-06", "ALL_NEW", 200, json!({"id": {"S": "u"}, "timestamp": {"S": "2024-05-06"}, "count": {"N": "5"}})),
        ] {
            let (answered, answer) = call(&tables, "UpdateItem", newer(ts, returns)).await;
            assert_eq!((answered, &answer["Attributes"]), (status, &attributes), "{ts} {returns} {answer}");
        }
    }

    #[tokio::test]
    async fn only_as_many_concurrent_writes_pass_a_limit_as_it_allows() {
        let (tables, _seen) = watched(1).await;
        let claims = (0..60).map(|_| {
            let tables = Arc::clone(&tables);
            tokio::spawn(async move {
                let body = json!({
                    "TableName": "Watched", "Key": {"id": {"S": "second"}}, "UpdateExpression": "ADD #c :one SET #t = :ttl",
                    "ConditionExpression": "attribute_not_exists(#c) OR #c < :limit", "ExpressionAttributeNames": {"#c": "count", "#t": "ttl"},
                    "ExpressionAttributeValues": {":one": {"N": "1"}, ":limit": {"N": "25"}, ":ttl": {"N": "9999999999"}},
                });
                call(&tables, "UpdateItem", body).await.0
            })
        });
        let mut passed = 0;
        for claim in claims.collect::<Vec<_>>() {
            passed += usize::from(claim.await.unwrap() == 200);
        }
        assert_eq!((passed, tables.stream("Watched").unwrap().shard().read(0, 100).len()), (25, 25));
    }

    #[tokio::test]
    async fn a_write_that_would_differ_from_dynamodb_is_refused_and_changes_nothing() {
        let (tables, mut seen) = watched(1).await;
        put(&tables, "Watched", "a", "9999999999").await;
        let key = json!({"id": {"S": "a"}});
        for (operation, body) in [
            ("ExecuteStatement", json!({"Statement": "DELETE FROM Watched WHERE id = 'a'"})),
            ("UpdateTimeToLive", json!({"TableName": "Watched", "TimeToLiveSpecification": {"AttributeName": "other", "Enabled": true}})),
            ("DeleteTable", json!({"TableName": "Watched"})),
            ("CreateTable", json!({"TableName": "New", "StreamSpecification": {"StreamEnabled": true}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"N": "1"}}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"S": ""}}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"other": {"S": "a"}}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"S": "a"}, "n": {"N": "many"}}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"S": "a"}, "n": {"X": "many"}}})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"S": "a"}}, "ReturnValues": "ALL_NEW"})),
            ("PutItem", json!({"TableName": "Watched", "Item": {"id": {"S": "a"}, "big": {"S": "x".repeat(400 * 1024)}}})),
            ("DeleteItem", json!({"TableName": "Watched", "Key": {"id": {"S": "a"}, "more": {"S": "b"}}})),
            ("DeleteItem", json!({"TableName": "Watched", "Key": key, "Expected": {"id": {"Exists": false}}})),
            (
                "UpdateItem",
                json!({"TableName": "Watched", "Key": key, "UpdateExpression": "SET ttl = :t", "ExpressionAttributeValues": {":t": {"N": "1"}}}),
            ),
            (
                "UpdateItem",
                json!({"TableName": "Watched", "Key": key, "UpdateExpression": "SET id = :t", "ExpressionAttributeValues": {":t": {"S": "b"}}}),
            ),
            ("BatchWriteItem", json!({"RequestItems": {"Watched": []}})),
        ] {
            let (status, answer) = call(&tables, operation, body.clone()).await;
            assert_eq!(status, 400, "{operation} {answer}");
            assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{operation} {answer}");
        }
        let (status, missing) = call(&tables, "PutItem", json!({"TableName": "None", "Item": key})).await;
        assert_eq!(status, 400);
        assert!(missing["__type"].as_str().unwrap().ends_with("#ResourceNotFoundException"), "{missing}");
        assert_eq!((tables.stream("Watched").unwrap().shard().read(0, 100).len(), all_seen(&mut seen).len()), (1, 1));
        let (_, told) = call(&tables, "DescribeTimeToLive", json!({"TableName": "Watched"})).await;
        assert_eq!(told["TimeToLiveDescription"], json!({"AttributeName": "ttl", "TimeToLiveStatus": "ENABLED"}));
    }
}
