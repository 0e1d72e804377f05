//! The extension's cost when it injects nothing and when a plan makes it read events, and its
//! lateness when it injects, compared with a byte forwarder and a plain pass-through in the same
//! run. It asserts nothing: a missed target is printed as missed.

#[path = "cost/armed.rs"]
mod armed;
#[path = "support/busy.rs"]
mod busy;
#[path = "cost/delays.rs"]
mod delays;
#[path = "support/lambda.rs"]
mod lambda;
#[path = "cost/load.rs"]
mod load;
#[path = "cost/paths.rs"]
mod paths;
#[path = "cost/peer.rs"]
mod peer;
#[path = "cost/references.rs"]
mod references;
#[path = "cost/single.rs"]
mod single;
#[path = "support/mod.rs"]
mod support;

use support::{Done, has_flag, row, table};

/// The trace root that every event has.
const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
/// A source that never has a plan, like that of an idle extension in front of a production
/// function.
const NO_PLAN: &str = "file:/nonexistent/plan.json";

fn main() -> Done {
    match support::role() {
        Some(role) => references::play(&role),
        None if support::is_wanted() => measure(has_flag("--short")),
        None => Ok(()),
    }
}

/// One line of the cost table.
struct Figure {
    name: String,
    /// Of the forwarder, the pass-through and the extension.
    values: [f64; 3],
    unit: &'static str,
    bar: String,
    met: bool,
}

impl Figure {
    fn cells(&self) -> Vec<String> {
        let [forwarder, pass_through, extension] = self.values;
        let digits = if extension.abs() < 100.0 { 1 } else { 0 };
        let cell = |value: f64| if value.is_nan() { String::new() } else { format!("{value:.digits$} {}", self.unit) };
        let ratio = |reference: f64| if reference.is_nan() { String::new() } else { format!("{:.2}", extension / reference) };
        let verdict = if self.met { "met" } else { "MISSED" };
        row![self.name, ratio(forwarder), ratio(pass_through), cell(forwarder), cell(pass_through), cell(extension), self.bar, verdict]
    }
}

/// A JSON payload of this many bytes.
fn payload(bytes: usize) -> String {
    format!("{{\"pad\":\"{}\"}}", "x".repeat(bytes.saturating_sub(10)))
}

fn measure(short: bool) -> Done {
    let extension = support::program("brownout-extension")?;
    support::wait_for_quiet();
    if has_flag("--armed") {
        return armed::compare(&extension, short);
    }
    let mut figures = Vec::new();
    for (name, bytes, block) in [("1 KB", 1 << 10, 100), ("256 KB", 256 << 10, 20), ("6 MB", 6 << 20, 4)] {
        figures.push(single::added(&extension, name, &payload(bytes), block, if short { 3 } else { 15 })?);
    }
    figures.extend(load::rates(&extension, short)?);
    figures.extend(load::memory(&extension)?);
    figures.extend(load::starts(&extension, if short { 5 } else { 31 })?);
    figures.extend(delays::figures(&extension, if short { 50 } else { 300 })?);
    let mut rows = vec![row!["", "x forwarder", "x pass-through", "byte forwarder", "plain pass-through", "extension", "bar", ""]];
    rows.extend(figures.iter().map(Figure::cells));
    table("What the extension costs (medians of alternating blocks; events of as many bytes as their responses)", &rows);
    armed::compare(&extension, short)?;
    peer::compare(if short { 3 } else { 11 })
}
