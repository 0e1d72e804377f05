//! `brownout load`: load alone to a URL or to the addresses of a file, with the verdicts of every run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::support::{self, BROWNOUT};
use crate::verdicts::server::{Answer, Answers, Server};
use serde_json::Value;

const WELL: Answers = Answers::Always(Answer::Now(200));
const SHORT: [&str; 4] = ["--warm-up", "1s", "--for", "4s"];

struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
    folder: tempfile::TempDir,
}

impl Outcome {
    fn result(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.path().join("result.json"));
        serde_json::from_str(&text.unwrap_or_else(|error| panic!("{error}\n{}", self.stderr))).unwrap()
    }

    #[track_caller]
    fn says(&self, code: i32, verdict: &str, sentence: &str) {
        let result = self.result();
        assert_eq!((self.code, result["verdict"].as_str()), (code, Some(verdict)), "{}\n{}", self.stderr, self.stdout);
        assert!(result["sentence"].as_str().unwrap().contains(sentence), "`{}` does not say `{sentence}`", result["sentence"]);
    }
}

/// Runs `brownout load` beside others: latency is not judged finely here.
fn load(arguments: &[&str]) -> Outcome {
    let _turn = support::Share::Place.take();
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(BROWNOUT).arg("load").args(arguments).arg("--out").arg(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome { code: output.status.code().unwrap(), stdout: text(&output.stdout), stderr: text(&output.stderr), folder }
}

fn load_file(text: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    std::fs::write(&file, text).unwrap();
    load(&[file.to_str().unwrap()])
}

#[test]
fn one_url_gets_its_table_its_files_and_a_verdict() {
    let server = Server::start(WELL);
    let outcome =
        load(&[&[server.url().as_str(), "--rate", "100/s", "--p99", "<= 5s", "-H", "authorization: s3cret"][..], &SHORT].concat());
    outcome.says(0, "held", "Every aim held.");
    // On a busy machine an arrival of the warm-up may begin after it.
    assert!(outcome.stdout.starts_with("rate      100.0/s asked, "), "{}", outcome.stdout);
    for line in ["requests  400 sent, 400 ok", "statuses  200: 400", "errors    0"] {
        assert!(outcome.stdout.lines().any(|found| found == line), "{line}\n{}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("p99.9") && outcome.stdout.contains("report: "), "{}", outcome.stdout);
    let result = outcome.result();
    assert_eq!(result["experiment"]["kind"], "load");
    assert_eq!(result["endings"]["statuses"]["200"], 400);
    let phases = result["phases"].as_array().unwrap();
    assert_eq!((phases.len(), phases[0]["to_s"].as_f64()), (1, Some(4.0)));
    for file in ["result.json", "summary.md", "junit.xml", "report.html", "latency.hlog"] {
        let text = std::fs::read_to_string(outcome.folder.path().join(file)).unwrap();
        assert!(!text.contains("s3cret"), "{file} has the header's value");
        let is_read = ["summary.md", "junit.xml"].contains(&file);
        assert!(!is_read || !text.contains("struck"), "{file} speaks of faults");
    }
}

#[test]
fn finished_runs_are_compared_and_kept_in_a_history() {
    let server = Server::start(WELL);
    let run = load(&[&[server.url().as_str(), "--rate", "50/s"][..], &SHORT].concat());
    let folder = run.folder.path();
    let history = folder.join("history.ndjson");
    let compare = |arguments: &[&std::ffi::OsStr]| {
        let output = Command::new(BROWNOUT).arg("compare").args(arguments).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    };
    let append = std::ffi::OsString::from(format!("--append={}", history.display()));
    for run in [folder.to_owned(), folder.join("result.json")] {
        let (code, out, err) = compare(&[folder.as_ref(), run.as_ref(), &append]);
        // One block of 5 s is too little to see how blocks differ.
        assert_eq!(code, 4, "{out}{err}");
        assert!(out.starts_with("# not shown") && out.contains("needs 15 s more in the shorter run"), "{out}");
    }
    let (code, out, err) = compare(&["--history".as_ref(), history.as_ref()]);
    assert_eq!((code, out.lines().filter(|line| line.contains("| held |")).count()), (0, 2), "{out}{err}");
    for (arguments, says) in [
        (&[folder.as_os_str()][..], "two runs are compared, and 1 given"),
        (&[folder.as_ref(), "nowhere".as_ref()], "there is no run `nowhere`"),
        (&["--history".as_ref(), folder.join("latency.hlog").as_os_str()], "line 1 is not a run of a history"),
    ] {
        let (code, _, err) = compare(arguments);
        assert!(code == 2 && err.contains(says), "{err}");
    }
}

#[test]
fn a_server_that_is_wrong_is_broken_and_one_that_is_too_little_known_is_not_shown() {
    let bad = Server::start(Answers::Always(Answer::Now(502)));
    let well = Server::start(WELL);
    let to = |url: &str, more: &[&str]| load(&[&[url, "--rate", "40/s"][..], &SHORT, more].concat());
    let turning = || Answers::Turning { well: Answer::Now(200), after: Duration::from_secs(3), then: Answer::Now(503) };
    std::thread::scope(|scope| {
        let dead = scope.spawn(|| to(&bad.url(), &["--p99", "<= 1s"]));
        // No server listens at port 1.
        let closed = scope.spawn(|| to("http://127.0.0.1:1/", &[]));
        let half = scope.spawn(|| to(&Server::start(turning()).url(), &[]));
        let few = scope.spawn(|| to(&well.url(), &["--p99", "<= 1s"]));
        let slow = scope
            .spawn(|| to(&Server::start(Answers::Always(Answer::After(Duration::from_millis(300), 200))).url(), &["--p50", "<= 100ms"]));
        dead.join().unwrap().says(3, "broken", "in the measured phase `");
        let closed = closed.join().unwrap();
        closed.says(3, "broken", "served none of its 160 requests");
        assert!(closed.stdout.contains("errors    160 no connection"), "{}", closed.stdout);
        half.join().unwrap().says(3, "broken", "should keep errors at most ");
        let few = few.join().unwrap();
        few.says(4, "not-shown", "needs 208 more requests");
        assert!(few.stderr.contains("p99 of `") && few.stderr.contains("make the measured phase"), "{}", few.stderr);
        slow.join().unwrap().says(3, "broken", "should keep p50 at most 100ms");
    });
}

#[test]
fn a_generator_that_cannot_keep_up_is_never_green() {
    let server = Server::start(Answers::Always(Answer::After(Duration::from_millis(500), 200)));
    // 40 users of half a second a request send 80 a second, of 400.
    let outcome = load_file(&format!(
        "[phases]\nwarm-up = \"1s\"\nmeasured = \"4s\"\n[load]\nlongest-journey = \"100ms\"\n\
         [[load.requests]]\nof = \"shop GET /\"\nurl = \"{}\"\nrate = \"400/s\"\n",
        server.url()
    ));
    outcome.says(4, "not-shown", "the load generator was saturated");
}

#[test]
fn a_file_with_a_journey_and_stages_is_sent_as_written() {
    let server = Server::start(WELL);
    let outcome = load_file(&format!(
        "[phases]\nwarm-up = \"1s\"\n[[journey]]\nname = \"buy\"\nurl = \"{}\"\n\
         stages = [{{ to = \"40/s\", over = \"1s\" }}, {{ hold = \"2s\" }}, {{ to = \"0/s\", over = \"2s\" }}]\n\
         [[journey.request]]\nname = \"place\"\npost = \"/orders\"\nbody = \"\"\n[[journey.request]]\nname = \"look\"\nget = \"/orders/1\"\n\
         [[expect]]\nof = \"buy look\"\np50 = \"<= 5s\"\n",
        server.url()
    ));
    outcome.says(0, "held", "Every aim");
    // 2 s of 40/s and 2 s down from there: 120 journeys of two requests. On a busy machine those of the warm-up are late.
    let sent = outcome.result()["books"]["sent"].as_u64().unwrap();
    assert!((230..=260).contains(&sent), "{sent}");
}

#[test]
fn a_file_is_checked_as_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.toml");
    let text = "[phases]\nmeasured = \"9s\"\n[[load.requests]]\nof = \"shop GET /\"\nurl = \"https://shop.example.com/\"\nrate = \"9/s\"\n";
    std::fs::write(&file, text).unwrap();
    let output = Command::new(BROWNOUT).arg("check").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ok: Does `shop` serve this load?"));
}

#[test]
fn an_experiment_is_refused_with_the_command_that_runs_it_and_nothing_is_written() {
    let text =
        "question = \"?\"\nsystems = [\"clinic\"]\n[load]\nclinic = { rate = \"9/s\" }\n[[fault]]\nfunction = \"authorizer\"\nerror = {}\n";
    let outcome = load_file(text);
    assert_eq!(outcome.code, 2);
    for part in ["`systems`", "`[[fault]]`"] {
        assert!(outcome.stderr.contains(&format!("a file with {part} is for `brownout run`")), "{}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("2 complaints; nothing was started"), "{}", outcome.stderr);
    assert!(!Path::new(&outcome.folder.path().join("latency.hlog")).exists());
}

#[test]
fn the_first_byte_of_a_stream_is_an_endpoint_of_its_own() {
    let between = Duration::from_millis(400);
    let server = Server::start(Answers::Always(Answer::InParts(between)));
    let outcome = load_file(&format!(
        "[phases]\nwarm-up = \"1s\"\nmeasured = \"4s\"\n[[journey]]\nname = \"chat\"\nurl = \"{}\"\nrate = \"20/s\"\n\
         [[journey.request]]\nname = \"ask\"\nget = \"/\"\nfirst-byte = true\n\
         [[expect]]\nof = \"chat ask first byte\"\np50 = \"<= 10s\"\n",
        server.url().trim_end_matches('/')
    ));
    outcome.says(0, "held", "Every aim held.");
    let result = outcome.result();
    let p50 = |of: &str| {
        let endpoints = result["endpoints"].as_array().unwrap();
        let endpoint = endpoints.iter().find(|row| row["endpoint"] == of).unwrap_or_else(|| panic!("{of}: {result}"));
        assert_eq!(endpoint["requests"], 80, "{of}");
        Duration::from_micros(endpoint["quantiles"][0]["us"].as_u64().unwrap())
    };
    let (whole, first) = (p50("chat ask"), p50("chat ask first byte"));
    assert!(whole >= between && first < whole, "{first:?} of {whole:?}");
    assert_eq!(result["books"]["answered"], 80, "each is one request");
}

#[test]
fn a_compressed_answer_is_read_like_any_other() {
    let server = Server::start(Answers::Always(Answer::Compressed));
    let outcome = load_file(&format!(
        "[phases]\nwarm-up = \"1s\"\nmeasured = \"3s\"\n[[journey]]\nname = \"buy\"\nurl = \"{}\"\nrate = \"20/s\"\n\
         [[journey.request]]\nname = \"look\"\nget = \"/\"\nheaders = {{ Accept-Encoding = \"gzip\" }}\n\
         expect = {{ json = {{ \"/state\" = \"PLACED\" }} }}\n",
        server.url().trim_end_matches('/')
    ));
    outcome.says(0, "held", "");
}
