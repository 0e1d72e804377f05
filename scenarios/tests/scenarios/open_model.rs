//! The sending core against a server that stalls.

use std::time::{Duration, Instant};

use crate::support::Server;
use load::plain;
use reports::Outcome;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latency_counts_from_the_intended_time_while_the_server_stalls() {
    let begin = Instant::now();
    // It stalls for the first 400 ms of every second.
    let server = Server::start(move |_| async move {
        let into = begin.elapsed().as_millis() % 1_000;
        if into < 400 {
            tokio::time::sleep(Duration::from_millis(400 - into as u64)).await;
        }
        (200, "ok".to_owned())
    })
    .await;
    // 8 users cannot have 100 requests a second in flight through a stall: requests that wait for a
    // user must count their wait.
    let load = plain::start(&server.address.to_string(), "/", 100.0, Duration::from_secs(3), 8).await.unwrap();
    let mut samples = load.finished().await.unwrap();
    assert_eq!(samples.len(), 300, "all are sent");
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Answered));
    samples.sort_unstable_by_key(|sample| sample.response);
    // Requests are due evenly, with a stall of 400 ms in every 1,000: in truth 40 % wait, p90 is
    // 300 ms, p99 390 ms.
    let at = |q: f64| samples[(samples.len() as f64 * q) as usize].response.as_millis();
    assert!((250..=420).contains(&at(0.9)), "p90 {}", at(0.9));
    assert!((330..=520).contains(&at(0.99)), "p99 {}", at(0.99));
    assert!(samples.iter().any(|sample| sample.response > sample.service + Duration::from_millis(50)), "nobody waited for a user");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_ends_soon_and_cancels_requests_in_flight() {
    let server = Server::start(|_| async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        (200, String::new())
    })
    .await;
    let load = plain::start(&server.address.to_string(), "/", 10.0, Duration::from_secs(60), 8).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let stopped = Instant::now();
    load.stop();
    let samples = load.finished().await.unwrap();
    assert!(stopped.elapsed() < Duration::from_secs(25), "less than the patience: {:?}", stopped.elapsed());
    assert!(!samples.is_empty() && samples.iter().all(|sample| sample.outcome == Outcome::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_closed_by_the_server_is_reopened_without_a_failure() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut bytes = [0; 1_024];
                let _ = stream.read(&mut bytes).await;
                // It says keep-alive and closes anyway.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            });
        }
    });
    let load = plain::start(&address.to_string(), "/", 50.0, Duration::from_secs(1), 8).await.unwrap();
    let samples = load.finished().await.unwrap();
    server.abort();
    assert_eq!(samples.len(), 50);
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Answered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_start_when_they_are_due() {
    let server = Server::start(|_| async { (200, "ok".to_owned()) }).await;
    let load = plain::start(&server.address.to_string(), "/", 200.0, Duration::from_secs(2), 32).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    let lag = load.lag();
    println!("lag p50 {:?}, p99 {:?}", lag.p50, lag.p99);
    // 0.1 ms on an idle machine; other tests run beside this one.
    assert!(lag.p50 < Duration::from_millis(2), "{lag:?}");
    assert_eq!(load.finished().await.unwrap().len(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_open_before_the_first_request_and_the_last_used_is_reused() {
    use std::sync::{Arc, Mutex};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // How many requests each connection carried.
    let carried = Arc::new(Mutex::new(Vec::new()));
    let counted = Arc::clone(&carried);
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            let number = {
                let mut all = counted.lock().unwrap();
                all.push(0);
                all.len() - 1
            };
            tokio::spawn(async move {
                let mut bytes = [0; 1_024];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                    counted.lock().unwrap()[number] += 1;
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
                }
            });
        }
    });
    let load = plain::start(&address.to_string(), "/", 20.0, Duration::from_secs(2), 10).await.unwrap();
    let samples = load.finished().await.unwrap();
    server.abort();
    assert!(samples.iter().all(|sample| sample.outcome == Outcome::Answered));
    let carried = carried.lock().unwrap();
    assert_eq!((carried.len(), carried.iter().sum::<i32>()), (10, 40), "{carried:?}");
    // In turn, each would carry four.
    assert!(carried.iter().any(|count| *count > 20), "{carried:?}");
}
