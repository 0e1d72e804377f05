//! The faults of an experiment: their places exist, their settings make sense, and no two of them
//! end the same invocation.

use std::ops::Range;
use std::time::Duration;

use ::faults::kinds::NAMES;
use ::faults::time::Time;
use ::faults::{By, Fault, Kind, Place, Trigger};
use scenarios::systems::System;
use stack::services::SERVICES;
use stack::services::described::Described;
use toml::Spanned;

use super::super::file::{FaultEntry, File, ServiceRoll};
use super::super::windows::Windows;
use super::{Check, Ground, list};
use crate::nearest::there_are;

/// The functions of the systems under test, and what invokes each.
pub fn functions() -> impl Iterator<Item = (&'static str, System, Trigger)> {
    System::ALL.into_iter().flat_map(|system| system.functions().iter().map(move |(name, trigger)| (*name, system, *trigger)))
}

/// The services that functions call.
pub fn services() -> impl Iterator<Item = &'static Described> {
    SERVICES.into_iter().filter(|service| !service.operations.is_empty())
}

impl Check<'_> {
    pub(super) fn faults(&mut self, file: &File, ground: &Ground<'_>) -> (Vec<Fault>, Windows) {
        let mut faults: Vec<Fault> = Vec::new();
        let mut windows = Windows::default();
        if let (Ground::Bare, Some(fault)) = (ground, file.fault.first()) {
            self.missing(fault.span(), "a fault needs `systems` or `[aws]`: nothing else can be struck");
            return (faults, windows);
        }
        for entry in &file.fault {
            let Some(fault) = self.fault(entry, ground) else { continue };
            for other in &faults {
                if other.name == fault.name {
                    self.complain(entry.span(), format!("two faults are called `{}`; give one a `name` of its own", fault.name));
                } else if meet(other, &fault) && !other.kind.combines_with(&fault.kind) {
                    let what = format!(
                        "`{}` and `{}` cannot both decide how one invocation of `{}` ends; narrow one with `when`",
                        other.name, fault.name, fault.place
                    );
                    self.complain(entry.span(), what);
                }
            }
            if let Some(window) = self.window(entry, *file.phases.fault.get_ref()) {
                windows.insert(&fault.name, window);
            }
            faults.push(fault);
        }
        (faults, windows)
    }

    /// The part of the fault phase in which a fault is in force, if it is not all of it.
    fn window(&mut self, spanned: &Spanned<FaultEntry>, phase: Time) -> Option<Range<Duration>> {
        let entry = spanned.get_ref();
        if entry.from.is_none() && entry.until.is_none() {
            return None;
        }
        let from = entry.from.map_or(Duration::ZERO, Time::duration);
        let until = entry.until.map_or(phase.duration(), Time::duration);
        if from >= until || until > phase.duration() {
            self.complain(
                spanned.span(),
                format!("`from` and `until` name a part of the fault phase, which is `{phase}` long, in this order"),
            );
        }
        Some(from..until)
    }

    fn fault(&mut self, spanned: &Spanned<FaultEntry>, ground: &Ground<'_>) -> Option<Fault> {
        let entry = spanned.get_ref();
        let place = self.place(spanned, ground);
        let kinds = entry.kinds();
        let [kind] = kinds.as_slice() else {
            let what =
                format!("a fault has exactly one kind, this one has {}; the kinds are: {}", kinds.len(), list(NAMES.iter().copied()));
            if kinds.is_empty() {
                self.missing(spanned.span(), &what)
            } else {
                self.complain(spanned.span(), what)
            }
            return None;
        };
        let place = place?;
        let name = entry.name.clone().unwrap_or_else(|| format!("{}-{}", place.to_string().replace(':', "-"), kind.name()));
        let (share, when, at_most, by) = (entry.share, entry.when.clone(), entry.at_most, by(&place, entry.roll, kind, ground));
        let fault = Fault { name, place, share, when, at_most, by, cases: None, kind: kind.clone() };
        if matches!(fault.place, Place::Service { .. }) && entry.when.needs_event() {
            self.complain(spanned.span(), "`when` looks at an event, and a call to a service has none; name an `operation` instead");
        }
        if fault.share.value() <= 0.0 {
            self.complain(spanned.span(), "a `share` of `0` never strikes; give more, or remove the fault");
        }
        if matches!((&fault.kind, ground), (Kind::Dependency(_), Ground::Systems(_) | Ground::Own(_))) {
            let what = "`dependency` is for deployed functions; here strike the service itself, such as `service = \"dynamodb\"`";
            self.complain(spanned.span(), what);
        }
        let complaints = fault.complaints();
        for complaint in &complaints {
            self.complain(spanned.span(), complaint.to_string());
        }
        if complaints.is_empty() && fault.kind.depends_on_trigger() {
            self.asks_for_no_leave(spanned, &fault, ground);
        }
        Some(fault)
    }

    /// Checks that the function's trigger is known, and that the fault may be injected there: the
    /// function must not decide about access.
    fn asks_for_no_leave(&mut self, spanned: &Spanned<FaultEntry>, fault: &Fault, ground: &Ground<'_>) {
        let (Place::Function(name), kind) = (&fault.place, fault.kind.name()) else { return };
        let triggers = match ground {
            Ground::Systems(_) => functions().filter(|(known, ..)| known == name).map(|(.., trigger)| trigger).collect(),
            Ground::Own(own) => own.functions.get(name).cloned().unwrap_or_default(),
            Ground::Deployed(deployed) => deployed.function(name).map(|function| function.triggers.clone()).unwrap_or_default(),
            Ground::Bare | Ground::Unread => return,
        };
        if triggers.is_empty() {
            let what = format!("`{kind}` needs to know what invokes `{name}`; give its `triggers` in `[[aws.function]]`");
            self.complain(spanned.span(), what);
        }
        for trigger in triggers.into_iter().filter(|trigger| !fault.kind.fits(*trigger)) {
            let fitting = list(Trigger::ALL.into_iter().filter(|one| fault.kind.fits(*one)).map(Trigger::name));
            let what = format!("this `{kind}` cannot be done to `{name}`, which is invoked by: {}; it is for: {fitting}", trigger.name());
            self.complain(spanned.span(), what);
        }
    }

    fn place(&mut self, spanned: &Spanned<FaultEntry>, ground: &Ground<'_>) -> Option<Place> {
        let entry = spanned.get_ref();
        match (&entry.function, &entry.service) {
            (Some(function), None) => {
                if let Some(operation) = &entry.operation {
                    self.complain(operation.span(), "`operation` goes with `service`, not with `function`");
                }
                self.function(function, ground)
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

    fn function(&mut self, function: &Spanned<String>, ground: &Ground<'_>) -> Option<Place> {
        let name = function.get_ref();
        let place = Some(Place::Function(name.clone()));
        let systems = match ground {
            Ground::Own(own) => {
                if !own.functions.contains_key(name) {
                    let there = there_are(name, own.functions.keys().map(String::as_str), "`brownout check` of the template lists them");
                    self.complain(function.span(), format!("there is no function `{name}` in the template; {there}"));
                }
                return place;
            }
            Ground::Deployed(deployed) => {
                if deployed.function(name).is_none() {
                    let there =
                        there_are(name, deployed.functions.iter().map(|function| function.name()), "they are under `[[aws.function]]`");
                    self.complain(function.span(), format!("there is no function `{name}` under `[aws]`; {there}"));
                }
                return place;
            }
            Ground::Systems(systems) => *systems,
            Ground::Bare | Ground::Unread => return place,
        };
        match functions().find(|(known, ..)| known == name) {
            Some((_, system, _)) if systems.contains(&system) => return place,
            Some((_, system, _)) => self.not_among(function.span(), &format!("`{name}` is a function of"), system),
            None => {
                let there = functions().filter(|(_, system, _)| systems.contains(system)).map(|(name, ..)| name);
                let there = there_are(name, there, "`brownout list functions` lists those of all systems");
                self.complain(function.span(), format!("there is no function `{name}` in these systems; {there}"));
            }
        }
        None
    }

    fn service(&mut self, service: &Spanned<String>, operation: Option<&Spanned<String>>) -> Option<Place> {
        let name = service.get_ref();
        let Some(Described { operations, .. }) = services().find(|known| known.name == name) else {
            let there = there_are(name, services().map(|known| known.name), "`brownout list services` lists them");
            self.complain(service.span(), format!("there is no service `{name}`; {there}"));
            return None;
        };
        if let Some(operation) = operation
            && !operations.contains(&operation.get_ref().as_str())
        {
            let there = there_are(operation.get_ref(), operations.iter().copied(), "`brownout list services` lists them");
            self.complain(operation.span(), format!("`{name}` has no operation `{}` here; {there}", operation.get_ref()));
            return None;
        }
        Some(Place::Service { name: name.clone(), operation: operation.map(|o| o.get_ref().clone()) })
    }
}

fn by(place: &Place, roll: Option<ServiceRoll>, kind: &Kind, ground: &Ground<'_>) -> By {
    match (place, roll) {
        (Place::Service { .. }, _) if roll.unwrap_or_default() == ServiceRoll::SameRequest => return By::Trace,
        // On a function this is reported as an error.
        (Place::Service { .. }, _) | (Place::Function(_), Some(ServiceRoll::EachCall)) => return By::Call,
        (Place::Function(_), _) => {}
    }
    let declared = match (ground, place) {
        (Ground::Deployed(deployed), Place::Function(name)) => Some(deployed.by(name)),
        (Ground::Own(own), Place::Function(name)) => Some(own.by(name)),
        _ => None,
    };
    if let Some(by) = declared {
        return if matches!(kind, Kind::Init(_)) { By::Trace } else { by };
    }
    let of = |(name, _, trigger): (&str, System, Trigger)| place.is_function(name).then_some(By::from(trigger));
    if matches!(kind, Kind::Init(_)) { By::Trace } else { functions().find_map(of).unwrap_or_default() }
}

/// Whether both can strike one invocation, judged by place and `when` alone.
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

#[cfg(test)]
mod tests {
    use ::faults::By;

    use super::super::check;

    const GOOD: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");

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
    fn each_call_to_a_service_has_its_own_roll_unless_the_file_says_otherwise() {
        let anywhere = GOOD.replacen("when = { path = \"/appointment/*\" }\n", "", 1);
        let with = |place: &str| check("x", &anywhere.replacen("function = \"authorizer\"", place, 1));
        for (place, by) in [
            ("service = \"dynamodb\"", By::Call),
            ("service = \"dynamodb\"\nroll = \"each-call\"", By::Call),
            ("service = \"dynamodb\"\nroll = \"same-request\"", By::Trace),
            ("function = \"authorizer\"", By::Trace),
            ("function = \"authorizer\"\nroll = \"same-request\"", By::Trace),
        ] {
            assert_eq!(with(place).unwrap().faults[0].by, by, "{place}");
        }
        let complaints = format!("{:?}", with("function = \"authorizer\"\nroll = \"each-call\"").unwrap_err());
        assert!(complaints.contains("share no count"), "{complaints}");
    }

    /// The complaints about this fault on this function.
    fn complaints(function: &str, kind: &str) -> Vec<String> {
        let (audit, others) = (
            include_str!("../../../scenarios/src/systems/audit/experiments/kill-the-archiver.toml"),
            include_str!("../../../scenarios/experiments/everything.toml"),
        );
        let head = if function == "archive-record" { audit } else { others }.split("[[fault]]").next().unwrap();
        match check("x", &format!("{head}\n[[fault]]\nfunction = \"{function}\"\n{kind}\n")) {
            Ok(_) => Vec::new(),
            Err(wrong) => wrong.iter().map(|wrong| format!("{wrong:?}")).collect(),
        }
    }

    #[test]
    fn faults_that_could_turn_a_denial_into_a_grant_are_refused_on_functions_that_decide_about_access() {
        let http = r#"response = { raw = '{"statusCode":503}' }"#;
        let batch = r#"response = { raw = '{"batchItemFailures":[]}' }"#;
        let (body, record) = (r#"event = { set = { "/body" = "not json" } }"#, r#"event = { set = { "/Records/0/body" = "not json" } }"#);
        for (function, kind, fine) in [
            ("appointments", http, true),
            ("appointments", batch, false),
            ("appointments", body, true),
            ("appointments", record, false),
            ("authorizer", http, false),
            ("authorizer", body, false),
            ("authorizer", "response = { status = 503 }", true),
            ("email-processor", http, true),
            ("email-processor", batch, true),
            ("email-processor", record, true),
            ("email-processor", body, false),
            ("prune-users", batch, true),
            ("prune-users", record, false),
            ("record-sign-in", http, false),
            ("record-sign-in", r#"event = { remove = ["/request/userAttributes/sub"] }"#, false),
            ("archive-record", http, false),
            ("archive-record", batch, false),
        ] {
            let complaints = complaints(function, kind);
            assert_eq!(complaints.is_empty(), fine, "{function} {kind}: {complaints:?}");
            let says = if kind.contains("/request") { "not among the places" } else { "cannot be done to" };
            assert!(fine || complaints.concat().contains(says), "{function} {kind}: {complaints:?}");
        }
        let complaint = complaints("authorizer", body).concat();
        assert!(
            complaint.contains("cannot be done to `authorizer`, which is invoked by: request authorizer; it is for: `HTTP proxy"),
            "{complaint}"
        );
    }

    #[test]
    fn a_fault_that_can_never_strike_is_refused() {
        for (never, says) in [
            ("share = 0.0", "a `share` of `0` never strikes"),
            ("share = 0", "a `share` of `0` never strikes"),
            ("share = 0.5\nat-most = 0", "`0` never strikes"),
            ("share = 0.5\nfrom = \"10s\"\nuntil = \"10s\"", "name a part of the fault phase"),
            ("share = 0.5\nfrom = \"40s\"", "name a part of the fault phase"),
        ] {
            let wrong = check("x", &GOOD.replacen("share = 0.5", never, 1)).unwrap_err();
            assert!(wrong.len() == 1 && wrong[0].what.contains(says), "{never}: {wrong:?}");
        }
        assert!(check("x", &GOOD.replacen("share = 0.5", "share = 0.0001", 1)).is_ok());
    }

    #[test]
    fn a_fault_may_be_in_force_for_a_part_of_the_phase_only() {
        let with = |more: &str| check("x", &GOOD.replacen("function = \"authorizer\"", &format!("function = \"authorizer\"\n{more}"), 1));
        let plan = with("from = \"10s\"\nuntil = \"20s\"").unwrap();
        assert!(!plan.windows.is_open("authorizer-latency", std::time::Duration::from_secs(9)));
        assert!(with("from = \"20s\"\nuntil = \"10s\"").is_err());
        assert!(with("until = \"10m\"").is_err());
    }
}
