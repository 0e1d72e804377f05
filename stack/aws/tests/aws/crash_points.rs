//! Every accident at every effect, one and two at a time, with the real code and the real SDK. The
//! function always ends as it began plus another user's changes, and no environment that starts
//! after the end injects a fault.

use crate::support::{FUNCTION, LAYER, SECRET, World, function, plane, run, wish};
use aws::Lambda;
use aws::arm::{ArmError, Armed, Place, Store};
use aws::attach::{AttachError, attach};
use aws::call::CallError;
use aws::journal::Entry;
use aws::marker::UNDO;
use aws::recover::{Recovered, Which, recover};
use aws::undo::{Proof, UndoError, undo};
use control_plane::{Accident, Configuration, ControlPlane, Edit, Effects, Function, Script};
use faults::Plan;

const OWN: &str = "AWS_LAMBDA_EXEC_WRAPPER";

/// Functions before the run.
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

/// The beginning plus another user's changes. The marker belongs to brownout, even if another user
/// wrote it.
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

/// All output of a scenario, which must not contain the secret.
fn said(world: &World, errors: &[String]) -> String {
    let journal = serde_json::to_string(&*world.journal.lock().unwrap()).unwrap();
    format!("{journal} {errors:?}")
}

fn chain(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {}", chain(source)))
}

/// The caller under test.
struct Caller {
    lambda: Lambda,
    /// If set, a plan is put in force too.
    store: Option<Store>,
}

