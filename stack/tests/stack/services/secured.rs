//! Devices over TLS: who may connect, and what a certificate's policy allows.

use std::sync::Arc;
use std::time::Duration;

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Packet, Publish, QoS, TlsConfiguration, Transport};
use stack::services::elsewhere::Addresses;
use stack::services::iot::authority::{Authority, Identity, Validity};
use stack::services::iot::registry::{Policy, Registry};
use stack::services::iot::secured::{HOST, Secured};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::services::Stage;

/// A stack whose devices need certificates.
struct Guarded {
    stage: Stage,
    authority: Authority,
    registry: Registry,
    _folder: tempfile::TempDir,
}

impl Guarded {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let stage = Stage::up_at(Addresses::default(), Some(Secured::with_things(&[], folder.path()).unwrap())).await;
        // As another process does it.
        let (authority, registry) = (Authority::read(folder.path()).unwrap(), Registry::within(folder.path()));
        Self { stage, authority, registry, _folder: folder }
    }

    /// A certificate that is registered for `thing`.
    fn device(&self, thing: &str, policy: Policy) -> Identity {
        let identity = self.authority.device(thing, Validity::Current).unwrap();
        self.registry.register(&identity.der, thing, policy).unwrap();
        identity
    }

    fn config(&self, identity: Option<&Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.authority.der().to_vec())).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        let Some(identity) = identity else { return builder.with_no_client_auth() };
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        builder.with_client_auth_cert(vec![CertificateDer::from(identity.der.clone())], key).unwrap()
    }

    fn client(&self, client_id: &str, config: ClientConfig) -> (AsyncClient, EventLoop) {
        let mut options = MqttOptions::new(client_id, HOST, self.stage.services.mqtt.port());
        options.set_transport(Transport::Tls(TlsConfiguration::Rustls(Arc::new(config))));
        AsyncClient::new(options, 10)
    }

    /// Whether the client is accepted, or why not.
    async fn connects(&self, client_id: &str, config: ClientConfig) -> Result<(), String> {
        match self.client(client_id, config).1.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => Ok(()),
            Ok(other) => Err(format!("{other:?}")),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[tokio::test]
async fn only_a_valid_registered_and_active_certificate_connects_and_only_as_its_thing() {
    let guarded = Guarded::up().await;
    let own = guarded.device("T", Policy::OwnShadow);
    let wide = guarded.device("wide", Policy::Everything);
    let former = guarded.device("former", Policy::OwnShadow);
    let id = guarded.registry.register(&former.der, "former", Policy::OwnShadow).unwrap();
    guarded.registry.deactivate(&id).unwrap();
    let expired = guarded.authority.device("expired", Validity::Expired).unwrap();
    guarded.registry.register(&expired.der, "expired", Policy::OwnShadow).unwrap();
    let stranger = Authority::new().unwrap().device("stranger", Validity::Current).unwrap();
    guarded.registry.register(&stranger.der, "stranger", Policy::OwnShadow).unwrap();
    let unregistered = guarded.authority.device("unregistered", Validity::Current).unwrap();
    for (client_id, identity, refused) in [
        ("T", Some(&own), None),
        ("any", Some(&wide), None),
        ("T2", Some(&own), Some("closed")),
        ("former", Some(&former), Some("closed")),
        ("unregistered", Some(&unregistered), Some("closed")),
        ("expired", Some(&expired), Some("CertificateExpired")),
        ("stranger", Some(&stranger), Some("UnknownCA")),
        ("nobody", None, Some("CertificateRequired")),
    ] {
        let answer = guarded.connects(client_id, guarded.config(identity)).await;
        match refused {
            None => assert_eq!(answer, Ok(()), "{client_id}"),
            Some(why) => assert!(answer.clone().is_err_and(|error| error.contains(why)), "{client_id}: {answer:?}"),
        }
    }
}

#[tokio::test]
async fn a_client_names_the_host_and_no_protocol_but_the_one_of_aws_iot() {
    let guarded = Guarded::up().await;
    let own = guarded.device("T", Policy::OwnShadow);
    let with = |change: fn(&mut ClientConfig)| {
        let mut config = guarded.config(Some(&own));
        change(&mut config);
        guarded.connects("T", config)
    };
    assert_eq!(with(|config| config.alpn_protocols = vec![b"x-amzn-mqtt-ca".to_vec()]).await, Ok(()));
    assert!(with(|config| config.alpn_protocols = vec![b"mqtt".to_vec()]).await.unwrap_err().contains("NoApplicationProtocol"));
    assert!(with(|config| config.enable_sni = false).await.unwrap_err().contains("closed"));
}

/// The first message that a client receives, or why its connection ended.
async fn received(events: &mut EventLoop) -> Result<Publish, String> {
    loop {
        match tokio::time::timeout(Duration::from_secs(10), events.poll()).await.unwrap() {
            Ok(Event::Incoming(Packet::Publish(publish))) => return Ok(publish),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[tokio::test]
async fn a_policy_allows_the_things_own_shadow_and_nothing_else() {
    let guarded = Guarded::up().await;
    let own = guarded.device("T", Policy::OwnShadow);
    let (client, mut events) = guarded.client("T", guarded.config(Some(&own)));
    client.try_subscribe("$aws/things/T/shadow/update/accepted", QoS::AtLeastOnce).unwrap();
    client.try_publish("$aws/things/T/shadow/update", QoS::AtLeastOnce, false, r#"{"state":{"reported":{"t":1}}}"#).unwrap();
    assert_eq!(received(&mut events).await.unwrap().topic, "$aws/things/T/shadow/update/accepted");
    drop((client, events));

    for topic in ["$aws/things/T2/shadow/get", "home/1"] {
        let (client, mut events) = guarded.client("T", guarded.config(Some(&own)));
        client.try_publish(topic, QoS::AtLeastOnce, false, "").unwrap();
        assert!(received(&mut events).await.is_err(), "{topic}");
    }
    for filter in ["$aws/things/+/shadow/update/accepted", "$aws/things/T2/shadow/#", "#"] {
        let (client, mut events) = guarded.client("T", guarded.config(Some(&own)));
        client.try_subscribe(filter, QoS::AtLeastOnce).unwrap();
        assert!(received(&mut events).await.is_err(), "{filter}");
    }
}
