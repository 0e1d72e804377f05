//! Latency over time of one endpoint: p50 and p99 of struck and of other requests, errors along the
//! bottom, phases as bands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::frame::{LEFT, LogScale, PLOT, line, open, text};
use super::shown::Shown;
use crate::counts::Counts;
use crate::latencies::Tag;
use crate::measurements::RunKind;
use crate::rolls::ArmTag;
use crate::words::count;

/// The most points of a line: more would not be visible, and the page stays small.
const MOST_POINTS: u32 = 240;

/// The chart.
pub fn timeline(shown: Shown) -> String {
    let slices = shown.time.slices(MOST_POINTS);
    let arm = |struck: bool| {
        let wanted = |tag: &Tag| shown.has(tag) && tag.ended() && (tag.arm() == ArmTag::Treatment) == struck;
        shown.latencies.blocks(wanted, |second, _| Some(slices.of(second)))
    };
    let (struck, others) = (arm(true), arm(false));
    let errors = shown.latencies.blocks(|tag| shown.has(tag) && tag.is_error(), |second, _| Some(slices.of(second)));
    let values = struck.values().chain(others.values()).flat_map(|counts| [counts.quantile(0.5), counts.quantile(0.99)]).flatten();
    let scale = LogScale::of(values);
    let requests = |blocks: &BTreeMap<usize, Counts>| count(blocks.values().map(Counts::total).sum());
    let of = match shown.time.kind() {
        RunKind::Experiment => format!("{} struck and {} other requests", requests(&struck), requests(&others)),
        RunKind::Load => format!("{} requests", requests(&others)),
    };
    let mut svg = open(&format!("Latency over time: p50 and p99 of {of}; {} errors", requests(&errors)));
    shown.time.draw(&mut svg, &[PLOT]);
    scale.grid(&mut svg);
    let at = |slice: usize| shown.time.middle(slices, slice);
    for (class, blocks) in [("others", &others), ("struck", &struck)] {
        for (quantile, weight) in [(0.5, ""), (0.99, " p99")] {
            let points: Vec<_> =
                blocks.iter().filter_map(|(slice, counts)| Some((at(*slice), scale.y(counts.quantile(quantile)? as f64)))).collect();
            line(&mut svg, &format!("{class}{weight}"), &points);
        }
    }
    marks(&mut svg, &errors, at);
    svg.push_str("</svg>");
    svg
}

/// A cross wherever requests failed; how many is in the panels.
fn marks(svg: &mut String, errors: &BTreeMap<usize, Counts>, at: impl Fn(usize) -> f64) {
    if errors.is_empty() {
        return;
    }
    let y = PLOT.foot + 10.0;
    let crosses: String = errors.keys().map(|slice| format!("M{:.1} {:.1}l7 7m0-7l-7 7", at(*slice) - 3.5, y - 3.5)).collect();
    let _ = write!(svg, r#"<path class="error" d="{crosses}"/>"#);
    text(svg, (LEFT - 6.0, y + 4.0), "end", "errors");
}
