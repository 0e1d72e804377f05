//! Requests and errors of an endpoint over time, in panels over one time axis. A request counts in the
//! second in which it was due, however late its answer came.

use super::frame::{Area, HEIGHT, LEFT, level, line, open, text};
use super::shown::Shown;
use super::time_axis::Slices;
use crate::latencies::{Outcome, sum};
use crate::measurements::RunKind;
use crate::rolls::ArmTag;
use crate::words::{count, seconds};

/// The most points of a line.
const MOST_POINTS: u32 = 120;
/// The shortest time over which a rate is told, in seconds: a phase may end shortly after a slice begins.
const SHORTEST_S: f64 = 0.5;
/// Room for a panel's title.
const TITLE: f64 = 20.0;

/// The requests that were due in a slice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Slice {
    due: u64,
    answered: u64,
    failed: u64,
    timed_out: u64,
    struck: u64,
}

/// A line of a panel: its class, and what it counts.
type Line = (&'static str, fn(&Slice) -> u64);

/// A panel: its title and its lines.
struct Panel(&'static str, &'static [Line]);

const REQUESTS: Panel = Panel("requests a second", &[("due", |slice| slice.due), ("answered", |slice| slice.answered)]);
const ERRORS: Panel = Panel("errors a second", &[("failed", |slice| slice.failed), ("late", |slice| slice.timed_out)]);
const STRUCK: Panel = Panel("struck a second", &[("struck", |slice| slice.struck)]);

/// Counts by slice.
#[derive(Debug, Clone)]
pub struct Panels<'a> {
    shown: Shown<'a>,
    slices: Slices,
    counted: Vec<Slice>,
}

impl<'a> Panels<'a> {
    /// The counts of an endpoint.
    pub fn new(shown: Shown<'a>) -> Self {
        let slices = shown.time.slices(MOST_POINTS);
        let mut counted = vec![Slice::default(); slices.number];
        shown.latencies.visit(
            |tag| shown.has(tag),
            |second, tag, _, pairs| {
                let Some(slice) = counted.get_mut(slices.of(second)) else { return };
                let n = sum(pairs);
                slice.due += n;
                slice.struck += if tag.arm() == ArmTag::Treatment { n } else { 0 };
                match tag.outcome {
                    Outcome::Answered => slice.answered += n,
                    Outcome::Failed => slice.failed += n,
                    Outcome::TimedOut => slice.timed_out += n,
                    Outcome::Cancelled => {}
                }
            },
        );
        Self { shown, slices, counted }
    }

