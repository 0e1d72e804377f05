//! The fetcher program: it may be missing, killed or throttled, and it ends with the extension.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::plan_sources::service::{self, Content, Kind, Service};
use crate::plan_sources::{Bench, plan};
use crate::support::{PATIENCE, until};

/// Its path: the extension finds it in its own folder.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_brownout-extension")).with_file_name("brownout-plan-fetcher")
}

pub fn must_be_built() {
    assert!(program().exists(), "{} is not built: `cargo test --release --workspace` builds it", program().display());
}

/// The fetchers that this extension has started.
fn children(of: u32) -> Vec<Pid> {
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_child = |process: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let mut behind_name = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        // The state, then the parent.
        behind_name.next() != Some("Z") && behind_name.next() == Some(&of.to_string())
    };
    processes.filter(is_child).filter_map(Pid::from_raw).collect()
}

async fn child_of(bench: &Bench) -> Pid {
    until("a fetcher runs", || children(bench.extension.child.id()).first().copied()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetcher_that_is_killed_is_started_again() {
    let mut bench = Bench::remote(Kind::Parameter, plan("r", 1, 60_000, true)).await;
    bench.until_struck(true).await;
    let first = child_of(&bench).await;
    kill_process(first, Signal::KILL).unwrap();
    bench.put(plan("r", 2, 60_000, false));
    bench.until_struck(false).await;
    assert_ne!(child_of(&bench).await, first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetcher_that_is_stopped_delays_nothing_and_the_lease_ends_its_plan() {
    let mut bench = Bench::remote(Kind::Object, plan("r", 1, 3_000, true)).await;
    bench.until_struck(true).await;
    kill_process(child_of(&bench).await, Signal::STOP).unwrap();
    bench.until_struck(false).await;
    bench.noted("the lease of plan 1 of run `r` is over").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetcher_ends_with_its_extension_for_any_reason() {
    for killed in [true, false] {
        let mut bench = Bench::remote(Kind::Object, Content::Hangs).await;
        let fetcher = child_of(&bench).await;
        if killed {
            bench.extension.child.kill().unwrap();
        } else {
            bench.platform.shut_down();
        }
        bench.extension.exit_code().await;
        until("the fetcher has ended", || test_kill_process(fetcher).is_err().then_some(())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_fetcher_is_noted_once_and_events_pass() {
    let service = Service::start(Kind::Parameter, Content::Absent).await;
    let (setting, mut variables) = service.setting();
    variables.push(("BROWNOUT_PLAN_FETCHER", "/nowhere/plan-fetcher".to_owned()));
    let mut bench = Bench::start(Some(setting), &variables, None).await;
    bench.noted("the program that fetches the plan cannot be started").await;
    assert!(!bench.is_struck().await);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(bench.extension.notes().len(), 1, "{:?}", bench.extension.notes());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_down_is_noted_once_and_read_when_it_is_back() {
    // A port that was free just before.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for setting in ["ssm:/brownout/plan", "s3://plans/run/plan.json", "appconfig:my app/prod/faults"] {
        let mut bench = Bench::start(Some(setting), &service::variables(address), None).await;
        assert!(!bench.is_struck().await, "{setting}");
        bench.noted("a plan in force ends with its lease").await;
        assert_eq!(bench.extension.notes().len(), 1, "{setting}: {:?}", bench.extension.notes());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_throttles_is_called_less_often_and_the_plan_lasts_as_long_as_its_lease() {
    let mut bench = Bench::remote(Kind::Parameter, plan("r", 1, 8_000, true)).await;
    bench.until_struck(true).await;
    bench.put(Content::Throttles);
    bench.noted("the plan's service throttles the requests; a plan in force ends with its lease").await;
    let service = bench.service.clone().unwrap();
    // After two throttled readings, the next one is 6 s away instead of 1.5 s.
    let (asked, began) = (service.asked.load(Ordering::SeqCst), Instant::now());
    until("it is asked again", || (service.asked.load(Ordering::SeqCst) > asked).then_some(())).await;
    assert!(began.elapsed() > Duration::from_secs(2) && began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    bench.until_struck(false).await;
}
