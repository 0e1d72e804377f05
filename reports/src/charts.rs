//! The two charts of the report, as SVG that needs only the page's own style. Series differ in line
//! and mark as well as in colour.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::counts::Counts;
use crate::latencies::{Latencies, Phase, Tag};
use crate::measurements::{PhaseSpan, RunKind};
use crate::rolls::ArmTag;
use crate::words::{count, time};

const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 34.0;
/// The most points of a line: more would not be visible, and the page stays small.
const MOST_POINTS: f64 = 240.0;

/// A plane with a logarithmic axis for latency.
struct Plane {
    width: f64,
    height: f64,
    low: f64,
    high: f64,
}

impl Plane {
    fn new(width: f64, height: f64, values: impl Iterator<Item = u64>) -> Self {
        let (low, high) = values.fold((u64::MAX, 1), |(low, high), value| (low.min(value), high.max(value)));
        let low = low.clamp(1, high) as f64;
        Self { width, height, low: low * 0.8, high: (high as f64 * 1.25).max(low * 2.0) }
    }

    fn y(&self, us: f64) -> f64 {
        let share = (us.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln());
        self.height - BOTTOM - share * (self.height - BOTTOM - TOP)
    }

    fn x(&self, share: f64) -> f64 {
        LEFT + share * (self.width - LEFT - RIGHT)
    }

    /// Lines at 1, 2 and 5 of each decade; only at 1 if there are many decades.
    fn grid(&self, svg: &mut String) {
        let steps: &[f64] = if self.high / self.low > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut decade = 10_f64.powf(self.low.log10().floor());
        while decade <= self.high {
            for value in steps.iter().map(|step| step * decade).filter(|value| (self.low..=self.high).contains(value)) {
                let y = self.y(value);
                let _ = write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{:.0}" y1="{y:.1}" y2="{y:.1}"/>"#, self.width - RIGHT);
                let _ = write!(
                    svg,
                    r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                    LEFT - 8.0,
                    y + 4.0,
                    time(value).replace(".00 ", " ").replace(".0 ", " ")
                );
            }
            decade *= 10.0;
        }
    }
}