    /// What each line means, as HTML.
    pub fn key(&self) -> String {
        let lines = [("due", "due"), ("answered", "answered"), ("failed", "failed"), ("late", "timed out"), ("s", "struck")];
        let shown = lines.iter().take(if self.has_struck() { 5 } else { 4 });
        shown.map(|(class, name)| format!(r#" <span class="means"><span class="key {class}"></span>{name}</span>"#)).collect()
    }

    /// Load alone strikes nothing.
    fn has_struck(&self) -> bool {
        self.shown.time.kind() == RunKind::Experiment
    }

    fn all(&self, of: fn(&Slice) -> u64) -> u64 {
        self.counted.iter().map(of).sum()
    }

    /// The chart.
    pub fn draw(&self) -> String {
        let panels: &[Panel] = if self.has_struck() { &[REQUESTS, ERRORS, STRUCK] } else { &[REQUESTS, ERRORS] };
        let struck = if self.has_struck() { format!(", {} struck", count(self.all(|slice| slice.struck))) } else { String::new() };
        let mut svg = open(&format!(
            "Requests over time: {} due, {} answered, {} failed, {} timed out{struck}; a point is {}",
            count(self.all(|slice| slice.due)),
            count(self.all(|slice| slice.answered)),
            count(self.all(|slice| slice.failed)),
            count(self.all(|slice| slice.timed_out)),
            seconds(f64::from(self.slices.length))
        ));
        let areas = areas(panels.len());
        self.shown.time.draw(&mut svg, &areas);
        for (panel, area) in panels.iter().zip(areas) {
            self.panel(&mut svg, panel, area);
        }
        svg.push_str("</svg>");
        svg
    }

    fn panel(&self, svg: &mut String, Panel(title, lines): &Panel, area: Area) {
        let values: Vec<_> = lines.iter().map(|(class, of)| (*class, self.rates(*of))).collect();
        let highest = values.iter().flat_map(|(_, rates)| rates.iter().flatten()).fold(0.0_f64, |highest, (_, rate)| highest.max(*rate));
        let top = round_up(highest);
        text(svg, (LEFT, area.top - 5.0), "start", title);
        level(svg, area.foot, "0");
        level(svg, area.top, &if top < 1.0 { top.to_string() } else { count(top as u64) });
        for (class, rates) in values {
            for stretch in rates.split(Option::is_none) {
                let points: Vec<_> = stretch.iter().flatten().map(|(x, rate)| (*x, area.y(rate / top))).collect();
                line(svg, class, &points);
            }
        }
    }

    /// The place and the rate of each slice, by the seconds of it that were recorded; `None` where
    /// nothing was.
    fn rates(&self, of: fn(&Slice) -> u64) -> Vec<Option<(f64, f64)>> {
        let rate = |(index, slice): (usize, &Slice)| {
            let recorded = self.shown.time.recorded(self.slices, index);
            (recorded > 0.0 || slice.due > 0)
                .then(|| (self.shown.time.middle(self.slices, index), of(slice) as f64 / recorded.max(SHORTEST_S)))
        };
        self.counted.iter().enumerate().map(rate).collect()
    }
}

/// The areas of this many panels, each below its title.
fn areas(number: usize) -> Vec<Area> {
    let (top, foot) = (22.0, HEIGHT - 26.0);
    let height = (foot - top) / number as f64;
    (0..number).map(|index| top + height * index as f64).map(|top| Area { top: top + TITLE, foot: top + height }).collect()
}

/// The next of 1, 2, 5, 10, 20, ...; 1 if there is nothing.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let decade = 10_f64.powi(value.log10().floor() as i32);
    [1.0, 2.0, 5.0].into_iter().map(|step| step * decade).find(|round| *round >= value).unwrap_or(10.0 * decade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::TimeAxis;
    use crate::latencies::{Latencies, Phase, Tag};
    use crate::measurements::{Measurements, PhaseSpan};
    use crate::rolls::Rolls;
    use crate::sample;

    fn panels<'a>(measured: &'a Measurements, endpoint: &'a str) -> Panels<'a> {
        let time = TimeAxis::new(&measured.phases, measured.experiment.kind);
        Panels::new(Shown { latencies: &measured.latencies, time, endpoint })
    }

    #[test]
    fn the_counts_of_all_slices_are_those_of_the_books() {
        let measured = sample::slow();
        let mut all = Slice::default();
        for endpoint in measured.latencies.endpoints() {
            let panels = panels(&measured, &endpoint);
            all.due += panels.all(|slice| slice.due);
            all.answered += panels.all(|slice| slice.answered);
            all.failed += panels.all(|slice| slice.failed);
            all.timed_out += panels.all(|slice| slice.timed_out);
            all.struck += panels.all(|slice| slice.struck);
            // A slice is a second here, all of it recorded: the rate is the count.
            let rates: f64 = panels.rates(|slice| slice.due).iter().flatten().map(|(_, rate)| rate).sum();
            assert!((rates - panels.all(|slice| slice.due) as f64).abs() < 1e-6, "{endpoint}");
        }
        let books = measured.books;
        assert_eq!((all.due, all.answered, all.failed, all.timed_out), (books.sent, books.answered, books.failed, 0));
        assert_eq!(all.struck, measured.latencies.count(|tag| tag.arm() == ArmTag::Treatment));
        assert!(all.failed > 0 && all.struck > 0, "{all:?}");
    }

    /// 10 requests a second of each phase; each tenth is cancelled, each tenth after it times out.
    fn an_hour() -> Measurements {
        let mut measured = sample::healthy();
        let span = |phase, from_s, to_s| PhaseSpan { phase, from_s, to_s };
        measured.phases =
            vec![span(Phase::Baseline, 0.0, 600.0), span(Phase::Fault, 602.0, 2_400.0), span(Phase::Recovery, 2_400.0, 3_601.0)];
        measured.latencies = Latencies::default();
        for PhaseSpan { phase, from_s, to_s } in measured.phases.clone() {
            for (second, n) in (from_s as u32..to_s as u32).flat_map(|second| (0..10).map(move |n| (second, n))) {
                let outcome = [Outcome::Cancelled, Outcome::TimedOut].get(n).copied().unwrap_or(Outcome::Answered);
                let rolls = Rolls::one(0, phase == Phase::Fault && n > 4);
                measured.latencies.record(second, &Tag { endpoint: "of".into(), phase, rolls, cold: false, outcome }, 9_000, false);
            }
        }
        measured
    }

    #[test]
    fn a_rate_goes_by_the_seconds_that_were_recorded() {
        let measured = an_hour();
        let panels = panels(&measured, "of");
        assert_eq!(panels.slices, Slices { length: 31, number: 117 });
        let all_are = |of: fn(&Slice) -> u64, wanted: f64| panels.rates(of).iter().all(|rate| (rate.unwrap().1 - wanted).abs() < 1e-9);
        // The gap before the fault and the short last slice change nothing.
        assert!(all_are(|slice| slice.due, 10.0) && all_are(|slice| slice.answered, 8.0) && all_are(|slice| slice.timed_out, 1.0));
        assert!(all_are(|slice| slice.failed, 0.0));
        let struck = panels.rates(|slice| slice.struck);
        assert!((struck[40].unwrap().1 - 5.0).abs() < 1e-9 && struck[100].unwrap().1 == 0.0);
    }

    #[test]
    fn nothing_is_drawn_where_nothing_was_recorded() {
        let mut measured = an_hour();
        measured.phases[1].from_s = 700.0;
        measured.latencies = Latencies::default();
        let panels = panels(&measured, "of");
        let gap: Vec<_> = panels.rates(|slice| slice.due).iter().map(Option::is_none).collect();
        assert_eq!((gap[19], gap[20], gap[21], gap[22]), (false, true, true, false));
        assert_eq!(panels.draw().matches(r#"<polyline class="due""#).count(), 2);
    }

    #[test]
    fn load_alone_has_no_panel_of_faults() {
        let mut measured = sample::healthy();
        let clinic = "clinic GET /appointment/{id}";
        let struck = |measured: &Measurements| {
            panels(measured, clinic).draw().contains("struck") || panels(measured, clinic).key().contains("struck")
        };
        assert!(struck(&measured));
        measured.experiment.kind = RunKind::Load;
        assert!(!struck(&measured));
    }

    #[test]
    fn an_axis_ends_at_a_round_number() {
        assert_eq!([0.0, 0.03, 0.5, 1.0, 30.1, 90.0, 1_234.0].map(round_up), [1.0, 0.05, 0.5, 1.0, 50.0, 100.0, 2_000.0]);
    }
}
