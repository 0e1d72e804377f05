//! Runs a member with each weakness through all rules at once: exactly one rule reports it. The
//! hardened form breaks no rule under any kind of fault.

use crate::systems::inactive_users::sub;
use run_folder::Seen;

use super::fixtures::{Life, together};
use crate::Event;
use crate::invariants::Quiet;
use crate::invariants::fixtures::{self, checked, s};

/// The broken rules if all is quiet at this time.
fn named(events: &[Event], at: f64) -> Vec<&'static str> {
    fixtures::named(events, &Quiet { at: s(at), ..Quiet::default() })
}

/// The same whichever side reports first: the services by up to a second, or the harness.
fn named_in_any_order(lives: Vec<Life>, at: f64) -> Vec<&'static str> {
    let events = together(lives);
    let names = named(&events, at);
    for (services, harness) in [(0.9, 0.0), (0.0, 0.9), (0.4, 0.0)] {
        let mut late = events.clone();
        late.sort_by_key(|event| event.at() + s(if matches!(event, Event::Saw { .. }) { services } else { harness }));
        assert_eq!(named(&late, at), names, "{services} {harness}");
    }
    names
}

fn racer() -> Life {
    Life::new(1).seeded(1.0, 100).expired(6.0).sign_in(6.5, 200)
}

fn pruned(n: u32, at: f64) -> Life {
    Life::new(n).seeded(1.0, 100).expired(6.0 + f64::from(n) * 0.001).disabled(at)
}

#[test]
fn a_weakness_breaks_exactly_one_rule() {
    let gone = || Life::new(1).seeded(1.0, 100).removed(3.0).expired(6.001);
    let waiting = |n: u32| Life::new(n).seeded(1.0, 100).expired(6.0 + f64::from(n) * 0.001);
    let refused = Life::new(70).saw(6.9, Seen::QuotaExceeded { operation: "AdminDisableUser".into() });
    let fast = || (2..60).map(|n| pruned(n, 6.2 + f64::from(n) * 0.02));
    for (what, lives, at, expected) in [
        ("no-check-before-disable", vec![racer().struck(7.9, "prune-users", "wait-before").disabled(8.0)], 60.0, vec!["D-2"]),
        ("no-rate-limit", fast().collect(), 60.0, vec!["D-8"]),
        ("no-rate-limit, and the service refuses", fast().step_by(2).chain([refused]).collect(), 60.0, vec!["D-8"]),
        ("whole-batch-fails, given up", vec![gone().given_up(32.0), pruned(2, 32.1)], 90.0, vec!["D-5"]),
        ("whole-batch-fails, still blocked", vec![pruned(0, 6.2), gone(), waiting(2), waiting(3)], 60.0, vec!["D-5"]),
        ("whole-batch-fails, given up with the others", vec![gone().given_up(32.0), waiting(2).given_up(32.0)], 90.0, vec!["D-5"]),
        ("late-write-wins", vec![Life::new(1).sign_in(1.0, 100).sign_in(2.0, 103).written(3.0, 101)], 20.0, vec!["D-7"]),
        (
            "late-write-wins, and the row ends too early",
            vec![Life::new(1).sign_in(1.0, 100).sign_in(2.0, 103).written(3.0, 101).expired(30.0).disabled(30.2)],
            60.0,
            vec!["D-7"],
        ),
        ("an expiry without consequence", vec![waiting(2), pruned(3, 6.2)], 60.0, vec!["D-1"]),
        ("a sign-in without its row", vec![Life::new(1).triggered(1.1, 1).signed_in(1.1).asked(1.0, 1.2, 200)], 60.0, vec!["D-3"]),
        ("a delete by hand disables", vec![Life::new(1).seeded(1.0, 100).row_deleted(6.0).disabled(6.2)], 60.0, vec!["D-4"]),
        ("a re-enable is undone", vec![pruned(1, 6.2).enabled_by_hand(6.5).disabled(8.0)], 60.0, vec!["D-6"]),
        ("a fourth call", vec![Life::new(1).triggered(16.0, 4)], 60.0, vec!["D-7"]),
    ] {
        assert_eq!(named_in_any_order(lives, at), expected, "{what}");
    }
}

