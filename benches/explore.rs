//! How many cases `brownout explore` tries in a minute, and what it costs to match an invocation against a plan of many:
//! `cargo bench --bench explore -- --budget 300`. It asserts nothing.

#[path = "support/mod.rs"]
mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use faults::{Facts, Identity, Memory, Plan};
use serde_json::Value;
use support::{BROWNOUT, Done, median, number_after, program, row, table};

/// A shipped system, whose functions are in Rust, at a rate that two cores serve at once: 30 journeys of seven requests a second.
const RUST: &str = "question = \"q\"\nsystems = [\"users-api\"]\nseed = 11\n[load.users-api]\nrate = \"10/s\"\n";

/// Functions and ways of the plan of many cases, and the requests that each way strikes: as much as a plan may hold.
const MANY: (usize, usize, usize) = (50, 9, 16);

fn main() -> Done {
    if !support::is_wanted() {
        return Ok(());
    }
    matching()?;
    let budget = number_after("--budget", 300)?;
    let folder = tempfile::tempdir()?;
    let rust = folder.path().join("users.toml");
    std::fs::write(&rust, RUST)?;
    let orders = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders/brownout.toml");
    let mut rows = vec![row!["app", "functions", "cases tried", "time", "cases a minute"]];
    for (app, functions, file) in [("users API", "Rust", rust.as_path()), ("examples/orders", "Python and Node", &orders)] {
        let (tried, time) = explored(file, budget)?;
        let a_minute = tried as f64 / (time.as_secs_f64() / 60.0);
        rows.push(row![app, functions, tried, format!("{:.0} s", time.as_secs_f64()), format!("{a_minute:.0}")]);
    }
    table("Cases a minute, from the command to its report", &rows);
    Ok(())
}

/// How many cases were tried, and in what time.
fn explored(file: &Path, budget: u64) -> Done<(u64, Duration)> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out");
    let mut command = Command::new(BROWNOUT);
    command.arg("explore").arg(file).args(["--pairs", "none", "--budget", &budget.to_string(), "--out"]).arg(&out);
    command.env("BROWNOUT_PROGRAMS", program("brownout-extension")?.with_file_name("")).stdin(Stdio::null());
    let begun = Instant::now();
    command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let took = begun.elapsed();
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("explore.json"))?)?;
    let tried = report.pointer("/coverage/tried").and_then(Value::as_u64).ok_or("the report has no coverage")?;
    Ok((tried, took))
}

fn matching() -> Done {
    let (functions, ways, requests) = MANY;
    let cases = functions * ways * requests;
    let [one, many] = [plan(1, 1, 1)?, plan(functions, ways, requests)?];
    let mut rows = vec![row!["plan", "an invocation", "more than one fault's", "bar"]];
    let of_one = cost(&one);
    rows.push(row!["one fault, one case", format!("{of_one:.0} ns"), "", ""]);
    let of_many = cost(&many);
    rows.push(row![
        format!("{} faults, {cases} cases", functions * ways),
        format!("{of_many:.0} ns"),
        format!("{:.2} us", (of_many - of_one) / 1e3),
        "2 us"
    ]);
    table("What it costs to match an invocation", &rows);
    Ok(())
}

fn root(number: usize) -> String {
    format!("{number:024x}")
}

/// A plan in which each way strikes so many requests at each function.
fn plan(functions: usize, ways: usize, requests: usize) -> Done<Plan> {
    let mut faults = String::new();
    for fault in 0..functions * ways {
        let roots: Vec<_> = (0..requests).map(|request| format!("\"{}\"", root(fault * requests + request))).collect();
        write!(
            faults,
            r#"{}{{"name":"f{fault}","place":{{"function":"f{}"}},"share":1,"cases":{{"roots":[{}],"from":1,"to":1}},"kind":{{"error":{{}}}}}}"#,
            if fault == 0 { "" } else { "," },
            fault % functions,
            roots.join(",")
        )?;
    }
    let text = format!(r#"{{"version":1,"run":"bench","sequence":1,"lease_ms":60000,"seed":7,"faults":[{faults}]}}"#);
    Ok(Plan::read(text.as_bytes())?)
}

/// Nanoseconds to decide about an invocation, the median of 21 rounds; every request comes to the first function.
fn cost(plan: &Plan) -> f64 {
    const COUNT: usize = 20_000;
    let roots: Vec<_> = (0..COUNT).map(|number| format!("1-5759e988-{}", root(number))).collect();
    let mut rounds: Vec<f64> = (0..21)
        .map(|_| {
            let begun = Instant::now();
            for root in &roots {
                let decided = plan.decide("f0", Identity(root), &Facts::default().delivered(1), &mut Memory::default());
                std::hint::black_box(decided.len());
            }
            begun.elapsed().as_secs_f64() * 1e9 / COUNT as f64
        })
        .collect();
    median(&mut rounds)
}
