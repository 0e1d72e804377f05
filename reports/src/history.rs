//! The history of runs: a line of JSON for each, and the trend of each endpoint.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::between::phase_name;
use crate::counts::Counts;
use crate::formats::summary_md::cell;
use crate::latencies::{Latencies, Phase, Tag, is_failure, sum};
use crate::report::Report;
use crate::tables::served;
use crate::verdict::Verdict;
use crate::words::{count, percent, time};

/// The version of a line.
const VERSION: u32 = 1;

/// A run in the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    version: u32,
    /// When its recording began, milliseconds since 1970.
    pub started_unix_ms: u64,
    /// The experiment's name.
    pub name: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// Each endpoint in each phase.
    pub places: Vec<Place>,
}

/// An endpoint in a phase. Times are in microseconds; `None` if the quantile is a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The endpoint.
    pub endpoint: String,
    /// The phase.
    pub phase: Phase,
    /// Requests that ended.
    pub requests: u64,
    /// Of these, failed or timed out.
    pub errors: u64,
    /// Median.
    pub p50_us: Option<u64>,
    /// 90th percentile.
    pub p90_us: Option<u64>,
    /// 99th percentile.
    pub p99_us: Option<u64>,
}

/// Why a history cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A line that is not one of a history.
    #[error("line {0} is not a run of a history, as `brownout compare --append` writes them: {1}")]
    Form(usize, serde_json::Error),
    /// A line of another version.
    #[error("line {0} has version {1}; this program reads version {VERSION}")]
    Version(usize, u32),
}

/// The line of a run.
pub fn line(report: &Report, latencies: &Latencies) -> Line {
    let mut errors: BTreeMap<(String, Phase), u64> = BTreeMap::new();
    latencies.visit(Tag::ended, |_, tag, _, pairs| {
        *errors.entry((tag.endpoint.clone(), tag.phase)).or_default() += if tag.is_error() { sum(pairs) } else { 0 };
    });
    let place = |((endpoint, phase), errors): ((String, Phase), u64)| {
        let counts = served(latencies, |tag| tag.endpoint == endpoint && tag.phase == phase);
        let [p50_us, p90_us, p99_us] = [0.5, 0.9, 0.99].map(|quantile| us(&counts, quantile));
        Place { requests: counts.total(), endpoint, phase, errors, p50_us, p90_us, p99_us }
    };
    Line {
        version: VERSION,
        started_unix_ms: report.started_unix_ms,
        name: report.experiment.name.clone(),
        verdict: report.verdict,
        places: errors.into_iter().map(place).collect(),
    }
}

fn us(counts: &Counts, quantile: f64) -> Option<u64> {
    counts.quantile(quantile).filter(|us| !is_failure(*us))
}

impl Line {
    /// As it is in the file, with its line break.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

/// Reads a history.
///
/// # Errors
/// Which line is not understood.
pub fn read(text: &str) -> Result<Vec<Line>, HistoryError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(index, line): (usize, &str)| {
        let line: Line = serde_json::from_str(line).map_err(|error| HistoryError::Form(index + 1, error))?;
        if line.version == VERSION { Ok(line) } else { Err(HistoryError::Version(index + 1, line.version)) }
    };
    lines.map(read).collect()
}

/// The trend of each endpoint and phase as Markdown, the oldest run first.
pub fn trend(lines: &[Line]) -> String {
    let mut places: BTreeMap<_, Vec<(&Line, &Place)>> = BTreeMap::new();
    for line in lines {
        for place in &line.places {
            places.entry((line.name.as_str(), place.endpoint.as_str(), place.phase)).or_default().push((line, place));
        }
    }
    let mut out = String::new();
    for ((name, endpoint, phase), runs) in places {
        let _ = writeln!(out, "## {}: {} ({})\n", cell(name), cell(endpoint), phase_name(phase));
        out.push_str(
            "| Run | Verdict | Requests | Errors | p50 | p90 | p99 | p99 against the run before |\n|---|---|---|---|---|---|---|---|\n",
        );
        let mut before = None;
        for (line, place) in runs {
            let shown = |us: Option<u64>| us.map_or_else(|| "failed".to_owned(), |us| time(us as f64));
            let change = match (before, place.p99_us) {
                (Some(was), Some(is)) if was > 0 => format!("{:+.1} %", (is as f64 / was as f64 - 1.0) * 100.0),
                _ => String::new(),
            };
            before = place.p99_us;
            let moment = dates::readable(UNIX_EPOCH + Duration::from_millis(line.started_unix_ms));
            let errors = percent(place.errors as f64 / place.requests.max(1) as f64);
            let [p50, p90, p99] = [place.p50_us, place.p90_us, place.p99_us].map(shown);
            let cells = [moment, line.verdict.name().to_owned(), count(place.requests), errors, p50, p90, p99, change];
            let _ = writeln!(out, "| {} |", cells.join(" | "));
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{healthy, slow};

    #[test]
    fn a_history_is_read_back_and_shows_each_endpoint_over_time() {
        let lines: Vec<Line> = [healthy(), slow()]
            .into_iter()
            .zip([0, 86_400_000])
            .map(|(mut measured, later)| {
                measured.started_unix_ms += later;
                line(&crate::judge::judge(&measured), &measured.latencies)
            })
            .collect();
        let text: String = lines.iter().map(Line::json).collect();
        assert_eq!(read(&text).unwrap(), lines);
        let trend = trend(&lines);
        assert!(trend.contains("## slow-authorizer: clinic GET /appointment/{id} (fault)"), "{trend}");
        let rows: Vec<_> = trend.lines().filter(|line| line.starts_with("| 20")).collect();
        assert_eq!(rows.len(), lines.iter().map(|line| line.places.len()).sum::<usize>(), "{trend}");
        assert!(rows.iter().any(|row| row.contains(" broken ") && row.contains('+')), "{trend}");
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let measured = healthy();
        let good = line(&crate::judge::judge(&measured), &measured.latencies).json();
        assert!(read(&format!("{good}\n{{}}\n")).unwrap_err().to_string().starts_with("line 3 is not a run of a history"));
        let newer = good.replacen("\"version\":1", "\"version\":9", 1);
        assert_eq!(read(&newer).unwrap_err().to_string(), "line 1 has version 9; this program reads version 1");
    }
}
