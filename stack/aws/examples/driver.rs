//! One run against a control plane on this machine: attach, arm, renew, calm, delete the plan,
//! detach. It can be killed at any moment; `recover` must then find what is left behind.

use std::time::Duration;

use aws::arm::{Armed, Place, Store};
use aws::attach::{Layer, Wish, attach};
use aws::journal::File;
use aws::marker::{Run, now};
use aws::undo::undo;
use aws::{Lambda, Patience};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
use faults::Plan;

const USAGE: &str = "driver ENDPOINT FUNCTION RUN LAYER-ARN JOURNAL";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [endpoint, function, run, layer, journal] = words.as_slice() else { return Err(USAGE.into()) };
    let credentials = Credentials::new("AKIDEXAMPLE", "example", None, None, "the driver");
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .endpoint_url(endpoint)
        .build();
    let patience = Patience { total: Duration::from_secs(20), first: Duration::from_millis(2), most: Duration::from_millis(50) };
    let (lambda, store, journal) = (Lambda::new(&config, patience), Store::new(&config, patience), File::open(journal.as_ref())?);
    let place = Place::Parameter(format!("/brownout/{run}"));
    let wish = Wish {
        run: Run::try_from(run.clone())?,
        at: now(),
        until: now() + 600,
        layer: Layer::try_from(layer.clone())?,
        plan: place.address(),
        settings: std::collections::BTreeMap::new(),
        alias: None,
    };
    let attached = attach(&lambda, &journal, function, &wish).await?;
    println!("attached");
    let fault =
        format!(r#"{{"name":"slow","place":{{"function":"{function}"}},"share":1,"kind":{{"latency":{{"at":"before","time":"300ms"}}}}}}"#);
    let plan = format!(r#"{{"version":1,"run":"{run}","sequence":1,"lease_ms":60000,"seed":7,"faults":[{fault}]}}"#);
    let mut armed = Armed::arm(store, &journal, place, Plan::read(plan.as_bytes())?).await?;
    armed.renew(&journal).await?;
    armed.calm(&journal).await?;
    armed.disarm(&journal).await?;
    let proof = undo(&lambda, &journal, function, &wish.run, Some(&attached.record)).await?;
    println!("detached: {proof:?}");
    Ok(())
}
