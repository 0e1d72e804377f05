//! The cloud services that the functions call, on this machine: one HTTP address for all, and an
//! MQTT address. All state is in memory and ends with the process.

mod calls;
pub mod cloudwatch;
pub mod cognito;
mod declared;
mod deduplication;
pub mod described;
mod doors;
pub mod dynamodb;
pub mod dynamodbstreams;
pub mod elsewhere;
pub mod events;
pub mod front;
pub mod iot;
pub mod kinesis;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod neighbour;
pub mod page;
mod passing;
pub mod redis;
mod relayed;
pub mod s3;
pub mod secrets;
pub mod ses;
pub(crate) mod shard;
pub mod shows;
pub mod sns;
pub mod sqs;
pub mod ssm;
pub mod stepfunctions;
pub mod sts;
pub mod verifiedpermissions;
pub mod wire;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use faults::Entry;
use run_folder::deployment::Seed;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use self::cloudwatch::Alarms;
use self::cognito::Cognito;
use self::described::Described;
pub use self::doors::Doors;
use self::doors::listen;
use self::dynamodb::DynamoDb;
use self::dynamodbstreams::Streams;
use self::elsewhere::Addresses;
use self::events::Events;
use self::front::Front;
use self::iot::IotData;
use self::iot::broker::Broker;
use self::iot::secured::{HOST, Secured};
use self::iot::sessions::Sessions;
use self::iot::shadows::Shadows;
use self::kinesis::Kinesis;
use self::kms::Kms;
use self::lambda::Lambda;
use self::logs::Logs;
use self::neighbour::Striker;
use self::page::{Page, Running};
use self::redis::Redis;
use self::relayed::Relayed;
use self::s3::{Buckets, Objects, Spool};
use self::secrets::Secrets;
use self::ses::smtp::Smtp;
use self::ses::{First, Incoming, Mailbox, Rules, Ses};
use self::sns::Sns;
use self::sqs::Sqs;
use self::ssm::Parameters;
use self::stepfunctions::StepFunctions;
use self::sts::Sts;
use self::verifiedpermissions::VerifiedPermissions;
use crate::deliver::{Deliver, Kind};
use crate::invoke::LateInvoke;
use crate::plan_watch::PlanWatch;
use crate::{Compressed, Sightings};
use run_folder::addresses::Pool;
use template::blueprint::{Blueprint, Receipt};

/// All services, those that functions call first.
pub const SERVICES: [&Described; 20] = [
    &dynamodb::DESCRIBED,
    &verifiedpermissions::DESCRIBED,
    &iot::DESCRIBED,
    &cognito::DESCRIBED,
    &s3::DESCRIBED,
    &ses::DESCRIBED,
    &sns::DESCRIBED,
    &events::DESCRIBED,
    &stepfunctions::DESCRIBED,
    &redis::DESCRIBED,
    &sqs::DESCRIBED,
    &dynamodbstreams::DESCRIBED,
    &kinesis::DESCRIBED,
    &lambda::DESCRIBED,
    &ssm::DESCRIBED,
    &secrets::DESCRIBED,
    &kms::DESCRIBED,
    &sts::DESCRIBED,
    &logs::DESCRIBED,
    &cloudwatch::DESCRIBED,
];

/// The settings of the services.
pub struct Settings {
    /// The data that exists before the first request.
    pub seed: Seed,
    /// Where they listen.
    pub doors: Doors,
    /// Where the file of large objects is created.
    pub folder: PathBuf,
    /// What the template declares besides functions and routes. Mail is accepted if a receipt rule
    /// stores it.
    pub blueprint: Blueprint,
    /// The interface through which services invoke functions, set once the platform is up.
    pub invoke: LateInvoke,
    /// TLS for devices, which then need certificates; `None`: they connect in the clear.
    pub secured: Option<Arc<Secured>>,
    /// How many times faster than at AWS long waits run.
    pub compressed: Compressed,
    /// Where the services report what they observe.
    pub sightings: Sightings,
    /// The plan whose faults apply to their calls, watched while they run.
    pub plan: PathBuf,
    /// Where the entries about struck and spared calls go.
    pub ledger: UnboundedSender<Entry>,
}

/// Running services; they end when this is dropped.
pub struct Services {
    /// The HTTP address: what `AWS_ENDPOINT_URL` names.
    pub http: SocketAddr,
    /// Where the broker listens.
    pub mqtt: SocketAddr,
    /// Whether it speaks TLS.
    pub mqtt_is_secured: bool,
    /// The address for incoming mail, if a receipt rule stores it.
    pub smtp: Option<SocketAddr>,
    /// The address of the cache, if there is one.
    pub redis: Option<SocketAddr>,
    /// The sent mail.
    pub mailbox: Arc<Mailbox>,
    /// The user pools.
    pub pools: Vec<Pool>,
    /// The tables and their streams.
    pub tables: Arc<DynamoDb>,
    /// The data streams.
    pub kinesis: Arc<Kinesis>,
    /// Where calls of Lambda's Invoke API go, to be set.
    pub lambda: lambda::Address,
    /// The user pools themselves.
    pub cognito: Arc<Cognito>,
    /// The queues.
    pub sqs: Arc<Sqs>,
    /// The topics.
    pub sns: Arc<Sns>,
    /// The buckets.
    pub buckets: Arc<Buckets>,
    /// The event buses, rules and schedules.
    pub events: Arc<Events>,
    /// The alarms.
    pub alarms: Arc<Alarms>,
    /// The state machines.
    pub machines: Arc<StepFunctions>,
    /// Delivers to all of these and to functions.
    pub deliver: Deliver,
    /// What the page shows of the platform, to be set.
    pub running: Arc<OnceLock<Running>>,
    tasks: JoinSet<()>,
}

