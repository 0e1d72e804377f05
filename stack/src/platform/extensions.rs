//! The registered extensions of one environment, and the events that wait for each. It serves no
//! address.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Notify;

use super::environment::Event;
use super::names;

/// The events that an extension can register for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Topic {
    /// Every invocation.
    Invoke,
    /// The end of the environment.
    Shutdown,
}

#[derive(Debug)]
struct Registered {
    id: String,
    name: String,
    topics: Vec<Topic>,
    waits: bool,
    events: VecDeque<String>,
    wake: Arc<Notify>,
}

/// The extensions of one environment.
#[derive(Debug, Default)]
pub(crate) struct Extensions(Vec<Registered>);

/// The external extensions of a function's layers, by name: the programs in `extensions`. Source:
/// Lambda, "Using the Lambda Extensions API".
pub(crate) fn programs(opt: Option<&Path>) -> Vec<PathBuf> {
    let Some(entries) = opt.and_then(|opt| std::fs::read_dir(opt.join("extensions")).ok()) else { return Vec::new() };
    let mut programs: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    programs.sort();
    programs
}

impl Extensions {
    /// Registers an extension and returns its identifier; `None` if the name is already registered.
    pub(crate) fn register(&mut self, name: &str, topics: Vec<Topic>) -> Option<String> {
        if self.has(name) {
            return None;
        }
        let id = names::uuid();
        let wake = Arc::new(Notify::new());
        self.0.push(Registered { id: id.clone(), name: name.to_owned(), topics, waits: false, events: VecDeque::new(), wake });
        Some(id)
    }

    /// True if an extension of that name has registered.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|extension| extension.name == name)
    }

    /// True if the identifier is one of them.
    pub(crate) fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|extension| extension.id == id)
    }

    /// The next event of an extension, or what to wait for; from now on it counts as waiting until
    /// it gets one.
    pub(crate) fn next(&mut self, id: &str) -> Option<Result<String, Arc<Notify>>> {
        let extension = self.0.iter_mut().find(|extension| extension.id == id)?;
        let event = extension.events.pop_front();
        extension.waits = event.is_none();
        Some(event.ok_or_else(|| Arc::clone(&extension.wake)))
    }

    /// True if all of them wait.
    pub(crate) fn all_wait(&self) -> bool {
        self.0.iter().all(|extension| extension.waits)
    }

    /// Tells the extensions that registered for it of an invocation.
    pub(crate) fn invoke(&mut self, event: &Event) {
        for extension in self.0.iter_mut().filter(|extension| extension.topics.contains(&Topic::Invoke)) {
            let text = json!({
                "eventType": "INVOKE", "deadlineMs": event.deadline_ms, "requestId": event.request_id, "invokedFunctionArn": event.arn,
                "tracing": { "type": "X-Amzn-Trace-Id", "value": event.trace },
            });
            extension.tell(text.to_string());
        }
    }

    /// Tells the extensions that registered for it of the shutdown; true if there was one.
    pub(crate) fn shut_down(&mut self, reason: &str, deadline_ms: u128) -> bool {
        let mut told = false;
        for extension in self.0.iter_mut().filter(|extension| extension.topics.contains(&Topic::Shutdown)) {
            extension.tell(json!({ "eventType": "SHUTDOWN", "shutdownReason": reason, "deadlineMs": deadline_ms }).to_string());
            told = true;
        }
        told
    }
}

impl Registered {
    fn tell(&mut self, event: String) {
        self.waits = false;
        self.events.push_back(event);
        self.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_registered_extensions_are_told() {
        let mut extensions = Extensions::default();
        let id = extensions.register("a", vec![Topic::Shutdown]).unwrap();
        assert_eq!(extensions.register("a", vec![]), None);
        assert!(extensions.next(&id).unwrap().is_err() && extensions.all_wait());
        let event = Event {
            request_id: "r".into(),
            body: bytes::Bytes::new(),
            trace: "t".into(),
            client_context: None,
            arn: "a".into(),
            deadline_ms: 1,
        };
        extensions.invoke(&event);
        assert!(extensions.all_wait());
        assert!(extensions.shut_down("spindown", 2));
        assert!(!extensions.all_wait());
        assert!(extensions.next(&id).unwrap().unwrap().contains("spindown"));
        assert!(extensions.next("other").is_none());
    }
}
