//! The horizontal axis of charts over time: the recorded seconds, with the phases behind them.

use std::fmt::Write as _;

use super::frame::{Area, HEIGHT, LEFT, RIGHT, text, x};
use crate::latencies::Phase;
use crate::measurements::{PhaseSpan, RunKind};
use crate::words::seconds;

/// The most labels after the first.
const MOST_LABELS: f64 = 5.0;
/// In seconds.
const DAY: u32 = 86_400;
/// Seconds from one label to the next, from short to long runs.
const LABEL_STEPS: [u32; 16] = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, DAY];
/// Room for a letter of a phase's name, at its size on a narrow screen.
const LETTER: f64 = 10.0;

/// The recorded time.
#[derive(Debug, Clone, Copy)]
pub struct TimeAxis<'a> {
    phases: &'a [PhaseSpan],
    kind: RunKind,
    /// In seconds.
    end: u32,
}

/// Equal parts of the recorded time, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slices {
    /// The length of one, in seconds.
    pub length: u32,
    /// How many there are.
    pub number: usize,
}

impl Slices {
    /// The slice of a second. Seconds after the last slice count in it, so that no request is lost.
    pub fn of(self, second: u32) -> usize {
        ((second / self.length) as usize).min(self.number - 1)
    }

    /// The first second of a slice.
    pub fn start(self, slice: usize) -> f64 {
        slice as f64 * f64::from(self.length)
    }
}

impl<'a> TimeAxis<'a> {
    /// From second 0 to the end of the last phase.
    pub fn new(phases: &'a [PhaseSpan], kind: RunKind) -> Self {
        let end = phases.iter().map(|span| span.to_s).fold(1.0, f64::max).ceil() as u32;
        Self { phases, kind, end }
    }

    /// What the run is.
    pub const fn kind(&self) -> RunKind {
        self.kind
    }

    /// At most `most` slices.
    pub fn slices(&self, most: u32) -> Slices {
        let length = self.end.div_ceil(most).max(1);
        Slices { length, number: self.end.div_ceil(length).max(1) as usize }
    }

    /// How many seconds of a slice were recorded: between two phases nothing is.
    pub fn recorded(&self, slices: Slices, slice: usize) -> f64 {
        let (from, to) = (slices.start(slice), slices.start(slice + 1));
        self.phases.iter().map(|span| (span.to_s.min(to) - span.from_s.max(from)).max(0.0)).sum()
    }

    /// The place of a moment, in seconds.
    pub fn x(&self, second: f64) -> f64 {
        x((second / f64::from(self.end)).clamp(0.0, 1.0))
    }

    /// The place of the middle of a slice.
    pub fn middle(&self, slices: Slices, slice: usize) -> f64 {
        self.x(slices.start(slice) + f64::from(slices.length) / 2.0)
    }

    /// The width of a slice.
    pub fn width(&self, slices: Slices) -> f64 {
        (RIGHT - LEFT) * f64::from(slices.length) / f64::from(self.end)
    }

