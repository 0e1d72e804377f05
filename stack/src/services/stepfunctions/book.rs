//! The executions of one machine, running and ended. An ended execution keeps its summary and a
//! compressed history, so that thousands need little memory.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde_json::Value;
use states::{History, Outcome};

use super::events;

/// All executions of a machine, oldest first.
#[derive(Default)]
pub(super) struct Book(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    all: Vec<Known>,
    by_name: HashMap<Box<str>, usize>,
}

/// An execution.
struct Known {
    name: Box<str>,
    input: Box<str>,
    trace: Option<Box<str>>,
    started: SystemTime,
    standing: Standing,
}

enum Standing {
    Running(Arc<History>),
    Ended(Box<Closed>),
}

struct Closed {
    at: SystemTime,
    how: How,
    tries: u32,
    history: Box<[u8]>,
}

/// How an execution ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// With this output.
    Succeeded(Box<str>),
    /// With this error and cause.
    Failed(Box<str>, Box<str>),
    /// It timed out.
    TimedOut,
    /// It was stopped, with this error and cause, which may be empty.
    Stopped(Box<str>, Box<str>),
}

/// The result of opening an execution.
pub(super) enum Opened {
    /// It begins now, at this position.
    New(usize, SystemTime),
    /// It already runs with the same input, since this time.
    Same(SystemTime),
    /// Another execution has this name.
    Taken,
}

/// An execution's public data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// Its name.
    pub name: String,
    /// Its input.
    pub input: String,
    /// The trace header that it was started with.
    pub trace: Option<String>,
    /// When it began.
    pub started: SystemTime,
    /// When and how it ended; `None` while it runs.
    pub ended: Option<(SystemTime, How)>,
    /// How often its states were entered or tried, in total.
    pub tries: u32,
}

impl How {
    /// Its name in the API.
    pub const fn status(&self) -> &'static str {
        match self {
            Self::Succeeded(_) => "SUCCEEDED",
            Self::Failed(..) => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Stopped(..) => "ABORTED",
        }
    }
}

impl Shown {
    /// Its name in the API.
    pub fn status(&self) -> &'static str {
        self.ended.as_ref().map_or("RUNNING", |(_, how)| how.status())
    }

    /// The error that it failed with.
    pub fn error(&self) -> Option<&str> {
        if let Some((_, How::Failed(error, _))) = &self.ended { Some(error) } else { None }
    }
}

impl Book {
    /// Opens an execution if its name is not taken.
    pub(super) fn open(&self, name: &str, input: &str, trace: Option<&str>, history: &Arc<History>) -> Opened {
        let mut inner = self.inner();
        if let Some(known) = inner.by_name.get(name).and_then(|at| inner.all.get(*at)) {
            let same = matches!(known.standing, Standing::Running(_)) && &*known.input == input;
            return if same { Opened::Same(known.started) } else { Opened::Taken };
        }
        let (started, at) = (SystemTime::now(), inner.all.len());
        let standing = Standing::Running(Arc::clone(history));
        inner.all.push(Known { name: name.into(), input: input.into(), trace: trace.map(Into::into), started, standing });
        inner.by_name.insert(name.into(), at);
        Opened::New(at, started)
    }

    /// Closes the execution at this position.
    pub(super) fn close(&self, at: usize, outcome: &Outcome, history: &History, started: SystemTime) {
        let how = match outcome {
            Outcome::Succeeded(output) => How::Succeeded(output.to_string().into()),
            Outcome::Failed(failure) => How::Failed((*failure.error).into(), (*failure.cause).into()),
            Outcome::TimedOut => How::TimedOut,
            Outcome::Stopped(why) => How::Stopped((*why.error).into(), (*why.cause).into()),
        };
        let tries = history.tries().values().sum();
        let closed = Closed { at: SystemTime::now(), how, tries, history: packed(&written(history, started)) };
        if let Some(known) = self.inner().all.get_mut(at) {
            known.standing = Standing::Ended(Box::new(closed));
        }
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.inner().all.len()
    }

    /// The execution of this name.
    pub(super) fn find(&self, name: &str) -> Option<Shown> {
        let inner = self.inner();
        inner.by_name.get(name).and_then(|at| inner.all.get(*at)).map(Known::shown)
    }

