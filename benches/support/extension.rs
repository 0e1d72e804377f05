//! The extension's real binary, started in front of a bench's platform and ended with it.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Done, Part};

/// Starts the binary in front of `upstream` with a plan's source, and waits until it listens; returns where.
pub fn start(binary: &Path, upstream: SocketAddr, plan: &str) -> Done<(Part, SocketAddr)> {
    let listen = SocketAddr::from(([127, 0, 0, 2], upstream.port()));
    let mut command = Command::new(binary);
    command
        .env("AWS_LAMBDA_RUNTIME_API", upstream.to_string())
        .env("BROWNOUT_LISTEN", listen.to_string())
        .env("BROWNOUT_PLAN", plan)
        .env("AWS_LAMBDA_FUNCTION_NAME", "f");
    let part = Part::spawn(&mut command)?;
    let began = Instant::now();
    while TcpStream::connect(listen).is_err() {
        if began.elapsed() > Duration::from_secs(10) {
            return Err("the extension does not listen".into());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok((part, listen))
}
