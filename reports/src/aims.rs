//! Each aim gets one of three answers. Whether the run as a whole may be trusted is not asked here.

use faults::time::Time;

use crate::compare::{Effect, compare};
use crate::intervals::{holm, order_statistic, p_of_at_least, samples_needed, wilson};
use crate::report::{Aim, Answer, Recovered, short};
use crate::tables::{arm_blocks, ended, is_error, span};
use crate::words::{count, percent, seconds, time};
use crate::{ArmTag, Bound, Expectation, Latencies, Measurements, Phase, Tag, recovery};

/// A broken aim must be this unlikely if the aim were kept: one side of a 95 % interval.
const ONE_SIDE: f64 = 0.025;

/// What a bound asks, in words.
pub fn asked(bound: &Bound) -> String {
    match bound {
        Bound::P50(limit) => format!("p50 at most {limit}"),
        Bound::P90(limit) => format!("p90 at most {limit}"),
        Bound::P99(limit) => format!("p99 at most {limit}"),
        Bound::Errors(limit) => format!("errors at most {}", percent(limit.value())),
        Bound::P99Ratio(limit) => format!("p99 under fault at most {limit} times that without"),
        Bound::Recovery(limit) => format!("recovered within {limit}"),
    }
}

/// Judges all aims; a broken one must stay so when all are counted (Holm).
pub fn judge(measured: &Measurements, recoveries: &[Recovered]) -> Vec<Aim> {
    let mut aims: Vec<Aim> = measured.experiment.expectations.iter().map(|expectation| one(measured, expectation, recoveries)).collect();
    // Recovery is decided by windows, not by chance, and is no part of the family.
    let by_chance = |aim: &Aim| !matches!(aim.expectation.bound, Bound::Recovery(_));
    let adjusted = holm(&aims.iter().filter(|aim| by_chance(aim)).map(|aim| aim.p_broken).collect::<Vec<_>>());
    for (aim, p) in aims.iter_mut().filter(|aim| by_chance(aim)).zip(adjusted) {
        if aim.answer == Answer::Broken && p > ONE_SIDE {
            aim.answer = Answer::NotShown;
            aim.why = "beyond the bound on its own, but not when all aims of the run are counted together".to_owned();
        }
        aim.p_broken = short(p);
    }
    aims
}

/// The aims that a phase surely misses, all aims counted together (Bonferroni): a baseline that does so needs no fault.
pub fn surely_missed(latencies: &Latencies, phase: Phase, expectations: &[Expectation]) -> Vec<String> {
    let missed = |expectation: &&Expectation| {
        let of =
            |wanted: fn(&Tag) -> bool| latencies.counts(|_, tag, _| tag.phase == phase && tag.endpoint == expectation.of && wanted(tag));
        let slower = |limit: Time, quantile: f64| {
            let warm = of(|tag| tag.arm != ArmTag::Cold && ended(tag));
            let limit = u64::try_from(limit.duration().as_micros()).unwrap_or(u64::MAX);
            p_of_at_least(warm.above(limit), warm.total(), 1.0 - quantile)
        };
        let p = match expectation.bound {
            Bound::P50(limit) => slower(limit, 0.5),
            Bound::P90(limit) => slower(limit, 0.9),
            Bound::P99(limit) => slower(limit, 0.99),
            Bound::Errors(limit) => p_of_at_least(of(|tag| ended(tag) && is_error(tag)).total(), of(ended).total(), limit.value()),
            Bound::P99Ratio(_) | Bound::Recovery(_) => 1.0,
        };
        p * (expectations.len() as f64) < ONE_SIDE
    };
    expectations.iter().filter(missed).map(|e| format!("`{}` misses {}", e.of, asked(&e.bound))).collect()
}

fn one(measured: &Measurements, expectation: &Expectation, recoveries: &[Recovered]) -> Aim {
    match &expectation.bound {
        Bound::P50(limit) => latency(measured, expectation, 0.5, *limit),
        Bound::P90(limit) => latency(measured, expectation, 0.9, *limit),
        Bound::P99(limit) => latency(measured, expectation, 0.99, *limit),
        Bound::Errors(limit) => errors(measured, expectation, limit.value()),
        Bound::P99Ratio(limit) => ratio(measured, expectation, *limit),
        Bound::Recovery(limit) => recovered(measured, expectation, *limit, recoveries),
    }
}

fn aim(expectation: &Expectation, found: String, interval: String, answer: Answer, why: String, p_broken: f64) -> Aim {
    Aim { expectation: expectation.clone(), asked: asked(&expectation.bound), found, interval, answer, why, p_broken }
}

fn undecided(expectation: &Expectation, found: String, why: String) -> Aim {
    aim(expectation, found, "none".to_owned(), Answer::NotShown, why, 1.0)
}

