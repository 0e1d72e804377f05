//! Runs the history of each weakness through all rules at once: exactly one rule reports it.

use crate::systems::clinic::{Pool, User};

use super::fixtures::{self, Ask, change, exchange, rules, s, state, struck};
use super::{Found, Quiet};
use crate::Event;
use crate::exchange::{Asked, Caller, ClinicToken, Exchange, Probe};

/// The broken rules if the first device's shadow ends as (desired, mode, reported).
fn named(events: Vec<Event>, end: Option<(i64, Option<&str>, i64)>) -> Vec<&'static str> {
    let shadows = end.map(|(desired, mode, reported)| ("Thermostat1".to_owned(), state(desired, mode), state(reported, mode), 99));
    let quiet = Quiet { at: s(120.0), shadows: shadows.into_iter().collect(), ..Quiet::default() };
    fixtures::named(&events, &quiet)
}

fn ex(exchange: Exchange) -> Event {
    Event::Exchange(Box::new(exchange))
}

fn set(temperature: i64, sent: f64, done: f64, status: u16) -> Event {
    ex(exchange(Ask::set("john_doe", "Thermostat1", temperature), sent, done, status))
}

fn wrote(at: f64, version: i64, temperature: i64) -> Event {
    Event::Shadow(change(at, version, temperature, Some("Auto")))
}

const AUTO: Option<&str> = Some("Auto");

#[test]
fn a_forbidden_answer_breaks_exactly_one_rule() {
    let mut items = exchange(
        Asked::Thermostat { caller: Caller::Valid("john_doe".into()), request: crate::exchange::ThermostatRequest::Items },
        1.0,
        1.1,
        200,
    );
    items.said.devices = vec!["Thermostat1".into(), "Thermostat2".into()];
    let mut post = exchange(Ask::clinic(Pool::Internal, "Jane", 1, "PI-T123"), 1.0, 1.1, 200);
    post.method = "POST";
    let mut other_client = exchange(Ask::clinic(Pool::External, "Jane", 2, "PI-T123"), 1.0, 1.1, 200);
    if let Asked::Clinic { client_type, .. } = &mut other_client.asked {
        *client_type = Some("internal");
    }
    for (what, exchange, expected) in
        [("another's device", items, "A-1"), ("a POST", post, "B-1"), ("a namesake at the other client type", other_client, "B-1")]
    {
        assert_eq!(named(vec![ex(exchange)], None), [expected], "{what}");
    }
}

#[test]
fn a_long_correct_run_breaks_no_rule() {
    let mut events = Vec::new();
    for n in 0..600_i32 {
        let (at, temperature) = (f64::from(n), i64::from(60 + n % 30));
        events.push(wrote(at + 0.3, i64::from(n) + 1, temperature));
        events.push(set(temperature, at + 0.1, at + 0.5, if n % 7 == 0 { 502 } else { 200 }));
    }
    let last = 60 + 599 % 30;
    let shadows = vec![("Thermostat1".into(), state(last, AUTO), state(last, AUTO), 1_200)];
    let quiet = Quiet { at: s(700.0), shadows, ..Quiet::default() };
    for mut invariant in rules() {
        let mut checks = vec![[0, 0]; invariant.rules().len()];
        let mut add = |place: usize, found: Vec<Found>| {
            for (checks, (breaches, count)) in checks.iter_mut().zip(found) {
                assert_eq!(breaches, []);
                checks[place] += count;
            }
        };
        events.iter().for_each(|event| add(0, invariant.see(event).0));
        add(1, invariant.settled(&quiet));
        for ((id, _), [during, after]) in invariant.rules().into_iter().zip(checks) {
            assert!(!["A-2", "A-3"].contains(&id) || during > 400 && during + after >= 510, "{id}: {during} + {after}");
        }
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, one line a case")]
fn a_thermostat_weakness_breaks_exactly_one_rule() {
    let forged = || ex(exchange(Ask::as_caller(Caller::Forged("john_doe".into()), "Thermostat1", 80), 20.0, 20.5, 200));
    let guest = |status| ex(exchange(Ask::set("jane_doe", "Thermostat1", 79), 1.0, 2.0, status));
    let cases = [
        ("all is well", vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200)], Some((75, AUTO, 75)), vec![]),
        ("the change is heard of before the answer", vec![wrote(1.5, 1, 75), set(75, 1.0, 9.0, 0)], Some((75, AUTO, 75)), vec![]),
        (
            "overlapping Sets may end in either order",
            vec![wrote(1.5, 1, 76), wrote(1.6, 2, 75), set(75, 1.0, 3.0, 200), set(76, 1.2, 4.0, 200)],
            Some((75, AUTO, 75)),
            vec![],
        ),
        (
            "a lost acknowledgement, and the SDK writes again",
            vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 502), wrote(8.0, 2, 75)],
            Some((75, AUTO, 75)),
            vec![],
        ),
        ("a guest's 79 is let in", vec![wrote(1.5, 1, 79), guest(200)], Some((79, AUTO, 79)), vec!["A-1"]),
        ("a guest's 79 is refused and written", vec![wrote(1.5, 1, 79), guest(403)], Some((79, AUTO, 79)), vec!["A-2"]),
        ("nobody asked", vec![wrote(1.5, 1, 79)], Some((79, AUTO, 79)), vec!["A-2"]),
        (
            "a late stale overwrite",
            vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200), wrote(3.5, 2, 76), set(76, 3.0, 4.0, 200), wrote(11.0, 3, 75)],
            Some((75, AUTO, 75)),
            vec!["A-3"],
        ),
        (
            "a frozen write lands long after its window",
            vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200), set(76, 3.0, 4.0, 200), wrote(40.0, 2, 76)],
            Some((76, AUTO, 76)),
            vec!["A-3"],
        ),
        (
            "a write that never lands",
            vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200), set(76, 3.0, 4.0, 200)],
            Some((75, AUTO, 75)),
            vec!["A-3"],
        ),
        ("the mode is dropped", vec![Event::Shadow(change(1.5, 1, 75, None)), set(75, 1.0, 2.0, 200)], Some((75, None, 75)), vec!["A-4"]),
        ("reported is not desired", vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200)], Some((75, AUTO, 70)), vec!["A-4"]),
        ("an outage as denial", vec![ex(struck(exchange(Ask::set("john_doe", "Thermostat1", 75), 1.0, 2.0, 403)))], None, vec!["A-5"]),
        (
            "a forged token is let in",
            vec![wrote(1.5, 1, 75), set(75, 1.0, 2.0, 200), wrote(20.2, 2, 80), forged()],
            Some((80, AUTO, 80)),
            vec!["A-6"],
        ),
        (
            "a device ends",
            vec![
                wrote(1.5, 1, 75),
                set(75, 1.0, 2.0, 200),
                Event::DeviceEnded { thing: "Thermostat1".into(), at: s(3.0), why: "rejected".into() },
            ],
            Some((75, AUTO, 70)),
            vec!["A-7"],
        ),
    ];
    for (what, events, end, expected) in cases {
        assert_eq!(named(events, end), expected, "{what}");
    }
}

