//! The tables of `report.html`. They only show what the report concluded.

use std::fmt::Write as _;

use crate::deployments::{MEANING, side_by_side};
use crate::dispositions::Row;
use crate::formats::html::{escape, prose};
use crate::measurements::{Invariant, RunKind};
use crate::report::{Answer, EndpointRow, InjectionRow, MethodCheck, Quantile, Report, Source};
use crate::rolls::ArmTag;
use crate::words::{count, percent, seconds, time};

const NONE: &str = "<small>none</small>";

/// A table; a heading that begins with `#` means a column of numbers.
fn table(out: &mut String, headings: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let number = |column: usize| headings.get(column).is_some_and(|heading| heading.starts_with('#'));
    let class = |column: usize| if number(column) { " class=\"n\"" } else { "" };
    out.push_str("<div class=\"wide\"><table><thead><tr>");
    for (column, heading) in headings.iter().enumerate() {
        let _ = write!(out, "<th{}>{}</th>", class(column), heading.trim_start_matches('#'));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in row.into_iter().enumerate() {
            let _ = write!(out, "<td{}>{cell}</td>", class(column));
        }
        out.push_str("</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

fn heading(out: &mut String, title: &str, lead: &str) {
    let _ = write!(out, "<h2>{title}</h2><p class=\"lead\">{lead}</p>");
}

fn answer(answer: Answer) -> String {
    let (class, mark) = match answer {
        Answer::Holds => ("yes", "✓"),
        Answer::Broken => ("no", "✗"),
        Answer::NotShown => ("unsure", "?"),
    };
    format!("<span class=\"{class}\">{mark} {}</span>", answer.words())
}

fn with_note(text: String, note: &str) -> String {
    if note.is_empty() { text } else { format!("{text}<small>{}</small>", prose(note)) }
}

/// The aims and their answers.
pub(crate) fn aims(out: &mut String, report: &Report) {
    if report.aims.is_empty() {
        return;
    }
    let of = match report.experiment.kind {
        RunKind::Experiment => "fault",
        RunKind::Load => "measured",
    };
    let lead = format!(
        "Judged on the {of} phase. A failed request misses every bound on time. An aim holds where the whole interval keeps the bound; the interval goes by blocks of 5 s and is about these seconds. Implied aims are there unless the file says otherwise."
    );
    heading(out, "Aims", &lead);
    let mut headings = vec!["Of", "Asked", "Whose requests", "Found", "95 % interval", "Answer", "In the baseline"];
    if report.experiment.kind == RunKind::Load {
        headings.pop();
    }
    table(
        out,
        &headings,
        report.aims.iter().map(|aim| {
            let asked = with_note(escape(&aim.asked), if aim.source == Source::Implied { "implied" } else { "" });
            let [of, found, interval] = [&aim.expectation.of, &aim.found, &aim.interval].map(|text| escape(text));
            let before = aim.baseline.map_or_else(|| NONE.to_owned(), answer);
            let mut cells = vec![of, asked, aim.whose(), found, interval, with_note(answer(aim.answer), &aim.why), before];
            cells.truncate(headings.len());
            cells
        }),
    );
}

/// What the oracles found, with the exchanges that broke a rule.
pub(crate) fn invariants(out: &mut String, report: &Report) {
    if report.invariants.is_empty() {
        return;
    }
    heading(out, "Invariants", "Rules that must hold for every exchange, with or without a fault.");
    table(
        out,
        &["", "Rule", "#Checked", "#Broken", "#In the baseline", "Answer"],
        report.invariants.iter().map(|rule| {
            let said = match (rule.broken, rule.checked) {
                (0, 0) => "<span class=\"unsure\">? not exercised</span>".to_owned(),
                (0, _) => answer(Answer::Holds),
                _ => answer(Answer::Broken),
            };
            vec![
                format!("<span class=\"id\">{}</span>", escape(&rule.id)),
                escape(&rule.rule),
                count(rule.checked),
                count(rule.broken),
                count(rule.broken_in_baseline),
                said,
            ]
        }),
    );
    for rule in report.invariants.iter().filter(|rule| rule.broken > 0 && !rule.exchanges.is_empty()) {
        exchanges(out, rule);
    }
}

fn exchanges(out: &mut String, rule: &Invariant) {
    let _ = write!(out, "<h3>Exchanges that broke {}</h3>", escape(&rule.id));
    table(
        out,
        &["#At", "Asked", "Answered", "Expected", "To repeat it"],
        rule.exchanges.iter().map(|one| {
            vec![
                seconds(one.at_s),
                with_note(escape(&one.asked), &one.root),
                escape(&one.answered),
                prose(&one.expected),
                format!("<code>{}</code>", escape(&one.repeat)),
            ]
        }),
    );
}

/// The outcomes of everything that arrived without HTTP.
pub(crate) fn dispositions(out: &mut String, report: &Report) {
    if report.dispositions.is_empty() {
        return;
    }
    heading(out, "What became of everything", "Whatever was taken in ends in exactly one of these ways, or is still under way.");
    for table_of in &report.dispositions {
        let _ = write!(out, "<h3>{}</h3>", escape(&table_of.of));
        let cells = |row: &Row, what: String| vec![what, count(row.struck), count(row.control), count(row.neither), count(row.total())];
        let ends = table_of.ends.iter().map(|row| cells(row, escape(&row.what)));
        let sum =
            vec!["<b>taken in</b>".to_owned(), String::new(), String::new(), String::new(), format!("<b>{}</b>", count(table_of.taken))];
        let of_these = table_of.of_these.iter().map(|row| cells(row, format!("<i>of these: {}</i>", escape(&row.what))));
        table(out, &["", "#Struck", "#Control", "#Neither", "#All"], ends.chain([sum]).chain(of_these));
    }
}

/// A text with its mark, if it begins with one, in the mark's colour.
fn marked(text: &str) -> String {
    let class = match text.chars().next() {
        Some('✗') => "no",
        Some('?') => "unsure",
        _ => "yes",
    };
    let with_class = |(mark, rest): (&str, &str)| format!("<span class=\"{class}\">{mark}</span> {}", escape(rest));
    text.split_once(' ').filter(|(mark, _)| ["✓", "✗", "?"].contains(mark)).map_or_else(|| escape(text), with_class)
}

/// Deployments of one API side by side.
pub(crate) fn deployments(out: &mut String, report: &Report) {
    if report.deployments.is_empty() {
        return;
    }
    heading(out, "One API, deployed in several ways", MEANING);
    let names: Vec<String> = std::iter::once(String::new()).chain(report.deployments.iter().map(|one| escape(&one.name))).collect();
    let headings: Vec<&str> = names.iter().map(String::as_str).collect();
    let rows = side_by_side(&report.deployments).into_iter();
    table(out, &headings, rows.map(|line| line.iter().map(|text| marked(text)).collect()));
}

/// Treatment against control.
pub(crate) fn effects(out: &mut String, report: &Report) {
    if report.effects.is_empty() && report.interference.is_empty() {
        return;
    }
    let check = match &report.method {
        MethodCheck::Passed(made) => {
            format!("As a check, the control arm was split in two and compared with itself in {made} ways: no difference.")
        }
        MethodCheck::NotMade(why) => {
            format!("The check of the method, in which the control arm is compared with itself, was not made: {}.", prose(why))
        }
        MethodCheck::Failed(why) => format!("The check of the method failed: {}.", prose(why)),
    };
    heading(out, "What the faults changed", &format!("Struck against control, in the same seconds. {check}"));
    table(
        out,
        &["Endpoint", "Fault", "At", "#Struck", "#Control", "#Difference", "#Ratio", "#95 % interval", "Differs"],
        report.effects.iter().map(|row| {
            let start = [escape(&row.endpoint), escape(&row.fault), row.quantile.clone()];
            let rest = row.effect.as_ref().map_or_else(
                || vec![NONE.into(), NONE.into(), NONE.into(), NONE.into(), NONE.into(), with_note("?".into(), &row.missing)],
                |e| {
                    let gap = e.treatment_us as f64 - e.control_us as f64;
                    let sign = if gap < 0.0 { "−" } else { "+" };
                    let differs = if e.differs { "yes" } else { "not shown" };
                    vec![
                        time(e.treatment_us as f64),
                        time(e.control_us as f64),
                        format!("{sign}{}", time(gap.abs())),
                        format!("{:.2}", e.ratio),
                        format!("{:.2} to {:.2}", e.interval.low, e.interval.high),
                        differs.to_owned(),
                    ]
                },
            );
            start.into_iter().chain(rest).collect()
        }),
    );
}

/// Control against its own baseline.
pub(crate) fn interference(out: &mut String, report: &Report) {
    if report.interference.is_empty() {
        return;
    }
    heading(
        out,
        "Do the faults reach requests that they did not strike?",
        "Control in the fault phase against the requests of the baseline that the faults would have been about. The phases follow each other, so the interval is wide; where control left its baseline, struck against control says too little.",
    );
    table(
        out,
        &["Endpoint", "At", "#Control", "#Baseline", "#Ratio", "#Interval", "Answer"],
        report.interference.iter().map(|row| {
            let said = if row.beyond { "<span class=\"no\">✗ reached</span>" } else { "not shown" };
            vec![
                escape(&row.endpoint),
                row.quantile.clone(),
                quantile_us(Some(row.control_us)),
                quantile_us(Some(row.baseline_us)),
                format!("{:.2}", row.ratio),
                format!("{:.2} to {:.2}", row.interval.low, row.interval.high),
                said.to_owned(),
            ]
        }),
    );
}

/// A quantile that is a failure has no time.
fn quantile_us(us: Option<u64>) -> String {
    us.filter(|us| !crate::latencies::is_failure(*us)).map_or_else(|| "failed".to_owned(), |us| time(us as f64))
}

const fn arm(arm: ArmTag) -> &'static str {
    match arm {
        ArmTag::Treatment => "struck",
        ArmTag::Control => "control",
        ArmTag::Untouched => "no fault about it",
    }
}

/// Each endpoint by phase and arm.
pub(crate) fn endpoints(out: &mut String, report: &Report) {
    if report.endpoints.is_empty() {
        return;
    }
    heading(
        out,
        "Endpoints",
        "Latency counts from the moment a request was due; a failed or timed-out request counts as slower than any other. A number with too few requests is in brackets.",
    );
    let cell = |quantile: &Quantile| {
        let text = quantile_us(quantile.us);
        if quantile.needs > 0 { with_note(format!("({text})"), &format!("needs {} more", count(quantile.needs))) } else { text }
    };
    let whose = |of| if report.experiment.kind == RunKind::Load { "all" } else { arm(of) };
    let row = |row: &EndpointRow| {
        let errors = row.errors_interval.map_or(String::new(), |i| format!("{} to {}", percent(i.low), percent(i.high)));
        let p99 = row.p99_interval.map_or_else(String::new, |i| format!("{} to {}", time(i.low), time(i.high)));
        let mut cells = vec![
            escape(&row.endpoint),
            report.experiment.kind.phase(row.phase).to_owned(),
            whose(row.arm).to_owned(),
            count(row.requests),
            count(row.cold),
            with_note(count(row.errors), &errors),
        ];
        cells.extend(row.quantiles.iter().map(|quantile| {
            let note = if quantile.at == "p99" { p99.as_str() } else { "" };
            with_note(cell(quantile), note)
        }));
        cells.push(row.longest_us.map_or_else(|| NONE.to_owned(), |us| time(us as f64)));
        cells
    };
    let headings = ["Endpoint", "Phase", "Requests", "#n", "#Cold starts", "#Errors", "#p50", "#p90", "#p99", "#p99.9", "#Longest"];
    table(out, &headings, report.endpoints.iter().map(row));
}

/// The ledger counts of each fault.
pub(crate) fn ledger(out: &mut String, report: &Report) {
    if report.injections.is_empty() {
        return;
    }
    heading(
        out,
        "Faults, as those who carried them out wrote down",
        "The number struck must lie in the exact binomial 99.9 % band of the share that was asked.",
    );
    let row = |row: &InjectionRow| {
        let books = &row.books;
        let (low, high) = row.band;
        let wait = |sum: u64| if books.struck > 0 && sum > 0 { time(sum as f64 / books.struck as f64) } else { "–".to_owned() };
        let mark = if (low..=high).contains(&books.struck) { "" } else { " <span class=\"no\">✗ outside</span>" };
        vec![
            escape(&books.fault),
            escape(&books.place),
            count(books.eligible),
            percent(row.share),
            count(books.planned),
            count(books.struck),
            count(books.unknown),
            format!("{} to {}{mark}", count(low), count(high)),
            wait(books.asked_us),
            wait(books.waited_us),
        ]
    };
    let headings =
        ["Fault", "At", "#Eligible", "#Share", "#Rolled", "#Carried out", "#In no ledger", "#Band", "#Wait asked, mean", "#Really waited"];
    table(out, &headings, report.injections.iter().map(row));
}

/// The checks of ledgers, generator and machine.
pub(crate) fn health(out: &mut String, report: &Report) {
    heading(out, "Can these numbers be trusted?", "A load generator or a machine at its limit measures itself.");
    let (books, generator, platform) = (report.books, &report.generator, &report.platform);
    let said = |trouble: Option<&str>| {
        trouble.map_or_else(|| answer(Answer::Holds), |why| with_note("<span class=\"no\">✗ no</span>".to_owned(), why))
    };
    let us = |span: std::time::Duration| time(span.as_secs_f64() * 1e6);
    let sent = format!(
        "{} sent = {} answered + {} failed + {} timed out + {} cancelled",
        count(books.sent),
        count(books.answered),
        count(books.failed),
        count(books.timed_out),
        count(books.cancelled)
    );
    let load = format!(
        "{:.1} of {:.1} requests a second; started late by {} (p50), {} (p99), {} at most; {} of a processor core",
        generator.achieved_per_s,
        generator.intended_per_s,
        us(generator.lag_p50),
        us(generator.lag_p99),
        us(generator.lag_max),
        percent(generator.cpu)
    );
    let machine = format!(
        "{} invocations in {} environments; {} waited for one ({} at p99); {} throttled; {} environments ended badly",
        count(platform.invocations),
        count(platform.environments),
        count(platform.queued),
        us(platform.queue_p99),
        count(platform.throttled),
        count(platform.ended_badly)
    );
    let mut rows = vec![
        vec!["The books balance".to_owned(), sent, said(report.discrepancies.first().map(String::as_str))],
        vec!["The load generator kept up".to_owned(), load, said(report.generator_trouble.as_deref())],
        vec!["The machine was not the bottleneck".to_owned(), machine, said(report.platform_trouble.as_deref())],
    ];
    if report.experiment.kind == RunKind::Load {
        rows.truncate(2);
    }
    table(out, &["", "Measured", "Answer"], rows.into_iter());
}
