//! What the gateway serves: REST APIs (payload 1.0) and HTTP APIs (payload 1.0 or 2.0), as plain
//! data. A function's own URL is a field of the function.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// An API at its stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// The name that the template gives it.
    pub name: String,
    /// Its id, as in method ARNs.
    pub id: String,
    /// The first segment of every path; `$default` has none.
    pub stage: String,
    /// Whether it is a REST or an HTTP API.
    pub kind: ApiKind,
    /// The stage's variables.
    pub variables: BTreeMap<String, String>,
    /// Authorizers by name.
    pub authorizers: BTreeMap<String, Authorizer>,
    /// The keys that give access to its methods that require one.
    pub keys: Vec<ApiKey>,
    /// The methods.
    pub routes: Vec<Route>,
    /// An HTTP API's `CorsConfiguration`; a REST API's CORS is made of routes.
    pub cors: Option<Cors>,
    /// `BinaryMediaTypes`.
    pub binary: Vec<String>,
    /// A REST API's resource policy, as in the template.
    pub policy: Option<Value>,
}

impl Api {
    /// An API without routes.
    pub fn new(kind: ApiKind, name: impl Into<String>, stage: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            id: name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(10).collect(),
            name,
            stage: stage.into(),
            kind,
            variables: BTreeMap::new(),
            authorizers: BTreeMap::new(),
            keys: Vec::new(),
            routes: Vec::new(),
            cors: None,
            binary: Vec::new(),
            policy: None,
        }
    }

    /// All functions that it calls.
    pub fn functions(&self) -> impl Iterator<Item = &str> {
        let handlers = self.routes.iter().filter_map(|route| route.integration.function());
        handlers.chain(self.authorizers.values().filter_map(Authorizer::function))
    }
}

/// Which gateway an API is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKind {
    /// `AWS::ApiGateway::RestApi`.
    Rest,
    /// `AWS::ApiGatewayV2::Api`.
    Http,
}

impl ApiKind {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "REST API",
            Self::Http => "HTTP API",
        }
    }
}

/// Who may call a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorizer {
    /// A function that gets the request.
    Request {
        /// The function's name.
        function: String,
        /// What must be present; a result is cached for their values.
        identity: Vec<Identity>,
        /// How long a result is cached; zero means not at all.
        cached: Duration,
        /// The form of its event.
        payload: Payload,
        /// `EnableSimpleResponses`: it answers `isAuthorized` instead of a policy.
        simple: bool,
    },
    /// A function that gets the value of one header (REST APIs).
    Token {
        /// The function's name.
        function: String,
        /// The header.
        header: String,
        /// `IdentityValidationExpression`.
        pattern: Option<String>,
        /// How long a result is cached; zero means not at all.
        cached: Duration,
    },
    /// User pools (REST APIs).
    Cognito {
        /// Their names.
        pools: Vec<String>,
        /// The header with the token.
        header: String,
    },
    /// Tokens of an issuer (HTTP APIs).
    Jwt {
        /// `Issuer`.
        issuer: String,
        /// `Audience`.
        audience: Vec<String>,
        /// The header or query parameter with the token.
        identity: Identity,
    },
    /// Requests signed for `execute-api`.
    Iam,
}

impl Authorizer {
    /// The function that decides, if one does.
    pub fn function(&self) -> Option<&str> {
        match self {
            Self::Request { function, .. } | Self::Token { function, .. } => Some(function),
            Self::Cognito { .. } | Self::Jwt { .. } | Self::Iam => None,
        }
    }
}

/// An identity source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Identity {
    /// A header.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A stage variable.
    StageVariable(String),
    /// A field of the context, such as `sourceIp`.
    Context(String),
}

/// The form of an event of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// `1.0`, the only one of REST APIs.
    V1,
    /// `2.0`.
    V2,
}

/// A method of an API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Such as `/items`, `/control/{deviceId}`, `/{api+}`, or `$default`.
    pub resource: String,
    /// Such as `GET`; `None` for any.
    pub method: Option<String>,
    /// What answers.
    pub integration: Integration,
    /// The authorizer's name.
    pub authorizer: Option<String>,
    /// `AuthorizationScopes`: a token needs one of these.
    pub scopes: Vec<String>,
    /// Whether it requires one of the API's keys.
    pub key_required: bool,
}

impl Route {
    /// A route without an authorizer to a function, payload 1.0.
    pub fn to_function(method: Option<&str>, resource: impl Into<String>, function: impl Into<String>) -> Self {
        let integration = Integration::Function { name: function.into(), payload: Payload::V1, streams: false, timeout: None };
        let method = method.map(str::to_owned);
        Self { resource: resource.into(), method, integration, authorizer: None, scopes: Vec::new(), key_required: false }
    }

    /// Its method; `ANY` for every one.
    pub fn method_name(&self) -> &str {
        self.method.as_deref().unwrap_or("ANY")
    }
}

/// What answers a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integration {
    /// A function, by the proxy integration.
    Function {
        /// Its name.
        name: String,
        /// The form of its event.
        payload: Payload,
        /// `ResponseTransferMode: STREAM`.
        streams: bool,
        /// `TimeoutInMillis`; `None` is the gateway's limit.
        timeout: Option<Duration>,
    },
    /// A fixed answer, such as that to a CORS preflight.
    Mock {
        /// Its status.
        status: u16,
        /// Its headers.
        headers: BTreeMap<String, String>,
        /// Its body.
        body: String,
    },
}

impl Integration {
    /// The function that answers, if one does.
    pub fn function(&self) -> Option<&str> {
        match self {
            Self::Function { name, .. } => Some(name),
            Self::Mock { .. } => None,
        }
    }
}

impl fmt::Display for Integration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function { name, .. } => f.write_str(name),
            Self::Mock { status, .. } => write!(f, "a fixed answer, {status}"),
        }
    }
}

/// What an HTTP API or a function's URL answers to browsers of other origins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cors {
    /// `AllowOrigins`.
    pub origins: Vec<String>,
    /// `AllowMethods`.
    pub methods: Vec<String>,
    /// `AllowHeaders`.
    pub headers: Vec<String>,
    /// `ExposeHeaders`.
    pub exposed: Vec<String>,
    /// `MaxAge`.
    pub max_age: Option<Duration>,
    /// `AllowCredentials`.
    pub credentials: bool,
}

/// A key that gives access to an API's methods that require one.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which is not secret.
    pub id: String,
    /// Its value; without one the key gives no access.
    pub value: Option<String>,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("has_value", &self.value.is_some()).finish()
    }
}
