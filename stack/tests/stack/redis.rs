//! The cache through the functions' own client, with the faults of a plan.
use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::{Entry, Plan};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, Value, cmd};
use run_folder::{RunFolder, Seen, Sighting, Sightings};
use serde_json::json;
use stack::plan_watch::PlanWatch;
use stack::services::neighbour::Striker;
use stack::services::redis::Redis;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

const LARGEST: usize = 8 * 1024 * 1024;

struct Stage {
    address: String,
    seen: UnboundedReceiver<Sighting>,
    ledger: UnboundedReceiver<Entry>,
    run: RunFolder,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Stage {
    async fn up() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let ((sightings, seen), (entries, ledger)) = (Sightings::channel(), unbounded_channel());
        let striker = Striker::new(PlanWatch::start(run.plan(), "services", entries.clone()), entries, Sightings::nowhere());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let redis = Redis::within(2 * LARGEST, LARGEST, Arc::new(striker), sightings);
        Self { address, seen, ledger, run, serving: tokio::spawn(redis.serve(listener)), _folder: folder }
    }

    async fn client(&self, more: &str) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://{}{more}", self.address)).unwrap();
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(10)));
        client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    fn seen(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).map(|sighting| sighting.seen).collect()
    }

    /// Puts a plan with this fault in force.
    fn strike(&self, fault: serde_json::Value) {
        let plan = json!({"version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [fault]});
        self.run.write_plan(&Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
    }

    async fn raw(&self, request: &[u8]) -> String {
        let mut socket = TcpStream::connect(&self.address).await.unwrap();
        socket.write_all(request).await.unwrap();
        let mut text = Vec::new();
        let _ = tokio::time::timeout(Duration::from_millis(300), socket.read_to_end(&mut text)).await;
        text.escape_ascii().to_string()
    }
}

async fn ask(client: &mut MultiplexedConnection, line: &str) -> Result<Value, RedisError> {
    let mut words = line.split(' ');
    let mut command = cmd(words.next().unwrap());
    words.for_each(|word| {
        command.arg(word);
    });
    command.query_async(client).await
}

#[tokio::test]
async fn a_client_stores_and_reads_values_in_either_protocol() {
    let mut stage = Stage::up().await;
    for protocol in ["", "/?protocol=resp3"] {
        let mut client = stage.client(protocol).await;
        let record: Vec<u8> = (0..6_000_000_u32).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let set: () = cmd("SET").arg("record:a").arg(&record).arg("EX").arg(86_400).query_async(&mut client).await.unwrap();
        let () = set;
        let found: Vec<u8> = cmd("GET").arg("record:a").query_async(&mut client).await.unwrap();
        assert!(found == record, "{protocol}");
        let left: i64 = cmd("TTL").arg("record:a").query_async(&mut client).await.unwrap();
        assert!((86_390..=86_400).contains(&left), "{left}");
        assert_eq!(ask(&mut client, "GET nothing").await.unwrap(), Value::Nil);
        assert_eq!(ask(&mut client, "DEL record:a nothing").await.unwrap(), Value::Int(1));
        let () = cmd("SET").arg("short").arg("1").arg("PX").arg(50).query_async(&mut client).await.unwrap();
        let gone = async {
            while ask(&mut client, "EXISTS short").await.unwrap() != Value::Int(0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.unwrap();
        let large = Seen::CacheSet { key: "record:a".into(), size: 6_000_000 };
        let (out, short) = (Seen::CacheDeleted { key: "record:a".into() }, Seen::CacheSet { key: "short".into(), size: 1 });
        assert_eq!(stage.seen(), [large, out, short, Seen::CacheExpired { key: "short".into() }]);
    }
}

#[tokio::test]
async fn a_pipeline_is_answered_in_order_and_an_error_ends_nothing() {
    let stage = Stage::up().await;
    let mut client = stage.client("").await;
    let mut pipeline = redis::pipe();
    for n in 0..100 {
        pipeline.cmd("SET").arg(n).arg(n).ignore().cmd("GET").arg(n);
    }
    let found: Vec<u32> = pipeline.query_async(&mut client).await.unwrap();
    assert_eq!(found, (0..100).collect::<Vec<_>>());
    let unknown = ask(&mut client, "FLY away now").await.unwrap_err().to_string();
    assert!(unknown.contains("unknown command 'FLY', with args beginning with: 'away' 'now'"), "{unknown}");
    assert!(ask(&mut client, "SELECT 1").await.unwrap_err().to_string().contains("DB index is out of range"));
    assert_eq!(ask(&mut client, "PING").await.unwrap(), Value::SimpleString("PONG".into()));
    let info: String = cmd("INFO").query_async(&mut client).await.unwrap();
    assert!(info.contains("redis_version:") && info.contains("keys=100"), "{info}");
}

#[tokio::test]
async fn a_value_that_is_too_large_is_refused_and_an_invalid_request_ends_the_connection() {
    let stage = Stage::up().await;
    let mut client = stage.client("").await;
    let most = vec![0_u8; LARGEST];
    let () = cmd("SET").arg("a").arg(&most).query_async(&mut client).await.unwrap();
    let full = cmd("SET").arg("b").arg(&most).query_async::<()>(&mut client).await.unwrap_err();
    assert_eq!(full.code(), Some("OOM"), "{full}");
    for (request, answered) in [
        (&b"*1\r\n$4\r\nPING\r\n*1\r\n$9999999999\r\n"[..], r"+PONG\r\n-ERR Protocol error: invalid bulk length\r\n"),
        (b"*1\r\n+PING\r\n", r"-ERR Protocol error: expected \'$\', got \'+\'\r\n"),
        (b"PING\r\nQUIT\r\nPING\r\n", r"+PONG\r\n+OK\r\n"),
        (b"HELLO 4\r\n", r"-NOPROTO unsupported protocol version\r\n"),
        (b"*2\r\n$3\r\nGET\r\n", ""),
    ] {
        assert_eq!(stage.raw(request).await, answered, "{}", request.escape_ascii());
    }
}

#[tokio::test]
async fn faults_strike_commands_on_values_and_are_recorded() {
    let mut stage = Stage::up().await;
    let mut client = stage.client("").await;
    let place = json!({"service": {"name": "redis", "operation": "GET"}});
    stage.strike(json!({"name": "busy", "place": place, "share": 1.0, "kind": {"error": {"type": "LOADING", "message": "not yet"}}}));
    let began = Instant::now();
    let error = loop {
        match ask(&mut client, "GET a").await {
            Err(error) => break error,
            Ok(found) => assert!(found == Value::Nil && began.elapsed() < Duration::from_secs(20), "the plan was never in force"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(error.code() == Some("LOADING") && error.to_string().contains("not yet"), "{error}");
    // Neither another operation nor a command about the connection is struck.
    assert_eq!(ask(&mut client, "SET a 1").await.unwrap(), Value::Okay);
    let _another = stage.client("").await;
    assert_eq!(ask(&mut client, "GET a").await.unwrap_err().code(), Some("LOADING"));
    let mut struck = 0;
    while let Ok(entry) = stage.ledger.try_recv() {
        for eligible in entry.eligible() {
            assert_eq!((eligible.fault.as_str(), eligible.place.as_str(), &eligible.root), ("busy", "redis:GET", &None));
            struck += 1;
        }
    }
    assert_eq!(struck, 2);
}
