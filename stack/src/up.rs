//! Starts the whole stack in this process (services, platform, ledger) and stops it again.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use faults::Entry;
use run_folder::Deployment;
use run_folder::addresses::PASSWORD;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::artifacts::Artifacts;
use crate::invoke::LateInvoke;
use crate::platform::code::Place;
use crate::platform::gateway::make_up;
use crate::platform::mappings::MappingError;
use crate::platform::{self, Platform};
use crate::services::elsewhere::{self, NoSuchAddress};
use crate::services::iot::secured::Secured;
use crate::services::page::{self, Running};
use crate::services::{self, Doors, Services};
use crate::{Addresses, Health, RunFolder, Sighting, Sightings};
use crate::{account, line_sink};
use template::apis::Api;
use template::blueprint::{self, DataStream, Mapping, Source};
use template::files::Folder;
use template::{Template, TemplateError};

/// The script that `AWS_LAMBDA_EXEC_WRAPPER` names, from brownout's layer.
const WRAPPER: &str = include_str!("../../extension/layer/wrapper");

/// What to start, and how.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder shared with the harness.
    pub folder: RunFolder,
    /// The programs.
    pub artifacts: Artifacts,
    /// What is deployed.
    pub deployment: Deployment,
    /// A real server that is used as the cache instead of the built-in one, `redis://host:port`.
    pub redis: Option<String>,
    /// The value of `BROWNOUT_STACK` in every process of the stack.
    pub marker: String,
}

