//! This process still receives Ctrl-C itself while goose runs in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

#[path = "scenarios/support/mod.rs"]
mod support;

use std::time::Duration;

use load::plain;
use support::Server;

#[test]
fn both_of_two_interrupts_reach_the_process_and_the_load_goes_on() {
    // As `main` does: before any signal handler of tokio.
    load::keep_signals();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut interrupts = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt()).unwrap();
        let server = Server::start(|_| async { (200, "ok".to_owned()) }).await;
        let load = plain::start(&server.address.to_string(), "/", 50.0, Duration::from_secs(2), 8).await.unwrap();
        for _ in 0..2 {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::INT).unwrap();
            tokio::time::timeout(Duration::from_secs(5), interrupts.recv()).await.expect("tokio sees the interrupt").unwrap();
        }
        assert_eq!(load.finished().await.unwrap().len(), 100);
    });
}
