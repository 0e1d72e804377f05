//! A rate that changes in straight lines, and when its arrivals are due: arrival k where the integral
//! of the rate reaches k. Pure arithmetic.

use std::time::Duration;

/// The rate goes in a straight line to `to` arrivals a second; in no time at all it jumps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ramp {
    /// Arrivals a second at its end.
    pub to: f64,
    /// How long it takes.
    pub over: Duration,
}

/// A rate over time, from the first arrival of the warm-up on.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape(Vec<Piece>);

/// A straight part. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Piece {
    from: f64,
    /// Arrivals a second at its begin.
    rate: f64,
    /// By how much that grows each second.
    slope: f64,
    /// Arrivals before it.
    before: f64,
}

impl Piece {
    fn rate_at(&self, at: f64) -> f64 {
        (self.rate + self.slope * (at - self.from)).max(0.0)
    }

    fn arrivals_by(&self, at: f64) -> f64 {
        let into = at - self.from;
        self.before + (self.rate + self.slope / 2.0 * into) * into
    }

    /// When this many have arrived. Of the two forms of the solution of `slope/2 x^2 + rate x = n`,
    /// this one loses no digits where the slope is small.
    fn when(&self, arrivals: f64) -> f64 {
        let wanted = (arrivals - self.before).max(0.0);
        let root = (self.rate * self.rate + 2.0 * self.slope * wanted).max(0.0).sqrt();
        let divisor = self.rate + root;
        if divisor > 0.0 { self.from + 2.0 * wanted / divisor } else { self.from }
    }
}

impl Shape {
    /// Always the same rate.
    pub fn steady(rate: f64) -> Self {
        Self(vec![Piece { from: 0.0, rate, slope: 0.0, before: 0.0 }])
    }

    /// From `rate` through `ramps`, one after another; the last rate stays.
    pub fn new(rate: f64, ramps: &[Ramp]) -> Self {
        let mut last = Piece { from: 0.0, rate, slope: 0.0, before: 0.0 };
        let mut pieces = Vec::new();
        for Ramp { to, over } in ramps {
            let length = over.as_secs_f64();
            if length > 0.0 {
                let piece = Piece { slope: (to - last.rate) / length, ..last };
                pieces.push(piece);
                last.before = piece.arrivals_by(piece.from + length);
                last.from += length;
            }
            last.rate = *to;
        }
        pieces.push(last);
        Self(pieces)
    }

    /// The highest rate.
    pub fn busiest(&self) -> f64 {
        self.0.iter().map(|piece| piece.rate).chain(self.ends()).fold(0.0, f64::max)
    }

    /// The rates at which pieces end, just before the next begins.
    fn ends(&self) -> impl Iterator<Item = f64> {
        self.0.iter().zip(self.0.iter().skip(1)).map(|(piece, next)| piece.rate_at(next.from))
    }

    /// The rate at a moment.
    pub fn rate_at(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        self.piece(|piece| piece.from <= at).map_or(0.0, |piece| piece.rate_at(at))
    }

    /// How many have arrived by a moment, in seconds.
    pub(crate) fn arrivals_by(&self, at: f64) -> f64 {
        self.piece(|piece| piece.from <= at).map_or(0.0, |piece| piece.arrivals_by(at))
    }

    /// How many arrive within a time, on average.
    pub fn arrivals_within(&self, from: Duration, to: Duration) -> f64 {
        self.arrivals_by(to.as_secs_f64()) - self.arrivals_by(from.as_secs_f64())
    }

    /// When this many have arrived, in seconds. It is asked only for what does arrive.
    pub(crate) fn when(&self, arrivals: f64) -> f64 {
        // In a piece without arrivals nothing is due: its begin is the end of the one before.
        self.piece(|piece| piece.before <= arrivals).map_or(0.0, |piece| piece.when(arrivals))
    }

    /// The last piece that is so; they are sorted in every respect.
    fn piece(&self, is_so: impl Fn(&Piece) -> bool) -> Option<&Piece> {
        let after = self.0.partition_point(is_so);
        self.0.get(after.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(to: f64, seconds: f64) -> Ramp {
        Ramp { to, over: Duration::from_secs_f64(seconds) }
    }

    fn close(found: f64, expected: f64, what: &str) {
        assert!((found - expected).abs() < 1e-9, "{what}: {found} instead of {expected}");
    }

    #[test]
    fn arrivals_of_a_ramp_are_due_where_the_integral_says() {
        // From 0 by 2 a second every second: t^2 arrivals, so arrival n comes at sqrt(n).
        let up = Shape::new(0.0, &[ramp(20.0, 10.0)]);
        for n in [0.0, 1.0, 4.0, 30.25, 100.0] {
            close(up.when(n), n.sqrt(), "up");
        }
        // Then 20 a second.
        close(up.when(120.0), 11.0, "the last rate stays");
        // From 20 down to 0 in 10 s: 20t - t^2, so the last of 100 comes at 10 s.
        let down = Shape::new(20.0, &[ramp(0.0, 10.0)]);
        for (n, at) in [(0.0, 0.0), (19.0, 1.0), (75.0, 5.0), (99.0, 9.0), (100.0, 10.0)] {
            close(down.when(n), at, "down");
        }
        // A slope that is hardly one.
        close(Shape::new(10.0, &[ramp(10.0 + 1e-12, 100.0)]).when(500.0), 50.0, "flat");
    }

    #[test]
    fn a_burst_is_a_jump_there_and_back() {
        let burst = Shape::new(2.0, &[ramp(2.0, 5.0), ramp(100.0, 0.0), ramp(100.0, 1.0), ramp(2.0, 0.0)]);
        for (n, at) in [(0.0, 0.0), (9.0, 4.5), (10.0, 5.0), (60.0, 5.5), (110.0, 6.0), (112.0, 7.0)] {
            close(burst.when(n), at, "burst");
        }
        assert_eq!([4.9, 5.5, 6.5].map(|at| burst.rate_at(Duration::from_secs_f64(at))), [2.0, 100.0, 2.0]);
        assert_eq!(burst.busiest(), 100.0);
        close(burst.arrivals_within(Duration::from_secs(4), Duration::from_secs(7)), 104.0, "within");
    }

    #[test]
    fn a_rest_has_no_arrival_and_the_next_one_comes_after_it() {
        let rest = Shape::new(10.0, &[ramp(10.0, 1.0), ramp(0.0, 0.0), ramp(0.0, 60.0), ramp(10.0, 0.0)]);
        for (n, at) in [(9.5, 0.95), (10.5, 61.05), (20.0, 62.0)] {
            close(rest.when(n), at, "rest");
        }
        assert_eq!(rest.rate_at(Duration::from_secs(30)), 0.0);
    }

    #[test]
    fn the_integral_and_its_inverse_agree_everywhere() {
        let shape = Shape::new(3.0, &[ramp(50.0, 20.0), ramp(50.0, 10.0), ramp(0.5, 15.0), ramp(7.25, 0.0), ramp(7.25, 30.0)]);
        for step in 0..1_000 {
            let at = f64::from(step) * 0.1;
            close(shape.when(shape.arrivals_by(at)), at, "there and back");
        }
    }
}
