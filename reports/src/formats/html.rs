//! `report.html`: one file for people. No script, no network request; every text from outside is
//! escaped.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use crate::html_figures::figures;
use crate::html_tables as tables;
use crate::latencies::{Latencies, Phase};
use crate::measurements::{Restored, RunKind};
use crate::report::Report;
use crate::words::{count, seconds};

const STYLE: &str = include_str!("report.css");
/// The most characters of an experiment's text that are shown.
const MOST_TEXT: usize = 40_000;

const ABOUT_FAULTS: [(&str, &str); 3] = [
    (
        "Struck (treatment)",
        "A request on whose way the dice let at least one fault strike. One that could not be carried out stays here, or the arms would differ by more than chance.",
    ),
    ("Control", "A request that a fault could have struck, and that a replayable roll of the dice left alone in the same seconds."),
    ("Not struck", "Control, and requests that no fault was about."),
];

const GLOSSARY: [(&str, &str); 6] = [
    (
        "p50, p90, p99",
        "Half, nine of ten, ninety-nine of a hundred requests were at least this fast. Latency counts from the moment a request was due, not from when it was sent.",
    ),
    (
        "95 % interval",
        "Where the true value lies, but for one time in twenty, in these seconds. Blocks of 5 s are compared with each other, as requests of one moment share their fate; it is never narrower than if requests were independent.",
    ),
    ("Holds, broken, not shown", "The whole interval keeps the bound; the whole interval misses it; neither, so more requests are needed."),
    ("Cold start", "The first request of a new environment. It counts as any other, unless an aim says `warm = true`."),
    ("Invariant", "A rule that must hold for every single exchange, fault or no fault."),
    (
        "The books",
        "Every request sent must have one end, and every fault planned for a request must be in the ledger of whoever carried it out.",
    ),
];

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The same, with text in backticks as code.
pub(crate) fn prose(text: &str) -> String {
    let mut parts: Vec<&str> = text.split('`').collect();
    let odd = if parts.len().is_multiple_of(2) { parts.pop() } else { None };
    let mut out = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        let part = escape(part);
        if index % 2 == 1 {
            let _ = write!(out, "<code>{part}</code>");
        } else {
            out.push_str(&part);
        }
    }
    if let Some(rest) = odd {
        let _ = write!(out, "`{}", escape(rest));
    }
    out
}

/// The report as one page.
pub fn write(report: &Report, latencies: &Latencies) -> String {
    let mut out = String::new();
    let name = escape(&report.experiment.name);
    let verdict = report.verdict.name();
    let _ = writeln!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <title>{name}: {}</title><style>{STYLE}</style></head><body><main>",
        verdict.replace('-', " ")
    );
    let _ = writeln!(
        out,
        "<header class=\"{verdict}\"><p class=\"verdict\">{}</p><h1>{}</h1><p class=\"question\">{}</p></header>",
        verdict.replace('-', " "),
        prose(&report.sentence),
        escape(&report.experiment.question)
    );
    if !report.experiment.compressed_time.is_empty() {
        let _ = writeln!(out, "<p class=\"lead\">Compressed time: {}.</p>", escape(&report.experiment.compressed_time));
    }
    chips(&mut out, report);
    reasons(&mut out, report);
    tables::deployments(&mut out, report);
    figures(&mut out, report, latencies);
    tables::aims(&mut out, report);
    tables::invariants(&mut out, report);
    tables::dispositions(&mut out, report);
    tables::effects(&mut out, report);
    tables::interference(&mut out, report);
    tables::endpoints(&mut out, report);
    tables::ledger(&mut out, report);
    tables::health(&mut out, report);
    again(&mut out, report);
    out.push_str("</main></body></html>\n");
    out
}

fn chips(out: &mut String, report: &Report) {
    out.push_str("<ul class=\"chips\">");
    let chips = match report.experiment.kind {
        RunKind::Experiment => vec![struck(report), failed(report), recovered(report), restored(report), generator(report)],
        RunKind::Load => vec![failed(report), generator(report)],
    };
    for (big, small) in chips {
        let _ = write!(out, "<li><b>{}</b><span>{}</span></li>", escape(&big), escape(&small));
    }
    out.push_str("</ul>\n");
}

type Chip = (String, String);

fn struck(report: &Report) -> Chip {
    if report.experiment.faults.is_empty() {
        return ("no fault".to_owned(), "none was planned".to_owned());
    }
    let eligible = report.injections.iter().map(|row| row.books.eligible).sum();
    let in_fault = report.endpoints.iter().filter(|row| row.phase == Phase::Fault).map(|row| row.requests).sum();
    let small = format!("of {} eligible invocations; {} requests in the fault phase", count(eligible), count(in_fault));
    (format!("{} of {} struck", count(report.struck), count(report.planned)), small)
}

