//! The verdicts of the shipped experiments with many seeds: `cargo bench --bench seeds -- --seeds 20 --at-once 4 [--only NAME]`. It asserts nothing and takes hours.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use support::{BROWNOUT, Done, after, number_after, program, row, table};

/// One run: an experiment and its seed.
type Run = (&'static str, u64);

/// The verdict of a run, and its first reason.
struct Ending {
    verdict: String,
    reason: String,
}

fn main() -> Done {
    if !support::is_wanted() {
        return Ok(());
    }
    let (seeds, at_once): (u64, usize) = (number_after("--seeds", 20)?, number_after("--at-once", 1)?);
    let only = after("--only");
    let names = engine::shipped::all().map(|(name, _)| name).filter(|name| only.as_deref().is_none_or(|only| only == *name));
    let names: Vec<_> = names.collect();
    // The seeds of one experiment are spread over the whole time, so that the machine's changing
    // load affects all experiments alike.
    let runs: Vec<Run> = (1..=seeds).flat_map(|seed| names.iter().map(move |name| (*name, seed))).collect();
    let programs = program("brownout-extension")?.with_file_name("");
    let next = Mutex::new(runs.into_iter());
    let endings: Mutex<BTreeMap<&str, Vec<Ending>>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some((name, seed)) = take(&next) {
                    let ending = ending(name, seed, &programs)
                        .unwrap_or_else(|error| Ending { verdict: "no result".into(), reason: error.to_string() });
                    println!("{name}, seed {seed}: {} {}", ending.verdict, ending.reason);
                    endings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).entry(name).or_default().push(ending);
                }
            });
        }
    });
    print(&endings.into_inner()?);
    Ok(())
}

fn take(runs: &Mutex<impl Iterator<Item = Run>>) -> Option<Run> {
    runs.lock().ok()?.next()
}

fn ending(name: &str, seed: u64, programs: &std::path::Path) -> Done<Ending> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(BROWNOUT);
    command.args(["run", name, "--seed", &seed.to_string(), "--out"]).arg(folder.path()).env("BROWNOUT_PROGRAMS", programs);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let result: Value = serde_json::from_slice(&std::fs::read(folder.path().join("result.json"))?)?;
    let text = |field: &str| result.get(field).and_then(Value::as_str).unwrap_or_default();
    let (verdict, sentence) = (text("verdict").to_owned(), text("sentence"));
    let reason = if verdict == "held" { "" } else { sentence };
    Ok(Ending { verdict, reason: reason.to_owned() })
}

fn print(endings: &BTreeMap<&str, Vec<Ending>>) {
    let mut rows = vec![row!["experiment", "runs", "verdicts", "reasons"]];
    for (name, endings) in endings {
        let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
        endings.iter().for_each(|ending| *verdicts.entry(&ending.verdict).or_default() += 1);
        let verdicts: Vec<_> = verdicts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let reasons: Vec<_> = endings.iter().filter(|ending| !ending.reason.is_empty()).map(|ending| ending.reason.as_str()).collect();
        rows.push(row![name, endings.len(), verdicts.join(", "), reasons.join("; ")]);
    }
    table("Verdicts by seed", &rows);
}
