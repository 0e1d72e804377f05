//! Load alone at a glance, for a terminal: the rates, the statuses, the quantiles and the errors that
//! users of load generators look for. It concludes nothing.

use std::fmt::Write as _;

use crate::measurements::{Books, Endings};
use crate::report::{EndpointRow, Quantile, Report};
use crate::words::{count, percent, time};

/// The table as text; the last line ends with a line break.
pub fn write(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "rate      {:.1}/s asked, {:.1}/s reached", report.generator.intended_per_s, report.generator.achieved_per_s);
    let Books { sent, answered, cancelled, .. } = report.books;
    let _ = write!(out, "requests  {} sent, {} ok", count(sent), count(answered));
    let _ = writeln!(out, "{}", if cancelled > 0 { format!(", {} cancelled", count(cancelled)) } else { String::new() });
    let _ = writeln!(out, "statuses  {}", statuses(&report.endings));
    let _ = writeln!(out, "errors    {}\n", errors(&report.endings));
    let headings = ["endpoint", "requests", "errors", "p50", "p90", "p99", "p99.9", "max"].map(str::to_owned).to_vec();
    aligned(&mut out, &std::iter::once(headings).chain(report.endpoints.iter().map(row)).collect::<Vec<_>>());
    out.push_str(
        "latency counts from the moment a request was due; a failed request is slower than any other; (in brackets: too few requests)\n",
    );
    out
}

fn statuses(endings: &Endings) -> String {
    let all: Vec<_> = endings.statuses.iter().map(|(status, n)| format!("{status}: {}", count(*n))).collect();
    if all.is_empty() { "no answer".to_owned() } else { all.join(", ") }
}

fn errors(endings: &Endings) -> String {
    let Endings { unexpected, no_connection, cut_off, timed_out, .. } = *endings;
    let kinds =
        [(unexpected, "not as expected"), (no_connection, "no connection"), (cut_off, "connection ended"), (timed_out, "timed out")];
    let all: Vec<_> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", count(*n))).collect();
    if all.is_empty() { "0".to_owned() } else { all.join(", ") }
}

fn row(row: &EndpointRow) -> Vec<String> {
    let errors = if row.errors == 0 {
        "0".to_owned()
    } else {
        format!("{} ({})", count(row.errors), percent(row.errors as f64 / row.requests.max(1) as f64))
    };
    let quantile = |quantile: &Quantile| {
        let text = quantile.us.map_or_else(|| "failed".to_owned(), |us| time(us as f64));
        if quantile.needs > 0 { format!("({text})") } else { text }
    };
    let longest = row.longest_us.map_or_else(|| "-".to_owned(), |us| time(us as f64));
    let start = [row.endpoint.clone(), count(row.requests), errors];
    start.into_iter().chain(row.quantiles.iter().map(quantile)).chain([longest]).collect()
}

