//! Runs a record with each weakness through all rules at once: exactly one rule reports it. The
//! hardened form breaks no rule under any kind of fault.

use faults::Place;

use super::fixtures::Story;
use crate::Event;
use crate::exchange::RecordForm;
use crate::invariants::Quiet;
use crate::invariants::fixtures::{self, checked, s, tick};

/// The broken rules.
fn named(events: &[Event]) -> Vec<&'static str> {
    fixtures::named(events, &Quiet { at: s(600.0), ..Quiet::default() })
}

/// The same, with answers and strikes reported up to a second late, and with a look in the middle
/// of the run.
fn named_in_any_order(story: &Story) -> Vec<&'static str> {
    let events = story.events();
    let names = named(&events);
    for lag in [0.0, 0.3, 1.0] {
        let mut late = events.clone();
        late.sort_by_key(|event| event.at() + if matches!(event, Event::Saw { .. }) { s(0.0) } else { s(lag) });
        late.extend([30.0, 31.0, 100.0, 101.0].map(tick));
        assert_eq!(named(&late), names, "{late:#?}");
    }
    names
}

#[test]
fn a_record_weakness_breaks_exactly_one_rule() {
    let new = || Story::new(1);
    let begun = || new().cached(0.6).started(0.7);
    let text = || new().form(RecordForm::NotBase64).cached(0.6).started(0.7);
    let key = "records/a-7-000001";
    let corrupted = text().stored_as(1.0, key, 1, "x").flagged(1.0, "archived").noticed(1.0, "archived", "").described(1.0).closed(1.1);
    let twice = new()
        .cached(0.6)
        .started_as(0.7, "a-7-000001-5f2c")
        .stored(1.0, "records/a-7-000001/5f2c")
        .noticed(1.0, "archived", "")
        .described(1.0)
        .flagged(1.0, "archived")
        .closed(1.1)
        .completed(1.2)
        .ended_as(1.3, "a-7-000001-5f2c")
        .again(2.0)
        .cached(2.1)
        .started_as(2.2, "a-7-000001-77aa")
        .stored(2.3, "records/a-7-000001/77aa")
        .noticed(2.3, "archived", "")
        .described(2.3)
        .closed(2.4)
        .completed(2.5)
        .ended_as(2.6, "a-7-000001-77aa");
    for (what, story, expected) in [
        ("lost-on-timeout", begun().described(1.0).struck(1.0, "kill-middle").failed(1.5, "Lambda.Unknown"), "E-1"),
        ("throttling-not-retried", begun().archived(1.0).failed(1.5, "Lambda.TooManyRequestsException"), "E-1"),
        ("no execution", new().cached(0.6), "E-1"),
        ("failure-as-success", begun().archived(1.0).described(1.0).completed_with(1.2, "error").succeeded(1.3), "E-3"),
        ("succeeds too early", begun().archived(1.0).completed(1.2).succeeded(1.3), "E-3"),
        ("lenient-base64", corrupted.completed(1.2).succeeded(1.3), "E-4"),
        ("repeats-stored-again", twice, "E-5"),
        ("closes-at-once", begun().described(1.0).closed(1.0).dead(3.0).failed(3.1, "RecordGone"), "E-6"),
        ("refused and archived", new().answered(503).whole(), "E-2"),
        ("a wrong key is let in", new().form(RecordForm::WrongKey).whole(), "E-2"),
        ("a notice too many", new().whole_but_end().noticed(1.2, "closed", "").succeeded(1.3), "E-7"),
        ("a part is missing", begun().stored_as(1.0, key, 1, "x").dead(3.0).failed(3.1, "X"), "E-4"),
    ] {
        assert_eq!(named_in_any_order(&story), [expected], "{what}");
    }
}

#[test]
fn the_hardened_form_breaks_no_rule_under_any_fault() {
    let new = || Story::new(1);
    let begun = || new().cached(0.6).started(0.7);
    let tried = |state: &str, tries: u32| new().whole_but_end().tried(state, tries);
    let service = |name: &str| Place::Service { name: name.into(), operation: None };
    let mut stories = vec![
        ("nothing", new().whole()),
        ("nothing, sent again", new().whole().again(2.0)),
        ("sent again while it is under way", new().again(0.6).whole()),
        ("no key", new().form(RecordForm::NoKey).answered(403)),
        ("a bad date", new().form(RecordForm::BadDate).answered(400)),
        ("plain text", new().form(RecordForm::NotBase64).answered(400)),
        ("refused, and all taken back", new().answered(503).cached(0.6).uncached(0.7)),
        ("refused, and sent again", new().answered(503).cached(0.6).uncached(0.7).again(2.0).whole_from(2.0)),
        ("no word of it, and nothing was done", new().answered(502)),
        ("no word of it, and all was done", new().answered(504).whole()),
        ("no word of it, then accepted", new().answered(502).again(2.0).whole()),
        ("the archiver died and died", begun().described(1.0).dead(16.0).tried("Archive", 5).failed(16.1, "Lambda.Unknown")),
        ("the closing was refused for good", begun().archived(1.0).described(1.0).dead(16.0).failed(16.1, "NeighbourFailed")),
        ("the archiver died after its notice", tried("Archive", 2).archived(1.05).struck(1.0, "kill-middle").succeeded(1.3)),
        (
            "the acknowledgement of the closing is lost",
            tried("Close", 2).noticed(1.15, "closed", "").struck(1.1, "lose-answer").succeeded(1.3),
        ),
        ("the final notice was published twice", tried("Completed", 2).completed(1.25).succeeded(1.3)),
        (
            "SNS's answer is lost and the SDK asks again",
            new().whole_but_end().noticed(1.05, "archived", "").struck_at(1.0, "refuse", service("sns")).succeeded(1.3),
        ),
    ];
    stories.extend(
        ["refuse", "kill-before", "kill-middle", "wait-before", "hold-of-deadline", "lose-answer", "hand-twice", "replace", "edit-event"]
            .map(|action| (action, new().struck(0.9, action).whole())),
    );
    stories.extend(["dynamodb", "redis", "s3", "states"].map(|name| (name, new().struck_at(0.9, "refuse", service(name)).whole())));
    for (what, story) in stories {
        assert_eq!(named_in_any_order(&story), Vec::<&str>::new(), "{what}");
    }
}

#[test]
fn a_long_correct_run_of_records_is_checked_and_breaks_no_rule() {
    let mut events = Vec::new();
    for n in 0..3_000_u32 {
        let story = Story::new(n);
        let story = match n % 20 {
            0 => story.form(RecordForm::BadDate).answered(400),
            1 => story.answered(503).cached(0.6).uncached(0.7),
            2 => story.answered(502).again(2.0).whole(),
            3 => story.whole().again(1.5),
            4 => story.cached(0.6).started(0.7).described(1.0).dead(16.0).tried("Archive", 5).failed(16.1, "Lambda.Unknown"),
            _ => story.whole(),
        };
        events.extend(story.later(f64::from(n) * 0.1).events());
    }
    events.sort_by_key(Event::at);
    let quiet = Quiet { at: s(600.0), ..Quiet::default() };
    for (rule, checks) in checked(&events, &quiet) {
        let expected = match rule {
            "E-1" => 2_700,
            "E-2" => 3_000,
            // Records that were given up have only the notice of their description.
            "E-3" | "E-7" => 2_700,
            "E-4" | "E-6" => 2_550,
            // Sent twice.
            "E-5" => 300,
            _ => 0,
        };
        assert_eq!(checks, expected, "{rule}");
    }
}
