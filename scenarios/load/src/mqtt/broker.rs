//! Where devices connect, and with which certificates.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rumqttc::{MqttOptions, TlsConfiguration, Transport};
use run_folder::Addresses;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::TrafficError;
use crate::tls;

/// On port 443 AWS IoT expects MQTT with client certificates only under this name. Source: AWS IoT Core Developer Guide, device
/// communication protocols.
const ALPN: &[u8] = b"x-amzn-mqtt-ca";

/// The port that AWS IoT shares between protocols.
const SHARED_PORT: u16 = 443;

/// A broker. Over TLS each client shows the certificate that is stored under its client id.
#[derive(Debug, Clone)]
pub struct Broker {
    host: String,
    port: u16,
    certificates: Option<Certificates>,
}

/// A folder with `<client id>.pem` (the chain) and `<client id>.key` for each client.
#[derive(Debug, Clone)]
struct Certificates {
    folder: PathBuf,
    roots: Arc<RootCertStore>,
}

impl Broker {
    /// The broker of these addresses: `host:port` in the clear, or `mqtts://host:port`. Over TLS `ca.pem` in the folder of
    /// certificates says who signs the broker's; without it, this machine's trusted certificates do.
    ///
    /// # Errors
    /// If the address is invalid, or if it needs certificates and they cannot be read.
    pub fn of(addresses: &Addresses) -> Result<Self, TrafficError> {
        let (address, folder) = (&addresses.mqtt, &addresses.certificates);
        let wrong =
            || TrafficError::Preparation(format!("invalid address of a broker: `{address}`; write `host:port` or `mqtts://host:port`"));
        let secured = address.strip_prefix("mqtts://");
        let (host, port) = secured.unwrap_or(address).rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let missing =
            || format!("`{address}` needs a certificate for each device, and no folder of certificates is named; run `brownout seed`");
        let certificates = match secured {
            None => None,
            Some(_) => Some(Certificates::read(folder.clone().ok_or_else(missing).map_err(TrafficError::Preparation)?)?),
        };
        Ok(Self { host: host.to_owned(), port, certificates })
    }

    /// The options with which `client_id` connects.
    ///
    /// # Errors
    /// If its certificate cannot be read.
    pub(super) fn options(&self, client_id: &str) -> Result<MqttOptions, TrafficError> {
        let mut options = MqttOptions::new(client_id, &self.host, self.port);
        if let Some(certificates) = &self.certificates {
            let mut config = certificates.config(client_id)?;
            if self.port == SHARED_PORT {
                config.alpn_protocols.push(ALPN.to_vec());
            }
            options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
        }
        Ok(options)
    }
}

impl Certificates {
    fn read(folder: PathBuf) -> Result<Self, TrafficError> {
        let path = folder.join("ca.pem");
        let roots = match chain(&path) {
            Err(pem::Error::Io(error)) if error.kind() == ErrorKind::NotFound => tls::trusted().map_err(TrafficError::Preparation)?,
            Err(error) => return Err(unreadable(&path, error)),
            Ok(found) => {
                let mut roots = RootCertStore::empty();
                for certificate in found {
                    roots.add(certificate).map_err(|error| unreadable(&path, error))?;
                }
                Arc::new(roots)
            }
        };
        Ok(Self { folder, roots })
    }

    fn config(&self, client_id: &str) -> Result<ClientConfig, TrafficError> {
        let path = |ending: &str| self.folder.join(format!("{client_id}.{ending}"));
        let (certificate, private) = (path("pem"), path("key"));
        let shown = chain(&certificate).map_err(|error| unreadable(&certificate, error))?;
        let key = PrivateKeyDer::from_pem_file(&private).map_err(|error| unreadable(&private, error))?;
        let builder = tls::trusting(Arc::clone(&self.roots)).map_err(TrafficError::Preparation)?;
        let mut config = builder.with_client_auth_cert(shown, key).map_err(|error| {
            let (certificate, private) = (certificate.display(), private.display());
            TrafficError::Preparation(format!("`{certificate}` and `{private}` do not fit: {error}; run `brownout seed` again"))
        })?;
        // One server only: a thousand devices each keep room for 256 otherwise.
        config.resumption = Resumption::in_memory_sessions(1);
        Ok(config)
    }
}

/// All certificates of a file, at least one.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, pem::Error> {
    let found = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(found) }
}

fn unreadable(path: &Path, why: impl Display) -> TrafficError {
    TrafficError::Preparation(format!("`{}` cannot be read: {why}; `brownout seed` writes the certificates of devices", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(mqtt: &str, certificates: Option<&Path>) -> Result<Broker, String> {
        let addresses = Addresses { mqtt: mqtt.to_owned(), certificates: certificates.map(Path::to_owned), ..Addresses::default() };
        Broker::of(&addresses).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_a_host_and_a_port_with_or_without_tls() {
        let folder = tempfile::tempdir().unwrap();
        for (address, host, port) in [
            ("127.0.0.1:1883", "127.0.0.1", 1883),
            ("mqtts://x-ats.iot.eu-central-1.amazonaws.com:8883", "x-ats.iot.eu-central-1.amazonaws.com", 8883),
        ] {
            let broker = broker(address, Some(folder.path())).unwrap();
            assert_eq!((broker.host.as_str(), broker.port), (host, port), "{address}");
            assert_eq!(broker.certificates.is_some(), address.starts_with("mqtts"), "{address}");
        }
        for address in ["", "host", "host:port", "mqtts://host", "mqtts://host:99999"] {
            assert!(broker(address, Some(folder.path())).unwrap_err().contains(&format!("`{address}`")), "{address}");
        }
        assert!(broker("mqtts://host:8883", None).unwrap_err().contains("brownout seed"));
    }

    #[test]
    fn a_file_of_certificates_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let refused = |name: &str, error: &str| {
            assert!(error.contains(&format!("`{}`", path(name).display())) && error.contains("brownout seed"), "{name}: {error}");
        };
        let device = || broker("mqtts://host:8883", Some(folder.path())).unwrap().options("T").unwrap_err().to_string();
        refused("T.pem", &device());
        std::fs::write(path("T.pem"), "not a certificate").unwrap();
        refused("T.pem", &device());
        std::fs::write(path("T.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        refused("T.key", &device());
        for text in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            std::fs::write(path("ca.pem"), text).unwrap();
            refused("ca.pem", &broker("mqtts://host:8883", Some(folder.path())).unwrap_err());
        }
    }
}
