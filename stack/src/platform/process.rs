//! The processes of one environment, as one group: started, stopped, continued, ended. No other
//! module sends signals.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::task::Poll;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

/// The process group of an environment, known once its first process runs.
#[derive(Debug, Default)]
pub(crate) struct Group(OnceLock<Pid>);

impl Group {
    /// Stops the group: Lambda's freeze.
    pub(crate) fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets the group run again.
    pub(crate) fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends the group, stopped or not.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0.get() {
            // A group that is gone needs no signal.
            let _ = kill_process_group(*leader, signal);
        }
    }
}

/// Which process ended, and how, as Lambda words it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The runtime.
    Runtime(String),
    /// The extension.
    Extension(String),
}

/// The extensions and the runtime of one environment, and the tasks that read their output.
#[derive(Debug, Default)]
pub(crate) struct Processes {
    pub extensions: Vec<Child>,
    pub runtime: Option<Child>,
    pub outputs: JoinSet<()>,
}

impl Processes {
    /// Waits until one of them ends; without any it waits forever.
    pub(crate) async fn exit(&mut self) -> Exit {
        tokio::select! {
            biased;
            status = exit_of_any(&mut self.extensions) => Exit::Extension(format!("Extension exited with error: {}", in_words(&status))),
            status = exit_of(&mut self.runtime) => Exit::Runtime(match &status {
                Ok(status) if status.success() => "Runtime exited without providing a reason".to_owned(),
                status => format!("Runtime exited with error: {}", in_words(status)),
            }),
        }
    }

    /// Asks the runtime to end.
    pub(crate) fn terminate_runtime(&self) {
        if let Some(runtime) = self.runtime.as_ref().and_then(pid) {
            // It may have ended by itself.
            let _ = kill_process(runtime, Signal::TERM);
        }
    }

    /// Ends the runtime.
    pub(crate) fn kill_runtime(&mut self) {
        if let Some(runtime) = &mut self.runtime {
            // It may have ended by itself.
            let _ = runtime.start_kill();
        }
    }

    /// Waits for the runtime, at most for `limit`.
    pub(crate) async fn runtime_ended(&mut self, limit: Duration) {
        if let Some(runtime) = &mut self.runtime {
            let _ = tokio::time::timeout(limit, runtime.wait()).await;
        }
    }

    /// Waits for the extensions, at most for `limit`.
    pub(crate) async fn extensions_ended(&mut self, limit: Duration) {
        let all = async {
            for extension in &mut self.extensions {
                // An error says that it is gone.
                let _ = extension.wait().await;
            }
        };
        let _ = tokio::time::timeout(limit, all).await;
    }

    /// Reads what the processes have written, once they are gone. A process that left the group may
    /// hold its pipe open, so this has a time limit.
    pub(crate) async fn drain(&mut self) {
        let _ = tokio::time::timeout(Duration::from_millis(300), async { while self.outputs.join_next().await.is_some() {} }).await;
    }
}

async fn exit_of(child: &mut Option<Child>) -> io::Result<ExitStatus> {
    match child {
        Some(child) => child.wait().await,
        None => std::future::pending().await,
    }
}

async fn exit_of_any(children: &mut [Child]) -> io::Result<ExitStatus> {
    let mut exits: Vec<_> = children.iter_mut().map(|child| Box::pin(child.wait())).collect();
    std::future::poll_fn(|context| {
        let ended = exits.iter_mut().find_map(|exit| match exit.as_mut().poll(context) {
            Poll::Ready(status) => Some(status),
            Poll::Pending => None,
        });
        ended.map_or(Poll::Pending, Poll::Ready)
    })
    .await
}

fn in_words(status: &io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(9)) => "signal: killed".to_owned(),
            (None, signal) => format!("signal: {}", signal.unwrap_or_default()),
        },
        Err(error) => error.to_string(),
    }
}

fn pid(child: &Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}

/// A command that gets none of this process's variables but `PATH`.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command
}

/// Starts a [`command`] in `group` with these variables, and with pipes for its output. The first
/// process of a group leads it.
pub(crate) fn spawn(group: &Group, command: &mut Command, variables: &BTreeMap<String, String>) -> io::Result<Child> {
    command.envs(variables).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.process_group(group.0.get().map_or(0, |leader| leader.as_raw_nonzero().get()));
    let child = command.spawn()?;
    if let Some(pid) = pid(&child) {
        group.0.get_or_init(|| pid);
    }
    Ok(child)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(group: &Group, script: &str) -> Processes {
        let variables = BTreeMap::new();
        let child = spawn(group, command("/bin/sh").args(["-c", script]), &variables).unwrap();
        Processes { runtime: Some(child), ..Processes::default() }
    }

    #[tokio::test]
    async fn an_exit_is_worded_as_lambda_does() {
        for (script, words) in [
            ("exit 0", "Runtime exited without providing a reason"),
            ("exit 3", "Runtime exited with error: exit status 3"),
            ("kill -9 $$", "Runtime exited with error: signal: killed"),
        ] {
            assert_eq!(sh(&Group::default(), script).await.exit().await, Exit::Runtime(words.to_owned()), "{script}");
        }
    }

    #[tokio::test]
    async fn a_stopped_group_is_ended_with_its_children() {
        let group = Group::default();
        let mut processes = sh(&group, "sleep 600 & wait").await;
        group.freeze();
        group.kill();
        assert!(matches!(processes.exit().await, Exit::Runtime(_)));
    }
}