    /// Bands of the phases behind each area, their names at the top, and labels at the bottom.
    pub fn draw(&self, svg: &mut String, areas: &[Area]) {
        for span in self.phases {
            let (from, to) = (self.x(span.from_s), self.x(span.to_s));
            let class = if span.phase == Phase::Fault { "band fault" } else { "band" };
            for Area { top, foot } in areas {
                let _ = write!(
                    svg,
                    r#"<rect class="{class}" x="{from:.1}" y="{top:.1}" width="{:.1}" height="{:.1}"><title>{}, {} to {}</title></rect>"#,
                    to - from,
                    foot - top,
                    self.kind.phase(span.phase),
                    seconds(span.from_s),
                    seconds(span.to_s)
                );
            }
        }
        for (x, name) in self.names() {
            let _ = write!(svg, r#"<text class="name" x="{x:.1}" y="17">{name}</text>"#);
        }
        self.labels(svg);
    }

    /// The phases' names and their places: each at its phase's beginning, or where the ones before
    /// and after it make room.
    fn names(&self) -> Vec<(f64, &'static str)> {
        let names = self.phases.iter().map(|span| (self.x(span.from_s) + 4.0, self.kind.phase(span.phase)));
        let room = |name: &str| (name.len() + 1) as f64 * LETTER;
        let mut rest: f64 = names.clone().map(|(_, name)| room(name)).sum();
        let mut free = LEFT;
        names
            .map(|(x, name)| {
                let x = x.max(free).min(RIGHT + LETTER - rest);
                rest -= room(name);
                free = x + room(name);
                (x, name)
            })
            .collect()
    }

    fn labels(&self, svg: &mut String) {
        let fits = |step: &&u32| f64::from(self.end) / f64::from(**step) <= MOST_LABELS;
        let step = LABEL_STEPS.iter().find(fits).copied().unwrap_or_else(|| self.end.div_ceil(5 * DAY) * DAY);
        let name = |second: u32| match step {
            _ if second == 0 => "0".to_owned(),
            0..60 => format!("{second} s"),
            60..3_600 => format!("{} min", second / 60),
            _ => format!("{} h", second / 3_600),
        };
        for second in (0..=self.end).step_by(step as usize) {
            let x = self.x(f64::from(second));
            let (x, anchor) = if x > RIGHT - 10.0 { (RIGHT + 14.0, "end") } else { (x, "middle") };
            text(svg, (x, HEIGHT - 10.0), anchor, &name(second));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(ends: [f64; 3]) -> Vec<PhaseSpan> {
        let [baseline, fault, recovery] = ends;
        let span = |phase, from_s, to_s| PhaseSpan { phase, from_s, to_s };
        vec![span(Phase::Baseline, 0.0, baseline), span(Phase::Fault, baseline + 2.0, fault), span(Phase::Recovery, fault, recovery)]
    }

    #[test]
    fn every_second_is_in_one_slice_and_the_slices_are_few() {
        for end in [1.0, 59.2, 120.0, 121.0, 3_600.0, 86_400.0] {
            let spans = [PhaseSpan { phase: Phase::Baseline, from_s: 0.0, to_s: end }];
            let axis = TimeAxis::new(&spans, RunKind::Load);
            let slices = axis.slices(120);
            assert!(slices.number <= 120, "{end}: {slices:?}");
            for second in 0..end.ceil() as u32 {
                let start = slices.start(slices.of(second));
                assert!((start..start + f64::from(slices.length)).contains(&f64::from(second)), "{end}: {second} in {slices:?}");
            }
            assert_eq!(slices.of(u32::MAX), slices.number - 1, "{end}");
            let recorded: f64 = (0..slices.number).map(|slice| axis.recorded(slices, slice)).sum();
            assert!((recorded - end).abs() < 1e-6, "{end}: {recorded}");
        }
    }

    #[test]
    fn a_gap_between_phases_is_not_recorded() {
        let spans = phases([60.0, 2_400.0, 3_600.0]);
        let axis = TimeAxis::new(&spans, RunKind::Experiment);
        let slices = axis.slices(120);
        assert_eq!((slices.length, axis.recorded(slices, 1), axis.recorded(slices, 2), axis.recorded(slices, 3)), (30, 30.0, 28.0, 30.0));
        let seconds = axis.slices(3_600);
        assert_eq!([59, 60, 61, 62].map(|second| axis.recorded(seconds, second)), [1.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn names_of_phases_never_overlap_and_stay_within_the_chart() {
        for ends in [[15.0, 45.0, 60.0], [10.0, 3_500.0, 3_600.0], [3_500.0, 3_550.0, 3_600.0], [1.0, 4.0, 3_600.0]] {
            let spans = phases(ends);
            let names = TimeAxis::new(&spans, RunKind::Experiment).names();
            let ends_at = |(x, name): &(f64, &str)| x + name.len() as f64 * LETTER;
            assert!(names.windows(2).all(|two| ends_at(&two[0]) < two[1].0), "{ends:?}: {names:?}");
            assert!(names.iter().all(|name| name.0 >= LEFT && ends_at(name) <= RIGHT + 1.0), "{ends:?}: {names:?}");
        }
    }
}
