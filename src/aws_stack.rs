//! An experiment on AWS, by the name of a stack.

use std::error::Error;

use engine::Plan;
use faults::time::Time;

use crate::aws_program;
use crate::cli::OnStack;

/// Why an experiment cannot run on AWS.
pub const NOT_DEPLOYED: &str = "the experiment names no stack and no deployed function; give `--stack`, or write `[aws]`";

/// The experiment on the stack that the command line or its file names; one on functions by their ARNs stays as it is.
///
/// # Errors
/// If there is neither, the stack cannot be looked up, or the experiment cannot run there.
pub fn on_aws(plan: Plan, named: &OnStack) -> Result<Plan, Box<dyn Error>> {
    if plan.deployed.is_some() {
        return match &named.stack {
            Some(_) => {
                Err("the experiment names its functions by their ARNs; remove `--stack`, or `[[aws.function]]` from the file".into())
            }
            None => Ok(plan),
        };
    }
    let stack = named.stack.clone().or_else(|| plan.stack.name.clone()).ok_or(NOT_DEPLOYED)?;
    // Known without a call, so nothing is looked up in vain.
    let reasons = plan.only_local();
    if !reasons.is_empty() {
        return Err(format!("the experiment cannot run on AWS: {}", reasons.join("; ")).into());
    }
    if let Some(baseline) = plan.longer_baseline() {
        eprintln!("note: the baseline takes {} on AWS, where ledgers come late: twice `ledger-lag`", Time::from(baseline));
    }
    let found = aws_program::look_up(plan.looked_up(stack, named.region.clone()))?;
    Ok(plan.on_stack(found)?)
}
