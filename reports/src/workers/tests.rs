//! What several workers measured, merged: exactly the histograms of one, and no verdict where one is not whole.

use std::time::Duration;

use super::*;
use crate::latencies::{Outcome, Phase, Tag};
use crate::measurements::{Books, End, Measurements, Platform, RunKind};
use crate::rolls::Rolls;
use crate::verdict::Verdict;

const OF: &str = "shop GET /";
const WARM_UP_MS: u64 = 1_000;

/// Load alone of 20 s, of which `own` says which requests are this worker's.
fn measured(own: impl Fn(u64) -> bool) -> Measurements {
    let mut measured = crate::sample::healthy();
    measured.experiment.kind = RunKind::Load;
    measured.experiment.faults.clear();
    measured.experiment.expectations.retain(|aim| aim.of == "nothing");
    measured.phases.retain(|span| span.phase == Phase::Baseline);
    measured.phases[0].to_s = 20.0;
    (measured.injections, measured.invariants, measured.dispositions, measured.deployments) = Default::default();
    measured.platform = Platform::default();
    (measured.latencies, measured.service_times, measured.books) = (Latencies::default(), Latencies::default(), Books::default());
    for number in (0..4_000_u64).filter(|number| own(*number)) {
        let outcome = if number % 97 == 0 { Outcome::Failed } else { Outcome::Answered };
        let tag = Tag { endpoint: OF.into(), phase: Phase::Baseline, rolls: Rolls::default(), cold: false, outcome };
        let second = (number / 200) as u32;
        measured.latencies.record(second, &tag, 1 + number * number % 3_000_017, false);
        measured.service_times.record(second, &tag, 1 + number * number % 2_999_999, false);
        measured.books.planned += 1;
        measured.books.sent += 1;
        *if outcome == Outcome::Failed { &mut measured.books.failed } else { &mut measured.books.answered } += 1;
    }
    measured
}

fn worker(index: u64, of: u64) -> (Worker, Measurements) {
    let measured = measured(|number| number % of == index);
    let experiment = measured.experiment.clone();
    let started = Some(measured.started_unix_ms - WARM_UP_MS);
    (Worker { index, of, experiment, data: "d".to_owned(), start_at_unix_ms: started, counted: None }, measured)
}

/// A worker that ran to its end.
fn write(folder: &Path, (worker, measured): (Worker, Measurements)) {
    let own = folder.join(folder_name(worker.index));
    fs::create_dir_all(&own).unwrap();
    worker.begins(&own).unwrap();
    write_interval_log(fs::File::create(own.join(LATENCY_LOG)).unwrap(), measured.started_unix_ms, &measured.latencies).unwrap();
    worker.ends(&own, &measured, WARM_UP_MS).unwrap();
}

fn three() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    (0..3).for_each(|index| write(folder.path(), worker(index, 3)));
    folder
}

fn nothing_is_under_way(_: &Path) -> bool {
    false
}

#[test]
fn the_merged_log_is_to_the_byte_that_of_one_machine_with_all_requests() {
    let folder = three();
    let merged = report(folder.path(), nothing_is_under_way).unwrap();
    let one = measured(|_| true);
    let mut log = Vec::new();
    write_interval_log(&mut log, one.started_unix_ms, &one.latencies).unwrap();
    assert!(fs::read(folder.path().join(LATENCY_LOG)).unwrap() == log, "the logs differ");
    let mut alone = crate::judge::judge(&one);
    // Rates are added, and there is a note about the workers.
    (alone.generator, alone.notes) = (merged.generator.clone(), merged.notes.clone());
    assert_eq!(merged, alone);
    assert!(merged.notes[0].starts_with("3 workers sent it"), "{:?}", merged.notes);
    // Once more, with the files of the first time in the folder.
    assert_eq!(report(folder.path(), nothing_is_under_way).unwrap(), merged);
}

/// Three workers, the second of which is changed; what is said then.
#[track_caller]
fn there_is_no_verdict(change: impl FnOnce(&mut Worker, &mut Measurements), says: &str) {
    let folder = three();
    let (mut second, mut its) = worker(1, 3);
    change(&mut second, &mut its);
    its.experiment = second.experiment.clone();
    write(folder.path(), (second, its));
    let error = report(folder.path(), nothing_is_under_way).unwrap_err();
    let WorkersError::Incomplete(problems) = &error else { panic!("{error}") };
    assert_eq!(problems.as_slice(), [says]);
    assert!(!folder.path().join("result.json").exists());
}

