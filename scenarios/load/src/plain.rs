//! A plain GET at a rate to an address: the sending core without a system under test, for measuring the generator itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;
use reports::Outcome;

use crate::books::LagGlance;
use crate::error::TrafficError;
use crate::goose_users::{self, Users};
use crate::means::Means;
use crate::open_model::{Answer, Arrival, Ask, Hands, Scenario, System};
use crate::schedule::{Arrivals, Schedule};
use crate::timeline::Timeline;

/// One request, measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it was due, from the first arrival.
    pub due: Duration,
    /// From the intended time to the end of the answer.
    pub response: Duration,
    /// From sending to the end of the answer.
    pub service: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

/// Plain load under way.
pub struct Plain {
    users: Users,
    samples: Arc<Mutex<Vec<Sample>>>,
}

/// Sends `GET http://<address><path>` at `rate` a second for `duration`, by `users` users.
///
/// # Errors
/// Where goose refuses.
pub async fn start(address: &str, path: &str, rate: f64, duration: Duration, users: usize) -> Result<Plain, TrafficError> {
    start_with(address, path, &[], rate, duration, users).await
}

/// The same with `headers` on every request.
///
/// # Errors
/// If a name or value is not a valid header, or goose refuses.
pub async fn start_with(
    address: &str,
    path: &str,
    headers: &[(&str, &str)],
    rate: f64,
    duration: Duration,
    users: usize,
) -> Result<Plain, TrafficError> {
    let schedule = Arc::new(Schedule::new(Arrivals::Constant, rate, duration, 0, 0));
    let samples = Arc::new(Mutex::new(Vec::with_capacity(usize::try_from(schedule.count()).unwrap_or(0))));
    let mut request = Request::get(path).header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::default()).map_err(|error| TrafficError::Preparation(error.to_string()))?;
    let scenario = Arc::new(Get { request, samples: Arc::clone(&samples) });
    let timeline =
        Timeline { warm_up: Duration::ZERO, baseline: duration, arming: Duration::ZERO, fault: Duration::ZERO, recovery: Duration::ZERO };
    let system = System { scenario, schedule, users, address: address.to_owned() };
    Ok(Plain { users: goose_users::start(vec![system], timeline, Means::default(), None).await?, samples })
}

impl Plain {
    /// Offset 0.
    pub fn started(&self) -> Option<Instant> {
        self.users.stage.begun()
    }

    /// Cancels what is left.
    pub fn stop(&self) {
        self.users.stage.stop();
    }

    /// How late requests were sent so far.
    pub fn lag(&self) -> LagGlance {
        LagGlance::of(&self.users.stage.books.lag)
    }

    /// Waits for the end and tells every request, in the order in which they came to their end.
    ///
    /// # Errors
    /// What goose complained about.
    pub async fn finished(self) -> Result<Vec<Sample>, TrafficError> {
        self.users.finished().await?;
        Ok(std::mem::take(&mut *self.samples.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

struct Get {
    request: Request<Full<Bytes>>,
    samples: Arc<Mutex<Vec<Sample>>>,
}

#[async_trait]
impl Scenario for Get {
    fn name(&self) -> &'static str {
        "plain"
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let ask = Ask { due: arrival.due, row: "GET", request: self.request.clone(), is_right: &|status, _| (200..300).contains(&status) };
        if let Some(Answer { due, sent, done, outcome, .. }) = hands.ask(ask).await {
            let sample = Sample { due, response: done.saturating_sub(due), service: done.saturating_sub(sent), outcome };
            self.samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_connections_of_all_users_are_open_before_the_first_request_is_due() {
        const USERS: usize = 12;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let opened: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let asked = Arc::new(AtomicUsize::new(0));
        let (open, ask) = (Arc::clone(&opened), Arc::clone(&asked));
        let server = tokio::spawn(async move {
            while let Ok((mut wire, _)) = listener.accept().await {
                open.lock().unwrap().push(Instant::now());
                let ask = Arc::clone(&ask);
                tokio::spawn(async move {
                    while wire.read(&mut [0; 1_024]).await.is_ok_and(|read| read > 0) {
                        ask.fetch_add(1, SeqCst);
                        wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        // One request at once, and the next one in a minute: it alone would open one connection.
        let load = start(&address, "/", 1.0 / 60.0, Duration::from_secs(60), USERS).await.unwrap();
        let first_due = load.started().unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        while (asked.load(SeqCst) == 0 || opened.lock().unwrap().len() < USERS) && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        load.stop();
        server.abort();
        let opened = opened.lock().unwrap().clone();
        assert_eq!((opened.len(), asked.load(SeqCst)), (USERS, 1));
        // This server may be told of the last of them a little later.
        let late = opened.iter().filter(|at| **at > first_due + Duration::from_millis(100)).count();
        assert_eq!(late, 0, "of {USERS} connections");
    }
}
