//! The progress of a run: one live line in a terminal, a plain line from time to time elsewhere.
//! Always on standard error.

use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use engine::Observer;
use engine::observer::Moment;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::measurements::RunKind;

use crate::fold::{columns, fold};

/// The shortest time between two lines outside a terminal; a line also comes at every phase.
const QUIET: Duration = Duration::from_secs(10);

/// With fewer columns there is no room for a bar.
const NARROW: usize = 100;

/// Prints a line on standard error and ignores failures: a closed terminal must not prevent the
/// restore.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{}", fitting(line));
}

/// A line that is too long for its terminal is folded.
fn fitting(line: &str) -> String {
    match columns(&console::Term::stderr()) {
        Some(columns) if columns < line.chars().count() => fold(line.trim_start(), columns),
        _ => line.to_owned(),
    }
}

fn words(moment: &Moment, kind: RunKind, narrow: bool) -> String {
    let Moment { achieved, intended, failed, struck, .. } = moment;
    let struck = |separator: &str| match kind {
        RunKind::Experiment => format!("{separator}{struck} struck"),
        RunKind::Load => String::new(),
    };
    if narrow {
        return format!("{achieved:.0}/s, {failed} failed{}", struck(", "));
    }
    format!("{achieved:>5.1} req/s sent, {intended:.0} journeys/s due · {failed} failed{}", struck(" · "))
}

/// Whether a line can be redrawn.
fn is_live(terminal: bool, term: Option<&OsStr>) -> bool {
    terminal && term.is_none_or(|term| term != "dumb")
}

/// The template of a line that fits its terminal: anything too long is cut.
const fn template(narrow: bool, color: bool) -> &'static str {
    match (narrow, color) {
        (true, true) => "{prefix:>8.bold} {wide_msg}",
        (true, false) => "{prefix:>8} {wide_msg}",
        (false, true) => "{prefix:>10.bold} [{bar:30.cyan/dim}] {wide_msg}",
        (false, false) => "{prefix:>10} [{bar:30}] {wide_msg}",
    }
}

/// The live line.
pub struct Progress {
    kind: RunKind,
    bar: Option<ProgressBar>,
    narrow: bool,
    phase: &'static str,
    said: Option<Instant>,
    started: Instant,
}

impl Progress {
    /// A live line for an experiment of `length`.
    pub fn new(length: Duration) -> Self {
        Self::of(RunKind::Experiment, length)
    }

    /// The same for load alone.
    pub fn alone(length: Duration) -> Self {
        Self::of(RunKind::Load, length)
    }

    fn of(kind: RunKind, length: Duration) -> Self {
        let target = ProgressDrawTarget::stderr_with_hz(5);
        let narrow = columns(&console::Term::stderr()).is_some_and(|columns| columns < NARROW);
        let bar = is_live(std::io::stderr().is_terminal(), std::env::var_os("TERM").as_deref()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(length.as_millis().try_into().unwrap_or(u64::MAX)), target);
            let template = template(narrow, std::env::var_os("NO_COLOR").is_none());
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Self { kind, bar, narrow, phase: "", said: None, started: Instant::now() }
    }
}

impl Observer for Progress {
    fn show(&mut self, moment: &Moment) {
        let message = words(moment, self.kind, self.narrow);
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

    fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(fitting(text)),
            None => tell(&format!("{:>6.1}s {text}", self.started.elapsed().as_secs_f64())),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_lines_and_no_live_one() {
        assert!(is_live(true, Some(OsStr::new("xterm"))) && is_live(true, None));
        assert!(!is_live(true, Some(OsStr::new("dumb"))) && !is_live(false, Some(OsStr::new("xterm"))));
    }

    #[test]
    fn forty_columns_hold_what_matters() {
        let moment = Moment { phase: "recovery", at: Duration::ZERO, intended: 60.0, achieved: 123.4, failed: 1_234, struck: 5_678 };
        let line = format!("{:>8} {}", moment.phase, words(&moment, RunKind::Experiment, true));
        assert!(line.chars().count() <= 43 && line.contains("1234 failed"), "{line}");
        for template in [template(true, true), template(false, false)] {
            assert!(template.ends_with("{wide_msg}"), "what does not fit is cut: {template}");
        }
    }
}
