//! Latency by percentile, in the style of HdrHistogram: each step to the right is ten times rarer.

use std::fmt::Write as _;

use super::frame::{Area, HEIGHT, LogScale, PLOT, RIGHT, line, open, text, x};
use super::shown::Shown;
use crate::counts::Counts;
use crate::latencies::{Phase, Tag, is_failure};
use crate::measurements::RunKind;
use crate::rolls::ArmTag;
use crate::tables::served;
use crate::words::{count, time};

/// A percentile with fewer requests beyond it says more about these few than about the system, and
/// is not drawn.
const FEWEST_BEYOND: f64 = 10.0;
/// The parts of a line.
const STEPS: u32 = 120;
/// The percentiles that are named, as quantiles.
const NAMED: [(f64, &str); 6] =
    [(0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"), (0.99999, "99.999 %")];

/// How rare the requests beyond a quantile are: the power of ten of one in so many.
fn rarity(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// Some of an endpoint's requests.
struct Line {
    class: &'static str,
    name: &'static str,
    /// With each failure as slower than any answer.
    counts: Counts,
}

impl Line {
    /// The rarity beyond which there are too few requests; not above 0 if there are too few for any.
    fn reach(&self) -> f64 {
        (self.counts.total() as f64 / FEWEST_BEYOND).log10()
    }

    /// The quantile in microseconds; `None` if too few requests are beyond it, or if it is a failure.
    fn at(&self, quantile: f64) -> Option<u64> {
        let total = self.counts.total() as f64;
        let is_known = total - (quantile * total).ceil() >= FEWEST_BEYOND;
        self.counts.quantile(quantile).filter(|us| is_known && !is_failure(*us))
    }

    /// Quantiles with their microseconds, in equal steps of rarity.
    fn points(&self) -> Vec<(f64, u64)> {
        let reach = self.reach();
        if reach <= 0.0 {
            return Vec::new();
        }
        let quantile = |step: u32| 1.0 - 10_f64.powf(-reach * f64::from(step) / f64::from(STEPS));
        (0..=STEPS).map(quantile).filter_map(|quantile| Some((quantile, self.at(quantile)?))).collect()
    }

    /// The named percentiles that are known, with their quantiles.
    fn named(&self) -> impl Iterator<Item = (f64, &'static str, u64)> {
        NAMED.into_iter().filter_map(|(quantile, name)| Some((quantile, name, self.at(quantile)?)))
    }
}

/// The lines of an endpoint, the last one on top.
fn lines(shown: Shown) -> Vec<Line> {
    let of = |phase: Phase, arm: &dyn Fn(ArmTag) -> bool| {
        served(shown.latencies, |tag: &Tag| shown.has(tag) && tag.phase == phase && arm(tag.arm()))
    };
    if shown.time.kind() == RunKind::Load {
        return vec![Line { class: "others", name: "all", counts: of(Phase::Baseline, &|_| true) }];
    }
    // Like is compared with like: requests that the faults are about, if there are any.
    let about = |phase, arm: ArmTag| {
        let counts = of(phase, &|one| one == arm);
        if counts.total() > 0 { counts } else { of(phase, &|one| one == ArmTag::Untouched) }
    };
    vec![
        Line { class: "baseline", name: "baseline", counts: about(Phase::Baseline, ArmTag::Control) },
        Line { class: "others", name: "not struck", counts: about(Phase::Fault, ArmTag::Control) },
        Line { class: "struck", name: "struck", counts: of(Phase::Fault, &|arm| arm == ArmTag::Treatment) },
    ]
}

/// The chart.
pub fn percentiles(shown: Shown) -> String {
    let lines = lines(shown);
    let told: Vec<String> = lines.iter().rev().filter(|line| line.counts.total() > 0).map(tell).collect();
    let told = if told.is_empty() { "no requests".to_owned() } else { told.join("; ") };
    let mut svg = open(&format!("Latency by percentile: {told}"));
    let points: Vec<_> = lines.iter().map(|line| (line, line.points())).collect();
    let reach = lines.iter().map(Line::reach).fold(1.0, f64::max);
    let across = |quantile| x(rarity(quantile) / reach);
    let scale = LogScale::of(points.iter().flat_map(|(_, points)| points.iter().map(|(_, us)| *us)));
    if points.iter().all(|(_, points)| points.is_empty()) {
        text(&mut svg, (x(0.5), HEIGHT / 2.0), "middle", "too few answers to draw");
        svg.push_str("</svg>");
        return svg;
    }
    scale.grid(&mut svg);
    text(&mut svg, (x(0.0), PLOT.foot + 18.0), "middle", "0 %");
    // The rarity of 0.9 is above 1 by a rounding error.
    for (quantile, name) in NAMED.into_iter().filter(|(quantile, _)| rarity(*quantile) <= reach + 1e-9) {
        let (x, Area { top, foot }) = (across(quantile), PLOT);
        let _ = write!(svg, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{top}" y2="{foot}"/>"#);
        text(&mut svg, (x, foot + 18.0), if x > RIGHT - 14.0 { "end" } else { "middle" }, name);
    }
    for (one, points) in points {
        let places: Vec<_> = points.iter().map(|(quantile, us)| (across(*quantile), scale.y(*us as f64))).collect();
        line(&mut svg, one.class, &places);
        for (quantile, name, us) in one.named() {
            let (x, y) = (across(quantile), scale.y(us as f64));
            let _ = write!(
                svg,
                r#"<circle class="{}" cx="{x:.1}" cy="{y:.1}" r="3"><title>{name} {}: {}</title></circle>"#,
                one.class,
                one.name,
                time(us as f64)
            );
        }
    }
    svg.push_str("</svg>");
    svg
}

/// A line in words: its requests, and its named percentiles.
fn tell(line: &Line) -> String {
    let named: String = line.named().map(|(_, name, us)| format!(", {name} {}", time(us as f64))).collect();
    format!("{} {}{named}", count(line.counts.total()), line.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::TimeAxis;
    use crate::latencies::{Latencies, Outcome};
    use crate::measurements::Measurements;
    use crate::rolls::Rolls;
    use crate::sample;

    fn shown<'a>(measured: &'a Measurements, endpoint: &'a str) -> Shown<'a> {
        let time = TimeAxis::new(&measured.phases, measured.experiment.kind);
        Shown { latencies: &measured.latencies, time, endpoint }
    }

    const CLINIC: &str = "clinic GET /appointment/{id}";

    #[test]
    fn what_is_drawn_is_the_quantiles_of_the_merged_histogram() {
        let measured = sample::slow();
        let lines = lines(shown(&measured, CLINIC));
        let merged = |phase, arm| measured.latencies.counts(|tag| tag.endpoint == CLINIC && tag.phase == phase && tag.arm() == arm);
        let expected = [(Phase::Baseline, ArmTag::Control), (Phase::Fault, ArmTag::Control), (Phase::Fault, ArmTag::Treatment)]
            .map(|(p, a)| merged(p, a));
        assert_eq!(lines.len(), expected.len());
        for (line, merged) in lines.iter().zip(expected) {
            let points = line.points();
            assert!(points.len() >= STEPS as usize, "{}: {}", line.name, points.len());
            for (quantile, us) in points {
                assert_eq!(Some(us), merged.quantile(quantile), "{} at {quantile}", line.name);
                let beyond = merged.total() as f64 - (quantile * merged.total() as f64).ceil();
                assert!(beyond >= FEWEST_BEYOND, "{} at {quantile}: {beyond} beyond", line.name);
            }
            let named: Vec<_> = line.named().map(|(_, name, us)| (name, Some(us))).collect();
            assert_eq!(named, [("50 %", merged.quantile(0.5)), ("90 %", merged.quantile(0.9))], "{}", line.name);
        }
    }

    /// This many answers of 1, 2, 3, ... ms and failures, of control in the fault phase.
    fn with(answered: u64, failed: u64) -> Measurements {
        let mut measured = sample::healthy();
        measured.latencies = Latencies::default();
        for n in 1..=answered + failed {
            let outcome = if n <= answered { Outcome::Answered } else { Outcome::Failed };
            let tag = Tag { endpoint: "of".into(), phase: Phase::Fault, rolls: Rolls::one(0, false), cold: false, outcome };
            measured.latencies.record(20, &tag, n * 1_000, false);
        }
        measured
    }

    #[test]
    fn a_percentile_is_drawn_only_with_ten_requests_beyond_it() {
        for (requests, expected) in
            [(9, &[][..]), (19, &[]), (20, &["50 %"]), (99, &["50 %"]), (100, &["50 %", "90 %"]), (9_999, &["50 %", "90 %", "99 %"])]
        {
            let measured = with(requests, 0);
            let named: Vec<_> = lines(shown(&measured, "of")).iter().flat_map(|line| line.named().map(|(_, name, _)| name)).collect();
            assert_eq!(named, expected, "{requests}");
        }
        assert!(percentiles(shown(&with(9, 0), "of")).contains("too few answers"));
    }

    #[test]
    fn a_line_ends_where_its_requests_fail() {
        let measured = with(1_500, 500);
        let lines = lines(shown(&measured, "of"));
        let control = lines.iter().find(|line| line.name == "not struck").unwrap();
        assert_eq!(control.counts.total(), 2_000);
        assert_eq!((control.at(0.75).is_some(), control.at(0.76)), (true, None));
        let last = control.points().last().copied().unwrap();
        assert!(last.0 <= 0.75 && last.1 <= 1_501_000, "{last:?}: a quarter fails");
    }

    #[test]
    fn the_chart_says_in_words_what_it_shows() {
        let measured = sample::healthy();
        let svg = percentiles(shown(&measured, CLINIC));
        let struck = measured.latencies.counts(|tag| tag.endpoint == CLINIC && tag.arm() == ArmTag::Treatment);
        let words = format!("{} struck, 50 % {}", count(struck.total()), time(struck.quantile(0.5).unwrap() as f64));
        assert!(svg.contains(&words), "{words}: {svg}");
        for class in ["baseline", "others", "struck"] {
            assert!(
                svg.contains(&format!("<polyline class=\"{class}\"")) && svg.contains(&format!("<circle class=\"{class}\"")),
                "{class}"
            );
        }
    }
}
