//! `--otlp`: what an OpenTelemetry collector gets of a run, and that a bad collector disturbs none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::support::{BROWNOUT, Share};
use crate::verdicts::server::{Answer, Answers, Server};

/// A message: its head, and its body.
type Message = (String, String);

/// A collector that answers each message with this status, until it is dropped.
struct Collector {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Message>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&got);
        let thread = std::thread::spawn(move || {
            // One connection after the other: a sender has one. An empty one is the end.
            while let Ok((stream, _)) = listener.accept() {
                let mut messages = 0;
                let mut reader = BufReader::new(stream);
                while let Some(message) = message(&mut reader) {
                    into.lock().unwrap().push(message);
                    messages += 1;
                    let answer = format!("HTTP/1.1 {status} Told\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}");
                    let _ = reader.get_mut().write_all(answer.as_bytes());
                }
                if messages == 0 {
                    return;
                }
            }
        });
        Self { address, got, thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn messages(&self) -> Vec<Message> {
        self.got.lock().unwrap().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(TcpStream::connect(self.address));
        let _ = self.thread.take().unwrap().join();
    }
}

fn message(reader: &mut BufReader<TcpStream>) -> Option<Message> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok())?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).ok()?))
}

/// A short load whose series go to a collector: the exit code, what it said, and `result.json`.
fn load(collector: &Collector, server: &Server) -> (Option<i32>, String, Value) {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = Command::new(BROWNOUT);
    command.args(["load", &server.url(), "--rate", "50/s", "--warm-up", "1s", "--for", "6s", "--otlp", &collector.url(), "--out"]);
    command.arg(&out).env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b").env("OTEL_SERVICE_NAME", "nightly").stdin(Stdio::null());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let result = std::fs::read_to_string(out.join("result.json")).expect(&said);
    (output.status.code(), said, serde_json::from_str(&result).unwrap())
}

/// The sum of the counts of an outcome in a message.
fn requests(message: &Value, outcome: &str) -> u64 {
    let metrics = message["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let requests = metrics.iter().find(|metric| metric["name"] == "brownout_requests").unwrap();
    let points = requests["sum"]["dataPoints"].as_array().unwrap();
    let is_of = |point: &&Value| point["attributes"].as_array().unwrap().iter().any(|label| label["value"]["stringValue"] == outcome);
    points.iter().filter(is_of).map(|point| point["asInt"].as_str().unwrap().parse::<u64>().unwrap()).sum()
}

/// Parses each line of standard input as OpenTelemetry's own types have it, and prints how many data points it has.
const AS_PUBLISHED: &str = "
import sys
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
for line in sys.stdin:
    request = json_format.Parse(line, ExportMetricsServiceRequest())
    metrics = request.resource_metrics[0].scope_metrics[0].metrics
    print(sum(len(getattr(metric, metric.WhichOneof('data')).data_points) for metric in metrics))
";

fn points_as_published(messages: &[Message]) -> Vec<u64> {
    let mut python = Command::new("python3").args(["-c", AS_PUBLISHED]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines: String = messages.iter().map(|(_, body)| format!("{body}\n")).collect();
    python.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
fn a_collector_gets_the_books_of_the_result() {
    let _turn = Share::Place.take();
    let (collector, server) = (Collector::start(200), Server::start(Answers::Always(Answer::Now(200))));
    let (code, said, result) = load(&collector, &server);
    assert!(code.is_some_and(|code| [0, 4].contains(&code)) && !said.contains("collector"), "{said}");
    let messages = collector.messages();
    assert!(messages.len() >= 2, "{}", messages.len());
    for (head, body) in &messages {
        assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n") && head.to_lowercase().contains("api-key: a b\r\n"), "{head}");
        assert!(body.contains(r#"{"key":"service.name","value":{"stringValue":"nightly"}}"#), "{body}");
    }
    let last: Value = serde_json::from_str(&messages.last().unwrap().1).unwrap();
    let booked = result["books"]["answered"].as_u64().unwrap();
    assert!(booked > 0 && requests(&last, "answered") == booked, "{booked} of {last}");
    assert_eq!(requests(&last, "failed"), result["books"]["failed"].as_u64().unwrap());
    let mut types = Command::new("python3");
    types.args(["-c", "import opentelemetry.proto.collector.metrics.v1.metrics_service_pb2"]).stderr(Stdio::null());
    if !types.status().is_ok_and(|status| status.success()) {
        println!("SKIPPED: python3 has no opentelemetry-proto");
        return;
    }
    let points = points_as_published(&messages);
    assert!(points.len() == messages.len() && points.iter().all(|count| *count > 10), "{points:?}");
}

#[test]
fn a_collector_that_refuses_is_told_of_and_the_run_goes_on() {
    let _turn = Share::Place.take();
    let (collector, server) = (Collector::start(503), Server::start(Answers::Always(Answer::Now(200))));
    let (code, said, result) = load(&collector, &server);
    assert!(code.is_some_and(|code| [0, 4].contains(&code)) && result["books"]["answered"].as_u64().unwrap() > 0, "{said}");
    let note = format!("messages to the collector at {}/v1/metrics failed, the last of them: it answered 503", collector.url());
    assert!(said.contains(&note), "{said}");
}

#[test]
fn a_collector_that_cannot_be_understood_stops_the_command_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let output =
        Command::new(BROWNOUT).args(["load", "http://127.0.0.1:9/", "--rate", "5/s", "--otlp", "collector", "--out"]).arg(&out).output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("`--otlp` is `collector`") && !out.exists(), "{said}");
}