#[test]
fn the_hardened_form_breaks_no_rule_under_any_fault() {
    let member = || Life::new(4).seeded(1.0, 100).expired(6.0);
    let mut stories = vec![
        ("nothing", vec![pruned(1, 6.2), Life::new(2).sign_in(1.0, 100), racer()]),
        ("the race is lost and made good", vec![racer().disabled(8.0).enabled(8.2)]),
        ("the race is lost, and looking again fails", vec![racer().disabled(8.0).service_struck(8.1).enabled(13.0)]),
        ("a member who is gone", vec![Life::new(1).seeded(1.0, 100).removed(3.0).expired(6.001), pruned(2, 6.2)]),
        ("an administrator", vec![pruned(1, 6.2).enabled_by_hand(6.5)]),
        (
            "the administrator's member, and the first attempt died",
            vec![member().disabled(6.2).struck(6.3, "prune-users", "kill-middle").enabled_by_hand(6.5).disabled(8.0)],
        ),
        ("a row deleted by hand", vec![Life::new(1).seeded(1.0, 100).row_deleted(6.0)]),
        ("the trigger fails", vec![Life::new(1).struck(1.1, "record-sign-in", "refuse").triggered(1.1, 1).asked(1.0, 1.2, 400)]),
        (
            "the trigger's answer is lost",
            vec![Life::new(1).written(1.1, 100).struck(1.1, "record-sign-in", "lose-answer").asked(1.0, 1.2, 400)],
        ),
        ("the trigger's answer is lost after an expiry", vec![member().written(6.5, 200).asked(6.4, 6.6, 400)]),
        (
            "the trigger is late",
            vec![
                Life::new(1)
                    .triggered(6.0, 1)
                    .triggered(11.0, 2)
                    .written(11.5, 100)
                    .triggered(11.6, 3)
                    .signed_in(11.6)
                    .asked(1.0, 11.7, 200),
            ],
        ),
        ("every attempt is struck until it is given up", vec![member().struck(31.9, "prune-users", "refuse").given_up(32.0)]),
        ("disabling is refused and comes again", vec![member().service_struck(6.2).disabled(7.5)]),
    ];
    for action in
        ["refuse", "lose-answer", "kill-before", "kill-middle", "kill-after", "hold-of-deadline", "wait-before", "wait-after", "hand-twice"]
    {
        // Once the member is disabled, it does not matter what is lost: the record comes again and
        // nothing is done twice.
        stories.push((action, vec![member().struck(6.1, "prune-users", action).disabled(8.0), racer().struck(7.0, "prune-users", action)]));
        stories.push((action, vec![Life::new(3).sign_in(1.0, 100).struck(1.02, "record-sign-in", action).sign_in(5.0, 104)]));
    }
    for (what, lives) in stories {
        assert_eq!(named_in_any_order(lives, 36.0), Vec::<&str>::new(), "{what}");
    }
}

#[test]
fn a_long_correct_run_of_members_is_checked_and_breaks_no_rule() {
    let mut lives = Vec::new();
    for n in 0..40 {
        let times = (0..20).map(|k| f64::from(k) * 10.0 + f64::from(n) * 0.1);
        lives.push(times.fold(Life::new(n), |life, at| life.sign_in(at, at as i64 + 2_592_000)));
    }
    lives.extend((100..1_100).map(|n| Life::new(n).seeded(0.1, 50).expired(60.0).disabled(60.1 + f64::from(n - 100) * 0.042)));
    lives.extend((2_000..2_060).map(|n| {
        let at = 20.0 + f64::from(n - 2_000);
        Life::new(n).seeded(0.1, 50).expired(at).sign_in(at + 0.5, 2_592_100)
    }));
    lives.push(Life::new(3_000).seeded(0.1, 50).removed(30.0).expired(59.9));
    lives.push(Life::new(3_001).seeded(0.1, 50).row_deleted(40.0));
    lives.push(Life::new(3_002).seeded(0.1, 50).expired(59.0).disabled(59.1).enabled_by_hand(59.5));
    let events = together(lives);
    let active = (0..40).chain(2_000..2_060).map(|n| (sub(&Life::name(n)), Some(2_592_000)));
    let quiet = Quiet { at: s(220.0), rows: Some(active.collect()), ..Quiet::default() };
    for (rule, checks) in checked(&events, &quiet) {
        let expected = match rule {
            "D-1" => 1_062,
            "D-2" | "D-8" => 1_001,
            "D-3" => 860,
            // A delete by hand is reported twice: by the table and by the harness.
            "D-4" => 1_003,
            "D-5" | "D-6" => 1,
            "D-7" => 860 * 2 + 1_000 + 60 + 3,
            _ => 0,
        };
        assert_eq!(checks, expected, "{rule}");
    }
}
