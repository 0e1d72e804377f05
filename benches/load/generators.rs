//! The two generators, each in a separate process: brownout's, and goose as its documentation uses
//! it. Each prints its figures in one line of JSON.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use goose::config::GooseConfiguration;
use goose::prelude::*;
use load::plain::{self, Sample};
use reports::latencies::{Latencies, Outcome, Phase, Tag};
use reports::rolls::Rolls;
use serde_json::json;

use super::server::kept_waiting;
use super::support::{Done, end_with_parent, machine_clock, own_processor_time, peak_memory, quantile, setting};

const QUANTILES: [(&str, f64); 5] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];

/// The part `ours`. Its processor time is from the first arrival to the finished histograms.
pub fn ours() -> Done {
    end_with_parent();
    let (address, rate, seconds): (String, f64, u64) = (setting("ADDRESS")?, setting("RATE")?, setting("SECONDS")?);
    let duration = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Requests that would be due after the stop are never sent.
        let load = plain::start(&address, "/", rate, duration, setting("USERS")?).await?;
        let (before, started) = (own_processor_time(), load.started().ok_or("it did not begin")?);
        if rate > 50_000.0 {
            tokio::time::sleep(duration).await;
            load.stop();
        }
        let samples = load.finished().await?;
        let mut latencies = histograms(&samples);
        let cpu = own_processor_time() - before;
        let begun_at = machine_clock() - started.elapsed();
        latencies.extend(of_samples(&samples, begun_at));
        latencies.insert("sent".to_owned(), json!(samples.len()));
        latencies.insert("answered".to_owned(), json!(samples.iter().filter(|sample| sample.outcome == Outcome::Answered).count()));
        latencies.insert("cpu_s".to_owned(), json!(cpu.as_secs_f64()));
        latencies.insert("peak_mb".to_owned(), json!(peak_memory()));
        println!("{}", serde_json::Value::Object(latencies));
        Ok(())
    })
}

/// As the harness records: a histogram for each second and outcome, in microseconds. The figures are milliseconds.
fn histograms(samples: &[Sample]) -> serde_json::Map<String, serde_json::Value> {
    let mut latencies = Latencies::default();
    let tag = |outcome| Tag { endpoint: "plain GET".to_owned(), phase: Phase::Baseline, rolls: Rolls::default(), cold: false, outcome };
    let (answered, failed) = (tag(Outcome::Answered), tag(Outcome::Failed));
    let mut open = 0;
    for sample in samples {
        let tag = if sample.outcome == Outcome::Answered { &answered } else { &failed };
        let second = u32::try_from(sample.due.as_secs()).unwrap_or(u32::MAX);
        if second > open {
            open = second;
            latencies.close_before(second);
        }
        latencies.record(second, tag, u64::try_from(sample.response.as_micros()).unwrap_or(u64::MAX), false);
    }
    let counts = latencies.counts(|tag| tag.outcome == Outcome::Answered);
    let figures = QUANTILES.map(|(name, q)| (name.to_owned(), json!(counts.quantile(q).map(|us| us as f64 / 1e3))));
    figures.into_iter().collect()
}

/// The truth about the server that pauses, and the generator's lateness.
fn of_samples(samples: &[Sample], begun_at: Duration) -> serde_json::Map<String, serde_json::Value> {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    let mut truth: Vec<f64> = samples.iter().map(|sample| ms(kept_waiting(begun_at + sample.due))).collect();
    let mut late: Vec<f64> = samples.iter().map(|sample| ms(sample.response.saturating_sub(sample.service))).collect();
    let mut sent: Vec<f64> = samples.iter().map(|sample| ms(sample.due + sample.response.saturating_sub(sample.service))).collect();
    let (first, last) = (quantile(&mut sent, 0.0), quantile(&mut sent, 1.0));
    let mut figures: serde_json::Map<_, _> =
        QUANTILES.iter().map(|(name, q)| (format!("true_{name}"), json!(quantile(&mut truth, *q)))).collect();
    figures.insert("late_p50".to_owned(), json!(quantile(&mut late, 0.5)));
    figures.insert("late_p99".to_owned(), json!(quantile(&mut late, 0.99)));
    figures.insert("delivered_per_s".to_owned(), json!((samples.len() as f64 - 1.0) / (last - first) * 1e3));
    figures
}

static SENT: AtomicU64 = AtomicU64::new(0);
static BEGAN: OnceLock<(Instant, Duration)> = OnceLock::new();
static TIMES: Mutex<Vec<f64>> = Mutex::new(Vec::new());

/// The part `goose`. Its processor time is from the first request to the end of the attack with its
/// metrics.
pub fn stock_goose() -> Done {
    end_with_parent();
    let (rate, threads): (f64, usize) = (setting("RATE")?, setting("THREADS")?);
    let mut builder = if threads > 1 { tokio::runtime::Builder::new_multi_thread() } else { tokio::runtime::Builder::new_current_thread() };
    let runtime = builder.enable_all().build()?;
    let mut configuration = GooseConfiguration::default();
    configuration.host = Some(format!("http://{}", setting::<String>("ADDRESS")?));
    configuration.users = Some(setting("USERS")?);
    configuration.run_time = Some(setting("SECONDS")?);
    configuration.increase_rate = Some("5000".to_owned());
    configuration.quiet = 2;
    configuration.no_telnet = true;
    configuration.no_print_metrics = true;
    let measures = rate > 0.0;
    let transaction = if measures {
        configuration.throttle_requests = Some(rate as usize);
        transaction!(timed_get)
    } else {
        transaction!(get)
    };
    runtime.block_on(async {
        let scenario = scenario!("plain").register_transaction(transaction);
        GooseAttack::initialize_with_config(configuration)?.register_scenario(scenario).execute().await?;
        let cpu = own_processor_time() - BEGAN.get().ok_or("it never began")?.1;
        let mut times = TIMES.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = QUANTILES.map(|(name, q)| (name.to_owned(), json!(quantile(&mut times, q))));
        let mut told = serde_json::Map::from_iter(figures);
        told.insert("sent".to_owned(), json!(SENT.load(Relaxed)));
        told.insert("answered".to_owned(), json!(SENT.load(Relaxed)));
        told.insert("cpu_s".to_owned(), json!(cpu.as_secs_f64()));
        told.insert("peak_mb".to_owned(), json!(peak_memory()));
        println!("{}", serde_json::Value::Object(told));
        Ok(())
    })
}

/// A transaction as in goose's book.
async fn get(user: &mut GooseUser) -> TransactionResult {
    BEGAN.get_or_init(|| (Instant::now(), own_processor_time()));
    let _goose = user.get("").await?;
    SENT.fetch_add(1, Relaxed);
    Ok(())
}

/// The same, recording the time that goose gives the request.
async fn timed_get(user: &mut GooseUser) -> TransactionResult {
    BEGAN.get_or_init(|| (Instant::now(), own_processor_time()));
    let goose = user.get("").await?;
    SENT.fetch_add(1, Relaxed);
    TIMES.lock().unwrap_or_else(PoisonError::into_inner).push(goose.request.response_time_micros() as f64 / 1e3);
    Ok(())
}
