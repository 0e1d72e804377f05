//! Plans in SSM: armed, renewed, calmed and deleted, whatever happens at one call.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws::arm::{ArmError, Armed, Place, Store};
use control_plane::{Accident, Script};
use faults::Plan;
use support::{PATIENCE, World, function};

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
async fn a_plan_is_armed_renewed_calmed_and_deleted_whatever_happens_at_one_call() {
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
async fn every_plan_that_is_written_says_when_its_lease_is_over() {
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
async fn a_plan_of_more_than_4_kb_is_an_advanced_parameter_and_of_more_than_8_kb_none() {
    let world = World::with(control_plane::Function::new(function()));
    arm(&world, plan(60)).await.unwrap();
    assert_eq!(there(&world).unwrap().1, "Advanced");
    let error = arm(&world, plan(100)).await.unwrap_err();
    assert!(error.to_string().contains("s3://<bucket>/<key>"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_plan_of_another_run_is_left_alone() {
    let world = World::with(control_plane::Function::new(function()));
    arm(&world, Plan { run: "other".to_owned(), ..plan(1) }).await.unwrap();
    let error = arm(&world, plan(1)).await.unwrap_err();
    assert!(matches!(error, ArmError::Taken { .. }), "{error}");
    assert_eq!(there(&world).unwrap().0.run, "other");
}
