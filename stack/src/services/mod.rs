//! The cloud services that the functions call, on this machine: one HTTP address for all, and an MQTT address.
//! All state is in memory and goes with the process.

pub mod cloudwatch;
pub mod cognito;
mod declared;
pub mod dynamodb;
pub mod front;
pub mod iot;
pub mod neighbour;
pub mod s3;
pub mod sns;
pub mod sqs;
pub mod verifiedpermissions;
pub mod wait;
pub mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use faults::Entry;
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use self::cloudwatch::Alarms;
use self::cognito::Cognito;
use self::dynamodb::DynamoDb;
use self::front::Front;
use self::iot::IotData;
use self::iot::broker::Broker;
use self::iot::sessions::Sessions;
use self::iot::shadows::Shadows;
use self::neighbour::{Neighbour, Striker};
use self::s3::{Buckets, Objects};
use self::sns::Sns;
use self::sqs::Sqs;
use self::verifiedpermissions::VerifiedPermissions;
use crate::addresses::Pool;
use crate::blueprint::Blueprint;
use crate::compressed::Compressed;
use crate::plan_watch::PlanWatch;
use crate::sightings::Sightings;
use crate::world::{clinic, policies, thermostat};

/// What the services start with.
pub struct Settings {
    /// How many homes the thermostats have; none where that system is not up.
    pub homes: Option<u32>,
    /// Whether the clinic is up.
    pub clinic: bool,
    /// The plan that their calls are struck by, watched while they run.
    pub plan: PathBuf,
    /// Where the entries about struck and spared calls go.
    pub ledger: UnboundedSender<Entry>,
    /// Queues, buckets, topics and alarms.
    pub blueprint: Blueprint,
    /// How many times faster than at AWS their long waits go.
    pub compressed: Compressed,
    /// Where they tell what they see.
    pub sightings: Sightings,
}

/// Services that are up; they end when this is dropped.
pub struct Services {
    /// The HTTP address: what `AWS_ENDPOINT_URL` names.
    pub http: SocketAddr,
    /// The MQTT address.
    pub mqtt: SocketAddr,
    /// The user pools.
    pub pools: Vec<Pool>,
    /// The queues.
    pub sqs: Arc<Sqs>,
    /// The topics.
    pub sns: Arc<Sns>,
    /// The buckets.
    pub buckets: Arc<Buckets>,
    /// The alarms.
    pub alarms: Arc<Alarms>,
    tasks: JoinSet<()>,
}

impl Services {
    /// Ends every connection and waits until it is so.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Starts all services on free ports of 127.0.0.1.
///
/// # Errors
/// Where no port is free, no key can be made, or what the systems start with is refused.
pub async fn start(settings: Settings) -> io::Result<Services> {
    declared::check(&settings.blueprint).map_err(io::Error::other)?;
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let mqtt = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (http_address, mqtt_address) = (http.local_addr()?, mqtt.local_addr()?);

    let mut stores = Vec::new();
    if let Some(homes) = settings.homes {
        stores.push((thermostat::POLICY_STORE, policies::thermostat(homes)));
    }
    if settings.clinic {
        stores.push((clinic::POLICY_STORE, policies::clinic()));
    }
    let decisions = VerifiedPermissions::new(&stores).map_err(io::Error::other)?;
    let tables = DynamoDb::start(settings.homes, settings.clinic).await?;
    let cognito = Arc::new(Cognito::start(settings.homes, settings.clinic, http_address).await?);
    let pools = cognito.addresses();
    let sessions = Arc::new(Sessions::default());
    let shadows = Arc::new(Shadows::new(Arc::clone(&sessions)));

    let (declared, compressed, sightings) = (&settings.blueprint, settings.compressed, settings.sightings);
    let sqs = Sqs::new(&declared.queues, compressed, sightings.clone(), http_address);
    let sns = Sns::new(&declared.topics, sightings.clone());
    let buckets = Buckets::new(&declared.buckets, Arc::clone(&sqs), sightings.clone());
    let alarms = Alarms::new(&declared.alarms, compressed, Arc::clone(&sqs), Arc::clone(&sns), sightings);

    let plan = PlanWatch::start(settings.plan, "services", settings.ledger.clone());
    let striker = Arc::new(Striker::new(plan, settings.ledger));
    let behind = |name, content_type, service| Arc::new(Neighbour { name, content_type, service });
    let front = Arc::new(Front {
        dynamodb: behind("dynamodb", wire::JSON_1_0, Arc::new(tables)),
        verifiedpermissions: behind("verifiedpermissions", wire::JSON_1_0, Arc::new(decisions)),
        cognito: behind("cognito-idp", wire::JSON_1_1, Arc::clone(&cognito) as Arc<dyn wire::Service>),
        controls: cognito,
        iotdata: behind("iotdata", wire::REST_JSON, Arc::new(IotData::new(Arc::clone(&shadows)))),
        sqs: behind("sqs", wire::JSON_1_0, Arc::clone(&sqs) as Arc<dyn wire::Service>),
        sns: behind("sns", wire::QUERY_XML, Arc::clone(&sns) as Arc<dyn wire::Service>),
        cloudwatch: behind("cloudwatch", wire::JSON_1_0, Arc::clone(&alarms) as Arc<dyn wire::Service>),
        objects: Objects::new(Arc::clone(&buckets), Arc::clone(&striker)),
        striker,
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(front.serve(http));
    tasks.spawn(Arc::new(Broker::new(sessions, shadows)).serve(mqtt));
    tasks.spawn(Arc::clone(&sqs).sweep());
    tasks.spawn(Arc::clone(&alarms).watch());
    Ok(Services { http: http_address, mqtt: mqtt_address, pools, sqs, sns, buckets, alarms, tasks })
}