fn unseen(expectation: &Expectation) -> Aim {
    undecided(expectation, "no request".to_owned(), format!("`{}` had no request in the fault phase", expectation.of))
}

/// How much longer it would take until an interval of this reach lies on one side of a bound this far away.
fn more_time(measured: &Measurements, reach: f64, distance: f64) -> String {
    let lasted = span(&measured.phases, Phase::Fault).map_or(0.0, |fault| fault.to_s - fault.from_s);
    let more = lasted * ((reach / distance).powi(2) - 1.0);
    if more.is_finite() && more <= 86_400.0 {
        format!("about {} more under fault would decide it", seconds(more.max(1.0).ceil()))
    } else {
        "it lies so close to the bound that no reasonable time would decide it".to_owned()
    }
}

fn latency(measured: &Measurements, expectation: &Expectation, quantile: f64, limit: Time) -> Aim {
    let warm = measured
        .latencies
        .counts(|_, tag, _| tag.phase == Phase::Fault && tag.endpoint == expectation.of && tag.arm != ArmTag::Cold && ended(tag));
    let Some(found) = warm.quantile(quantile) else { return unseen(expectation) };
    let words = format!("{} over {} requests", time(found as f64), count(warm.total()));
    let Some(interval) = order_statistic(&warm, quantile) else {
        let more = samples_needed(quantile).saturating_sub(warm.total());
        return undecided(expectation, words, format!("needs {} more requests", count(more)));
    };
    let limit = u64::try_from(limit.duration().as_micros()).unwrap_or(u64::MAX);
    let bound = limit as f64;
    let shown = format!("{} to {}", time(interval.low), time(interval.high));
    // The bucket that holds the bound counts as within it: 0.1 % is what a histogram can tell.
    let p_broken = p_of_at_least(warm.above(limit), warm.total(), 1.0 - quantile);
    let (answer, why) = if interval.high <= bound * 1.001 {
        (Answer::Holds, String::new())
    } else if interval.low > bound * 1.001 {
        (Answer::Broken, String::new())
    } else {
        let distance = (found as f64 - bound).abs();
        let reach = if found as f64 > bound { found as f64 - interval.low } else { interval.high - found as f64 };
        (Answer::NotShown, more_time(measured, reach, distance))
    };
    aim(expectation, words, shown, answer, why, p_broken)
}

fn errors(measured: &Measurements, expectation: &Expectation, bound: f64) -> Aim {
    let of = |errors: bool| {
        let wanted =
            |tag: &crate::Tag| tag.phase == Phase::Fault && tag.endpoint == expectation.of && ended(tag) && (!errors || is_error(tag));
        measured.latencies.counts(|_, tag, _| wanted(tag)).total()
    };
    let (hits, n) = (of(true), of(false));
    let Some(interval) = wilson(hits, n) else { return unseen(expectation) };
    let share = hits as f64 / n as f64;
    let (answer, why) = if interval.high <= bound {
        (Answer::Holds, String::new())
    } else if interval.low > bound {
        (Answer::Broken, String::new())
    } else {
        let reach = if share > bound { share - interval.low } else { interval.high - share };
        (Answer::NotShown, more_time(measured, reach, (share - bound).abs()))
    };
    let found = format!("{} ({} of {})", percent(share), count(hits), count(n));
    let shown = format!("{} to {}", percent(interval.low), percent(interval.high));
    aim(expectation, found, shown, answer, why, p_of_at_least(hits, n, bound))
}

fn ratio(measured: &Measurements, expectation: &Expectation, bound: f64) -> Aim {
    let treatment = arm_blocks(measured, &expectation.of, ArmTag::Treatment, None);
    let control = arm_blocks(measured, &expectation.of, ArmTag::Control, None);
    if treatment.is_empty() || control.is_empty() {
        let why = format!("`{}` had no requests in both arms of the fault phase", expectation.of);
        return undecided(expectation, "nothing to compare".to_owned(), why);
    }
    let [_, _, found] = compare(&treatment, &control, measured.experiment.seed);
    let effect: Effect = match found {
        Ok(effect) => effect,
        Err(missing) => return undecided(expectation, "too few to compare".to_owned(), missing.to_string()),
    };
    let margin = bound.max(f64::MIN_POSITIVE).ln();
    let (answer, why) = if effect.high <= margin {
        (Answer::Holds, String::new())
    } else if effect.low > margin {
        (Answer::Broken, String::new())
    } else {
        (Answer::NotShown, more_time(measured, effect.high - effect.ln_ratio, (effect.ln_ratio - margin).abs()))
    };
    let found =
        format!("{:.2} times ({} against {})", effect.ln_ratio.exp(), time(effect.treatment_us as f64), time(effect.control_us as f64));
    let shown = format!("{:.2} to {:.2} times", effect.low.exp(), effect.high.exp());
    aim(expectation, found, shown, answer, why, effect.p_above(margin))
}

