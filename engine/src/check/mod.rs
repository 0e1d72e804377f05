//! Turns a file as written into a checked plan: finds everything that can be known before anything
//! is touched, and reports all of it at once.

mod alone;
mod around;
mod aws;
pub mod faults;
mod journeys;
mod load;
mod own_stack;
pub mod power;
mod reach;
mod read;
mod replay;
mod rules;
mod shape;
mod tls;
mod wanted;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use ::faults::Lease;
use ::load::{Arrivals, Timeline};
use reports::measurements::RunKind;
use reports::{AimArm, Bound, Expectation, Starts};
use scenarios::systems::{self, Setup, System};
use toml::Spanned;

use super::bounds::Errors;
use super::deployed::Deployed;
use super::file::{self, ExpectEntry, File, Wrong};
use super::own_stack::OwnStack;
use super::plan::{Plan, Read};
use crate::nearest::there_are;

/// The time between the baseline and the fault phase, which is not recorded: the last answers of
/// the baseline come in, the plan is struck and takes effect.
pub const ARMING: Duration = Duration::from_millis(2000);

/// The endpoints that systems record, with the requests that an arrival makes to each on average.
pub fn endpoints() -> impl Iterator<Item = (&'static str, System, f64)> {
    System::ALL.into_iter().flat_map(|system| system.endpoints().into_iter().map(move |(name, requests)| (name, system, requests)))
}

/// The system that a weakness belongs to.
///
/// # Errors
/// If no weakness has this name; the error lists those that exist.
pub fn system_of(weakness: &str) -> Result<System, String> {
    let found = systems::weakness(weakness).map(|(system, _)| system);
    let all = || System::ALL.into_iter().flat_map(|system| system.weaknesses()).map(|known| known.name);
    found.ok_or_else(|| {
        format!("there is no weakness `{weakness}`; {}", there_are(weakness, all(), "`brownout list weaknesses` lists them"))
    })
}

/// Checks an experiment's text.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text; never empty.
pub fn check(name: &str, text: &str) -> Result<Plan, Vec<Wrong>> {
    check_in(Path::new("."), name, text)
}

/// The same for an experiment in a folder, at which the path of its template begins.
///
/// # Errors
/// As [`check`].
pub fn check_in(folder: &Path, name: &str, text: &str) -> Result<Plan, Vec<Wrong>> {
    checked(RunKind::Experiment, folder, name, text, Beside::default())
}

/// Checks a file of load alone, in a folder, at which the paths in it begin.
///
/// # Errors
/// As [`check`].
pub fn check_load_in(folder: &Path, name: &str, text: &str) -> Result<Plan, Vec<Wrong>> {
    check_load_with(folder, name, text, Beside::default())
}

/// The same with what is in no text.
///
/// # Errors
/// As [`check`].
pub fn check_load_with(folder: &Path, name: &str, text: &str, beside: Beside<'_>) -> Result<Plan, Vec<Wrong>> {
    checked(RunKind::Load, folder, name, text, beside)
}

/// What a load has beside its text.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Headers of all single requests: they may be secret.
    pub headers: &'a [(String, String)],
    /// How many workers share the arrivals, at least 1.
    pub workers: u64,
}

impl Default for Beside<'_> {
    fn default() -> Self {
        Self { headers: &[], workers: 1 }
    }
}

fn checked(kind: RunKind, folder: &Path, name: &str, text: &str, beside: Beside<'_>) -> Result<Plan, Vec<Wrong>> {
    let reading = file::read(text);
    let has_form = reading.wrong.is_empty();
    let mut check = Check {
        kind,
        has_form,
        wrong: reading.wrong,
        text,
        folder,
        beside,
        not_among: Vec::new(),
        recorded: Vec::new(),
        notices: Vec::new(),
        read: Read::default(),
    };
    let plan = reading.file.and_then(|file| check.is_of_its_kind(&file).then(|| check.plan(name, &file)));
    check.wrong.sort_by_key(|wrong| wrong.span.start);
    check.wrong.dedup();
    match plan {
        Some(plan) if check.wrong.is_empty() => Ok(plan),
        _ => Err(check.wrong),
    }
}

struct Check<'a> {
    kind: RunKind,
    wrong: Vec<Wrong>,
    text: &'a str,
    /// Where the experiment's file is.
    folder: &'a Path,
    /// What is in no text.
    beside: Beside<'a>,
    /// Whether all of the text could be read; otherwise something that seems to be missing may just
    /// not have been read.
    has_form: bool,
    /// The systems that were already reported as not among the `systems`.
    not_among: Vec<System>,
    /// The endpoints that come from access logs.
    recorded: Vec<String>,
    /// What is no mistake, and should be known before the start.
    notices: Vec<String>,
    /// What was read beside the file.
    read: Read,
}

