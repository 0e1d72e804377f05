//! What is tested: the real binary, any other proxy, a proxy with a known bug, or no proxy.
//! Everything that is started here ends with its case, even if that fails.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;

use crate::faulty_proxy::{Bug, FaultyProxy};
use crate::platform::Platform;
use crate::runtime::Runtime;
use crate::wire::{Message, Outcome, in_time};

/// Another project's proxy. It listens on `listens` and sends to the mock, which is at `upstream`.
#[derive(Debug, Clone)]
pub struct Foreign {
    pub listens: SocketAddr,
    pub upstream: SocketAddr,
    /// The command that starts it for each case; without one, it already runs.
    pub command: Option<String>,
}

/// What is between the runtime and the mock.
#[derive(Debug, Clone)]
pub enum Subject {
    /// Nothing: the runtime calls the mock directly.
    Nothing,
    /// The real binary with these faults in force.
    Extension(&'static str),
    Foreign(Foreign),
    FaultyProxy(Bug),
}

/// Everything that a case has.
pub struct Stage {
    pub platform: std::sync::Arc<Platform>,
    proxy: SocketAddr,
    process: Option<Process>,
    _proxy: Option<FaultyProxy>,
    folder: tempfile::TempDir,
}

/// A process with all that it starts.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Process {
    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }
}

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

impl Subject {
    /// The proxy that the environment names, or the real binary.
    pub fn from_environment() -> Outcome<Self> {
        let address = |name: &str| match std::env::var(name) {
            Ok(text) => text.parse().map(Some).map_err(|_| format!("`{name}` is `{text}`, which is not an address and port")),
            Err(_) => Ok(None),
        };
        let command = std::env::var("CONFORMANCE_COMMAND").ok();
        match (address("CONFORMANCE_PROXY")?, address("CONFORMANCE_UPSTREAM")?, command) {
            (None, None, None) => Ok(Self::Extension("")),
            (Some(listens), upstream, command @ Some(_)) => {
                Ok(Self::Foreign(Foreign { listens, upstream: upstream.unwrap_or(ANY), command }))
            }
            (Some(listens), Some(upstream), None) => Ok(Self::Foreign(Foreign { listens, upstream, command: None })),
            _ => Err("set `CONFORMANCE_PROXY` to where the proxy listens, and either `CONFORMANCE_COMMAND` to what starts it \
                      or `CONFORMANCE_UPSTREAM` to where it sends"
                .to_owned()),
        }
    }

    /// How many cases may run at once.
    pub const fn at_once(&self) -> usize {
        if matches!(self, Self::Foreign(_)) { 1 } else { 6 }
    }

    /// The mock that all cases share, if the proxy cannot be given another one. The proxy may be
    /// started now: one that registers as an extension ends if it finds no platform.
    pub async fn shared_platform(&self) -> Outcome<Option<std::sync::Arc<Platform>>> {
        let Self::Foreign(Foreign { upstream, listens, command: None }) = self else { return Ok(None) };
        let platform = Platform::start(*upstream).await?;
        println!("the mock listens on `{upstream}`; a proxy is awaited on `{listens}` for a minute");
        for _ in 0..600 {
            if TcpStream::connect(listens).await.is_ok() {
                return Ok(Some(std::sync::Arc::new(platform)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("no proxy listens on `{listens}`"))
    }

    pub async fn stage(&self, shared: Option<std::sync::Arc<Platform>>) -> Outcome<Stage> {
        let platform = match (shared, self) {
            (Some(platform), _) => platform,
            (None, Self::Foreign(foreign)) => std::sync::Arc::new(Platform::start(foreign.upstream).await?),
            (None, _) => std::sync::Arc::new(Platform::start(ANY).await?),
        };
        platform.reset().await;
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        let mut stage = Stage { proxy: platform.address, platform, process: None, _proxy: None, folder };
        match self {
            Self::Nothing => (),
            Self::Extension(faults) => {
                stage.proxy = SocketAddr::from(([127, 0, 0, 2], stage.platform.address.port()));
                let mut command = Command::new(env!("CARGO_BIN_EXE_brownout-extension"));
                command.env("BROWNOUT_LISTEN", stage.proxy.to_string());
                command.env("BROWNOUT_PLAN", format!("json:{}", plan(faults)));
                stage.start(command)?;
            }
            Self::Foreign(foreign) => {
                stage.proxy = foreign.listens;
                if let Some(text) = &foreign.command {
                    let mut command = Command::new("sh");
                    command.args(["-c", text]);
                    stage.start(command)?;
                }
            }
            Self::FaultyProxy(bug) => {
                let proxy = FaultyProxy::start(stage.platform.address, *bug).await?;
                stage.proxy = proxy.address;
                stage._proxy = Some(proxy);
            }
        }
        stage.listens().await?;
        Ok(stage)
    }
}

/// A plan with these faults that is in force for a lease from the start.
pub fn plan(faults: &str) -> String {
    format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"until_ms":4102444800000,"seed":7,"faults":[{faults}]}}"#)
}

impl Stage {
    fn start(&mut self, mut command: Command) -> Outcome {
        command.env("AWS_LAMBDA_RUNTIME_API", self.platform.address.to_string()).env("AWS_LAMBDA_FUNCTION_NAME", "f");
        command.env("TMPDIR", self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        self.process = Some(Process(command.spawn().map_err(|error| format!("cannot start the proxy: {error}"))?));
        Ok(())
    }

    async fn listens(&self) -> Outcome {
        let listening = async {
            while TcpStream::connect(self.proxy).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Ok(())
        };
        in_time(&format!("the proxy to listen on `{}`", self.proxy), listening).await
    }

    pub async fn runtime(&self) -> Outcome<Runtime> {
        Runtime::start(self.proxy).await
    }

    /// Stops the proxy like the platform freezes an environment. A proxy that was not started here
    /// keeps running.
    pub fn freeze(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::STOP));
    }

    pub const fn can_freeze(&self) -> bool {
        self.process.is_some()
    }

    pub fn thaw(&self) {
        self.process.iter().for_each(|process| process.signal(Signal::CONT));
    }

    /// One call: what the platform received, and what the runtime received for the platform's `answer`.
    pub async fn exchange(&self, runtime: &mut Runtime, request: &[u8], answer: &[u8]) -> Outcome<(Message, Message)> {
        let platform = async {
            let mut call = self.platform.call().await?;
            let received = call.message().await?;
            call.answer(answer).await?;
            Ok(received)
        };
        let runtime = async {
            runtime.begin(request).await?;
            runtime.read().await
        };
        tokio::try_join!(platform, runtime)
    }

    /// The same on a separate connection.
    pub async fn once(&self, request: &[u8], answer: &[u8]) -> Outcome<(Message, Message)> {
        self.exchange(&mut self.runtime().await?, request, answer).await
    }
}