#[test]
fn a_worker_that_did_something_else_is_named() {
    there_is_no_verdict(|worker, _| worker.experiment.text.push('#'), "worker 1 ran another file than worker 0");
    let (seed, version) = {
        let (one, _) = worker(0, 1);
        (one.experiment.seed, one.experiment.version)
    };
    there_is_no_verdict(|worker, _| worker.experiment.seed = 77, &format!("worker 1 ran with seed 77, and worker 0 with seed {seed}"));
    there_is_no_verdict(
        |worker, _| worker.experiment.version = "0.0.1".into(),
        &format!("worker 1 ran version 0.0.1, and worker 0 version {version}"),
    );
    there_is_no_verdict(|worker, _| worker.data = "e".into(), "worker 1 read other rows or another log than worker 0");
    there_is_no_verdict(|worker, _| worker.of = 4, "worker 1 is one of 4, and worker 0 one of 3");
    there_is_no_verdict(
        |_, measured| measured.started_unix_ms += 3_200,
        "worker 1 began 3.2 s late by its own clock; give all workers one `--start-at` that leaves them time",
    );
}

type Change<'a> = &'a dyn Fn(&Path);

#[test]
fn a_worker_that_is_not_whole_is_named() {
    let remove = |folder: &Path, name: &str| fs::remove_file(folder.join("worker-1").join(name)).unwrap();
    let cut = |folder: &Path, name: &str| {
        let path = folder.join("worker-1").join(name);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(path, &text[..text.len() / 2]).unwrap();
    };
    let cases: [(Change<'_>, &str); 6] = [
        (&|folder| fs::remove_dir_all(folder.join("worker-1")).unwrap(), "worker 1 of 3 is missing"),
        (&|folder| worker(1, 3).0.begins(&folder.join("worker-1")).unwrap(), "worker 1 was cut off: it began and did not end"),
        (&|folder| remove(folder, RECORD), "worker 1 did not begin"),
        (&|folder| cut(folder, RECORD), "worker 1 is not of this version"),
        (&|folder| cut(folder, LATENCY_LOG), "of 1333 requests in `latency.hlog`: the file is not whole"),
        (&|folder| remove(folder, SERVICE_LOG), "worker 1 `service.hlog` cannot be read"),
    ];
    for (change, says) in cases {
        let folder = three();
        change(folder.path());
        let error = report(folder.path(), nothing_is_under_way).unwrap_err().to_string();
        assert!(error.contains(says), "{error} does not say {says}");
    }
    let folder = three();
    let error = report(folder.path(), |folder| folder.ends_with("worker-2")).unwrap_err().to_string();
    assert_eq!(error, "there is no verdict: worker 2 is still under way; wait for its end");
}

#[test]
fn one_that_was_stopped_or_interrupted_is_never_green() {
    let verdict = |end: End| {
        let folder = three();
        let (second, mut its) = worker(1, 3);
        its.end = end;
        write(folder.path(), (second, its));
        report(folder.path(), nothing_is_under_way).unwrap()
    };
    assert_eq!(verdict(End::Finished).verdict, Verdict::Held);
    let interrupted = verdict(End::Interrupted);
    assert!(
        interrupted.verdict == Verdict::NotShown && interrupted.notes.iter().any(|note| note == "worker 1 was interrupted before its end")
    );
    let stopped = verdict(End::Stopped("errors above 50 %".into()));
    assert!(stopped.verdict == Verdict::Stopped && stopped.sentence.contains("worker 1: errors above 50 %"), "{}", stopped.sentence);
    assert_eq!(verdict(End::Failed("no port".into())).verdict, Verdict::CouldNotRun);
}

#[test]
fn a_quantile_of_lateness_is_that_of_the_latest_worker() {
    let folder = three();
    let (second, mut its) = worker(1, 3);
    its.generator.lag_p99 = Duration::from_secs(2);
    write(folder.path(), (second, its));
    let merged = report(folder.path(), nothing_is_under_way).unwrap();
    assert_eq!(merged.generator.lag_p99, Duration::from_secs(2));
    assert!((merged.generator.intended_per_s - 3.0 * worker(0, 1).1.generator.intended_per_s).abs() < 1e-6);
}
