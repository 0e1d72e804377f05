//! The running platform as the page shows it: addresses, routes, functions with their environments.

use std::collections::BTreeMap;

use serde::Serialize;
use template::apis::{Api, Route};

use crate::platform::Environments;
use crate::{Addresses, RunFolder};

/// A function of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its runtime, such as `python3.13`.
    pub runtime: String,
    /// Why it cannot run on this machine.
    pub missing: Option<String>,
}

/// What runs, known once the stack is up.
pub struct Running {
    /// What the gateway serves.
    pub apis: Vec<Api>,
    /// Where everything is.
    pub addresses: Addresses,
    /// The functions.
    pub functions: Vec<Function>,
    /// The environments of each function, by its name.
    pub environments: Box<dyn Fn() -> BTreeMap<String, Environments> + Send + Sync>,
    /// Where the logs are.
    pub folder: RunFolder,
}

#[derive(Serialize)]
pub(super) struct Shown<'a> {
    places: Vec<Place<'a>>,
    functions: Vec<ShownFunction<'a>>,
    apis: Vec<ShownApi<'a>>,
}

/// An address besides the page's own.
#[derive(Serialize)]
struct Place<'a> {
    name: &'static str,
    address: &'a str,
}

#[derive(Serialize)]
struct ShownFunction<'a> {
    #[serde(flatten)]
    function: &'a Function,
    environments: Environments,
}

#[derive(Serialize)]
struct ShownApi<'a> {
    name: &'a str,
    kind: &'static str,
    /// Where it is, with its stage.
    base: String,
    /// The key that its methods require; empty if none does.
    key: &'a str,
    routes: Vec<ShownRoute<'a>>,
}

#[derive(Serialize)]
struct ShownRoute<'a> {
    /// `ANY` for every method.
    method: &'a str,
    resource: &'a str,
    /// The function that answers, or what else does.
    to: String,
    authorizer: Option<&'a str>,
    key_required: bool,
}

impl Running {
    pub(super) fn shown(&self) -> Shown<'_> {
        let addresses = &self.addresses;
        let places = [
            ("gateway", &addresses.gateway),
            ("cloud services", &addresses.services),
            ("Lambda", &addresses.lambda),
            ("MQTT", &addresses.mqtt),
            ("SMTP", &addresses.smtp),
            ("cache", &addresses.redis),
        ];
        let environments = (self.environments)();
        let function = |function| ShownFunction { function, environments: environments.get(&function.name).copied().unwrap_or_default() };
        Shown {
            places: places.into_iter().filter(|(_, at)| !at.is_empty()).map(|(name, address)| Place { name, address }).collect(),
            functions: self.functions.iter().map(function).collect(),
            apis: self.apis.iter().map(|api| self.api(api)).chain(self.urls()).collect(),
        }
    }

    fn api<'a>(&'a self, api: &'a Api) -> ShownApi<'a> {
        let at = self.addresses.api(&api.name);
        ShownApi {
            name: &api.name,
            kind: api.kind.name(),
            base: at.map(|at| format!("http://{}{}", at.address, at.stage)).unwrap_or_default(),
            key: at.map(|at| at.key.as_str()).unwrap_or_default(),
            routes: api.routes.iter().map(route).collect(),
        }
    }

    /// The functions that have an address of their own.
    fn urls(&self) -> impl Iterator<Item = ShownApi<'_>> {
        let is_api = |name: &str| self.apis.iter().any(|api| api.name == name);
        let urls = self.addresses.apis.iter().filter(move |(name, _)| !is_api(name));
        urls.map(|(name, at)| ShownApi {
            name,
            kind: "function URL",
            base: format!("http://{}", at.address),
            key: "",
            routes: vec![ShownRoute { method: "ANY", resource: "/{path+}", to: name.clone(), authorizer: None, key_required: false }],
        })
    }
}

fn route(route: &Route) -> ShownRoute<'_> {
    ShownRoute {
        method: route.method_name(),
        resource: &route.resource,
        to: route.integration.to_string(),
        authorizer: route.authorizer.as_deref(),
        key_required: route.key_required,
    }
}