/// Faults for every invocation, with the longest lease.
fn plan() -> Plan {
    let fault = format!(r#"{{"name":"slow","place":{{"function":"{FUNCTION}"}},"share":1,"kind":{{"latency":{{"time":"300ms"}}}}}}"#);
    let text = format!(r#"{{"version":1,"run":"r1","sequence":1,"lease_ms":60000,"seed":7,"faults":[{fault}]}}"#);
    Plan::read(text.as_bytes()).unwrap()
}

fn place() -> Place {
    Place::parse(&wish("r1").plan).unwrap()
}

/// Attaches and undoes, as a run does.
async fn whole_run(caller: &Caller, world: &World) -> (Result<(), AttachError>, Result<Proof, UndoError>) {
    let (wish, lambda) = (wish("r1"), &caller.lambda);
    let mut armed = caller.store.clone().map(|store| Armed::new(store, place(), plan()));
    let calm = Plan { faults: Vec::new(), ..plan() };
    if let Some(armed) = &mut armed {
        let _ = armed.replace(world, calm).await;
    }
    let ended = match attach(lambda, world, FUNCTION, &wish).await {
        Ok(attached) => {
            if let Some(armed) = &mut armed {
                let _ = strike_and_calm(armed, world).await;
            }
            (Ok(()), undo(lambda, world, FUNCTION, &wish.run, Some(&attached.record)).await)
        }
        Err(error) => (Err(error), Ok(Proof::NothingThere)),
    };
    if let Some(armed) = armed {
        let _ = armed.disarm(world).await;
    }
    ended
}

async fn strike_and_calm(armed: &mut Armed, world: &World) -> Result<(), ArmError> {
    let struck = armed.replace(world, plan()).await;
    armed.calm(world).await?;
    struck
}

/// The versions of the function in which a new environment would inject faults: their layer reads a
/// plan that is in force.
fn struck(world: &World) -> Vec<String> {
    let plane = &world.scripted.lock().unwrap().plane;
    let function = &plane.functions[FUNCTION];
    let in_force = |version: &&Configuration| {
        let source = version.variables.get("BROWNOUT_PLAN").and_then(|source| source.strip_prefix("ssm:"));
        let found = source.and_then(|name| plane.parameters.get(name)).filter(|_| version.layers.iter().any(|layer| layer == LAYER));
        let plan = found.and_then(|found| Some((Plan::read(found.value.as_bytes()).ok()?, found.modified_ms)));
        plan.is_some_and(|(plan, at)| !plan.faults.is_empty() && plane.clock_ms < at + u64::from(plan.lease_ms))
    };
    std::iter::once(&function.latest).chain(function.versions.values()).filter(in_force).map(|it| it.version.clone()).collect()
}

/// Runs one scenario; returns the effects until its caller ended or died.
async fn scenario(caller: &Caller, world: &World, begin: &ControlPlane, script: &Script) -> Effects {
    world.reset(begin.clone(), script.clone());
    let (ended, mut errors) = (world.until_death(whole_run(caller, world)).await, Vec::new());
    let effects = world.scripted.lock().unwrap().effects.clone();
    if let Some((attached, undone)) = &ended {
        errors.extend(attached.as_ref().err().map(|error| format!("{error:?} {}", chain(error))));
        errors.extend(undone.as_ref().err().map(|error| format!("{error:?} {}", chain(error))));
        let unedited = world.scripted.lock().unwrap().edits.is_empty();
        if let (Ok(()), Ok(proof), true) = (attached, undone, unedited) {
            assert_eq!(*proof, Proof::Identical, "{script:?}");
        }
    }
    // A recovery may die or give up too; the next one recovers from the state that it finds.
    for _ in 0..4 {
        world.revive();
        let noted = world.journal.lock().unwrap().clone();
        let recovered = world.until_death(recovered(caller, world, &noted)).await;
        let Some(Ok(all)) = &recovered else { continue };
        errors.extend(all.iter().filter_map(|one| one.result.as_ref().err()).map(|error| format!("{error:?} {}", chain(error))));
        if all.iter().all(|one| matches!(one.result, Ok(_) | Err(UndoError::Published { .. }))) {
            break;
        }
    }
    let edits = world.scripted.lock().unwrap().edits.clone();
    let (expected, mut ended) = (expected(&begin.functions[FUNCTION].latest, &edits), world.latest());
    // A marker that another user wrote may stay or not.
    if edits.iter().any(|(_, edit)| matches!(edit, Edit::Set(name, _) if name == UNDO)) {
        ended.variables.remove(UNDO);
    }
    let what = || format!("{script:?}\nedits {edits:?}\nerrors {errors:?}\njournal {:?}", world.journal.lock().unwrap());
    assert_eq!((&ended.layers, &ended.variables), (&expected.layers, &expected.variables), "{}", what());
    assert!(!said(world, &errors).contains(SECRET), "{}", what());
    assert_eq!(struck(world), Vec::<String>::new(), "{}", what());
    effects
}

/// What `brownout recover` does: recovers the functions, and the plans that they read.
async fn recovered(caller: &Caller, world: &World, noted: &[Entry]) -> Result<Vec<Recovered>, CallError> {
    let all = recover(&caller.lambda, world, &Which::Of(run("r1")), noted).await?;
    if let Some(store) = &caller.store {
        for one in &all {
            let place = one.plan.as_deref().and_then(Place::parse);
            if let Some(place) = place {
                let _ = store.clear_of(world, &place, one.run.name()).await;
            }
        }
    }
    Ok(all)
}

/// The scenarios of every `parts`-th first accident, so that threads share them.
fn scenarios(part: usize, parts: usize) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (world, mut count) = (World::default(), 0);
    let (without, with) = (None, Some(Store::new(&world.config(), crate::support::PATIENCE)));
    for caller in [without, with].map(|store| Caller { lambda: world.lambda(), store }) {
        count += runtime.block_on(all_of(&caller, &world, part, parts));
    }
    count
}

/// Runs all scenarios of one caller.
async fn all_of(caller: &Caller, world: &World, part: usize, parts: usize) -> u64 {
    let (mut accidents, mut count, has_plan) = (accidents(), 0, caller.store.is_some());
    if has_plan {
        let Place::Parameter(name) = place() else { panic!("it is a parameter") };
        accidents.extend([None, Some("off".to_owned())].map(|value| Accident::Parameter { name: name.clone(), value }));
    }
    for (at, beginning) in beginnings().into_iter().enumerate() {
        for fails in [None, Some("InsufficientRolePermissions".to_owned())] {
            let mut begin = plane(Function::new(beginning.clone()));
            begin.settling = control_plane::Settling { looks: 1, next_fails: fails.clone() };
            let clean = scenario(caller, world, &begin, &Script::new()).await;
            let firsts = clean.cases(0..clean.count(), &accidents);
            for (effect, accident) in firsts.into_iter().skip(part).step_by(parts) {
                let script = Script::from([(effect, accident)]);
                let effects = scenario(caller, world, &begin, &script).await;
                count += 1;
                // Two accidents at a time: all pairs for the function with a wrapper and four
                // layers and no faults, a sample otherwise.
                let seconds = effects.cases(effect + 1..effects.count() + 4, &accidents);
                let is_whole = at == 0 && fails.is_none() && !has_plan;
                let (skip, step) = if is_whole { (0, 1) } else { ((effect as usize + at) % 97, 97) };
                for (later, second) in seconds.into_iter().skip(skip).step_by(step) {
                    let mut script = script.clone();
                    script.insert(later, second);
                    scenario(caller, world, &begin, &script).await;
                    count += 1;
                }
            }
        }
    }
    count
}

#[test]
fn the_function_ends_as_it_began_after_any_accident_at_any_effect() {
    let begun = std::time::Instant::now();
    let threads: Vec<_> = (0..2).map(|part| std::thread::spawn(move || scenarios(part, 2))).collect();
    let count: u64 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    println!("{count} scenarios end clean, in {:.1} s", begun.elapsed().as_secs_f64());
    assert!(count >= 38_000, "{count}");
}
