//! Two runs of the same load, one after the other: whether the second is worse than the first by more
//! than a bound. Both are samples of their own seconds; what differed between those times beside the
//! change is in the difference, too.

use std::collections::{BTreeMap, BTreeSet};

use crate::compare::{BLOCK_S, Effect, NotComparable, QUANTILES, compare_apart};
use crate::counts::Counts;
use crate::distributions::student_at_most;
use crate::intervals::{Interval, ONE_SIDE, holm};
use crate::latencies::{Latencies, Phase, Tag};
use crate::measurements::{End, PhaseSpan, RunKind};
use crate::misses::{Found, Miss, Misses};
use crate::report::{Answer, Report};
use crate::tables::{NAMES, as_served, span};
use crate::verdict::Verdict;
use crate::words::{count, percent, time};

pub use crate::between_md::markdown;

/// Longer runs get longer blocks, so that what lasts longer than 5 s is within one: at most so many.
const MOST_BLOCKS: usize = 16;

/// One of the two runs.
#[derive(Debug)]
pub struct Side {
    /// What it concluded; `None` if only its interval log is there.
    pub report: Option<Report>,
    /// Its latencies.
    pub latencies: Latencies,
}

/// What is compared, and by how much the second may be worse.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// The part by which a quantile may grow, 0.05 for +5 %.
    pub time: f64,
    /// By how much the share of errors may grow, 0.01 for one of a hundred requests.
    pub errors: f64,
    /// The names of the quantiles that are compared, such as `p99`.
    pub at: Vec<String>,
    /// The phase that is compared; `None` for all.
    pub phase: Option<Phase>,
}

/// The answer about two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Comparison {
    /// `held`: no regression beyond the bound. `broken`: a regression. `not-shown`: too little to tell.
    pub verdict: Verdict,
    /// The same in a sentence.
    pub sentence: String,
    /// Of what kind the runs are.
    pub kind: RunKind,
    /// Each quantity of each endpoint and phase.
    pub rows: Vec<Row>,
    /// What else a reader should know.
    pub notes: Vec<String>,
}

/// One quantity of one endpoint in one phase.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Row {
    /// The endpoint.
    pub endpoint: String,
    /// The phase.
    pub phase: Phase,
    /// Such as `p99` or `errors`.
    pub what: String,
    /// What it was, in words.
    pub before: String,
    /// What it is.
    pub after: String,
    /// The change, in words.
    pub change: String,
    /// Its 95 % interval in words; may be empty.
    pub interval: String,
    /// Whether it is within the bound.
    pub answer: Answer,
    /// What a reader should know about the answer; may be empty.
    pub why: String,
    /// The probability of such a change if the true one is within the bound.
    pub p: f64,
}

