//! The runtime's side: raw requests, and connection handling like every HTTP client's (one that was
//! closed while idle is replaced), but nothing more. It must never retry a call.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::wire::{Body, Kind, Message, Outcome, Piece, Wire, in_time, values};

pub struct Runtime {
    address: SocketAddr,
    wire: Wire,
    /// Whether the last answer announced the end of its connection.
    closing: bool,
    /// How many connections it has needed.
    pub connections: usize,
}

async fn connect(address: SocketAddr) -> Outcome<Wire> {
    TcpStream::connect(address).await.map(Wire::new).map_err(|error| format!("cannot connect to `{address}`: {error}"))
}

impl Runtime {
    pub async fn start(address: SocketAddr) -> Outcome<Self> {
        Ok(Self { address, wire: connect(address).await?, closing: false, connections: 1 })
    }

    /// Begins a call.
    pub async fn begin(&mut self, bytes: &[u8]) -> Outcome {
        if self.closing || self.wire.is_closed() {
            self.closing = false;
            self.wire = connect(self.address).await?;
            self.connections += 1;
        }
        self.wire.write(bytes).await
    }

    /// Continues a call.
    pub async fn write(&mut self, bytes: &[u8]) -> Outcome {
        self.wire.write(bytes).await
    }

    /// The next answer, which may be an interim one.
    pub async fn read(&mut self) -> Outcome<Message> {
        self.read_as(Kind::Answer).await
    }

    pub async fn read_as(&mut self, kind: Kind) -> Outcome<Message> {
        let (head, body) = self.head(kind).await?;
        in_time("the end of an answer", self.wire.reader.message(head, body)).await
    }

    pub async fn head(&mut self, kind: Kind) -> Outcome<(String, Body)> {
        let head = in_time("an answer", self.wire.reader.head()).await?.ok_or("the connection ended without an answer")?;
        self.closing = values(&head, "connection").iter().any(|value| value.eq_ignore_ascii_case("close"));
        let body = Body::of(&head, kind)?;
        Ok((head, body))
    }

    /// The next piece of an answer's body.
    pub async fn piece(&mut self, body: &mut Body) -> Outcome<Piece> {
        in_time("the next piece of an answer", self.wire.reader.piece(body)).await
    }

    /// Gives the other end time to close, if it is going to.
    pub async fn settle(&self) {
        for _ in 0..50 {
            if self.wire.is_closed() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the other end closes.
    pub async fn closed(&mut self) -> Outcome {
        let ended = async { if self.wire.reader.more().await { Err("more bytes came in place of an end".to_owned()) } else { Ok(()) } };
        in_time("the connection to be closed", ended).await
    }
}
