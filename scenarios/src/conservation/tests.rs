//! Stories of answers and effects, as the services of an own stack tell them, and which rules they
//! break.

use std::time::Duration;

use reports::ArmTag;
use run_folder::effects::{AGE_MS, Change, Effect, MOVED_FROM, Place};
use serde_json::json;

use super::{Claim, Conservation, FileRule, Times, Wanted, When};
use crate::Event;
use crate::exchange::{Asked, Told};
use crate::invariants::fixtures::{exchange, judged, s, struck};
use crate::invariants::{Breach, Invariant, Quiet};
use crate::journeys::{Json, Text};
use run_folder::Seen;

fn text(text: &str) -> Text {
    Text::read(text, |_| None).unwrap()
}

fn rows(times: Times) -> Wanted {
    Wanted { place: Place::Table("orders".into()), key: vec![("id".into(), text("{{order}}"))], about: None, equals: Vec::new(), times }
}

fn messages(queue: &str, times: Times) -> Wanted {
    Wanted { place: Place::Queue(queue.into()), key: Vec::new(), about: Some(text("{{order}}")), equals: Vec::new(), times }
}

fn after(outcomes: Vec<Wanted>) -> Claim {
    Claim::After { when: When { of: "test", statuses: vec![(200, 299)] }, outcomes, within: Duration::from_secs(10) }
}

fn judge(claim: Claim) -> Box<dyn Invariant> {
    let rules = vec![FileRule { name: "rule", sentence: "it is so", claim }];
    Conservation { rules, ..Conservation::default() }.judge().unwrap()
}

/// An answer to `order` at this time.
fn answer(order: &str, at: f64, status: u16) -> Event {
    let mut asked = exchange(Asked::Request { statuses: vec![201] }, at, at + 0.5, status);
    asked.root = format!("1-{order}-{at}");
    asked.told = Some(Box::new(Told { values: [("order".to_owned(), order.to_owned())].into(), sent: None }));
    Event::Exchange(Box::new(asked))
}

fn saw(at: f64, effect: Effect) -> Event {
    Event::Saw { at: s(at), seen: Seen::Effect(effect) }
}

fn row(at: f64, change: Change, order: &str, state: &str) -> Event {
    let fields = json!({"id": order, "state": state}).as_object().unwrap().clone();
    saw(at, Effect { fields, ..Effect::new(Place::Table("orders".into()), order, change) })
}

fn message(at: f64, change: Change, queue: &str, id: &str, order: &str) -> Event {
    let root = Some(format!("1-{order}-1"));
    saw(at, Effect { root, text: json!({ "id": order }).to_string(), ..Effect::new(Place::Queue(queue.into()), id, change) })
}

/// An event that only moves the clock.
fn tick(at: f64) -> Event {
    crate::invariants::fixtures::tick(at)
}

/// The breaches and the checks of the first rule, with all at rest after 100 s.
fn found(claim: Claim, events: &[Event]) -> (Vec<Breach>, u64) {
    let (_, breaches, checks) = judged(judge(claim).as_mut(), events, &Quiet { at: s(100.0), ..Quiet::default() }).remove(0);
    (breaches, checks)
}

#[test]
fn a_row_must_be_there_after_the_answer_as_often_as_the_rule_says() {
    let once = || vec![answer("o-1", 1.0, 201), row(1.2, Change::Made, "o-1", "NEW")];
    let with = |more: Vec<Event>| [once(), more].concat();
    for (what, events, times, breaches) in [
        ("it is stored", once(), Times::Exactly(1), vec![]),
        ("it is updated later", with(vec![row(2.0, Change::Changed, "o-1", "SHIPPED")]), Times::Exactly(1), vec![]),
        ("it is stored twice", with(vec![row(3.0, Change::Made, "o-1", "NEW")]), Times::Exactly(1), vec!["such a row was stored 2 times"]),
        ("twice is allowed", with(vec![row(3.0, Change::Made, "o-1", "NEW")]), Times::There, vec![]),
        ("twice is right", with(vec![row(3.0, Change::Made, "o-1", "NEW")]), Times::Exactly(2), vec![]),
        ("once is not twice", once(), Times::AtLeast(2), vec!["1 of 2 such rows came in time"]),
        ("it is missing", vec![answer("o-1", 1.0, 201)], Times::There, vec!["no such row came in time"]),
        (
            "another is stored",
            vec![answer("o-2", 1.0, 201), row(1.2, Change::Made, "o-1", "")],
            Times::There,
            vec!["no such row came in time"],
        ),
        (
            "it comes too late",
            vec![answer("o-1", 1.0, 201), row(12.0, Change::Made, "o-1", "")],
            Times::There,
            vec!["no such row came in time"],
        ),
        (
            "it is gone",
            with(vec![row(5.0, Change::Gone, "o-1", "")]),
            Times::There,
            vec!["it was as it should be, and at the end it is gone"],
        ),
        ("it expires", with(vec![row(5.0, Change::Expired, "o-1", "")]), Times::Exactly(1), vec![]),
        ("it is refused", vec![answer("o-1", 1.0, 400)], Times::Exactly(1), vec![]),
        ("none is right", vec![answer("o-1", 1.0, 201)], Times::Exactly(0), vec![]),
        ("one is wrong", once(), Times::Exactly(0), vec!["there was such a row"]),
        ("at most one", once(), Times::AtMost(1), vec![]),
    ] {
        let (broken, checks) = found(after(vec![rows(times)]), &events);
        let says: Vec<_> = broken.iter().map(|breach| breach.answered.split_once("; ").unwrap().1).collect();
        assert_eq!(says, breaches, "{what}");
        assert_eq!(checks, u64::from(what != "it is refused"), "{what}");
    }
}

