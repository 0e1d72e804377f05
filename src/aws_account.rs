//! What of an account an experiment may touch, and the targets that touch it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use aws::arm::{Place, Store};
use aws::attach::{self, Layer};
use aws::fis::Fis;
use aws::journal;
use aws::marker::{Run, now};
use aws::tags::is_production;
use aws::{Lambda, Patience};
use engine::Plan;
use exports::Experiment;
use stack::targets::deployed::{Deployed, Function, Reach};
use stack::targets::driven::{Driven, Wish};

/// What `function` of `plan` is attached with.
fn wish(plan: &Plan, run: &Run, experiment: &Experiment, function: &exports::Function) -> Result<attach::Wish, String> {
    let at = now();
    Ok(attach::Wish {
        run: run.clone(),
        at,
        until: at + plan.lasts_at_most().as_secs(),
        layer: Layer::try_from(experiment.layer.to_string())?,
        plan: Place::Parameter(experiment.plan_parameter_of(run.name())).address(),
        settings: experiment.settings(function).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        alias: function.alias.clone(),
    })
}

/// The functions of a plan with what each is attached with; none where the plan is not on deployed functions.
///
/// # Errors
/// Where the layer is none.
pub fn wishes(plan: &Plan, run: &Run) -> Result<Vec<Function>, String> {
    let Some(experiment) = plan.for_aws() else { return Ok(Vec::new()) };
    let alias_thousandths = plan.deployed.as_ref().map_or(0, |deployed| deployed.alias_thousandths);
    let attached = |function: &exports::Function| {
        let wish = wish(plan, run, &experiment, function)?;
        Ok(Function { arn: function.arn.to_string(), name: function.name().to_owned(), wish, alias_thousandths })
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
        let by_tag = tags.production().map(|tag| format!("tag `{tag}`"));
        let by = by_tag.or_else(|| is_production(name).then(|| "name".to_owned()));
        if let Some(by) = by.filter(|_| !yes) {
            refused.push(format!("`{name}` is production by its {by}; `--yes` strikes it nevertheless"));
        }
    }
    if refused.is_empty() { Ok(()) } else { Err(refused.join("; ").into()) }
}

/// What a run on an account is made with.
pub struct Account<'a> {
    /// The checked experiment.
    pub plan: &'a Plan,
    /// The run's id.
    pub run: &'a str,
    /// Where the journal goes.
    pub folder: &'a Path,
    /// Whether functions of production may be struck.
    pub yes: bool,
}

impl Account<'_> {
    fn experiment(&self) -> Result<Experiment, Box<dyn Error>> {
        self.plan.for_aws().ok_or_else(|| "the experiment names no deployed function; write `[aws]`".into())
    }

    async fn reach(&self, experiment: &Experiment) -> Result<Reach, Box<dyn Error>> {
        let config = aws::config(Some(&experiment.layer.region)).await;
        let grace = self.plan.deployed.as_ref().map(|deployed| deployed.alias_grace).unwrap_or_default();
        let lambda = Lambda::new(&config, Patience::default()).with_grace(grace);
        allowed(&lambda, self.plan, self.yes).await?;
        let journal = journal::File::open(&self.folder.join("journal.ndjson")).map_err(|error| crate::chain(&error))?;
        let lag = self.plan.deployed.as_ref().map(|deployed| deployed.ledger_lag).unwrap_or_default();
        Ok(Reach { lambda, store: Store::new(&config, Patience::default()), config, journal: Arc::new(journal), lag })
    }

    /// The functions, struck and calmed from here: nothing is touched yet.
    ///
    /// # Errors
    /// Where functions may not be struck, or the journal cannot be written.
    pub async fn target(&self) -> Result<Deployed, Box<dyn Error>> {
        let (experiment, run) = (self.experiment()?, Run::try_from(self.run.to_owned())?);
        let (reach, functions) = (self.reach(&experiment).await?, wishes(self.plan, &run)?);
        let place = Place::Parameter(experiment.plan_parameter_of(run.name()));
        Ok(Deployed::new(reach, run, place, functions))
    }

    /// The functions, struck and calmed by FIS: nothing is made or touched yet.
    ///
    /// # Errors
    /// As [`Self::target`].
    pub async fn driven(&self) -> Result<Driven, Box<dyn Error>> {
        let experiment = self.experiment()?;
        let reach = self.reach(&experiment).await?;
        let fis = Fis::new(&reach.config, Patience::default());
        Ok(Driven::new(reach, fis, Wish { experiment, lead: self.plan.timeline.arming, run: self.run.to_owned() }))
    }
}
