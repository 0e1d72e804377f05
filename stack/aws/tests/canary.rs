//! A version with ours for a share of an alias, with an accident at every effect.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use aws::attach::Wish;
use aws::canary::{CanaryError, begin, take_back};
use aws::recover::{Which, recover};
use control_plane::{Accident, Alias, ControlPlane, Function, Script, Settling};
use support::{FUNCTION, World, function, plane, run, wish};

fn beginning() -> ControlPlane {
    let mut function = Function::new(function());
    let mut version = function.latest.clone();
    version.version = "1".to_owned();
    function.versions.insert(1, version);
    function.last_version = 1;
    function.aliases.insert("live".to_owned(), Alias { description: "kept".to_owned(), ..Alias::new("1") });
    let mut plane = plane(function);
    plane.settling = Settling { looks: 1, next_fails: None };
    plane
}

fn canary_wish() -> Wish {
    Wish { alias: Some("live".to_owned()), ..wish("r1") }
}

/// All that a canary may not leave behind.
fn is_as_it_was(world: &World) -> bool {
    let now = world.scripted.lock().unwrap().plane.functions[FUNCTION].clone();
    let before = beginning().functions[FUNCTION].clone();
    let alias = |function: &Function| Alias { revision: 0, ..function.aliases["live"].clone() };
    (now.latest.layers.clone(), now.latest.variables.clone()) == (before.latest.layers.clone(), before.latest.variables.clone())
        && now.versions.keys().eq(before.versions.keys())
        && alias(&now) == alias(&before)
}

#[tokio::test(start_paused = true)]
async fn the_alias_gives_a_share_to_a_version_with_ours_and_latest_is_as_it_was() {
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
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_at_whichever_effect_recover_finds_the_version_and_the_share() {
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
        let effects = world.scripted.lock().unwrap().effects;
        let recovered = recover(&lambda, &world, &Which::Over(5_000), &[]).await.unwrap();
        assert!(recovered.iter().all(|one| one.result.is_ok()), "{recovered:?}");
        (effects, ended)
    };
    let (effects, ended) = run_it(Script::new()).await;
    assert!(matches!(ended, Some(Ok(()))) && is_as_it_was(&world), "{ended:?}");
    for effect in 0..effects {
        for accident in &accidents {
            let (_, ended) = run_it(Script::from([(effect, accident.clone())])).await;
            assert!(is_as_it_was(&world), "{effect} {accident:?} {ended:?} {:?}", world.scripted.lock().unwrap().plane.functions);
            count += 1;
        }
    }
    println!("{count} canaries end clean");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_cannot_be_shared_is_refused_before_anything_is_touched() {
    let world = World::default();
    for (expected, change) in [
        ("stands for `$LATEST`", (|alias: &mut Alias| alias.version = "$LATEST".to_owned()) as fn(&mut Alias)),
        ("already shares its calls", |alias| alias.weights = [("7".to_owned(), 0.1)].into()),
    ] {
        let mut plane = beginning();
        change(plane.functions.get_mut(FUNCTION).unwrap().aliases.get_mut("live").unwrap());
        world.reset(plane.clone(), Script::new());
        let error = begin(&world.lambda(), &world, FUNCTION, &canary_wish(), 100).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
        assert_eq!(world.scripted.lock().unwrap().plane, plane, "{expected}");
    }
}
