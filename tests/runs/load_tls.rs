//! `brownout load` over TLS with certificates of the user's own, against a server that asks for one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::{self, BROWNOUT};

struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self { certificate: params.self_signed(&key).unwrap(), key }
    }

    fn issue(&self, name: &str) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.certificate, &self.key).unwrap(), key)
    }
}

/// A server at a certificate of `authority` that lets in only who shows another of it. It ends when it is dropped.
struct Server {
    address: SocketAddr,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Server {
    fn start(authority: &Authority) -> Self {
        let (certificate, key) = authority.issue("localhost");
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate.der().clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_client_cert_verifier(verifier).with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((wire, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut wire) = acceptor.accept(wire).await else { return };
                    let mut head = Vec::new();
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = wire.read(&mut bytes).await {
                        head.extend_from_slice(&bytes[..read]);
                        if head.ends_with(b"\r\n\r\n") {
                            head.clear();
                            if wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.is_err() {
                                return;
                            }
                        }
                    }
                });
            }
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// The exit code, what was said, and the report if there is one.
fn load(server: &Server, folder: &Path, tls: &[&str]) -> (Option<i32>, String, Option<Value>) {
    let _turn = support::Share::Place.take();
    let out = tempfile::tempdir().unwrap();
    let url = format!("https://localhost:{}/", server.address.port());
    let mut load = Command::new(BROWNOUT);
    load.args(["load", &url, "--rate", "40/s", "--warm-up", "1s", "--for", "4s"]).args(tls).arg("--out").arg(out.path());
    let output = load.current_dir(folder).output().unwrap();
    let result = std::fs::read_to_string(out.path().join("result.json")).ok().map(|text| serde_json::from_str(&text).unwrap());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), result)
}

#[test]
fn a_load_trusts_the_named_authority_and_shows_the_named_certificate() {
    let (ours, others) = (Authority::new(), Authority::new());
    let server = Server::start(&ours);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let (certificate, key) = ours.issue("client");
    write("ca.pem", ours.certificate.pem());
    write("other.pem", others.certificate.pem());
    write("cert.pem", certificate.pem());
    write("key.pem", key.serialize_pem());
    write("other-key.pem", KeyPair::generate().unwrap().serialize_pem());
    let shown = ["--cert", "cert.pem", "--key", "key.pem"];
    let to = |tls: &[&str]| load(&server, folder.path(), tls);
    let (code, said, result) = to(&[&["--ca", "ca.pem"][..], &shown].concat());
    let result = result.unwrap();
    // Not shown if others have the processors.
    assert!([Some(0), Some(4)].contains(&code) && result["books"]["answered"].as_u64().unwrap() > 0, "{said}");
    assert_eq!(result["endings"]["no_connection"], 0, "{said}");
    let (code, said, result) = to(&[&["--ca", "other.pem"][..], &shown].concat());
    assert_eq!((code, &result.unwrap()["endings"]["no_connection"]), (Some(3), &Value::from(160)), "{said}");
    assert!(said.contains("the first connection that could not be made: ") && said.contains("invalid peer certificate"), "{said}");
    // In TLS 1.3 a server refuses a client after the handshake.
    let (code, said, _) = to(&["--ca", "ca.pem"]);
    assert_eq!(code, Some(3), "{said}");
    for (tls, says) in [
        (&["--ca", "nowhere.pem"][..], "nowhere.pem` cannot be read"),
        (&["--ca", "key.pem"], "key.pem` holds no certificate in PEM"),
        (&["--ca", "ca.pem", "--cert", "cert.pem", "--key", "cert.pem"], "cert.pem` holds no private key in PEM"),
        (&["--ca", "ca.pem", "--cert", "cert.pem", "--key", "other-key.pem"], "cannot be shown with the key"),
        (&["--cert", "cert.pem"], "--key"),
    ] {
        let (code, said, result) = to(tls);
        assert!(code == Some(2) && said.contains(says) && result.is_none(), "{tls:?}: {said}");
    }
}
