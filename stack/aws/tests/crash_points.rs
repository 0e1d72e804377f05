//! Every accident at every effect, one and two at a time, on the real code and the real SDK: whatever happens, the function ends as it began plus
//! what somebody else changed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use aws::Lambda;
use aws::attach::{AttachError, attach};
use aws::marker::UNDO;
use aws::recover::{Which, recover};
use aws::undo::{Proof, UndoError, undo};
use control_plane::{Accident, Configuration, ControlPlane, Edit, Function, Script};
use support::{FUNCTION, LAYER, SECRET, World, function, plane, run, wish};

const OWN: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Functions as they are before.
fn beginnings() -> Vec<Configuration> {
    let plain = function();
    let mut wrapped = function();
    wrapped.variables.insert(OWN.to_owned(), "/opt/datadog_wrapper".to_owned());
    wrapped.layers = (1..=4).map(|n| format!("arn:aws:lambda:eu-central-1:123456789012:layer:other-{n}:1")).collect();
    let mut full = function();
    full.variables.insert("FILLER".to_owned(), "x".repeat(3400));
    let mut provided = function();
    provided.runtime = Some("provided.al2023".to_owned());
    let mut odd = function();
    odd.variables.insert("BROWNOUT_PLAN".to_owned(), "file:/before".to_owned());
    odd.variables.insert("BROWNOUT_EXEC_WRAPPER".to_owned(), "/opt/before".to_owned());
    odd.variables.insert(OWN.to_owned(), "/opt/brownout/wrapper".to_owned());
    vec![wrapped, plain, full, provided, odd]
}

fn accidents() -> Vec<Accident> {
    use Accident::{Busy, CrashAfter, CrashBefore, Internal, ReplyLost, RequestLost, Stale, Throttled};
    let mut all = vec![CrashBefore, CrashAfter, Busy, Stale, Throttled, Internal, ReplyLost, RequestLost];
    let set = |name: &str, value: &str| Edit::Set(name.to_owned(), value.to_owned());
    let edits = [
        set("ADDED", "by somebody"),
        set("BROWNOUT_PLAN", "ssm:/somebody"),
        set(OWN, "/opt/somebody"),
        set(UNDO, "{}"),
        Edit::Unset(OWN.to_owned()),
        Edit::Unset(UNDO.to_owned()),
        Edit::AddLayer("arn:aws:lambda:eu-central-1:123456789012:layer:somebody:7".to_owned()),
        Edit::RemoveLayer(LAYER.to_owned()),
        Edit::Publish,
    ];
    all.extend(edits.map(|edit| Accident::Edit { function: FUNCTION.to_owned(), edit }));
    all
}

/// The beginning plus what somebody else changed. The marker is ours whoever writes to it.
fn expected(beginning: &Configuration, edits: &[(String, Edit)]) -> Configuration {
    let mut expected = beginning.clone();
    for (_, edit) in edits {
        match edit {
            Edit::Set(name, value) => drop(expected.variables.insert(name.clone(), value.clone())),
            Edit::Unset(name) => drop(expected.variables.remove(name)),
            Edit::AddLayer(layer) => expected.layers.push(layer.clone()),
            Edit::RemoveLayer(layer) => expected.layers.retain(|one| one != layer),
            Edit::Publish => (),
        }
    }
    expected.variables.remove(UNDO);
    expected
}

