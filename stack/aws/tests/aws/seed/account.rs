//! An account of which a part is the local stack's services and a part the control plane, behind the real SDK; its caller can die at any call.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::Patience;
use aws::seed::Services;
use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use control_plane::{ControlPlane, Iot, PolicyStore, Request, Thing, answer};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Connector;
use hyper_util::rt::TokioExecutor;
use protocol::{Resolved, Seed};
use run_folder::addresses::Pool;
use run_folder::deployment::{self, Link, User};
use run_folder::{Addresses, Compressed, RunFolder, Sightings};
use serde_json::{Value, json};
use stack::services::{Settings, start};
use template::blueprint::{Blueprint, Table, UserPool};
use tokio::sync::Notify;

/// The access key whose policy is enforced.
pub const KEY: &str = "AKIDEXAMPLE";

const TABLE: &str = "stack-AppointmentsTable-1X2Y";
const STORE: &str = "ps-1";
pub const POOL: &str = "clinic-internal";

const PATIENCE: Patience = Patience { total: Duration::from_secs(5), first: Duration::from_millis(1), most: Duration::from_millis(5) };

/// A failure at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accident {
    /// The caller dies before the call arrives.
    CrashBefore,
    /// The caller dies after the call was carried out.
    CrashAfter,
    /// The call is not carried out, and gets no answer.
    RequestLost,
    /// The call is carried out, and gets no answer.
    ReplyLost,
    /// 500; nothing changes.
    Internal,
    /// There were too many calls; nothing changes.
    Throttled,
}

pub const ACCIDENTS: [Accident; 6] =
    [Accident::CrashBefore, Accident::CrashAfter, Accident::RequestLost, Accident::ReplyLost, Accident::Internal, Accident::Throttled];

/// What the caller has done, and what will happen to it.
#[derive(Debug, Default)]
struct Script {
    calls: usize,
    at: Option<(usize, Accident)>,
}

/// The account.
#[derive(Clone)]
pub struct Account {
    pub plane: Arc<Mutex<ControlPlane>>,
    local: Arc<stack::services::Services>,
    client: Client<Connector, Full<Bytes>>,
    script: Arc<Mutex<Script>>,
    died: Arc<Notify>,
    _folder: Arc<tempfile::TempDir>,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

/// All that a seed could change.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    rows: Vec<String>,
    users: Value,
    groups: Vec<Value>,
    pub iot: Iot,
    stores: BTreeMap<String, PolicyStore>,
}

const PERMIT: &str = "permit (principal, action, resource) when { resource.owner == principal };";
const GUEST: &str = "permit (principal == ?principal, action, resource == ?resource);";
const VISITOR: &str = "permit (principal == ?principal, action, resource == ?resource) when { context.time < 1020 };";

