//! The broker's TLS: as at AWS IoT, a client names the host (SNI) and shows a certificate that the authority signed, that is valid now,
//! and that is registered and active.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection};
use tokio_rustls::server::TlsStream;

use super::authority::{Authority, Validity};
use super::registry::{Caller, Policy, Registry};
use super::topics::is_thing;

/// The host that devices connect to.
pub const HOST: &str = "localhost";

/// The only protocol that a client may name. Source: AWS IoT Core Developer Guide, device communication protocols.
const ALPN: &[u8] = b"x-amzn-mqtt-ca";

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(15);

/// How long a refused client may take to read why.
const PARTING: Duration = Duration::from_secs(1);

/// TLS with client certificates.
pub struct Secured {
    acceptor: TlsAcceptor,
    registry: Registry,
}

impl Secured {
    /// TLS with a server certificate of this authority, for clients whose certificates it signed and `registry` knows.
    ///
    /// # Errors
    /// If no key can be generated.
    pub fn new(authority: &Authority, registry: Registry) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(authority.der().to_vec())).map_err(io::Error::other)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
        let server = authority.server(&[HOST])?;
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_client_cert_verifier(verifier.map_err(io::Error::other)?)
            .with_single_cert(vec![CertificateDer::from(server.der)], key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), registry })
    }

    /// TLS for these things, each with a certificate of its own. What the devices need is written into `folder`: `ca.pem`, and
    /// `<thing>.pem` and `<thing>.key` for each; and what another process needs to register more: `ca.key` and the registry.
    ///
    /// # Errors
    /// If a name is none of a thing, no key can be generated, or the folder cannot be written.
    pub fn with_things(things: &[String], folder: &Path) -> io::Result<Self> {
        let (authority, registry) = (Authority::new()?, Registry::within(folder));
        authority.write(folder)?;
        for thing in things {
            if !is_thing(thing) {
                return Err(io::Error::other(format!("a thing cannot be called `{thing}`")));
            }
            let identity = authority.device(thing, Validity::Current)?;
            registry.register(&identity.der, thing, Policy::OwnShadow)?;
            identity.write(folder, thing)?;
        }
        Self::new(&authority, registry)
    }

    /// A client that may connect.
    pub(super) async fn accept(&self, socket: TcpStream) -> Option<(TlsStream<TcpStream>, Caller)> {
        match timeout(HANDSHAKE, self.acceptor.accept(socket).into_fallible()).await.ok()? {
            Ok(stream) => match self.caller(stream.get_ref().1) {
                Some(caller) => Some((stream, caller)),
                None => part(stream).await,
            },
            Err((_, socket)) => part(socket).await,
        }
    }

    fn caller(&self, session: &ServerConnection) -> Option<Caller> {
        session.server_name()?;
        self.registry.caller(session.peer_certificates()?.first()?)
    }
}

/// Ends a connection. One that is closed with bytes unread is reset, and the client would lose the alert that says why.
async fn part<T>(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Option<T> {
    let _ = stream.shutdown().await;
    let _ = timeout(PARTING, stream.read_to_end(&mut Vec::new())).await;
    None
}
