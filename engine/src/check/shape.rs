//! Rates: steady, or in stages that fit the phases.

use std::ops::Range;
use std::time::Duration;

use ::load::{Ramp, Shape, Timeline};
use faults::time::Time;
use scenarios::journeys::Times;
use scenarios::units::Rate;
use toml::Spanned;

use super::super::file::Stage;
use super::Check;

/// The arrivals of a journey.
pub(super) struct Arriving {
    /// A second; where they change, on average over the phase that is judged.
    pub(super) rate: f64,
    /// When they come.
    pub(super) times: Times,
}

impl Check<'_> {
    /// What `rate` and `stages` say together.
    pub(super) fn arriving(
        &mut self,
        span: Range<usize>,
        rate: Option<Rate>,
        stages: &[Spanned<Stage>],
        timeline: Timeline,
    ) -> Option<Arriving> {
        let begin = rate.map_or(0.0, |rate| rate.0);
        if stages.is_empty() {
            self.rate(span.clone(), begin);
            if rate.is_none() {
                self.missing(
                    span,
                    "it has no `rate`; write `rate = \"20/s\"`, or `stages = [{ to = \"200/s\", over = \"1m\" }, { hold = \"5m\" }]`",
                );
            }
            return rate.map(|_| Arriving { rate: begin, times: Times::Steady });
        }
        let mut ramps: Vec<Ramp> = Vec::new();
        for stage in stages {
            let last = ramps.last().map_or(begin, |ramp| ramp.to);
            ramps.push(self.ramp(stage, last)?);
        }
        let shape = Shape::new(begin, &ramps);
        self.rate(span.clone(), shape.busiest());
        self.fits(span, &shape, &ramps, timeline);
        let (from, to) = (timeline.judged_from(), timeline.judged_to());
        let rate = shape.arrivals_within(from, to) / (to.saturating_sub(from)).as_secs_f64().max(f64::MIN_POSITIVE);
        Some(Arriving { rate, times: Times::Stages(shape) })
    }

    fn ramp(&mut self, stage: &Spanned<Stage>, last: f64) -> Option<Ramp> {
        match *stage.get_ref() {
            Stage { to: Some(to), over: Some(over), hold: None } => Some(Ramp { to: to.0, over: over.duration() }),
            Stage { to: None, over: None, hold: Some(hold) } => Some(Ramp { to: last, over: hold.duration() }),
            _ => {
                self.complain(stage.span(), "a stage is `{ to = \"200/s\", over = \"1m\" }` or `{ hold = \"5m\" }`");
                None
            }
        }
    }

    /// Where phases and stages disagree, one of them is not what was meant.
    fn fits(&mut self, span: Range<usize>, shape: &Shape, ramps: &[Ramp], timeline: Timeline) {
        let (stages, run): (Duration, _) = (ramps.iter().map(|ramp| ramp.over).sum(), timeline.end());
        let [of_stages, of_run] = [stages, run].map(Time::from);
        if stages > run {
            self.complain(
                span,
                format!("the stages take `{of_stages}`, and all phases `{of_run}`; lengthen the phases or shorten the stages"),
            );
        } else if shape.arrivals_within(Duration::ZERO, run) < 1.0 {
            self.complain(span, "the stages send nothing: begin with a `rate`, or go `to` one above `0/s`");
        } else if stages < run && ramps.last().is_some_and(|last| last.to <= 0.0) {
            let rest = Time::from(run.saturating_sub(stages));
            self.complain(span, format!("the stages end at `0/s` after `{of_stages}`, and the phases go on for `{rest}`, in which nothing is sent; let both end at once"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{check, check_load_in};
    use super::*;
    use std::path::Path;

    fn file(phases: &str, arrivals: &str) -> String {
        format!("[phases]\n{phases}\n[[load.requests]]\nof = \"shop GET /\"\nurl = \"http://127.0.0.1:1/\"\n{arrivals}\n")
    }

    #[test]
    fn stages_say_how_long_load_alone_is_measured_and_the_last_rate_stays() {
        let stages = "stages = [{ to = \"100/s\", over = \"10s\" }, { hold = \"20s\" }, { to = \"500/s\", over = \"0s\" }, { hold = \"2s\" }, { to = \"0/s\", over = \"8s\" }]";
        let plan = check_load_in(Path::new("."), "x", &file("warm-up = \"10s\"", stages)).unwrap();
        assert_eq!((plan.judged(), plan.timeline.end()), (Duration::from_secs(30), Duration::from_secs(40)));
        let journey = &plan.load.journeys[0];
        let Times::Stages(shape) = &journey.times else { panic!("{journey:?}") };
        assert_eq!(shape.busiest(), 500.0);
        // 20 s of 100/s, 2 s of 500/s, and 8 s down from there.
        assert!((journey.rate * 30.0 - (2_000.0 + 1_000.0 + 2_000.0)).abs() < 1e-6, "{}", journey.rate);
        let stays =
            check_load_in(Path::new("."), "x", &file("measured = \"60s\"", "rate = \"5/s\"\nstages = [{ to = \"10/s\", over = \"1s\" }]"))
                .unwrap();
        assert_eq!(stays.load.journeys[0].rate_at(Duration::from_secs(50)), 10.0);
    }

    #[test]
    fn an_experiment_has_stages_too_and_its_rate_is_that_of_the_fault_phase() {
        let phases = "warm-up = \"3s\"\nbaseline = \"5s\"\nfault = \"10s\"\nrecovery = \"1s\"";
        let stages = "rate = \"4/s\"\nstages = [{ hold = \"10s\" }, { to = \"24/s\", over = \"10s\" }]";
        let plan = check("x", &format!("question = \"?\"\n{}", file(phases, stages))).unwrap();
        assert!((plan.load.journeys[0].rate - 14.0).abs() < 1e-9, "{}", plan.load.journeys[0].rate);
    }

    #[test]
    fn where_rate_stages_and_phases_disagree_it_is_said() {
        let ramp = "stages = [{ to = \"9/s\", over = \"20s\" }]";
        for (phases, arrivals, says) in [
            ("measured = \"10s\"", ramp, "the stages take `20s`, and all phases `13s`"),
            (
                "measured = \"30s\"",
                "stages = [{ to = \"9/s\", over = \"9s\" }, { to = \"0/s\", over = \"1s\" }]",
                "the phases go on for `23s`",
            ),
            ("", "", "it has no `rate`"),
            ("", "stages = [{ hold = \"9s\" }]", "the stages send nothing"),
            ("", "stages = [{ to = \"9/s\" }]", "a stage is"),
            ("", "stages = [{ to = \"9/s\", over = \"1s\", hold = \"1s\" }]", "a stage is"),
            ("", "stages = [{ to = \"90000/s\", over = \"1m\" }]", "more than one machine can send"),
            ("", "stages = [{ to = \"-9/s\", over = \"1m\" }]", "`-9/s` is not a rate"),
            ("", "stages = [{ too = \"9/s\", over = \"1m\" }]", "`too`"),
            ("", "rate = \"0/s\"", "`0/s` is not a rate"),
        ] {
            let wrong = check_load_in(Path::new("."), "x", &file(phases, arrivals)).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{arrivals}: {wrong:?}");
        }
    }
}
