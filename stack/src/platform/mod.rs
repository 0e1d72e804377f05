//! Lambda on this machine: the functions' own binaries in execution environments, the ways to
//! invoke them, and the HTTP gateway.

mod asynchronous;
pub mod code;
mod counts;
mod deployed;
mod environment;
mod event_stream;
mod extensions;
mod extensions_api;
mod follow;
mod functions;
pub mod gateway;
mod host;
mod http;
pub(crate) mod invocation;
mod invoke_api;
mod invoke_stream;
mod life;
mod lines;
mod log;
pub mod mappings;
pub(crate) mod names;
mod pool;
mod process;
mod report;
mod room;
mod runtime_api;
pub mod runtimes;
mod spelling;
mod variables;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use faults::Entry;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

pub use deployed::Function;
pub use invocation::{InvokeError, Invoked};
pub use pool::Environments;
pub use runtimes::Code;

use crate::deliver::Deliver;
use crate::invoke::Invoke;
use crate::{Compressed, Health, RunFolder, Sightings, guard};
use asynchronous::Asynchronous;
use deployed::{Deployed, Machine};
use functions::Functions;
use invocation::Waits;
use mappings::{MappingError, Mappings, Sources};
use pool::Pool;
use runtimes::Launch;
use template::apis::Api;
use template::blueprint::{Mapping, Url};

/// How often idle environments are looked for.
const SWEEP: Duration = Duration::from_millis(100);
/// How long `stop` waits for the environments; their own limits are shorter.
const STOP: Duration = Duration::from_secs(4);

/// The settings of a platform.
#[derive(Debug)]
pub struct Settings {
    /// The functions to deploy.
    pub functions: Vec<Function>,
    /// What the HTTP gateway serves.
    pub apis: Vec<Api>,
    /// The functions that have a URL, by name.
    pub urls: BTreeMap<String, Url>,
    /// The user pools whose tokens authorizers take.
    pub pools: Vec<run_folder::addresses::Pool>,
    /// Where the logs go.
    pub run_folder: RunFolder,
    /// The extension's binary; without one the runtimes speak to the platform directly.
    pub extension: Option<PathBuf>,
    /// The layer's wrapper script, which points the runtime at the extension.
    pub wrapper: PathBuf,
    /// The file of the fault plan.
    pub plan: PathBuf,
    /// For every function: `AWS_ENDPOINT_URL`, `AWS_REGION`, the credentials of this machine.
    pub variables: BTreeMap<String, String>,
    /// `BROWNOUT_STACK` in every child process, by which [`guard::guard`] finds them.
    pub marker: String,
    /// Where the entries of the extensions and of the platform go.
    pub ledger: mpsc::UnboundedSender<Entry>,
    /// Where invocations are told that a rule names.
    pub sightings: Sightings,
    /// How much sooner an asynchronous event is retried.
    pub compressed: Compressed,
    /// Where what becomes of asynchronous events goes.
    pub deliver: Deliver,
    /// The program `brownout-namespace`, which gives environments folders of their own; without it
    /// variables lead to the folders.
    pub namespace: Option<PathBuf>,
}

/// A running platform.
#[derive(Debug)]
pub struct Platform {
    /// Where the HTTP gateway listens for all APIs whose stage is in the path, and for every `Host`
    /// as AWS forms it.
    pub gateway: SocketAddr,
    /// Where the HTTP APIs without a stage in the path listen, by their ids.
    pub apis: BTreeMap<String, SocketAddr>,
    /// Where the functions' URLs listen, by the functions' names.
    pub urls: BTreeMap<String, SocketAddr>,
    /// Where the Lambda Invoke API listens.
    pub lambda: SocketAddr,
    /// What differs from Lambda on this machine, each told once.
    pub notices: Vec<String>,
    functions: Arc<Functions>,
    servers: Vec<http::Served>,
    sweeper: JoinHandle<()>,
    mappings: Vec<Mappings>,
}

