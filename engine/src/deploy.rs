//! Deploys a stack with a calm plan in force before any environment looks for one.

use std::time::Instant;

use run_folder::Addresses;

use super::lease::Keeper;
use super::plan::Plan;
use super::run_error::RunError;
use super::target::{Target, TargetError};
use crate::StopRequests;

/// Deploys, and waits until every environment looks for plans often enough not to miss the strike.
///
/// # Errors
/// If the stack did not start, or a signal came first. [`Target::restore`] removes what was started
/// by then.
pub(super) async fn deploy(
    plan: &Plan,
    target: &mut dyn Target,
    keeper: &mut Keeper,
    signals: &mut dyn StopRequests,
) -> Result<Addresses, RunError> {
    // It is renewed from then on.
    let calm = keeper.begin(Instant::now());
    let addresses = tokio::select! {
        deployed = calm_then_deploy(target, &calm) => deployed?,
        asked = signals.asked() => return Err(RunError::Asked(asked)),
    };
    looked_for(plan, target, keeper, signals).await?;
    Ok(addresses)
}

/// If an attach on AWS took longer than the calm plan's lease, environments now look for a plan
/// less often. Renews the plan and waits until all of them have seen it, so that none misses the
/// strike.
async fn looked_for(plan: &Plan, target: &mut dyn Target, keeper: &mut Keeper, signals: &mut dyn StopRequests) -> Result<(), RunError> {
    let now = Instant::now();
    let unread = keeper.unread_for(now);
    if plan.deployed.is_none() || !target.rehearses() || unread.is_zero() {
        return Ok(());
    }
    target.strike(&keeper.renew(now)).await?;
    tokio::select! {
        () = tokio::time::sleep(unread) => Ok(()),
        asked = signals.asked() => Err(RunError::Asked(asked)),
    }
}

async fn calm_then_deploy(target: &mut dyn Target, calm: &faults::Plan) -> Result<Addresses, TargetError> {
    target.strike(calm).await?;
    target.deploy().await
}
