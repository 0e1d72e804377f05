//! The compared paths from platform to runtime: direct, through each reference, through the
//! extension.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Done, Part};

/// What is between platform and runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Direct,
    /// Copies bytes between two sockets.
    Forwarder,
    /// hyper's server and client.
    PassThrough,
    /// The extension, which is measured.
    Extension,
}

/// All of them, in the order of the tables.
pub const WAYS: [Way; 4] = [Way::Direct, Way::Forwarder, Way::PassThrough, Way::Extension];

impl Way {
    /// Its name in a table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Forwarder => "byte forwarder",
            Self::PassThrough => "plain pass-through",
            Self::Extension => "extension",
        }
    }

    /// Starts what is in between. Returns its process, the address for the runtime, and how long
    /// the start took.
    pub fn start(self, extension: &Path, upstream: SocketAddr, plan: &str) -> Done<(Option<Part>, SocketAddr, Duration)> {
        // Another loopback address, so that the platform's port is free on it.
        let listen = SocketAddr::from(([127, 0, 0, 3], upstream.port()));
        let began = Instant::now();
        let part = match self {
            Self::Direct => return Ok((None, upstream, Duration::ZERO)),
            Self::Forwarder | Self::PassThrough => {
                Part::start(self.name(), &[("UPSTREAM", upstream.to_string()), ("LISTEN", listen.to_string())])?
            }
            Self::Extension => {
                let mut command = Command::new(extension);
                command.env("AWS_LAMBDA_RUNTIME_API", upstream.to_string()).env("AWS_LAMBDA_FUNCTION_NAME", "f");
                Part::spawn(command.env("BROWNOUT_LISTEN", listen.to_string()).env("BROWNOUT_PLAN", plan))?
            }
        };
        while TcpStream::connect(listen).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(format!("the {} does not listen", self.name()).into());
            }
        }
        Ok((Some(part), listen, began.elapsed()))
    }
}
