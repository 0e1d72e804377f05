//! The mock of the Runtime API. It answers nothing by itself: each call goes to the case, which
//! checks every byte and answers with its own bytes. Only a proxy's own calls to the Extensions API
//! are answered here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{AbortHandle, JoinHandle};

use crate::wire::{Body, Kind, Message, Outcome, Piece, Wire, in_time, values};

/// Part of every head with which a case calls the Extensions API, so that it is not mistaken for
/// the proxy's own call.
pub const MARK: &str = "conformance";

const REGISTERED: &[u8] =
    b"HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: proxy-1\r\nContent-Type: application/json\r\nContent-Length: 62\r\n\r\n\
    {\"functionName\":\"f\",\"functionVersion\":\"1\",\"handler\":\"handler.f\"}";
const FINE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK";

pub struct Platform {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    calls: tokio::sync::Mutex<UnboundedReceiver<Call>>,
    accepting: AbortHandle,
}

struct Shared {
    calls: UnboundedSender<Call>,
    accepted: AtomicUsize,
    /// Connections that wait for a call.
    idle: Mutex<HashMap<usize, JoinHandle<()>>>,
}

/// A call whose head has come.
pub struct Call {
    pub head: String,
    /// The number of its connection.
    pub connection: usize,
    body: Body,
    /// The part that was read ahead.
    ahead: Vec<u8>,
    wire: Wire,
    shared: Arc<Shared>,
}

impl Drop for Platform {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.idle.lock().unwrap().drain().for_each(|(_, task)| task.abort());
    }
}

impl Platform {
    pub async fn start(address: SocketAddr) -> Outcome<Self> {
        let listener = TcpListener::bind(address).await.map_err(|error| format!("the mock cannot listen on `{address}`: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let (sender, calls) = unbounded_channel();
        let shared = Arc::new(Shared { calls: sender, accepted: AtomicUsize::new(0), idle: Mutex::default() });
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let connection = serving.accepted.fetch_add(1, Ordering::SeqCst);
                serving.listen(Wire::new(stream), connection);
            }
        });
        Ok(Self { address, shared, calls: tokio::sync::Mutex::new(calls), accepting: accepting.abort_handle() })
    }

    /// The next call.
    pub async fn call(&self) -> Outcome<Call> {
        let next = async { self.calls.lock().await.recv().await.ok_or_else(|| "the mock has ended".to_owned()) };
        in_time("a call to reach the platform", next).await
    }

    /// Checks that there is no unexpected call.
    pub async fn no_more(&self) -> Outcome {
        tokio::time::sleep(Duration::from_millis(100)).await;
        match self.calls.lock().await.try_recv() {
            Ok(call) => Err(format!("an unexpected call reached the platform: `{}`", call.line())),
            Err(_) => Ok(()),
        }
    }

    /// Closes every connection that waits for a call.
    pub async fn drop_idle(&self) {
        let idle = std::mem::take(&mut *self.shared.idle.lock().unwrap());
        for task in idle.into_values() {
            task.abort();
            let _ = task.await;
        }
    }

    /// Forgets what a case left behind.
    pub async fn reset(&self) {
        let mut calls = self.calls.lock().await;
        while calls.try_recv().is_ok() {}
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, wire: Wire, connection: usize) {
        let shared = Arc::clone(self);
        // Locked until the task is in the list, because the task removes itself from it.
        let mut idle = self.idle.lock().unwrap();
        let task = tokio::spawn(async move { shared.serve(wire, connection).await });
        idle.insert(connection, task);
    }

    async fn serve(self: Arc<Self>, mut wire: Wire, connection: usize) {
        while let Ok(Some(head)) = wire.reader.head().await {
            self.idle.lock().unwrap().remove(&connection);
            let Ok(mut body) = Body::of(&head, Kind::Request) else { return };
            if !is_own(&head) {
                let _ = self.calls.send(Call { head, connection, body, ahead: Vec::new(), wire, shared: Arc::clone(&self) });
                return;
            }
            while let Ok(Piece::Bytes(_)) = wire.reader.piece(&mut body).await {}
            if head.contains("/extension/event/next") {
                while wire.reader.more().await {}
                return;
            }
            let answer = if head.contains("/extension/register") { REGISTERED } else { FINE };
            if wire.write(answer).await.is_err() {
                return;
            }
        }
        self.idle.lock().unwrap().remove(&connection);
    }
}

/// Whether it is the proxy's own call.
fn is_own(head: &str) -> bool {
    let path = head.split(' ').nth(1).unwrap_or_default();
    !head.contains(MARK) && ["/2020-01-01/extension/", "/2022-07-01/telemetry", "/2020-08-15/logs"].iter().any(|own| path.starts_with(own))
}

impl Call {
    /// Its method and path.
    pub fn line(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap_or_default()
    }

    pub fn values(&self, name: &str) -> Vec<&str> {
        values(&self.head, name)
    }

    /// The next `count` bytes of the body's payload.
    pub async fn exactly(&mut self, count: usize) -> Outcome<Vec<u8>> {
        let mut got = std::mem::take(&mut self.ahead);
        while got.len() < count {
            match in_time("the next piece of a body", self.wire.reader.piece(&mut self.body)).await? {
                Piece::Bytes(bytes) => got.extend(bytes),
                Piece::End => return Err(format!("the body ended after {} bytes in place of {count}", got.len())),
                Piece::Broken => return Err(format!("the body broke off after {} bytes in place of {count}", got.len())),
            }
        }
        self.body.raw.clear();
        self.ahead = got.split_off(count);
        Ok(got)
    }

    /// Reads the rest of the body.
    pub async fn message(&mut self) -> Outcome<Message> {
        let nothing = Body::of("", Kind::Request)?;
        let body = std::mem::replace(&mut self.body, nothing);
        let mut message = in_time("the end of a body", self.wire.reader.message(self.head.clone(), body)).await?;
        message.body.splice(..0, std::mem::take(&mut self.ahead));
        Ok(message)
    }

    pub async fn write(&mut self, bytes: &[u8]) -> Outcome {
        self.wire.write(bytes).await
    }

    /// Answers and waits for the connection's next call.
    pub async fn answer(mut self, bytes: &[u8]) -> Outcome {
        self.wire.write(bytes).await?;
        self.shared.listen(self.wire, self.connection);
        Ok(())
    }

    /// Answers and closes.
    pub async fn answer_and_close(mut self, bytes: &[u8]) -> Outcome {
        self.wire.write(bytes).await
    }

    pub fn is_closed(&self) -> bool {
        self.wire.is_closed()
    }
}
