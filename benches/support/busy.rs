//! A platform that always has another event: as many invocations as its pollers can handle, or none
//! while it is paused. Blocking threads, one a connection.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::lambda::{ACCEPTED, event, read_message};
use crate::support::Done;

/// The platform's side.
pub struct Busy {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answered: AtomicU64,
    sent: AtomicU64,
    runs: Mutex<bool>,
    changed: Condvar,
    root: String,
    payload: String,
}

impl Busy {
    /// Listens on a free port; paused at first.
    pub fn start(root: &str, payload: &str) -> Done<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (root, payload) = (root.to_owned(), payload.to_owned());
        let shared = Shared {
            answered: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            runs: Mutex::new(false),
            changed: Condvar::new(),
            root,
            payload,
        };
        let shared = Arc::new(shared);
        let there = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let shared = Arc::clone(&there);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Ok(Self { address, shared })
    }

    /// How many invocations were answered so far.
    pub fn answered(&self) -> u64 {
        self.shared.answered.load(Ordering::Relaxed)
    }

    /// Invokes for at least `time`; returns how many were answered, and how long it took.
    pub fn run(&self, time: Duration) -> (u64, Duration) {
        let (before, began) = (self.answered(), Instant::now());
        self.set(true);
        std::thread::sleep(time);
        let counted = (self.answered() - before, began.elapsed());
        self.set(false);
        counted
    }

    fn set(&self, runs: bool) {
        *self.shared.runs.lock().unwrap_or_else(PoisonError::into_inner) = runs;
        self.shared.changed.notify_all();
    }
}

fn serve(mut stream: TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut kept = Vec::new();
    while let Some(head) = read_message(&mut stream, &mut kept) {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let written = if path.ends_with("/invocation/next") {
            let runs = shared.runs.lock().unwrap_or_else(PoisonError::into_inner);
            drop(shared.changed.wait_while(runs, |runs| !*runs).unwrap_or_else(PoisonError::into_inner));
            let number = shared.sent.fetch_add(1, Ordering::Relaxed);
            let Ok(event) = event(number, &shared.root, &shared.payload) else { return };
            stream.write_all(&event)
        } else if path.ends_with("/response") {
            shared.answered.fetch_add(1, Ordering::Relaxed);
            stream.write_all(ACCEPTED)
        } else if path.ends_with("/extension/register") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: ext-1\r\nContent-Length: 2\r\n\r\n{}")
        } else {
            continue;
        };
        if written.is_err() {
            return;
        }
    }
}
