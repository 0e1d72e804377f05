//! The frame of a chart: its size and margins, the logarithmic scale of latencies, lines and texts.
//! All charts have one size, so that they align side by side and their texts can be enlarged on a
//! narrow screen.

use std::fmt::Write as _;

use crate::words::time;

/// The width of a chart, in its own units.
const WIDTH: f64 = 560.0;
/// The height of a chart.
pub const HEIGHT: f64 = 280.0;
/// Where the plot begins; numbers are to the left of it.
pub const LEFT: f64 = 72.0;
/// Where the plot ends.
pub const RIGHT: f64 = WIDTH - 16.0;
/// The plot; phases are named above it, and errors and the labels of the axis are below it.
pub const PLOT: Area = Area { top: 26.0, foot: HEIGHT - 46.0 };

/// The place of a share of the horizontal axis.
pub fn x(share: f64) -> f64 {
    LEFT + share * (RIGHT - LEFT)
}

/// From where to where a vertical axis goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The upper end.
    pub top: f64,
    /// The lower end, which has the larger number in SVG.
    pub foot: f64,
}

impl Area {
    /// The place of a share of the axis.
    pub fn y(self, share: f64) -> f64 {
        self.foot - share * (self.foot - self.top)
    }
}

/// A logarithmic scale of latencies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogScale {
    low: f64,
    high: f64,
}

impl LogScale {
    /// One that has room for these latencies in microseconds.
    pub fn of(values: impl Iterator<Item = u64>) -> Self {
        let (low, high) = values.fold((u64::MAX, 1), |(low, high), value| (low.min(value), high.max(value)));
        let low = low.clamp(1, high) as f64;
        Self { low: low * 0.8, high: (high as f64 * 1.25).max(low * 2.0) }
    }

    /// A latency's share of the scale.
    pub fn share(&self, us: f64) -> f64 {
        (us.max(self.low).ln() - self.low.ln()) / (self.high.ln() - self.low.ln())
    }

    /// A latency's place in the plot.
    pub fn y(&self, us: f64) -> f64 {
        PLOT.y(self.share(us))
    }

    /// Lines at 1, 2 and 5 of each decade; only at 1 if there are many decades.
    pub fn grid(&self, svg: &mut String) {
        let steps: &[f64] = if self.high / self.low > 300.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut decade = 10_f64.powf(self.low.log10().floor());
        while decade <= self.high {
            for value in steps.iter().map(|step| step * decade).filter(|value| (self.low..=self.high).contains(value)) {
                level(svg, self.y(value), &time(value).replace(".00 ", " ").replace(".0 ", " "));
            }
            decade *= 10.0;
        }
    }
}

/// A line of the grid across the plot, with its label.
pub fn level(svg: &mut String, y: f64, label: &str) {
    let _ = write!(svg, r#"<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/>"#);
    text(svg, (LEFT - 6.0, y + 4.0), "end", label);
}

/// Text at a place. `anchor` is which end of it is there: `start`, `middle` or `end`.
pub fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    let _ = write!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#);
}

/// The beginning of a chart, with a title that tells in words what is seen. It must need no escape.
pub fn open(title: &str) -> String {
    format!(r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>"#)
}

/// A line through points; one point alone is a dot. Points inside a level stretch change nothing
/// and are not written.
pub fn line(svg: &mut String, class: &str, points: &[(f64, f64)]) {
    let heights: Vec<String> = points.iter().map(|(_, y)| format!("{y:.1}")).collect();
    let is_inside = |at: usize| at > 0 && matches!(heights.get(at - 1..=at + 1), Some([a, b, c]) if a == b && b == c);
    let kept = points.iter().zip(&heights).enumerate().filter(|(at, _)| !is_inside(*at));
    let mut path: Vec<String> = kept.map(|(_, ((x, _), y))| format!("{x:.1},{y}")).collect();
    if path.len() == 1 {
        path.extend_from_within(..);
    }
    if !path.is_empty() {
        let _ = write!(svg, r#"<polyline class="{class}" points="{}"/>"#, path.join(" "));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_leaves_out_only_what_is_inside_a_level_stretch() {
        let drawn = |points: &[(f64, f64)]| {
            let mut svg = String::new();
            line(&mut svg, "due", points);
            svg
        };
        let points = [(0.0, 9.0), (1.0, 9.0), (2.0, 9.01), (3.0, 9.0), (4.0, 5.0), (5.0, 9.0)];
        assert_eq!(drawn(&points), r#"<polyline class="due" points="0.0,9.0 3.0,9.0 4.0,5.0 5.0,9.0"/>"#);
        assert_eq!(drawn(&[(1.0, 2.0)]), r#"<polyline class="due" points="1.0,2.0 1.0,2.0"/>"#);
        assert_eq!(drawn(&[]), "");
    }

    #[test]
    fn a_scale_has_room_for_one_value_and_for_none() {
        for values in [vec![], vec![1], vec![3_600_000_000], vec![700, 90_000]] {
            let scale = LogScale::of(values.iter().copied());
            for value in &values {
                let share = scale.share(*value as f64);
                assert!(share > 0.0 && share < 1.0, "{values:?}: {share}");
            }
            assert!(scale.share(1.0).is_finite(), "{values:?}");
        }
    }
}
