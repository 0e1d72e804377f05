//! The connections of a system, kept from request to request. It measures nothing and never sends a request twice that may have arrived.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Request;

use crate::connection::{Connection, Kept};
use crate::no_answer::NoAnswer;
use crate::origin::Origin;
use crate::reply::Reply;
use crate::tls::Tls;

/// Connections to one address, kept from request to request. The one that was used last is taken first: those that are not needed lie idle
/// until the other side closes them, and the others never do. In HTTP/2, on which TLS agrees where the other side can, requests share one.
#[derive(Debug)]
pub struct Connections {
    origin: Origin,
    tls: Tls,
    patience: Duration,
    kept: Mutex<Kept>,
}

impl Connections {
    /// None yet, to `host:port` in the clear or to `https://host`. `patience` is how long one request may take.
    pub fn new(address: &str, patience: Duration) -> Self {
        Self { origin: Origin::read(address), tls: Tls::default(), patience, kept: Mutex::default() }
    }

    /// The same with this TLS.
    #[must_use]
    pub fn over(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Sends `request` and reads the whole answer: its status, and its body, decompressed where it can be. Where that is dropped before its
    /// end, its connection is given up.
    ///
    /// # Errors
    /// Where there is no whole answer; the connection is then given up.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), NoAnswer> {
        let reply = self.ask(request).await?;
        Ok((reply.status, reply.body().unwrap_or_else(|as_it_came| as_it_came)))
    }

    /// The same, with the answer as it came.
    pub(crate) async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Reply, NoAnswer> {
        tokio::time::timeout(self.patience, self.exchange(request)).await.unwrap_or(Err(NoAnswer::Patience(self.patience)))
    }

    /// Opens one more and keeps it.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub async fn open_one(&self) -> Result<(), NoAnswer> {
        if !self.all_kept().is_shared() {
            self.open().await.map(|connection| self.all_kept().put(connection))?;
        }
        Ok(())
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, NoAnswer> {
        loop {
            let (mut connection, is_new) = match self.kept().await {
                Some(kept) => (kept, false),
                None => (self.open().await?, true),
            };
            match connection.try_send(request).await {
                Ok(answer) => {
                    let reply = Reply::read(answer).await.map_err(NoAnswer::Connection)?;
                    self.all_kept().put(connection);
                    return Ok(reply);
                }
                // The request comes back only where not one byte of it was sent: a kept connection may be closed just then by the other side.
                Err(mut refused) => match refused.take_message() {
                    Some(back) if !is_new => request = back,
                    Some(_) => return Err(NoAnswer::Closed),
                    None => return Err(NoAnswer::Connection(refused.into_error())),
                },
            }
        }
    }

    fn all_kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that is still open.
    async fn kept(&self) -> Option<Connection> {
        loop {
            let taken = self.all_kept().take();
            let mut connection = taken?;
            if connection.is_ready().await {
                return Some(connection);
            }
        }
    }

    async fn open(&self) -> Result<Connection, NoAnswer> {
        let connection = Connection::over(self.origin.dial(&self.tls).await?).await?;
        if let Connection::Shared(shared) = &connection {
            self.all_kept().put(Connection::Shared(shared.clone()));
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;

    use super::*;

    /// A listener whose connections are handed to `serve` with their number, from 0.
    async fn server<F, S>(serve: F) -> (Connections, JoinHandle<()>)
    where
        F: Fn(TcpStream, usize) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let accepting = tokio::spawn(async move {
            for number in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, number));
            }
        });
        (Connections::new(&address, Duration::from_secs(30)), accepting)
    }

    /// Reads the next request; false where the connection ends.
    async fn asked(stream: &mut TcpStream) -> bool {
        let mut bytes = [0; 1_024];
        stream.read(&mut bytes).await.unwrap_or(0) > 0
    }

    fn get() -> Request<Full<Bytes>> {
        Request::get("/").header("host", "x").body(Full::default()).unwrap()
    }

    #[tokio::test]
    async fn the_connection_that_was_used_last_is_taken_first_and_a_closed_one_never() {
        // Each answers with its number; the third closes after that.
        let (connections, accepting) = server(|mut stream, number| async move {
            while asked(&mut stream).await {
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{number}");
                stream.write_all(answer.as_bytes()).await.unwrap();
                if number == 2 {
                    return;
                }
            }
        })
        .await;
        for _ in 0..3 {
            connections.open_one().await.unwrap();
        }
        let mut answered_by = Vec::new();
        for _ in 0..4 {
            let (status, body) = connections.send(get()).await.unwrap();
            assert_eq!(status, 200);
            answered_by.push(String::from_utf8(body.to_vec()).unwrap());
            // The end of the third has to be heard of.
            while answered_by == ["2"] && !connections.all_kept().last_is_closed() {
                tokio::task::yield_now().await;
            }
        }
        accepting.abort();
        assert_eq!(answered_by, ["2", "1", "1", "1"]);
    }

    #[tokio::test]
    async fn a_request_that_may_have_arrived_is_never_sent_twice() {
        let arrived = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&arrived);
        let (connections, accepting) = server(move |mut stream, _| {
            let count = Arc::clone(&count);
            async move {
                // It reads the request and closes without an answer.
                count.fetch_add(usize::from(asked(&mut stream).await), Ordering::SeqCst);
            }
        })
        .await;
        for _ in 0..3 {
            connections.open_one().await.unwrap();
        }
        let error = connections.send(get()).await.unwrap_err();
        accepting.abort();
        assert!(matches!(error, NoAnswer::Connection(_)), "{error}");
        assert_eq!(arrived.load(Ordering::SeqCst), 1);
    }
}
