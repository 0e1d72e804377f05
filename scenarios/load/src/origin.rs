//! Where requests go, and how a connection to there is made. A name is looked up once in a while and not for each user, whose number a name
//! server would feel more than the system under test.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Mutex;

use crate::no_answer::NoAnswer;
use crate::tls::{Http, Protocol, Tls};

/// How long the addresses of a name are used: load balancers change theirs, and say for how long they are good, mostly a minute.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// A connection, with TLS or without.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection on which nothing was sent yet.
pub(crate) struct Dialled {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) speaks: Protocol,
}

/// Where requests go.
#[derive(Debug)]
pub(crate) struct Origin {
    /// The host whose certificate is shown; `None` in the clear.
    tls: Option<String>,
    at: Name,
}

impl Origin {
    /// `host:port` in the clear, or `https://host` or `https://host:port`.
    pub(crate) fn read(address: &str) -> Self {
        let Some(authority) = address.strip_prefix("https://") else {
            return Self { tls: None, at: Name::new(address.to_owned()) };
        };
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                Self { tls: Some(host.to_owned()), at: Name::new(authority.to_owned()) }
            }
            _ => Self { tls: Some(authority.to_owned()), at: Name::new(format!("{authority}:443")) },
        }
    }

    pub(crate) async fn dial(&self, tls: &Tls) -> Result<Dialled, NoAnswer> {
        let stream = self.at.connect().await.map_err(NoAnswer::Connect)?;
        stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
        let Some(host) = &self.tls else { return Ok(Dialled { stream: Box::new(stream), speaks: Protocol::Http1 }) };
        let (stream, speaks) = tls.for_http(host, stream).await.map_err(NoAnswer::Connect)?;
        Ok(Dialled { stream: Box::new(stream), speaks })
    }
}

/// Connects to `host:port` in the clear, or to `https://host`, for HTTP/1.1.
///
/// # Errors
/// If the connection cannot be made.
pub async fn dial(address: &str) -> Result<Box<dyn Stream>, NoAnswer> {
    Ok(Origin::read(address).dial(&Tls::default().speaking(Http::Http1)).await?.stream)
}

/// `host:port`, and the addresses that it has.
#[derive(Debug)]
struct Name {
    name: String,
    /// When they were looked up.
    known: Mutex<Option<(Instant, Vec<SocketAddr>)>>,
    /// Each connection begins with the next of them, so that all get their share.
    next: AtomicUsize,
}

impl Name {
    fn new(name: String) -> Self {
        Self { name, known: Mutex::default(), next: AtomicUsize::new(0) }
    }

    /// Connects to one of the addresses, the first that takes it.
    async fn connect(&self) -> io::Result<TcpStream> {
        let addresses = self.addresses().await?;
        // The family that the system prefers comes first: the other one may lead nowhere.
        let is_preferred = |address: &SocketAddr| addresses.first().is_some_and(|first| first.is_ipv6() == address.is_ipv6());
        let (preferred, others): (Vec<SocketAddr>, Vec<_>) = addresses.iter().partition(|address| is_preferred(address));
        let first = self.next.fetch_add(1, Relaxed) % preferred.len().max(1);
        let (later, sooner) = preferred.split_at(first);
        let mut refused = io::Error::new(io::ErrorKind::NotFound, format!("`{}` has no address", self.name));
        for address in sooner.iter().chain(later).chain(&others) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut known = self.known.lock().await;
        if let Some((_, addresses)) = known.as_ref().filter(|(since, _)| since.elapsed() < GOOD_FOR) {
            return Ok(addresses.clone());
        }
        let found: Vec<_> = lookup_host(&self.name).await?.collect();
        *known = Some((Instant::now(), found.clone()));
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_origin_is_plain_unless_it_says_https() {
        for (address, tls, name) in [
            ("127.0.0.1:8080", None, "127.0.0.1:8080"),
            (
                "https://a.execute-api.eu-west-1.amazonaws.com",
                Some("a.execute-api.eu-west-1.amazonaws.com"),
                "a.execute-api.eu-west-1.amazonaws.com:443",
            ),
            ("https://localhost:8443", Some("localhost"), "localhost:8443"),
        ] {
            let origin = Origin::read(address);
            assert_eq!((origin.tls.as_deref(), origin.at.name.as_str()), (tls, name), "{address}");
        }
    }

    #[tokio::test]
    async fn a_name_is_looked_up_once_for_many_connections() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = Name::new(format!("localhost:{}", listener.local_addr().unwrap().port()));
        name.connect().await.unwrap();
        let since = name.known.lock().await.as_ref().unwrap().0;
        for _ in 0..5 {
            name.connect().await.unwrap();
        }
        assert_eq!(name.known.lock().await.as_ref().unwrap().0, since);
    }

    #[tokio::test]
    async fn connections_go_round_the_addresses_and_past_one_that_refuses() {
        let (one, other) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.2:0").await.unwrap());
        let gone = TcpListener::bind("127.0.0.3:0").await.unwrap().local_addr().unwrap();
        let other_family = "[::1]:9".parse().unwrap();
        let addresses = vec![one.local_addr().unwrap(), gone, other.local_addr().unwrap(), other_family];
        let name = Name::new("shop.example.com:80".to_owned());
        *name.known.lock().await = Some((Instant::now(), addresses.clone()));
        let mut reached = Vec::new();
        for _ in 0..3 {
            reached.push(name.connect().await.unwrap().peer_addr().unwrap());
        }
        assert_eq!(reached, [addresses[0], addresses[2], addresses[2]]);
    }
}
