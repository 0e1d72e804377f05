//! The measurements of several workers as those of one machine: counts are added, histograms are added exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{Counted, Worker};
use crate::latencies::Latencies;
use crate::measurements::{Books, End, Endings, Generator, Measurements, PhaseSpan, Platform, Restored};

/// A worker that began later than this after the start time sent its part of the load at another time than the others theirs.
const LATEST_MS: u64 = 1_000;

/// A worker that came to its end.
pub struct Whole {
    pub worker: Worker,
    pub counted: Counted,
    pub latencies: Latencies,
    pub service_times: Latencies,
}

/// Adds up all workers; `unusable` are those that cannot be read, with what is wrong.
///
/// # Errors
/// What is wrong, one line for each worker.
pub fn merge(workers: Vec<Whole>, unusable: Vec<(u64, String)>) -> Result<Measurements, Vec<String>> {
    let problems = problems(&workers, &unusable);
    if !problems.is_empty() {
        return Err(problems);
    }
    let (mut latencies, mut service_times) = (Latencies::default(), Latencies::default());
    for worker in &workers {
        latencies.merge(&worker.latencies);
        service_times.merge(&worker.service_times);
    }
    let counted: Vec<&Counted> = workers.iter().map(|whole| &whole.counted).collect();
    let Some(first) = workers.first() else { return Err(vec!["there is no worker".to_owned()]) };
    let named = |of: fn(&Counted) -> &[String]| {
        let lines =
            |whole: &Whole| of(&whole.counted).iter().map(|line| format!("worker {}: {line}", whole.worker.index)).collect::<Vec<_>>();
        workers.iter().flat_map(lines).collect::<Vec<_>>()
    };
    let mut notes = vec![sent_by(&workers)];
    notes.extend(named(|counted| &counted.notes));
    let interrupted = workers.iter().filter(|whole| whole.counted.end == End::Interrupted);
    notes.extend(interrupted.map(|whole| format!("worker {} was interrupted before its end", whole.worker.index)));
    Ok(Measurements {
        experiment: first.worker.experiment.clone(),
        phases: phases(&counted),
        started_unix_ms: counted.iter().map(|counted| counted.started_unix_ms).min().unwrap_or_default(),
        latencies,
        service_times,
        books: books(&counted),
        endings: endings(&counted),
        dispositions: Vec::new(),
        deployments: Vec::new(),
        injections: Vec::new(),
        discrepancies: named(|counted| &counted.discrepancies),
        generator: generator(&counted),
        platform: Platform::default(),
        invariants: Vec::new(),
        end: end(&workers),
        restored: Restored::Yes,
        unchecked: Vec::new(),
        notes,
    })
}

/// Why what these workers measured is not one load.
fn problems(workers: &[Whole], unusable: &[(u64, String)]) -> Vec<String> {
    let mut problems: BTreeMap<u64, String> = unusable.iter().cloned().collect();
    let Some(first) = workers.first() else {
        return problems.into_iter().map(|(index, why)| format!("worker {index} {why}")).collect();
    };
    let begin = began(workers);
    for whole in workers {
        let index = whole.worker.index;
        if let Some(why) = other(&whole.worker, &first.worker) {
            problems.insert(index, why);
        } else if let Some(late) = whole.counted.begun_unix_ms.checked_sub(begin).filter(|late| *late > LATEST_MS) {
            let late = Duration::from_millis(late).as_secs_f64();
            problems
                .insert(index, format!("began {late:.1} s late by its own clock; give all workers one `--start-at` that leaves them time"));
        }
    }
    for index in 0..first.worker.of {
        if !workers.iter().any(|whole| whole.worker.index == index) {
            problems.entry(index).or_insert_with(|| format!("of {} is missing", first.worker.of));
        }
    }
    problems.into_iter().map(|(index, why)| format!("worker {index} {why}")).collect()
}

