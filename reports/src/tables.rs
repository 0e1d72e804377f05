//! The tables of the report: endpoints by arm, effects, and the check of the method on itself.

use std::collections::BTreeMap;

use crate::compare::{BLOCK_S, compare};
use crate::counts::Counts;
use crate::intervals::{Interval, holm, order_statistic, samples_needed, wilson};
use crate::measurements::PhaseSpan;
use crate::report::{EffectRow, EndpointRow, MethodCheck, Ratio, short, short_interval};
use crate::{ArmTag, Latencies, Measurements, Outcome, Phase, Tag};

/// Names of [`crate::compare::QUANTILES`].
pub const NAMES: [&str; 3] = ["p50", "p90", "p99"];
/// The check of the method is made in every run, and a false alarm costs a verdict: one run in a thousand.
const METHOD_ALPHA: f64 = 0.001;

/// Whether a request counts at all: one that the end of the run cancelled says nothing.
pub fn ended(tag: &Tag) -> bool {
    tag.outcome != Outcome::Cancelled
}

/// Failed or timed out.
pub fn is_error(tag: &Tag) -> bool {
    matches!(tag.outcome, Outcome::Failed | Outcome::TimedOut)
}

/// The span of a phase in the run.
pub fn span(phases: &[PhaseSpan], phase: Phase) -> Option<PhaseSpan> {
    phases.iter().find(|span| span.phase == phase).copied()
}

/// Pairs of (bucket, count), and how many of them are errors.
type Cell = (Vec<(u32, u64)>, u64);

/// Each endpoint in each phase and arm that has requests.
pub fn endpoints(latencies: &Latencies) -> Vec<EndpointRow> {
    let mut cells: BTreeMap<(String, Phase, ArmTag), Cell> = BTreeMap::new();
    latencies.visit(|_, tag, _, pairs| {
        if ended(tag) {
            let cell = cells.entry((tag.endpoint.clone(), tag.phase, tag.arm)).or_default();
            cell.0.extend(pairs.iter().map(|(value, count)| (*value, u64::from(*count))));
            cell.1 += if is_error(tag) { pairs.iter().map(|(_, count)| u64::from(*count)).sum() } else { 0 };
        }
    });
    let row = |((endpoint, phase, arm), (pairs, errors))| {
        let counts = Counts::merge(pairs);
        let at = |q| counts.quantile(q).unwrap_or(0);
        EndpointRow {
            endpoint,
            phase,
            arm,
            requests: counts.total(),
            errors,
            errors_interval: wilson(errors, counts.total()).map(short_interval),
            quantiles_us: counts.largest().map(|largest| [at(0.5), at(0.9), at(0.99), largest]),
            p99_interval: order_statistic(&counts, 0.99),
            p99_needs: samples_needed(0.99).saturating_sub(counts.total()),
        }
    };
    cells.into_iter().map(row).collect()
}

/// The block of 5 s of a second in the fault phase.
fn block(fault: PhaseSpan, second: u32) -> usize {
    let blocks = (((fault.to_s - fault.from_s) / BLOCK_S).floor() as usize).max(1);
    ((((f64::from(second) - fault.from_s) / BLOCK_S).max(0.0)) as usize).min(blocks - 1)
}

/// The requests of an endpoint and an arm in the fault phase, by block.
pub fn arm_blocks(measured: &Measurements, endpoint: &str, arm: ArmTag, half: Option<bool>) -> BTreeMap<usize, Counts> {
    let Some(fault) = span(&measured.phases, Phase::Fault) else { return BTreeMap::new() };
    measured.latencies.blocks(|second, tag, of| {
        let wanted =
            tag.phase == Phase::Fault && tag.arm == arm && tag.endpoint == endpoint && ended(tag) && half.is_none_or(|half| half == of);
        wanted.then(|| block(fault, second))
    })
}

/// Treatment against control for each endpoint that has both.
pub fn effects(measured: &Measurements) -> Vec<EffectRow> {
    let mut rows = Vec::new();
    let mut p_values = Vec::new();
    for endpoint in measured.latencies.endpoints() {
        let treatment = arm_blocks(measured, &endpoint, ArmTag::Treatment, None);
        let control = arm_blocks(measured, &endpoint, ArmTag::Control, None);
        if treatment.is_empty() || control.is_empty() {
            continue;
        }
        for (found, name) in compare(&treatment, &control, measured.experiment.seed).into_iter().zip(NAMES) {
            p_values.push(found.as_ref().map_or(1.0, |effect| effect.p_differs()));
            let (effect, missing) = match found {
                Ok(effect) => {
                    let interval = short_interval(Interval { low: effect.low.exp(), high: effect.high.exp() });
                    let (treatment_us, control_us) = (effect.treatment_us, effect.control_us);
                    (Some(Ratio { ratio: short(effect.ln_ratio.exp()), interval, treatment_us, control_us, differs: false }), String::new())
                }
                Err(missing) => (None, missing.to_string()),
            };
            rows.push(EffectRow { endpoint: endpoint.clone(), quantile: name.to_owned(), effect, missing });
        }
    }
    // Only comparisons that were made count as questions asked.
    let made: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| row.effect.is_some()).map(|(index, _)| index).collect();
    let asked: Vec<f64> = made.iter().filter_map(|index| p_values.get(*index).copied()).collect();
    for (index, p) in made.into_iter().zip(holm(&asked)) {
        if let Some(ratio) = rows.get_mut(index).and_then(|row| row.effect.as_mut()) {
            ratio.differs = p <= 0.05;
        }
    }
    rows
}

/// The two halves of the control arm, which nothing tells apart, compared as if one were treated.
pub fn method_check(measured: &Measurements) -> MethodCheck {
    let mut compared = Vec::new();
    for endpoint in measured.latencies.endpoints() {
        let first = arm_blocks(measured, &endpoint, ArmTag::Control, Some(false));
        let second = arm_blocks(measured, &endpoint, ArmTag::Control, Some(true));
        if first.is_empty() || second.is_empty() {
            continue;
        }
        for (found, name) in compare(&first, &second, measured.experiment.seed ^ 1).into_iter().zip(NAMES) {
            if let Ok(effect) = found {
                compared.push((endpoint.clone(), name, effect));
            }
        }
    }
    if compared.is_empty() {
        return MethodCheck::NotMade;
    }
    let p_values: Vec<f64> = compared.iter().map(|(_, _, effect)| effect.p_differs()).collect();
    let differs = compared.iter().zip(holm(&p_values)).find(|(_, p)| *p <= METHOD_ALPHA);
    match differs {
        Some(((endpoint, name, effect), _)) => MethodCheck::Failed(format!(
            "{name} of `{endpoint}` differs by a factor of {:.2} between two halves of the control arm that nothing tells apart",
            effect.ln_ratio.exp()
        )),
        None => MethodCheck::Passed(compared.len()),
    }
}
