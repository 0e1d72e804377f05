//! Points a Rust function at the brownout extension from within: its package has its own
//! `bootstrap`, so no script of the layer runs before it. If anything is unclear it changes
//! nothing: the function must start even if the extension is broken.
//!
//! ```no_run
//! # #![allow(clippy::needless_doctest_main)]
//! fn main() {
//!     brownout_in_process::point_at_extension();
//!     // What the function did before: a runtime of tokio, its clients, `lambda_runtime::run`.
//! }
//! ```

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where the extension listens unless `BROWNOUT_LISTEN` says otherwise.
const LISTEN: &str = "127.0.0.1:9876";

/// Marks a process that has already been pointed, so that it happens only once, whatever the file
/// says.
const POINTED: &str = "BROWNOUT_POINTED";

/// The connect timeout. On loopback an answer takes microseconds; this is for an overloaded
/// machine.
const PATIENCE: Duration = Duration::from_millis(200);

/// If the extension is listening and alive, replaces this process by itself with
/// `AWS_LAMBDA_RUNTIME_API` set to the extension's address, and with the other variables that the
/// extension has for the runtime. Otherwise, and at the second call, it returns without changes.
///
/// Call it first in `main`: other threads end with the old process. It costs one `exec`, only at
/// the start of an environment, and keeps process id, arguments, folder and open streams. The
/// variables are changed through `exec` because a running process cannot change them safely.
pub fn point_at_extension() {
    let Some(changes) = changes(&|name| std::env::var(name).ok().filter(|value| !value.is_empty())) else { return };
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    // It returns only if it failed; then this process goes on unchanged.
    let _error = command.args(arguments).envs(changes).exec();
}

/// The variables to change; `None` if anything is unclear.
fn changes(variable: &dyn Fn(&str) -> Option<String>) -> Option<BTreeMap<String, String>> {
    let api = variable("AWS_LAMBDA_RUNTIME_API")?;
    let listen = variable("BROWNOUT_LISTEN").unwrap_or_else(|| LISTEN.to_owned());
    let address: SocketAddr = listen.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback())?;
    if api == listen || variable(POINTED).is_some() {
        return None;
    }
    let folder = variable("TMPDIR").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    let ready = std::fs::read_to_string(folder.join(format!("brownout-{listen}.ready"))).ok()?;
    let (pid, more) = ready.split_once('\n').unwrap_or((&ready, ""));
    let pid: u32 = pid.parse().ok().filter(|pid| *pid > 0)?;
    // A file left by a killed extension may name a process id that another process has now.
    let lives = Path::new("/proc").join(pid.to_string()).exists() && TcpStream::connect_timeout(&address, PATIENCE).is_ok();
    if !lives {
        return None;
    }
    let more = more.lines().filter_map(|line| line.split_once('=')).filter(|(name, _)| is_name(name));
    let mut changes: BTreeMap<_, _> = more.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    changes.insert("AWS_LAMBDA_RUNTIME_API".to_owned(), listen);
    changes.insert(POINTED.to_owned(), "1".to_owned());
    // A value with a NUL byte would prevent the new process from starting.
    changes.values().all(|value| !value.contains('\0')).then_some(changes)
}

/// Whether a shell would accept it as a variable's name, so that this crate behaves like the
/// wrapper scripts.
fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}