/// Starts the platform; no environment is started until it is needed.
///
/// # Errors
/// If a log cannot be opened, no port is free, or a route or authorizer names a function that does not
/// exist.
pub async fn start(settings: Settings) -> io::Result<Platform> {
    let mut notices = Vec::new();
    // What a killed stack left is no temporary file of this one.
    let folder = settings.run_folder.emptied_temporary()?;
    let namespace = namespace(settings.namespace, &folder, &settings.functions, &mut notices);
    let machine = Arc::new(Machine {
        folder,
        namespace,
        extension: settings.extension,
        wrapper: settings.wrapper,
        plan: settings.plan,
        variables: settings.variables,
        marker: settings.marker,
        ledger: settings.ledger,
        sightings: settings.sightings,
        counts: counts::Counts::default(),
        follow: OnceLock::new(),
        alive: Arc::new(()),
    });
    let clients = runtimes::Clients::write(&machine.folder)?;
    let (mut pools, asked) = (BTreeMap::new(), runtimes::Asked::with(clients));
    for function in settings.functions {
        let log = log::Log::open(&settings.run_folder.log(&function.name))?;
        let (launch, missing) = match function.code.launch(&function.name, function.opt.as_deref(), &asked) {
            Ok(launch) => (launch, None),
            Err(missing) => (Launch { notices: vec![format!("{missing}; its invocations fail")], ..Launch::default() }, Some(missing)),
        };
        notices.extend(launch.notices.clone());
        let extensions = extensions::programs(function.opt.as_deref());
        let deployed = Deployed { function, launch, missing, extensions, machine: Arc::clone(&machine), log };
        pools.insert(deployed.function.name.clone(), Pool::new(Arc::new(deployed)));
    }
    notices.sort();
    notices.dedup();
    let asynchronous = Asynchronous::new(settings.compressed, settings.deliver);
    let functions = Arc::new(Functions { machine, pools, asynchronous });
    if let Some(missing) = settings.apis.iter().flat_map(Api::functions).find(|name| !functions.has(name)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("function `{missing}` has a route and is not deployed")));
    }
    if let Some(missing) = settings.urls.keys().find(|name| !functions.has(name)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("function `{missing}` has a URL and is not deployed")));
    }
    let served = Arc::new(gateway::Gateway::new(settings.apis, settings.urls, settings.pools, Arc::clone(&functions)));
    let lambda_listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let lambda = lambda_listener.local_addr()?;
    let invoked = Arc::clone(&functions);
    let (gateway, all) = listen(&served, None).await?;
    let mut servers = vec![all, http::serve(lambda_listener, move |request, _| invoke_api::answer(Arc::clone(&invoked), request))];
    let (mut apis, mut urls) = (BTreeMap::new(), BTreeMap::new());
    for apart in served.apart() {
        let (address, server) = listen(&served, Some(apart.number)).await?;
        servers.push(server);
        if apart.is_url { &mut urls } else { &mut apis }.insert(apart.name, address);
    }
    let sweeper = tokio::spawn(sweep(Arc::clone(&functions)));
    Ok(Platform { gateway, apis, urls, lambda, notices, functions, servers, sweeper, mappings: Vec::new() })
}

/// Listens for one of what the gateway serves, or for all.
async fn listen(served: &Arc<gateway::Gateway>, number: Option<usize>) -> io::Result<(SocketAddr, http::Served)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let (served, door) = (Arc::clone(served), gateway::Door { port: address.port(), number });
    Ok((address, http::serve_spelled(listener, move |request, peer| gateway::answer(Arc::clone(&served), door, request, peer))))
}

/// The program that makes mounts, if it can on this machine. A shipped binary does not look for
/// its code or layers, so that nothing needs to be told.
fn namespace(program: Option<PathBuf>, folder: &Path, functions: &[Function], notices: &mut Vec<String>) -> Option<PathBuf> {
    let program = program?;
    let Err(why) = room::try_out(&program, folder) else { return Some(program) };
    if functions.iter().any(|function| !matches!(function.code, Code::Provided(_))) {
        notices.push(format!(
            "environments have no `/opt`, `/tmp` and `/var/task` of their own; variables such as `TMPDIR` lead to their folders: {why}"
        ));
    }
    None
}

async fn sweep(functions: Arc<Functions>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        functions.pools.values().for_each(|pool| pool.sweep());
    }
}

impl Platform {
    /// The platform's own counts so far.
    pub fn health(&self) -> Health {
        self.functions.machine.counts.health()
    }

