//! Devices over TLS, each with a certificate of its own, against a broker that is as strict as AWS IoT.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use crate::support::{Asked, Server, sign_in};
use bytes::Bytes;
use http_body_util::Full;
use load::chance::Chance;
use load::mqtt::{self, Broker, Heard};
use load::{Arrivals, JourneyTime, Timeline};
use run_folder::addresses::{Api, Pool};
use run_folder::deployment::Seed;
use run_folder::{Addresses, Compressed, RunFolder, Sightings};
use scenarios::Event;
use scenarios::invariants::Quiet;
use scenarios::systems::{Setup, System};
use scenarios::traffic::{self, Load, Order};
use serde_json::{Value, json};
use stack::invoke::LateInvoke;
use stack::services::iot::authority::{Authority, Validity};
use stack::services::iot::registry::{Policy, Registry};
use stack::services::iot::secured::{HOST, Secured};
use stack::services::{Services, Settings, start};
use tempfile::TempDir;
use template::blueprint::Blueprint;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const THINGS: [&str; 4] = ["Thermostat1", "Thermostat2", "Thermostat-1", "Thermostat-1-2"];

/// A stack without functions: the shadows are real, the gateway's answers are not.
struct Stack {
    services: Services,
    authority: Authority,
    registry: Registry,
    addresses: Addresses,
    _servers: [Server; 2],
    folder: TempDir,
}

impl Stack {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (authority, registry) = (Authority::new().unwrap(), Registry::within(folder.path()));
        authority.write(folder.path()).unwrap();
        let services = start(Settings {
            seed: Seed::default(),
            doors: stack::services::Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint: Blueprint::default(),
            invoke: LateInvoke::default(),
            secured: Some(Arc::new(Secured::new(&authority, registry.clone()).unwrap())),
            compressed: Compressed::default(),
            sightings: Sightings::nowhere(),
            plan: run.plan(),
            ledger: tokio::sync::mpsc::unbounded_channel().0,
        })
        .await
        .unwrap();
        let http = services.http;
        let cloud = Server::start(|request| {
            let answer = sign_in::answer(&request);
            async move { answer }
        })
        .await;
        let door = Server::start(move |request| gateway(request, http)).await;
        let at = door.address.to_string();
        let api = Api { address: at.clone(), host: at, stage: "/prod".to_owned(), key: String::new() };
        let pool = Pool {
            name: "thermostat".to_owned(),
            id: "us-east-1_thermostat".to_owned(),
            client_id: "client".to_owned(),
            other_client_id: String::new(),
            issuer: String::new(),
        };
        let addresses = Addresses {
            apis: [("ThermostatApi".to_owned(), api)].into(),
            services: cloud.address.to_string(),
            sign_in: cloud.address.to_string(),
            mqtt: services.mqtt_address(),
            certificates: Some(folder.path().to_owned()),
            pools: vec![pool],
            ..Addresses::default()
        };
        let stack = Self { services, authority, registry, addresses, _servers: [cloud, door], folder };
        THINGS.iter().for_each(|thing| stack.issue(thing, Validity::Current));
        stack
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn issue(&self, thing: &str, validity: Validity) {
        let identity = self.authority.device(thing, validity).unwrap();
        self.registry.register(&identity.der, thing, Policy::OwnShadow).unwrap();
        identity.write(self.folder.path(), thing).unwrap();
    }

    /// Why the traffic does not start.
    async fn refusal(&self) -> String {
        traffic::start(order(self.addresses.clone())).await.err().map_or_else(|| "it started".to_owned(), |error| error.to_string())
    }
}

async fn gateway(request: Asked, services: SocketAddr) -> (u16, String) {
    if request.path == "/prod/items" {
        return (200, "[]".to_owned());
    }
    let thing = request.path.strip_prefix("/prod/control/").expect("a path of the contract").to_owned();
    let Ok(said) = serde_json::from_slice::<Value>(&request.body) else { return (400, String::new()) };
    let mut payload = json!({"reportedTemperature": null});
    if said["action"] == "SetTemperature" && THINGS.contains(&thing.as_str()) {
        let desired = json!({"temperature": said["temperature"], "power": said["power"], "mode": said["mode"]});
        let scope = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iotdata/aws4_request, SignedHeaders=host, Signature=0";
        let update = hyper::Request::post(format!("/things/{thing}/shadow")).header("host", "x").header("authorization", scope);
        let body = Full::new(Bytes::from(json!({"state": {"desired": desired}}).to_string()));
        assert_eq!(load::http::once(&services.to_string(), update.body(body).unwrap()).await.unwrap().0, 200);
        payload = json!({});
    }
    (200, json!({"payload": payload, "evaluation": {"decision": "ALLOW", "determiningPolicies": [], "errors": []}}).to_string())
}