fn recovered(measured: &Measurements, expectation: &Expectation, limit: Time, recoveries: &[Recovered]) -> Aim {
    let limit = limit.duration().as_secs_f64();
    let Some(recovery) = recoveries.iter().find(|r| r.endpoint == expectation.of) else {
        let why = if span(&measured.phases, Phase::Recovery).is_none() {
            "the run had no recovery phase".to_owned()
        } else {
            format!("`{}` has no other aim to recover to", expectation.of)
        };
        return undecided(expectation, "not measured".to_owned(), why);
    };
    if recovery.windows == 0 {
        return undecided(
            expectation,
            "too few requests".to_owned(),
            format!("no 5 s of the recovery had 5 requests to `{}`", expectation.of),
        );
    }
    let watched = format!("watched for {}", seconds(recovery.watched_s));
    match recovery.after_s {
        Some(after) => {
            let answer = if after <= limit { Answer::Holds } else { Answer::Broken };
            let kept = recovery.watched_s - after;
            let why = if kept < recovery::KEPT_S {
                format!("seen to hold for {} only, as the run then ended", seconds(kept))
            } else {
                String::new()
            };
            let found = if after > 0.0 { format!("after {}", seconds(after)) } else { "at once".to_owned() };
            aim(expectation, found, watched, answer, why, 1.0)
        }
        None if recovery.watched_s >= limit => {
            aim(expectation, format!("not within {}", seconds(recovery.watched_s)), watched, Answer::Broken, String::new(), 0.0)
        }
        None => undecided(
            expectation,
            format!("not within {}", seconds(recovery.watched_s)),
            "the recovery phase is shorter than the aim".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measurements::Measurements;
    use crate::sample::healthy;
    use crate::{Outcome, Tag};

    const OF: &str = "clinic GET /appointment/{id}";

    fn answer(bound: Bound, change: impl FnOnce(&mut Measurements)) -> Aim {
        let mut measured = healthy();
        measured.experiment.expectations.truncate(1);
        measured.experiment.expectations.push(Expectation { of: OF.into(), bound });
        change(&mut measured);
        let recoveries: Vec<_> = recovery::of(&measured, OF).into_iter().collect();
        judge(&measured, &recoveries).pop().unwrap()
    }

    /// A clinic that is too slow for so many seconds after the calm at second 45.
    fn slow_after_the_calm(measured: &mut Measurements, seconds: u32) {
        let tag = Tag { endpoint: OF.into(), phase: Phase::Recovery, arm: ArmTag::Untouched, outcome: Outcome::Answered };
        for second in 45..45 + seconds {
            for _ in 0..10 {
                measured.latencies.record(second, &tag, 3_000_000, false);
            }
        }
    }

    #[test]
    fn recovery_is_the_time_after_the_last_bad_second() {
        let within = |time: &str| Bound::Recovery(time.parse().unwrap());
        assert_eq!(answer(within("10s"), |_| ()).found, "at once");
        let late = answer(within("3s"), |m| slow_after_the_calm(m, 4));
        assert_eq!((late.found.as_str(), late.answer), ("after 4 s", Answer::Broken));
        assert!(late.why.contains("11 s only"), "{}", late.why);
        assert_eq!(answer(within("5s"), |m| slow_after_the_calm(m, 4)).answer, Answer::Holds);
        assert_eq!(answer(within("5s"), |m| slow_after_the_calm(m, 15)).answer, Answer::Broken);
        assert_eq!(answer(within("1m"), |m| slow_after_the_calm(m, 15)).answer, Answer::NotShown);
    }

    #[test]
    fn a_bound_within_the_interval_is_not_shown_and_says_how_long_it_would_take() {
        let close = answer(Bound::P50("30ms".parse().unwrap()), |_| ());
        assert_ne!(close.answer, Answer::Holds);
        let errors = answer(Bound::Errors(0.001.try_into().unwrap()), |_| ());
        assert_eq!(errors.answer, Answer::NotShown);
        assert!(errors.why.contains("more under fault"), "{}", errors.why);
    }

    #[test]
    fn a_ratio_is_judged_on_the_two_arms() {
        assert_eq!(answer(Bound::P99Ratio(2.0), |_| ()).answer, Answer::Broken);
        assert_eq!(answer(Bound::P99Ratio(100.0), |_| ()).answer, Answer::Holds);
    }

    #[test]
    fn an_aim_without_its_endpoint_names_it() {
        let aim = answer(Bound::P99("1s".parse().unwrap()), |m| m.experiment.expectations[1].of = "nowhere".into());
        assert!(aim.answer == Answer::NotShown && aim.why.contains("`nowhere`"), "{}", aim.why);
    }
}
