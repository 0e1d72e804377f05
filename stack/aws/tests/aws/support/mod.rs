//! The real SDK over the control plane in this process: no socket, a stopped clock, and a caller that can die at any effect.

#![allow(dead_code, reason = "each test uses its part")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use aws::attach::{Layer, Wish};
use aws::journal::{Entry, Journal, JournalError};
use aws::marker::Run;
use aws::{Lambda, Patience};
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use control_plane::{Configuration, ControlPlane, Function, Outcome, Request, Scripted};
use tokio::sync::Notify;

/// A value in every function's variables, which must never be shown or stored.
pub const SECRET: &str = "hunter2-hunter2-hunter2";
/// The function under test.
pub const FUNCTION: &str = "thermostat";
/// The ARN of brownout's layer.
pub const LAYER: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:3";

/// The control plane, and whether its caller is still alive.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The control plane and its planned accidents.
    pub scripted: Arc<Mutex<Scripted>>,
    /// The lines of the journal.
    pub journal: Arc<Mutex<Vec<Entry>>>,
    died: Arc<Notify>,
    /// When it began, by the test's stopped clock.
    begun: Arc<OnceLock<tokio::time::Instant>>,
}

impl World {
    /// A world with this function.
    pub fn with(function: Function) -> Self {
        let world = Self::default();
        world.reset(plane(function), BTreeMap::new());
        world
    }

    /// Starts again.
    pub fn reset(&self, plane: ControlPlane, script: control_plane::Script) {
        *self.scripted.lock().unwrap() = Scripted { plane, script, ..Scripted::default() };
        self.journal.lock().unwrap().clear();
    }

    /// The current function.
    pub fn latest(&self) -> Configuration {
        self.scripted.lock().unwrap().plane.functions[FUNCTION].latest.clone()
    }

    /// Runs `task` until it ends, or until its caller dies: `None`.
    pub async fn until_death<T>(&self, task: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.died.notified() => None,
            ended = task => Some(ended),
        }
    }

    /// Another caller takes over.
    pub fn revive(&self) {
        self.scripted.lock().unwrap().dead = false;
    }

    /// The SDK's configuration for it.
    pub fn config(&self) -> SdkConfig {
        config().into_builder().http_client(self.clone()).endpoint_url("http://control-plane").build()
    }

    /// The Lambda client with the patience of a test.
    pub fn lambda(&self) -> Lambda {
        Lambda::new(&self.config(), PATIENCE)
    }
}

/// Long enough for any two accidents.
pub const PATIENCE: Patience = Patience { total: Duration::from_secs(60), first: Duration::from_millis(200), most: Duration::from_secs(5) };

/// Made-up credentials and a region.
pub fn config() -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "a test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

impl HttpClient for World {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for World {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = self.clone();
        HttpConnectorFuture::new(async move {
            // So that simultaneous callers take turns.
            tokio::task::yield_now().await;
            world.answered(&request).await
        })
    }
}

impl World {
    async fn answered(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let uri = request.uri().strip_prefix("http://control-plane").unwrap_or(request.uri());
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let target = request.headers().get("x-amz-target");
        let body = request.body().bytes().unwrap_or_default();
        let call = Request { method: request.method(), path, query, target, principal: None, caller: None, body };
        let outcome = {
            let clock = u64::try_from(self.begun.get_or_init(tokio::time::Instant::now).elapsed().as_millis()).unwrap();
            let mut scripted = self.scripted.lock().unwrap();
            scripted.plane.clock_ms = scripted.plane.clock_ms.max(clock);
            scripted.call(&call)
        };
        match outcome {
            Outcome::Answered(answer) => {
                let (_, body) = answer.written(&call);
                let mut response = HttpResponse::new(answer.status.try_into().unwrap(), SdkBody::from(body));
                if let Some(error) = answer.error {
                    response.headers_mut().insert("x-amzn-errortype", error);
                }
                Ok(response)
            }
            Outcome::Closed => Err(ConnectorError::io("the connection was closed".into())),
            Outcome::Dead => {
                self.died.notify_one();
                std::future::pending().await
            }
        }
    }
}

impl Journal for World {
    fn note(&self, entry: &Entry) -> Result<(), JournalError> {
        if self.scripted.lock().unwrap().effect() {
            self.journal.lock().unwrap().push(entry.clone());
        }
        Ok(())
    }
}

/// A control plane with this function and brownout's layer.
pub fn plane(function: Function) -> ControlPlane {
    let mut plane = ControlPlane::default();
    plane.layers.insert(LAYER.to_owned(), control_plane::LayerVersion::on(&["x86_64"]));
    plane.add(function);
    plane
}

/// A Python function with a secret.
pub fn function() -> Configuration {
    let mut function = Configuration::new(FUNCTION);
    function.variables.insert("DB_PASSWORD".to_owned(), SECRET.to_owned());
    function
}

/// A run by its name.
pub fn run(name: &str) -> Run {
    Run::try_from(name.to_owned()).unwrap()
}

/// The wish of a run.
pub fn wish(name: &str) -> Wish {
    Wish {
        run: run(name),
        at: 1_000,
        until: 2_000,
        layer: Layer::try_from(LAYER.to_owned()).unwrap(),
        plan: format!("ssm:/brownout/{name}"),
        settings: BTreeMap::new(),
        alias: None,
    }
}
