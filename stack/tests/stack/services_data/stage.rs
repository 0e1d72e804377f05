//! Services with a blueprint by hand, and calls to them.

use bytes::Bytes;
use faults::Entry;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use run_folder::deployment::Seed;
use run_folder::{Compressed, RunFolder, Sightings};
use serde_json::Value;
use stack::invoke::LateInvoke;
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::{Attribute, AttributeType, Blueprint, Index, Key, Table};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub struct Stage {
    pub services: Services,
    pub run: RunFolder,
    pub calls: Calls,
    _ledger: UnboundedReceiver<Entry>,
    _folder: tempfile::TempDir,
}

/// Calls to an address.
pub struct Calls {
    pub address: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Calls {
    pub fn to(address: String) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build(HttpConnector::new()) }
    }

    /// A call with these headers; the status and the body.
    pub async fn send(&self, path: &str, headers: &[(&str, &str)], body: Bytes) -> (u16, Bytes) {
        let mut request = Request::post(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    }

    /// A call of a JSON protocol, signed for a service.
    pub async fn json(&self, service: &str, target: &str, body: &Value) -> (u16, Value) {
        let signed = format!("AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0");
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0"), ("authorization", &signed)];
        let (status, answer) = self.send("/", &headers, body.to_string().into()).await;
        (status, serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    pub async fn dynamodb(&self, operation: &str, body: &Value) -> (u16, Value) {
        self.json("dynamodb", &format!("DynamoDB_20120810.{operation}"), body).await
    }
}

impl Stage {
    pub async fn up(blueprint: Blueprint) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (ledger, entries) = unbounded_channel();
        let services = start(Settings {
            seed: Seed::default(),
            doors: Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint,
            invoke: LateInvoke::default(),
            secured: None,
            compressed: Compressed::default(),
            sightings: Sightings::nowhere(),
            plan: run.plan(),
            ledger,
        })
        .await
        .unwrap();
        let calls = Calls::to(format!("http://{}", services.http));
        Self { services, run, calls, _ledger: entries, _folder: folder }
    }
}

fn attribute(name: &str, kind: AttributeType) -> Attribute {
    Attribute { name: name.into(), kind }
}

/// A table with a number as its sort key, a global and a local index.
pub fn orders() -> Table {
    let customer = attribute("customer", AttributeType::Text);
    let with = |sort: Attribute| Key { partition: customer.clone(), sort: Some(sort) };
    let by_state = Key { partition: attribute("state", AttributeType::Text), sort: Some(attribute("total", AttributeType::Number)) };
    Table {
        key: with(attribute("number", AttributeType::Number)),
        indexes: vec![
            Index { name: "by-state".into(), key: by_state, local: false, projected: Some(vec!["note".into()]) },
            Index { name: "by-total".into(), key: with(attribute("total", AttributeType::Number)), local: true, projected: None },
        ],
        ..Table::keyed("orders", "customer")
    }
}
