//! Every source of a plan with the real binaries: if it works its plan takes effect, and no failure
//! of it delays anything.
mod ends;
mod fetcher;
mod service;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use crate::support::{Extension, Platform, Runtime, event, fault, until};
use service::{Content, Kind, SECRET, Service};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
/// Longer than the longest time between two looks at a source that has nothing.
const LONG: Duration = Duration::from_secs(90);
const REMOTE: [Kind; 3] = [Kind::AppConfig, Kind::Parameter, Kind::Object];

/// An extension on one source, and both of its ends.
struct Bench {
    platform: Arc<Platform>,
    extension: Extension,
    runtime: Runtime,
    /// `None` for a file.
    service: Option<Arc<Service>>,
    events: usize,
}

impl Bench {
    async fn remote(kind: Kind, content: Content) -> Self {
        fetcher::must_be_built();
        let service = Service::start(kind, content).await;
        let (plan, variables) = service.setting();
        Self::start(Some(plan), &variables, Some(service)).await
    }

    async fn start(plan: Option<&str>, variables: &[(&'static str, String)], service: Option<Arc<Service>>) -> Self {
        let platform = Platform::start().await;
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let extension = Extension::start_with(&platform, plan, &variables).await;
        let runtime = extension.connect().await;
        Self { platform, extension, runtime, service, events: 0 }
    }

    fn put(&self, content: Content) {
        match (&self.service, content) {
            (Some(service), content) => service.put(content),
            (None, Content::Plan(plan)) => self.extension.write_plan(&plan),
            (None, Content::Garbage) => self.extension.write_plan(&SECRET.repeat(5_000_000 / SECRET.len())),
            (None, content) => panic!("a file cannot do that: {content:?}"),
        }
    }

    /// Sends one event through; returns whether it was struck, and checks that it is otherwise
    /// unchanged.
    async fn is_struck(&mut self) -> bool {
        self.events += 1;
        let id = format!("e{}", self.events);
        self.platform.send(event(&id, ROOT, Duration::from_secs(30), b"{}"));
        assert_eq!(self.runtime.next().await.body, b"{}");
        self.runtime.respond(&id, b"mine").await;
        let answer = self.platform.answer_to(&id).await;
        let struck = answer.path().ends_with("/error");
        assert!(struck || answer.body == b"mine");
        struck
    }

    async fn until_struck(&mut self, wanted: bool) {
        let began = std::time::Instant::now();
        while self.is_struck().await != wanted {
            assert!(began.elapsed() < LONG, "never struck: {wanted}; noted: {:?}", self.extension.notes());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits for a note that contains `part`.
    async fn noted(&self, part: &str) {
        let noted = || self.extension.notes().iter().any(|note| note.contains(part)).then_some(());
        until(&format!("it is noted: {part}"), noted).await;
    }

    /// Waits for two more looks at the source; then checks for exactly these notes, and for nothing
    /// that was planted.
    async fn only(&self, parts: &[&str]) {
        match &self.service {
            Some(service) => {
                let before = service.asked.load(Ordering::SeqCst);
                let began = std::time::Instant::now();
                while service.asked.load(Ordering::SeqCst) < before + 2 {
                    assert!(began.elapsed() < LONG, "the source is not asked again");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                assert_eq!(*service.problems.lock().unwrap(), Vec::<String>::new());
            }
            None => tokio::time::sleep(Duration::from_millis(600)).await,
        }
        let notes = self.extension.notes();
        assert!(notes.len() == parts.len() && notes.iter().zip(parts).all(|(note, part)| note.contains(part)), "{notes:?}, not {parts:?}");
        assert!(!notes.iter().any(|note| note.contains(SECRET)), "{notes:?}");
    }
}

fn plan(run: &str, sequence: u64, lease_ms: u64, strikes: bool) -> Content {
    let faults = if strikes { fault("lost", 1.0, r#"{"error":{"handler-runs":true}}"#) } else { String::new() };
    let until = crate::support::unix_ms(SystemTime::now()) + lease_ms;
    let head = format!(r#""version":1,"run":"{run}","sequence":{sequence},"lease_ms":{lease_ms},"until_ms":{until}"#);
    Content::Plan(format!(r#"{{{head},"seed":7,"faults":[{faults}]}}"#))
}

/// Runs the test for every polled source at the same time; `None` means a file.
async fn for_each<F: Future<Output = ()> + Send + 'static>(kinds: &[Option<Kind>], test: impl Fn(Option<Kind>) -> F) {
    let running: Vec<_> = kinds.iter().map(|kind| tokio::spawn(test(*kind))).collect();
    for one in running {
        one.await.unwrap();
    }
}

async fn for_all<F: Future<Output = ()> + Send + 'static>(
    content: fn() -> Content,
    test: impl Fn(Bench) -> F + Copy + Send + Sync + 'static,
) {
    let bench = move |kind| async move {
        let bench = match kind {
            Some(kind) => Bench::remote(kind, content()).await,
            None => {
                let bench = Bench::start(None, &[], None).await;
                if !matches!(content(), Content::Absent) {
                    bench.put(content());
                }
                bench
            }
        };
        test(bench).await;
    };
    for_each(&[None, Some(Kind::AppConfig), Some(Kind::Parameter), Some(Kind::Object)], bench).await;
}

async fn for_remote<F: Future<Output = ()> + Send + 'static>(
    content: fn() -> Content,
    test: impl Fn(Bench) -> F + Copy + Send + Sync + 'static,
) {
    let bench = move |kind: Option<Kind>| async move { test(Bench::remote(kind.unwrap(), content()).await).await };
    for_each(&REMOTE.map(Some), bench).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_strike_and_a_calm_and_a_newer_strike_take_effect_by_polling() {
    for_all(
        || Content::Absent,
        |mut bench| async move {
            assert!(!bench.is_struck().await);
            for (sequence, strikes) in [(1, true), (2, false), (3, true)] {
                bench.put(plan("r", sequence, 60_000, strikes));
                bench.until_struck(strikes).await;
            }
            if let Some(service) = bench.service.as_ref().filter(|service| service.setting().0.starts_with("s3:")) {
                let before = service.asked.load(Ordering::SeqCst);
                until("it is asked again", || (service.asked.load(Ordering::SeqCst) > before + 1).then_some(())).await;
                assert_eq!(service.carried.load(Ordering::SeqCst), 3, "an object that has not changed is not sent again");
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absent_plan_is_noted_once_and_ends_the_one_before() {
    for_remote(
        || Content::Absent,
        |mut bench| async move {
            assert!(!bench.is_struck().await);
            bench.noted("every event passes untouched").await;
            bench.only(&["every event passes untouched"]).await;
            bench.put(plan("r", 1, 60_000, true));
            bench.until_struck(true).await;
            bench.put(Content::Absent);
            bench.until_struck(false).await;
        },
    )
    .await;
    let mut nothing = Bench::start(Some(""), &[], None).await;
    assert!(!nothing.is_struck().await);
    nothing.only(&["no plan is set"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_hangs_delays_neither_listening_nor_any_event() {
    for content in [|| Content::Hangs, || Content::Stalls] {
        for_remote(content, |mut bench| async move {
            // It listens, or there would be no bench.
            let service = Arc::clone(bench.service.as_ref().unwrap());
            until("it is asked", || (service.asked.load(Ordering::SeqCst) > 0).then_some(())).await;
            assert!(!bench.is_struck().await);
            assert_eq!(bench.extension.notes(), Vec::<String>::new(), "the first look still hangs");
            // After three looks; the note comes at the second.
            while service.asked.load(Ordering::SeqCst) < 4 {
                assert!(!bench.is_struck().await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let notes = bench.extension.notes();
            assert!(notes.len() == 1 && notes[0].contains("a plan in force ends with its lease"), "{notes:?}");
            assert_eq!(*service.problems.lock().unwrap(), Vec::<String>::new());
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_in_force_outlives_a_source_that_begins_to_hang_until_its_lease_ends() {
    for_remote(
        || plan("r", 1, 12_000, true),
        |mut bench| async move {
            bench.until_struck(true).await;
            bench.put(Content::Hangs);
            bench.noted("a plan in force ends with its lease").await;
            assert!(bench.is_struck().await);
            bench.until_struck(false).await;
            bench.noted("the lease of plan 1 of run `r` is over").await;
            bench.put(plan("r", 2, 60_000, true));
            bench.until_struck(true).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_event_waits_for_a_slow_source_and_its_plan_takes_effect_later() {
    let late = || match plan("r", 1, 60_000, true) {
        Content::Plan(plan) => Content::Late(plan),
        other => other,
    };
    for_remote(late, |mut bench| async move {
        let service = Arc::clone(bench.service.as_ref().unwrap());
        until("it is asked", || (service.asked.load(Ordering::SeqCst) > 0).then_some(())).await;
        assert!(!bench.is_struck().await || service.carried.load(Ordering::SeqCst) > 0);
        bench.until_struck(true).await;
        bench.only(&[]).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_megabytes_of_garbage_are_noted_once_and_never_quoted() {
    for_all(
        || Content::Garbage,
        |mut bench| async move {
            assert!(!bench.is_struck().await);
            until("it is noted", || (!bench.extension.notes().is_empty()).then_some(())).await;
            assert!(!bench.is_struck().await);
            let absent = bench.extension.notes().iter().any(|note| note.contains("cannot be read"));
            let notes = if absent { vec!["cannot be read", "bytes"] } else { vec![""] };
            bench.noted(notes[notes.len() - 1]).await;
            bench.only(&notes).await;
            bench.put(plan("r", 1, 60_000, true));
            bench.until_struck(true).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_plan_stays_expired_while_the_source_still_has_it() {
    for_all(
        || plan("r", 1, 300, true),
        |mut bench| async move {
            bench.noted("the lease of plan 1").await;
            assert!(!bench.is_struck().await);
            let absent = bench.extension.notes().iter().any(|note| note.contains("cannot be read"));
            bench.only(if absent { &["cannot be read", "the lease of"] } else { &["the lease of"] }).await;
            assert!(!bench.is_struck().await);
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_plan_and_another_runs_plan_are_ignored_while_one_is_in_force() {
    for_all(
        || plan("r", 5, 60_000, false),
        |mut bench| async move {
            // A plan without faults cannot be seen in force; the newer one can.
            bench.put(plan("r", 6, 60_000, true));
            bench.until_struck(true).await;
            bench.put(plan("r", 4, 60_000, false));
            bench.noted("plan 4 of run `r` is older than plan 6").await;
            assert!(bench.is_struck().await);
            bench.put(plan("other", 9, 60_000, false));
            bench.noted("run `other` waits until the lease of run `r` is over").await;
            assert!(bench.is_struck().await);
            bench.put(plan("r", 7, 60_000, false));
            bench.until_struck(false).await;
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_variable_that_holds_no_plan_an_expired_one_or_nothing_passes_every_event() {
    let Content::Plan(expired) = plan("r", 1, 1, true) else { unreachable!() };
    for (setting, note) in [
        (format!("json:{}", SECRET.repeat(8000)), "is not understood at line 1"),
        (format!("json:{expired}"), "the lease of plan 1 of run `r` is over"),
        (SECRET.to_owned(), "`BROWNOUT_PLAN` must be"),
    ] {
        let mut bench = Bench::start(Some(&setting), &[], None).await;
        bench.noted(note).await;
        assert!(!bench.is_struck().await);
        let notes = bench.extension.notes();
        assert_eq!(notes.iter().filter(|text| text.contains(note)).count(), 1, "{notes:?}");
        assert!(!notes.iter().any(|note| note.contains(SECRET)), "{notes:?}");
    }
}
