//! What devices cost that connect at once, in the clear and over TLS with a certificate each, and that come back at once when the broker
//! has dropped them all: `cargo bench --bench devices -- --count 1000`. It asserts nothing.

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use load::chance::Chance;
use load::mqtt::{Broker, Heard, wire};
use run_folder::Addresses;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use stack::services::iot::broker;
use stack::services::iot::secured::{HOST, Secured};
use stack::services::iot::sessions::Sessions;
use stack::services::iot::shadows::Shadows;
use support::{Done, Part, memory, number, number_after, processor_time, row, setting, table};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

const FOLDER: &str = "BENCH_FOLDER";
const COUNT: &str = "BENCH_COUNT";
const TLS: &str = "BENCH_TLS";
const ADDRESS: &str = "BENCH_ADDRESS";

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Done {
    match support::role().as_deref() {
        Some("broker") => serve(),
        Some(_) => connect(),
        None if support::is_wanted() => measure(number_after("--count", 1_000)?),
        None => Ok(()),
    }
}

fn measure(count: usize) -> Done {
    let heads = ["all there", "CPU of devices", "of the broker", "both / device", "memory / device", "at the broker"];
    let mut rows = vec![[format!("{count} devices"), String::new()].into_iter().chain(heads.map(str::to_owned)).collect()];
    for (name, tls) in [("in the clear", false), ("over TLS", true)] {
        support::wait_for_quiet();
        let folder = tempfile::tempdir()?;
        let shared = [(FOLDER, folder.path().display().to_string()), (COUNT, count.to_string()), (TLS, tls.to_string())];
        let mut broker = Part::start("broker", &shared)?;
        let port = number(&broker.tell()?, "port");
        let address = if tls { format!("mqtts://{HOST}:{port}") } else { format!("127.0.0.1:{port}") };
        let mut devices = Part::start("devices", &[&shared[..], &[(ADDRESS, address)]].concat())?;
        let before = (Usage::of(&devices), Usage::of(&broker));
        let connected = number(&devices.tell()?, "seconds");
        let there = (Usage::of(&devices), Usage::of(&broker));
        kill_process(Pid::from_raw(i32::try_from(broker.pid())?).ok_or("no process")?, Signal::USR1)?;
        let back = number(&devices.tell()?, "seconds");
        let again = (Usage::of(&devices), Usage::of(&broker));
        for (what, seconds, from, to) in [("connect", connected, &before, &there), ("come back", back, &there, &again)] {
            let (own, theirs) = (to.0.seconds - from.0.seconds, to.1.seconds - from.1.seconds);
            let each = |amount: f64| amount * 1e3 / count as f64;
            rows.push(row![
                name,
                what,
                format!("{seconds:.2} s"),
                format!("{own:.2} s"),
                format!("{theirs:.2} s"),
                format!("{:.2} ms", each(own + theirs)),
                format!("{:.1} KB", each(to.0.memory - before.0.memory)),
                format!("{:.1} KB", each(to.1.memory - before.1.memory)),
            ]);
        }
    }
    table("Devices that connect at once, and come back at once", &rows);
    Ok(())
}

/// What a part has used so far.
struct Usage {
    /// Seconds of processor time.
    seconds: f64,
    /// Resident memory in MB.
    memory: f64,
}

impl Usage {
    fn of(part: &Part) -> Self {
        Self { seconds: processor_time(part.pid()).as_secs_f64(), memory: memory(part.pid()).0 }
    }
}

fn things() -> Done<Vec<String>> {
    Ok((0..setting(COUNT)?).map(|number: usize| format!("Thing-{number}")).collect())
}

/// The broker. At a signal it drops every connection and all that it knows, as after a restart.
fn serve() -> Done {
    support::end_with_parent();
    let folder: PathBuf = setting(FOLDER)?;
    let secured = if setting(TLS)? { Some(Arc::new(Secured::with_things(&things()?, &folder)?)) } else { None };
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let mut restarts = signal(SignalKind::user_defined1())?;
        let mut listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        println!("{}", json!({"port": address.port()}));
        loop {
            let sessions = Arc::<Sessions>::default();
            let broker = broker::Broker::new(Arc::clone(&sessions), Arc::new(Shadows::new(sessions)), secured.clone());
            tokio::select! {
                () = Arc::new(broker).serve(listener) => return Ok(()),
                _ = restarts.recv() => {}
            }
            listener = TcpListener::bind(address).await?;
        }
    })
}

/// The devices: tell when all are there, and when all are there again.
fn connect() -> Done {
    support::end_with_parent();
    let (mqtt, folder): (String, PathBuf) = (setting(ADDRESS)?, setting(FOLDER)?);
    let things = things()?;
    // Time to look at the memory of a process without devices.
    std::thread::sleep(Duration::from_millis(500));
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(async {
        let began = Instant::now();
        let broker = Broker::of(&Addresses { mqtt, certificates: Some(folder), ..Addresses::default() })?;
        let (tell, mut subscribed) = mpsc::unbounded_channel();
        for (number, thing) in things.iter().enumerate() {
            let topics = ["update/accepted", "update/rejected", "update/delta", "get/accepted", "get/rejected"];
            let topics = topics.map(|topic| format!("$aws/things/{thing}/shadow/{topic}")).into();
            let (client, mut heard, wire) = wire(&broker, thing, topics, Chance::new(&[number as u64]))?;
            tokio::spawn(wire.run());
            let tell = tell.clone();
            tokio::spawn(async move {
                let _client = client;
                while let Some(heard) = heard.recv().await {
                    if matches!(heard, Heard::Subscribed) {
                        let _ = tell.send(());
                    }
                }
            });
        }
        let mut from = began;
        for _ in 0..2 {
            for _ in &things {
                tokio::time::timeout(PATIENCE, subscribed.recv()).await?;
            }
            println!("{}", json!({"seconds": from.elapsed().as_secs_f64()}));
            // The signal follows within a millisecond.
            from = Instant::now();
        }
        std::future::pending::<Done>().await
    })
}
