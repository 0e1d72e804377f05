//! One request again and again to an endpoint that somebody else runs. It judges nothing.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hyper::Uri;
use tokio::sync::mpsc::UnboundedSender;

use crate::traffic::crew::Journey;
use crate::traffic::open_model::{Arrival, Hands, Scenario, System};
use crate::traffic::schedule::Schedule;
use crate::traffic::voice::{Line, Voice};
use crate::traffic::{Order, RequestLoad};
use crate::{Asked, Event};

/// Over the internet, with a fault on its way.
const JOURNEY: Journey = Journey { time: Duration::from_secs(5), requests: 1 };

/// Numbers below belong to the systems that come with brownout.
const FIRST_NUMBER: u64 = 100;

/// A URL, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `host:port` in the clear, or `https://host:port`.
    origin: String,
    /// What stands in `Host`.
    host: String,
    /// Path and query.
    path: String,
}

impl Endpoint {
    /// Whether it is on this machine.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.rsplit_once(':').map_or(self.host.as_str(), |(host, _)| host);
        let host = host.trim_matches(['[', ']']);
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a URL; write for example `https://orders.example.com/prod/orders/7`");
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let host = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?.to_string();
        let origin = match uri.scheme_str() {
            Some("https") => format!("https://{host}"),
            Some("http") if uri.port().is_some() => host.clone(),
            Some("http") => format!("{host}:80"),
            _ => return Err(wrong()),
        };
        let path = uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string);
        Ok(Self { origin, host, path })
    }
}

struct Requests {
    voice: Voice,
    load: RequestLoad,
}

/// The senders of every request of `order`, each with a schedule of its own.
pub(crate) fn systems(order: &Order, events: &UnboundedSender<Event>) -> Vec<System> {
    let numbered = order.load.requests.iter().zip(FIRST_NUMBER..);
    numbered.map(|(load, number)| system(order, load, number, events)).collect()
}

fn system(order: &Order, load: &RequestLoad, number: u64, events: &UnboundedSender<Event>) -> System {
    // Stamped: X-Ray and API Gateway take the time in a trace id for the time of the request.
    let voice =
        Voice { events: events.clone(), seed: order.seed, system: number, gateway: load.endpoint.host.clone(), stage: "", stamped: true };
    let schedule = Schedule::new(order.arrivals, load.rate, order.timeline.end(), order.seed, number);
    let scenario = Requests { voice, load: load.clone() };
    let users = order.users(load.rate, JOURNEY);
    System { scenario: Arc::new(scenario), schedule: Arc::new(schedule), users, address: load.endpoint.origin.clone() }
}

#[async_trait]
impl Scenario for Requests {
    fn name(&self) -> &'static str {
        self.load.of.split_once(' ').map_or("requests", |(name, _)| name)
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let load = &self.load;
        let line = Line {
            endpoint: load.of,
            method: load.method,
            path: load.endpoint.path.clone(),
            headers: load.headers.iter().map(|(name, value)| (*name, value.as_str())).collect(),
            body: load.body.clone(),
            asked: Asked::Request { statuses: load.statuses.clone() },
        };
        self.voice.say(hands, arrival, 0, arrival.due, line).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused() {
        let endpoint = |origin: &str, host: &str, path: &str| Endpoint { origin: origin.into(), host: host.into(), path: path.into() };
        for (url, expected) in [
            ("https://a.example.com/prod/x?y=1", Some(endpoint("https://a.example.com", "a.example.com", "/prod/x?y=1"))),
            ("https://a.example.com:8443", Some(endpoint("https://a.example.com:8443", "a.example.com:8443", "/"))),
            ("http://127.0.0.1:3000/", Some(endpoint("127.0.0.1:3000", "127.0.0.1:3000", "/"))),
            ("http://a.example.com/x", Some(endpoint("a.example.com:80", "a.example.com", "/x"))),
            ("https://user:secret@a.example.com/", None),
            ("/x", None),
            ("ftp://a.example.com/x", None),
            ("https:///x", None),
            ("", None),
        ] {
            assert_eq!(url.parse().ok(), expected, "{url}");
        }
    }
}
