//! A version with the layer for a share of an alias, with an accident at every effect.

use crate::support::{FUNCTION, LAYER, World, function, plane, run, wish};
use aws::attach::Wish;
use aws::canary::{CanaryError, begin, take_back};
use aws::recover::{Which, list, recover};
use aws::undo::UndoError;
use control_plane::{Accident, Alias, ControlPlane, Edit, Function, Publishing, Script, Settling};
use serde_json::json;

fn beginning() -> ControlPlane {
    let mut function = Function::new(function());
    let mut version = function.latest.clone();
    version.version = "1".to_owned();
    function.versions.insert(1, version);
    function.last_version = 1;
    function.aliases.insert("live".to_owned(), Alias { description: "kept".to_owned(), ..Alias::new("1") });
    let mut plane = plane(function);
    plane.settling = Settling { looks: 1, next_fails: None };
    plane.publishing = Publishing { looks: 2, propagation_ms: 45_000 };
    plane
}

fn canary_wish() -> Wish {
    Wish { alias: Some("live".to_owned()), ..wish("r1") }
}

/// Whether a canary has left nothing behind.
fn is_as_it_was(world: &World) -> bool {
    let now = world.scripted.lock().unwrap().plane.functions[FUNCTION].clone();
    let before = beginning().functions[FUNCTION].clone();
    let alias = |function: &Function| Alias { revision: 0, stale: Default::default(), ..function.aliases["live"].clone() };
    (now.latest.layers.clone(), now.latest.variables.clone()) == (before.latest.layers.clone(), before.latest.variables.clone())
        && now.versions.keys().eq(before.versions.keys())
        && alias(&now) == alias(&before)
}

#[tokio::test(start_paused = true)]
async fn the_alias_gives_a_share_to_a_version_with_the_layer_and_latest_is_restored() {
    let world = World::default();
    world.reset(beginning(), Script::new());
    let lambda = world.lambda();
    let canary = begin(&lambda, &world, FUNCTION, &canary_wish(), 250).await.unwrap();
    let now = world.scripted.lock().unwrap().plane.functions[FUNCTION].clone();
    assert_eq!(now.aliases["live"].weights["2"], 0.25);
    assert_eq!((now.aliases["live"].version.as_str(), now.aliases["live"].description.as_str()), ("1", "kept"));
    assert!(now.versions[&2].variables.contains_key("BROWNOUT_UNDO") && now.versions[&2].layers.len() == 1);
    assert_eq!(now.latest.variables, function().variables);
    take_back(&lambda, &world, FUNCTION, &run("r1"), &canary.alias, &canary.version).await.unwrap();
    assert!(is_as_it_was(&world));
    // Callers that called all the time never reached a version that was not ready or already
    // deleted.
    assert_eq!(broken(&world), Vec::<String>::new());
}

/// The calls of the alias that failed.
fn broken(world: &World) -> Vec<String> {
    world.scripted.lock().unwrap().plane.broken.clone()
}

