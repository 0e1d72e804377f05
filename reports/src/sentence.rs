//! The verdict in plain sentences: what was found, and what it does not cover.

use crate::measurements::{Books, End, Invariant, RunKind};
use crate::report::{Report, Source};
use crate::words::count;

/// Every aim and rule held.
pub fn held(report: &Report) -> String {
    let has_aim = report.aims.iter().any(|aim| aim.source == Source::Experiment);
    let is_alone = report.experiment.kind == RunKind::Load;
    let Books { answered, sent, .. } = report.books;
    let served = || format!("{} of {} requests were served", count(answered), count(sent));
    let what = match (has_aim, is_alone) {
        (true, true) => "Every aim held".to_owned(),
        (false, true) => served(),
        (true, false) => "Every aim and every rule that was exercised held".to_owned(),
        (false, false) => format!("{} and every rule that was exercised held", served()),
    };
    let faults = if is_alone {
        ".".to_owned()
    } else if report.experiment.faults.is_empty() {
        ". No fault was planned, so this says nothing about behavior under fault.".to_owned()
    } else {
        let eligible: u64 = report.injections.iter().map(|row| row.books.eligible).sum();
        format!(" while the faults struck {} of {} eligible invocations.", count(report.struck), count(eligible))
    };
    let no_aim = if has_aim { "" } else { " No aim was set." };
    format!("{what}{faults}{no_aim}{}", uncovered(report))
}

/// Something broke; `first` says what.
pub fn broken(report: &Report, first: &str, more: usize) -> String {
    let more = if more > 0 { format!(" ({more} more below)") } else { String::new() };
    let before = match report.before_any_fault.first() {
        Some(first) => format!(" Some of it needs no fault: in the baseline {first}."),
        None => String::new(),
    };
    format!("The system broke: {first}{more}.{before}{}", switched_off(report))
}

/// The baseline was broken.
pub fn broken_baseline(report: &Report) -> String {
    let first = report.before_any_fault.first().map_or("it missed an aim", String::as_str);
    if report.experiment.kind == RunKind::Load {
        return format!("The system broke: in the measured phase {first}.");
    }
    let struck = match report.end {
        End::BrokenBaseline => " So nothing was struck.",
        _ if report.struck > 0 => " It was struck all the same.",
        _ => "",
    };
    format!("The system is broken without any fault: in the baseline {first}.{struck}")
}

/// Neither held nor broken; `first` says why.
pub fn not_shown(report: &Report, first: &str) -> String {
    format!("Neither held nor broken was shown: {first}.{}", switched_off(report))
}

/// What a green verdict does not cover.
fn uncovered(report: &Report) -> String {
    let idle: Vec<&str> = report.invariants.iter().filter(|rule| rule.checked == 0).map(|rule| rule.id.as_str()).collect();
    let idle = if idle.is_empty() { String::new() } else { format!(" Not exercised: {}.", idle.join(", ")) };
    let unchecked =
        if report.unchecked.is_empty() { String::new() } else { format!(" Not checked on this target: {}.", report.unchecked.join("; ")) };
    let reached = report.interference.iter().filter(|row| row.beyond).max_by(|a, b| a.ratio.total_cmp(&b.ratio));
    let reached = reached.map_or_else(String::new, |row| format!(" But {}.", row.words()));
    format!("{idle}{unchecked}{}{reached}", switched_off(report))
}

/// The errors that the experiment accepts.
fn switched_off(report: &Report) -> String {
    let mut text = String::new();
    let broken: Vec<&Invariant> = report.invariants.iter().filter(|rule| rule.broken > 0).collect();
    if !report.experiment.none_broken {
        let violations = count(broken.iter().map(|rule| rule.broken).sum());
        let ids = broken.iter().map(|rule| format!("{} {} times", rule.id, count(rule.broken))).collect::<Vec<_>>().join(", ");
        text.push_str(&if broken.is_empty() {
            " Rules are switched off by `none-broken = false`; none was broken.".to_owned()
        } else {
            format!(" Rules are switched off by `none-broken = false`, which hides {violations} violations ({ids}).")
        });
    }
    if !report.experiment.any_errors.is_empty() {
        let endpoints = report.experiment.any_errors.iter().map(|of| let_go(report, of)).collect::<Vec<_>>().join(", ");
        text.push_str(&format!(" Errors are let go by `errors = \"any\"` at {endpoints}."));
    }
    text
}

/// An endpoint whose errors are accepted, with the number of errors.
fn let_go(report: &Report, of: &str) -> String {
    let rows = || report.endpoints.iter().filter(|row| row.endpoint == of);
    let (failed, all) = (rows().map(|row| row.errors).sum(), rows().map(|row| row.requests).sum());
    format!("`{of}` ({} of {} failed)", count(failed), count(all))
}