    /// The events of the execution of this name.
    pub(super) fn history(&self, name: &str) -> Option<Vec<Value>> {
        let inner = self.inner();
        let known = inner.by_name.get(name).and_then(|at| inner.all.get(*at))?;
        Some(match &known.standing {
            Standing::Running(history) => written(history, known.started),
            Standing::Ended(closed) => unpacked(&closed.history),
        })
    }

    /// Executions with their positions, newest first, from the position before `before`.
    pub(super) fn newest(&self, before: usize, wanted: impl Fn(&Shown) -> bool, most: usize) -> Vec<(usize, Shown)> {
        let inner = self.inner();
        let all = inner.all.iter().enumerate().take(before).rev();
        all.map(|(at, known)| (at, known.shown())).filter(|(_, shown)| wanted(shown)).take(most).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn shown(&self) -> Shown {
        let (ended, tries) = match &self.standing {
            Standing::Running(history) => (None, history.tries().values().sum()),
            Standing::Ended(closed) => (Some((closed.at, closed.how.clone())), closed.tries),
        };
        let (name, input, trace) = (self.name.to_string(), self.input.to_string(), self.trace.as_ref().map(ToString::to_string));
        Shown { name, input, trace, started: self.started, ended, tries }
    }
}

fn written(history: &History, started: SystemTime) -> Vec<Value> {
    history.events().iter().map(|event| events::event(event, started)).collect()
}

fn packed(events: &[Value]) -> Box<[u8]> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::fast());
    let text = serde_json::to_vec(events).unwrap_or_default();
    // Writing to memory does not fail.
    let _ = packer.write_all(&text);
    packer.finish().unwrap_or_default().into_boxed_slice()
}

fn unpacked(bytes: &[u8]) -> Vec<Value> {
    let mut text = Vec::new();
    let read = DeflateDecoder::new(bytes).read_to_end(&mut text);
    read.ok().and_then(|_| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use serde_json::json;
    use states::{Attempt, Definition, Execution, Failure, Tasks, run};

    use super::*;

    struct Fails;

    #[async_trait]
    impl Tasks for Fails {
        async fn attempt(&self, attempt: &Attempt<'_>) -> Result<Value, Failure> {
            if attempt.number < 20 { Err(Failure::new("E", "because of this and that")) } else { Ok(json!({"done": true})) }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_execution_keeps_its_history_compressed() {
        let retry = json!([{"ErrorEquals": ["E"], "MaxAttempts": 30, "BackoffRate": 1}]);
        let task = json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:f", "Retry": retry, "End": true});
        let definition = Definition::read(&json!({"StartAt": "T", "States": {"T": task}})).unwrap();
        let book = Book::default();
        let history = Arc::new(History::begin());
        let Opened::New(at, started) = book.open("one", "{}", None, &history) else { panic!("it is new") };
        let execution = Execution { id: "x".into(), name: "one".into(), input: json!({}), ..Execution::default() };
        let outcome = run(&definition, &execution, &Fails, &history).await;
        let before = book.history("one").unwrap();
        book.close(at, &outcome, &history, started);
        assert_eq!(book.history("one").unwrap(), before);
        assert_eq!(before.len(), 64);
        let Standing::Ended(closed) = &book.inner().all[0].standing else { panic!("it has ended") };
        assert!(closed.history.len() < 1500, "{} bytes", closed.history.len());
    }

    #[test]
    fn a_name_is_taken_once_and_the_same_while_it_runs() {
        let book = Book::default();
        let history = Arc::new(History::begin());
        let open = |name: &str, input: &str| book.open(name, input, None, &history);
        let Opened::New(at, started) = open("one", "{}") else { panic!("it is new") };
        assert!(matches!(open("one", "{}"), Opened::Same(since) if since == started));
        assert!(matches!(open("one", "{ }"), Opened::Taken));
        book.close(at, &Outcome::Succeeded(json!(1)), &history, started);
        assert!(matches!(open("one", "{}"), Opened::Taken));
        assert!(matches!(open("two", "{}"), Opened::New(1, ..)));
        assert_eq!(book.find("one").map(|shown| shown.status()), Some("SUCCEEDED"));
        assert_eq!(book.newest(usize::MAX, |_| true, 9).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 0]);
    }
}
