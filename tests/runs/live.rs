//! `--live`: what a browser and Prometheus read while a run goes on, and that they never disturb it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::openmetrics::{Metrics, read};
use crate::support::{self, BROWNOUT};
use crate::verdicts::server::{Answer, Answers, Server};

/// A command under way; ended when dropped.
struct Running {
    child: Child,
    address: String,
    said: Option<JoinHandle<String>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    /// Starts the command with `--live`, and waits until it says where.
    fn start(arguments: &[&str], out: &Path) -> Self {
        let mut command = Command::new(BROWNOUT);
        command.args(arguments).arg("--out").arg(out).arg("--live");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        let (mut said, mut address) = (String::new(), String::new());
        while address.is_empty() {
            let mut line = String::new();
            assert!(errors.read_line(&mut line).unwrap() > 0, "it ended without an address: {said}");
            address = line.trim().strip_prefix("live: http://").unwrap_or_default().trim_end_matches('/').to_owned();
            said.push_str(&line);
        }
        let said = std::thread::spawn(move || {
            let _ = errors.read_to_string(&mut said);
            said
        });
        Self { child, address, said: Some(said) }
    }

    /// Begins a request.
    fn ask(&self, path: &str) -> Option<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address).ok()?;
        Some(stream)
    }

    /// The head and the body of an answer, if it comes whole.
    fn answer(&self, path: &str) -> Option<(String, String)> {
        let mut answer = String::new();
        self.ask(path)?.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok())?;
        (body.len() == length).then(|| (head.to_owned(), body.to_owned()))
    }

    /// The metrics until nothing listens any more: the last.
    fn metrics_to_the_end(&self) -> Metrics {
        let mut last = Metrics::default();
        let mut reads = 0;
        while let Some((head, body)) = self.answer("/metrics") {
            assert!(head.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
            let metrics = read(&body);
            metrics.has_risen_since(&last);
            last = metrics;
            reads += 1;
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(reads > 10, "{reads}");
        last
    }

    fn finish(&mut self) -> (Option<i32>, String) {
        let code = self.child.wait().unwrap().code();
        (code, self.said.take().unwrap().join().unwrap())
    }
}

#[test]
fn the_last_metrics_of_both_commands_are_the_books_of_the_result_also_beside_a_reader_that_takes_nothing() {
    let _turn = support::Share::Place.take();
    let server = Server::start(Answers::Turning { well: Answer::Now(200), after: Duration::from_secs(3), then: Answer::Now(503) });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, support::shop()).unwrap();
    let url = server.url();
    for (name, arguments) in [
        ("load", &["load", url.as_str(), "--rate", "50/s", "--warm-up", "1s", "--for", "4s"][..]),
        ("run", &["run", file.to_str().unwrap()]),
    ] {
        let out = folder.path().join(name);
        let mut running = Running::start(arguments, &out);
        let _taking_nothing = running.ask("/events").unwrap();
        let mut events = running.ask("/events").unwrap();
        let (_, page) = running.answer("/").unwrap();
        assert!(page.contains("new EventSource('/events')"), "{page}");
        let metrics = running.metrics_to_the_end();
        let (code, said) = running.finish();
        let result: Value = serde_json::from_str(&std::fs::read_to_string(out.join("result.json")).expect(&said)).unwrap();
        assert!(code.is_some_and(|code| [0, 3, 4].contains(&code)), "{code:?} {said}");
        assert_eq!(metrics.value("brownout_phase", "brownout_phase=ended"), Some(1.0), "{metrics:?}");
        for (outcome, book) in [("answered", "answered"), ("failed", "failed"), ("timed-out", "timed_out"), ("cancelled", "cancelled")] {
            let of_outcome = format!("outcome={outcome},");
            let booked = result["books"][book].as_u64().unwrap() as f64;
            assert_eq!(metrics.sum("brownout_requests_total", &of_outcome), booked, "{outcome} {metrics:?}");
            assert_eq!(metrics.sum("brownout_latency_seconds_count", &of_outcome), booked, "{outcome}");
        }
        assert!(result["books"]["answered"].as_u64().unwrap() > 0, "{result}");
        let mut text = String::new();
        events.read_to_string(&mut text).unwrap();
        let (facts, end) = text.split_once("event: end\n").unwrap();
        let last = facts.lines().filter_map(|line| line.strip_prefix("data: {\"")).next_back().unwrap_or_default().to_owned();
        assert!(end.contains(&format!("\"verdict\":{}", result["verdict"])), "{end}");
        assert!(last.contains("\"phase\":\"ended\""), "{last}");
    }
}

#[test]
fn an_address_that_cannot_be_used_stops_the_command_before_anything_is_sent_or_written() {
    let server = Server::start(Answers::Always(Answer::Now(200)));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let occupied = taken.local_addr().unwrap().to_string();
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url());
    let out = folder.path().join("out");
    for (live, says) in [
        (occupied.as_str(), format!("`--live` cannot listen on {occupied}: ")),
        ("0.0.0.0:9000", "other machines can reach 0.0.0.0:9000; write `127.0.0.1:9000`".to_owned()),
    ] {
        let mut command = Command::new(BROWNOUT);
        command.args(["load", &url, "--rate", "5/s", "--live", live, "--out"]).arg(&out);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&says), "{said}");
        assert!(!out.exists(), "{live}");
    }
}
