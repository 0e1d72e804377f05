//! One user's own connection, kept from request to request. It measures nothing and never sends a request twice that may have arrived.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::tls;

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// The connection could not be made.
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    /// The connection ended in mid-request.
    #[error("the connection failed: {0}")]
    Connection(hyper::Error),
    /// Neither sent nor refused: the connection closed twice under the request.
    #[error("the connection closed before the request was sent")]
    Closed,
    /// No whole answer within the patience.
    #[error("no answer within {0:?}")]
    Patience(Duration),
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Origin {
    /// `host:port`, in the clear.
    Plain(String),
    /// `https://host` or `https://host:port`.
    Tls { host: String, address: String },
}

impl Origin {
    fn read(address: &str) -> Self {
        let Some(authority) = address.strip_prefix("https://") else {
            return Self::Plain(address.to_owned());
        };
        match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => {
                Self::Tls { host: host.to_owned(), address: authority.to_owned() }
            }
            _ => Self::Tls { host: authority.to_owned(), address: format!("{authority}:443") },
        }
    }
}

/// A connection to one address.
#[derive(Debug)]
pub struct Line {
    origin: Origin,
    patience: Duration,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    /// Connects with the first request, to `host:port` in the clear or to `https://host`. `patience` is how long one request may take.
    pub fn new(address: &str, patience: Duration) -> Self {
        Self { origin: Origin::read(address), patience, kept: None }
    }

    /// Sends `request` and reads the whole answer.
    ///
    /// # Errors
    /// Where there is no whole answer; the connection is then given up.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), NoAnswer> {
        match tokio::time::timeout(self.patience, self.exchange(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                self.kept = None;
                Err(error)
            }
            Err(_) => {
                self.kept = None;
                Err(NoAnswer::Patience(self.patience))
            }
        }
    }

    /// Gives the connection up, as after a request that was cancelled in flight.
    pub fn give_up(&mut self) {
        self.kept = None;
    }

    async fn exchange(&mut self, mut request: Request<Full<Bytes>>) -> Result<(u16, Bytes), NoAnswer> {
        // Twice, because a kept connection may have been closed by the other side while it lay idle.
        for _ in 0..2 {
            let mut connection = self.connection().await?;
            match connection.try_send_request(request).await {
                Ok(answer) => {
                    let status = answer.status().as_u16();
                    let body = answer.into_body().collect().await.map_err(NoAnswer::Connection)?.to_bytes();
                    self.kept = Some(connection);
                    return Ok((status, body));
                }
                // The request comes back only where not one byte of it was sent.
                Err(mut refused) => match refused.take_message() {
                    Some(back) => request = back,
                    None => return Err(NoAnswer::Connection(refused.into_error())),
                },
            }
        }
        Err(NoAnswer::Closed)
    }

    async fn connection(&mut self) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        if let Some(mut kept) = self.kept.take()
            && kept.ready().await.is_ok()
        {
            return Ok(kept);
        }
        match &self.origin {
            Origin::Plain(address) => handshake(connected(address).await?).await,
            Origin::Tls { host, address } => {
                let stream = tls::client(host, connected(address).await?).await.map_err(NoAnswer::Connect)?;
                handshake(stream).await
            }
        }
    }
}

async fn connected(address: &str) -> Result<TcpStream, NoAnswer> {
    let stream = TcpStream::connect(address).await.map_err(NoAnswer::Connect)?;
    stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
    Ok(stream)
}

async fn handshake(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
    let (connection, task) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Connection)?;
    tokio::spawn(task);
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_plain_unless_it_says_https() {
        let tls = |host: &str, address: &str| Origin::Tls { host: host.into(), address: address.into() };
        for (address, origin) in [
            ("127.0.0.1:8080", Origin::Plain("127.0.0.1:8080".into())),
            (
                "https://a.execute-api.eu-west-1.amazonaws.com",
                tls("a.execute-api.eu-west-1.amazonaws.com", "a.execute-api.eu-west-1.amazonaws.com:443"),
            ),
            ("https://localhost:8443", tls("localhost", "localhost:8443")),
        ] {
            assert_eq!(Origin::read(address), origin, "{address}");
        }
    }
}
