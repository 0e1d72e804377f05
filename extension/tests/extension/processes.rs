//! What the extension does to processes: it kills a runtime that is a separate process, fails and
//! delays its start, and starts and ends the processes that use up CPU, memory and disk.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::{Extension, NEXT, Platform, event, fault, plan, response, until};
use extension::runtime_process::{parent, processes};
use faults::ledger::Started;
use faults::{Arm, Entry, Identity, Plan};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);
const RUNTIME_API: &str = "TEST_RUNTIME_API";

/// Not a test: what [`RuntimeProcess`] runs. It answers every event except those that contain
/// `hang`.
#[test]
fn runtime_process() {
    let Ok(address) = std::env::var(RUNTIME_API) else { return };
    let mut stream = TcpStream::connect(address).unwrap();
    loop {
        stream.write_all(NEXT).unwrap();
        let event = read(&mut stream);
        let id = event.split("Lambda-Runtime-Aws-Request-Id: ").nth(1).unwrap().lines().next().unwrap();
        if event.ends_with("hang") {
            std::thread::sleep(Duration::from_secs(600));
        }
        stream.write_all(&response(id, b"done")).unwrap();
        read(&mut stream);
    }
}

/// Reads a message with a content length.
fn read(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with("\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        text.push(byte[0] as char);
    }
    let length = text.split("Content-Length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    text + &String::from_utf8(body).unwrap()
}

/// A runtime in a separate process, killed on drop.
struct RuntimeProcess(Child);

impl Drop for RuntimeProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl RuntimeProcess {
    fn start(extension: &Extension) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::runtime_process", "--exact"])
            .env(RUNTIME_API, extension.listen.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    async fn is_killed(&mut self) -> bool {
        until("the runtime ends", || self.0.try_wait().unwrap()).await.signal() == Some(9)
    }

    fn lives(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

async fn started(faults: &[String], variables: &[(&str, &str)]) -> (Arc<Platform>, Extension) {
    let platform = Platform::start().await;
    let extension = Extension::start_with(&platform, Some(&format!("json:{}", plan(1, 60_000, faults))), variables).await;
    (platform, extension)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_is_killed_before_in_the_middle_and_after() {
    for (kind, body, action) in [
        (r#"{"kill":{"at":"before"}}"#, "{}", "kill-before"),
        (r#"{"kill":{"at":{"middle":"50ms"}}}"#, "hang", "kill-middle"),
        (r#"{"kill":{"at":"after"}}"#, "{}", "kill-after"),
    ] {
        let (platform, extension) = started(&[fault("kill", 1.0, kind)], &[]).await;
        let mut runtime = RuntimeProcess::start(&extension);
        until("the runtime asks", || (!platform.nexts.lock().unwrap().is_empty()).then_some(())).await;
        let began = Instant::now();
        platform.send(event("a", ROOT, LONG, body.as_bytes()));
        assert!(runtime.is_killed().await, "{action}");
        assert!(action != "kill-middle" || began.elapsed() >= Duration::from_millis(50), "{:?}", began.elapsed());
        let lines = extension.eligible("a", 1).await;
        assert_eq!((lines.len(), lines[0].action.as_str(), lines[0].done), (1, action, true));
        assert_eq!(platform.received_count(), 0, "{action}: the platform hears nothing");
        // The next runtime of the environment gets the next event, and not the one that died.
        let mut next = RuntimeProcess::start(&extension);
        platform.send(event("b", ROOT, LONG, body.as_bytes()));
        assert!(next.is_killed().await, "{action}");
        assert_eq!(extension.eligible("b", 1).await[0].action.as_str(), action);
        assert_eq!(extension.eligible("a", 1).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_answers_in_time_is_not_killed() {
    let (platform, extension) = started(&[fault("kill", 1.0, r#"{"kill":{"at":{"middle":"10m"}}}"#)], &[]).await;
    let mut runtime = RuntimeProcess::start(&extension);
    for id in ["a", "b"] {
        platform.send(event(id, ROOT, LONG, b"{}"));
        assert_eq!(platform.answer_to(id).await.body, b"done");
        assert!(!extension.eligible(id, 1).await[0].done);
    }
    assert!(runtime.lives());
}

fn environment(faults: &[String], arm: Arm) -> String {
    let plan = Plan::read(plan(1, 60_000, faults).as_bytes()).unwrap();
    let is = |name: &String| plan.decide_start("f", Identity(name))[0].arm == arm;
    (0..).map(|n| format!("2026/11/24/[$LATEST]{n:032x}")).find(is).unwrap()
}

async fn start_line(extension: &Extension) -> Started {
    let find = |entry| if let Entry::Started(line) = entry { Some(line) } else { None };
    until("the start's line", || extension.entries().into_iter().find_map(find)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_start_holds_the_first_next_of_every_poller_and_no_other() {
    let faults = [fault("slow", 0.5, r#"{"init":{"slow":"300ms"}}"#)];
    for (arm, action) in [(Arm::Treatment, "slow-start"), (Arm::Control, "pass")] {
        let name = environment(&faults, arm);
        let (platform, extension) = started(&faults, &[("AWS_LAMBDA_LOG_STREAM_NAME", &name)]).await;
        let (mut one, mut two) = (extension.connect().await, extension.connect().await);
        platform.send(event("a", ROOT, LONG, b"{}"));
        platform.send(event("b", ROOT, LONG, b"{}"));
        let began = Instant::now();
        let (first, _) = tokio::join!(one.next(), two.next());
        let took = began.elapsed();
        let line = start_line(&extension).await;
        assert_eq!((line.environment.as_str(), line.arm, line.action.as_str(), line.done), (name.as_str(), arm, action, true));
        let held = Duration::from_micros(line.waited_us);
        assert_eq!(held >= Duration::from_millis(300), arm == Arm::Treatment, "{held:?}");
        assert!(arm == Arm::Control || took >= Duration::from_millis(300), "{took:?}");
        one.respond(first.header("Lambda-Runtime-Aws-Request-Id").unwrap(), b"{}").await;
        platform.send(event("c", ROOT, LONG, b"{}"));
        one.next().await;
        let lines = extension.entries().into_iter().filter(|entry| matches!(entry, Entry::Started(_))).count();
        assert_eq!(lines, 1);
        assert!(!extension.entries().iter().any(|entry| matches!(entry, Entry::Decided(_))));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_start_posts_an_init_error_and_kills_the_runtime() {
    let faults = [fault("fail", 0.5, r#"{"init":{"failed":{"type":"Brownout.Init","message":"no"}}}"#)];
    for arm in [Arm::Treatment, Arm::Control] {
        let name = environment(&faults, arm);
        let (platform, extension) = started(&faults, &[("AWS_LAMBDA_LOG_STREAM_NAME", &name)]).await;
        let mut runtime = RuntimeProcess::start(&extension);
        if arm == Arm::Treatment {
            assert!(runtime.is_killed().await);
            let posted = platform.received(0).await;
            assert_eq!(posted.path(), "/2018-06-01/runtime/init/error");
            assert_eq!(posted.header("Lambda-Runtime-Function-Error-Type"), Some("Brownout.Init"));
            assert_eq!(posted.body, br#"{"errorMessage":"no","errorType":"Brownout.Init","stackTrace":[]}"#);
            assert!(platform.nexts.lock().unwrap().is_empty());
        } else {
            platform.send(event("a", ROOT, LONG, b"{}"));
            assert_eq!(platform.answer_to("a").await.body, b"done");
        }
        let line = start_line(&extension).await;
        assert_eq!((line.arm, line.done, line.action.as_str()), (arm, true, if arm == Arm::Treatment { "fail-start" } else { "pass" }));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_environment_without_a_name_starts_untouched_and_that_is_noted() {
    let (platform, extension) = started(&[fault("slow", 1.0, r#"{"init":{"slow":"10m"}}"#)], &[("AWS_LAMBDA_LOG_STREAM_NAME", "")]).await;
    platform.send(event("a", ROOT, LONG, b"{}"));
    extension.connect().await.next().await;
    let said = || extension.notes().iter().any(|note| note.contains("AWS_LAMBDA_LOG_STREAM_NAME")).then_some(());
    until("it is said that there is no name", said).await;
}

/// The processes that the extension has started.
fn load_processes(extension: u32) -> Vec<u32> {
    processes().filter(|number| parent(*number) == Some(extension) && is_alive(*number)).collect()
}

fn is_alive(number: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn resident(number: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{number}/status")).unwrap();
    let kib: u64 = status.split("VmRSS:").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap();
    kib << 10
}

fn largest_file(number: u32) -> u64 {
    let files = std::fs::read_dir(format!("/proc/{number}/fd")).unwrap().flatten();
    files
        .filter_map(|entry| std::fs::metadata(entry.path()).ok())
        .filter(std::fs::Metadata::is_file)
        .map(|file| file.len())
        .max()
        .unwrap_or(0)
}

const PRESSURE: &str = r#"{"resource":{"cpu-threads":1,"memory-mib":48,"tmp-mib":9,"time":"60s"}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_are_held_while_the_handler_runs_and_released_before_its_answer_is_passed_on() {
    let (platform, extension) = started(&[fault("pressure", 1.0, PRESSURE)], &[]).await;
    let mut runtime = extension.connect().await;
    for id in ["a", "b"] {
        platform.send(event(id, ROOT, LONG, b"{}"));
        runtime.next().await;
        let running = load_processes(extension.child.id());
        assert_eq!(running.len(), 1);
        assert!(resident(running[0]) >= 48 << 20);
        assert_eq!(largest_file(running[0]), 9 << 20);
        runtime.respond(id, b"{}").await;
        assert_eq!(load_processes(extension.child.id()), Vec::<u32>::new());
        assert!(!std::path::Path::new(&format!("/proc/{}", running[0])).exists(), "it is reaped");
        let line = &extension.eligible(id, 1).await[0];
        assert_eq!((line.action.as_str(), line.done), ("press", true));
    }
    let left: Vec<_> = std::fs::read_dir(extension.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 1, "only the ready file: {left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resources_are_released_when_the_extension_or_the_runtime_dies_or_the_time_is_up() {
    for end in ["extension", "runtime", "time"] {
        let pressure = if end == "time" { PRESSURE.replace("60s", "1s") } else { PRESSURE.to_owned() };
        let (platform, mut extension) = started(&[fault("pressure", 1.0, &pressure)], &[]).await;
        let runtime = RuntimeProcess::start(&extension);
        platform.send(event("a", ROOT, LONG, b"hang"));
        let running = until("a load process runs", || load_processes(extension.child.id()).first().copied()).await;
        match end {
            "extension" => extension.child.kill().unwrap(),
            "runtime" => drop(runtime),
            _ => (),
        }
        until(&format!("it ends with the {end}"), || (!is_alive(running)).then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_used_than_the_function_has_left_and_no_more_than_four_processes_at_once() {
    let pressure = r#"{"resource":{"memory-mib":10240,"time":"60s"}}"#;
    let (platform, extension) = started(&[fault("pressure", 1.0, pressure)], &[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "160")]).await;
    // In a separate process: memory that other tests of this process use is not the function's.
    let _runtime = RuntimeProcess::start(&extension);
    platform.send(event("a", ROOT, LONG, b"hang"));
    let notes = until("it is said", || Some(extension.notes()).filter(|notes| !notes.is_empty())).await;
    assert!(notes[0].contains("no more left"), "{notes:?}");
    let running = load_processes(extension.child.id());
    let held = resident(running[0]);
    assert!((8 << 20..(160 - 16) << 20).contains(&held), "{held}");

    let (platform, extension) = started(&[fault("pressure", 1.0, r#"{"resource":{"tmp-mib":1}}"#)], &[]).await;
    let mut runtimes = Vec::new();
    for n in 0..5 {
        platform.send(event(&format!("i{n}"), ROOT, LONG, b"{}"));
        let mut runtime = extension.connect().await;
        runtime.next().await;
        runtimes.push(runtime);
    }
    assert_eq!(load_processes(extension.child.id()).len(), 4);
    for (n, runtime) in runtimes.iter_mut().enumerate() {
        runtime.respond(&format!("i{n}"), b"{}").await;
        assert_eq!(extension.eligible(&format!("i{n}"), 1).await[0].done, n < 4, "{n}");
    }
    assert_eq!(load_processes(extension.child.id()), Vec::<u32>::new());
}
