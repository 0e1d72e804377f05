//! Where the services are. The addresses are known before anything is served, because a template
//! may contain them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;

use super::elsewhere::Addresses;

/// The listeners whose addresses a template may contain; nothing is accepted yet.
#[derive(Debug)]
pub struct Doors {
    /// Of all services over HTTP.
    pub(super) http: (TcpListener, SocketAddr),
    /// Of the cache, if there is one.
    pub(super) cache: Option<(TcpListener, SocketAddr)>,
    /// Where services are that run somewhere else.
    pub(super) elsewhere: Addresses,
}

impl Doors {
    /// Listens on free ports of 127.0.0.1.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn open(cache: bool) -> io::Result<Self> {
        Ok(Self { http: listen().await?, cache: if cache { Some(listen().await?) } else { None }, elsewhere: Addresses::default() })
    }

    /// The same with services that run somewhere else.
    #[must_use]
    pub fn with(self, elsewhere: Addresses) -> Self {
        Self { elsewhere, ..self }
    }

    /// The address of all services over HTTP.
    pub fn http(&self) -> SocketAddr {
        self.http.1
    }

    /// The address of the cache, if there is one.
    pub fn cache(&self) -> Option<SocketAddr> {
        self.cache.as_ref().map(|(_, address)| *address)
    }
}

/// A listener on a free port, and its address.
pub(super) async fn listen() -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}
