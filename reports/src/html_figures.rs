//! The charts of `report.html`, by endpoint, each with what its lines and shades mean.

use std::cmp::Reverse;
use std::fmt::Write as _;

use crate::charts::{Heatmap, Panels, Shown, TimeAxis, percentiles, timeline};
use crate::formats::html::escape;
use crate::latencies::{Latencies, Phase};
use crate::measurements::RunKind;
use crate::report::{EndpointRow, Report};
use crate::rolls::ArmTag;
use crate::words::{count, seconds};

/// The most endpoints with charts; a reader looks at no more.
const MOST_ENDPOINTS: usize = 3;

const KEYS: &str = r#"<span class="key o"></span>not struck<span class="key s"></span>struck"#;

/// The charts of the endpoints that matter most.
pub(crate) fn figures(out: &mut String, report: &Report, latencies: &Latencies) {
    let endpoints = endpoints(report);
    if endpoints.is_empty() {
        return;
    }
    let kind = report.experiment.kind;
    let keys = if kind == RunKind::Experiment { KEYS } else { "" };
    let _ = write!(
        out,
        "<h2>What was seen</h2><p class=\"lead\">{keys}<span class=\"key d\"></span>dashed and thin: p99, solid: p50. Crosses are errors. Latency axes are logarithmic. A request is shown at the time at which it was due.</p>"
    );
    let time = TimeAxis::new(&report.phases, kind);
    for endpoint in endpoints.iter().take(MOST_ENDPOINTS) {
        of_endpoint(out, Shown { latencies, time, endpoint });
    }
    let more = endpoints.len().saturating_sub(MOST_ENDPOINTS);
    if more > 0 {
        let _ = writeln!(out, "<p class=\"lead\">The other endpoints ({}) are in the table of endpoints below.</p>", count(more as u64));
    }
}

/// Endpoints with aims, then those that faults struck, then the others; of the last two the largest
/// first.
fn endpoints(report: &Report) -> Vec<&str> {
    let aimed = report.aims.iter().map(|aim| aim.expectation.of.as_str());
    let struck = by_size(report, |row| row.phase == Phase::Fault && row.arm == ArmTag::Treatment);
    let mut names: Vec<&str> = Vec::new();
    for name in aimed.chain(struck).chain(by_size(report, |_| true)) {
        if !names.contains(&name) && requests(report, name) > 0 {
            names.push(name);
        }
    }
    names
}

fn by_size(report: &Report, wanted: impl Fn(&EndpointRow) -> bool) -> Vec<&str> {
    let names = report.endpoints.iter().filter(|row| wanted(row)).map(|row| row.endpoint.as_str());
    let mut names: Vec<_> = names.map(|name| (Reverse(requests(report, name)), name)).collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name).collect()
}

fn requests(report: &Report, endpoint: &str) -> u64 {
    report.endpoints.iter().filter(|row| row.endpoint == endpoint).map(|row| row.requests).sum()
}

fn of_endpoint(out: &mut String, shown: Shown) {
    let (heatmap, panels) = (Heatmap::new(shown), Panels::new(shown));
    let by_percentile = match shown.time.kind() {
        RunKind::Experiment => {
            "Latency by percentile: the fault phase, and <span class=\"key b\"></span>the baseline of the same kind of requests"
        }
        RunKind::Load => "Latency by percentile",
    };
    let figures = [
        ("Latency over time".to_owned(), timeline(shown)),
        (format!("Requests by latency and time; a column is {}:{}", seconds(heatmap.column_s()), heatmap.key()), heatmap.draw()),
        (format!("Requests over time:{}", panels.key()), panels.draw()),
        (format!("{by_percentile}. A line ends where fewer than 10 requests are beyond it, or where requests fail."), percentiles(shown)),
    ];
    let _ = write!(out, "<h3>{}</h3><div class=\"charts\">", escape(shown.endpoint));
    for (caption, chart) in figures {
        let _ = write!(out, "<figure><figcaption>{caption}</figcaption>{chart}</figure>");
    }
    out.push_str("</div>\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::healthy;

    #[test]
    fn endpoints_with_aims_come_first_then_struck_ones_then_the_largest() {
        let mut report = crate::judge::judge(&healthy());
        let row = report.endpoints[0].clone();
        let with = |endpoint: &str, phase, arm, requests| EndpointRow { endpoint: endpoint.into(), phase, arm, requests, ..row.clone() };
        report.aims.truncate(1);
        report.aims[0].expectation.of = "aimed".into();
        report.endpoints = vec![
            with("a small one", Phase::Baseline, ArmTag::Untouched, 3),
            with("the largest", Phase::Baseline, ArmTag::Untouched, 900),
            with("struck", Phase::Fault, ArmTag::Treatment, 2),
            with("aimed", Phase::Fault, ArmTag::Control, 1),
        ];
        assert_eq!(endpoints(&report), ["aimed", "struck", "the largest", "a small one"]);
        let mut page = String::new();
        figures(&mut page, &report, &Latencies::default());
        assert_eq!((page.matches("<h3>").count(), page.matches("role=\"img\"").count()), (3, 12));
        assert!(page.contains("The other endpoints (1) are"), "{page}");
    }

    #[test]
    fn every_chart_says_what_is_seen() {
        let measured = healthy();
        let mut page = String::new();
        figures(&mut page, &crate::judge::judge(&measured), &measured.latencies);
        let charts: Vec<_> = page.split("<svg ").skip(1).collect();
        assert_eq!(charts.len(), 12);
        for chart in charts {
            let label = chart.split("role=\"img\" aria-label=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            assert!(label.len() > 40 && label.chars().any(|c| c.is_ascii_digit()), "{label}");
            assert!(chart.contains(&format!("<title>{label}</title>")), "{label}");
        }
    }
}
