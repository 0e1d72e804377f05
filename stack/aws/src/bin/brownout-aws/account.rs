//! Which functions of an account an experiment may touch, and the driver of a run.

use std::error::Error;
use std::sync::Arc;

use aws::arm::{Place, Store};
use aws::attach::{self, Layer};
use aws::fis::Fis;
use aws::journal;
use aws::marker::{Run, now};
use aws::tags::is_production;
use aws::targets::Driver;
use aws::targets::deployed::{Deployed, Function, Reach};
use aws::targets::driven::{Driven, Wish};
use aws::{Lambda, Patience};
use exports::Mark;
use protocol::{AwsPlan, Via, chain};

/// The attach parameters of `function`, for a plan in this parameter.
fn wish(plan: &AwsPlan, run: &Run, parameter: String, function: &exports::Function) -> Result<attach::Wish, String> {
    let (experiment, at) = (&plan.experiment, now());
    Ok(attach::Wish {
        run: run.clone(),
        at,
        until: at + plan.longest.as_secs(),
        layer: Layer::try_from(experiment.layer.to_string())?,
        plan: Place::Parameter(parameter).address(),
        settings: experiment.settings(function).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        alias: function.alias.clone(),
    })
}

/// The functions, each with its attach parameters.
///
/// # Errors
/// If the layer's ARN is invalid.
pub fn wishes(plan: &AwsPlan, run: &Run, via: Via) -> Result<Vec<Function>, String> {
    let parameter = || match via {
        Via::Plan => plan.experiment.plan_parameter_of(run.name()),
        Via::Fis => plan.experiment.plan_parameter(),
    };
    let attached = |function: &exports::Function| {
        let (wish, alias_thousandths) = (wish(plan, run, parameter(), function)?, plan.experiment.alias_thousandths);
        Ok(Function { arn: function.arn.to_string(), name: function.name().to_owned(), wish, alias_thousandths })
    };
    plan.experiment.functions.iter().map(attached).collect()
}

/// Refuses functions without the tag with which their team allows faults, and production functions
/// unless `yes`.
///
/// # Errors
/// Every function that may not be struck, with the reason; or the call that failed.
pub async fn allowed(lambda: &Lambda, plan: &AwsPlan, yes: bool) -> Result<(), Box<dyn Error>> {
    let (key, value) = &plan.experiment.tag;
    let mut refused = Vec::new();
    for function in &plan.experiment.functions {
        let tags = lambda.tags(&function.arn.to_string()).await.map_err(|error| chain(&error))?;
        let name = function.name();
        if !tags.has(key, value) {
            refused.push(format!("`{name}` does not carry the tag `{key}={value}`; whoever owns it sets that to allow experiments"));
        }
        let by_tag = tags.production().map(|tag| format!("tag `{tag}`"));
        let by = by_tag.or_else(|| is_production(name).then(|| "name".to_owned()));
        if let Some(by) = by.filter(|_| !yes) {
            refused.push(format!("`{name}` is production by its {by}; `--yes` strikes it nevertheless"));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused.join("; ").into()) }
}

async fn reach(run: &protocol::Run) -> Result<Reach, Box<dyn Error>> {
    let plan = &run.plan;
    let config = aws::config(Some(&plan.experiment.layer.region)).await;
    let lambda = Lambda::new(&config, Patience::default()).with_grace(plan.experiment.alias_grace);
    allowed(&lambda, plan, run.yes).await?;
    let journal = journal::File::open(&run.folder.join("journal.ndjson")).map_err(|error| chain(&error))?;
    let (store, lag) = (Store::new(&config, Patience::default()), plan.ledger_lag);
    Ok(Reach { lambda, store, config, journal: Arc::new(journal), lag })
}

/// The driver of a run. It does not create or change anything yet.
///
/// # Errors
/// If functions may not be struck, or the journal cannot be written.
pub async fn driver(run: &protocol::Run) -> Result<Box<dyn Driver>, Box<dyn Error>> {
    let (name, reach, plan) = (Run::try_from(run.run.clone())?, reach(run).await?, &run.plan);
    Ok(match run.via {
        Via::Plan => {
            let place = Place::Parameter(plan.experiment.plan_parameter_of(name.name()));
            let functions = wishes(plan, &name, Via::Plan)?;
            Box::new(Deployed::new(reach, name, place, functions))
        }
        Via::Fis => {
            let fis = Fis::new(&reach.config, Patience::default());
            let mark = Mark { run: run.run.clone(), until: now() + plan.longest.as_secs() };
            let wish = Wish { experiment: plan.experiment.clone(), lead: plan.fis_lead, mark };
            Box::new(Driven::new(reach, fis, wish))
        }
    })
}
