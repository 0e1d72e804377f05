//! Brings the whole stack up in this process: services, platform, ledger; and takes it down again.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::account;
use crate::artifacts::Artifacts;
use crate::blueprint::Blueprint;
use crate::ledger_sink;
use crate::platform::template::{Template, TemplateError};
use crate::platform::{self, Platform};
use crate::services::{self, Services};
use crate::world;
use crate::world::weaknesses::{self, Bearer};
use crate::{Addresses, Compressed, Health, RunFolder, Sightings};

/// The stack as AWS deploys it.
pub const TEMPLATE: &str = include_str!("../template.yaml");

/// What Lambda looks for at `/opt/bootstrap`, from our layer.
const BOOTSTRAP: &str = include_str!("../../extension/layer/bootstrap");
/// What `AWS_LAMBDA_EXEC_WRAPPER` names, from our layer.
const WRAPPER: &str = include_str!("../../extension/layer/wrapper");

/// What to bring up, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder shared with the harness.
    pub folder: RunFolder,
    /// The programs.
    pub artifacts: Artifacts,
    /// Homes of the thermostats, where that system is wanted.
    pub homes: Option<u32>,
    /// Whether the clinic is wanted.
    pub clinic: bool,
    /// Weaknesses of the functions.
    pub weaknesses: Vec<String>,
    /// How long the gateway keeps an authorizer's answer.
    pub authorizer_cache: Duration,
    /// What every process of the stack carries as `BROWNOUT_STACK`.
    pub marker: String,
}

/// Why the stack did not come up.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// A socket, a file or a process did not obey.
    #[error("the stack could not be brought up")]
    Io(#[from] io::Error),
    /// The template and this code disagree.
    #[error("the template is not understood")]
    Template(#[from] TemplateError),
    /// A function did not start.
    #[error("the function `{function}` did not start: {why}")]
    Start {
        /// Which.
        function: String,
        /// Why.
        why: String,
    },
}

/// A stack that is up.
pub struct Up {
    /// Where it can be reached.
    pub addresses: Addresses,
    platform: Platform,
    services: Services,
    ledger: JoinHandle<io::Result<()>>,
    folder: RunFolder,
}

/// The most environments of one function at once; on 2 cores more only queue.
const CONCURRENCY: u32 = 64;

/// Environments that are started before traffic begins.
const WARM: u32 = 2;

/// What stands for a resource of a system that is not up.
const NOT_UP: &str = "not-up";

/// How long an environment that nobody needs stays.
const IDLE: Duration = Duration::from_secs(120);

impl Up {
    /// Brings everything up, writes the addresses into the folder last.
    ///
    /// # Errors
    /// Where a part does not come up; what was up is taken down again.
    pub async fn start(settings: Settings) -> Result<Self, UpError> {
        let (ledger, entries) = mpsc::unbounded_channel();
        let ledger_task = ledger_sink::start(&settings.folder.ledger(), entries)?;
        let services = services::start(services::Settings {
            homes: settings.homes,
            clinic: settings.clinic,
            plan: settings.folder.plan(),
            ledger: ledger.clone(),
            blueprint: Blueprint::default(),
            compressed: Compressed::default(),
            sightings: Sightings::nowhere(),
        })
        .await?;
        let platform = platform::start(platform_settings(&settings, &services, ledger)?).await?;
        let functions = function_names(&settings);
        for function in &functions {
            if let Err(why) = platform.warm(function, WARM).await {
                let why = why.to_string();
                platform.stop().await;
                return Err(UpError::Start { function: (*function).to_owned(), why });
            }
        }
        let addresses = Addresses {
            pid: std::process::id(),
            gateway: platform.gateway.to_string(),
            services: services.http.to_string(),
            lambda: platform.lambda.to_string(),
            mqtt: services.mqtt.to_string(),
            pools: services.pools.clone(),
            functions: functions.into_iter().map(str::to_owned).collect(),
        };
        let json = serde_json::to_vec_pretty(&addresses).map_err(io::Error::other)?;
        settings.folder.replace(&settings.folder.addresses(), &json)?;
        Ok(Self { addresses, platform, services, ledger: ledger_task, folder: settings.folder })
    }

    /// Writes what the platform counts into the folder.
    ///
    /// # Errors
    /// Where the folder cannot be written.
    pub fn write_health(&self) -> io::Result<()> {
        let health: Health = self.platform.health();
        self.folder.replace(&self.folder.health(), &serde_json::to_vec(&health).map_err(io::Error::other)?)
    }

    /// Takes everything down; what could not be ended is named.
    pub async fn stop(self) -> Vec<String> {
        let _ = self.write_health();
        let left = self.platform.stop().await;
        self.services.stop().await;
        // All senders are gone now, so the sink ends once the last line is written.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.ledger).await;
        let _ = std::fs::remove_file(self.folder.addresses());
        left
    }
}

/// The functions of the systems that are wanted.
fn function_names(settings: &Settings) -> Vec<&'static str> {
    let thermostat = settings.homes.map(|_| "thermostat-api");
    let clinic = settings.clinic.then_some(["authorizer", "appointments"]);
    thermostat.into_iter().chain(clinic.into_iter().flatten()).collect()
}

