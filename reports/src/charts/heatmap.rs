//! How many requests of an endpoint had which latency when: a column a slice of time, a row a
//! logarithmic part of the latencies. Every request that ended is in exactly one cell; a failure has
//! no latency that compares with an answer's, so failures have a row of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::frame::{LEFT, LogScale, PLOT, open, text};
use super::shown::Shown;
use super::time_axis::Slices;
use crate::counts::{Counts, highest_equivalent};
use crate::latencies::{Outcome, sum};
use crate::words::{count, seconds, time};

/// The most columns.
const MOST_COLUMNS: u32 = 120;
/// The rows of answered requests.
const ROWS: usize = 30;
/// The most shades; a reader tells no more apart.
const SHADES: u32 = 6;
/// How opaque the lightest shade is; the darkest is 1.
const LIGHTEST: f64 = 0.3;

/// Counts by column and row.
#[derive(Debug, Clone)]
pub struct Heatmap<'a> {
    shown: Shown<'a>,
    slices: Slices,
    scale: LogScale,
    /// Answered requests by row and column; row 0 is the fastest.
    answered: BTreeMap<(usize, usize), u64>,
    /// Failed and timed-out requests by column.
    errors: BTreeMap<usize, u64>,
    /// The shortest and the longest latency of an answer, in microseconds.
    extent: Option<(u64, u64)>,
}

impl<'a> Heatmap<'a> {
    /// The counts of an endpoint.
    pub fn new(shown: Shown<'a>) -> Self {
        let slices = shown.time.slices(MOST_COLUMNS);
        let columns = shown.latencies.blocks(|tag| shown.has(tag) && tag.outcome == Outcome::Answered, |second, _| Some(slices.of(second)));
        let ends = |counts: &Counts| Some((u64::from(counts.pairs().first()?.0), counts.largest()?));
        let extent = columns.values().filter_map(ends).reduce(|(low, high), (from, to)| (low.min(from), high.max(to)));
        let scale = LogScale::of(extent.iter().flat_map(|(low, high)| [*low, *high]));
        let mut answered = BTreeMap::new();
        for (column, counts) in &columns {
            for (value, n) in counts.pairs() {
                *answered.entry((row(scale, *value), *column)).or_default() += n;
            }
        }
        let mut errors = BTreeMap::new();
        shown.latencies.visit(
            |tag| shown.has(tag) && tag.is_error(),
            |second, _, _, pairs| {
                *errors.entry(slices.of(second)).or_default() += sum(pairs);
            },
        );
        Self { shown, slices, scale, answered, errors, extent }
    }

    /// The length of a column, in seconds.
    pub fn column_s(&self) -> f64 {
        f64::from(self.slices.length)
    }

    fn fullest(&self) -> u64 {
        self.answered.values().chain(self.errors.values()).copied().max().unwrap_or(0)
    }