/// Compares two runs.
pub fn between(before: &Side, after: &Side, limits: &Limits) -> Comparison {
    let mut rows = Vec::new();
    let (mut notes, mut distrust, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for (name, side) in [("first", before), ("second", after)] {
        let Some(report) = &side.report else { continue };
        distrust.extend(doubt(report).map(|why| format!("the {name} run is no measure: {why}")));
        gaps.extend((report.end != End::Finished).then(|| format!("the {name} run ended early")));
    }
    notes.extend(other_load(before, after));
    let kind = after.report.as_ref().map_or(RunKind::Experiment, |report| report.experiment.kind);
    let (ours, theirs) = (places(before), places(after));
    for (endpoint, phase) in ours.union(&theirs).filter(|(_, phase)| limits.phase.is_none_or(|wanted| wanted == *phase)) {
        match (ours.get(&(endpoint.clone(), *phase)), theirs.get(&(endpoint.clone(), *phase))) {
            (Some(_), Some(_)) => compare_place(&mut rows, &mut notes, (before, after), (endpoint, *phase), limits),
            (is_ours, _) => {
                let which = if is_ours.is_some() { "first" } else { "second" };
                gaps.push(format!("`{endpoint}` has requests only in the {which} run ({})", phase_name(*phase)));
            }
        }
    }
    if rows.is_empty() {
        gaps.push("the runs have no endpoint and phase in common".to_owned());
    }
    correct(&mut rows);
    let (verdict, sentence) = conclude(&rows, kind, distrust.first(), gaps.first(), limits);
    notes.extend(distrust.into_iter().chain(gaps));
    Comparison { verdict, sentence, kind, rows, notes }
}

/// The endpoints and phases that have requests.
fn places(side: &Side) -> BTreeSet<(String, Phase)> {
    let mut all = BTreeSet::new();
    side.latencies.visit(Tag::ended, |_, tag, _, _| all.extend([(tag.endpoint.clone(), tag.phase)]));
    all
}

/// Why a run cannot be compared with anything.
fn doubt(report: &Report) -> Option<String> {
    if let Some(why) = &report.generator_trouble {
        return Some(format!("the load generator was saturated: {why}"));
    }
    report.discrepancies.first().map(|why| format!("its books do not balance: {why}"))
}

/// Different loads give different latencies.
fn other_load(before: &Side, after: &Side) -> Option<String> {
    let rate = |side: &Side| side.report.as_ref().map(|report| report.generator.intended_per_s);
    let (first, second) = (rate(before)?, rate(after)?);
    ((second / first - 1.0).abs() > 0.01)
        .then(|| format!("the loads differ: {first:.1} arrivals a second in the first run, {second:.1} in the second"))
}

fn compare_place(
    rows: &mut Vec<Row>,
    notes: &mut Vec<String>,
    (before, after): (&Side, &Side),
    (endpoint, phase): (&str, Phase),
    limits: &Limits,
) {
    let [of_before, of_after] = [before, after].map(|side| blocks(side, endpoint, phase));
    let seed = after.report.as_ref().map_or(1, |report| report.experiment.seed);
    let [counts_before, counts_after] =
        [&of_before, &of_after].map(|blocks| Counts::merge(blocks.values().flat_map(|one| one.pairs().iter().copied()).collect()));
    let errors = errors(before, after, endpoint, phase, limits.errors);
    let are_worse = errors.as_ref().is_some_and(|row| row.answer == Answer::Broken);
    for ((found, name), quantile) in compare_apart(&of_after, &of_before, seed).into_iter().zip(NAMES).zip(QUANTILES) {
        if !limits.at.iter().any(|wanted| wanted == name) {
            continue;
        }
        let shown = |counts: &Counts| match counts.quantile(quantile) {
            Some(us) if crate::latencies::is_failure(us) => "failed".to_owned(),
            us => us.map_or_else(|| "none".to_owned(), |us| time(us as f64)),
        };
        let (was, is) = (shown(&counts_before), shown(&counts_after));
        if was == "failed" && is == "failed" {
            notes.push(format!("{name} of `{endpoint}` is not compared: requests fail at it in both runs ({})", phase_name(phase)));
            continue;
        }
        let judged = judge(found, limits.time, are_worse);
        rows.push(Row { endpoint: endpoint.to_owned(), phase, what: name.to_owned(), before: was, after: is, ..judged });
    }
    rows.extend(errors);
}

/// The requests of a place by block, with failures as the longest.
fn blocks(side: &Side, endpoint: &str, phase: Phase) -> BTreeMap<usize, Counts> {
    let Some(span) = phase_span(side, phase) else { return BTreeMap::new() };
    let length = (span.to_s - span.from_s).max(1.0);
    let most = ((length / BLOCK_S).floor() as usize).clamp(1, MOST_BLOCKS);
    let mut all: BTreeMap<usize, Vec<(u32, u64)>> = BTreeMap::new();
    side.latencies.visit(
        |tag| tag.phase == phase && tag.endpoint == endpoint && tag.ended(),
        |second, tag, _, pairs| {
            let into = (f64::from(second) - span.from_s).max(0.0) / length;
            let block = ((into * most as f64) as usize).min(most - 1);
            all.entry(block).or_default().extend(as_served(tag, pairs));
        },
    );
    all.into_iter().map(|(block, pairs)| (block, Counts::merge(pairs))).collect()
}

/// When a phase was: as the report says, or as far as the log goes.
fn phase_span(side: &Side, phase: Phase) -> Option<PhaseSpan> {
    if let Some(report) = &side.report {
        return span(&report.phases, phase);
    }
    let mut seconds = BTreeSet::new();
    side.latencies.visit(|tag| tag.phase == phase, |second, _, _, _| seconds.extend([second]));
    Some(PhaseSpan { phase, from_s: f64::from(*seconds.first()?), to_s: f64::from(*seconds.last()?) + 1.0 })
}

/// A row without its place and its values.
fn row(change: String, interval: String, answer: Answer, why: String, p: f64) -> Row {
    let none = String::new;
    Row { endpoint: none(), phase: Phase::Baseline, what: none(), before: none(), after: none(), change, interval, answer, why, p }
}

fn judge(found: Result<Effect, NotComparable>, limit: f64, errors_are_worse: bool) -> Row {
    let none = String::new;
    match found {
        Ok(effect) => {
            let margin = limit.ln_1p();
            let (answer, why) = if effect.high <= margin {
                (Answer::Holds, none())
            } else if effect.low > margin {
                (Answer::Broken, none())
            } else {
                let times = ((effect.high - effect.ln_ratio) / (effect.ln_ratio - margin).abs()).powi(2);
                (Answer::NotShown, longer(times))
            };
            let interval = format!("{} to {}", growth(effect.low), growth(effect.high));
            row(growth(effect.ln_ratio), interval, answer, why, effect.p_above(margin))
        }
        Err(NotComparable::ControlFail) => row("served again".to_owned(), none(), Answer::Holds, none(), 1.0),
        Err(NotComparable::StruckFail) => {
            let (answer, p) = if errors_are_worse { (Answer::Broken, 0.0) } else { (Answer::NotShown, 1.0) };
            row("fails".to_owned(), none(), answer, "requests of the second run fail at it".to_owned(), p)
        }
        Err(NotComparable::Requests(more)) => {
            row("unknown".to_owned(), none(), Answer::NotShown, format!("needs {} more requests in the smaller run", count(more)), 1.0)
        }
        Err(NotComparable::Blocks(more)) => {
            let why = format!("needs {} s more in the shorter run", more as f64 * BLOCK_S);
            row("unknown".to_owned(), none(), Answer::NotShown, why, 1.0)
        }
    }
}

/// How much longer both runs would have to be.
fn longer(times: f64) -> String {
    if times.is_finite() && times <= 1_000.0 {
        format!("runs about {} times as long would decide it", times.ceil().max(2.0))
    } else {
        "it lies so close to the bound that no reasonable time would decide it".to_owned()
    }
}

/// ln of a ratio as a change in per cent.
fn growth(ln_ratio: f64) -> String {
    let change = ln_ratio.exp_m1();
    if change >= 9.995 { format!("{:.1} times", ln_ratio.exp()) } else { format!("{:+.1} %", change * 100.0) }
}

/// The share of errors: the interval of the difference is made of the two intervals, so it is as
/// careful as they are (MOVER; Newcombe 1998).
fn errors(before: &Side, after: &Side, endpoint: &str, phase: Phase, limit: f64) -> Option<Row> {
    let of = |side: &Side| -> Option<(Misses, Interval)> {
        let misses = Misses::of(&side.latencies, phase_span(side, phase)?, Miss::Failed, |tag| tag.endpoint == endpoint);
        let Found { interval, .. } = misses.found()?;
        Some((misses, interval))
    };
    let ((was, of_was), (is, of_is)) = (of(before)?, of(after)?);
    let (first, second) = (was.share(), is.share());
    let change = second - first;
    let low = change - (second - of_is.low).hypot(of_was.high - first);
    let high = change + (of_is.high - second).hypot(first - of_was.low);
    let (answer, why) = if high <= limit {
        (Answer::Holds, String::new())
    } else if low > limit {
        (Answer::Broken, String::new())
    } else {
        (Answer::NotShown, longer(((high - change) / (change - limit).abs()).powi(2)))
    };
    let p =
        if change > low { 1.0 - student_at_most((change - limit) / ((change - low) / 1.96), 1_000.0) } else { f64::from(change <= limit) };
    let shown = |misses: &Misses| format!("{} ({} of {})", percent(misses.share()), count(misses.missed()), count(misses.total()));
    let points = |share: f64| format!("{:+.2} points", share * 100.0);
    Some(Row {
        endpoint: endpoint.to_owned(),
        phase,
        what: "errors".to_owned(),
        before: shown(&was),
        after: shown(&is),
        ..row(points(change), format!("{} to {}", points(low), points(high)), answer, why, p)
    })
}

/// Many questions together must not raise more false alarms than one (Holm).
fn correct(rows: &mut [Row]) {
    let adjusted = holm(&rows.iter().map(|row| row.p).collect::<Vec<_>>());
    for (row, p) in rows.iter_mut().zip(adjusted) {
        row.p = crate::report::short(p);
        if row.answer == Answer::Broken && p > ONE_SIDE {
            row.answer = Answer::NotShown;
            row.why = "beyond the bound on its own, but not when all comparisons are counted together".to_owned();
        }
    }
}

/// A regression outranks what is missing elsewhere, but not a run that measured itself.
fn conclude(rows: &[Row], kind: RunKind, distrust: Option<&String>, gap: Option<&String>, limits: &Limits) -> (Verdict, String) {
    let bound = format!("+{} in time and +{} points in errors", percent(limits.time), limits.errors * 100.0);
    let worse: Vec<&Row> = rows.iter().filter(|row| row.answer == Answer::Broken).collect();
    let open: Vec<&Row> = rows.iter().filter(|row| row.answer == Answer::NotShown).collect();
    let named = |row: &Row| format!("{} of `{}` ({})", row.what, row.endpoint, kind.phase(row.phase));
    let more = |n: usize| if n > 1 { format!(", and {} more", n - 1) } else { String::new() };
    match (distrust, worse.first(), gap, open.first()) {
        (None, Some(first), ..) => {
            let (was, is) = (&first.before, &first.after);
            (Verdict::Broken, format!("A regression: {} went from {was} to {is}, {}{}.", named(first), first.change, more(worse.len())))
        }
        (Some(doubt), ..) | (None, None, Some(doubt), _) => (Verdict::NotShown, format!("Too little to tell: {doubt}.")),
        (None, None, None, Some(first)) => {
            let why = if first.why.is_empty() { String::new() } else { format!(": {}", first.why) };
            (Verdict::NotShown, format!("Too little to tell: {}{why}{}.", named(first), more(open.len())))
        }
        (None, None, None, None) => (Verdict::Held, format!("No regression beyond {bound}, in {} comparisons.", rows.len())),
    }
}

pub(crate) const fn phase_name(phase: Phase) -> &'static str {
    RunKind::Experiment.phase(phase)
}
