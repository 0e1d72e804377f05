//! From a file as written to a plan as checked: everything that can be known before anything is touched, all complaints at once.

use std::ops::Range;
use std::time::Duration;

use faults::{Fault, Kind, Lease, Place};
use reports::{Bound, Expectation};
use scenarios::Timeline;
use scenarios::traffic::{Arrivals, ClinicLoad, Load, ThermostatLoad};
use stack::world::weaknesses::{self, Bearer};
use toml::Spanned;

use super::file::{self, ExpectEntry, FaultEntry, File, System, Wrong};
use super::plan::Plan;

/// Between the baseline and the fault phase: the last answers of the baseline come in, the plan is struck and its effect awaited. Not recorded.
pub const ARMING: Duration = Duration::from_millis(2000);

/// No single machine sends more than this a second (a hyper connection per user: 64,000 to 82,000 requests a CPU-second).
const HIGHEST_RATE: f64 = 50_000.0;

/// A function of a system under test.
pub const FUNCTIONS: [(&str, System); 3] =
    [("thermostat-api", System::Thermostat), ("authorizer", System::Clinic), ("appointments", System::Clinic)];

/// The services that functions call, with their operations.
pub const SERVICES: [(&str, &[&str]); 4] = [
    ("dynamodb", &["GetItem", "Query", "Scan"]),
    ("verifiedpermissions", &["IsAuthorized", "BatchIsAuthorized"]),
    ("iotdata", &["GetThingShadow", "UpdateThingShadow"]),
    ("cognito-idp", &["Jwks", "InitiateAuth"]),
];

/// The endpoints that scenarios record, by system.
pub const ENDPOINTS: [(&str, System); 5] = [
    ("thermostat GET /items", System::Thermostat),
    ("thermostat POST /control/{id} Get", System::Thermostat),
    ("thermostat POST /control/{id} Set", System::Thermostat),
    ("thermostat desired -> reported", System::Thermostat),
    ("clinic GET /appointment/{id}", System::Clinic),
];

