//! What a person sees while a run goes on: one live line in a terminal, a quiet line now and then elsewhere. Always on standard error.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Elsewhere than in a terminal a line comes this often at most, and at every phase.
const QUIET: Duration = Duration::from_secs(10);

/// A line on standard error. A terminal that is gone is no reason to stop: what was struck has to be put back all the same.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A moment of the run.
#[derive(Debug, Clone)]
pub struct Moment {
    /// Such as `baseline`.
    pub phase: &'static str,
    /// Seconds into the run.
    pub at: Duration,
    /// Arrivals a second that are intended.
    pub intended: f64,
    /// Requests a second that were sent lately.
    pub achieved: f64,
    /// Failed so far.
    pub failed: u64,
    /// Struck so far.
    pub struck: u64,
}

/// The rate of something that is counted, over the last looks at it.
#[derive(Debug, Default)]
pub struct Pace(VecDeque<(Duration, u64)>);

impl Pace {
    /// Takes a count and gives the rate a second over the last 20 looks.
    pub fn at(&mut self, offset: Duration, count: u64) -> f64 {
        self.0.push_back((offset, count));
        while self.0.len() > 20 {
            self.0.pop_front();
        }
        match (self.0.front(), self.0.back()) {
            (Some((from, a)), Some((to, b))) if to > from => b.saturating_sub(*a) as f64 / (*to - *from).as_secs_f64(),
            _ => 0.0,
        }
    }
}

/// The live line.
pub struct Progress {
    bar: Option<ProgressBar>,
    phase: &'static str,
    said: Option<Instant>,
    started: Instant,
}

impl Progress {
    /// A live line for a run of `length`; silent where `json` is asked for and nobody looks.
    pub fn new(length: Duration) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(
                Some(length.as_millis().try_into().unwrap_or(u64::MAX)),
                ProgressDrawTarget::stderr_with_hz(5),
            );
            let template = if std::env::var_os("NO_COLOR").is_some() {
                "{prefix:>10} [{bar:30}] {msg}"
            } else {
                "{prefix:>10.bold} [{bar:30.cyan/dim}] {msg}"
            };
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Self { bar, phase: "", said: None, started: Instant::now() }
    }

    /// Shows a moment.
    pub fn show(&mut self, moment: &Moment) {
        let message = format!(
            "{:>5.1} req/s sent, {:.0} journeys/s due · {} failed · {} struck",
            moment.achieved, moment.intended, moment.failed, moment.struck
        );
        if let Some(bar) = &self.bar {
            bar.set_prefix(moment.phase);
            bar.set_position(moment.at.as_millis().try_into().unwrap_or(u64::MAX));
            bar.set_message(message);
            return;
        }
        if moment.phase != self.phase || self.said.is_none_or(|at| at.elapsed() >= QUIET) {
            self.phase = moment.phase;
            self.said = Some(Instant::now());
            tell(&format!("{:>6.1}s {:>9}: {message}", self.started.elapsed().as_secs_f64(), moment.phase));
        }
    }

    /// Says something that stays.
    pub fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => tell(&format!("{:>6.1}s {text}", self.started.elapsed().as_secs_f64())),
        }
    }

    /// Takes the live line away.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
