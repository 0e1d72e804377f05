//! Publishing the layer: one version for each content and architecture, whatever happens to a call.

use std::collections::BTreeMap;

use aws::publish::{PublishError, publish};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control_plane::{Accident, ControlPlane};

use crate::support::World;

const ONE: &[u8] = b"PK\x03\x04one";
const OTHER: &[u8] = b"PK\x03\x04other";

fn code_sha(zip: &[u8]) -> String {
    STANDARD.encode(digest(&SHA256, zip))
}

/// The version's number, and whether it was made.
async fn published(world: &World, architecture: &str, zip: &[u8]) -> (String, bool) {
    let published = publish(&world.lambda(), "brownout", architecture, zip, &code_sha(zip)).await.unwrap();
    (published.arn.to_string().rsplit(':').next().unwrap().to_owned(), published.is_new)
}

#[tokio::test(start_paused = true)]
async fn each_content_becomes_one_version_for_its_architecture() {
    let world = World::default();
    let expected = [("x86_64", ONE, "1", true), ("x86_64", ONE, "1", false), ("arm64", ONE, "2", true), ("x86_64", OTHER, "3", true)];
    for (architecture, zip, number, is_new) in expected {
        assert_eq!(published(&world, architecture, zip).await, (number.to_owned(), is_new), "{architecture}");
    }
    // The newest is what counts: an older content is published again, so that it becomes the newest.
    assert_eq!(published(&world, "x86_64", ONE).await, ("4".to_owned(), true));
    let layers = world.scripted.lock().unwrap().plane.layers.clone();
    let architectures: Vec<_> = layers.values().map(|version| version.architectures.join(",")).collect();
    assert_eq!(architectures, ["x86_64", "arm64", "x86_64", "x86_64"]);
}

#[tokio::test(start_paused = true)]
async fn an_accident_at_any_call_leaves_one_version() {
    use Accident::{Internal, ReplyLost, RequestLost, Throttled};
    for accident in [Internal, ReplyLost, RequestLost, Throttled] {
        for at in 0..4 {
            let world = World::default();
            world.reset(ControlPlane::default(), BTreeMap::from([(at, accident.clone())]));
            let (number, _) = published(&world, "arm64", ONE).await;
            let count = world.scripted.lock().unwrap().plane.layers.len();
            assert_eq!((number.as_str(), count), ("1", 1), "{accident:?} at call {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_content_than_the_zips_is_an_error_that_names_the_version() {
    let world = World::default();
    let error = publish(&world.lambda(), "brownout", "x86_64", ONE, &code_sha(OTHER)).await.unwrap_err();
    assert!(matches!(error, PublishError::Other { .. }) && error.to_string().contains("layer:brownout:1"), "{error}");
    let error = publish(&world.lambda(), "brownout", "x86_64", b"no zip", &code_sha(b"no zip")).await.unwrap_err();
    assert!(error.to_string().contains("Could not unzip"), "{error}");
}