    /// The functions that cannot run on this machine, each with why.
    pub fn missing(&self) -> BTreeMap<String, String> {
        let pools = self.functions.pools.iter();
        pools.filter_map(|(name, pool)| Some((name.clone(), pool.deployed.missing.as_ref()?.why.clone()))).collect()
    }

    /// Tells how many environments each function has; nothing once the platform has stopped.
    pub fn environments(&self) -> impl Fn() -> BTreeMap<String, Environments> + Send + Sync + use<> {
        let functions = Arc::downgrade(&self.functions);
        move || {
            let functions = functions.upgrade();
            let pools = functions.iter().flat_map(|functions| &functions.pools);
            pools.map(|(name, pool)| (name.clone(), pool.environments())).collect()
        }
    }

    /// Invokes a function and waits for the result. `trace` is an X-Ray trace header whose root is
    /// passed on.
    ///
    /// # Errors
    /// If it did not run; a function that failed is not an error here.
    pub async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
        self.functions.invoke(function, event, trace, None).await
    }

    /// The interface through which services invoke functions; once the platform has stopped, its
    /// calls fail.
    pub fn door(&self) -> Arc<dyn Invoke> {
        self.functions.door(Waits::Machine)
    }

    /// Follows requests from now on, if `sightings` do; to be called before the first environment
    /// starts.
    pub fn follow(&self, sightings: &Sightings) {
        if sightings.follows() {
            let _ = self.functions.machine.follow.set(follow::Follow::new(sightings.clone()));
        }
    }

    /// Starts the declared mappings from queues and streams. Records that are given up are reported
    /// to `sightings`.
    ///
    /// # Errors
    /// If a mapping names something missing or has an invalid pattern; then none of them is
    /// started.
    pub fn map(&mut self, declared: &[Mapping], sources: &dyn Sources, sightings: &Sightings) -> Result<(), MappingError> {
        self.mappings.push(Mappings::start(declared, sources, &self.functions, sightings)?);
        Ok(())
    }

    /// Starts environments until the function has that many, but not more than its limit, and waits
    /// until they are ready.
    ///
    /// # Errors
    /// If the function does not exist or an environment could not start.
    pub async fn warm(&self, function: &str, environments: u32) -> Result<(), WarmError> {
        let pool = self.functions.pools.get(function).ok_or_else(|| WarmError::Unknown(function.to_owned()))?;
        // As many at once as there are cores: an environment has a time to start, and more would take it from each other.
        let at_once = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(u32::MAX));
        let mut ready = 0;
        while ready < environments {
            ready = ready.saturating_add(at_once).min(environments);
            for started in pool.warm(ready) {
                let started = started.await.unwrap_or_else(|_| Err("the platform is being stopped".to_owned()));
                started.map_err(|why| WarmError::Init { function: function.to_owned(), why })?;
            }
        }
        Ok(())
    }

    /// Ends everything: the mappings stop, new invocations are refused, the extensions get
    /// SHUTDOWN, then all processes end. Returns what could not be ended.
    pub async fn stop(self) -> Vec<String> {
        let Self { functions, servers, sweeper, mappings, .. } = self;
        mappings.iter().for_each(Mappings::halt);
        sweeper.abort();
        // The sweeper holds the functions until it has really ended; its result is only that it was
        // aborted.
        let _ = sweeper.await;
        functions.pools.values().for_each(|pool| pool.close());
        let marker = functions.machine.marker.clone();
        // Callers get their answers before their connections close: all invocations have failed by
        // the time the environments are gone.
        let ended = tokio::time::timeout(STOP, async {
            while Arc::strong_count(&functions.machine.alive) > 1 {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
        let _ = ended.await;
        for mapping in mappings {
            mapping.ended().await;
        }
        functions.asynchronous.end().await;
        drop(servers);
        guard::marked(&marker).into_iter().map(|process| format!("process {process} of {marker}")).collect()
    }
}

/// Why environments could not be started ahead of traffic.
#[derive(Debug, thiserror::Error)]
pub enum WarmError {
    /// There is no such function.
    #[error("function `{0}` is not deployed here")]
    Unknown(String),
    /// An environment did not start.
    #[error("an environment of `{function}` did not start: {why}")]
    Init {
        /// The function.
        function: String,
        /// The reason, as Lambda would word it.
        why: String,
    },
}