#[tokio::test(start_paused = true)]
async fn deleting_a_version_at_once_or_not_waiting_for_it_is_detected() {
    let world = World::default();
    world.reset(beginning(), Script::new());
    let lambda = world.lambda().with_grace(std::time::Duration::ZERO);
    let canary = begin(&lambda, &world, FUNCTION, &canary_wish(), 250).await.unwrap();
    take_back(&lambda, &world, FUNCTION, &run("r1"), &canary.alias, &canary.version).await.unwrap();
    assert!(broken(&world).concat().contains("502"), "{:?}", broken(&world));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_does_not_become_active_gets_no_share_and_is_deleted() {
    let world = World::default();
    let mut plane = beginning();
    plane.publishing.looks = u32::MAX;
    world.reset(plane, Script::new());
    let error = begin(&world.lambda(), &world, FUNCTION, &canary_wish(), 250).await.unwrap_err();
    assert!(error.to_string().contains("version `2` did not become active: it is `Pending`"), "{error}");
    assert!(is_as_it_was(&world));
    assert_eq!(broken(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn only_what_the_alias_already_runs_is_published() {
    type Change = fn(&mut control_plane::Configuration);
    let changes: [(&str, Change); 8] = [
        ("in code:", |latest| latest.code = "b3RoZXI=".to_owned()),
        ("in memory:", |latest| drop(latest.others.insert("MemorySize".into(), json!(1024)))),
        ("in role:", |latest| drop(latest.others.insert("Role".into(), json!("arn:aws:iam::123456789012:role/other")))),
        ("in timeout:", |latest| drop(latest.others.insert("Timeout".into(), json!(9)))),
        ("in runtime:", |latest| latest.runtime = Some("python3.14".to_owned())),
        ("in layers:", |latest| latest.layers.push("arn:aws:lambda:eu-central-1:123456789012:layer:new:1".to_owned())),
        ("in variable NEW:", |latest| drop(latest.variables.insert("NEW".into(), "hidden-value".into()))),
        ("in memory, variable DB_PASSWORD:", |latest| {
            latest.others.insert("MemorySize".into(), json!(256));
            latest.variables.remove("DB_PASSWORD");
        }),
    ];
    let world = World::default();
    for (expected, change) in changes {
        let mut plane = beginning();
        change(&mut plane.functions.get_mut(FUNCTION).unwrap().latest);
        world.reset(plane.clone(), Script::new());
        let error = begin(&world.lambda(), &world, FUNCTION, &canary_wish(), 100).await.unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("version `1`"), "{expected} {error}");
        assert!(!error.contains("hidden-value") && !error.contains(crate::support::SECRET), "{error}");
        assert_eq!(world.scripted.lock().unwrap().plane.functions, plane.functions, "{expected}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_another_user_publishes_meanwhile_is_named_and_stays() {
    let (world, mut carried) = (World::default(), 0);
    let lambda = world.lambda();
    for effect in 0..40 {
        let publish = Accident::Edit { function: FUNCTION.to_owned(), edit: Edit::Publish };
        world.reset(beginning(), Script::from([(effect, publish)]));
        if let Ok(canary) = begin(&lambda, &world, FUNCTION, &canary_wish(), 100).await {
            take_back(&lambda, &world, FUNCTION, &run("r1"), &canary.alias, &canary.version).await.unwrap();
        }
        let now = world.scripted.lock().unwrap().plane.functions[FUNCTION].clone();
        let ours = |version: &control_plane::Configuration| version.layers.contains(&LAYER.to_owned());
        let theirs: Vec<_> = now.versions.values().filter(|version| ours(version)).map(|version| version.version.clone()).collect();
        assert!(now.versions.values().all(|version| version.description.is_empty()), "{effect}: ours is gone");
        assert_eq!(now.latest.variables, function().variables, "{effect}");
        // Listing and recovering report the same, and neither changes it.
        let listed: Vec<_> = list(&lambda).await.unwrap().iter().filter_map(|found| found.published()).map(|it| it.to_string()).collect();
        let recovered = recover(&lambda, &world, &Which::Of(run("r1")), &[]).await.unwrap();
        let said: Vec<_> = recovered.iter().map(|one| one.result.as_ref().unwrap_err().to_string()).collect();
        assert_eq!(listed, said);
        let named = recovered.iter().map(|one| match &one.result {
            Err(UndoError::Published { version, .. }) => version.clone(),
            other => panic!("{effect}: {other:?}"),
        });
        assert!(named.eq(theirs.iter().cloned()), "{effect}: {said:?}");
        carried += theirs.len();
    }
    assert!(carried >= 3, "{carried}");
}

#[tokio::test(start_paused = true)]
async fn recover_finds_the_version_and_the_share_after_any_accident_at_any_effect() {
    use Accident::{Busy, CrashAfter, CrashBefore, Internal, ReplyLost, RequestLost, Stale, Throttled};
    let accidents = [CrashBefore, CrashAfter, Busy, Stale, Throttled, Internal, ReplyLost, RequestLost];
    let (world, mut count) = (World::default(), 0);
    let lambda = world.lambda();
    let run_it = async |script: Script| {
        world.reset(beginning(), script);
        let whole = async {
            let canary = begin(&lambda, &world, FUNCTION, &canary_wish(), 100).await?;
            take_back(&lambda, &world, FUNCTION, &run("r1"), &canary.alias, &canary.version).await?;
            Ok::<_, CanaryError>(())
        };
        let ended = world.until_death(whole).await;
        world.revive();
        let effects = world.scripted.lock().unwrap().effects.clone();
        let recovered = recover(&lambda, &world, &Which::Over(5_000), &[]).await.unwrap();
        assert!(recovered.iter().all(|one| one.result.is_ok()), "{recovered:?}");
        assert_eq!(broken(&world), Vec::<String>::new());
        (effects, ended)
    };
    let (effects, ended) = run_it(Script::new()).await;
    assert!(matches!(ended, Some(Ok(()))) && is_as_it_was(&world), "{ended:?}");
    for (effect, accident) in effects.cases(0..effects.count(), &accidents) {
        let (_, ended) = run_it(Script::from([(effect, accident.clone())])).await;
        assert!(is_as_it_was(&world), "{effect} {accident:?} {ended:?} {:?}", world.scripted.lock().unwrap().plane.functions);
        count += 1;
    }
    println!("{count} canaries end clean");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_shared_is_refused_before_anything_is_touched() {
    let world = World::default();
    for (expected, change) in [
        ("points to `$LATEST`", (|alias: &mut Alias| alias.version = "$LATEST".to_owned()) as fn(&mut Alias)),
        ("already shares its calls", |alias| alias.weights = [("7".to_owned(), 0.1)].into()),
    ] {
        let mut plane = beginning();
        change(plane.functions.get_mut(FUNCTION).unwrap().aliases.get_mut("live").unwrap());
        world.reset(plane.clone(), Script::new());
        let error = begin(&world.lambda(), &world, FUNCTION, &canary_wish(), 100).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(world.scripted.lock().unwrap().plane.functions, plane.functions, "{expected}");
    }
}
