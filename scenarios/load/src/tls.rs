//! TLS towards deployed endpoints, with the certificates that this machine trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others).

use std::io;
use std::sync::{Arc, OnceLock};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// Read once: some hundred certificates.
static TRUSTED: OnceLock<Result<Arc<ClientConfig>, String>> = OnceLock::new();

fn trusted() -> Result<Arc<ClientConfig>, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(|| "none was found".to_owned(), ToString::to_string);
        return Err(format!("this machine trusts no certificate: {why}; install `ca-certificates` or set `SSL_CERT_FILE`"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Speaks TLS over `stream` with `host`, whose certificate must be for that name.
pub async fn client(host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    let config = TRUSTED.get_or_init(trusted).clone().map_err(io::Error::other)?;
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    TlsConnector::from(config).connect(name, stream).await
}
