//! Plans in SSM: armed, renewed, calmed and deleted, with every failure at one call.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::support::{PATIENCE, World, function};
use aws::arm::{ArmError, Armed, Brake, Place, Store};
use control_plane::{Accident, Script};
use faults::Plan;

const NAME: &str = "/brownout/r1";

fn plan(faults: usize) -> Plan {
    let fault = |n| {
        format!(
            r#"{{"name":"slow-{n}","place":{{"function":"thermostat"}},"share":0.5,"kind":{{"latency":{{"at":"before","time":"300ms"}}}}}}"#
        )
    };
    let faults = (0..faults).map(fault).collect::<Vec<_>>().join(",");
    Plan::read(format!(r#"{{"version":1,"run":"r1","sequence":1,"lease_ms":5000,"seed":7,"faults":[{faults}]}}"#).as_bytes()).unwrap()
}

fn there(world: &World) -> Option<(Plan, String)> {
    let parameter = world.scripted.lock().unwrap().plane.parameters.get(NAME).cloned()?;
    Some((Plan::read(parameter.value.as_bytes()).unwrap(), parameter.tier))
}

async fn arm(world: &World, plan: Plan) -> Result<Armed, ArmError> {
    Armed::arm(Store::new(&world.config(), PATIENCE), world, Place::Parameter(NAME.to_owned()), plan).await
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_armed_renewed_calmed_and_deleted_despite_a_failure_at_any_one_call() {
    use Accident::{Busy, Internal, ReplyLost, RequestLost, Throttled};
    for (effect, accident) in
        (0..12).flat_map(|effect| [Busy, Internal, ReplyLost, RequestLost, Throttled].map(|accident| (effect, accident)))
    {
        let world = World::with(control_plane::Function::new(function()));
        world.scripted.lock().unwrap().script = Script::from([(effect, accident.clone())]);
        let mut armed = arm(&world, plan(1)).await.unwrap();
        let (armed_plan, tier) = there(&world).unwrap();
        assert_eq!((Plan { until_ms: None, ..armed_plan }, tier.as_str()), (plan(1), "Standard"), "{effect} {accident:?}");
        armed.renew(&world).await.unwrap();
        assert_eq!(there(&world).unwrap().0.sequence, 2);
        armed.calm(&world).await.unwrap();
        let (calm, _) = there(&world).unwrap();
        assert_eq!((calm.sequence, calm.faults.len()), (3, 0));
        armed.disarm(&world).await.unwrap();
        assert_eq!(there(&world), None);
    }
}

#[tokio::test(start_paused = true)]
async fn every_written_plan_contains_the_end_of_its_lease() {
    let world = World::with(control_plane::Function::new(function()));
    let ends_with_its_lease = |from: SystemTime| {
        let (plan, _) = there(&world).unwrap();
        let ms = |at: SystemTime| u64::try_from(at.duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        let until = plan.until_ms.expect("it has no end");
        assert!((ms(from) + 5_000..=ms(SystemTime::now()) + 5_000).contains(&until), "{until}");
    };
    let from = SystemTime::now();
    let mut armed = arm(&world, plan(1)).await.unwrap();
    ends_with_its_lease(from);
    std::thread::sleep(Duration::from_millis(20));
    let from = SystemTime::now();
    armed.renew(&world).await.unwrap();
    ends_with_its_lease(from);
    armed.replace(&world, Plan { until_ms: Some(1), ..plan(1) }).await.unwrap();
    ends_with_its_lease(from);
}

#[tokio::test(start_paused = true)]
async fn a_plan_above_4_kb_becomes_an_advanced_parameter_and_above_8_kb_is_refused() {
    let world = World::with(control_plane::Function::new(function()));
    let mut armed = arm(&world, plan(60)).await.unwrap();
    assert_eq!(there(&world).unwrap().1, "Advanced");
    armed.renew(&world).await.unwrap();
    // It now fits into a standard parameter, but stays an advanced one.
    armed.calm(&world).await.unwrap();
    let (calm, tier) = there(&world).unwrap();
    assert_eq!((calm.faults.len(), tier.as_str()), (0, "Advanced"));
    armed.disarm(&world).await.unwrap();
    assert_eq!(there(&world), None);
    let error = arm(&world, plan(100)).await.unwrap_err();
    assert!(error.to_string().contains("s3://<bucket>/<key>"), "{error}");
}

/// What another user does to the parameter: deletes it, or writes something.
const HANDS: [(Brake, Option<&str>); 3] = [
    (Brake::Deleted, None),
    (Brake::Replaced, Some("off")),
    (Brake::Replaced, Some(r#"{"version":1,"run":"r2","sequence":1,"lease_ms":5000,"seed":7,"faults":[]}"#)),
];

#[tokio::test(start_paused = true)]
async fn deleting_or_replacing_a_plan_stops_its_faults_for_good() {
    for (brake, hand) in HANDS {
        let world = World::with(control_plane::Function::new(function()));
        let mut armed = arm(&world, plan(1)).await.unwrap();
        armed.renew(&world).await.unwrap();
        armed.look().await.unwrap();
        world.scripted.lock().unwrap().plane.set_parameter(NAME, hand);
        let left = world.scripted.lock().unwrap().plane.parameters.clone();
        for _ in 0..2 {
            let error = armed.renew(&world).await.unwrap_err();
            assert!(matches!(&error, ArmError::Stopped { how, .. } if *how == brake), "{error}");
            assert!(matches!(armed.look().await, Err(ArmError::Stopped { .. })));
        }
        armed.calm(&world).await.unwrap();
        assert_eq!(world.scripted.lock().unwrap().plane.parameters, left, "{brake}: nothing is written over it");
        // The parameter was created by this run and has its name, so it is deleted in the end.
        armed.disarm(&world).await.unwrap();
        assert!(world.scripted.lock().unwrap().plane.parameters.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_the_read_and_the_write_is_obeyed() {
    for value in [None, Some("off".to_owned())] {
        let world = World::with(control_plane::Function::new(function()));
        let mut armed = arm(&world, plan(1)).await.unwrap();
        {
            let mut scripted = world.scripted.lock().unwrap();
            // The journal's line, the read, and then the write.
            let write = scripted.effects.count() + 2;
            scripted.script = Script::from([(write, Accident::Parameter { name: NAME.to_owned(), value })]);
        }
        let error = armed.renew(&world).await.unwrap_err();
        assert!(matches!(error, ArmError::Stopped { .. }), "{error}");
        assert_eq!(there(&world), None, "what was written over it does not stand");
    }
}

#[tokio::test(start_paused = true)]
async fn if_two_runs_begin_together_one_gets_the_place_and_the_other_does_not_touch_it() {
    let world = World::with(control_plane::Function::new(function()));
    let store = Store::new(&world.config(), PATIENCE);
    let mut both = ["r1", "r2"].map(|run| {
        let plan = Plan { run: run.to_owned(), ..plan(1) };
        Armed::new(store.clone(), Place::Parameter(NAME.to_owned()), plan)
    });
    let [one, two] = &mut both;
    let (first, second) = tokio::join!(one.renew(&world), two.renew(&world));
    assert!(first.is_ok() && matches!(second, Err(ArmError::Taken { .. })), "{first:?} {second:?}");
    let [one, two] = both;
    two.disarm(&world).await.unwrap();
    assert_eq!(there(&world).unwrap().0.run, "r1");
    one.disarm(&world).await.unwrap();
    assert_eq!(there(&world), None);
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_another_run_is_not_touched() {
    let world = World::with(control_plane::Function::new(function()));
    arm(&world, Plan { run: "other".to_owned(), ..plan(1) }).await.unwrap();
    let error = arm(&world, plan(1)).await.unwrap_err();
    assert!(matches!(error, ArmError::Taken { .. }), "{error}");
    assert_eq!(there(&world).unwrap().0.run, "other");
}
