//! The cloud services that the functions call, on this machine: one HTTP address for all, and an MQTT address.
//! All state is in memory and goes with the process.

pub mod cognito;
pub mod dynamodb;
pub mod front;
pub mod iot;
pub mod neighbour;
pub mod page;
pub mod ses;
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

use self::cognito::Cognito;
use self::dynamodb::DynamoDb;
use self::front::Front;
use self::iot::IotData;
use self::iot::broker::Broker;
use self::iot::sessions::Sessions;
use self::iot::shadows::Shadows;
use self::neighbour::{Neighbour, Striker};
use self::ses::smtp::Smtp;
use self::ses::{Incoming, Mailbox, Ses, Store};
use self::verifiedpermissions::VerifiedPermissions;
use crate::Sightings;
use crate::addresses::Pool;
use crate::plan_watch::PlanWatch;
use crate::world::{clinic, mail, policies, thermostat};

/// What the services start with.
pub struct Settings {
    /// How many homes the thermostats have; none where that system is not up.
    pub homes: Option<u32>,
    /// Whether the clinic is up.
    pub clinic: bool,
    /// Where mail that comes in is stored; none where that system is not up.
    pub mail: Option<Arc<dyn Store>>,
    /// Where the services tell what they see.
    pub sightings: Sightings,
    /// The plan that their calls are struck by, watched while they run.
    pub plan: PathBuf,
    /// Where the entries about struck and spared calls go.
    pub ledger: UnboundedSender<Entry>,
}

/// Services that are up; they end when this is dropped.
pub struct Services {
    /// The HTTP address: what `AWS_ENDPOINT_URL` names.
    pub http: SocketAddr,
    /// The MQTT address.
    pub mqtt: SocketAddr,
    /// The address that mail comes in by, where that system is up.
    pub smtp: Option<SocketAddr>,
    /// The mail that was sent.
    pub mailbox: Arc<Mailbox>,
    /// The user pools.
    pub pools: Vec<Pool>,
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
    let mailbox = Arc::new(Mailbox::default());
    let sending = Ses::new(vec![mail::SENDER.to_owned()], Arc::clone(&mailbox), settings.sightings.clone());

    let plan = PlanWatch::start(settings.plan, "services", settings.ledger.clone());
    let behind = |name, content_type, service| Arc::new(Neighbour { name, content_type, service });
    let front = Arc::new(Front {
        dynamodb: behind("dynamodb", wire::JSON_1_0, Arc::new(tables)),
        verifiedpermissions: behind("verifiedpermissions", wire::JSON_1_0, Arc::new(decisions)),
        cognito: behind("cognito-idp", wire::JSON_1_1, Arc::clone(&cognito) as Arc<dyn wire::Service>),
        controls: cognito,
        iotdata: behind("iotdata", wire::REST_JSON, Arc::new(IotData::new(Arc::clone(&shadows)))),
        ses: behind("ses", wire::REST_JSON, Arc::new(sending)),
        striker: Striker::new(plan, settings.ledger),
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(front.serve(http));
    tasks.spawn(Arc::new(Broker::new(sessions, shadows)).serve(mqtt));
    let mut smtp_address = None;
    if let Some(store) = settings.mail {
        let smtp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        smtp_address = Some(smtp.local_addr()?);
        tasks.spawn(Arc::new(Smtp::new(Incoming::start(store, settings.sightings))).serve(smtp));
    }
    Ok(Services { http: http_address, mqtt: mqtt_address, smtp: smtp_address, mailbox, pools, tasks })
}
