//! The progress of a run: in a terminal a view that is redrawn, or one line if it is narrow; elsewhere a
//! plain line from time to time. Always on standard error.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Observer;
use engine::snapshot::{Moment, Snapshot};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::measurements::RunKind;

use crate::fold::{columns, fold};
use crate::run_view::{NARROWEST, lines};

/// The shortest time between two plain lines; a line also comes at every phase.
const QUIET: Duration = Duration::from_secs(10);

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

fn words(snapshot: &Snapshot, narrow: bool) -> String {
    let Snapshot { sent_per_s, due_per_s, failed, struck, .. } = snapshot;
    let struck = |separator: &str| match snapshot.kind {
        RunKind::Experiment => format!("{separator}{struck} struck"),
        RunKind::Load => String::new(),
    };
    if narrow {
        return format!("{sent_per_s:.0}/s, {failed} failed{}", struck(", "));
    }
    format!("{sent_per_s:>5.1} req/s sent, {due_per_s:.0} journeys/s due · {failed} failed{}", struck(" · "))
}

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Several lines, redrawn.
    View,
    /// One line, redrawn: there are few columns.
    Line,
    /// A plain line from time to time.
    Lines,
}

impl Form {
    /// What suits a terminal of so many columns, if it is one; `plain` if the user wants no escapes.
    fn of(is_terminal: bool, plain: bool, columns: Option<usize>) -> Self {
        match columns {
            _ if !is_terminal || plain => Self::Lines,
            Some(columns) if columns < NARROWEST => Self::Line,
            _ => Self::View,
        }
    }

    /// A line that is too long for its terminal is cut.
    const fn template(self) -> &'static str {
        match self {
            Self::View | Self::Lines => "{msg}",
            Self::Line => "{prefix:>8.bold} {wide_msg}",
        }
    }
}

/// What was shown last as a plain line.
struct Said {
    moment: Moment,
    at: Instant,
}

/// Shows a run on standard error.
pub struct Progress {
    form: Form,
    bar: ProgressBar,
    said: Option<Said>,
    started: Instant,
}

impl Progress {
    /// Shows a run from now on.
    pub fn new() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain = is_set("NO_COLOR") || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let form = Form::of(std::io::stderr().is_terminal(), plain, columns(&console::Term::stderr()));
        let bar = match form {
            Form::Lines => ProgressBar::hidden(),
            Form::View | Form::Line => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5)),
        };
        bar.set_style(ProgressStyle::with_template(form.template()).unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self { form, bar, said: None, started: Instant::now() }
    }

    fn tell_sometimes(&mut self, snapshot: &Snapshot) {
        let is_due = |said: &Said| said.moment != snapshot.moment || said.at.elapsed() >= QUIET;
        if snapshot.moment != Moment::Ended && self.said.as_ref().is_none_or(is_due) {
            self.said = Some(Said { moment: snapshot.moment, at: Instant::now() });
            let phase = snapshot.moment.name(snapshot.kind);
            tell(&format!("{:>6.1}s {phase:>9}: {}", self.started.elapsed().as_secs_f64(), words(snapshot, false)));
        }
    }
}

impl Observer for Progress {
    fn show(&mut self, snapshot: &Arc<Snapshot>) {
        match self.form {
            Form::View => {
                // It may have been made wider or narrower meanwhile.
                let columns = columns(&console::Term::stderr()).unwrap_or(NARROWEST);
                self.bar.set_message(lines(snapshot, columns).join("\n"));
            }
            Form::Line => {
                self.bar.set_prefix(snapshot.moment.name(snapshot.kind));
                self.bar.set_message(words(snapshot, true));
            }
            Form::Lines => self.tell_sometimes(snapshot),
        }
    }

    fn say(&self, text: &str) {
        match self.form {
            Form::View | Form::Line => self.bar.println(fitting(text)),
            Form::Lines => tell(&format!("{:>6.1}s {text}", self.started.elapsed().as_secs_f64())),
        }
    }

    fn end(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_that_is_wide_enough_and_takes_escapes_gets_the_view() {
        for (is_terminal, plain, columns, form) in [
            (true, false, Some(60), Form::View),
            (true, false, None, Form::View),
            (true, false, Some(59), Form::Line),
            (true, true, Some(120), Form::Lines),
            (false, false, Some(120), Form::Lines),
            (false, false, None, Form::Lines),
        ] {
            assert_eq!(Form::of(is_terminal, plain, columns), form, "{is_terminal} {plain} {columns:?}");
        }
    }

    #[test]
    fn forty_columns_hold_what_matters() {
        let snapshot = crate::sample::snapshot();
        let line = format!("{:>8} {}", snapshot.moment.name(snapshot.kind), words(&snapshot, true));
        assert!(line.chars().count() <= 40 && line.contains("15 failed"), "{line}");
        assert!(Form::Line.template().ends_with("{wide_msg}"), "what does not fit is cut");
    }
}