#[test]
fn a_breach_names_the_exchange_and_holds_for_struck_ones_too() {
    let Event::Exchange(asked) = answer("o-1", 1.0, 201) else { panic!("an exchange") };
    let (broken, _) = found(after(vec![rows(Times::There)]), &[Event::Exchange(Box::new(struck(*asked)))]);
    let breach = &broken[0];
    assert_eq!((breach.root.as_deref(), breach.at, breach.asked.as_str()), (Some("1-o-1-1"), s(1.0), "GET /items"));
    assert!(breach.answered.starts_with("201; ") && breach.expected.starts_with("it is so; `outage`"), "{breach:?}");
    assert!(breach.repeat.starts_with("curl"), "{breach:?}");
}

#[test]
fn a_breach_is_told_once_its_time_is_over_and_not_again_at_the_end() {
    let mut rule = judge(after(vec![rows(Times::There)]));
    let breaches = |rule: &mut Box<dyn Invariant>, event: &Event| rule.see(event).0[0].0.len();
    assert_eq!(breaches(&mut rule, &answer("o-1", 1.0, 201)), 0);
    assert_eq!((breaches(&mut rule, &tick(12.0)), rule.under_way()), (0, 1));
    assert_eq!((breaches(&mut rule, &tick(14.0)), rule.under_way()), (1, 0));
    assert_eq!(rule.settled(&Quiet { at: s(100.0), ..Quiet::default() })[0].0, []);
}

#[test]
fn fields_must_be_right_in_time_and_still_at_the_end() {
    let shipped = || Wanted { equals: vec![("state".into(), Json::Text(text("SHIPPED")))], ..rows(Times::There) };
    let made = || vec![answer("o-1", 1.0, 201), row(1.2, Change::Made, "o-1", "NEW")];
    let with = |more: Vec<Event>| [made(), more].concat();
    for (what, events, breaches) in [
        ("it is shipped", with(vec![row(5.0, Change::Changed, "o-1", "SHIPPED")]), vec![]),
        ("it is not", made(), vec!["a row was found, but `state` is `NEW`, not `SHIPPED`"]),
        ("too late", with(vec![row(12.0, Change::Changed, "o-1", "SHIPPED")]), vec!["no such row came in time"]),
        (
            "an old write comes after it",
            with(vec![row(5.0, Change::Changed, "o-1", "SHIPPED"), row(6.0, Change::Made, "o-1", "NEW")]),
            vec!["it was as it should be, and at the end `state` is `NEW`, not `SHIPPED`"],
        ),
    ] {
        let (broken, checks) = found(after(vec![shipped()]), &events);
        let says: Vec<_> = broken.iter().map(|breach| breach.answered.split_once("; ").unwrap().1).collect();
        assert_eq!((says, checks), (breaches, 1), "{what}");
    }
}

#[test]
fn requests_about_the_same_key_are_not_blamed_for_one_another() {
    let twice = vec![
        answer("o-1", 1.0, 201),
        row(1.2, Change::Made, "o-1", "NEW"),
        row(2.2, Change::Made, "o-1", "NEW"),
        answer("o-1", 2.0, 201),
        row(3.0, Change::Gone, "o-1", ""),
    ];
    assert_eq!(found(after(vec![rows(Times::Exactly(1))]), &twice), (vec![], 2));
    let thrice = [twice, vec![row(2.5, Change::Made, "o-1", "NEW")]].concat();
    assert!(!found(after(vec![rows(Times::Exactly(1))]), &thrice).0.is_empty());
}

#[test]
fn exactly_one_of_the_alternatives_comes_about() {
    let either = || after(vec![messages("shipments", Times::There), messages("refunds", Times::There)]);
    let sent = |queue: &str, id: &str| message(2.0, Change::Made, queue, id, "o-1");
    for (what, events, breaches) in [
        ("shipped", vec![sent("shipments", "m-1")], vec![]),
        ("refunded", vec![sent("refunds", "m-1")], vec![]),
        ("neither", vec![], vec!["no such message came in time, and no such message came in time"]),
        ("both", vec![sent("shipments", "m-1"), sent("refunds", "m-2")], vec!["2 of the alternatives came about"]),
    ] {
        let events = [vec![answer("o-1", 1.0, 201)], events].concat();
        let (broken, checks) = found(either(), &events);
        let says: Vec<_> = broken.iter().map(|breach| breach.answered.split_once("; ").unwrap().1).collect();
        assert_eq!((says, checks), (breaches, 1), "{what}");
    }
}

