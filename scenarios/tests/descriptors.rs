//! A generator that is out of file descriptors says so. Alone in its process, whose limit it lowers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use load::{TrafficError, plain};
use rustix::process::{Resource, Rlimit, setrlimit};

/// Why plain load by `users` users to a listener that accepts no connection ended.
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
async fn a_generator_without_files_for_its_timers_or_its_connections_ends_with_that() {
    setrlimit(Resource::Nofile, Rlimit { current: Some(128), maximum: Some(128) }).unwrap();
    // A timer and a connection each: whichever comes when there is no file left.
    let error = ends(150).await;
    assert!(matches!(error, TrafficError::Timer(_) | TrafficError::Connections(_)), "{error}");
    assert!(error.to_string().contains("ulimit -n"), "{error}");
}
