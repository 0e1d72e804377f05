//! A generator that runs out of file descriptors says so. Alone in its process, whose limit it
//! lowers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use load::{TrafficError, plain};
use rustix::process::{Resource, Rlimit, setrlimit};

/// The error with which plain load by `users` users ends, against a listener that accepts no
/// connection.
async fn ends(users: usize) -> TrafficError {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let finished = async {
        let load = plain::start(&address, "/", 500.0, Duration::from_secs(60), users).await?;
        load.finished().await.map(drop)
    };
    tokio::time::timeout(Duration::from_secs(45), finished).await.unwrap().unwrap_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_generator_without_files_for_timers_or_connections_ends_with_that_error() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum: Some(128) }).unwrap();
    // A timer and a connection each: whichever is opened when no file is left gives the error.
    let error = ends(150).await;
    assert!(matches!(error, TrafficError::OpenFiles(_)), "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
}
