//! The port for incoming mail. A client that is silent, slow or above the limit loses its
//! connection and nothing else.

pub mod session;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use self::session::Session;
use super::incoming::Incoming;

/// How long a client may be silent. Source: RFC 5321, 4.5.3.2.7.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);
/// How long a client may leave its replies unread.
const LONGEST_WRITE: Duration = Duration::from_secs(30);
/// The most clients at once.
const MOST_CLIENTS: usize = 1000;
/// How much is read at once.
const READ: usize = 32 * 1024;

/// The server.
pub struct Smtp {
    incoming: Arc<Incoming>,
    silence: Duration,
}

impl Smtp {
    /// A server that passes mail to `incoming`.
    pub const fn new(incoming: Arc<Incoming>) -> Self {
        Self { incoming, silence: LONGEST_SILENCE }
    }

    /// Serves until it is dropped; a connection that fails does not affect the others.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(MOST_CLIENTS));
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((mut socket, peer)) => {
                        let _ = socket.set_nodelay(true);
                        let (smtp, place) = (Arc::clone(&self), Arc::clone(&places).try_acquire_owned());
                        connections.spawn(async move {
                            match place {
                                Ok(_place) => smtp.converse(socket, peer).await,
                                Err(_) => drop(answer(&mut socket, b"421 4.3.2 Too many connections, try again later\r\n").await),
                            }
                        });
                    }
                    // Out of file descriptors: the next connection may find some again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one client from the greeting to its end.
    pub async fn converse(&self, mut socket: impl AsyncRead + AsyncWrite + Unpin, peer: SocketAddr) {
        let mut session = Session::new(Arc::clone(&self.incoming), peer.ip().to_string());
        let (mut buffer, mut replies) = (vec![0; READ], Session::greeting().into_bytes());
        loop {
            if answer(&mut socket, &replies).await.is_none() {
                return;
            }
            replies.clear();
            let Ok(read) = timeout(self.silence, socket.read(&mut buffer)).await else {
                let _ = answer(&mut socket, b"421 4.4.2 Timeout waiting for data from client\r\n").await;
                return;
            };
            let came = read.ok().and_then(|length| buffer.get(..length)).unwrap_or_default();
            if came.is_empty() {
                return;
            }
            if !session.take(came, &mut replies) {
                let _ = answer(&mut socket, &replies).await;
                return;
            }
        }
    }
}

/// Writes replies; `None` if the client does not take them.
async fn answer(socket: &mut (impl AsyncWrite + Unpin), replies: &[u8]) -> Option<()> {
    timeout(LONGEST_WRITE, async {
        socket.write_all(replies).await?;
        socket.flush().await
    })
    .await
    .ok()?
    .ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::store::Store;
    use super::*;
    use run_folder::sightings::Sightings;

    struct Nowhere;

    impl Store for Nowhere {
        fn store(&self, _: &str, _: Bytes) {}
    }

    #[tokio::test]
    async fn a_silent_client_is_told_and_disconnected() {
        let incoming = Incoming::start(Arc::new(Nowhere), Sightings::nowhere());
        let smtp = Smtp { incoming, silence: Duration::from_millis(50) };
        let (client, server) = tokio::io::duplex(1024);
        let (mut from, mut to) = tokio::io::split(client);
        let conversation = smtp.converse(server, "127.0.0.1:9".parse().unwrap());
        let silent = async {
            to.write_all(b"EHLO me\r\n").await.unwrap();
            let mut heard = String::new();
            from.read_to_string(&mut heard).await.unwrap();
            heard
        };
        let (heard, ()) = tokio::join!(silent, conversation);
        assert!(heard.starts_with("220 ") && heard.contains("\r\n421 4.4.2"), "{heard}");
    }
}
