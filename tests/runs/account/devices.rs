//! What AWS IoT does with certificates: it signs them, and a device may connect with one that is active and attached to its thing and to a policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use control_plane::{Iot, Scripted};
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use serde_json::Value;
use stack::services::iot::authority::Authority;
use stack::services::iot::registry::{Policy, Registry};

/// The end of what comes before the point of a key on the curve P-256.
const BEFORE_POINT: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00];

/// Signs what the control plane only keeps.
pub struct Issuer(Authority);

impl Issuer {
    /// The authority of the stack's broker.
    pub fn of(folder: &Path) -> Self {
        Self(Authority::read(folder).unwrap())
    }

    /// The answer of the control plane to a request for a certificate, with one that is signed. It has the key of the request.
    pub async fn signed(&self, answer: Response<Full<Bytes>>, plane: &Mutex<Scripted>) -> std::io::Result<Response<Full<Bytes>>> {
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let mut told: Value = serde_json::from_slice(&body)?;
        let id = told["certificateId"].as_str().unwrap_or_default().to_owned();
        let iot = &mut plane.lock().unwrap().plane.iot;
        let kept = iot.certificates.get_mut(&id).ok_or_else(|| std::io::Error::other("no such certificate"))?;
        let request = der(&kept.pem);
        let at = request.windows(BEFORE_POINT.len()).position(|window| window == BEFORE_POINT).map(|at| at + BEFORE_POINT.len());
        let point = at.and_then(|at| request.get(at..at + 65)).ok_or_else(|| std::io::Error::other("no key"))?;
        let signed = STANDARD.encode(self.0.device_with_key("device", point)?);
        kept.pem = format!("-----BEGIN CERTIFICATE-----\n{signed}\n-----END CERTIFICATE-----\n");
        told["certificatePem"] = kept.pem.clone().into();
        let mut head = head;
        head.headers.remove("content-length");
        Ok(Response::from_parts(head, Full::new(Bytes::from(told.to_string()))))
    }
}

fn der(pem: &str) -> Vec<u8> {
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(body).unwrap_or_default()
}

/// Tells the broker, again and again, who may connect.
pub async fn register(plane: Arc<Mutex<Scripted>>, folder: PathBuf) {
    let registry = Registry::within(&folder);
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    loop {
        let allowed = allowed(&plane.lock().unwrap().plane.iot);
        for (certificate, thing) in &allowed {
            if !known.contains_key(certificate) {
                let id = registry.register(&der(certificate), thing, Policy::OwnShadow).unwrap();
                known.insert(certificate.clone(), id);
            }
        }
        known.retain(|certificate, id| allowed.contains_key(certificate) || registry.deactivate(id).is_err());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The certificates with which a device may connect, each with its thing.
fn allowed(iot: &Iot) -> BTreeMap<String, String> {
    let mut allowed = BTreeMap::new();
    for (name, thing) in &iot.things {
        let certificates = thing.certificates.iter().filter_map(|id| iot.certificates.get(id));
        let in_force = certificates.filter(|certificate| certificate.active && !certificate.policies.is_empty());
        allowed.extend(in_force.map(|certificate| (certificate.pem.clone(), name.clone())));
    }
    allowed
}

/// Whether a thing has a shadow at these services.
pub async fn has_shadow(services: &str, thing: &str) -> bool {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(services).await.unwrap();
    let request = format!("GET /things/{thing}/shadow HTTP/1.1\r\nHost: {services}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    match answer.split(' ').nth(1) {
        Some("200") => true,
        Some("404") => false,
        _ => panic!("{answer}"),
    }
}