fn order(addresses: Addresses) -> Order {
    let second = Duration::from_secs(1);
    Order {
        load: Load { systems: vec![System::Thermostat.read_load(json!({"rate": "20/s", "homes": 2})).unwrap()], ..Load::default() },
        setup: Setup::default(),
        arrivals: Arrivals::Constant,
        timeline: Timeline { warm_up: second, baseline: second, arming: second, fault: second * 4, recovery: second },
        seed: 7,
        addresses,
        goose_report: None,
        journeys: JourneyTime::default(),
    }
}

/// Passes bytes on, until it drops every connection and is away for a while.
struct Between {
    port: u16,
    accepted: Arc<AtomicUsize>,
    cut: tokio::sync::mpsc::UnboundedSender<Duration>,
}

impl Between {
    async fn start(broker: SocketAddr) -> Self {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::<AtomicUsize>::default();
        let (cut, mut cuts) = tokio::sync::mpsc::unbounded_channel();
        let counted = Arc::clone(&accepted);
        tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    Some(away) = cuts.recv() => {
                        drop(listener);
                        connections.shutdown().await;
                        tokio::time::sleep(away).await;
                        listener = TcpListener::bind(address).await.unwrap();
                    }
                    Ok((mut socket, _)) = listener.accept() => {
                        counted.fetch_add(1, Relaxed);
                        connections.spawn(async move {
                            let mut upstream = TcpStream::connect(broker).await.unwrap();
                            let _ = tokio::io::copy_bidirectional(&mut socket, &mut upstream).await;
                        });
                    }
                    else => return,
                }
            }
        });
        Self { port: address.port(), accepted, cut }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn devices_follow_over_tls_and_come_back_when_the_broker_drops_them_all() {
    let mut stack = Stack::up().await;
    let between = Between::start(stack.services.mqtt).await;
    stack.addresses.mqtt = format!("mqtts://{HOST}:{}", between.port);
    let mut traffic = traffic::start(order(stack.addresses.clone())).await.unwrap();
    assert_eq!(between.accepted.load(Relaxed), THINGS.len());
    let (mut events, mut cut) = (Vec::new(), None);
    while let Some(event) = traffic.next().await {
        if cut.is_none() && traffic.started().elapsed() > Duration::from_secs(2) {
            between.cut.send(Duration::from_millis(500)).unwrap();
            cut = Some(traffic.started().elapsed());
        }
        events.push(event);
    }
    traffic.quiet().await;
    let mut quiet = Quiet::default();
    let until = Instant::now() + Duration::from_secs(20);
    while !traffic.at_rest(&mut quiet).await.unwrap() {
        assert!(Instant::now() < until, "{:?}", quiet.shadows);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    while let Ok(event) = traffic.events.try_recv() {
        events.push(event);
    }
    assert!(between.accepted.load(Relaxed) >= 2 * THINGS.len(), "all came back");
    let mut things: Vec<&str> = quiet.shadows.iter().map(|(thing, ..)| thing.as_str()).collect();
    things.sort_unstable();
    let mut all = THINGS;
    all.sort_unstable();
    assert_eq!(things, all);
    let converged = |when: fn(Duration, Duration) -> bool| {
        events.iter().filter(|event| matches!(event, Event::Converged { reported, .. } if when(*reported, cut.unwrap()))).count()
    };
    assert!(converged(|at, cut| at < cut) > 0, "before the cut");
    assert!(converged(|at, cut| at > cut + Duration::from_secs(1)) > 0, "after it");
    let desired = events.iter().filter(|event| matches!(event, Event::Shadow(change) if change.desired.is_some())).count();
    let last = quiet.shadows.iter().map(|(.., version)| version).max().unwrap();
    assert!(desired > 0 && *last > 2, "{desired} changes, version {last}");
    assert!(events.iter().any(|event| matches!(event, Event::DeviceProvoked { .. })));
    assert!(!events.iter().any(|event| matches!(event, Event::DeviceEnded { .. })));
    traffic.finished().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_is_missing_wrong_or_expired_is_told_before_anything_is_sent() {
    let stack = Stack::up().await;
    let began = Instant::now();
    std::fs::remove_file(stack.path("Thermostat2.pem")).unwrap();
    let refusal = stack.refusal().await;
    assert!(refusal.contains("Thermostat2.pem` cannot be read") && refusal.contains("brownout seed"), "{refusal}");

    stack.issue("Thermostat2", Validity::Expired);
    let refusal = stack.refusal().await;
    assert!(refusal.contains("`Thermostat2`") && refusal.contains("CertificateExpired"), "{refusal}");

    let stranger = Authority::new().unwrap();
    let identity = stranger.device("Thermostat2", Validity::Current).unwrap();
    std::fs::write(stack.path("Thermostat2.pem"), &identity.certificate).unwrap();
    let refusal = stack.refusal().await;
    assert!(refusal.contains("Thermostat2.key` do not fit"), "{refusal}");
    std::fs::write(stack.path("Thermostat2.key"), &identity.key).unwrap();
    let refusal = stack.refusal().await;
    assert!(refusal.contains("`Thermostat2`") && refusal.contains("UnknownCA"), "{refusal}");

    stack.issue("Thermostat2", Validity::Current);
    stranger.write(stack.folder.path()).unwrap();
    let refusal = stack.refusal().await;
    assert!(refusal.contains("the broker's certificate is not accepted") && refusal.contains("ca.pem"), "{refusal}");
    assert!(began.elapsed() < Duration::from_secs(20), "none of these waits for the end of its patience: {:?}", began.elapsed());
}

/// mosquitto with client certificates, where it is installed; it ends when dropped.
struct Mosquitto(Child);

impl Mosquitto {
    fn start(folder: &Path, port: u16) -> Option<Self> {
        let at = |name: &str| folder.join(name).display().to_string();
        let (ca, certificate, key) = (at("ca.pem"), at("server.pem"), at("server.key"));
        let settings = format!(
            "user root\nlistener {port} 127.0.0.1\ncafile {ca}\ncertfile {certificate}\nkeyfile {key}\nrequire_certificate true\nuse_identity_as_username true\n"
        );
        std::fs::write(folder.join("mosquitto.conf"), settings).unwrap();
        let program = ["mosquitto", "/usr/sbin/mosquitto"]
            .into_iter()
            .find(|program| Command::new(program).arg("-h").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok())?;
        let mut command = Command::new(program);
        command.arg("-c").arg(folder.join("mosquitto.conf")).stdout(Stdio::null()).stderr(Stdio::null());
        Some(Self(command.spawn().unwrap()))
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_lets_a_device_in_with_its_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    authority.write(folder.path()).unwrap();
    authority.server(&[HOST]).unwrap().write(folder.path(), "server").unwrap();
    authority.device("T", Validity::Current).unwrap().write(folder.path(), "T").unwrap();
    let Some(_mosquitto) = Mosquitto::start(folder.path(), port) else {
        println!("skipped: `mosquitto` is not installed");
        return;
    };
    let mqtt = format!("mqtts://{HOST}:{port}");
    let addresses = Addresses { mqtt, certificates: Some(folder.path().to_owned()), ..Addresses::default() };
    let topic = "$aws/things/T/shadow/update".to_owned();
    let (client, mut heard, wire) = mqtt::wire(&Broker::of(&addresses).unwrap(), "T", vec![topic.clone()], Chance::new(&[1])).unwrap();
    let wire = tokio::spawn(wire.run());
    let next = async {
        loop {
            match heard.recv().await.unwrap() {
                Heard::Subscribed => client.try_publish(&topic, rumqttc::QoS::AtLeastOnce, false, "75").unwrap(),
                Heard::Message { topic, payload } => return (topic, payload),
                Heard::Failed(failure) => assert!(!failure.lasting, "{failure:?}"),
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(20), next).await.unwrap(), (topic.clone(), b"75".to_vec()));
    wire.abort();
}
