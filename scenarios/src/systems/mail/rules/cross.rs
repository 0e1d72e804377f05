//! Runs a mail with each weakness through all rules at once: exactly one rule reports it. The
//! hardened form breaks no rule under any kind of fault.

use super::fixtures::{Story, ses_strike, with_list};
use crate::Event;
use crate::exchange::Expected;
use crate::invariants::Quiet;
use crate::invariants::fixtures::{self, checked, s};

/// The broken rules.
fn named(events: &[Event]) -> Vec<&'static str> {
    fixtures::named(events, &Quiet { at: s(600.0), ..Quiet::default() })
}

/// The same, with the reports of different sides in any order within a second.
fn named_in_any_order(events: &[Event]) -> Vec<&'static str> {
    let names = named(events);
    for shift in 1..=4_u64 {
        let mut late = events.to_vec();
        let lag = |event: &Event, n: usize| event.at() + s(0.25) * u32::try_from((n as u64 * shift) % 4).unwrap();
        let mut keyed: Vec<_> =
            late.drain(..).enumerate().map(|(n, event)| (side(&event), lag(&event, side(&event) + n % 2), event)).collect();
        // Each side reports its own facts in order.
        keyed.sort_by_key(|(side, _, event)| (*side, event.at()));
        keyed.sort_by_key(|(side, lag, event)| if *side == 0 { event.at() } else { *lag });
        let late: Vec<_> = keyed.into_iter().map(|(_, _, event)| event).collect();
        assert_eq!(named(&late), names, "{late:#?}");
    }
    names
}

fn side(event: &Event) -> usize {
    match event {
        Event::Saw { .. } => 0,
        Event::Struck(_) => 1,
        _ => 2,
    }
}

fn two_alike(story: Story) -> Story {
    story.with(vec![Story::file(1, "reading.bin", 0), Story::file(1, "reading.bin", 1)])
}

#[test]
fn a_mail_weakness_breaks_exactly_one_rule() {
    let new = || Story::new(1);
    let readers = new().readers();
    let no_list = || new().expected(Expected::Fallback);
    let (one_key, own_key) = (["id-1/reading.bin".to_owned()], [new().key(0)]);
    let mut swallowed = new().received(1.0).deleted(1.5).events();
    swallowed.push(ses_strike(1.2, None));
    let crowd = new().for_readers(51);
    let swallowed_group = crowd.clone().with(vec![]).received(1.0).sent_to(1.1, &crowd.readers()[..50], &[]).deleted(1.5);
    let collides =
        two_alike(new()).received(1.0).stored(1.1, &one_key[0]).stored(1.1, &one_key[0]).sent_to(1.2, &readers, &one_key).deleted(1.3);
    let sent_again = new().received(1.0).sent(1.1).struck(1.2, "lose-answer").received(2.0).sent(2.1).deleted(2.2);
    for (what, events, expected) in [
        ("success-raises", new().deliveries(5, None).sent(1.1).redriven(6.0).events(), vec!["C-2"]),
        ("send-failure-acknowledged", swallowed, vec!["C-1"]),
        ("send-failure-acknowledged, of the second group", swallowed_group.events(), vec!["C-1"]),
        ("fallback-raises", no_list().deliveries(5, None).noticed(1.1).redriven(6.0).events(), vec!["C-2"]),
        (
            "fallback-raises, a notice each time",
            no_list().deliveries(5, None).noticed(1.1).noticed(2.1).redriven(6.0).events(),
            vec!["C-2"],
        ),
        ("no-retry", new().deliveries(1, Some("refuse")).redriven(2.0).events(), vec!["C-9"]),
        ("no-retry, and the send fails", new().deliveries(1, Some("disturb")).redriven(2.0).events(), vec!["C-9"]),
        ("no-retry, without a list", no_list().deliveries(1, Some("refuse")).redriven(2.0).events(), vec!["C-9"]),
        ("attachment-key-collides", collides.events(), vec!["C-5"]),
        ("not-idempotent", sent_again.events(), vec!["C-3"]),
        ("short-retention", new().expired(30.0).events(), vec!["C-7"]),
        (
            "a stranger gets it",
            new().received(1.0).sent(1.1).sent_to(1.1, &["eve@x.com".into()], &own_key).deleted(1.2).events(),
            vec!["C-4"],
        ),
        ("one of two gets it", new().with(vec![]).received(1.0).sent_to(1.1, &readers[..1], &[]).deleted(1.2).events(), vec!["C-4"]),
        ("no end of retries", new().expected(Expected::DeadLetter).deliveries(40, None).events(), vec!["C-6"]),
        (
            "the list is sent on",
            new().with(vec![]).received(1.0).said(1.1, &readers, &with_list(&readers)).deleted(1.2).events(),
            vec!["C-8"],
        ),
        ("a dead link", new().received(1.0).sent(1.1).deleted(1.2).link(30.0, "id-1/0-reading.bin", 403, "").events(), vec!["C-5"]),
    ] {
        assert_eq!(named_in_any_order(&events), expected, "{what}");
    }
}

