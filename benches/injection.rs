//! A requested delay, compared with the actual wait and with what the caller saw. It asserts
//! nothing.

#[path = "support/extension.rs"]
mod binary;
#[path = "support/lambda.rs"]
mod lambda;
#[path = "support/mod.rs"]
mod support;

use std::time::Duration;

use faults::ledger::Eligible;
use faults::{Arm, Entry, Facts, Identity, Memory, Plan};
use lambda::Platform;
use support::{Done, Part, has_flag, quantile, row, table};

/// The pause before an event, so that all processes sleep as at a low load: after a wait they are
/// as cold as before it.
const REST: Duration = Duration::from_millis(20);
/// Half of all events wait for this.
const ASKED: Duration = Duration::from_millis(50);
const PLAN: &str = r#"{"version":1,"run":"bench","sequence":1,"lease_ms":60000,"until_ms":4102444800000,"seed":7,
    "faults":[{"name":"slow","place":{"function":"f"},"share":0.5,"kind":{"latency":{"at":"before","time":"50ms"}}}]}"#;

fn main() -> Done {
    if support::is_wanted() { measure(if has_flag("--short") { 200 } else { 600 }) } else { Ok(()) }
}

fn measure(events: usize) -> Done {
    let plan = Plan::read(PLAN.as_bytes())?;
    let mut platform = Platform::start(REST)?;
    let program = support::program("brownout-extension")?;
    let source = format!("json:{}", PLAN.replace('\n', ""));
    let (mut extension, address) = binary::start(&program, platform.address, &source)?;
    lambda::start_runtime(address, "{}".to_owned())?;
    let asked = ASKED.as_secs_f64() * 1e3;
    let (mut treatment, mut control, mut waited) = (Vec::new(), Vec::new(), Vec::new());
    support::wait_for_quiet();
    for number in 0..events {
        let root = format!("1-00000007-{number:024x}");
        let struck = plan
            .decide("f", Identity(&root), &Facts::default(), &mut Memory::default())
            .iter()
            .any(|decision| decision.arm == Arm::Treatment);
        let took = platform.invoke(&root, "{}")?.as_secs_f64() * 1e3;
        let line = eligible(&mut extension)?;
        if struck {
            treatment.push(took);
            waited.push(line.waited_us as f64 / 1e3 - asked);
        } else {
            control.push(took);
        }
    }
    let usual = quantile(&mut control, 0.5);
    let mut seen: Vec<f64> = treatment.iter().map(|took| took - usual - asked).collect();
    let shown = |values: &mut [f64], q| format!("{:+.3} ms", quantile(values, q));
    let rows = [
        row!["", "p50", "p99", "bars"],
        row!["seen by the caller - control's p50 - asked", shown(&mut seen, 0.5), shown(&mut seen, 0.99), "0.2 ms, 1 ms"],
        row!["waited by the ledger - asked", shown(&mut waited, 0.5), shown(&mut waited, 0.99), ""],
        row!["control itself", format!("{usual:.3} ms"), format!("{:.3} ms", quantile(&mut control, 0.99)), ""],
    ];
    table(&format!("A delay of {asked} ms, {} of {events} events struck, one at a time", treatment.len()), &rows);
    Ok(())
}

/// The line about the last event, which is written before the answer is passed on.
fn eligible(extension: &mut Part) -> Done<Eligible> {
    loop {
        let line = Entry::from_line(&format!("{}\n", extension.tell()?)).and_then(|entry| entry.eligible().pop());
        if let Some(line) = line {
            return Ok(line);
        }
    }
}