    /// The smallest count of each shade, lightest first: in equal factors from 1 to the fullest cell.
    fn shades(&self) -> Vec<u64> {
        let fullest = self.fullest();
        if fullest == 0 {
            return Vec::new();
        }
        let start = |step: u32| (fullest as f64).powf(f64::from(step) / f64::from(SHADES)).ceil() as u64;
        (0..SHADES).map(start).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What each shade means, as HTML.
    pub fn key(&self) -> String {
        let starts = self.shades();
        let mut key = String::new();
        for (shade, from) in starts.iter().enumerate() {
            let to = starts.get(shade + 1).map_or_else(|| self.fullest(), |next| next - 1);
            let range = if *from == to { count(to) } else { format!("{} to {}", count(*from), count(to)) };
            let _ = write!(
                key,
                r#" <span class="means"><span class="shade" style="opacity:{:.2}"></span>{range}</span>"#,
                opacity(shade, starts.len())
            );
        }
        key
    }

    /// The chart.
    pub fn draw(&self) -> String {
        let (answered, failed): (u64, u64) = (self.answered.values().sum(), self.errors.values().sum());
        let range = self.extent.map_or(String::new(), |(low, high)| format!(" from {} to {}", time(low as f64), time(high as f64)));
        let mut svg = open(&format!(
            "Requests by latency and time: {} answered{range}, {} errors; {} columns of {}, at most {} requests in a cell",
            count(answered),
            count(failed),
            self.slices.number,
            seconds(self.column_s()),
            count(self.fullest())
        ));
        self.shown.time.draw(&mut svg, &[PLOT]);
        self.scale.grid(&mut svg);
        let height = (PLOT.foot - PLOT.top) / ROWS as f64;
        self.cells(&mut svg, "cell", (PLOT.foot - height / 2.0, -height), self.answered.iter().map(|(cell, n)| (*cell, *n)));
        if failed > 0 {
            let y = PLOT.foot + 10.0;
            self.cells(&mut svg, "cell error", (y, 10.0), self.errors.iter().map(|(column, n)| ((0, *column), *n)));
            text(&mut svg, (LEFT - 6.0, y + 4.0), "end", "errors");
        }
        svg.push_str("</svg>");
        svg
    }

    /// One path a shade, in units of columns and rows: `M3 7h2` is two cells of row 7, from column 3.
    fn cells(&self, svg: &mut String, class: &str, (y, height): (f64, f64), cells: impl Iterator<Item = ((usize, usize), u64)>) {
        let starts = self.shades();
        let runs = runs(&starts, cells);
        let width = self.shown.time.width(self.slices);
        let _ = write!(svg, r#"<g class="{class}" transform="translate({LEFT} {y:.2})scale({width:.4} {height:.4})">"#);
        for shade in 0..starts.len() {
            let of_shade = runs.iter().filter(|run| run.shade == shade);
            let path: String = of_shade.map(|Run { row, column, length, .. }| format!("M{column} {row}h{length}")).collect();
            if !path.is_empty() {
                let _ = write!(svg, r#"<path stroke-opacity="{:.2}" d="{path}"/>"#, opacity(shade, starts.len()));
            }
        }
        svg.push_str("</g>");
    }
}

/// Neighbours in a row that have one shade.
struct Run {
    row: usize,
    column: usize,
    length: usize,
    shade: usize,
}

fn runs(starts: &[u64], cells: impl Iterator<Item = ((usize, usize), u64)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for ((row, column), n) in cells {
        let shade = starts.partition_point(|start| *start <= n).saturating_sub(1);
        match runs.last_mut() {
            Some(run) if run.row == row && run.shade == shade && run.column + run.length == column => run.length += 1,
            _ => runs.push(Run { row, column, length: 1, shade }),
        }
    }
    runs
}

/// A bucket is in the row of the value that its quantiles show.
fn row(scale: LogScale, value: u32) -> usize {
    let share = scale.share(f64::from(highest_equivalent(value)));
    ((share * ROWS as f64) as usize).min(ROWS - 1)
}

fn opacity(shade: usize, of: usize) -> f64 {
    if of < 2 { 1.0 } else { LIGHTEST + (1.0 - LIGHTEST) * shade as f64 / (of - 1) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::TimeAxis;
    use crate::latencies::{Latencies, Phase, Tag};
    use crate::measurements::{Measurements, RunKind};
    use crate::rolls::Rolls;
    use crate::sample;

    const FAILING: &str = "thermostat POST /control/{thing}";

    fn heatmap<'a>(measured: &'a Measurements, endpoint: &'a str) -> Heatmap<'a> {
        let time = TimeAxis::new(&measured.phases, RunKind::Experiment);
        Heatmap::new(Shown { latencies: &measured.latencies, time, endpoint })
    }

    /// A slow system, some of whose requests fail in a few seconds.
    fn slow_and_failing() -> Measurements {
        let mut measured = sample::slow();
        for (second, outcome) in [(20, Outcome::Failed), (21, Outcome::TimedOut), (21, Outcome::Failed), (59, Outcome::Failed)] {
            let tag = Tag { endpoint: FAILING.into(), phase: Phase::Fault, rolls: Rolls::NONE, cold: false, outcome };
            measured.latencies.record(second, &tag, 2_000_000, false);
        }
        measured
    }

    /// The cells that are drawn in the first or second group of paths, as (shade, row, column).
    fn drawn(svg: &str, group: usize) -> Vec<(usize, usize, usize)> {
        let group = svg.split("<g ").nth(group + 1).unwrap().split("</g>").next().unwrap();
        let paths = group.split("<path stroke-opacity=\"").skip(1);
        let mut cells = Vec::new();
        for path in paths {
            let (opacity, rest) = path.split_once("\" d=\"M").unwrap();
            let opacity: f64 = opacity.parse().unwrap();
            for run in rest.trim_end_matches("\"/>").split('M') {
                let numbers: Vec<usize> = run.split([' ', 'h']).map(|number| number.parse().unwrap()).collect();
                let shade = ((opacity - LIGHTEST) / (1.0 - LIGHTEST) * 1_000.0).round() as usize;
                cells.extend((0..numbers[2]).map(|n| (shade, numbers[1], numbers[0] + n)));
            }
        }
        cells.sort_unstable();
        cells
    }

    #[test]
    fn the_cells_of_a_column_add_up_to_its_requests_and_those_of_a_row_to_its_latencies() {
        let measured = slow_and_failing();
        for endpoint in measured.latencies.endpoints() {
            let map = heatmap(&measured, &endpoint);
            let is_one = |tag: &Tag| tag.endpoint == endpoint && tag.ended();
            for column in 0..map.slices.number {
                let recorded = measured.latencies.blocks(is_one, |second, _| (second as usize == column).then_some(()));
                let answered: u64 = map.answered.iter().filter(|((_, at), _)| *at == column).map(|(_, n)| n).sum();
                let errors = map.errors.get(&column).copied().unwrap_or(0);
                assert_eq!(answered + errors, recorded.get(&()).map_or(0, Counts::total), "{endpoint}: {column}");
            }
            let all = measured.latencies.counts(|tag| is_one(tag) && !tag.is_error());
            for row in 0..ROWS {
                let of_row: u64 = map.answered.iter().filter(|((at, _), _)| *at == row).map(|(_, n)| n).sum();
                let share = |us: u32| map.scale.share(f64::from(highest_equivalent(us))) * ROWS as f64;
                let expected = all.pairs().iter().filter(|(us, _)| (row as f64..(row + 1) as f64).contains(&share(*us)));
                assert_eq!(of_row, expected.map(|(_, n)| n).sum::<u64>(), "{endpoint}: {row}");
            }
        }
        assert!(heatmap(&measured, FAILING).errors.values().sum::<u64>() >= 4, "errors are missing");
    }

    #[test]
    fn every_cell_is_drawn_once_in_the_shade_of_its_count() {
        let measured = slow_and_failing();
        let map = heatmap(&measured, FAILING);
        let starts = map.shades();
        assert!(starts.len() > 2 && starts[0] == 1, "{starts:?}");
        let shade = |n: u64| {
            let shade = starts.iter().filter(|start| **start <= n).count() - 1;
            let opacity: f64 = format!("{:.2}", opacity(shade, starts.len())).parse().unwrap();
            ((opacity - LIGHTEST) / (1.0 - LIGHTEST) * 1_000.0).round() as usize
        };
        let sorted = |mut cells: Vec<_>| {
            cells.sort_unstable();
            cells
        };
        let svg = map.draw();
        assert_eq!(drawn(&svg, 0), sorted(map.answered.iter().map(|((row, column), n)| (shade(*n), *row, *column)).collect()));
        assert_eq!(drawn(&svg, 1), sorted(map.errors.iter().map(|(column, n)| (shade(*n), 0, *column)).collect()));
        let key = map.key();
        assert_eq!(key.matches("class=\"shade\"").count(), starts.len(), "{key}");
        assert!(key.ends_with(&format!("{}</span>", count(map.fullest()))), "{key}");
    }

    #[test]
    fn requests_after_the_end_are_in_the_last_column_and_cancelled_ones_in_none() {
        let mut measured = sample::healthy();
        measured.latencies = Latencies::default();
        for (second, outcome) in [(0, Outcome::Answered), (59, Outcome::TimedOut), (61, Outcome::Failed), (3, Outcome::Cancelled)] {
            let tag = Tag { endpoint: "of".into(), phase: Phase::Fault, rolls: Rolls::NONE, cold: false, outcome };
            measured.latencies.record(second, &tag, 5_000, false);
        }
        let map = heatmap(&measured, "of");
        assert_eq!((map.answered.values().sum::<u64>(), &map.errors), (1, &BTreeMap::from([(59, 2)])));
        assert_eq!(heatmap(&measured, "another").shades(), Vec::<u64>::new());
    }
}