/// Why the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// An operation on a socket, a file or a process failed.
    #[error("the stack could not be brought up")]
    Io(#[from] io::Error),
    /// The template is not understood.
    #[error("the template is not understood")]
    Template(#[from] TemplateError),
    /// A mapping from a queue or a stream to its function is invalid.
    #[error("what invokes the functions could not be set up")]
    Mapping(#[from] MappingError),
    /// A service that runs somewhere else is not there.
    #[error("a service of `[stack.services]` cannot be used")]
    Elsewhere(#[from] NoSuchAddress),
    /// A function did not start.
    #[error("the function `{function}` did not start: {why}")]
    Start {
        /// The function.
        function: String,
        /// Why.
        why: String,
    },
}

/// A running stack.
pub struct Up {
    /// Its addresses.
    pub addresses: Addresses,
    /// What its gateway serves.
    pub apis: Vec<Api>,
    platform: Platform,
    services: Services,
    sinks: [JoinHandle<io::Result<()>>; 2],
    folder: RunFolder,
}

/// The most environments of one function at once; on 2 cores more would only queue.
const CONCURRENCY: u32 = 64;

/// Environments that are started before traffic begins.
const WARM: u32 = 2;

/// How long an idle environment stays.
const IDLE: Duration = Duration::from_secs(120);

impl Up {
    /// Starts everything, and writes the addresses into the folder last.
    ///
    /// # Errors
    /// If a part does not start; the parts that did are stopped again.
    pub fn start(settings: Settings) -> Pin<Box<dyn Future<Output = Result<Self, UpError>> + Send>> {
        // Boxed, so that it is compiled with this crate and not anew in each program that awaits it.
        Box::pin(Self::started(settings))
    }

    async fn started(settings: Settings) -> Result<Self, UpError> {
        let (ledger, entries) = mpsc::unbounded_channel();
        let (sightings, seen) = Sightings::watching(settings.deployment.watch.clone());
        let sightings = sightings.following(settings.deployment.follow);
        let sinks = [
            line_sink::start(&settings.folder.ledger(), entries, Entry::to_line)?,
            line_sink::start(&settings.folder.sightings(), seen, Sighting::to_line)?,
        ];
        let invoke = LateInvoke::default();
        let Settings { folder, deployment, .. } = &settings;
        let elsewhere = elsewhere::Addresses::read(&deployment.services)?;
        elsewhere.reached().await?;
        let doors = Doors::open(deployment.has_cache() && settings.redis.is_none()).await?.with(elsewhere);
        let redis = cache(&settings, &doors);
        let mut template = read(deployment, At { services: &format!("http://{}", doors.http()), cache: &redis })?;
        let services = services::start(services::Settings {
            doors,
            seed: deployment.seed.clone(),
            folder: folder.path().to_owned(),
            blueprint: template.blueprint.clone(),
            invoke: invoke.clone(),
            secured: secured(&settings)?,
            compressed: deployment.compressed,
            sightings: sightings.clone(),
            plan: folder.plan(),
            ledger: ledger.clone(),
        })
        .await?;
        let names: Vec<_> = template.blueprint.functions.iter().map(|function| function.name.clone()).collect();
        make_up(&mut template.apis)?;
        let apis = template.apis.clone();
        let mappings = template.blueprint.mappings.clone();
        let functions = template.blueprint.functions.iter().map(|it| (it.name.clone(), it.runtime.name().to_owned())).collect();
        let mut platform = platform::start(platform_settings(&settings, &services, template, (ledger, sightings.clone()))?).await?;
        platform.notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
        platform.follow(&sightings);
        invoke.put(platform.door());
        services.lambda.put(platform.lambda);
        if let Err(why) = make_ready(&mut platform, (&names, &deployment.warm), &services, &mappings, &sightings).await {
            platform.stop().await;
            return Err(why);
        }
        let addresses = addresses(&settings, (&platform, &services), &apis, redis, names);
        let _ = services.running.set(Running {
            apis: apis.clone(),
            addresses: addresses.clone(),
            functions: shown(functions, &platform.missing()),
            environments: Box::new(platform.environments()),
            folder: settings.folder.clone(),
        });
        let json = serde_json::to_vec_pretty(&addresses).map_err(io::Error::other)?;
        settings.folder.replace_private(&settings.folder.addresses(), &json)?;
        Ok(Self { addresses, apis, platform, services, sinks, folder: settings.folder })
    }

    /// Writes the platform's counts into the folder.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn write_health(&self) -> io::Result<()> {
        let health: Health = self.platform.health();
        self.folder.replace(&self.folder.health(), &serde_json::to_vec(&health).map_err(io::Error::other)?)
    }

    /// Stops everything; returns what could not be ended.
    pub fn stop(self) -> Pin<Box<dyn Future<Output = Vec<String>> + Send>> {
        Box::pin(self.stopped())
    }

    async fn stopped(self) -> Vec<String> {
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

/// Parameter values that only a starting stack knows.
#[derive(Clone, Copy)]
struct At<'a> {
    services: &'a str,
    cache: &'a str,
}

/// All templates joined.
fn read(deployment: &Deployment, at: At<'_>) -> Result<Template, TemplateError> {
    let read = |template: &run_folder::deployment::Template| {
        let parameters = template.parameters.iter().map(|(name, value)| (name.clone(), value.text(at.services, at.cache))).collect();
        match &template.folder {
            Some(folder) => {
                Template::read_source(template::Source { text: &template.text, parameters: &parameters, files: &Folder::new(folder) })
            }
            None => Template::read(&template.text, &parameters),
        }
    };
    let mut all = Template::join(deployment.templates.iter().map(read).collect::<Result<_, _>>()?)?;
    for machine in &mut all.blueprint.machines {
        if let (Ok(definition), Some(errors)) = (&mut machine.definition, deployment.unhandled.get(&machine.name)) {
            definition.leave_unhandled(errors);
        }
    }
    Ok(all)
}

/// The functions as the page shows them, by their names and runtimes.
fn shown(functions: Vec<(String, String)>, missing: &BTreeMap<String, String>) -> Vec<page::Function> {
    let function = |(name, runtime): (String, String)| page::Function { missing: missing.get(&name).cloned(), name, runtime };
    functions.into_iter().map(function).collect()
}

/// Where everything is.
fn addresses(
    settings: &Settings,
    (platform, services): (&Platform, &Services),
    apis: &[Api],
    redis: String,
    functions: Vec<String>,
) -> Addresses {
    let urls = platform.urls.iter().map(|(function, at)| (function.clone(), at_url(*at)));
    Addresses {
        pid: std::process::id(),
        gateway: platform.gateway.to_string(),
        apis: apis.iter().map(|api| (api.name.clone(), at_gateway(api, platform))).chain(urls).collect(),
        services: services.http.to_string(),
        sign_in: services.http.to_string(),
        lambda: platform.lambda.to_string(),
        mqtt: services.mqtt_address(),
        certificates: services.mqtt_is_secured.then(|| certificates(settings)),
        smtp: services.smtp.map(|address| address.to_string()).unwrap_or_default(),
        redis_is_foreign: settings.deployment.has_cache() && settings.redis.is_some(),
        redis,
        pools: services.pools.clone(),
        password: PASSWORD.to_owned(),
        functions,
    }
}

/// A function's own address.
fn at_url(at: SocketAddr) -> run_folder::addresses::Api {
    run_folder::addresses::Api { address: at.to_string(), host: at.to_string(), ..run_folder::addresses::Api::default() }
}

/// An API at the gateway of this machine, at an address of its own if no stage tells it apart.
fn at_gateway(api: &Api, platform: &Platform) -> run_folder::addresses::Api {
    let (address, stage) = match platform.apis.get(&api.id) {
        Some(own) => (own.to_string(), String::new()),
        None => (platform.gateway.to_string(), format!("/{}", api.stage)),
    };
    let key = api.keys.iter().find_map(|key| key.value.clone()).unwrap_or_default();
    run_folder::addresses::Api { host: address.clone(), address, stage, key }
}

/// The folder of the devices' certificates.
fn certificates(settings: &Settings) -> PathBuf {
    settings.folder.path().join("certificates")
}

/// TLS for devices, if the deployment asks for it.
fn secured(settings: &Settings) -> io::Result<Option<Arc<Secured>>> {
    let things = settings.deployment.things.as_ref();
    things.map(|things| Secured::with_things(things, &certificates(settings)).map(Arc::new)).transpose()
}

/// The address of the cache; empty without a cache.
fn cache(settings: &Settings, doors: &Doors) -> String {
    let own = doors.cache().map(|address| format!("redis://{address}"));
    own.or_else(|| settings.redis.clone().filter(|_| settings.deployment.has_cache())).unwrap_or_default()
}

/// Starts the first environments, and then the mappings, which invoke functions without a request.
async fn make_ready(
    platform: &mut Platform,
    (functions, warm): (&[String], &BTreeMap<String, u32>),
    services: &Services,
    mappings: &[Mapping],
    sightings: &Sightings,
) -> Result<(), UpError> {
    for function in functions {
        let count = warm.get(function).copied().unwrap_or_default().max(WARM);
        let warmed = platform.warm(function, count).await;
        warmed.map_err(|why| UpError::Start { function: function.clone(), why: why.to_string() })?;
    }
    Ok(platform.map(mappings, services, sightings)?)
}

fn platform_settings(
    settings: &Settings,
    services: &Services,
    template: Template,
    (ledger, sightings): (mpsc::UnboundedSender<Entry>, Sightings),
) -> Result<platform::Settings, UpError> {
    let wrapper = write_script(&settings.folder, "wrapper", WRAPPER)?;
    let place = Place::new(
        &settings.artifacts.folder,
        // A built-in template has its folders next to the programs.
        settings.deployment.templates.iter().find_map(|template| template.folder.as_ref()).unwrap_or(&settings.artifacts.folder),
        settings.folder.code(),
        settings.deployment.templates.iter().flat_map(|template| template.layers.clone()).collect(),
    );
    let urls = template.blueprint.functions.iter().filter_map(|function| Some((function.name.clone(), function.url.clone()?))).collect();
    let functions = template
        .blueprint
        .functions
        .iter()
        .map(|function| {
            deployed(function, &place, concurrency(&template.blueprint.mappings, &template.blueprint.data_streams, &function.name))
        })
        .collect::<Result<_, _>>()?;
    Ok(platform::Settings {
        functions,
        apis: template.apis,
        urls,
        pools: services.pools.clone(),
        run_folder: settings.folder.clone(),
        extension: Some(settings.artifacts.extension()),
        wrapper,
        plan: settings.folder.plan(),
        variables: variables(services),
        marker: settings.marker.clone(),
        ledger,
        sightings,
        compressed: settings.deployment.compressed,
        deliver: services.deliver.clone(),
        namespace: settings.artifacts.namespace(),
    })
}

/// A declared function with its code, in at most `concurrency` environments.
fn deployed(function: &blueprint::Function, place: &Place, concurrency: u32) -> Result<platform::Function, UpError> {
    let prepared = place.prepare(function).map_err(|why| UpError::Start { function: function.name.clone(), why: why.to_string() })?;
    prepared.notices.iter().for_each(|notice| eprintln!("notice: {notice}"));
    Ok(platform::Function {
        memory_mb: function.memory_mb,
        timeout: function.timeout,
        concurrency,
        reserved: function.reserved,
        variables: function.variables.clone(),
        idle: IDLE,
        opt: prepared.opt,
        log_format: function.log_format,
        asynchronous: function.asynchronous.clone(),
        aliases: function.aliases.clone(),
        ..platform::Function::new(&function.name, prepared.code)
    })
}

/// The most environments of a function: as many as its mappings use at once, if it has mappings. A
/// table's stream has one shard.
fn concurrency(mappings: &[Mapping], streams: &[DataStream], function: &str) -> u32 {
    let shards = |name: &str| streams.iter().find(|stream| stream.name == name).map_or(1, |stream| stream.shards.max(1));
    let used = mappings.iter().filter(|mapping| mapping.function == function).map(|mapping| match &mapping.source {
        Source::Queue { max_concurrency, .. } => max_concurrency.unwrap_or(CONCURRENCY),
        Source::Stream { records, .. } => records.parallel.max(1),
        Source::DataStream { name, records } => shards(name).saturating_mul(records.parallel.max(1)),
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

/// The variables that every function's process gets besides its own: the address of the services,
/// and credentials that only this machine accepts.
fn variables(services: &Services) -> BTreeMap<String, String> {
    [
        ("AWS_ENDPOINT_URL", format!("http://{}", services.http)),
        ("AWS_REGION", template::account::REGION.to_owned()),
        ("AWS_DEFAULT_REGION", template::account::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", account::ACCESS_KEY.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", account::SECRET_KEY.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
