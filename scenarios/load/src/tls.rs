//! TLS towards deployed endpoints, with the certificates that this machine trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::WantsClientCert;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ConfigBuilder, RootCertStore};

/// Read once: some hundred certificates.
static TRUSTED: OnceLock<Result<Arc<RootCertStore>, String>> = OnceLock::new();

static WITHOUT_CERTIFICATE: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();

static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();

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

/// Speaks TLS over `stream` with `host`, whose certificate must be for that name.
pub async fn client(host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let config = WITHOUT_CERTIFICATE.get_or_init(without_certificate).clone().map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}