/// What faults can strike and aims can refer to.
enum Ground<'a> {
    /// Systems on this machine.
    Systems(&'a [System]),
    /// The user's own stack on this machine.
    Own(&'a OwnStack),
    /// Functions on AWS.
    Deployed(&'a Deployed),
    /// Only requests: nothing can be struck.
    Bare,
    /// Unknown, because of an error elsewhere in the file.
    Unread,
}

impl Check<'_> {
    fn complain(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.wrong.push(Wrong { span, what: what.into() });
    }

    /// Reports that something is missing, unless an error elsewhere may have hidden it.
    fn missing(&mut self, span: Range<usize>, what: &str) {
        if self.wrong.is_empty() {
            self.complain(span, what);
        }
    }

    /// Reports, once, a system that the experiment does not start.
    fn not_among(&mut self, span: Range<usize>, what: &str, system: System) {
        if !self.not_among.contains(&system) {
            self.not_among.push(system);
            self.complain(span, format!("{what} `{}`, which is not among the `systems`", system.name()));
        }
    }

    fn plan(&mut self, name: &str, file: &File) -> Plan {
        if self.kind == RunKind::Experiment && file.question.as_ref().is_none_or(|q| q.get_ref().trim().is_empty()) {
            self.missing(0..0, "`question` is missing; write `question = \"...?\"`");
        }
        let systems = self.systems(file);
        let how = self.on_aws(file);
        let (deployed, by_arn) = (self.deployed(file, &how), aws::by_arn(file).is_some());
        let own = self.own_stack(file);
        let ground = match (&deployed, systems.is_empty()) {
            _ if file.stack.template.is_some() => own.as_ref().map_or(Ground::Unread, Ground::Own),
            (Some(deployed), _) => Ground::Deployed(deployed),
            (None, false) if !by_arn => Ground::Systems(&systems),
            (None, true) if !by_arn && self.has_form && file.sends_requests() => Ground::Bare,
            (None, _) => Ground::Unread,
        };
        let (faults, windows) = self.faults(file, &ground);
        let timeline = match self.kind {
            RunKind::Experiment => self.timeline(file),
            RunKind::Load => self.timeline_alone(file),
        };
        let mut load = self.load(file, &systems, own.as_ref(), timeline);
        load.means.tls = self.tls(file, &load.journeys);
        let unseen = self.rules(file, &mut load, own.as_ref(), (!faults.is_empty()).then(|| timeline.strike_at()));
        let plan = Plan {
            name: name.to_owned(),
            kind: self.kind,
            question: file.question.as_ref().map_or_else(|| alone::question(name), |q| q.get_ref().clone()),
            text: self.text.to_owned(),
            seed: file.seed,
            timeline,
            load,
            arrivals: match file.load.arrivals {
                file::Arrivals::Constant => Arrivals::Constant,
                file::Arrivals::Poisson => Arrivals::Poisson,
            },
            longest_journey: self.longest_journey(file),
            setup: Setup {
                weaknesses: self.weaknesses(file, &systems),
                authorizer_cache: self.authorizer_cache(file),
                compressed: self.compressed(file),
            },
            faults,
            windows,
            lease: self.lease(file),
            expectations: self.expectations(file, &ground),
            any_errors: any_errors(file),
            none_broken: file.expect_invariants.none_broken,
            strike_a_broken_baseline: file.phases.strike_a_broken_baseline,
            stop: file.stop.errors.as_ref().map(|stop| *stop.get_ref()),
            systems,
            own,
            deployed,
            stack: self.named_stack(file, how),
            notices: Vec::new(),
            unseen,
            wave: None,
            read: Read::default(),
        };
        self.would_be_refused(aws::section(file), &plan);
        self.reach(file, &plan);
        Plan { notices: std::mem::take(&mut self.notices), read: std::mem::take(&mut self.read), ..plan }
    }

    fn systems(&mut self, file: &File) -> Vec<System> {
        if self.kind == RunKind::Experiment
            && file.systems.is_empty()
            && file.aws.is_none()
            && !file.sends_requests()
            && file.stack.template.is_none()
        {
            self.missing(0..0, "no system is named; write for example `systems = [\"clinic\"]`");
        }
        let mut systems = Vec::new();
        for system in &file.systems {
            if systems.contains(system.get_ref()) {
                self.complain(system.span(), format!("`{}` is named twice", system.get_ref().name()));
            }
            systems.push(*system.get_ref());
        }
        systems
    }

    fn timeline(&mut self, file: &File) -> Timeline {
        let phases = &file.phases;
        for (name, phase) in [("baseline", &phases.baseline), ("fault", &phases.fault)] {
            if phase.get_ref().duration() < Duration::from_secs(1) {
                self.complain(phase.span(), format!("`{name}` is `{}`; it needs `1s` at least", phase.get_ref()));
            }
        }
        Timeline {
            warm_up: phases.warm_up.duration(),
            baseline: phases.baseline.get_ref().duration(),
            arming: ARMING,
            fault: phases.fault.get_ref().duration(),
            recovery: phases.recovery.get_ref().duration(),
        }
    }

    fn lease(&mut self, file: &File) -> Lease {
        let lease = &file.phases.lease;
        let ms = u64::try_from(lease.get_ref().duration().as_millis()).unwrap_or(u64::MAX);
        if let (1_000.., Ok(lease)) = (ms, Lease::try_from(ms)) {
            return lease;
        }
        self.complain(lease.span(), format!("`{}` is not a lease; it is `1s` to `60s`", lease.get_ref()));
        Lease::LONGEST
    }

    fn weaknesses(&mut self, file: &File, systems: &[System]) -> Vec<String> {
        for weakness in &file.stack.weaknesses {
            match system_of(weakness.get_ref()) {
                Err(what) => self.complain(weakness.span(), what),
                Ok(system) if !systems.contains(&system) && self.has_systems(systems) => {
                    self.not_among(weakness.span(), &format!("`{}` belongs to", weakness.get_ref()), system);
                }
                Ok(_) => {}
            }
        }
        file.stack.weaknesses.iter().map(|w| w.get_ref().clone()).collect()
    }

    fn authorizer_cache(&mut self, file: &File) -> Duration {
        let Some(cache) = &file.stack.authorizer_cache else { return Setup::default().authorizer_cache };
        if cache.get_ref().duration() > Duration::from_secs(3600) {
            self.complain(cache.span(), format!("`{}` is longer than API Gateway allows; `1h` is the most", cache.get_ref()));
        }
        cache.get_ref().duration()
    }

    /// Whether the systems of the file are known: a line that could not be read may have named them.
    fn has_systems(&self, systems: &[System]) -> bool {
        self.has_form || !systems.is_empty()
    }

    /// Looks for an endpoint, and reports one that does not exist.
    fn endpoint(&mut self, of: &Spanned<String>, file: &File, ground: &Ground<'_>) {
        let name = of.get_ref().as_str();
        let names: Vec<String> = file.requested().into_iter().chain(self.recorded.clone()).collect();
        let requested = || names.iter().map(String::as_str);
        let known = endpoints().find(|(known, ..)| *known == name).map(|(_, system, _)| system);
        let systems = match ground {
            Ground::Systems(systems) => *systems,
            Ground::Own(_) | Ground::Deployed(_) | Ground::Bare if self.has_form => &[],
            _ => &System::ALL,
        };
        match known {
            _ if requested().any(|request| request == name) => {}
            Some(system) if systems.contains(&system) => {}
            Some(system) if !systems.is_empty() => self.not_among(of.span(), &format!("`{name}` is an endpoint of"), system),
            // Its request may be in a line that could not be read.
            None if !self.has_form && self.text.contains("request") => {}
            _ => {
                let recorded = endpoints().filter(|(_, system, _)| systems.contains(system)).map(|(name, ..)| name);
                let there = there_are(name, recorded.chain(requested()), "`brownout list endpoints` lists those of all systems");
                self.complain(of.span(), format!("there is no endpoint `{name}` in this experiment; {there}"));
            }
        }
    }

    fn expectations(&mut self, file: &File, ground: &Ground<'_>) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for entry in &file.expect {
            let of = &entry.get_ref().of;
            self.endpoint(of, file, ground);
            let bounds = bounds(entry.get_ref());
            if bounds.is_empty() && entry.get_ref().errors.is_none() {
                self.missing(entry.span(), "nothing is expected of this endpoint; write for example `p99 = \"<= 1s\"`");
            }
            let arm = entry.get_ref().arm.map(AimArm::from);
            let starts = if entry.get_ref().warm { Starts::Warm } else { Starts::All };
            expectations.extend(bounds.into_iter().map(|bound| Expectation { of: of.get_ref().clone(), bound, arm, starts }));
        }
        expectations
    }
}