impl Services {
    /// The address of the broker, as devices are told.
    pub fn mqtt_address(&self) -> String {
        if self.mqtt_is_secured { format!("mqtts://{HOST}:{}", self.mqtt.port()) } else { self.mqtt.to_string() }
    }

    /// The front before all of them and `others`, but for those that are elsewhere.
    fn front(&self, others: Vec<Arc<dyn wire::Service>>, elsewhere: Addresses, striker: &Arc<Striker>) -> Front {
        let mut services = others;
        services.extend([
            Arc::clone(&self.tables) as Arc<dyn wire::Service>,
            Arc::clone(&self.cognito) as Arc<dyn wire::Service>,
            Arc::clone(&self.sqs) as Arc<dyn wire::Service>,
            Arc::clone(&self.sns) as Arc<dyn wire::Service>,
            Arc::clone(&self.events) as Arc<dyn wire::Service>,
            Arc::clone(&self.alarms) as Arc<dyn wire::Service>,
            Arc::clone(&self.machines) as Arc<dyn wire::Service>,
        ]);
        let page = Page {
            described: &SERVICES,
            services: services.clone(),
            buckets: Arc::clone(&self.buckets),
            running: Arc::clone(&self.running),
        };
        let objects = Objects::new(Arc::clone(&self.buckets), Arc::clone(striker));
        Front {
            services,
            controls: Arc::clone(&self.cognito),
            events: Arc::clone(&self.events),
            page,
            address: self.http,
            objects,
            lambda: Lambda::new(self.lambda.clone(), Arc::clone(striker)),
            elsewhere: Relayed::new(elsewhere.authorities(), Arc::clone(striker)),
            striker: Arc::clone(striker),
        }
    }

    /// Everything but queues and topics receives deliveries from now on.
    fn connect(&self) {
        self.deliver.connect(Kind::Buses, &self.events);
        self.deliver.connect(Kind::Buckets, &self.buckets);
        self.deliver.connect(Kind::DataStreams, &self.kinesis);
        self.deliver.connect(Kind::Machines, &self.machines);
    }

    /// Starts what happens in time: rows expire, messages become visible, alarms fire, schedules come due.
    fn keep_time(&mut self) {
        self.tasks.spawn(Arc::clone(&self.tables).expire());
        self.tasks.spawn(Arc::clone(&self.sqs).sweep());
        self.tasks.spawn(Arc::clone(&self.alarms).watch());
        self.tasks.spawn(Arc::clone(&self.events).keep_time());
    }

