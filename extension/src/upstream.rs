//! The real Runtime API: its connections are pooled, and one that was dropped meanwhile is replaced
//! before anything is sent on it.

use std::io;
use std::sync::Mutex;
use std::time::Duration;

use rustix::net::RecvFlags;
use tokio::net::TcpStream;

use crate::connection::Connection;
use crate::lock::lock;

/// The most idle connections: as many as the pollers of managed instances.
const MOST_IDLE: usize = 64;
/// If no descriptor is left, how often a connection is tried, 10 ms apart: others may end in
/// between.
const TRIES_WITHOUT_DESCRIPTOR: u32 = 100;

/// The Runtime API's address and the idle connections to it.
#[derive(Debug)]
pub struct Upstream {
    address: String,
    idle: Mutex<Vec<Connection>>,
}

impl Upstream {
    /// The Runtime API at `address` (`host:port`). It is not connected yet.
    pub const fn new(address: String) -> Self {
        Self { address, idle: Mutex::new(Vec::new()) }
    }

    /// `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A connection that was alive a moment ago.
    ///
    /// # Errors
    /// If there is none and none can be made.
    pub async fn take(&self) -> io::Result<Connection> {
        while let Some(connection) = self.pop() {
            if is_alive(&connection) {
                return Ok(connection);
            }
        }
        let mut tried = 0;
        loop {
            match TcpStream::connect(&self.address).await {
                Err(error) if no_descriptor_is_left(&error) && tried < TRIES_WITHOUT_DESCRIPTOR => {
                    tried += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                connected => return connected.map(Connection::new),
            }
        }
    }

    /// Keeps a connection whose last answer was read to its end.
    pub fn give_back(&self, connection: Connection) {
        let mut idle = lock(&self.idle);
        if connection.buffer.is_empty() && idle.len() < MOST_IDLE {
            idle.push(connection);
        }
    }

    fn pop(&self) -> Option<Connection> {
        lock(&self.idle).pop()
    }
}

/// Whether an error means that the process or the machine has no descriptor left.
pub fn no_descriptor_is_left(error: &io::Error) -> bool {
    [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Whether the other end has neither closed an idle connection nor sent something without a
/// request. It asks the kernel and not the reactor, which has not seen the close yet after a thaw.
pub fn is_alive(connection: &Connection) -> bool {
    let mut byte = [0_u8];
    let peeked = rustix::net::recv(&connection.stream, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT);
    matches!(peeked, Err(rustix::io::Errno::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_that_was_dropped_is_replaced() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Upstream::new(listener.local_addr().unwrap().to_string());
        let first = upstream.take().await.unwrap();
        let port = first.stream.local_addr().unwrap();
        let (far, _) = listener.accept().await.unwrap();
        upstream.give_back(first);
        let again = upstream.take().await.unwrap();
        assert_eq!(again.stream.local_addr().unwrap(), port);
        upstream.give_back(again);
        drop(far);
        assert_ne!(upstream.take().await.unwrap().stream.local_addr().unwrap(), port);
    }
}