/// The endpoints whose errors the experiment accepts.
fn any_errors(file: &File) -> Vec<String> {
    let free = file.expect.iter().map(toml::Spanned::get_ref).filter(|entry| entry.errors == Some(Errors::Any));
    free.map(|entry| entry.of.get_ref().clone()).collect()
}

fn bounds(entry: &ExpectEntry) -> Vec<Bound> {
    [
        entry.p50.map(|b| Bound::P50(b.0)),
        entry.p90.map(|b| Bound::P90(b.0)),
        entry.p99.map(|b| Bound::P99(b.0)),
        entry.p99_ratio.map(|b| Bound::P99Ratio(b.0)),
        entry.errors.and_then(|errors| match errors {
            Errors::AtMost(share) => Some(Bound::Errors(share)),
            Errors::Any => None,
        }),
        entry.recovery.map(|b| Bound::Recovery(b.0)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Leaks a name, because reports, goose and the join hold endpoint and header names by reference
/// for the whole process; a file has only a few.
fn kept(name: &str) -> &'static str {
    Box::leak(name.to_owned().into_boxed_str())
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

    #[test]
    fn what_does_not_exist_is_named_with_what_does() {
        for (from, to, says) in [
            ("\"authorizer\"", "\"authoriser\"", "did you mean `authorizer`?"),
            ("clinic GET /appointment/{id}", "clinic GET /appointments", "there is no endpoint"),
            ("fault = \"40s\"", "fault = \"40ms\"", "it needs `1s` at least"),
            ("rate = \"15/s\"", "rate = \"90000/s\"", "more than one machine can send"),
            ("homes = 20", "homes = 0", "outside 1 to 1000"),
            ("function = \"authorizer\"", "function = \"authorizer\"\nservice = \"dynamodb\"", "names both"),
            ("function = \"authorizer\"", "service = \"s4\"", "there is no service `s4`"),
            ("systems = [\"thermostat\", \"clinic\"]", "systems = [\"clinic\"]", "is not among the `systems`"),
            ("latency = {", "timeout = {}\nlatency = {", "exactly one kind"),
        ] {
            let text = GOOD.replacen(from, to, 1);
            assert_ne!(text, GOOD, "{from}");
            let wrong = check("x", &text).unwrap_err();
            assert!(wrong.iter().any(|w| w.what.contains(says)), "{to}: {wrong:?}");
        }
    }

    #[test]
    fn one_typo_is_one_complaint_and_names_the_nearest_right_name() {
        for (from, to, says) in [
            ("\"authorizer\"", "\"authoriser\"", "did you mean `authorizer`?"),
            ("\"thermostat\", \"clinic\"", "\"thermostat\", \"klinik\"", "did you mean `clinic`?"),
            ("systems = [", "sistems = [", "did you mean `systems`?"),
            ("\"thermostat\", \"clinic\"", "\"thermostat\"", "`authorizer` is a function of `clinic`, which is not among the `systems`"),
            ("clinic GET /appointment/{id}", "clinic GET /apointment/{id}", "did you mean `clinic GET /appointment/{id}`?"),
            ("[stop]", "[stack]\nweaknesses = [\"mode-droped\"]\n[stop]", "did you mean `mode-dropped`?"),
            ("function = \"authorizer\"\n", "service = \"dynamo\"\n", "did you mean `dynamodb`?"),
            ("seed = 7", "seed = -1", "a whole number, 0 or more"),
            ("[[fault]]", "[fault]", "write `[[fault]]`"),
        ] {
            let text = GOOD.replacen(from, to, 1).replacen("when = { path = \"/appointment/*\" }\n", "", 1);
            let wrong = check("x", &text).unwrap_err();
            assert_eq!(wrong.len(), 1, "{to}: {wrong:?}");
            assert!(wrong[0].what.contains(says), "{to}: {wrong:?}");
        }
    }

    #[test]
    fn requests_to_this_machine_need_no_stack_and_can_carry_no_fault() {
        let bare = "question = \"Does it hold?\"\n[[load.requests]]\nof = \"shop GET /\"\nurl = \"http://127.0.0.1:8080/\"\nrate = \"20/s\"\n\
            [[expect]]\nof = \"shop GET /\"\np50 = \"<= 1s\"\n";
        for url in ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://[::1]:8080/"] {
            let plan = check("x", &bare.replacen("http://127.0.0.1:8080/", url, 1)).unwrap();
            assert_eq!((plan.systems.len(), plan.faults.len(), plan.load.journeys.len()), (0, 0, 1));
        }
        for (from, to, says) in [
            ("127.0.0.1", "shop.example.com", "need `[aws]`"),
            ("[[expect]]", "[[fault]]\nfunction = \"shop\"\nerror = {}\n[[expect]]", "a fault needs `systems` or `[aws]`"),
            ("[[load", "systems = [\"clinic\"]\n[load.clinic]\nrate = \"1/s\"\n[[load", "without `systems`"),
            ("of = \"shop GET /\"\np50", "of = \"shop GET\"\np50", "did you mean `shop GET /`?"),
        ] {
            let wrong = check("x", &bare.replacen(from, to, 1)).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{to}: {wrong:?}");
        }
    }

    #[test]
    fn every_complaint_comes_at_once() {
        let text =
            GOOD.replacen("\"authorizer\"", "\"authoriser\"", 1).replacen("homes = 20", "homes = 0", 1).replacen("seed = 7", "sead = 7", 1);
        assert_eq!(check("x", &text).unwrap_err().len(), 3);
    }
}
