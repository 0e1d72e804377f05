//! From a file as written to a plan as checked: everything that can be known before anything is touched, all complaints at once.

mod aws;
pub mod faults;
mod load;

use std::ops::Range;
use std::time::Duration;

use ::faults::Lease;
use reports::{Bound, Expectation};
use scenarios::Timeline;
use scenarios::traffic::Arrivals;
use stack::world::users_api::{Shape, Verb};
use stack::world::weaknesses::{self, Bearer};

use super::file::{self, ExpectEntry, File, System, Wrong};
use super::plan::Plan;

/// Between the baseline and the fault phase: the last answers of the baseline come in, the plan is struck and its effect awaited. Not recorded.
pub const ARMING: Duration = Duration::from_millis(2000);

/// The endpoints that scenarios record, by system.
pub const ENDPOINTS: [(&str, System); 27] = [
    ("thermostat GET /items", System::Thermostat),
    ("thermostat POST /control/{id} Get", System::Thermostat),
    ("thermostat POST /control/{id} Set", System::Thermostat),
    ("thermostat desired -> reported", System::Thermostat),
    ("clinic GET /appointment/{id}", System::Clinic),
    ("mail SMTP", System::Mail),
    ("mail arrival -> disposition", System::Mail),
    ("inactive-users sign-in", System::InactiveUsers),
    ("inactive-users refresh", System::InactiveUsers),
    ("inactive-users expiry -> disabled", System::InactiveUsers),
    (Shape::PerVerb.endpoint(Verb::List), System::UsersApi),
    (Shape::PerVerb.endpoint(Verb::Get), System::UsersApi),
    (Shape::PerVerb.endpoint(Verb::Create), System::UsersApi),
    (Shape::PerVerb.endpoint(Verb::Update), System::UsersApi),
    (Shape::PerVerb.endpoint(Verb::Delete), System::UsersApi),
    (Shape::One.endpoint(Verb::List), System::UsersApi),
    (Shape::One.endpoint(Verb::Get), System::UsersApi),
    (Shape::One.endpoint(Verb::Create), System::UsersApi),
    (Shape::One.endpoint(Verb::Update), System::UsersApi),
    (Shape::One.endpoint(Verb::Delete), System::UsersApi),
    (Shape::ReadWrite.endpoint(Verb::List), System::UsersApi),
    (Shape::ReadWrite.endpoint(Verb::Get), System::UsersApi),
    (Shape::ReadWrite.endpoint(Verb::Create), System::UsersApi),
    (Shape::ReadWrite.endpoint(Verb::Update), System::UsersApi),
    (Shape::ReadWrite.endpoint(Verb::Delete), System::UsersApi),
    ("audit POST /records", System::Audit),
    ("audit accepted -> closed", System::Audit),
];

/// The system that a weakness belongs to.
///
/// # Errors
/// Where there is none of this name: says which there are.
pub fn system_of(weakness: &str) -> Result<System, String> {
    match weaknesses::bearer(weakness) {
        Some(Bearer::ThermostatApi | Bearer::Device) => Ok(System::Thermostat),
        Some(Bearer::Authorizer) => Ok(System::Clinic),
        Some(Bearer::EmailProcessor | Bearer::MailQueue) => Ok(System::Mail),
        Some(Bearer::RecordSignIn | Bearer::PruneUsers) => Ok(System::InactiveUsers),
        Some(Bearer::UsersApi) => Ok(System::UsersApi),
        Some(Bearer::Audit | Bearer::RecordMachine) => Ok(System::Audit),
        None => Err(format!("there is no weakness `{weakness}`; there are: {}", list(weaknesses::ALL.map(|(name, _)| name)))),
    }
}

/// Checks an experiment's text.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text; never empty.
pub fn check(name: &str, text: &str) -> Result<Plan, Vec<Wrong>> {
    let reading = file::read(text);
    let mut check = Check { wrong: reading.wrong, text };
    let plan = reading.file.map(|file| check.plan(name, &file));
    check.wrong.sort_by_key(|wrong| wrong.span.start);
    check.wrong.dedup();
    match plan {
        Some(plan) if check.wrong.is_empty() => Ok(plan),
        _ => Err(check.wrong),
    }
}

struct Check<'a> {
    wrong: Vec<Wrong>,
    text: &'a str,
}

