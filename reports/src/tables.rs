//! The tables of the report: endpoints by arm, effects, and the check of the method on itself.

use std::collections::BTreeMap;

use crate::compare::compare;
use crate::counts::{Counts, lowest_equivalent};
use crate::intervals::{Interval, exact_share, holm, order_statistic, samples_needed};
use crate::latencies::{LONGEST_US, Latencies, Phase, Tag, is_failure, sum};
use crate::measurements::{Measurements, PhaseSpan};
use crate::misses::{Miss, Misses, block};
use crate::report::{EffectRow, EndpointRow, MethodCheck, Quantile, Ratio, short, short_interval};
use crate::rolls::{ArmTag, FaultSet};

/// Names of [`QUANTILES`].
pub const NAMES: [&str; 3] = ["p50", "p90", "p99"];
/// The quantiles of an endpoint, with their names.
pub const SHOWN: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];
/// The significance level of the method's check. It is made in every possible run, and a false
/// alarm costs a verdict: one run in a thousand.
const METHOD_ALPHA: f64 = 0.001;

/// The span of a phase in the run.
pub fn span(phases: &[PhaseSpan], phase: Phase) -> Option<PhaseSpan> {
    phases.iter().find(|span| span.phase == phase).copied()
}

/// Pairs of a tag, with every failure as the longest latency: a request that was not served would
/// have waited for ever.
pub(crate) fn as_served(tag: &Tag, pairs: &[(u32, u32)]) -> Vec<(u32, u64)> {
    if tag.is_error() {
        vec![(lowest_equivalent(LONGEST_US as u32), sum(pairs))]
    } else {
        pairs.iter().map(|(value, count)| (*value, u64::from(*count))).collect()
    }
}

/// Latencies of the requests that ended, with failures as the longest.
pub fn served(latencies: &Latencies, wanted: impl Fn(&Tag) -> bool) -> Counts {
    let mut all = Vec::new();
    latencies.visit(|tag| tag.ended() && wanted(tag), |_, tag, _, pairs| all.extend(as_served(tag, pairs)));
    Counts::merge(all)
}

#[derive(Default)]
struct Cell {
    served: Vec<(u32, u64)>,
    errors: u64,
    cold: u64,
    longest: Option<u64>,
}

/// Each endpoint in each phase and arm that has requests.
pub fn endpoints(measured: &Measurements) -> Vec<EndpointRow> {
    let mut cells: BTreeMap<(String, Phase, ArmTag), Cell> = BTreeMap::new();
    measured.latencies.visit(Tag::ended, |_, tag, _, pairs| {
        let cell = cells.entry((tag.endpoint.clone(), tag.phase, tag.arm())).or_default();
        cell.served.extend(as_served(tag, pairs));
        cell.errors += if tag.is_error() { sum(pairs) } else { 0 };
        cell.cold += if tag.cold { sum(pairs) } else { 0 };
        let longest = pairs.last().map(|(value, _)| u64::from(crate::counts::highest_equivalent(*value)));
        cell.longest = cell.longest.max(longest);
    });
    cells.into_iter().map(|((endpoint, phase, arm), cell)| endpoint_row(measured, endpoint, phase, arm, cell)).collect()
}

fn endpoint_row(measured: &Measurements, endpoint: String, phase: Phase, arm: ArmTag, cell: Cell) -> EndpointRow {
    let counts = Counts::merge(cell.served);
    let quantile = |(name, q): (&str, f64)| Quantile {
        at: name.to_owned(),
        us: counts.quantile(q).filter(|us| !is_failure(*us)),
        needs: samples_needed(q).saturating_sub(counts.total()),
    };
    let p99 = counts.quantile(0.99).unwrap_or(0);
    let misses = span(&measured.phases, phase)
        .map(|span| Misses::of(&measured.latencies, span, Miss::LongerThan(p99), |tag| tag.endpoint == endpoint && tag.arm() == arm));
    let clustering = misses.and_then(|misses| misses.found()).map_or(1.0, |found| found.clustering);
    EndpointRow {
        requests: counts.total(),
        errors: cell.errors,
        errors_interval: exact_share(cell.errors, counts.total()).map(short_interval),
        cold: cell.cold,
        quantiles: SHOWN.into_iter().map(quantile).collect(),
        longest_us: cell.longest,
        p99_interval: order_statistic(&counts, 0.99, clustering).filter(|interval| !is_failure(interval.high as u64)),
        endpoint,
        phase,
        arm,
    }
}

/// The `wanted` requests of the fault phase by block, with failures as the longest.
fn fault_blocks(measured: &Measurements, half: Option<bool>, wanted: impl Fn(&Tag) -> bool) -> BTreeMap<usize, Counts> {
    let Some(fault) = span(&measured.phases, Phase::Fault) else { return BTreeMap::new() };
    let mut all: BTreeMap<usize, Vec<(u32, u64)>> = BTreeMap::new();
    measured.latencies.visit(
        |tag| tag.phase == Phase::Fault && tag.ended() && wanted(tag),
        |second, tag, of, pairs| {
            if half.is_none_or(|half| half == of) {
                all.entry(block(fault, second)).or_default().extend(as_served(tag, pairs));
            }
        },
    );
    all.into_iter().map(|(block, pairs)| (block, Counts::merge(pairs))).collect()
}

