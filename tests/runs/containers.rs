//! What clusters are played with: containers as processes of this machine, and the HTTP by which their owners' tools are answered.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::BROWNOUT;

/// A container: a process with an environment of its own. It ends when it is dropped.
pub(crate) struct Container {
    /// `None` if it cannot be started.
    pub(crate) child: Option<Child>,
    pub(crate) log: PathBuf,
}

impl Container {
    /// The command with these arguments, whose paths `at` maps, and these variables and no others.
    pub(crate) fn start<'a>(
        log: PathBuf,
        arguments: impl Iterator<Item = &'a str>,
        at: impl Fn(&str) -> PathBuf,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let said = std::fs::File::create(&log).unwrap();
        let mut program = Command::new(BROWNOUT);
        program.env_clear().envs(variables).args(arguments.map(at)).current_dir("/");
        let child = program.stdin(Stdio::null()).stdout(said.try_clone().unwrap()).stderr(said).spawn().unwrap();
        Self { child: Some(child), log }
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    pub(crate) fn phase(&mut self) -> &'static str {
        match self.child.as_mut().map(|child| child.try_wait().unwrap()) {
            None => "Pending",
            Some(None) => "Running",
            Some(Some(status)) if status.success() => "Succeeded",
            Some(Some(_)) => "Failed",
        }
    }

    pub(crate) fn terminate(&mut self) {
        if !self.is_over() {
            kill_process(Pid::from_child(self.child.as_ref().unwrap()), Signal::TERM).unwrap();
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A request.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// An answer.
pub(crate) enum Answer {
    Json(Value),
    Text(String),
}

/// Answers on loopback until this process ends.
pub(crate) fn serve(answer: impl Fn(&Asked) -> (u16, Answer) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
    std::thread::spawn(move || {
        for wire in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || one(&wire, &*answer));
        }
    });
    address
}

fn one(wire: &TcpStream, answer: &dyn Fn(&Asked) -> (u16, Answer)) {
    let mut reader = BufReader::new(wire);
    let (mut head, mut line) = (Vec::new(), String::new());
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        head.push(std::mem::take(&mut line));
    }
    let Some(first) = head.first() else { return };
    let length = head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let words: Vec<&str> = first.split(' ').collect();
    let (path, query) = words[1].split_once('?').unwrap_or((words[1], ""));
    let asked = Asked { method: words[0].to_owned(), path: path.to_owned(), query: query.to_owned(), body };
    let (status, kind, text) = match answer(&asked) {
        (status, Answer::Json(value)) => (status, "application/json", value.to_string()),
        (status, Answer::Text(text)) => (status, "text/plain", text),
    };
    let mut wire = wire;
    let head = format!("HTTP/1.1 {status} -\r\nContent-Type: {kind}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
    // Whoever has gone away needs no answer.
    let _ = wire.write_all((head + &text).as_bytes());
}
