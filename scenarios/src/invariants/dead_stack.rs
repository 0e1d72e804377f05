//! Runs stacks that are dead in different ways through all rules. A rule breaks only if it explains
//! what is wrong, and a rule that saw nothing it covers has made no checks.

use crate::systems::clinic::Pool;
use crate::systems::users_api::Shape;

use super::Quiet;
use super::fixtures::{Ask, exchange, judged_by_all, s, state, struck};
use crate::Event;
use crate::exchange::{Asked, Caller, ClinicToken, Exchange, Record, RecordForm, SignInBy, ThermostatRequest};
use crate::systems::inactive_users::rules::fixtures::{Life, together};
use crate::systems::mail::rules::fixtures as mail;
use crate::users::{User, UsersRequest};

/// No answer.
const HANGS: u16 = 0;

/// Valid and invalid requests to every system.
fn questions() -> Vec<Asked> {
    let john = || Caller::Valid("john_doe".into());
    let users = |request| Asked::Users { shape: Shape::One, id: "u-1".into(), request };
    let user = |name: &str| User { id: "u-1".into(), name: name.into(), email: "u-1@x.com".into() };
    let record = |form| {
        let (id, etag) = (format!("a-7-{form:?}"), Some("0".repeat(32)));
        Asked::Record(Box::new(Record { id, form, size: 1, etag, repeats: false, attempt: 0 }))
    };
    vec![
        Ask::set("john_doe", "Thermostat1", 75),
        Ask::set("stranger", "Thermostat1", 75),
        Ask::as_caller(Caller::NoToken, "Thermostat1", 75),
        Asked::Thermostat { caller: john(), request: ThermostatRequest::Items },
        Asked::Thermostat { caller: john(), request: ThermostatRequest::UnknownDevice },
        Ask::clinic(Pool::External, "Dave", 1, "PI-T123"),
        Ask::clinic(Pool::External, "Dave", 1, "PI-T124"),
        Ask::clinic(Pool::External, "Jane", 2, "PI-T123"),
        Asked::Clinic { token: ClinicToken::Missing, client_type: Some("internal"), appointment: "PI-T123".into() },
        users(UsersRequest::Create(user("a"))),
        users(UsersRequest::Get),
        users(UsersRequest::Update(user("b"))),
        users(UsersRequest::List),
        users(UsersRequest::Create(user("b"))),
        users(UsersRequest::Delete),
        Asked::SignIn { user: Life::name(1), by: SignInBy::Password },
        record(RecordForm::Good),
        record(RecordForm::BadDate),
        Asked::Request { statuses: vec![200] },
        Asked::Other,
    ]
}

/// Every request at this time, all answered alike.
fn answered(at: f64, status: u16, change: impl Fn(Exchange) -> Exchange) -> Vec<Event> {
    let one = |asked| Event::Exchange(Box::new(change(exchange(asked, at, at + 0.1, status))));
    questions().into_iter().map(one).collect()
}

/// Dead before, during and after the fault phase, with faults that strike or do not.
fn dead(status: u16, strikes: bool) -> Vec<Event> {
    let fault = answered(20.0, status, |exchange| if strikes { struck(exchange) } else { exchange });
    [answered(1.0, status, |it| it), fault, vec![Event::Calmed { at: s(30.0) }], answered(60.0, status, |it| it)].concat()
}

/// The rules that are broken, and the rules that made any check.
fn rules(events: &[Event]) -> (Vec<&'static str>, Vec<&'static str>) {
    let still = |thing: &str| (thing.to_owned(), state(70, Some("Auto")), state(70, Some("Auto")), 1);
    let users = (0..5).map(|n| (Life::name(n), true)).collect();
    let quiet = Quiet {
        at: s(600.0),
        calmed: Some(s(30.0)),
        shadows: vec![still("Thermostat1"), still("Thermostat2")],
        users: Some(users),
        rows: Some(Vec::new()),
        ..Quiet::default()
    };
    let (mut broken, mut checked) = (Vec::new(), Vec::new());
    for (id, breaches, checks) in judged_by_all(events, &quiet) {
        broken.extend((!breaches.is_empty()).then_some(id));
        checked.extend((checks > 0).then_some(id));
    }
    (broken, checked)
}

#[test]
fn a_dead_stack_breaks_no_rule_that_it_does_not_explain() {
    // These rules cover an allowed request that is answered 403.
    let denied = vec!["A-5", "B-2", "E-2", "R-1"];
    for (status, strikes, expected) in [
        (HANGS, false, vec![]),
        (HANGS, true, vec![]),
        (500, false, vec![]),
        (502, false, vec![]),
        (502, true, vec![]),
        (504, true, vec![]),
        (429, false, vec!["R-1"]),
        (429, true, vec!["R-1"]),
        (403, false, denied.clone()),
        (403, true, denied),
    ] {
        assert_eq!(rules(&dead(status, strikes)).0, expected, "{status}, struck: {strikes}");
    }
}

#[test]
fn a_rule_that_saw_nothing_it_covers_has_made_no_checks() {
    for (status, strikes, expected) in [
        (HANGS, false, vec![]),
        (HANGS, true, vec![]),
        (502, false, vec!["R-3"]),
        // A-5 covers an outage that is reported as an outage.
        (502, true, vec!["A-5", "R-3"]),
        (429, false, vec!["R-1", "R-3"]),
        (403, false, vec!["A-5", "A-6", "B-2", "B-5", "E-2", "R-1", "R-3"]),
    ] {
        assert_eq!(rules(&dead(status, strikes)).1, expected, "{status}, struck: {strikes}");
    }
    assert_eq!(rules(&[]), (vec![], vec![]));
}

#[test]
fn a_stack_that_dies_without_a_fault_breaks_no_rule_about_faults() {
    let clinic = |at: f64, status| exchange(Ask::clinic(Pool::External, "Dave", 1, "PI-T123"), at, at + 0.1, status);
    let event = |exchange| Event::Exchange(Box::new(exchange));
    let calmed = || Event::Calmed { at: s(30.0) };
    for (what, events, expected) in [
        ("it dies", vec![event(clinic(1.0, 200)), calmed(), event(clinic(60.0, 502))], vec![]),
        (
            "it dies by a fault",
            vec![event(clinic(1.0, 200)), event(struck(clinic(20.0, 502))), calmed(), event(clinic(60.0, 502))],
            vec!["B-3"],
        ),
        (
            "it denies from the start",
            vec![event(clinic(1.0, 403)), event(struck(clinic(20.0, 403))), calmed(), event(clinic(60.0, 403))],
            vec!["B-2"],
        ),
        ("it denies after a fault", vec![event(clinic(1.0, 200)), event(struck(clinic(20.0, 500))), event(clinic(22.0, 403))], vec!["B-3"]),
    ] {
        assert_eq!(rules(&events).0, expected, "{what}");
    }
}

#[test]
fn accepted_work_that_is_never_processed_breaks_only_the_rules_about_loss() {
    let taken = mail::Story::new(1).never_queued().events();
    let queued = mail::Story::new(2).events();
    let expired = |n: u32| Life::new(n).seeded(1.0, 100).expired(6.0 + f64::from(n) * 0.01);
    let members = together([expired(1), expired(2).removed(7.0), expired(3)]);
    for (what, events, expected) in [
        ("mail never comes into the queue", taken, vec!["C-1"]),
        ("mail stays in the queue", queued, vec![]),
        ("no member is disabled", members, vec!["D-1"]),
    ] {
        assert_eq!(rules(&events).0, expected, "{what}");
    }
}
