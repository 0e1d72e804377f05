//! The services with the queues, buckets, topics and alarms of a small mail system, and a plain HTTP client.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use faults::Entry;
use faults::ledger::Eligible;
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use run_folder::deployment::Seed;
use run_folder::{Compressed, RunFolder, Seen, Sighting, Sightings};
use serde_json::{Value, json};
use stack::invoke::{Invoke, LateInvoke};
use stack::platform::{InvokeError, Invoked};
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::{Alarm, Blueprint, Bucket, Metric, Notification, Queue, Redrive, Topic};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const SECOND: Duration = Duration::from_secs(1);

pub struct Stage {
    pub services: Services,
    client: Client<HttpConnector, Full<Bytes>>,
    ledger: UnboundedReceiver<Entry>,
    sightings: UnboundedReceiver<Sighting>,
    run: RunFolder,
    _folder: tempfile::TempDir,
}

pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

pub fn blueprint() -> Blueprint {
    let queue = |name: &str, redrive: Option<Redrive>| Queue {
        name: name.to_owned(),
        visibility: 30 * SECOND,
        retention: 900 * SECOND,
        redrive,
        ..Queue::named(name)
    };
    Blueprint {
        queues: vec![queue("incoming", Some(Redrive { to: "dead".into(), max_receives: 1 })), queue("dead", None)],
        buckets: vec![
            Bucket { name: "incoming".into(), notifies: vec![Notification::created("incoming")], ..Bucket::default() },
            Bucket { name: "attachments".into(), ..Bucket::default() },
        ],
        senders: vec!["sensors@brownout.example".into()],
        topics: vec![Topic::named("fallback")],
        alarms: vec![Alarm {
            name: "oldest".into(),
            queue: "dead".into(),
            metric: Metric::AgeOfOldest,
            period: 60 * SECOND,
            inclusive: true,
            threshold: 180.0,
            tells: Some("fallback".into()),
        }],
        ..Blueprint::default()
    }
}

impl Stage {
    pub async fn up() -> Self {
        Self::up_compressed(1).await
    }

    pub async fn up_compressed(queues: u32) -> Self {
        Self::up_with(blueprint(), queues, LateInvoke::default()).await
    }

    /// With other declarations, and with functions that `invoke` invokes.
    pub async fn up_with(blueprint: Blueprint, queues: u32, invoke: LateInvoke) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (sender, ledger) = unbounded_channel();
        let (told, sightings) = Sightings::channel();
        let compressed = Compressed { queues, expiry: 1 };
        let settings = Settings {
            seed: Seed::default(),
            doors: Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint,
            invoke,
            secured: None,
            compressed,
            sightings: told,
            plan: run.plan(),
            ledger: sender,
        };
        let services = start(settings).await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { services, client, ledger, sightings, run, _folder: folder }
    }

    /// The run's folder.
    pub fn run(&self) -> &RunFolder {
        &self.run
    }

    pub fn host(&self) -> String {
        self.services.http.to_string()
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: impl Into<Bytes>) -> Answered {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.services.http));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let response = self.client.request(request.body(Full::new(body.into())).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        Answered { status: head.status.as_u16(), headers: head.headers, body: body.collect().await.unwrap().to_bytes() }
    }

    /// A call of SQS.
    pub async fn sqs(&self, operation: &str, body: Value) -> Answered {
        let headers = [
            ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target".to_owned(), format!("AmazonSQS.{operation}")),
        ];
        self.send("POST", "/", &headers, body.to_string()).await
    }

    /// A call of Step Functions.
    pub async fn states(&self, operation: &str, body: Value) -> Answered {
        let headers = [("x-amz-target".to_owned(), format!("AWSStepFunctions.{operation}"))];
        self.send("POST", "/", &headers, body.to_string()).await
    }

    /// A call of EventBridge.
    pub async fn events(&self, operation: &str, body: Value) -> Answered {
        let headers = [
            ("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target".to_owned(), format!("AWSEvents.{operation}")),
        ];
        self.send("POST", "/", &headers, body.to_string()).await
    }

    /// The bodies of the next messages of a queue, once there are `count`; they are deleted.
    pub async fn bodies(&self, queue: &str, count: usize) -> Vec<String> {
        let all = async {
            let mut bodies = Vec::new();
            while bodies.len() < count {
                self.services.sqs.arrival(queue).await;
                for message in self.services.sqs.receive(queue, 10) {
                    self.services.sqs.delete(queue, &message.receipt);
                    bodies.push(message.body);
                }
            }
            bodies
        };
        tokio::time::timeout(30 * SECOND, all).await.unwrap()
    }

    pub fn url(&self, queue: &str) -> String {
        format!("http://{}/123456789012/{queue}", self.services.http)
    }

    /// Puts faults in force and waits until they take effect.
    pub async fn strike(&self, sequence: u64, faults: &Value) {
        let plan = json!({"version": 1, "run": "r", "sequence": sequence, "lease_ms": 60_000, "seed": 7, "faults": faults});
        self.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
        tokio::time::sleep(Duration::from_millis(400)).await;
    }

    pub fn entries(&mut self) -> Vec<Eligible> {
        let mut all = Vec::new();
        while let Ok(entry) = self.ledger.try_recv() {
            all.extend(entry.eligible());
        }
        all
    }

    /// Waits for the next sighting that `which` accepts.
    pub async fn seen<T>(&mut self, which: impl Fn(Seen) -> Option<T>) -> T {
        let next = async {
            loop {
                if let Some(found) = which(self.sightings.recv().await.unwrap().seen) {
                    return found;
                }
            }
        };
        tokio::time::timeout(30 * SECOND, next).await.unwrap()
    }
}

/// A function's name, an event and its trace header.
type Accepted = (String, Value, Option<String>);

/// Functions that record the events which they accept; `gone` does not exist.
#[derive(Default)]
pub struct Functions(Mutex<Vec<Accepted>>);

impl Functions {
    /// Them, and the interface that invokes them.
    pub fn new() -> (Arc<Self>, LateInvoke) {
        let (functions, invoke) = (Arc::new(Self::default()), LateInvoke::default());
        invoke.put(Arc::clone(&functions) as Arc<dyn Invoke>);
        (functions, invoke)
    }

    /// The accepted events of a function.
    pub fn accepted(&self, function: &str) -> Vec<Value> {
        self.0.lock().unwrap().iter().filter(|(name, ..)| name == function).map(|(_, event, _)| event.clone()).collect()
    }

    /// The trace headers of a function's events.
    pub fn traces(&self, function: &str) -> Vec<Option<String>> {
        self.0.lock().unwrap().iter().filter(|(name, ..)| name == function).map(|(.., trace)| trace.clone()).collect()
    }
}

#[async_trait]
impl Invoke for Functions {
    async fn invoke(&self, function: &str, _: Bytes, _: Option<&str>) -> Result<Invoked, InvokeError> {
        Err(InvokeError::Unknown(function.to_owned()))
    }

    fn accept(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<(), InvokeError> {
        if function == "gone" {
            return Err(InvokeError::Unknown(function.to_owned()));
        }
        let event = serde_json::from_slice(&event).unwrap();
        self.0.lock().unwrap().push((function.to_owned(), event, trace.map(str::to_owned)));
        Ok(())
    }
}