/// The system that a weakness belongs to.
///
/// # Errors
/// Where there is none of this name: says which there are.
pub fn system_of(weakness: &str) -> Result<System, String> {
    match weaknesses::bearer(weakness) {
        Some(Bearer::ThermostatApi | Bearer::Device) => Ok(System::Thermostat),
        Some(Bearer::Authorizer) => Ok(System::Clinic),
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
        let faults = self.faults(file, &systems);
        Plan {
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
            weaknesses: self.weaknesses(file, &systems),
            authorizer_cache: self.authorizer_cache(file),
            faults,
            lease: self.lease(file),
            expectations: self.expectations(file, &systems),
            none_broken: file.expect_invariants.none_broken,
            strike_a_broken_baseline: file.phases.strike_a_broken_baseline,
            stop: file.stop.errors,
            systems,
        }
    }

    fn systems(&mut self, file: &File) -> Vec<System> {
        if file.systems.is_empty() {
            self.missing(0..0, "no system is named; write `systems = [\"thermostat\", \"clinic\"]` or one of them");
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

    fn load(&mut self, file: &File, systems: &[System]) -> Load {
        let has = |system| systems.contains(&system);
        let (thermostat, clinic) = (&file.load.thermostat, &file.load.clinic);
        let spans = [(System::Thermostat, thermostat.as_ref().map(Spanned::span)), (System::Clinic, clinic.as_ref().map(Spanned::span))];
        for (system, span) in spans {
            match span {
                Some(span) if !has(system) => {
                    self.complain(span, format!("`{}` gets load but is not among the `systems`", system.name()));
                }
                None if has(system) => {
                    self.missing(0..0, &format!("`{0}` gets no load; write `{0} = {{ rate = \"20/s\" }}` under `[load]`", system.name()));
                }
                _ => {}
            }
        }
        let dies = file.stack.weaknesses.iter().any(|w| weaknesses::bearer(w.get_ref()) == Some(Bearer::Device));
        let thermostat = thermostat.as_ref().map(|load| {
            self.rate(load.span(), load.get_ref().rate.0);
            let homes = load.get_ref().homes;
            if !(1..=1000).contains(&homes) {
                self.complain(load.span(), format!("`homes = {homes}` is outside 1 to 1000"));
            }
            ThermostatLoad { rate: load.get_ref().rate.0, homes, devices_die_on_reject: dies }
        });
        let clinic = clinic.as_ref().map(|load| {
            self.rate(load.span(), load.get_ref().rate.0);
            ClinicLoad { rate: load.get_ref().rate.0 }
        });
        Load { thermostat, clinic }
    }

    fn rate(&mut self, span: Range<usize>, rate: f64) {
        if rate > HIGHEST_RATE {
            self.complain(span, format!("`{rate}/s` is more than one machine can send; `{HIGHEST_RATE}/s` is the most"));
        }
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

    fn faults(&mut self, file: &File, systems: &[System]) -> Vec<Fault> {
        let mut faults: Vec<(Fault, Range<usize>)> = Vec::new();
        for entry in &file.fault {
            let Some(fault) = self.fault(entry, systems) else { continue };
            for (other, _) in &faults {
                if other.name == fault.name {
                    self.complain(entry.span(), format!("two faults are called `{}`; give one a `name` of its own", fault.name));
                } else if meet(other, &fault) && !other.kind.combines_with(&fault.kind) {
                    let what = format!(
                        "`{}` and `{}` cannot both hold on one invocation of `{}`; narrow one with `when`, or make one a `latency`",
                        other.name, fault.name, fault.place
                    );
                    self.complain(entry.span(), what);
                }
            }
            faults.push((fault, entry.span()));
        }
        faults.into_iter().map(|(fault, _)| fault).collect()
    }

    fn fault(&mut self, spanned: &Spanned<FaultEntry>, systems: &[System]) -> Option<Fault> {
        let entry = spanned.get_ref();
        let place = self.place(spanned, systems);
        let kinds: Vec<Kind> = [
            entry.latency.clone().map(Kind::Latency),
            entry.error.clone().map(Kind::Error),
            entry.response.clone().map(Kind::Response),
            entry.timeout.clone().map(Kind::Timeout),
        ]
        .into_iter()
        .flatten()
        .collect();
        let [kind] = kinds.as_slice() else {
            let what = format!("a fault has exactly one kind, this one has {}; the kinds are: {}", kinds.len(), list(faults::kinds::NAMES));
            if kinds.is_empty() {
                self.missing(spanned.span(), &what)
            } else {
                self.complain(spanned.span(), what)
            }
            return None;
        };
        let place = place?;
        let name = entry.name.clone().unwrap_or_else(|| format!("{}-{}", place.to_string().replace(':', "-"), kind.name()));
        let fault = Fault { name, place, share: entry.share, when: entry.when.clone(), kind: kind.clone() };
        if matches!(fault.place, Place::Service { .. }) && entry.when.needs_event() {
            self.complain(spanned.span(), "`when` looks at an event, and a call to a service has none; name an `operation` instead");
        }
        for complaint in fault.complaints() {
            self.complain(spanned.span(), complaint.to_string());
        }
        Some(fault)
    }

    fn place(&mut self, spanned: &Spanned<FaultEntry>, systems: &[System]) -> Option<Place> {
        let entry = spanned.get_ref();
        match (&entry.function, &entry.service) {
            (Some(function), None) => {
                if let Some(operation) = &entry.operation {
                    self.complain(operation.span(), "`operation` goes with `service`, not with `function`");
                }
                self.function(function, systems)
            }
            (None, Some(service)) => self.service(service, entry.operation.as_ref()),
            (None, None) => {
                self.missing(spanned.span(), "a fault strikes a `function` or a `service`; this one names neither");
                None
            }
            (Some(_), Some(service)) => {
                self.complain(service.span(), "a fault strikes a `function` or a `service`; this one names both");
                None
            }
        }
    }

    fn function(&mut self, function: &Spanned<String>, systems: &[System]) -> Option<Place> {
        let name = function.get_ref();
        if FUNCTIONS.iter().any(|(known, system)| known == name && systems.contains(system)) {
            return Some(Place::Function(name.clone()));
        }
        let there = list(FUNCTIONS.iter().filter(|(_, system)| systems.contains(system)).map(|(name, _)| *name));
        self.complain(function.span(), format!("there is no function `{name}` in these systems; there are: {there}"));
        None
    }

    fn service(&mut self, service: &Spanned<String>, operation: Option<&Spanned<String>>) -> Option<Place> {
        let name = service.get_ref();
        let Some((_, operations)) = SERVICES.iter().find(|(known, _)| known == name) else {
            let there = list(SERVICES.iter().map(|(name, _)| *name));
            self.complain(service.span(), format!("there is no service `{name}`; there are: {there}"));
            return None;
        };
        if let Some(operation) = operation
            && !operations.contains(&operation.get_ref().as_str())
        {
            let what = format!("`{name}` has no operation `{}` here; there are: {}", operation.get_ref(), list(operations.iter().copied()));
            self.complain(operation.span(), what);
            return None;
        }
        Some(Place::Service { name: name.clone(), operation: operation.map(|o| o.get_ref().clone()) })
    }

    fn expectations(&mut self, file: &File, systems: &[System]) -> Vec<Expectation> {
        let mut expectations = Vec::new();
        for entry in &file.expect {
            let of = &entry.get_ref().of;
            if !ENDPOINTS.iter().any(|(known, system)| known == of.get_ref() && systems.contains(system)) {
                let there = list(ENDPOINTS.iter().filter(|(_, system)| systems.contains(system)).map(|(name, _)| *name));
                self.complain(of.span(), format!("there is no endpoint `{}` in these systems; there are: {there}", of.get_ref()));
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

/// Whether one invocation can be struck by both; told from place and `when` alone.
fn meet(a: &Fault, b: &Fault) -> bool {
    let same_place = match (&a.place, &b.place) {
        (Place::Function(a), Place::Function(b)) => a == b,
        (Place::Service { name: a, operation: oa }, Place::Service { name: b, operation: ob }) => {
            a == b && (oa.is_none() || ob.is_none() || oa == ob)
        }
        _ => false,
    };
    let apart = |a: &Option<String>, b: &Option<String>| {
        a.is_some() && b.is_some() && a != b && ![a, b].iter().any(|p| p.as_deref().is_some_and(|p| p.contains('*')))
    };
    same_place && !apart(&a.when.path, &b.when.path) && !apart(&a.when.method, &b.when.method)
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = include_str!("../../scenarios/experiments/slow-authorizer.toml");

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
    fn two_faults_that_cannot_both_hold_are_refused_and_two_that_can_are_not() {
        let two = |a: &str, b: &str| {
            format!(
                "{GOOD}\n[[fault]]\nname = \"a\"\nfunction = \"appointments\"\n{a}\n[[fault]]\nname = \"b\"\nfunction = \"appointments\"\n{b}\n"
            )
        };
        assert!(check("x", &two("error = {}", "timeout = {}")).is_err());
        assert!(check("x", &two("error = {}", "latency = { time = \"1s\" }")).is_ok());
        assert!(check("x", &two("error = {}\nwhen = { method = \"GET\" }", "timeout = {}\nwhen = { method = \"POST\" }")).is_ok());
    }

    #[test]
    fn every_complaint_comes_at_once() {
        let text =
            GOOD.replacen("\"authorizer\"", "\"authoriser\"", 1).replacen("homes = 20", "homes = 0", 1).replacen("seed = 7", "sead = 7", 1);
        assert_eq!(check("x", &text).unwrap_err().len(), 3);
    }
}
