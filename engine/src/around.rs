//! What is around a measurement: the setups of the journeys before it, and their teardowns after it.

use run_folder::Addresses;
use scenarios::traffic::Once;

use super::lease::Keeper;
use super::plan::Plan;
use super::run::{RunError, Setting, Told, measure_load};
use super::target::Target;
use crate::observer::Observer;

/// Measures between the setups of the journeys and their teardowns, which are sent whatever happens.
pub(super) async fn measure(
    plan: &Plan,
    target: &mut dyn Target,
    keeper: Keeper,
    setting: &mut Setting,
    progress: &mut dyn Observer,
    addresses: Addresses,
) -> Result<Told, RunError> {
    if !addresses.functions.is_empty() {
        progress.say(&format!("the stack is up: {}", addresses.functions.join(", ")));
    }
    let mut order = plan.order(addresses, setting.folder.join("goose.json"));
    let mut once = Once::of(&order)?;
    let ready = tokio::select! {
        ready = once.set_up(&mut order) => ready.map_err(RunError::from),
        asked = setting.signals.asked() => Err(RunError::Asked(asked)),
    };
    let told = match ready {
        Ok(()) => measure_load(plan, target, keeper, setting, progress, order).await,
        Err(error) => Err(error),
    };
    let failed = once.tear_down().await;
    failed.iter().for_each(|what| progress.say(what));
    told.map(|mut told| {
        told.0.notes.extend(failed);
        told
    })
}