#[test]
fn a_clinic_weakness_breaks_exactly_one_rule() {
    let dave =
        |id, appointment: &str, sent: f64, status| exchange(Ask::clinic(Pool::External, "Dave", id, appointment), sent, sent + 0.1, status);
    let well_and_struck = || vec![ex(dave(1, "PI-T123", 0.2, 200)), ex(struck(dave(1, "PI-T123", 1.0, 500)))];
    let bad = Asked::Clinic {
        token: ClinicToken::Bad { user: User { pool: Pool::Internal, name: "Jane" }, what: "of another client" },
        client_type: Some("internal"),
        appointment: "PI-T123".into(),
    };
    let namesake = Ask::clinic(Pool::External, "Jane", 9, "PI-T123");
    let probe = |probe| vec![Event::Probe { at: s(60.0), probe }];
    let revoked = |last: f64, denied: Option<f64>| probe(Probe::Revocation { last_allowed: Some(s(last)), denied: denied.map(s) });
    let cases = [
        ("all is well", vec![ex(dave(1, "PI-T123", 1.0, 200)), ex(dave(1, "PI-T124", 2.0, 403))], vec![]),
        ("a stranger sees it", vec![ex(dave(1, "PI-T124", 1.0, 200))], vec!["B-1"]),
        ("a token of another client", vec![ex(exchange(bad, 1.0, 1.1, 200))], vec!["B-1"]),
        ("the policy names one path", vec![ex(dave(1, "PI-T123", 1.0, 200)), ex(dave(1, "PI-T125", 2.0, 403))], vec!["B-2"]),
        (
            "a cached denial",
            vec![ex(dave(0, "PI-T123", 0.2, 200)), ex(struck(dave(1, "PI-T123", 1.0, 403))), ex(dave(1, "PI-T123", 9.0, 403))],
            vec!["B-3"],
        ),
        (
            "a cached denial heard of first",
            vec![ex(struck(dave(7, "PI-T123", 0.1, 200))), ex(dave(1, "PI-T123", 1.2, 403)), ex(struck(dave(1, "PI-T123", 1.0, 500)))],
            vec!["B-3"],
        ),
        ("a 5xx while struck", vec![ex(struck(dave(1, "PI-T123", 1.0, 500)))], vec![]),
        (
            "a 5xx long after the calm",
            [well_and_struck(), vec![Event::Calmed { at: s(5.0) }, ex(dave(1, "PI-T123", 11.0, 500))]].concat(),
            vec!["B-3"],
        ),
        (
            "a 5xx after it was well again",
            [well_and_struck(), vec![Event::Calmed { at: s(5.0) }, ex(dave(1, "PI-T123", 6.0, 200)), ex(dave(1, "PI-T123", 11.0, 500))]]
                .concat(),
            vec![],
        ),
        (
            "a 5xx soon after the calm",
            [well_and_struck(), vec![Event::Calmed { at: s(5.0) }, ex(dave(1, "PI-T123", 9.0, 500))]].concat(),
            vec![],
        ),
        ("a right ends in time", revoked(1.9, Some(2.1)), vec![]),
        ("a right does not end", revoked(5.1, None), vec!["B-4"]),
        ("a namesake is let in", vec![ex(exchange(namesake, 1.0, 1.1, 200))], vec!["B-5"]),
        ("a rotated key heals", probe(Probe::Rotation { healed: Some(s(1.0)), last_status: Some(403) }), vec![]),
        ("a rotated key does not heal", probe(Probe::Rotation { healed: None, last_status: Some(403) }), vec!["B-6"]),
    ];
    for (what, events, expected) in cases {
        assert_eq!(named(events, None), expected, "{what}");
    }
}