impl Check<'_> {
    fn complain(&mut self, span: Range<usize>, what: impl Into<String>) {
        self.wrong.push(Wrong { span, what: what.into() });
    }

    /// Complains that something is missing, unless a slip elsewhere may have blanked it.
    fn missing(&mut self, span: Range<usize>, what: &str) {
        if self.wrong.is_empty() {
            self.complain(span, what);
        }
    }

    fn plan(&mut self, name: &str, file: &File) -> Plan {
        if file.question.as_ref().is_none_or(|q| q.get_ref().trim().is_empty()) {
            self.missing(0..0, "the experiment asks nothing; write `question = \"...?\"`");
        }
        let systems = self.systems(file);
        let deployed = self.deployed(file);
        let (faults, windows) = self.faults(file, &systems, deployed.as_ref());
        let plan = Plan {
            name: name.to_owned(),
            question: file.question.as_ref().map(|q| q.get_ref().clone()).unwrap_or_default(),
            text: self.text.to_owned(),
            seed: file.seed,
            timeline: self.timeline(file),
            load: self.load(file, &systems),
            arrivals: match file.load.arrivals {
                file::Arrivals::Constant => Arrivals::Constant,
                file::Arrivals::Poisson => Arrivals::Poisson,
            },
            longest_journey: self.longest_journey(file),
            weaknesses: self.weaknesses(file, &systems),
            authorizer_cache: self.authorizer_cache(file),
            compressed: self.compressed(file),
            faults,
            windows,
            lease: self.lease(file),
            expectations: self.expectations(file, &systems),
            none_broken: file.expect_invariants.none_broken,
            strike_a_broken_baseline: file.phases.strike_a_broken_baseline,
            stop: file.stop.errors,
            systems,
            deployed,
        };
        self.would_be_refused(aws::section(file), &plan);
        plan
    }

    fn systems(&mut self, file: &File) -> Vec<System> {
        if file.systems.is_empty() && file.aws.is_none() {
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
            recovery: phases.recovery.duration(),
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
                Ok(system) if !systems.contains(&system) => {
                    let what = format!("`{}` belongs to `{}`, which is not among the `systems`", weakness.get_ref(), system.name());
                    self.complain(weakness.span(), what);
                }
                Ok(_) => {}
            }
        }
        file.stack.weaknesses.iter().map(|w| w.get_ref().clone()).collect()
    }

    fn authorizer_cache(&mut self, file: &File) -> Duration {
        let Some(cache) = &file.stack.authorizer_cache else { return Duration::from_secs(300) };
        if cache.get_ref().duration() > Duration::from_secs(3600) {
            self.complain(cache.span(), format!("`{}` is longer than API Gateway allows; `1h` is the most", cache.get_ref()));
        }
        cache.get_ref().duration()
    }

    fn expectations(&mut self, file: &File, systems: &[System]) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for entry in &file.expect {
            let of = &entry.get_ref().of;
            let recorded = ENDPOINTS.iter().filter(|(_, system)| systems.contains(system)).map(|(name, _)| *name);
            let there: Vec<_> = recorded.chain(file.load.requests.iter().map(|load| load.get_ref().of.get_ref().as_str())).collect();
            if !there.contains(&of.get_ref().as_str()) {
                let what = format!("there is no endpoint `{}` in this experiment; there are: {}", of.get_ref(), list(there));
                self.complain(of.span(), what);
            }
            let bounds = bounds(entry.get_ref());
            if bounds.is_empty() {
                self.missing(entry.span(), "nothing is expected of this endpoint; write for example `p99 = \"<= 1s\"`");
            }
            expectations.extend(bounds.into_iter().map(|bound| Expectation { of: of.get_ref().clone(), bound }));
        }
        expectations
    }
}

fn bounds(entry: &ExpectEntry) -> Vec<Bound> {
    [
        entry.p50.map(|b| Bound::P50(b.0)),
        entry.p90.map(|b| Bound::P90(b.0)),
        entry.p99.map(|b| Bound::P99(b.0)),
        entry.p99_ratio.map(|b| Bound::P99Ratio(b.0)),
        entry.errors.map(|b| Bound::Errors(b.0)),
        entry.recovery.map(|b| Bound::Recovery(b.0)),
    ]
    .into_iter()
    .flatten()
    .collect()
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
            ("\"authorizer\"", "\"authoriser\"", "there are: `thermostat-api`, `authorizer`, `appointments`"),
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
    fn every_complaint_comes_at_once() {
        let text =
            GOOD.replacen("\"authorizer\"", "\"authoriser\"", 1).replacen("homes = 20", "homes = 0", 1).replacen("seed = 7", "sead = 7", 1);
        assert_eq!(check("x", &text).unwrap_err().len(), 3);
    }
}
