//! Runs compared with one another: in made-up worlds whose truth is known, how often a regression is
//! reported that is not there, and how often one that is there is found.

use crate::support::runs::{OF, empty, phases, tag};
use crate::support::worlds::{World, world};
use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use reports::between::{Comparison, Limits, Side, between, markdown};
use reports::distributions::binomial_quantile;
use reports::{Answer, Latencies, Outcome, Phase, Rolls, Verdict};

fn limits(time: f64) -> Limits {
    Limits { time, errors: 0.01, at: ["p50", "p90", "p99"].map(str::to_owned).to_vec(), phase: None }
}

/// A run of this many seconds and requests a second, all of them `times` slower than the world's,
/// of which a share fails.
fn run(world: World, seconds: u32, per_second: u32, times: f64, fail: f64, random: &mut Pcg64Mcg) -> Side {
    let mut latencies = Latencies::default();
    let moments = world.moments(seconds, random);
    let mut due = 0.0;
    for (second, moment) in (0..).zip(moments) {
        for _ in 0..per_second {
            due += fail;
            let fails = due >= 1.0;
            due -= if fails { 1.0 } else { 0.0 };
            let outcome = if fails { Outcome::Failed } else { Outcome::Answered };
            let tag = reports::Tag { outcome, ..tag(Phase::Baseline, Rolls::default()) };
            latencies.record(second, &tag, (world.latency(moment, random) * times) as u64, false);
        }
    }
    Side { report: None, latencies }
}

fn compare(name: &str, size: (u32, u32), (times, limit): (f64, f64), seed: u64) -> Comparison {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    let [before, after] = [1.0, times].map(|times| run(world(name), size.0, size.1, times, 0.0, &mut random));
    between(&before, &after, &limits(limit))
}

#[test]
fn without_a_change_a_regression_is_found_in_one_of_twenty_runs_at_most() {
    // Even if nothing at all may change.
    for (name, seconds) in [("log-normal 0.25", 40), ("log-normal 0.8", 40), ("two modes", 40), ("pauses", 120), ("AR(1) 0.5/0.8", 240)] {
        let runs = 60;
        let found = (0..runs).filter(|seed| compare(name, (seconds, 20), (1.0, 0.0), *seed).verdict == Verdict::Broken).count() as u64;
        assert!(found <= binomial_quantile(0.9999, runs, 0.05), "{name}: {found} of {runs}");
    }
}

#[test]
fn ten_percent_more_at_p99_is_found_and_is_never_called_none() {
    // 24,000 requests a run, a bound of 5 %.
    let runs = 20;
    let all: Vec<_> = (0..runs).map(|seed| compare("log-normal 0.25", (120, 200), (1.1, 0.05), seed)).collect();
    let is = |comparison: &&Comparison, answer| comparison.rows.iter().any(|row| row.what == "p99" && row.answer == answer);
    let found = all.iter().filter(|comparison| is(comparison, Answer::Broken)).count() as u64;
    let missed = all.iter().filter(|comparison| is(comparison, Answer::Holds)).count();
    assert!(found >= binomial_quantile(0.0001, runs, 0.97) && missed == 0, "{found} found, {missed} missed of {runs}");
}

#[test]
fn the_three_answers_and_what_leads_to_them() {
    let mut random = Pcg64Mcg::seed_from_u64(3);
    let well = world("log-normal 0.25");
    let mut side = |seconds, per_second, times, fail| run(well, seconds, per_second, times, fail, &mut random);
    let base = side(60, 100, 1.0, 0.0);
    for (other, limit, verdict, says) in [
        (side(60, 100, 1.0, 0.0), 0.2, Verdict::Held, "No regression beyond +20 % in time and +1 points in errors, in 4 comparisons."),
        (side(60, 100, 1.5, 0.0), 0.2, Verdict::Broken, "A regression: p50 of `clinic GET /appointment/{id}` (baseline) went from"),
        (side(60, 100, 0.5, 0.0), 0.0, Verdict::Held, "No regression"),
        (side(60, 100, 1.0, 0.05), 0.2, Verdict::Broken, "A regression: p99 of"),
        (side(60, 100, 1.0, 0.004), 0.2, Verdict::Held, "No regression"),
        (side(60, 2, 1.0, 0.0), 0.2, Verdict::NotShown, "needs 248 more requests in the smaller run"),
        (side(10, 100, 1.0, 0.0), 0.2, Verdict::NotShown, "needs 10 s more in the shorter run"),
        (Side { report: None, latencies: Latencies::default() }, 0.2, Verdict::NotShown, "has requests only in the first run"),
    ] {
        let found = between(&base, &other, &limits(limit));
        assert_eq!(found.verdict, verdict, "{says}: {found:#?}");
        assert!(found.sentence.contains(says), "`{}` does not say `{says}`", found.sentence);
        assert!(markdown(&found).starts_with(&format!("# {}\n", verdict.name().replace('-', " "))));
    }
    // What failed before is better now, whatever its time is.
    let (bad, good) = (side(60, 100, 1.0, 0.2), side(60, 100, 1.0, 0.0));
    assert_eq!(between(&bad, &good, &limits(0.2)).verdict, Verdict::Held);
}

#[test]
fn a_saturated_generator_shows_neither_and_another_rate_is_noted() {
    let mut random = Pcg64Mcg::seed_from_u64(4);
    let mut side = |times: f64, achieved: f64, intended: f64| {
        let measured = run(world("log-normal 0.25"), 60, 100, times, 0.0, &mut random);
        let mut run = empty(phases(&[(Phase::Baseline, 60)]), vec![], vec![]);
        (run.generator.intended_per_s, run.generator.achieved_per_s) = (intended, achieved);
        Side { report: Some(reports::judge(&run)), ..measured }
    };
    let (base, tired, other) = (side(1.0, 100.0, 100.0), side(2.0, 80.0, 100.0), side(2.0, 200.0, 200.0));
    let found = between(&base, &tired, &limits(0.05));
    assert_eq!(found.verdict, Verdict::NotShown);
    assert!(found.sentence.contains("the second run is no measure: the load generator was saturated"), "{}", found.sentence);
    let found = between(&base, &other, &limits(0.05));
    assert_eq!(found.verdict, Verdict::Broken);
    assert!(
        found.notes[0].contains("the loads differ: 100.0 arrivals a second in the first run, 200.0 in the second"),
        "{:?}",
        found.notes
    );
    assert_eq!(OF, found.rows[0].endpoint);
}
