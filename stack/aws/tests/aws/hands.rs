//! The exported document when another user interferes: stops the faults through the parameter,
//! removes the undo record of a function, or has not allowed faults.

use crate::automation::Status;
use crate::bench::{Bench, NAMES, SHARED, before};
use control_plane::{Accident, Edit};

#[test]
fn a_clean_up_survives_any_content_of_the_parameter_and_leaves_it() {
    let Some(mut bench) = Bench::new() else { return };
    let whole = bench.document.clone();
    for value in ["off", "[]", "7", "null", r#"{"run":7}"#, r#"{"faults":"#] {
        bench.reset();
        bench.document = whole.clone();
        bench.without_its_end();
        bench.execute(None);
        bench.put(&bench.experiment.plan_parameter(), value);
        bench.document = whole.clone();
        bench.without_its_beginning();
        let execution = bench.execute(None);
        assert_eq!(execution.status, Status::Success, "{value}: {execution:#?}");
        // This parameter is the brake: only the user who wrote it removes it.
        assert_eq!(bench.plan().as_deref(), Some(value));
        bench.plane().plane.set_parameter(&bench.experiment.plan_parameter(), None);
        assert_eq!(bench.dirt(), Vec::<String>::new(), "{value}");
    }
}

#[test]
fn a_value_written_to_stop_the_faults_stops_current_and_later_ones() {
    let Some(mut bench) = Bench::new() else { return };
    let name = bench.experiment.plan_parameter();
    bench.put(&name, "off");
    let execution = bench.execute(None);
    assert!(execution.failures.concat().contains("holds something that is no plan"), "{execution:#?}");
    assert_eq!((execution.status, bench.plan().as_deref()), (Status::Failed, Some("off")));
    bench.plane().plane.set_parameter(&name, None);
    assert_eq!(bench.dirt(), Vec::<String>::new());

    // At each call while the faults are in force, one after another.
    bench.reset();
    bench.execute(None);
    let effects = bench.plane().effects.clone();
    let mut stopped = 0;
    let accidents = [None, Some("off".to_owned())].map(|value| Accident::Parameter { name: name.clone(), value });
    for (effect, accident) in effects.cases(0..effects.count(), &accidents) {
        bench.reset();
        bench.plane().script.insert(effect, accident.clone());
        bench.host.plans();
        let execution = bench.execute(None);
        stopped += u64::from(execution.status == Status::Failed);
        let left = bench.plan();
        assert!(left.as_deref().is_none_or(|left| left == "off"), "{effect} {accident:?}: {left:?}");
        bench.plane().plane.set_parameter(&name, None);
        assert_eq!(bench.dirt(), Vec::<String>::new(), "{effect}: {execution:#?}");
    }
    assert!(stopped >= 7, "{stopped}");
}

#[test]
fn a_layer_whose_marker_another_user_removed_is_removed_too() {
    let Some(mut bench) = Bench::new() else { return };
    let whole = bench.document.clone();
    for gone in [&["BROWNOUT_UNDO"][..], &["BROWNOUT_UNDO", "BROWNOUT_PLAN"]] {
        bench.reset();
        bench.document = whole.clone();
        bench.without_its_end();
        bench.execute(None);
        // The layer of the function that callers reach by an alias is on a version, which nobody can edit.
        for name in NAMES.into_iter().filter(|name| *name != SHARED) {
            for one in gone {
                assert!(bench.plane().plane.edit(name, &Edit::Unset((*one).to_owned())), "{name}: {one}");
            }
        }
        bench.document = whole.clone();
        bench.without_its_beginning();
        let execution = bench.execute(None);
        assert_eq!(execution.status, Status::Success, "{gone:?}: {execution:#?}");
        for name in NAMES {
            let (found, before) = (bench.latest(name), before(name));
            assert_eq!((&found.layers, &found.variables), (&before.layers, &before.variables), "{gone:?}");
        }
    }
}

#[test]
fn a_function_that_already_had_the_layer_keeps_it() {
    let Some(mut bench) = Bench::new() else { return };
    let layer = bench.experiment.layer.to_string();
    for name in NAMES {
        let mut plane = bench.plane();
        let function = plane.plane.functions.get_mut(name).unwrap();
        for one in std::iter::once(&mut function.latest).chain(function.versions.values_mut()) {
            one.layers.push(layer.clone());
            one.variables.insert("BROWNOUT_PLAN".into(), format!("ssm:{}", bench.experiment.plan_parameter_of("idle")));
        }
    }
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Success, "{execution:#?}");
    assert!(NAMES.into_iter().all(|name| bench.latest(name).layers.contains(&layer)));
}

#[test]
fn a_function_whose_team_has_not_allowed_it_is_not_touched() {
    let Some(mut bench) = Bench::new() else { return };
    for tags in [vec![], vec![("brownout".to_owned(), "denied".to_owned())]] {
        bench.reset();
        bench.plane().plane.functions.get_mut("appointments").unwrap().tags = tags.into_iter().collect();
        let revisions = bench.plane().plane.revisions;
        let execution = bench.execute(None);
        assert!(execution.failures.concat().contains("does not carry the tag `brownout=allowed`"), "{execution:#?}");
        assert_eq!((execution.status, bench.plane().plane.revisions), (Status::Failed, revisions));
    }
}