impl Account {
    /// An account with a deployed stack, and some data of somebody else.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (ledger, _) = tokio::sync::mpsc::unbounded_channel();
        let table = Table::keyed(TABLE, "id");
        let somebodys = json!({"id": {"S": "somebodys"}, "owner": {"S": "them"}});
        let user = User { name: "somebody".to_owned(), groups: vec!["Nurse".to_owned()] };
        let local = start(Settings {
            seed: deployment::Seed {
                rows: [(TABLE.to_owned(), vec![somebodys])].into(),
                users: [(POOL.to_owned(), vec![user])].into(),
                ..deployment::Seed::default()
            },
            doors: stack::services::Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint: Blueprint {
                tables: vec![table],
                pools: vec![UserPool { name: POOL.to_owned(), triggers: BTreeMap::new() }],
                ..Blueprint::default()
            },
            invoke: stack::invoke::LateInvoke::default(),
            secured: None,
            compressed: Compressed::default(),
            sightings: Sightings::channel().0,
            plan: run.plan(),
            ledger,
        });
        let mut store = PolicyStore::default();
        store.policies.insert("own".to_owned(), json!({"static": {"statement": format!("// Owners.\n{PERMIT}\n")}}));
        store.templates.insert("own-template".to_owned(), (None, format!("// Guests.\n{GUEST}")));
        store.policies.insert("own-link".to_owned(), json!({"templateLinked": linked("own-template", "jane")}));
        let mut plane = ControlPlane { clock_ms: 1_000 * aws::marker::now(), ..ControlPlane::default() };
        plane.stores.insert(STORE.to_owned(), store);
        plane.iot.things.insert("Thermostat1".to_owned(), Thing { id: "own".to_owned(), ..Thing::default() });
        Self {
            plane: Arc::new(Mutex::new(plane)),
            local: Arc::new(local.await.unwrap()),
            client: Client::builder(TokioExecutor::new()).build(Connector::new()),
            script: Arc::default(),
            died: Arc::default(),
            _folder: Arc::new(folder),
        }
    }

    /// The services as a program sees them, which makes so many calls at once.
    pub fn services(&self, at_once: usize) -> Services {
        Services::new(&self.config(), "aws", PATIENCE, at_once)
    }

    fn config(&self) -> SdkConfig {
        crate::support::config().into_builder().http_client(self.clone()).endpoint_url("http://account").build()
    }

    /// From now on calls are counted from 0, and one of them has an accident.
    pub fn script(&self, at: Option<(usize, Accident)>) {
        *self.script.lock().unwrap() = Script { calls: 0, at };
    }

    /// The calls since the script began.
    pub fn calls(&self) -> usize {
        self.script.lock().unwrap().calls
    }

    /// Runs a task until it ends, or its caller dies: `None`.
    pub async fn until_death<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            ended = task => Some(ended),
        }
    }

    /// All that a seed could change, as it is now.
    pub async fn state(&self) -> State {
        let mut rows: Vec<_> = self.local.tables.rows(TABLE, 1_000).iter().map(ToString::to_string).collect();
        rows.sort();
        let mut groups = Vec::new();
        for name in ["Doctor", "Nurse"] {
            groups.push(self.cognito("GetGroup", json!({"GroupName": name})).await);
        }
        let plane = self.plane.lock().unwrap().clone();
        let stores = plane.stores.iter().map(|(id, store)| (id.clone(), store.content())).collect();
        State { rows, users: self.cognito("ListUsers", json!({})).await, groups, iot: plane.iot, stores }
    }

    /// A call of Cognito by somebody else, about the pool.
    pub async fn cognito(&self, operation: &str, mut body: Value) -> Value {
        body["UserPoolId"] = json!(self.pool().id);
        self.direct(&format!("AWSCognitoIdentityProviderService.{operation}"), &body).await
    }

    /// A call of DynamoDB by somebody else, about the table.
    pub async fn dynamodb(&self, operation: &str, mut body: Value) -> Value {
        body["TableName"] = json!(TABLE);
        self.direct(&format!("DynamoDB_20120810.{operation}"), &body).await
    }

    /// The status and the body of a sign-in.
    pub async fn sign_in(&self, user: &str, password: &str) -> Value {
        let parameters = json!({"USERNAME": user, "PASSWORD": password});
        let body = json!({"AuthFlow": "USER_PASSWORD_AUTH", "ClientId": self.pool().client_id, "AuthParameters": parameters});
        self.direct("AWSCognitoIdentityProviderService.InitiateAuth", &body).await
    }

    async fn direct(&self, target: &str, body: &Value) -> Value {
        let (_, body) = self.forward(target, body.to_string().into()).await;
        serde_json::from_slice(&body).unwrap_or(Value::Null)
    }

    fn pool(&self) -> &Pool {
        self.local.pools.first().unwrap()
    }

    async fn forward(&self, target: &str, body: Bytes) -> (u16, Bytes) {
        let request = hyper::Request::post(format!("http://{}/", self.local.http)).header("x-amz-target", target);
        let response = self.client.request(request.body(Full::new(body)).unwrap()).await.unwrap();
        (response.status().as_u16(), response.into_body().collect().await.unwrap().to_bytes())
    }

    /// A small seed: each kind of thing, some of which are there already.
    pub fn task(&self, folder: &Path) -> Seed {
        let row = |id: &str| json!({"id": {"S": id}, "owner": {"S": "jane"}, "pets": {"SS": ["b", "a"]}, "visits": {"L": [{"N": "1"}]}});
        let user = |name: &str, groups: &[&str]| User { name: name.to_owned(), groups: groups.iter().map(|g| (*g).to_owned()).collect() };
        let text = |id: &str, text: &str| (id.to_owned(), text.to_owned());
        let link = |id: &str, template: &str, who: &str| Link {
            id: id.to_owned(),
            template: template.to_owned(),
            principal: ("User".to_owned(), who.to_owned()),
            resource: ("Device".to_owned(), "Thermostat1".to_owned()),
        };
        let policies = deployment::PolicyStore {
            policies: vec![text("owner", PERMIT), text("nobody", "forbid (principal, action, resource) when { context.late };")],
            templates: vec![text("guest", GUEST), text("visitor", VISITOR)],
            links: vec![link("jane", "guest", "jane"), link("john", "guest", "john"), link("late", "visitor", "jane")],
            schema: String::new(),
        };
        let resources = [("AppointmentsTable", TABLE), ("ClinicPolicyStore", STORE), ("FirstThermostat", "Thermostat1")];
        Seed {
            stack: Resolved {
                stack: "clinic-dev".to_owned(),
                region: "eu-central-1".to_owned(),
                account: "123456789012".to_owned(),
                layer: "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:3".parse().unwrap(),
                functions: Vec::new(),
                addresses: Addresses { pools: vec![self.pool().clone()], ..Addresses::default() },
                resources: resources.map(|(logical, physical)| (logical.to_owned(), physical.to_owned())).into(),
            },
            data: deployment::Seed {
                rows: [("AppointmentsTable".to_owned(), vec![row("PI-1"), row("PI-2")])].into(),
                users: [(POOL.to_owned(), vec![user("jane", &["Doctor", "Nurse"]), user("john", &[])])].into(),
                policies: [("ClinicPolicyStore".to_owned(), policies)].into(),
            },
            things: vec!["Thermostat1".to_owned(), "Thermostat-1:2".to_owned()],
            folder: folder.to_owned(),
        }
    }

    async fn carried_out(&self, request: &HttpRequest) -> HttpResponse {
        let uri = request.uri().strip_prefix("http://account").unwrap_or(request.uri());
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let header = |name: &str| request.headers().get(name);
        let caller = header("authorization").and_then(|signed| signed.split_once("Credential=")?.1.split('/').next());
        let (target, body) = (header("x-amz-target"), request.body().bytes().unwrap_or_default());
        let call = Request { method: request.method(), path, query, target, principal: header("x-amzn-principal"), caller, body };
        let is_local = |target: &&str| ["DynamoDB_20120810.", "AWSCognito"].iter().any(|prefix| target.starts_with(prefix));
        let answered = match target.filter(is_local) {
            Some(target) => match self.plane.lock().unwrap().authorize(&call) {
                Ok(()) => Err(target.to_owned()),
                Err(refusal) => Ok(refusal),
            },
            None => Ok(answer(&mut self.plane.lock().unwrap(), &call)),
        };
        match answered {
            Ok(answer) => {
                let body = if answer.body.is_null() { String::new() } else { answer.body.to_string() };
                let mut response = HttpResponse::new(answer.status.try_into().unwrap(), SdkBody::from(body));
                answer.error.into_iter().for_each(|error| drop(response.headers_mut().insert("x-amzn-errortype", error)));
                response
            }
            Err(target) => {
                let (status, body) = self.forward(&target, Bytes::copy_from_slice(body)).await;
                HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_vec()))
            }
        }
    }

    async fn answered(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let accident = {
            let mut script = self.script.lock().unwrap();
            script.calls += 1;
            script.at.filter(|(at, _)| at + 1 == script.calls).map(|(_, accident)| accident)
        };
        let error = |status: u16, kind: &str| {
            let body = json!({"__type": kind, "message": "an accident"}).to_string();
            Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body)))
        };
        let closed = || Err(ConnectorError::io("the connection was closed".into()));
        match accident {
            None => Ok(self.carried_out(&request).await),
            Some(Accident::RequestLost) => closed(),
            Some(Accident::ReplyLost) => {
                self.carried_out(&request).await;
                closed()
            }
            Some(Accident::Internal) => error(500, "InternalServerError"),
            Some(Accident::Throttled) => error(400, "ThrottlingException"),
            Some(Accident::CrashBefore) => self.die().await,
            Some(Accident::CrashAfter) => {
                self.carried_out(&request).await;
                self.die().await
            }
        }
    }

    async fn die(&self) -> Result<HttpResponse, ConnectorError> {
        self.died.notify_one();
        std::future::pending().await
    }
}

fn linked(template: &str, who: &str) -> Value {
    json!({
        "policyTemplateId": template,
        "principal": {"entityType": "User", "entityId": who},
        "resource": {"entityType": "Device", "entityId": "Thermostat1"},
    })
}

impl HttpClient for Account {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Account {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = self.clone();
        HttpConnectorFuture::new(async move { account.answered(request).await })
    }
}