/// Columns as wide as their widest cell; the first to the left, numbers to the right.
fn aligned(out: &mut String, rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let wide = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns).map(wide).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "  {cell:>width$}") };
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use crate::latencies::{Latencies, Outcome, Phase, Tag};
    use crate::measurements::{Measurements, RunKind};
    use crate::rolls::Rolls;
    use crate::sample::healthy;
    use crate::{Verdict, judge};

    /// Load alone of `requests` to one endpoint, of which the last `failed` fail; each second has 100.
    fn alone(requests: u64, failed: u64) -> Measurements {
        let mut measured = healthy();
        measured.experiment.kind = RunKind::Load;
        measured.experiment.faults.clear();
        measured.experiment.expectations.clear();
        measured.injections.clear();
        measured.invariants.clear();
        measured.dispositions.clear();
        measured.deployments.clear();
        measured.phases.truncate(1);
        measured.books =
            crate::measurements::Books { planned: requests, sent: requests, answered: requests - failed, failed, ..Default::default() };
        measured.endings.statuses = [(200, requests - failed), (503, failed)].into_iter().filter(|(_, n)| *n > 0).collect();
        measured.endings.unexpected = failed;
        for latencies in [&mut measured.latencies, &mut measured.service_times] {
            *latencies = Latencies::default();
            for n in 0..requests {
                let outcome = if n >= requests - failed { Outcome::Failed } else { Outcome::Answered };
                let tag = Tag { endpoint: "shop GET /".into(), phase: Phase::Baseline, rolls: Rolls::default(), cold: false, outcome };
                latencies.record(u32::try_from(n / 100).unwrap(), &tag, 1_000 + n % 50, false);
            }
        }
        measured
    }

    fn aim(measured: &mut Measurements, bound: crate::Bound) {
        let aim = crate::Expectation { of: "shop GET /".into(), bound, arm: None, starts: crate::Starts::All };
        measured.experiment.expectations.push(aim);
    }

    #[test]
    fn load_alone_is_judged_on_its_one_phase() {
        let p99 = |bound: &str| crate::Bound::P99(bound.parse().unwrap());
        let errors = |share: f64| crate::Bound::Errors(share.try_into().unwrap());
        for (requests, failed, bound, verdict, says) in [
            (1_500, 0, None, Verdict::Held, "1,500 of 1,500 requests were served. No aim was set."),
            (1_500, 0, Some(p99("50ms")), Verdict::Held, "Every aim held."),
            (1_500, 0, Some(p99("1ms")), Verdict::Broken, "The system broke: `shop GET /` should keep p99 at most 1ms (all requests)"),
            (300, 0, Some(p99("50ms")), Verdict::NotShown, "needs 68 more requests"),
            (
                1_500,
                1_500,
                None,
                Verdict::Broken,
                "The system broke: in the measured phase `shop GET /` served none of its 1,500 requests.",
            ),
            (1_500, 200, None, Verdict::Broken, "should keep errors at most 2 % (all requests, implied)"),
            (1_500, 200, Some(errors(0.9)), Verdict::Held, "Every aim"),
            (1_500, 4, Some(errors(0.001)), Verdict::NotShown, "errors at most 0.10 %"),
            (0, 0, None, Verdict::NotShown, "no request was sent"),
        ] {
            let mut measured = alone(requests, failed);
            if let Some(bound) = bound {
                aim(&mut measured, bound);
            }
            let report = judge(&measured);
            assert_eq!(report.verdict, verdict, "{requests} {failed} {bound:?}: {}", report.sentence);
            assert!(report.sentence.contains(says), "`{}` does not say `{says}`", report.sentence);
        }
        let mut tired = alone(1_500, 0);
        tired.generator.achieved_per_s *= 0.9;
        assert_eq!(judge(&tired).verdict, Verdict::NotShown);
    }

    #[test]
    fn no_file_of_load_alone_speaks_of_faults() {
        for failed in [0, 20, 1_500] {
            let mut measured = alone(1_500, failed);
            aim(&mut measured, crate::Bound::P99("50ms".parse().unwrap()));
            let report = judge(&measured);
            let folder = tempfile::tempdir().unwrap();
            crate::write_all(folder.path(), &report, &measured.latencies).unwrap();
            for file in ["summary.md", "junit.xml", "report.html"] {
                let text = std::fs::read_to_string(folder.path().join(file)).unwrap().replace(&measured.experiment.text, "");
                let text = text.split("</style>").last().unwrap().split("<h3>The experiment").next().unwrap();
                // Names of classes are no words.
                let words: String =
                    text.split('<').filter_map(|part| part.split_once('>').map_or(Some(part), |(_, words)| Some(words))).collect();
                let text = if file == "report.html" { words } else { text.to_owned() }.to_lowercase();
                for word in ["struck", "control", "baseline", "no fault", "put back"] {
                    assert!(!text.contains(word), "{file} says `{word}`");
                }
            }
        }
    }

    #[test]
    fn the_table_has_what_users_of_load_generators_look_for() {
        let text = super::write(&judge(&alone(1_500, 8)));
        for line in [
            "rate      90.0/s asked, 90.0/s reached",
            "requests  1,500 sent, 1,492 ok",
            "statuses  200: 1,492, 503: 8",
            "errors    8 not as expected",
            "endpoint    requests      errors     p50     p90     p99     p99.9     max",
            "shop GET /     1,500  8 (0.53 %)  1.0 ms  1.0 ms  1.0 ms  (failed)  1.0 ms",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
