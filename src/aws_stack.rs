//! An experiment on AWS, by the name of a stack.

use std::error::Error;
use std::path::Path;

use engine::Plan;
use faults::time::Time;
use run_folder::SeedFolder;

use crate::cli::OnStack;
use crate::{aws_program, seed};

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

/// The experiment with the users and devices that `brownout seed` created for it; one that needs no data, and one on functions by their ARNs,
/// stays as it is.
///
/// # Errors
/// If there is no finished seed, or it is of another stack.
pub fn with_seed(mut plan: Plan, named: &OnStack, folder: Option<&Path>) -> Result<Plan, Box<dyn Error>> {
    let (rows, things) = plan.data();
    let needs_none = rows == Default::default() && things.is_empty();
    let stack = named.stack.as_ref().or(plan.stack.name.as_ref()).map(|stack| seed::name_of(stack).to_owned());
    let Some((deployed, stack)) = plan.deployed.as_mut().zip(stack).filter(|_| !needs_none) else { return Ok(plan) };
    let folder = folder.map_or_else(|| seed::folder_of(&stack), Path::to_owned);
    let found = SeedFolder::open(&folder)?;
    let is_of = |arn: &exports::Arn| arn.region == found.region && arn.account == found.account;
    if found.stack != stack || !deployed.functions.iter().all(|function| is_of(&function.arn)) {
        let SeedFolder { stack: other, region, account, .. } = found;
        let what = format!("`{}` is the seed of `{other}` in {region} of account {account}, not of `{stack}` here", folder.display());
        return Err(format!("{what}; name the folder that `brownout seed` printed with `--seed-folder`").into());
    }
    if let Some(addresses) = &mut deployed.addresses {
        addresses.password = found.password;
        addresses.certificates = Some(found.certificates);
    }
    Ok(plan)
}
