//! A cloud that speaks just enough of each protocol. It holds the contract's data and behaves as a
//! test tells it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::Credentials;
use functions::clients::{Patience, with_patience};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

/// Short, so that a hanging dependency costs a test little time.
pub const SHORT: Patience = Patience {
    connect: Duration::from_millis(500),
    attempt: Duration::from_millis(150),
    operation: Duration::from_millis(400),
    attempts: 2,
    pause: Duration::from_millis(10),
};

#[derive(Debug, Clone)]
pub struct Call {
    pub operation: String,
    /// The path, with the query.
    pub path: String,
    pub body: Value,
    /// The body, unparsed.
    pub raw: Bytes,
    pub trace: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Reply {
    Json(u16, Value),
    With(Vec<(&'static str, String)>, Value),
    Raw(u16, Bytes),
    Hang,
}

type Behaviour = dyn Fn(&Call) -> Reply + Send + Sync;

#[derive(Clone)]
pub struct Cloud {
    pub address: String,
    calls: Arc<Mutex<Vec<Call>>>,
    behaviour: Arc<Mutex<Arc<Behaviour>>>,
}

impl Cloud {
    pub async fn start(behaviour: impl Fn(&Call) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let cloud = Self { address, calls: Arc::default(), behaviour: Arc::new(Mutex::new(Arc::new(behaviour))) };
        let serving = cloud.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let cloud = serving.clone();
                let service = service_fn(move |request| {
                    let cloud = cloud.clone();
                    async move { Ok::<_, Infallible>(cloud.serve(request).await) }
                });
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service));
            }
        });
        cloud
    }

    pub fn behave(&self, behaviour: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        *self.behaviour.lock().unwrap() = Arc::new(behaviour);
    }

    pub fn calls(&self, operation: &str) -> Vec<Call> {
        self.calls.lock().unwrap().iter().filter(|call| call.operation == operation).cloned().collect()
    }

    pub async fn config(&self, patience: Patience) -> SdkConfig {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("test", "test", None, None, "test"))
            .endpoint_url(&self.address);
        with_patience(loader, patience).load().await
    }

    async fn serve(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let target = header("x-amz-target").and_then(|target| Some(target.split_once('.')?.1.to_owned()));
        let (path, trace) = (request.uri().path().to_owned(), header("x-amzn-trace-id"));
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_s3 = header("authorization").is_some_and(|signed| signed.contains("/s3/")) || query.contains("X-Amz-Signature");
        let operation = target.unwrap_or_else(|| match (request.method().as_str(), path.as_str()) {
            ("GET", _) if is_s3 => "GetObject".to_owned(),
            ("PUT", _) if is_s3 => "PutObject".to_owned(),
            (_, "/v2/email/outbound-emails") => "SendEmail".to_owned(),
            ("POST", "/") => "Publish".to_owned(),
            ("GET", path) if path.ends_with("/shadow") => "GetThingShadow".to_owned(),
            ("POST", path) if path.ends_with("/shadow") => "UpdateThingShadow".to_owned(),
            (_, path) => path.rsplit('/').next().unwrap().to_owned(),
        });
        let raw = request.into_body().collect().await.unwrap().to_bytes();
        let path = if query.is_empty() { path } else { format!("{path}?{query}") };
        let call = Call { operation, path, body: serde_json::from_slice(&raw).unwrap_or(Value::Null), raw, trace };
        self.calls.lock().unwrap().push(call.clone());
        let behaviour = self.behaviour.lock().unwrap().clone();
        let (status, headers, body) = match behaviour(&call) {
            Reply::Json(status, body) => (status, Vec::new(), Bytes::from(body.to_string())),
            Reply::With(headers, body) => (200, headers, Bytes::from(body.to_string())),
            Reply::Raw(status, body) => (status, Vec::new(), body),
            Reply::Hang => std::future::pending().await,
        };
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        response.body(Full::new(body)).unwrap()
    }
}