/// What a worker did other than the first one.
fn other(worker: &Worker, first: &Worker) -> Option<String> {
    let (one, than) = (&worker.experiment, &first.experiment);
    let index = first.index;
    if worker.of != first.of {
        Some(format!("is one of {}, and worker {index} one of {}", worker.of, first.of))
    } else if one.version != than.version {
        Some(format!("ran version {}, and worker {index} version {}", one.version, than.version))
    } else if one.text != than.text {
        Some(format!("ran another file than worker {index}"))
    } else if one.seed != than.seed {
        Some(format!("ran with seed {}, and worker {index} with seed {}", one.seed, than.seed))
    } else {
        (worker.data != first.data).then(|| format!("read other rows or another log than worker {index}"))
    }
}

/// The start time, or else when the first of them began.
fn began(workers: &[Whole]) -> u64 {
    let begin = |whole: &Whole| whole.worker.start_at_unix_ms.unwrap_or(whole.counted.begun_unix_ms);
    workers.iter().map(begin).min().unwrap_or_default()
}

fn sent_by(workers: &[Whole]) -> String {
    let begin = began(workers);
    let late = |whole: &&Whole| whole.counted.begun_unix_ms.saturating_sub(begin);
    match workers.iter().max_by_key(late) {
        Some(last) if late(&last) > 0 => format!(
            "{} workers sent it; worker {} began last, {} ms after the start by its own clock",
            workers.len(),
            last.worker.index,
            late(&last)
        ),
        _ => format!("{} workers sent it", workers.len()),
    }
}

/// Where one was stopped early, its phases are shorter; the shortest are those in which all sent.
fn phases(counted: &[&Counted]) -> Vec<PhaseSpan> {
    let length = |phases: &[PhaseSpan]| phases.last().map_or(0.0, |span| span.to_s);
    let shortest = counted.iter().min_by(|a, b| length(&a.phases).total_cmp(&length(&b.phases)));
    shortest.map(|counted| counted.phases.clone()).unwrap_or_default()
}

fn books(counted: &[&Counted]) -> Books {
    counted.iter().fold(Books::default(), |sum, counted| {
        let Books { planned, sent, answered, failed, timed_out, cancelled } = counted.books;
        Books {
            planned: sum.planned + planned,
            sent: sum.sent + sent,
            answered: sum.answered + answered,
            failed: sum.failed + failed,
            timed_out: sum.timed_out + timed_out,
            cancelled: sum.cancelled + cancelled,
        }
    })
}

fn endings(counted: &[&Counted]) -> Endings {
    let mut sum = Endings::default();
    for counted in counted {
        let Endings { statuses, unexpected, no_connection, cut_off, timed_out } = &counted.endings;
        for (status, count) in statuses {
            *sum.statuses.entry(*status).or_default() += count;
        }
        sum.unexpected += unexpected;
        sum.no_connection += no_connection;
        sum.cut_off += cut_off;
        sum.timed_out += timed_out;
    }
    sum
}

/// Rates are added. Quantiles of lateness cannot be: they are those of the worker that was latest, which no quantile of all exceeds. The
/// processor time is that of the busiest.
fn generator(counted: &[&Counted]) -> Generator {
    let all = || counted.iter().map(|counted| &counted.generator);
    let latest = |of: fn(&Generator) -> Duration| all().map(of).max().unwrap_or_default();
    Generator {
        intended_per_s: all().map(|generator| generator.intended_per_s).sum(),
        achieved_per_s: all().map(|generator| generator.achieved_per_s).sum(),
        lag_p50: latest(|generator| generator.lag_p50),
        lag_p99: latest(|generator| generator.lag_p99),
        lag_max: latest(|generator| generator.lag_max),
        cpu: all().map(|generator| generator.cpu).fold(0.0, f64::max),
    }
}

/// The worst end of all.
fn end(workers: &[Whole]) -> End {
    let said = |whole: &Whole, why: &str| format!("worker {}: {why}", whole.worker.index);
    let failed = workers.iter().find_map(|whole| match &whole.counted.end {
        End::Failed(why) => Some(End::Failed(said(whole, why))),
        _ => None,
    });
    let stopped = || {
        workers.iter().find_map(|whole| match &whole.counted.end {
            End::Stopped(why) => Some(End::Stopped(said(whole, why))),
            _ => None,
        })
    };
    let other = || workers.iter().map(|whole| whole.counted.end.clone()).find(|end| *end != End::Finished);
    failed.or_else(stopped).or_else(other).unwrap_or(End::Finished)
}
