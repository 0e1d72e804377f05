//! One wave: an ordinary run of the explored traffic on a fresh stack that follows requests, with the
//! faults of its cases.

use std::time::Duration;

use faults::Fault;
use load::Timeline;
use reports::measurements::{End, Restored};

use super::ground::Ground;
use super::observed::Observed;
use super::roots::Roots;
use crate::check::ARMING;
use crate::plan::Plan;
use crate::run::{Done, RunError, Setting, run};
use crate::windows::Windows;
use crate::{Asked, Observer, Target};
use run_folder::RunFolder;

/// The first environments come up.
const WARM_UP: Duration = Duration::from_secs(1);

/// The first hurt request is due this long after the faults are in force, for sure.
const LEAD: Duration = Duration::from_millis(300);

/// Arrivals go on this long after the last hurt one.
const TAIL: Duration = Duration::from_millis(1500);

/// How long a journey takes at most before arrivals wait for a user; what comes later in one is not hurt.
pub const LONGEST_JOURNEY: Duration = Duration::from_secs(20);

/// What a wave runs on.
pub struct Stage {
    /// Where everything is written.
    pub folder: RunFolder,
    /// The stack.
    pub target: Box<dyn Target>,
    /// The run's id and its signals.
    pub setting: Setting,
    /// Shows it while it goes on.
    pub progress: Box<dyn Observer>,
}

/// How a wave ended.
pub struct Ended {
    /// What it showed.
    pub observed: Observed,
    /// The signal that ended it.
    pub asked: Option<Asked>,
    /// Why it was not carried out as planned.
    pub trouble: Option<String>,
    /// What it left running, with the command that ends it.
    pub left: Option<String>,
    /// What its books say against it.
    pub discrepancies: Vec<String>,
}

/// The times of a wave whose last hurt request is due at `last`.
pub fn timeline(last: Duration) -> Timeline {
    let fault = (last + TAIL).saturating_sub(WARM_UP + ARMING).max(TAIL);
    Timeline { warm_up: WARM_UP, baseline: Duration::ZERO, arming: ARMING, fault, recovery: Duration::ZERO }
}

/// When the first request may be hurt.
pub fn first() -> Duration {
    WARM_UP + ARMING + LEAD
}

/// The plan of a wave with these faults.
pub fn plan(explored: &Plan, ground: &Ground, timeline: Timeline, faults: Vec<Fault>) -> Plan {
    let mut setup = explored.setup.clone();
    setup.compressed = ground.compressed(setup.compressed);
    Plan {
        timeline,
        faults,
        windows: Windows::default(),
        expectations: Vec::new(),
        any_errors: Vec::new(),
        none_broken: true,
        strike_a_broken_baseline: true,
        stop: None,
        longest_journey: explored.longest_journey.or(Some(LONGEST_JOURNEY)),
        wave: Some(ground.wave(setup.compressed)),
        setup,
        ..explored.clone()
    }
}

/// Runs a wave to its end.
///
/// # Errors
/// If it could not be run at all.
pub async fn carry_out(plan: &Plan, stage: Stage, roots: &Roots) -> Result<Ended, RunError> {
    let Stage { folder, mut target, setting, mut progress } = stage;
    let Done { measurements, asked, story } = run(plan, target.as_mut(), setting, progress.as_mut()).await?;
    let polled = plan.wave.as_ref().map(|wave| wave.polled.clone()).unwrap_or_default();
    let observed = Observed::read(story.unwrap_or_default(), &folder, &polled, roots)?;
    let trouble = match measurements.end {
        End::Finished | End::Interrupted => None,
        End::Failed(why) | End::Stopped(why) => Some(why),
        End::BrokenBaseline => Some("the fault-free seconds are broken".to_owned()),
    };
    let left = match measurements.restored {
        Restored::Yes => None,
        Restored::No { left, command } => Some(format!("{} is left; `{command}` ends it", left.join(", "))),
    };
    Ok(Ended { observed, asked, trouble, left, discrepancies: measurements.discrepancies })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_goes_on_a_little_longer_than_its_last_case() {
        for (last_s, calm_ms) in [(10, 11_500), (20, 21_500), (0, 4_500)] {
            let timeline = timeline(Duration::from_secs(last_s));
            assert_eq!(timeline.calm_at(), Duration::from_millis(calm_ms), "{last_s}");
            assert_eq!(timeline.end(), timeline.calm_at());
        }
        assert!(first() > timeline(Duration::from_secs(10)).fault_from());
    }

    #[test]
    fn a_wave_asks_only_what_an_exploration_judges() {
        let (name, text) = crate::shipped::find("blast-radius").unwrap();
        let explored = crate::check(&name, &text).unwrap();
        let ground = Ground::of(&explored).unwrap();
        let plan = plan(&explored, &ground, timeline(Duration::from_secs(9)), Vec::new());
        assert!(plan.faults.is_empty() && plan.expectations.is_empty() && plan.deployment().follow && !explored.deployment().follow);
        assert_eq!(plan.load.arrivals(), explored.load.arrivals());
    }
}