    /// Ends every connection and waits until all have ended.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// Starts all services, on free ports of 127.0.0.1 besides the doors.
///
/// # Errors
/// If no port is free, no key can be generated, or the seed is refused.
pub async fn start(settings: Settings) -> io::Result<Services> {
    let Settings { mut seed, doors, folder, blueprint, invoke, secured, compressed, sightings, plan, ledger } = settings;
    declared::check(&blueprint, &seed).map_err(io::Error::other)?;
    let (redis, (listener, http)) = (doors.cache(), doors.http);
    let ((broker, mqtt), mqtt_is_secured) = (listen().await?, secured.is_some());
    let decisions = decisions(&blueprint, &mut seed)?;
    let tables = Arc::new(DynamoDb::start(&blueprint.tables, &seed.rows, compressed, sightings.clone())?);
    let cognito = Arc::new(Cognito::start(&blueprint.pools, &seed.users, &invoke, &sightings, http).await?);
    let (kinesis, lambda) = (Kinesis::new(&blueprint.data_streams), lambda::Address::default());
    let others = others(&blueprint, &kinesis)?;
    let (sessions, mailbox) = (Arc::new(Sessions::default()), Arc::new(Mailbox::default()));
    let shadows = Arc::new(Shadows::new(Arc::clone(&sessions)));
    let sending = Arc::new(Ses::new(blueprint.senders, Arc::clone(&mailbox), sightings.clone()));
    let deliver = Deliver::new(invoke.clone());
    let sqs = Sqs::new(&blueprint.queues, compressed, sightings.clone(), http);
    deliver.connect(Kind::Queues, &sqs);
    let sns = Sns::with(&blueprint.topics, &blueprint.subscriptions, deliver.clone(), sightings.clone()).map_err(io::Error::other)?;
    deliver.connect(Kind::Topics, &sns);
    let events = Events::new(&blueprint.buses, &blueprint.rules, deliver.clone(), compressed).map_err(io::Error::other)?;
    let buckets = Buckets::new(&blueprint.buckets, deliver.clone(), Spool::within(&folder)?, sightings.clone());
    let alarms = Alarms::new(&blueprint.alarms, compressed, Arc::clone(&sqs), Arc::clone(&sns), sightings.clone());
    let machines = StepFunctions::new(&blueprint.machines, invoke, (Arc::clone(&sqs), Arc::clone(&sns)), compressed, sightings.clone());
    let (pools, tasks, smtp) = (cognito.addresses(), JoinSet::new(), None);
    let mut services = Services {
        http,
        mqtt,
        mqtt_is_secured,
        smtp,
        redis,
        mailbox,
        pools,
        tables,
        kinesis,
        lambda,
        cognito,
        sqs,
        sns,
        buckets,
        events,
        alarms,
        machines,
        deliver,
        running: Arc::default(),
        tasks,
    };
    let striker = Arc::new(Striker::new(PlanWatch::start(plan, "services", ledger.clone()), ledger, sightings.clone()));
    let (shadowed, streams) = (IotData::new(Arc::clone(&shadows)), Streams(Arc::clone(&services.tables)));
    let mut apart: Vec<Arc<dyn wire::Service>> = vec![Arc::new(decisions), Arc::new(shadowed), Arc::new(streams)];
    apart.extend(others.into_iter().chain([Arc::clone(&sending) as _, Arc::new(First::new(sending)) as _]));
    let front = services.front(apart, doors.elsewhere, &striker);
    services.tasks.spawn(Arc::new(front).serve(listener));
    if let Some((listener, _)) = doors.cache {
        services.tasks.spawn(Redis::new(striker, sightings.clone()).serve(listener));
    }
    services.tasks.spawn(Arc::new(Broker::new(sessions, shadows, secured)).serve(broker));
    services.smtp = take_mail(blueprint.receipts, &services.buckets, sightings, &mut services.tasks).await?;
    services.connect();
    services.keep_time();
    Ok(services)
}

fn decisions(blueprint: &Blueprint, seed: &mut Seed) -> io::Result<VerifiedPermissions> {
    let stores: Vec<_> = blueprint.policy_stores.iter().map(|id| (id.as_str(), seed.policies.remove(id).unwrap_or_default())).collect();
    VerifiedPermissions::new(&stores).map_err(io::Error::other)
}

/// The services that know none of the others.
fn others(blueprint: &Blueprint, kinesis: &Arc<Kinesis>) -> io::Result<Vec<Arc<dyn wire::Service>>> {
    let functions = blueprint.functions.iter().map(|function| function.name.clone());
    Ok(vec![
        Arc::clone(kinesis) as Arc<dyn wire::Service>,
        Arc::new(Parameters::new(&blueprint.parameters)),
        Arc::new(Secrets::new(&blueprint.secrets).map_err(io::Error::other)?),
        Arc::new(Kms::new(&blueprint.encryption_keys)?),
        Arc::new(Sts),
        Arc::new(Logs::new(&blueprint.log_groups, functions)),
    ])
}

/// Accepts mail if a receipt rule stores it; returns the address for incoming mail.
async fn take_mail(
    receipts: Vec<Receipt>,
    buckets: &Arc<Buckets>,
    sightings: Sightings,
    tasks: &mut JoinSet<()>,
) -> io::Result<Option<SocketAddr>> {
    if receipts.is_empty() {
        return Ok(None);
    }
    let rules = Rules::new(receipts, Arc::clone(buckets)).map_err(io::Error::other)?;
    let (inbound, address) = listen().await?;
    tasks.spawn(Arc::new(Smtp::new(Incoming::start(Arc::new(rules), sightings))).serve(inbound));
    Ok(Some(address))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::SERVICES;

    #[test]
    fn every_folder_of_a_service_is_in_the_list() {
        let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/services")).unwrap();
        let is_described =
            |folder: &Path| std::fs::read_to_string(folder.join("mod.rs")).is_ok_and(|text| text.contains("const DESCRIBED"));
        assert_eq!(folders.filter(|folder| is_described(&folder.as_ref().unwrap().path())).count(), SERVICES.len());
    }

    #[test]
    fn the_readme_has_a_row_for_each_and_names_those_that_can_be_struck() {
        let readme = include_str!("../../../README.md");
        let rows = readme.lines().skip_while(|line| !line.starts_with("| Service |")).take_while(|line| line.starts_with('|'));
        let first: Vec<&str> = rows.filter_map(|row| row.split('|').nth(1)).collect();
        for service in SERVICES {
            assert!(first.iter().any(|cell| cell.contains(service.title)), "{}", service.title);
        }
        let struck: Vec<_> = SERVICES.iter().filter(|it| !it.operations.is_empty()).map(|it| format!("`{}`", it.name)).collect();
        let sentence = format!("Local services ({}) take", struck.join(", "));
        assert!(readme.split_whitespace().collect::<Vec<_>>().join(" ").contains(&sentence), "{sentence}");
    }
}