/// Everything works; `keys` is the key document of every pool.
pub fn sound(keys: Value) -> impl Fn(&Call) -> Reply + Send + Sync + Clone + 'static {
    move |call| match call.operation.as_str() {
        "jwks.json" => Reply::Json(200, keys.clone()),
        "GetItem" => Reply::Json(200, get_item(&call.body)),
        "Scan" => Reply::Json(200, scan(&call.body)),
        "IsAuthorized" => Reply::Json(200, decide(&call.body, &call.body["entities"])),
        "BatchIsAuthorized" => {
            let decided = call.body["requests"].as_array().unwrap().iter().map(|request| {
                let mut decision = decide(request, &call.body["entities"]);
                decision["request"] = request.clone();
                decision
            });
            Reply::Json(200, json!({"results": decided.collect::<Vec<_>>()}))
        }
        "GetThingShadow" => Reply::Json(200, json!({"state": {"reported": {"temperature": 74}}, "version": 3})),
        "UpdateThingShadow" => Reply::Json(200, json!({"state": call.body["state"], "version": 4})),
        other => panic!("unknown operation `{other}`"),
    }
}

/// Everything works except `operation`, which gets `reply`.
pub fn broken(keys: Value, operation: &'static str, reply: Reply) -> impl Fn(&Call) -> Reply + Send + Sync + Clone + 'static {
    let sound = sound(keys);
    move |call| if call.operation == operation { reply.clone() } else { sound(call) }
}

fn text(value: &str) -> Value {
    json!({"S": value})
}

fn rows(table: &str) -> Vec<Value> {
    if table == "UserMappingTable" {
        vec![
            json!({"deviceId": text("Thermostat2"), "primaryOwner": text("jane_doe"), "additionalUsers": {"SS": ["powercompany"]}}),
            json!({"deviceId": text("Thermostat1"), "primaryOwner": text("john_doe"), "additionalUsers": {"SS": ["jane_doe", "powercompany"]}}),
        ]
    } else {
        let rows = [("PI-T123", "Dave", "Jane"), ("PI-T124", "Joy", "Jane"), ("PI-T125", "Dave", "Adam")];
        let row = |(id, owner, vet): (&str, &str, &str)| json!({"id": text(id), "owner": text(owner), "veterinarian": text(vet), "pet": text("Rex")});
        // More than one batch of decisions.
        let others = (0..60).map(|n| row((&format!("PI-T5{n:02}"), "Nobody", "Noone")));
        others.chain(rows.into_iter().map(row)).collect()
    }
}

fn get_item(request: &Value) -> Value {
    let (name, id) = request["key"].as_object().or(request["Key"].as_object()).and_then(|key| key.iter().next()).unwrap();
    let found = rows(request["TableName"].as_str().unwrap()).into_iter().find(|row| row[name] == *id);
    found.map_or(json!({}), |row| json!({"Item": row}))
}

/// All rows but the last on the first page.
fn scan(request: &Value) -> Value {
    let rows = rows(request["TableName"].as_str().unwrap());
    let (last, first) = rows.split_last().unwrap();
    if request.get("ExclusiveStartKey").is_some() {
        json!({"Items": [last], "Count": 1})
    } else {
        json!({"Items": first, "Count": first.len(), "LastEvaluatedKey": {"id": text("page")}})
    }
}

/// One policy: principals named by the resource are allowed; on an appointment only to read.
fn decide(request: &Value, entities: &Value) -> Value {
    let item = entities["entityList"].as_array().unwrap().iter().find(|item| item["identifier"] == request["resource"]).unwrap();
    let named = item["attributes"].as_object().unwrap().values().any(|value| value["entityIdentifier"] == request["principal"]);
    let action = request["action"]["actionId"].as_str().unwrap();
    let allowed = named && (action.ends_with("Temperature") || action == "GET/appointment");
    json!({
        "decision": if allowed { "ALLOW" } else { "DENY" },
        "determiningPolicies": if allowed { json!([{"policyId": "owner"}]) } else { json!([]) },
        "errors": [],
    })
}
