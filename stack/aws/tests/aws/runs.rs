//! Two and three runs at once on one function, beginning in every order and ending in every order.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{FUNCTION, World, function, plane, run, wish};
use aws::Lambda;
use aws::attach::{AttachError, Complaint, attach};
use aws::recover::{Which, list, recover};
use aws::undo::{Proof, undo};
use control_plane::{Configuration, Function, Settling};

const NAMES: [&str; 3] = ["a", "b", "c"];

fn beginning() -> Configuration {
    let mut beginning = function();
    beginning.variables.insert("AWS_LAMBDA_EXEC_WRAPPER".to_owned(), "/opt/own".to_owned());
    beginning
}

fn begin(world: &World) {
    let mut begin = plane(Function::new(beginning()));
    begin.settling = Settling { looks: 1, next_fails: None };
    world.reset(begin, BTreeMap::new());
}

fn is_as_it_was(world: &World) -> bool {
    let (latest, before) = (world.latest(), beginning());
    (latest.layers, latest.variables) == (before.layers, before.variables)
}

/// Attaches after this many turns of the others.
async fn attach_after(lambda: &Lambda, world: &World, name: &str, turns: u32) -> Result<(), AttachError> {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
    attach(lambda, world, FUNCTION, &wish(name)).await.map(drop)
}

fn is_locked(result: &Result<(), AttachError>) -> bool {
    matches!(result, Err(AttachError::Refused { complaints, .. }) if matches!(complaints.as_slice(), [Complaint::Locked { .. }]))
}

#[tokio::test(start_paused = true)]
async fn one_of_several_simultaneous_runs_gets_the_function_and_any_order_of_ending_is_clean() {
    let (world, mut count) = (World::default(), 0);
    let lambda = world.lambda();
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (second, third) in (0..12).flat_map(|second| (0..12).map(move |third| (second, third))) {
        for order in orders {
            for runs in [2, 3] {
                begin(&world);
                let turns = [0, second, third];
                let all = (0..runs).map(|at| attach_after(&lambda, &world, NAMES[at], turns[at]));
                let results = futures::future::join_all(all).await;
                assert_eq!(results.iter().filter(|one| one.is_ok()).count(), 1, "{turns:?} {results:?}");
                assert!(results.iter().all(|one| one.is_ok() || is_locked(one)), "{turns:?} {results:?}");
                for at in order.into_iter().filter(|at| *at < runs) {
                    let proof = undo(&lambda, &world, FUNCTION, &run(NAMES[at]), None).await.unwrap();
                    let expected = if results[at].is_ok() { Proof::Identical } else { Proof::NothingThere };
                    assert_eq!(proof, expected, "{turns:?} {order:?}");
                }
                assert!(is_as_it_was(&world), "{turns:?} {order:?}");
                count += 1;
            }
        }
    }
    println!("{count} times two or three runs at once");
}

/// A whole run that waits until the others have detached.
async fn in_turn(lambda: &Lambda, world: &World, name: &str, turns: u32) {
    loop {
        match attach_after(lambda, world, name, turns).await {
            Ok(()) => break,
            locked if is_locked(&locked) => tokio::time::sleep(Duration::from_millis(300)).await,
            other => panic!("{name}: {other:?}"),
        }
    }
    undo(lambda, world, FUNCTION, &run(name), None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn runs_that_wait_for_each_other_all_get_the_function() {
    let world = World::default();
    let lambda = world.lambda();
    for (second, third) in (0..12).flat_map(|second| (0..12).map(move |third| (second, third))) {
        begin(&world);
        let all = [("a", 0), ("b", second), ("c", third)].map(|(name, turns)| in_turn(&lambda, &world, name, turns));
        futures::future::join_all(all).await;
        assert!(is_as_it_was(&world), "{second} {third}");
        let noted = world.journal.lock().unwrap().len();
        assert!(noted >= 6, "{noted}");
    }
}

#[tokio::test(start_paused = true)]
async fn recover_undoes_only_runs_that_have_expired_or_are_named() {
    let world = World::default();
    let lambda = world.lambda();
    for (which, back) in [
        (Which::Over(1_999), false),
        (Which::Over(2_000), true),
        (Which::Of(run("b")), false),
        (Which::Of(run("a")), true),
        (Which::All, true),
    ] {
        begin(&world);
        attach(&lambda, &world, FUNCTION, &wish("a")).await.unwrap();
        let found = list(&lambda).await.unwrap();
        assert_eq!((found.len(), found[0].is_over(1_999), found[0].is_over(2_000)), (1, false, true));
        let recovered = recover(&lambda, &world, &which, &[]).await.unwrap();
        assert_eq!(recovered.len(), usize::from(back), "{which:?}");
        assert_eq!(is_as_it_was(&world), back, "{which:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn recover_goes_through_every_page_of_functions() {
    let world = World::default();
    let lambda = world.lambda();
    begin(&world);
    for at in 0..120 {
        let mut other = Configuration::new(&format!("other-{at:03}"));
        other.variables.insert("KIND".to_owned(), "b".to_owned());
        world.scripted.lock().unwrap().plane.add(Function::new(other));
    }
    for function in [FUNCTION, "other-007", "other-077"] {
        attach(&lambda, &world, function, &wish("a")).await.unwrap();
    }
    let recovered = recover(&lambda, &world, &Which::Over(5_000), &[]).await.unwrap();
    assert_eq!(recovered.len(), 3);
    assert!(recovered.iter().all(|one| matches!(one.result, Ok(Proof::Identical))), "{recovered:?}");
    assert_eq!(list(&lambda).await.unwrap(), []);
}
