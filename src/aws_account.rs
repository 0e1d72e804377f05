//! What of an account an experiment may touch, and the target that touches it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use aws::arm::{Place, Store};
use aws::attach::{Layer, Wish};
use aws::journal;
use aws::marker::{Run, now};
use aws::{Lambda, Patience};
use stack::targets::deployed::{Deployed, Function, Reach};

use crate::experiment::Plan;

/// What `function` of `plan` is attached with.
fn wish(plan: &Plan, run: &Run, experiment: &aws::exports::Experiment, function: &aws::exports::Function) -> Result<Wish, String> {
    let at = now();
    let settings = experiment.settings(function).into_iter().filter(|(name, _)| *name != "BROWNOUT_BOOTSTRAP");
    Ok(Wish {
        run: run.clone(),
        at,
        until: at + plan.lasts_at_most().as_secs(),
        layer: Layer::try_from(experiment.layer.to_string())?,
        plan: Place::Parameter(experiment.plan_parameter()).address(),
        bootstrap: function.bootstrap.clone(),
        settings: settings.map(|(name, value)| (name.to_owned(), value)).collect(),
        alias: None,
    })
}

/// The functions of a plan with what each is attached with; none where the plan is not on deployed functions.
///
/// # Errors
/// Where the layer is none.
pub fn wishes(plan: &Plan, run: &Run) -> Result<Vec<Function>, String> {
    let Some(experiment) = plan.for_aws() else { return Ok(Vec::new()) };
    let attached = |function: &aws::exports::Function| {
        let wish = wish(plan, run, &experiment, function)?;
        Ok(Function { arn: function.arn.to_string(), name: function.name().to_owned(), wish })
    };
    experiment.functions.iter().map(attached).collect()
}

/// Refuses functions that do not carry the tag by which their team allows this, and those of production unless `yes`.
///
/// # Errors
/// Every function that may not be struck, and why; or the call that failed.
pub async fn allowed(lambda: &Lambda, plan: &Plan, yes: bool) -> Result<(), Box<dyn Error>> {
    let Some(deployed) = &plan.deployed else { return Ok(()) };
    let (key, value) = &deployed.tag;
    let mut refused = Vec::new();
    for function in &deployed.functions {
        let tags = lambda.tags(&function.arn.to_string()).await.map_err(|error| crate::chain(&error))?;
        let name = function.name();
        if !tags.has(key, value) {
            refused.push(format!("`{name}` does not carry the tag `{key}={value}`; whoever owns it sets that to allow experiments"));
        }
        if let Some(tag) = tags.production().filter(|_| !yes) {
            refused.push(format!("`{name}` is production by its tag `{tag}`; `--yes` strikes it nevertheless"));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused.join("; ").into()) }
}

/// The target of a run: nothing is touched yet. The journal goes into `folder`.
///
/// # Errors
/// Where functions may not be struck, or the journal cannot be written.
pub async fn target(plan: &Plan, run: &str, folder: &Path, yes: bool) -> Result<Deployed, Box<dyn Error>> {
    let (Some(experiment), Some(deployed)) = (plan.for_aws(), &plan.deployed) else {
        return Err("the experiment names no deployed function; write `[aws]`".into());
    };
    let run = Run::try_from(run.to_owned())?;
    let config = aws::config(Some(&experiment.layer.region)).await;
    let lambda = Lambda::new(&config, Patience::default());
    allowed(&lambda, plan, yes).await?;
    let journal = Arc::new(journal::File::open(&folder.join("journal.ndjson")).map_err(|error| crate::chain(&error))?);
    let store = Store::new(&config, Patience::default());
    let functions = wishes(plan, &run)?;
    let place = Place::Parameter(experiment.plan_parameter());
    Ok(Deployed::new(Reach { lambda, store, config, journal, lag: deployed.ledger_lag }, run, place, functions))
}
