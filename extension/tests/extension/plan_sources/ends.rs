//! A plan has an end: no environment that starts after its writer's death, or is restored from a
//! snapshot, carries it out, from any source.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use faults::Entry;

use crate::plan_sources::service::{Content, Kind, Service};
use crate::plan_sources::{Bench, LONG, REMOTE};
use crate::support::{Extension, Platform, fault, unix_ms, until};

const HOUR: Duration = Duration::from_secs(3600);
const RESTORE: &[u8] = b"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: x\r\n\r\n";

/// A plan that strikes everything and has no end except its lease of a minute.
fn endless() -> String {
    let lost = fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#);
    format!(r#"{{"version":1,"run":"dead","sequence":1,"lease_ms":60000,"seed":7,"faults":[{lost}]}}"#)
}

/// The same with an end by the wall clock.
fn until_ms(end: SystemTime) -> String {
    endless().replace("\"seed\"", &format!("\"until_ms\":{},\"seed\"", unix_ms(end)))
}

/// A new environment on a source whose content has this age, by a clock that is some seconds fast.
async fn aged(kind: Kind, plan: String, age: Duration, fast: u64) -> Bench {
    let service = Service::start(kind, Content::Absent).await;
    service.put(Content::Plan(plan));
    service.age(age, fast);
    let (setting, variables) = service.setting();
    Bench::start(Some(setting), &variables, Some(Arc::clone(&service))).await
}

async fn is_untouched(bench: &mut Bench, why: &str) {
    bench.noted(why).await;
    assert!(!bench.is_struck().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_two_hour_old_plan_strikes_no_new_environment_under_any_clock_of_the_service() {
    crate::plan_sources::fetcher::must_be_built();
    for kind in REMOTE {
        for fast in [0, 86_400] {
            let mut bench = aged(kind, endless(), 2 * HOUR, fast).await;
            is_untouched(&mut bench, "the lease of plan 1 of run `dead` is over").await;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    std::fs::write(&path, endless()).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(SystemTime::now() - 2 * HOUR).unwrap();
    let mut bench = Bench::start(Some(&format!("file:{}", path.display())), &[], None).await;
    is_untouched(&mut bench, "the lease of plan 1 of run `dead` is over").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_environment_has_only_the_rest_of_the_lease() {
    crate::plan_sources::fetcher::must_be_built();
    let benches = REMOTE.map(|kind| async move {
        // A lease of a minute, of which 48 s are gone: if it began again, it would outlast this
        // test.
        let mut bench = aged(kind, endless(), Duration::from_secs(48), 0).await;
        bench.until_struck(true).await;
        bench.noted("the lease of plan 1 of run `dead` is over").await;
        assert!(!bench.is_struck().await);
    });
    for bench in benches.map(tokio::spawn) {
        bench.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_of_a_killed_run_has_expired_in_environments_that_start_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plan.json");
    let lost = fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#);
    std::fs::write(&path, crate::support::plan(1, 3_000, &[lost])).unwrap();
    let setting = format!("file:{}", path.display());
    let mut first = Bench::start(Some(&setting), &[], None).await;
    first.until_struck(true).await;
    first.until_struck(false).await;
    // Restarted as after a fault: the file is unchanged.
    for _ in 0..2 {
        let mut next = Bench::start(Some(&setting), &[], None).await;
        is_untouched(&mut next, "the lease of plan 1 of run `r` is over").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_without_any_end_strikes_nothing_and_a_plans_own_end_counts() {
    let service = Service::start(Kind::AppConfig, Content::Plan(endless())).await;
    let (appconfig, variables) = service.setting();
    let variable = format!("json:{}", endless());
    for (setting, variables) in [(appconfig, variables.as_slice()), (&variable, &[])] {
        let mut bench = Bench::start(Some(setting), variables, None).await;
        is_untouched(&mut bench, "the plan has no end").await;
    }
    for (end, strikes) in [(SystemTime::now() + HOUR, true), (SystemTime::now() - HOUR, false)] {
        let mut bench = Bench::start(Some(&format!("json:{}", until_ms(end))), &[], None).await;
        assert_eq!(bench.is_struck().await, strikes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_does_not_survive_in_a_snapshot() {
    crate::plan_sources::fetcher::must_be_built();
    for kind in REMOTE {
        let mut bench = aged(kind, until_ms(SystemTime::now() + HOUR), Duration::ZERO, 0).await;
        bench.until_struck(true).await;
        // The snapshot is taken here; when it is restored, the plan's source does not answer.
        bench.put(Content::Hangs);
        bench.runtime.ask(RESTORE).await;
        assert!(!bench.is_struck().await, "{kind:?}");
        bench.put(Content::Plan(until_ms(SystemTime::now() + HOUR)));
        bench.until_struck(true).await;
    }
}

/// Two environments that are restored from one snapshot: their processes have the same variables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn environments_of_one_snapshot_roll_for_their_starts_by_their_own_names() {
    let slow = fault("slow", 0.5, r#"{"init":{"slow":"1ms"}}"#);
    let plan = format!("json:{}", crate::support::plan(1, 60_000, &[slow]));
    for variables in [&[][..], &[("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[1]one")]] {
        let mut names = Vec::new();
        for _ in 0..3 {
            let platform = Platform::start().await;
            let extension = Extension::start_with(&platform, Some(&plan), variables).await;
            let mut runtime = extension.connect().await;
            runtime.ask(RESTORE).await;
            // The plan is read again outside the event path.
            tokio::time::sleep(Duration::from_secs(1)).await;
            platform.send(crate::plan_sources::event("a", crate::plan_sources::ROOT, LONG, b"{}"));
            runtime.next().await;
            let started =
                || extension.entries().into_iter().find_map(|entry| if let Entry::Started(line) = entry { Some(line) } else { None });
            let line = until("the start is told", started).await;
            assert!(line.environment.starts_with("restored-"), "{}", line.environment);
            names.push(line.environment);
        }
        names.dedup();
        assert_eq!(names.len(), 3, "{names:?}");
    }
}