/// The arm of one fault at an endpoint: the requests that it was about and whose first call it
/// struck, or did not. Its roll depends on nothing else, so the two arms differ only by this fault,
/// even if other faults struck both.
pub fn arm_blocks(measured: &Measurements, endpoint: &str, fault: usize, struck: bool) -> BTreeMap<usize, Counts> {
    fault_blocks(measured, None, |tag| tag.endpoint == endpoint && tag.rolls.about.has(fault) && tag.rolls.first.has(fault) == struck)
}

/// Treatment against control for each fault and endpoint that has both.
pub fn effects(measured: &Measurements) -> Vec<EffectRow> {
    let mut rows = Vec::new();
    let mut p_values = Vec::new();
    for endpoint in measured.latencies.endpoints() {
        for (index, fault) in measured.experiment.faults.iter().enumerate().take(FaultSet::MOST) {
            let (treatment, control) = (arm_blocks(measured, &endpoint, index, true), arm_blocks(measured, &endpoint, index, false));
            if treatment.is_empty() || control.is_empty() {
                continue;
            }
            for (found, name) in compare(&treatment, &control, measured.experiment.seed).into_iter().zip(NAMES) {
                p_values.push(found.as_ref().map_or(1.0, |effect| effect.p_differs()));
                let (effect, missing) = match found {
                    Ok(effect) => {
                        let interval = short_interval(Interval { low: effect.low.exp(), high: effect.high.exp() });
                        let (treatment_us, control_us) = (effect.treatment_us, effect.control_us);
                        (
                            Some(Ratio { ratio: short(effect.ln_ratio.exp()), interval, treatment_us, control_us, differs: false }),
                            String::new(),
                        )
                    }
                    Err(missing) => (None, missing.to_string()),
                };
                rows.push(EffectRow { endpoint: endpoint.clone(), fault: fault.name.clone(), quantile: name.to_owned(), effect, missing });
            }
        }
    }
    // Only comparisons that were made count for the correction.
    let made: Vec<usize> = rows.iter().enumerate().filter(|(_, row)| row.effect.is_some()).map(|(index, _)| index).collect();
    let asked: Vec<f64> = made.iter().filter_map(|index| p_values.get(*index).copied()).collect();
    for (index, p) in made.into_iter().zip(holm(&asked)) {
        if let Some(ratio) = rows.get_mut(index).and_then(|row| row.effect.as_mut()) {
            ratio.differs = p <= 0.05;
        }
    }
    rows
}

/// Compares the two halves of the control arm, which differ only by chance, as if one were treated.
pub fn method_check(measured: &Measurements) -> MethodCheck {
    let mut compared = Vec::new();
    let mut has_control = false;
    for endpoint in measured.latencies.endpoints() {
        let half = |half| fault_blocks(measured, Some(half), |tag| tag.endpoint == endpoint && tag.arm() == ArmTag::Control);
        let (first, second) = (half(false), half(true));
        has_control |= !first.is_empty();
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
        let why = if has_control { "the control arm has too few requests or blocks of 5 s" } else { "there was no control arm" };
        return MethodCheck::NotMade(why.to_owned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Outcome, Rolls, sample};

    /// This many requests of each arm, one a block in turn, over this many blocks.
    fn with(struck: u32, control: u32, blocks: u32) -> Measurements {
        let mut measured = sample::healthy();
        measured.latencies = Latencies::default();
        for (rolls, n) in [(Rolls::one(0, true), struck), (Rolls::one(0, false), control)] {
            for n in 0..n {
                let tag = Tag { endpoint: "of".into(), phase: Phase::Fault, rolls, cold: false, outcome: Outcome::Answered };
                measured.latencies.record(15 + 5 * (n % blocks), &tag, 20_000, n % 2 == 0);
            }
        }
        measured
    }

    #[test]
    fn the_check_of_the_method_names_the_reason_if_it_was_not_made() {
        let why = |measured: &Measurements| match method_check(measured) {
            MethodCheck::NotMade(why) => why,
            made => format!("{made:?}"),
        };
        assert_eq!(why(&with(600, 0, 6)), "there was no control arm");
        for few in [with(600, 4, 6), with(600, 600, 1)] {
            assert_eq!(why(&few), "the control arm has too few requests or blocks of 5 s");
        }
        assert!(why(&sample::healthy()).starts_with("Passed"));
    }

    #[test]
    fn a_quantile_of_too_few_requests_names_how_many_it_needs() {
        let rows = endpoints(&with(35, 400, 6));
        let needs = |arm| rows.iter().find(|row| row.arm == arm).unwrap().quantiles.iter().map(|one| one.needs).collect::<Vec<_>>();
        assert_eq!((needs(ArmTag::Treatment), needs(ArmTag::Control)), (vec![0, 1, 333, 3_653], vec![0, 0, 0, 3_288]));
        let text = serde_json::to_string(&rows).unwrap();
        assert!(text.contains(r#""at":"p99","us":20"#) && text.contains(r#""needs":333"#), "{text}");
    }
}
