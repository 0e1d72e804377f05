//! What makes a file one of load alone, or of an experiment: the other command is named where it is
//! the other's.

use std::ops::Range;
use std::time::Duration;

use ::load::Timeline;
use reports::measurements::RunKind;
use toml::Spanned;

use super::super::file::{ExpectEntry, File};
use super::Check;

/// How long load alone is measured, unless the file says, or has stages.
const MEASURED: Duration = Duration::from_secs(30);

/// It is measured for a second at least.
const SHORTEST: Duration = Duration::from_secs(1);

/// What load alone asks, unless the file says.
pub(super) fn question(name: &str) -> String {
    format!("Does `{name}` serve this load?")
}

impl Check<'_> {
    /// Whether the file can be of the kind that it is taken for; reports what belongs to the other
    /// kind, and then nothing else needs to be looked at.
    pub(super) fn is_of_its_kind(&mut self, file: &File) -> bool {
        let before = self.wrong.len();
        match self.kind {
            RunKind::Experiment => {
                if let Some(measured) = &file.phases.measured {
                    let what = "`measured` is the phase of `brownout load`; `brownout run` has `baseline`, `fault` and `recovery`";
                    self.complain(measured.span(), what);
                }
            }
            RunKind::Load => self.has_only_load(file),
        }
        self.wrong.len() == before
    }

    fn has_only_load(&mut self, file: &File) {
        let fault = file.fault.first().map(Spanned::span);
        let systems = file.systems.first().map(Spanned::span);
        let aws = file.aws.as_ref().map(Spanned::span);
        let parts = [("[[fault]]", fault), ("systems", systems), ("[stack]", stack(file)), ("[aws]", aws)];
        for (part, span) in parts.into_iter().filter_map(|(part, span)| Some((part, span?))) {
            self.complain(span, format!("`brownout load` sends load and nothing else; a file with `{part}` is for `brownout run`"));
        }
        let phases = &file.phases;
        let named = [("baseline", &phases.baseline), ("fault", &phases.fault), ("recovery", &phases.recovery), ("lease", &phases.lease)];
        // A default has no position in the file.
        for (name, phase) in named.into_iter().filter(|(_, phase)| !phase.span().is_empty()) {
            let what = format!("`{name}` is for `brownout run`; `brownout load` has `warm-up` and `measured`");
            self.complain(phase.span(), what);
        }
        if !file.sends_requests() {
            self.missing(0..0, "nothing is sent; write `[[load.requests]]` with `of`, `url` and `rate`, or `[[journey]]` with a `url`");
        }
        for entry in &file.expect {
            self.needs_no_fault(entry.span(), entry.get_ref());
        }
    }

    fn needs_no_fault(&mut self, span: Range<usize>, entry: &ExpectEntry) {
        let parts = [
            ("arm", entry.arm.is_some()),
            ("warm", entry.warm),
            ("p99-ratio", entry.p99_ratio.is_some()),
            ("recovery", entry.recovery.is_some()),
        ];
        for (part, _) in parts.into_iter().filter(|(_, is_there)| *is_there) {
            self.complain(
                span.clone(),
                format!("`{part}` is about faults, and `brownout load` has none; remove it, or use `brownout run`"),
            );
        }
    }

    /// The warm-up and the one phase that is measured: load alone is over after its baseline.
    pub(super) fn timeline_alone(&mut self, file: &File) -> Timeline {
        let measured = file.phases.measured.as_ref();
        let warm_up = file.phases.warm_up.duration();
        let staged = file.staged().map(|stages| stages.saturating_sub(warm_up).max(SHORTEST));
        let baseline = measured.map_or(staged.unwrap_or(MEASURED), |time| time.get_ref().duration());
        if let Some(time) = measured.filter(|_| baseline < SHORTEST) {
            self.complain(time.span(), format!("`measured` is `{}`; it needs `1s` at least", time.get_ref()));
        }
        let none = Duration::ZERO;
        Timeline { warm_up, baseline, arming: none, fault: none, recovery: none }
    }
}