/// What was said during a scenario: nothing of it may have the secret.
fn said(world: &World, errors: &[String]) -> String {
    let journal = serde_json::to_string(&*world.journal.lock().unwrap()).unwrap();
    format!("{journal} {errors:?}")
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// Attach and undo, as a run does.
async fn whole_run(lambda: &Lambda, world: &World) -> (Result<(), AttachError>, Result<Proof, UndoError>) {
    let wish = wish("r1");
    match attach(lambda, world, FUNCTION, &wish).await {
        Ok(attached) => (Ok(()), undo(lambda, world, FUNCTION, &wish.run, Some(&attached.record)).await),
        Err(error) => (Err(error), Ok(Proof::NothingThere)),
    }
}

/// One scenario; the number of effects that a run has in it.
async fn scenario(lambda: &Lambda, world: &World, begin: &ControlPlane, script: &Script) -> u64 {
    world.reset(begin.clone(), script.clone());
    let (ended, mut errors) = (world.until_death(whole_run(lambda, world)).await, Vec::new());
    let effects = world.scripted.lock().unwrap().effects;
    if let Some((attached, undone)) = &ended {
        errors.extend(attached.as_ref().err().map(|error| format!("{error:?} {}", chain(error))));
        errors.extend(undone.as_ref().err().map(|error| format!("{error:?} {}", chain(error))));
        let unedited = world.scripted.lock().unwrap().edits.is_empty();
        if let (Ok(()), Ok(proof), true) = (attached, undone, unedited) {
            assert_eq!(*proof, Proof::Identical, "{script:?}");
        }
    }
    // Whoever recovers may die or give up too; the next one finds what there is without asking how it came.
    for _ in 0..4 {
        world.revive();
        let noted = world.journal.lock().unwrap().clone();
        let recovered = world.until_death(recover(lambda, world, &Which::Of(run("r1")), &noted)).await;
        let Some(Ok(all)) = &recovered else { continue };
        errors.extend(all.iter().filter_map(|one| one.result.as_ref().err()).map(|error| format!("{error:?} {}", chain(error))));
        if all.iter().all(|one| one.result.is_ok()) {
            break;
        }
    }
    let edits = world.scripted.lock().unwrap().edits.clone();
    let (expected, mut ended) = (expected(&begin.functions[FUNCTION].latest, &edits), world.latest());
    // Of a marker that somebody else wrote it does not matter whether it stays.
    if edits.iter().any(|(_, edit)| matches!(edit, Edit::Set(name, _) if name == UNDO)) {
        ended.variables.remove(UNDO);
    }
    let what = || format!("{script:?}\nedits {edits:?}\nerrors {errors:?}\njournal {:?}", world.journal.lock().unwrap());
    assert_eq!((&ended.layers, &ended.variables), (&expected.layers, &expected.variables), "{}", what());
    assert!(!said(world, &errors).contains(SECRET), "{}", what());
    effects
}

/// The scenarios of every `parts`-th first accident, so that threads share them.
fn scenarios(part: usize, parts: usize) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (world, accidents, mut count) = (World::default(), accidents(), 0);
    let lambda = world.lambda();
    for (at, beginning) in beginnings().into_iter().enumerate() {
        for fails in [None, Some("InsufficientRolePermissions".to_owned())] {
            let mut begin = plane(Function::new(beginning.clone()));
            begin.settling = control_plane::Settling { looks: 1, next_fails: fails.clone() };
            let clean = runtime.block_on(scenario(&lambda, &world, &begin, &Script::new()));
            let firsts: Vec<_> = (0..clean).flat_map(|effect| accidents.iter().map(move |accident| (effect, accident.clone()))).collect();
            for (effect, accident) in firsts.into_iter().skip(part).step_by(parts) {
                let script = Script::from([(effect, accident)]);
                let effects = runtime.block_on(scenario(&lambda, &world, &begin, &script));
                count += 1;
                // Two at a time: all of them where a wrapper and four layers are there before, and a sample elsewhere.
                let seconds = (effect + 1..effects + 4).flat_map(|later| accidents.iter().map(move |second| (later, second.clone())));
                let (skip, step) = if at == 0 && fails.is_none() { (0, 1) } else { (at, 97) };
                for (later, second) in seconds.skip(skip).step_by(step) {
                    let mut script = script.clone();
                    script.insert(later, second);
                    runtime.block_on(scenario(&lambda, &world, &begin, &script));
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn whatever_happens_at_whichever_effect_the_function_ends_as_it_began() {
    let begun = std::time::Instant::now();
    let threads: Vec<_> = (0..2).map(|part| std::thread::spawn(move || scenarios(part, 2))).collect();
    let count: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{count} scenarios end clean, in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(count >= 33_000, "{count}");
}
