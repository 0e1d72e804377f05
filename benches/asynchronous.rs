//! The capacity of the asynchronous half of the local stack: rising rates of mail and of sign-ins,
//! run like any experiment, without a fault. Generator, services, platform, functions and oracles
//! share the machine. It asserts nothing.

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use support::{Counted, Done, counted_time, has_flag, number, row, table};

fn main() -> Done {
    if !support::is_wanted() {
        return Ok(());
    }
    support::program("email-processor")?;
    let seconds = if has_flag("--short") { 6 } else { 20 };
    let mail = |rate: u32| format!("mail = {{ rate = \"{rate}/s\", largest = \"32KiB\" }}");
    carried(
        "Mail of up to 32 KiB, arrival at the server to its disposition",
        "mail",
        "mail arrival -> disposition",
        &[10, 50, 100],
        mail,
        seconds,
    )?;
    let users = |rate: u32| format!("inactive-users = {{ rate = \"{rate}/s\", members = 2000 }}");
    carried("Sign-ins, each with its record", "inactive-users", "inactive-users sign-in", &[50, 200, 400], users, seconds)?;
    support::program("ingest-record")?;
    let records = |rate: u32| format!("audit = {{ rate = \"{rate}/s\", largest = \"6MiB\" }}");
    carried("Audit records of 256 KiB to the limit, 1.15 MB in the mean", "audit", "audit POST /records", &[5, 20, 40], records, seconds)
}

/// A table with a row for each rate.
fn carried(title: &str, system: &str, endpoint: &str, rates: &[u32], load: impl Fn(u32) -> String, seconds: u32) -> Done {
    let mut rows =
        vec![row!["intended", "achieved", "p50", "p99", "errors", "late p99", "queued", "environments", "cores used", "verdict"]];
    for rate in rates {
        let folder = tempfile::tempdir()?;
        support::wait_for_quiet();
        rows.push(measured(folder.path(), system, endpoint, &load(*rate), seconds)?);
    }
    table(title, &rows);
    Ok(())
}

fn measured(folder: &Path, system: &str, endpoint: &str, load: &str, seconds: u32) -> Done<Vec<String>> {
    let text = format!(
        "question = \"What does the stack carry?\"\nsystems = [\"{system}\"]\nseed = 1\n\n[phases]\nwarm-up = \"3s\"\nbaseline = \"3s\"\n\
         fault = \"{seconds}s\"\nrecovery = \"1s\"\n\n[load]\n{load}\n\n[stack]\ncompressed-time = {{ queues = \"30x\" }}\n"
    );
    let file = folder.join("load.toml");
    std::fs::write(&file, text)?;
    let (before, from) = (counted_time("self", Counted::Children), Instant::now());
    let mut command = Command::new(support::BROWNOUT);
    // Everything is already built.
    command.arg("run").arg(&file).arg("--out").arg(folder).env_remove("CARGO");
    let ended = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let cores = (counted_time("self", Counted::Children) - before) / from.elapsed().as_secs_f64();
    let result = std::fs::read(folder.join("result.json")).map_err(|error| format!("the run ended with {ended} and no result: {error}"))?;
    Ok(figures(&serde_json::from_slice(&result)?, endpoint, cores))
}

fn figures(result: &Value, endpoint: &str, cores: f64) -> Vec<String> {
    let text = |pointer: &str| result.pointer(pointer).map(ToString::to_string).unwrap_or_default();
    let number_at = |pointer: &str| result.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let of_fault = |row: &&Value| row.get("endpoint").is_some_and(|of| of == endpoint) && row.get("phase").is_some_and(|of| of == "fault");
    let found = result.get("endpoints").and_then(Value::as_array).and_then(|rows| rows.iter().find(of_fault)).cloned().unwrap_or_default();
    let quantile = |place: &str| found.pointer(place).and_then(Value::as_f64).unwrap_or(f64::NAN) / 1e3;
    row![
        format!("{:.1}/s", number_at("/generator/intended_per_s")),
        format!("{:.1}/s", number_at("/generator/achieved_per_s")),
        format!("{:.1} ms", quantile("/quantiles/0/us")),
        format!("{:.1} ms", quantile("/quantiles/2/us")),
        number(&found, "errors"),
        format!("{:.2} ms", number_at("/generator/lag_p99/nanos") / 1e6),
        text("/platform/queued"),
        text("/platform/environments"),
        format!("{cores:.2}"),
        text("/verdict").trim_matches('"'),
    ]
}
