//! Ten million idle invocations, 16 at a time: neither memory nor descriptors of the extension may grow. It asserts nothing and takes minutes.

#[path = "support/extension.rs"]
mod binary;
#[path = "support/busy.rs"]
mod busy;
#[path = "support/lambda.rs"]
mod lambda;
#[path = "support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use busy::Busy;
use support::{Done, descriptors, memory, processor_time, row, table};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const POLLERS: usize = 16;
/// How many samples are taken, at even intervals.
const SAMPLES: u64 = 10;

fn main() -> Done {
    if support::is_wanted() { measure(support::number_after("--count", 10_000_000)?) } else { Ok(()) }
}

fn measure(count: u64) -> Done {
    let extension = support::program("brownout-extension")?;
    let payload = format!("{{\"pad\":\"{}\"}}", "x".repeat(1_014));
    let busy = Busy::start(ROOT, &payload)?;
    let (part, address) = binary::start(&extension, busy.address, "file:/nonexistent/plan.json")?;
    for _ in 0..POLLERS {
        lambda::start_runtime(address, payload.clone())?;
    }
    busy.run(Duration::from_secs(1));
    let began = Instant::now();
    let mut rows = vec![row!["invocations", "resident", "most resident", "descriptors", "a second", "CPU / invocation"]];
    for sample in 0..=SAMPLES {
        let (before, from) = (busy.answered(), Instant::now());
        let used = processor_time(part.pid());
        while busy.answered() < count * sample / SAMPLES {
            busy.run(Duration::from_millis(500));
        }
        let done = busy.answered() - before;
        let used = processor_time(part.pid()).saturating_sub(used).as_secs_f64() * 1e6;
        let (now, most) = memory(part.pid());
        let rate = done as f64 / from.elapsed().as_secs_f64();
        let open = descriptors(part.pid());
        let cpu = if done == 0 { String::new() } else { format!("{:.1} us", used / done as f64) };
        println!("{} invocations after {:.0} s: {now:.2} MB, {open} descriptors", busy.answered(), began.elapsed().as_secs_f64());
        rows.push(row![busy.answered(), format!("{now:.2} MB"), format!("{most:.2} MB"), open, format!("{rate:.0}"), cpu]);
    }
    table("The extension under idle invocations", &rows);
    Ok(())
}
