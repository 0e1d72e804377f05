//! A stack is looked up by its name: nested stacks, pages, throttling, states, functions, layers,
//! APIs with their keys, user pools and the broker, on the control plane without a socket.

use std::time::Duration;

use crate::clinic::{ask, function_arn, plane};
use crate::support::World;
use aws::Patience;
use aws::named_stack::{ResolveError, resolve};
use control_plane::{ControlPlane, Stack, StackResource};
use protocol::{Resolve, Resolved};
use run_folder::Pool;

const PATIENCE: Patience = Patience { total: Duration::from_secs(10), first: Duration::from_millis(200), most: Duration::from_secs(5) };

fn world(change: impl FnOnce(&mut ControlPlane)) -> World {
    let world = World::default();
    let mut plane = plane();
    change(&mut plane);
    world.scripted.lock().unwrap().plane = plane;
    world
}

async fn look(world: &World, wish: &Resolve) -> Result<Resolved, ResolveError> {
    resolve(&world.config(), PATIENCE, wish).await
}

async fn error(change: impl FnOnce(&mut ControlPlane), wish: &Resolve) -> String {
    look(&world(change), wish).await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn everything_that_a_run_needs_comes_from_the_name() {
    let found = look(&world(|_| ()), &ask(&["authorizer", "Pruner"])).await.unwrap();
    assert_eq!((found.stack.as_str(), found.region.as_str(), found.account.as_str()), ("clinic-dev", "eu-central-1", "123456789012"));
    assert_eq!(found.layer.to_string(), crate::clinic::layer(4));
    let [authorizer, pruner] = found.functions.as_slice() else { panic!("{:?}", found.functions) };
    assert_eq!((authorizer.arn.to_string(), pruner.arn.to_string()), (function_arn("authorizer"), function_arn("clinic-dev-Pruner-1A")));
    assert_eq!((authorizer.log_group.as_deref(), pruner.log_group.as_deref()), (None, Some("/clinic/pruner")));
    assert_eq!(
        (authorizer.timeout, authorizer.role.to_string().as_str()),
        (Duration::from_secs(3), "arn:aws:iam::123456789012:role/function")
    );
    let layers: Vec<_> = pruner.layers.iter().map(ToString::to_string).collect();
    assert_eq!(layers, ["arn:aws:lambda:eu-central-1:123456789012:layer:tracing:2"], "without an older version of brownout's");
    let addresses = &found.addresses;
    assert_eq!(addresses.functions, ["authorizer", "clinic-dev-Pruner-1A"]);
    assert_eq!(addresses.apis.keys().collect::<Vec<_>>(), ["AuditApi", "ClinicApi", "WebApi"]);
    let of = |name: &str| {
        let api = addresses.api(name).unwrap();
        (api.host.as_str(), api.stage.as_str(), api.key.as_str())
    };
    assert_eq!(of("ClinicApi"), ("rest1.execute-api.eu-central-1.amazonaws.com", "/dev", ""));
    assert_eq!(of("AuditApi"), ("rest2.execute-api.eu-central-1.amazonaws.com", "/prod", "the-stacks-key"));
    assert_eq!(of("WebApi"), ("http1.execute-api.eu-central-1.amazonaws.com", "", ""));
    let pool = Pool {
        name: "clinic-internal".into(),
        id: "eu-central-1_Internal".into(),
        client_id: "client-of-the-stack".into(),
        other_client_id: "client-by-hand".into(),
        issuer: "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Internal".into(),
    };
    assert_eq!(addresses.pools, [pool]);
    assert_eq!(addresses.mqtt, "mqtts://broker-ats.iot.eu-central-1.amazonaws.com:8883");
    assert!(!addresses.is_local());
    let id = |logical: &str| found.resources.get(logical).map(String::as_str);
    assert_eq!(id("AppointmentsTable"), Some("clinic-dev-AppointmentsTable-1B"));
    assert_eq!(id("InnerQueue"), Some("https://sqs.eu-central-1.amazonaws.com/123456789012/inner"), "of the nested stack");
    assert_eq!(id("Shared"), Some("outer"), "where ids clash, the outer stack's counts");
    assert_eq!((id("Removed"), id("NotYet")), (None, None), "deleted, and never created");
}

#[tokio::test(start_paused = true)]
async fn a_large_stack_is_read_page_by_page_with_what_is_nested_in_it() {
    let many: Vec<_> = (0..240).map(|n| format!("Queue{n:03}")).collect();
    let mut nested: Vec<_> = many.iter().map(|name| (name.as_str(), "AWS::SQS::Queue", name.as_str())).collect();
    nested.push(("Last", "AWS::Lambda::Function", "clinic-dev-Pruner-1A"));
    let large = Stack::new("large", &nested);
    let outer = Stack::new("outer", &[("Nested", "AWS::CloudFormation::Stack", &large.arn())]);
    let world = world(|plane| {
        // Pages that fail are read again, and none is left out.
        plane.throttling = [("DescribeStacks".to_owned(), 2), ("ListStackResources".to_owned(), 3)].into();
        plane.stacks.extend([large, outer]);
    });
    let found = look(&world, &Resolve { stack: "outer".into(), ..ask(&["last"]) }).await.unwrap();
    assert_eq!((found.resources.len(), found.functions[0].name()), (242, "clinic-dev-Pruner-1A"));
    let by_arn = Resolve {
        stack: "arn:aws:cloudformation:eu-central-1:123456789012:stack/outer/00000000-0000-4000-8000-000000000000".into(),
        ..ask(&[])
    };
    assert_eq!(look(&world, &by_arn).await.unwrap().stack, "outer");
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_cannot_be_used_is_refused_with_the_fix() {
    for (status, says) in [
        ("UPDATE_IN_PROGRESS", "is in `UPDATE_IN_PROGRESS`: wait"),
        ("ROLLBACK_COMPLETE", "delete it, and deploy again"),
        ("UPDATE_ROLLBACK_FAILED", "continue the rollback"),
        ("DELETE_FAILED", "deploy again"),
    ] {
        let said = error(|plane| plane.stacks[0].status = status.into(), &ask(&[])).await;
        assert!(said.starts_with("the stack `clinic-dev` is in ") && said.contains(says), "{status}: {said}");
    }
    let said = error(|plane| plane.stacks[0].status = "DELETE_COMPLETE".into(), &ask(&[])).await;
    assert!(said.starts_with("there is no stack `clinic-dev` in Region `eu-central-1`"), "{said}");
    let circle = |plane: &mut ControlPlane| {
        let arn = plane.stacks[0].arn();
        let inner = StackResource {
            logical: "Again".into(),
            physical: Some(arn),
            kind: "AWS::CloudFormation::Stack".into(),
            status: "CREATE_COMPLETE".into(),
        };
        plane.stacks[0].resources.push(inner);
    };
    let said = error(circle, &ask(&[])).await;
    assert!(said.contains("is nested in 10 others"), "{said}");
    let said = error(|plane| plane.throttling.extend([("DescribeStacks".to_owned(), u32::MAX)]), &ask(&[])).await;
    assert!(said.contains("`DescribeStacks` of `clinic-dev` failed with `Throttling`: Rate exceeded"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn functions_and_layers_that_are_missing_are_named() {
    let said = error(|_| (), &ask(&["authoriser", "pruner", "queue"])).await;
    assert!(said.contains("no function `authoriser`; it has `AuthorizerFunction`, ") && said.contains("no function `queue`"), "{said}");
    assert!(!said.contains("function `pruner`"), "{said}");
    let said = error(|plane| plane.layers.retain(|arn, _| !arn.contains(":brownout:")), &ask(&["authorizer"])).await;
    assert!(said.contains("no version of the layer `brownout` for `x86_64`") && said.contains("`brownout layer build`"), "{said}");
    let arm = |plane: &mut ControlPlane| plane.functions.get_mut("authorizer").unwrap().latest.architecture = "arm64".into();
    let found = look(&world(arm), &ask(&["authorizer"])).await.unwrap();
    assert_eq!(found.layer.to_string(), crate::clinic::layer(5), "the newest one for its architecture");
    let said = error(arm, &ask(&["authorizer", "Pruner"])).await;
    assert!(said.contains("for `arm64` and `x86_64`"), "{said}");
    let named = Resolve { layer: Some(crate::clinic::layer(2)), ..ask(&["authorizer"]) };
    assert_eq!(look(&world(|_| ()), &named).await.unwrap().layer.to_string(), crate::clinic::layer(2));
    let said = error(|_| (), &Resolve { layer: Some("brownout".into()), ..ask(&[]) }).await;
    assert!(said.starts_with("invalid layer: "), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_key_opens_an_api_only_if_it_is_the_stacks_own_and_enabled() {
    let key = |change: fn(&mut ControlPlane)| async move {
        let found = look(&world(change), &ask(&[])).await.unwrap();
        found.addresses.api("AuditApi").unwrap().key.clone()
    };
    assert_eq!(key(|plane| drop(plane.apis.keys.insert("key1".into(), ("x".into(), false)))).await, "");
    assert_eq!(key(|plane| plane.apis.plans.get_mut("plan1").unwrap().keys = vec!["customer".into()]).await, "");
    assert_eq!(key(|plane| plane.apis.plans.get_mut("plan1").unwrap().stages[0].1 = "beta".into()).await, "");
}

#[tokio::test(start_paused = true)]
async fn what_a_stack_has_not_is_empty() {
    let world = world(|plane| plane.stacks[0].resources.retain(|resource| resource.kind == "AWS::Lambda::Function"));
    let addresses = look(&world, &ask(&["authorizer"])).await.unwrap().addresses;
    assert!(addresses.apis.is_empty() && addresses.pools.is_empty());
    assert_eq!((addresses.mqtt.as_str(), addresses.sign_in.as_str()), ("", ""));
}
