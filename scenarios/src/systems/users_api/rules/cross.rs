//! Runs each weakness of the users API through all rules at once: exactly one rule reports it.

use super::fixtures::Life;
use crate::invariants::Quiet;
use crate::invariants::fixtures::named;

fn named_in(life: Life) -> Vec<&'static str> {
    let quiet = Quiet { at: life.end(), ..Quiet::default() };
    named(&life.events(), &quiet)
}

/// A life in which nothing is wrong up to the repeated create.
fn there() -> Life {
    Life::new().create("Jane", 201).get("Jane").list(Some("Jane"), true)
}

#[test]
fn a_weakness_of_the_users_api_breaks_exactly_one_rule() {
    for (what, life, expected) in [
        ("all is well", there().create("Jane", 200).create("Nobody", 409).update("Joan", 200).get("Joan").delete(204).gone(), vec![]),
        ("write-not-awaited: the create is not there", Life::new().create("Jane", 201).gone().list(None, true), vec!["F-1"]),
        (
            "write-not-awaited: so the repeat finds nobody",
            Life::new().create("Jane", 201).gone().create("Nobody", 201).update("Joan", 404).gone().delete(204).gone(),
            vec!["F-1"],
        ),
        ("write-not-awaited: the replacement is late", there().update("Joan", 200).get("Jane").delete(204).gone(), vec!["F-1"]),
        ("write-not-awaited: a write lands after the delete", there().update("Joan", 200).get("Joan").delete(204).get("Joan"), vec!["F-1"]),
        ("outage-reads-as-absence", there().gone().at_service().update("Joan", 200).get("Joan"), vec!["F-2"]),
        ("outage-reads-as-absence, of a replacement", there().update("Joan", 404).at_service().get("Jane"), vec!["F-2"]),
        ("create-overwrites, the same values", there().create("Jane", 201).update("Joan", 200).get("Joan"), vec!["F-3"]),
        ("create-overwrites, other values", there().create("Nobody", 201).get("Nobody").update("Joan", 200).get("Joan"), vec!["F-3"]),
        ("create-overwrites, and the answer is lost", there().create("Nobody", 502).at_function().get("Nobody"), vec!["F-3"]),
    ] {
        assert_eq!(named_in(life), expected, "{what}");
    }
}

#[test]
fn the_hardened_form_of_the_users_api_breaks_no_rule_under_any_fault() {
    for (what, life) in [
        ("the create is refused", Life::new().create("Jane", 502).at_function().gone().update("Joan", 404).delete(204).gone()),
        ("the create's answer is lost", Life::new().create("Jane", 502).at_function().get("Jane").create("Jane", 200).get("Jane")),
        ("the replacement's answer is lost", there().update("Joan", 502).at_function().get("Joan").delete(204).gone()),
        ("the delete's answer is lost", there().delete(502).at_function().gone()),
        ("the delete is refused", there().delete(502).at_function().get("Jane")),
        ("the table is down", there().get_failed(503).at_service().update("Joan", 503).at_service().get("Jane").get("Joan")),
        ("the fault answers itself", there().gone().at_function().create("Nobody", 201).at_function().get("Jane")),
        ("nothing comes back", there().update("Joan", 0).get("Jane").delete(0).gone()),
    ] {
        assert_eq!(named_in(life), Vec::<&str>::new(), "{what}");
    }
}
