//! TLS towards deployed endpoints: with the certificates that this machine trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others), or
//! with those of the user's own files.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// Read once: some hundred certificates.
static TRUSTED: OnceLock<Result<Arc<RootCertStore>, String>> = OnceLock::new();

static WITHOUT_CERTIFICATE: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();

static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();

/// Which HTTP is spoken over TLS.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// HTTP/2 if the other side can, otherwise HTTP/1.1.
    #[default]
    Either,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2, or no connection.
    Http2,
}

impl Http {
    /// The preferred one first.
    fn offered(self) -> &'static [Protocol] {
        match self {
            Self::Either => &[Protocol::Http2, Protocol::Http1],
            Self::Http1 => &[Protocol::Http1],
            Self::Http2 => &[Protocol::Http2],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http2,
    Http1,
}

impl Protocol {
    /// Its name in ALPN, as IANA lists it.
    pub(crate) const fn name(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

/// Why files of the user's own cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    File(PathBuf, io::Error),
    /// One holds something else.
    #[error("`{0}` holds no {1} in PEM")]
    Form(PathBuf, &'static str),
    /// A certificate that cannot be trusted.
    #[error("a certificate of `{0}` cannot be used: {1}")]
    Certificate(PathBuf, String),
    /// Key and certificate do not belong together, or are of an unknown kind.
    #[error("the certificate `{0}` cannot be shown with the key `{1}`: {2}")]
    Pair(PathBuf, PathBuf, String),
    /// Nothing is trusted.
    #[error("{0}")]
    Trusted(String),
}

/// What a connection trusts, shows of itself and speaks; what this machine trusts, no certificate, and either HTTP by default.
#[derive(Clone, Default)]
pub struct Tls {
    own: Option<Arc<ClientConfig>>,
    http: Http,
}

/// Without keys.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({}, {:?})", if self.own.is_some() { "own" } else { "machine" }, self.http)
    }
}

impl Tls {
    /// Trusts only the certificates of the file `ca`, in place of those that this machine trusts; shows the chain of the first file of
    /// `shown`, whose key is in the second. All are PEM.
    ///
    /// # Errors
    /// If a file cannot be read or holds something else, or a key is not that of its certificate.
    pub fn read(ca: Option<&Path>, shown: Option<(&Path, &Path)>) -> Result<Self, TlsError> {
        let roots = ca.map_or_else(|| trusted().map_err(TlsError::Trusted), roots)?;
        let builder = trusting(roots).map_err(TlsError::Trusted)?;
        let config = match shown {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let (chain, of) = (certificates(certificate)?, private_key(key)?);
                let refused =
                    |error: tokio_rustls::rustls::Error| TlsError::Pair(certificate.to_owned(), key.to_owned(), error.to_string());
                builder.with_client_auth_cert(chain, of).map_err(refused)?
            }
        };
        Ok(Self { own: Some(Arc::new(config)), http: Http::default() })
    }

    /// The same with this HTTP.
    #[must_use]
    pub fn speaking(self, http: Http) -> Self {
        Self { http, ..self }
    }

    /// Speaks TLS over `stream` with `host`, whose certificate must be for that name, and agrees on the protocol of HTTP.
    pub(crate) async fn for_http(&self, host: &str, stream: TcpStream) -> io::Result<(TlsStream<TcpStream>, Protocol)> {
        let stream = self.over(host, stream, self.http.offered()).await?;
        match (stream.get_ref().1.alpn_protocol(), self.http) {
            (Some(agreed), _) if agreed == Protocol::Http2.name() => Ok((stream, Protocol::Http2)),
            (_, Http::Http2) => Err(io::Error::other("the server does not speak HTTP/2")),
            _ => Ok((stream, Protocol::Http1)),
        }
    }

    async fn over(&self, host: &str, stream: TcpStream, offered: &[Protocol]) -> io::Result<TlsStream<TcpStream>> {
        let mut config = match &self.own {
            Some(own) => Arc::clone(own),
            None => WITHOUT_CERTIFICATE.get_or_init(without_certificate).clone().map_err(io::Error::other)?,
        };
        if !offered.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = offered.iter().map(|protocol| protocol.name().to_vec()).collect();
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        TlsConnector::from(config).connect(name, stream).await
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::File(path.to_owned(), error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents(path)?).collect();
    let found = read.map_err(|error| TlsError::Certificate(path.to_owned(), error.to_string()))?;
    if found.is_empty() { Err(TlsError::Form(path.to_owned(), "certificate")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&contents(path)?).map_err(|_| TlsError::Form(path.to_owned(), "private key"))
}

fn roots(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| TlsError::Certificate(path.to_owned(), error.to_string()))?;
    }
    Ok(Arc::new(roots))
}

/// The certificates that this machine trusts.
pub(crate) fn trusted() -> Result<Arc<RootCertStore>, String> {
    TRUSTED.get_or_init(read_trusted).clone()
}

fn read_trusted() -> Result<Arc<RootCertStore>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(format!("this machine trusts no certificate: {why}; install `ca-certificates` or set `SSL_CERT_FILE`"));
    }
    Ok(Arc::new(roots))
}

/// A client that trusts these and may show a certificate of its own.
pub(crate) fn trusting(roots: Arc<RootCertStore>) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, String> {
    let provider = PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider()));
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider)).with_safe_default_protocol_versions();
    Ok(builder.map_err(|error| error.to_string())?.with_root_certificates(roots))
}

fn without_certificate() -> Result<Arc<ClientConfig>, String> {
    Ok(Arc::new(trusting(trusted()?)?.with_no_client_auth()))
}