fn failed(report: &Report) -> Chip {
    let failed = report.books.failed + report.books.timed_out;
    let in_phase = |phase| {
        let rows = report.endpoints.iter().filter(move |row| row.phase == phase);
        rows.fold((0, 0), |(errors, requests), row| (errors + row.errors, requests + row.requests))
    };
    let number = format!("{} requests failed", count(failed));
    if report.experiment.kind == RunKind::Load {
        return (number, format!("of {} sent", count(report.books.sent)));
    }
    let ((before, of_before), (under, of_under)) = (in_phase(Phase::Baseline), in_phase(Phase::Fault));
    let small = format!(
        "of {} sent; baseline {} of {}, fault phase {} of {}",
        count(report.books.sent),
        count(before),
        count(of_before),
        count(under),
        count(of_under)
    );
    (number, small)
}

/// The recovery of the endpoints with enough requests.
fn recovered(report: &Report) -> Chip {
    let seen = || report.recoveries.iter().filter(|one| one.windows > 0);
    let slowest = seen().map(|one| one.after_s).try_fold(0.0_f64, |slowest, after| after.map(|after| slowest.max(after)));
    match (seen().max_by(|a, b| a.watched_s.total_cmp(&b.watched_s)), slowest) {
        (None, _) => {
            let why =
                if report.recoveries.is_empty() { "there was no recovery phase, or no aim" } else { "too few requests after the faults" };
            ("recovery not measured".to_owned(), why.to_owned())
        }
        (Some(one), Some(0.0)) => ("recovered at once".to_owned(), format!("watched for {}", seconds(one.watched_s))),
        (Some(_), Some(after)) => (format!("recovered in {}", seconds(after)), "after the faults were ended".to_owned()),
        (Some(one), None) => ("not recovered".to_owned(), format!("within the {} watched", seconds(one.watched_s))),
    }
}

fn restored(report: &Report) -> Chip {
    match &report.restored {
        Restored::Yes => ("✓ put back".to_owned(), "nothing of brownout is left".to_owned()),
        Restored::No { command, .. } => ("✗ not put back".to_owned(), format!("run {command}")),
    }
}

fn generator(report: &Report) -> Chip {
    match &report.generator_trouble {
        None => ("✓ all requests sent".to_owned(), format!("{} requests, the generator kept up", count(report.books.sent))),
        Some(why) => ("✗ generator saturated".to_owned(), why.clone()),
    }
}

fn list(out: &mut String, items: &[String]) {
    out.push_str("<ul class=\"why\">");
    for item in items {
        let _ = write!(out, "<li>{}</li>", prose(item));
    }
    out.push_str("</ul>\n");
}

fn reasons(out: &mut String, report: &Report) {
    if !report.reasons.is_empty() {
        out.push_str("<h2>Why</h2>");
        list(out, &report.reasons);
    }
}

fn again(out: &mut String, report: &Report) {
    let experiment = &report.experiment;
    let text: String = experiment.text.chars().take(MOST_TEXT).collect();
    let strikes = if experiment.kind == RunKind::Load { "sends" } else { "strikes" };
    let _ = write!(
        out,
        "<h2>Again</h2><p class=\"lead\">The same seed ({}) {strikes} the same requests.</p><pre>{}</pre><h3>The experiment</h3><pre>{}</pre>",
        experiment.seed,
        escape(&experiment.command),
        escape(&text)
    );
    if !experiment.weaknesses.is_empty() {
        let _ = write!(out, "<p>Weaknesses switched on: {}</p>", escape(&experiment.weaknesses.join(", ")));
    }
    if !report.notes.is_empty() {
        out.push_str("<h2>Notes</h2>");
        list(out, &report.notes);
    }
    out.push_str("<h2>What the words mean</h2><dl>");
    let about_faults = ABOUT_FAULTS.iter().filter(|_| experiment.kind == RunKind::Experiment);
    for (word, meaning) in about_faults.chain(&GLOSSARY) {
        let _ = write!(out, "<dt>{word}</dt><dd>{meaning}</dd>");
    }
    let systems = if experiment.systems.is_empty() { " ".to_owned() } else { format!(" · systems: {} ", experiment.systems.join(", ")) };
    let _ = write!(
        out,
        "</dl><footer>brownout {}{}· second 0 was {} · machines read <code>result.json</code>, <code>junit.xml</code> and <code>latency.hlog</code></footer>",
        escape(&experiment.version),
        escape(&systems),
        dates::readable(UNIX_EPOCH + Duration::from_millis(report.started_unix_ms))
    );
}

#[cfg(test)]
mod tests {
    use crate::sample::{healthy, slow};

    #[test]
    fn names_in_backticks_are_shown_as_code() {
        assert_eq!(super::prose("`a<b` broke"), "<code>a&lt;b</code> broke");
        assert_eq!(super::prose("one ` only"), "one ` only");
    }

    #[test]
    fn the_page_is_small_makes_no_network_request_and_escapes_its_content() {
        for mut measured in [healthy(), slow()] {
            measured.invariants[0].broken = 1;
            measured.experiment.question = "</title><script>alert(1)</script>".into();
            let page = super::write(&crate::judge::judge(&measured), &measured.latencies);
            assert!(page.len() < 250_000, "{} bytes", page.len());
            for forbidden in ["<script", "http://", "https://", "url(", "@import", "src=", "href="] {
                assert!(!page.contains(forbidden), "{forbidden}");
            }
            assert!(page.contains("&lt;script&gt;"));
        }
    }
}