fn open(width: f64, height: f64, title: &str) -> String {
    format!(r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

fn line(svg: &mut String, class: &str, points: &[(f64, f64)]) {
    let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _ = write!(svg, r#"<polyline class="{class}" points="{}"/>"#, path.join(" "));
}

/// Latency over time of one endpoint: p50 and p99 of struck and of other requests, errors along the
/// bottom, phases as bands.
pub fn timeline(latencies: &Latencies, phases: &[PhaseSpan], kind: RunKind, endpoint: &str) -> String {
    let end = phases.iter().map(|span| span.to_s).fold(1.0, f64::max);
    let step = (end / MOST_POINTS).ceil().max(1.0);
    let slot = |second: u32| (f64::from(second) / step) as usize;
    let arm = |struck: bool| {
        let wanted = |tag: &Tag| tag.endpoint == endpoint && tag.ended() && (tag.arm() == ArmTag::Treatment) == struck;
        latencies.blocks(wanted, |second, _| Some(slot(second)))
    };
    let (struck, others) = (arm(true), arm(false));
    let errors = latencies.blocks(|tag| tag.endpoint == endpoint && tag.is_error(), |second, _| Some(slot(second)));
    let values = struck.values().chain(others.values()).flat_map(|counts| [counts.quantile(0.5), counts.quantile(0.99)]).flatten();
    let plane = Plane::new(720.0, 280.0, values);
    let mut svg = open(plane.width, plane.height, "Latency over time");
    for span in phases {
        let (x, to) = (plane.x((span.from_s / end).clamp(0.0, 1.0)), plane.x((span.to_s / end).clamp(0.0, 1.0)));
        let (class, name) = (if span.phase == Phase::Fault { "band fault" } else { "band" }, kind.phase(span.phase));
        let _ =
            write!(svg, r#"<rect class="{class}" x="{x:.1}" y="{TOP}" width="{:.1}" height="{}"/>"#, to - x, plane.height - TOP - BOTTOM);
        let _ = write!(svg, r#"<text class="name" x="{:.1}" y="{}">{name} · {:.0} s</text>"#, x + 4.0, TOP - 9.0, span.from_s);
    }
    plane.grid(&mut svg);
    let at = |slot: usize| plane.x(((slot as f64 + 0.5) * step / end).clamp(0.0, 1.0));
    for (class, blocks) in [("others", &others), ("struck", &struck)] {
        for (quantile, weight) in [(0.5, ""), (0.99, " p99")] {
            let points: Vec<_> =
                blocks.iter().filter_map(|(slot, counts)| Some((at(*slot), plane.y(counts.quantile(quantile)? as f64)))).collect();
            line(&mut svg, &format!("{class}{weight}"), &points);
        }
    }
    marks(&mut svg, &plane, &errors, at);
    svg.push_str("</svg>");
    svg
}

fn marks(svg: &mut String, plane: &Plane, errors: &BTreeMap<usize, Counts>, at: impl Fn(usize) -> f64) {
    for (slot, counts) in errors {
        let (x, y) = (at(*slot), plane.height - BOTTOM + 12.0);
        let _ = write!(
            svg,
            r#"<path class="error" d="M{:.1} {:.1}l7 7m0 -7l-7 7"><title>{} errors</title></path>"#,
            x - 3.5,
            y - 3.5,
            count(counts.total())
        );
    }
    if !errors.is_empty() {
        let _ = write!(svg, r#"<text x="{}" y="{}" text-anchor="end">errors</text>"#, LEFT - 8.0, plane.height - BOTTOM + 16.0);
    }
}

/// Latency by percentile in one phase, in the style of HdrHistogram: each step to the right is ten times rarer.
pub fn percentiles(latencies: &Latencies, phase: Phase, endpoint: &str) -> String {
    let arm = |arm: ArmTag| latencies.counts(|tag| tag.phase == phase && tag.endpoint == endpoint && tag.ended() && tag.arm() == arm);
    let (struck, control) = (arm(ArmTag::Treatment), arm(ArmTag::Control));
    // Without a control arm no fault was about this endpoint, and all its requests are shown.
    let others = if control.total() > 0 { control } else { arm(ArmTag::Untouched) };
    let most = struck.total().max(others.total()).max(10) as f64;
    let reach = most.log10().clamp(2.0, 5.0);
    let plane = Plane::new(480.0, 280.0, [&struck, &others].into_iter().flat_map(|c| [c.at_rank(1), c.largest()]).flatten());
    let mut svg = open(plane.width, plane.height, "Latency by percentile");
    plane.grid(&mut svg);
    for (rarity, name) in
        [(0.0, "0 %"), (0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %"), (4.0, "99.99 %"), (5.0, "99.999 %")]
    {
        if rarity <= reach {
            let x = plane.x(rarity / reach);
            let foot = plane.height - BOTTOM;
            let anchor = if rarity >= reach { "end" } else { "middle" };
            let _ = write!(svg, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{foot}"/>"#);
            let _ = write!(svg, r#"<text x="{x:.1}" y="{}" text-anchor="{anchor}">{name}</text>"#, foot + 18.0);
        }
    }
    for (class, counts) in [("others", &others), ("struck", &struck)] {
        // Beyond the last request there is nothing to draw.
        let known = (counts.total().max(1) as f64).log10().min(reach);
        let points: Vec<_> = (0..=120)
            .map(|step| known * f64::from(step) / 120.0)
            .filter_map(|rarity| Some((plane.x(rarity / reach), plane.y(counts.quantile(1.0 - 10_f64.powf(-rarity))? as f64))))
            .collect();
        line(&mut svg, class, &points);
    }
    svg.push_str("</svg>");
    svg
}