/// Where the file says something of a stack.
fn stack(file: &File) -> Option<Range<usize>> {
    let stack = &file.stack;
    let template = stack.template.as_ref().map(Spanned::span);
    let weakness = stack.weaknesses.first().map(Spanned::span);
    let cache = stack.authorizer_cache.as_ref().map(Spanned::span);
    let time = stack.compressed_time.as_ref().map(Spanned::span);
    let is_bare = stack.parameters.is_empty() && stack.layers.is_empty() && stack.services.is_empty() && stack.public_services.is_empty();
    let more = (!is_bare).then_some(0..0);
    template.or(weakness).or(cache).or(time).or(more)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use super::super::{Beside, check, check_load_in, check_load_with};
    use crate::file::Wrong;
    use crate::plan::Plan;

    const SHOP: &str = r#"
[phases]
warm-up = "1s"
measured = "20s"

[[load.requests]]
of = "shop GET /"
url = "https://shop.example.com/"
rate = "50/s"

[[journey]]
name = "buy"
url = "https://shop.example.com/prod/"
rate = "5/s"
[[journey.request]]
name = "place"
post = "/orders"

[[expect]]
of = "shop GET /"
p99 = "<= 200ms"
errors = "<= 1%"
"#;

    fn load(text: &str) -> Result<Plan, Vec<Wrong>> {
        check_load_in(Path::new("."), "shop", text)
    }

    #[test]
    fn load_alone_goes_to_any_address_and_ends_after_its_measured_phase() {
        let plan = load(SHOP).unwrap();
        assert_eq!((plan.timeline.warm_up, plan.judged(), plan.timeline.end()), seconds(1, 20, 21));
        assert_eq!(plan.load.journeys.len(), 2);
        assert_eq!(plan.question, "Does `shop` serve this load?");
        assert_eq!(load(&SHOP.replace("measured = \"20s\"\n", "")).unwrap().judged(), Duration::from_secs(30));
    }

    fn seconds(a: u64, b: u64, c: u64) -> (Duration, Duration, Duration) {
        (Duration::from_secs(a), Duration::from_secs(b), Duration::from_secs(c))
    }

    #[test]
    fn what_belongs_to_an_experiment_is_refused_with_the_command_that_runs_it() {
        let for_run = |part: &str| format!("a file with `{part}` is for `brownout run`");
        for (from, to, says) in [
            ("[[expect]]", "[[fault]]\nfunction = \"orders\"\nerror = {}\n[[expect]]", for_run("[[fault]]")),
            ("\n[phases]", "systems = [\"clinic\"]\n[phases]", for_run("systems")),
            ("[[expect]]", "[stack]\ntemplate = \"template.yaml\"\n[[expect]]", for_run("[stack]")),
            ("[[expect]]", "[stack]\nparameters = { A = \"1\" }\n[[expect]]", for_run("[stack]")),
            ("[[expect]]", "[aws]\nlayer = \"x\"\n[[expect]]", for_run("[aws]")),
            ("measured", "fault", "`fault` is for `brownout run`; `brownout load` has `warm-up` and `measured`".into()),
            ("measured", "recovery", "`recovery` is for `brownout run`".into()),
            ("measured", "lease", "`lease` is for `brownout run`".into()),
            ("20s", "20ms", "`measured` is `20ms`; it needs `1s` at least".into()),
            ("p99", "recovery = \"<= 3s\"\np99", "`recovery` is about faults".into()),
            ("p99", "p99-ratio = \"<= 3x\"\np99", "`p99-ratio` is about faults".into()),
            ("p99", "arm = \"struck\"\np99", "`arm` is about faults".into()),
            ("p99", "warm = true\np99", "`warm` is about faults".into()),
            ("https://shop.example.com/\"\nrate", "/\"\nrate", "is not a URL".into()),
            ("[[expect]]\nof = \"shop GET /\"", "[[expect]]\nof = \"shop GET\"", "did you mean `shop GET /`?".into()),
            ("[[expect]]", "[stop]\nerrors = \"> 50% for 30s\"\n[[expect]]", "longer than the measured phase, `20s`".into()),
        ] {
            let text = SHOP.replacen(from, to, 1);
            assert_ne!(text, SHOP, "{from}");
            let wrong = load(&text).unwrap_err();
            assert!(wrong.iter().any(|wrong| wrong.what.contains(&says)), "{to}: {wrong:?}");
        }
        assert!(load("[phases]\nwarm-up = \"1s\"").unwrap_err()[0].what.starts_with("nothing is sent"));
    }

    #[test]
    fn several_workers_may_send_more_than_one_machine_can() {
        let text = SHOP.replacen("50/s", "120000/s", 1);
        let by = |workers| check_load_with(Path::new("."), "shop", &text, Beside { workers, ..Beside::default() });
        assert!(by(1).unwrap_err()[0].what.contains("`120000/s` is more than one machine can send; `50000/s` is the most"));
        assert!(by(2).unwrap_err()[0].what.contains("`120000/s` is more than 2 workers can send; `100000/s` is the most"));
        assert!(by(3).is_ok());
    }

    #[test]
    fn a_run_names_the_command_that_measures_load_alone() {
        let wrong = check("shop", &format!("question = \"?\"\n{SHOP}")).unwrap_err();
        assert!(wrong[0].what.contains("`measured` is the phase of `brownout load`"), "{wrong:?}");
    }

    #[test]
    fn headers_of_the_command_line_are_sent_and_in_no_text() {
        let headers = [("authorization".to_owned(), "$ecret".to_owned())];
        let with = |headers| check_load_with(Path::new("."), "shop", SHOP, Beside { headers, ..Beside::default() });
        let plan = with(&headers).unwrap();
        let sent = &plan.load.journeys[0].steps[0].headers;
        assert_eq!(sent.len(), 1);
        assert!(format!("{sent:?}").contains("$ecret") && !plan.text.contains("$ecret"));
        let wrong = with(&[("host".to_owned(), "x".to_owned())]).unwrap_err();
        assert!(wrong[0].what.contains("`host` cannot be sent"), "{wrong:?}");
    }
}
