//! Brings the whole stack up in this process: services, platform, ledger; and takes it down again.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use faults::Entry;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::artifacts::Artifacts;
use crate::blueprint::{Mapping, Source};
use crate::invoke::LateInvoke;
use crate::platform::mappings::MappingError;
use crate::platform::template::{Template, TemplateError};
use crate::platform::{self, Platform};
use crate::services::{self, Services};
use crate::systems::{self, At};
use crate::{Addresses, Compressed, Health, RunFolder, Sighting, Sightings};
use crate::{account, line_sink};

/// The stack as AWS deploys it.
pub const TEMPLATE: &str = include_str!("../template.yaml");

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
    /// Whether the mail is wanted.
    pub mail: bool,
    /// Members of the pool of inactive users, where that system is wanted.
    pub members: Option<u32>,
    /// Whether the users API is wanted, in all its shapes.
    pub users_api: bool,
    /// Whether the audit is wanted.
    pub audit: bool,
    /// A real server that is the audit's cache instead of the one that is built in, `redis://host:port`.
    pub redis: Option<String>,
    /// Sign-ins that come at once: so many environments are started for them beforehand. Lambda starts a hundred at once, this machine two.
    pub sign_ins_at_once: u32,
    /// How many times faster than at AWS long waits go.
    pub compressed: Compressed,
    /// Weaknesses of the functions and of the mail's queue.
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
    /// A queue or a stream cannot invoke its function.
    #[error("what invokes the functions could not be set up")]
    Mapping(#[from] MappingError),
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
    sinks: [JoinHandle<io::Result<()>>; 2],
    folder: RunFolder,
}

/// The most environments of one function at once; on 2 cores more only queue.
const CONCURRENCY: u32 = 64;

/// Environments that are started before traffic begins.
const WARM: u32 = 2;

/// Sign-ins come in bursts.
const RECORDS_SIGN_INS: &str = "record-sign-in";

/// How long an environment that nobody needs stays.
const IDLE: Duration = Duration::from_secs(120);

impl Up {
    /// Brings everything up, writes the addresses into the folder last.
    ///
    /// # Errors
    /// Where a part does not come up; what was up is taken down again.
    pub async fn start(settings: Settings) -> Result<Self, UpError> {
        let (ledger, entries) = mpsc::unbounded_channel();
        let (sightings, seen) = Sightings::channel();
        let sinks = [
            line_sink::start(&settings.folder.ledger(), entries, Entry::to_line)?,
            line_sink::start(&settings.folder.sightings(), seen, Sighting::to_line)?,
        ];
        let invoke = LateInvoke::default();
        // What is declared hangs on no address and no pool, so it is known before there are any.
        let blueprint = systems::template(TEMPLATE, &settings, &[], At::default())?.blueprint;
        let services = services::start(services::Settings {
            homes: settings.homes,
            clinic: settings.clinic,
            members: settings.members,
            cache: settings.audit && settings.redis.is_none(),
            folder: settings.folder.path().to_owned(),
            triggers: systems::triggers(&blueprint),
            blueprint,
            invoke: invoke.clone(),
            compressed: settings.compressed,
            sightings: sightings.clone(),
            plan: settings.folder.plan(),
            ledger: ledger.clone(),
        })
        .await?;
        let redis = cache(&settings, &services);
        let at = At { cognito: &format!("http://{}", services.http), cache: &redis };
        let mut template = systems::template(TEMPLATE, &settings, &services.pools, at)?;
        let api_keys = template.routes.make_up_keys().map_err(io::Error::other)?;
        let mappings = template.blueprint.mappings.clone();
        let mut platform = platform::start(platform_settings(&settings, &services, template, ledger)?).await?;
        invoke.put(platform.door());
        if let Err(why) = make_ready(&mut platform, &settings, &services, &mappings, &sightings).await {
            platform.stop().await;
            return Err(why);
        }
        let addresses = Addresses {
            pid: std::process::id(),
            gateway: platform.gateway.to_string(),
            services: services.http.to_string(),
            lambda: platform.lambda.to_string(),
            mqtt: services.mqtt.to_string(),
            smtp: services.smtp.map(|address| address.to_string()).unwrap_or_default(),
            redis_is_foreign: settings.audit && settings.redis.is_some(),
            redis,
            api_keys,
            pools: services.pools.clone(),
            functions: systems::functions(&settings).into_iter().map(str::to_owned).collect(),
        };
        let json = serde_json::to_vec_pretty(&addresses).map_err(io::Error::other)?;
        settings.folder.replace_private(&settings.folder.addresses(), &json)?;
        Ok(Self { addresses, platform, services, sinks, folder: settings.folder })
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
        // All senders are gone now, so each sink ends once its last line is written.
        for sink in self.sinks {
            let _ = tokio::time::timeout(Duration::from_secs(2), sink).await;
        }
        let _ = std::fs::remove_file(self.folder.addresses());
        left
    }
}

/// Where the cache is; empty where there is none.
fn cache(settings: &Settings, services: &Services) -> String {
    let own = services.redis.map(|address| format!("redis://{address}"));
    own.or_else(|| settings.redis.clone().filter(|_| settings.audit)).unwrap_or_default()
}

/// Starts the first environments, and only then what invokes by itself.
async fn make_ready(
    platform: &mut Platform,
    settings: &Settings,
    services: &Services,
    mappings: &[Mapping],
    sightings: &Sightings,
) -> Result<(), UpError> {
    for function in systems::functions(settings) {
        let at_once = if function == RECORDS_SIGN_INS { settings.sign_ins_at_once } else { 0 };
        let warmed = platform.warm(function, at_once.max(WARM)).await;
        warmed.map_err(|why| UpError::Start { function: function.to_owned(), why: why.to_string() })?;
    }
    Ok(platform.map(mappings, services, sightings)?)
}

fn platform_settings(
    settings: &Settings,
    services: &Services,
    template: Template,
    ledger: mpsc::UnboundedSender<Entry>,
) -> Result<platform::Settings, UpError> {
    let wrapper = write_script(&settings.folder, "wrapper", WRAPPER)?;
    let concurrency = |name: &str| concurrency(&template.blueprint.mappings, name);
    let functions = template
        .functions
        .into_iter()
        .map(|function| platform::Function {
            // The template is built in, so its folders lie where the programs do.
            code: function.code.code(&settings.artifacts.folder, &settings.artifacts.folder),
            concurrency: concurrency(&function.name),
            name: function.name,
            memory_mb: function.memory_mb,
            timeout: function.timeout,
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
        wrapper,
        plan: settings.folder.plan(),
        variables: variables(services),
        marker: settings.marker.clone(),
        ledger,
        compressed: settings.compressed,
    })
}

/// The most environments of a function: as many as its mappings use at once, where it has any; a stream of one shard uses one.
fn concurrency(mappings: &[Mapping], function: &str) -> u32 {
    let used = mappings.iter().filter(|mapping| mapping.function == function).map(|mapping| match mapping.source {
        Source::Queue { max_concurrency, .. } => max_concurrency.unwrap_or(CONCURRENCY),
        Source::Stream { .. } => 1,
    });
    used.reduce(u32::saturating_add).map_or(CONCURRENCY, |used| used.min(CONCURRENCY))
}

fn write_script(folder: &RunFolder, name: &str, text: &str) -> io::Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.path().join(name);
    std::fs::write(&path, text)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(path)
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