#[test]
fn a_message_that_must_never_be_there_names_the_exchange_that_caused_it() {
    let never = || Claim::Never(Wanted { about: None, ..messages("dead", Times::There) });
    let moved = message(9.0, Change::Made, "dead", "m-1", "o-1");
    let (broken, checks) = found(never(), &[answer("o-1", 1.0, 201), moved.clone(), moved.clone()]);
    assert_eq!((broken.len(), checks), (1, 2));
    assert_eq!((broken[0].root.as_deref(), broken[0].at), (Some("1-o-1-1"), s(1.0)));
    assert!(broken[0].answered.contains(r#"a message was found in `dead`: {"id":"o-1"}"#), "{broken:?}");
    assert_eq!(found(never(), &[answer("o-1", 1.0, 201)]), (vec![], 1));
    assert_eq!(found(never(), &[]), (vec![], 0), "not exercised");
    let unknown = message(9.0, Change::Made, "dead", "m-1", "o-9");
    let (broken, _) = found(never(), &[answer("o-1", 1.0, 201), unknown]);
    assert_eq!((broken[0].root.as_deref(), broken[0].at), (Some("1-o-9-1"), s(9.0)));
    // What was there before the first request, such as S3's test event.
    let before = message(0.0, Change::Made, "dead", "m-0", "o-1");
    assert_eq!(found(never(), &[before, answer("o-1", 1.0, 201)]), (vec![], 1));
}

#[test]
fn each_message_leaves_its_queue_in_time() {
    let drains = || Claim::Drains { queue: Place::Queue("work".into()), within: Duration::from_secs(20) };
    let sent = message(2.0, Change::Made, "work", "m-1", "o-1");
    for (what, more, breaches, checks) in [
        ("deleted", vec![message(5.0, Change::Gone, "work", "m-1", "o-1")], 0, 1),
        ("stays", vec![], 1, 1),
        ("expires", vec![message(5.0, Change::Expired, "work", "m-1", "o-1")], 1, 1),
        ("too late", vec![tick(30.0), message(31.0, Change::Gone, "work", "m-1", "o-1")], 1, 1),
        ("in another queue", vec![message(3.0, Change::Made, "other", "m-2", "o-2"), message(5.0, Change::Gone, "work", "m-1", "")], 0, 1),
    ] {
        let events = [vec![answer("o-1", 1.0, 201), sent.clone()], more].concat();
        let (broken, checked) = found(drains(), &events);
        assert_eq!((broken.len(), checked), (breaches, checks), "{what}");
        assert!(broken.iter().all(|breach| breach.root.as_deref() == Some("1-o-1-1")), "{what}");
    }
    let mut rule = judge(drains());
    rule.see(&answer("o-1", 1.0, 201));
    rule.see(&sent);
    assert_eq!(rule.under_way(), 1);
}

#[test]
fn what_is_open_when_the_run_ends_is_neither_kept_nor_broken() {
    let mut rule = judge(after(vec![rows(Times::There)]));
    rule.see(&answer("o-1", 1.0, 201));
    rule.see(&answer("o-2", 1.0, 201));
    rule.see(&row(1.2, Change::Made, "o-2", "NEW"));
    let open = rule.unfinished();
    assert_eq!(open.len(), 2, "nothing was looked at yet");
    assert!(open.iter().all(|ended| ended.endpoint == "rule" && ended.end.is_none()));
    assert_eq!(rule.settled(&Quiet { at: s(3.0), ..Quiet::default() }), [(vec![], 1)]);
    let table = rule.tables(&|_| ArmTag::Untouched).remove(0);
    let ends: Vec<_> = table.ends.iter().map(|row| row.total()).collect();
    assert_eq!((table.taken, ends, table.imbalance()), (2, vec![1, 0, 1], None));
}

#[test]
fn a_dead_letter_without_a_fault_breaks_the_rule_that_is_on_by_itself() {
    let queues = vec![Place::Queue("dead".into())];
    let mut rules = Conservation { dead_letters: queues, ..Conservation::default() }.judge().unwrap();
    let Event::Saw { at, seen: Seen::Effect(mut effect) } = message(9.0, Change::Made, "dead", "m-1", "o-1") else { panic!("an effect") };
    effect.fields.insert(AGE_MS.into(), 1000.into());
    effect.fields.insert(MOVED_FROM.into(), "work".into());
    let events = [answer("o-1", 1.0, 201), Event::Saw { at, seen: Seen::Effect(effect) }];
    let found = judged(rules.as_mut(), &events, &Quiet { at: s(100.0), ..Quiet::default() }).remove(0);
    assert_eq!((found.0, found.1.len(), found.2), ("R-4", 1, 2));
    assert_eq!(rules.by_answers_alone(), ["R-4"]);
}

#[test]
fn without_services_of_this_machine_no_rule_of_the_file_is_checked() {
    let mut rule = judge(after(vec![rows(Times::There)]));
    assert_eq!(rule.by_answers_alone(), ["rule"]);
    assert!(rule.rules().is_empty() && rule.under_way() == 0 && rule.unfinished().is_empty());
    assert!(Conservation::default().judge().is_none());
}