#[test]
fn the_hardened_form_breaks_no_rule_under_any_fault() {
    let new = || Story::new(1);
    let no_list = || new().expected(Expected::Fallback);
    let malformed = || new().expected(Expected::DeadLetter);
    let last = |action: &str| new().received(1.0).sent(1.1).struck(1.2, action).received(2.0).deleted(2.1);
    let never_ran = |action: &str| new().received(1.0).struck(1.1, action).received(2.0).sent(2.1).deleted(2.2).links(60.0);
    let doubled = |action: &str| new().received(1.0).sent(1.1).struck(1.2, action).received(2.0).sent(2.1).deleted(2.2);
    let always = |action: &str| new().deliveries(5, Some(action)).redriven(6.0);
    let mut stories = vec![
        ("nothing", new().received(1.0).sent(1.1).deleted(1.2).links(60.0)),
        ("nothing, to 51 readers", new().for_readers(51).received(1.0).sent(1.1).deleted(1.2)),
        ("nothing, without a list", no_list().received(1.0).noticed(1.1).deleted(1.2)),
        ("nothing, malformed", malformed().deliveries(5, None).redriven(6.0)),
        ("nothing, two of one name", two_alike(new()).received(1.0).sent(1.1).deleted(1.2).links(60.0)),
        ("latency", new().received(1.0).struck(1.3, "wait-before").sent(1.4).deleted(1.5)),
        ("latency until its attempts overlap", new().deliveries(5, None).struck(5.5, "wait-before").redriven(6.0).sent(6.1)),
        ("every acknowledgement lost", new().deliveries(5, Some("lose-answer")).sent(1.1).redriven(6.0)),
        ("every acknowledgement of a notice lost", no_list().deliveries(5, Some("lose-answer")).noticed(1.1).redriven(6.0)),
        (
            "a notice's attempt dies",
            no_list().received(1.0).noticed(1.1).struck(1.2, "kill-middle").received(2.0).noticed(2.1).deleted(2.2),
        ),
        ("a success in the place of a failure", malformed().received(1.0).struck(1.1, "replace").deleted(1.2)),
        ("another event", new().received(1.0).struck(1.1, "edit-event").deleted(1.2)),
        ("an attempt dies, its claim outlives the retries", new().deliveries(5, None).sent(1.1).struck(1.2, "kill-middle").redriven(6.0)),
    ];
    stories
        .extend(["lose-answer", "drop", "hand-twice", "kill-after", "wait-after", "cut", "corrupt"].map(|action| (action, last(action))));
    stories.extend(["refuse", "kill-before", "fail-start"].map(|action| (action, never_ran(action))));
    stories.extend(["kill-middle", "hold-of-deadline", "press", "disturb", "slow-start"].map(|action| (action, doubled(action))));
    stories.extend(["refuse", "kill-before", "hold-of-deadline", "disturb", "kill-middle"].map(|action| (action, always(action))));
    for (what, story) in stories {
        assert_eq!(named_in_any_order(&story.events()), Vec::<&str>::new(), "{what}");
    }
    let refused = || (1..=5_u32).map(|n| ses_strike(f64::from(n) + 0.1, None));
    let mut never_sent = new().deliveries(5, None).redriven(6.0).events();
    never_sent.extend(refused());
    assert_eq!(named_in_any_order(&never_sent), Vec::<&str>::new(), "SES refuses every time");
    let mut answer_lost = new().received(1.0).sent(1.1).sent(1.3).deleted(1.4).events();
    answer_lost.push(ses_strike(1.2, None));
    assert_eq!(named_in_any_order(&answer_lost), Vec::<&str>::new(), "SES's answer is lost and the SDK asks again");
}

#[test]
fn a_long_correct_run_of_mail_is_checked_and_breaks_no_rule() {
    let mut events = Vec::new();
    for n in 0..3_000_u32 {
        let story = Story::new(n).at(f64::from(n) * 0.1);
        let story = match n % 20 {
            0 => story.expected(Expected::DeadLetter).deliveries(5, None).redriven(6.0),
            1 => story.expected(Expected::Fallback).received(1.0).noticed(1.1).deleted(1.2),
            2 => story.for_readers(51).received(1.0).sent(1.1).deleted(1.2),
            3 => story.received(1.0).sent(1.1).struck(1.2, "lose-answer").received(2.0).deleted(2.1),
            4 => story.received(1.0).struck(1.1, "refuse").received(2.0).sent(2.1).deleted(2.2),
            _ => story.received(1.0).sent(1.1).deleted(1.2),
        };
        events.extend(story.events());
    }
    events.sort_by_key(Event::at);
    events.extend(Story::new(7).at(0.7).links(400.0).events().pop());
    let quiet = Quiet { at: s(600.0), ..Quiet::default() };
    for (rule, checks) in checked(&events, &quiet) {
        let expected = match rule {
            "C-1" | "C-2" | "C-7" => 3_000,
            "C-9" | "C-3" | "C-4" => 2_850,
            "C-5" => 2_701,
            "C-6" => 150,
            // Mails to 51 readers are sent in two groups.
            "C-8" => 2_850,
            _ => 0,
        };
        assert_eq!(checks, expected, "{rule}");
    }
}
