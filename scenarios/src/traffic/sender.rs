//! One user's own connection, kept from request to request. It measures nothing and never sends a request twice that may have arrived.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

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

/// A connection to one address.
#[derive(Debug)]
pub struct Line {
    address: String,
    patience: Duration,
    kept: Option<SendRequest<Full<Bytes>>>,
}

impl Line {
    /// Connects with the first request. `patience` is how long one request may take.
    pub fn new(address: &str, patience: Duration) -> Self {
        Self { address: address.to_owned(), patience, kept: None }
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
        let stream = TcpStream::connect(&self.address).await.map_err(NoAnswer::Connect)?;
        stream.set_nodelay(true).map_err(NoAnswer::Connect)?;
        let (connection, task) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Connection)?;
        tokio::spawn(task);
        Ok(connection)
    }
}