fn platform_settings(
    settings: &Settings,
    services: &Services,
    ledger: mpsc::UnboundedSender<faults::Entry>,
) -> Result<platform::Settings, UpError> {
    let resources = resources(services);
    let parameters = parameters(settings, services);
    let mut template = Template::read(TEMPLATE, &resources, &parameters)?;
    let names = function_names(settings);
    template.routes.apis.retain(|api| api.routes.iter().all(|route| names.contains(&route.function.as_str())));
    let bootstrap = write_script(&settings.folder, "bootstrap", BOOTSTRAP)?;
    let wrapper = write_script(&settings.folder, "wrapper", WRAPPER)?;
    let functions = template
        .functions
        .into_iter()
        .filter(|function| names.contains(&function.name.as_str()))
        .map(|function| platform::Function {
            // The template is built in, so its folders lie where the programs do.
            code: function.code.code(&settings.artifacts.folder, &settings.artifacts.folder),
            name: function.name,
            memory_mb: function.memory_mb,
            timeout: function.timeout,
            concurrency: CONCURRENCY,
            reserved: function.reserved,
            variables: function.variables,
            idle: IDLE,
        })
        .collect();
    Ok(platform::Settings {
        functions,
        routes: template.routes,
        run_folder: settings.folder.clone(),
        extension: Some(settings.artifacts.extension()),
        bootstrap,
        wrapper,
        plan: settings.folder.plan(),
        variables: variables(services),
        marker: settings.marker.clone(),
        ledger,
    })
}

fn write_script(folder: &RunFolder, name: &str, text: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join(name);
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// What the template's logical names stand for on this machine.
fn resources(services: &Services) -> BTreeMap<String, String> {
    let mut resources: BTreeMap<String, String> = [
        ("UserMappingTable", world::thermostat::TABLE),
        ("ThermostatPolicyStore", world::thermostat::POLICY_STORE),
        ("AppointmentsTable", world::clinic::TABLE),
        ("ClinicPolicyStore", world::clinic::POLICY_STORE),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    for (pool, name) in [("thermostat", "Thermostat"), ("clinic-internal", "Internal"), ("clinic-external", "External")] {
        // The template is read as a whole, also where a system is not wanted; its functions are then left out.
        let up = services.pools.iter().find(|p| p.name == pool);
        resources.insert(format!("{name}Pool"), up.map_or(NOT_UP, |pool| &pool.id).to_owned());
        resources.insert(format!("{name}Client"), up.map_or(NOT_UP, |pool| &pool.client_id).to_owned());
    }
    resources
}

fn parameters(settings: &Settings, services: &Services) -> BTreeMap<String, String> {
    let of = |bearer| {
        let mine = settings.weaknesses.iter().filter(|name| weaknesses::bearer(name) == Some(bearer));
        mine.cloned().collect::<Vec<_>>().join(",")
    };
    [
        ("CognitoEndpoint", format!("http://{}", services.http)),
        ("ThermostatWeaknesses", of(Bearer::ThermostatApi)),
        ("AuthorizerWeaknesses", of(Bearer::Authorizer)),
        ("AuthorizerCacheSeconds", settings.authorizer_cache.as_secs().to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// What every function's process gets beside its own variables: where the services are, and credentials that only this machine takes.
fn variables(services: &Services) -> BTreeMap<String, String> {
    [
        ("AWS_ENDPOINT_URL", format!("http://{}", services.http)),
        ("AWS_REGION", account::REGION.to_owned()),
        ("AWS_DEFAULT_REGION", account::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", account::ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", account::SECRET_KEY.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
