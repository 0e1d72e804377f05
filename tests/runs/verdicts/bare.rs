//! Servers that are broken without any fault, and a healthy one. They all run at once, because none
//! is judged by fine latencies.

use std::time::Duration;

use crate::support::{self, Outcome};
use crate::verdicts::server::{Answer, Answers, Server};

/// The first request comes with the warm-up. The baseline ends 4 s later, and the fault phase
/// begins 2 s after that.
const PHASES: &str = "warm-up = \"1s\"\nbaseline = \"3s\"\nfault = \"6s\"\nrecovery = \"6s\"";

const TURN: Duration = Duration::from_millis(4_500);

/// An experiment without faults that sends requests to `url`; `more` comes after the lines of the
/// phases.
pub fn shop(url: &str, rate: u32, more: &str) -> String {
    format!(
        "question = \"Is it well?\"\nseed = 5\n[phases]\n{PHASES}\n{more}\n\
         [[load.requests]]\nof = \"shop GET /\"\nurl = \"{url}\"\nrate = \"{rate}/s\"\n"
    )
}

fn expects(aims: &str) -> String {
    format!("[[expect]]\nof = \"shop GET /\"\n{aims}\n")
}

/// Checks verdict, exit code, and words of the headline and reasons.
#[track_caller]
pub fn says(outcome: &Outcome, (verdict, code): (&str, i32), headline: &[&str], reasons: &[&str]) {
    let result = outcome.result();
    assert_eq!((result["verdict"].as_str(), outcome.code), (Some(verdict), code), "{}", outcome.story());
    for (part, words) in [("sentence", headline), ("reasons", reasons)] {
        let text = result[part].to_string();
        words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in `{text}`\n{}", outcome.story()));
    }
}

pub const HELD: (&str, i32) = ("held", 0);
pub const BROKEN: (&str, i32) = ("broken", 3);
pub const NOT_SHOWN: (&str, i32) = ("not-shown", 4);
const STOPPED: (&str, i32) = ("stopped", 5);

/// A server, its aims, and the expected report.
struct Case {
    name: &'static str,
    /// `None` if there is no server.
    answers: Option<Answers>,
    rate: u32,
    more: String,
    verdict: (&'static str, i32),
    headline: &'static [&'static str],
    reasons: &'static [&'static str],
}

impl Case {
    fn run(&self) -> Outcome {
        let server = self.answers.map(Server::start);
        // No server listens at port 1.
        let url = server.as_ref().map_or_else(|| "http://127.0.0.1:1/".to_owned(), Server::url);
        support::Share::Place.run(&shop(&url, self.rate, &self.more), &[])
    }
}

const NOT_CHECKED: &str = "Not checked on this target: what happens behind the answers.";

const WELL: Answer = Answer::Now(200);
const FAST_FAILURE: Answer = Answer::After(Duration::from_millis(1), 503);
const SLOW: Answer = Answer::After(Duration::from_millis(2_500), 200);

fn always(name: &'static str, answer: Answer) -> Case {
    Case {
        name,
        answers: Some(Answers::Always(answer)),
        rate: 20,
        more: String::new(),
        verdict: BROKEN,
        headline: &["broken without any fault: in the baseline `shop GET /` served none of its"],
        reasons: &["`shop GET /` served none of its"],
    }
}

fn turning(name: &'static str, then: Answer) -> Case {
    Case {
        answers: Some(Answers::Turning { well: WELL, after: TURN, then }),
        headline: &["The system broke: "],
        reasons: &["`shop GET /` should keep errors at most"],
        ..always(name, then)
    }
}

/// Servers that are dead before any fault.
fn dead() -> Vec<Case> {
    let fast = expects("p99 = \"<= 100ms\"");
    let struck = "strike-a-broken-baseline = true".to_owned();
    vec![
        always("everything 502", Answer::Now(502)),
        Case { more: fast.clone(), ..always("everything 502, with an aim on latency", Answer::Now(502)) },
        always("everything 429", Answer::Now(429)),
        Case { more: fast, ..always("fast failures", FAST_FAILURE) },
        Case { answers: None, ..always("nobody listens", WELL) },
        Case { more: struck, ..always("everything 502, struck all the same", Answer::Now(502)) },
        always("hangs from the start", Answer::Never),
    ]
}

/// Servers that are healthy in the baseline, and never after it.
fn dying() -> Vec<Case> {
    vec![
        turning("502 under load", Answer::Now(502)),
        turning("429 under load", Answer::Now(429)),
        Case { more: expects("p99 = \"<= 100ms\""), ..turning("fast failures under load", FAST_FAILURE) },
        Case {
            more: expects("recovery = \"<= 3s\""),
            reasons: &["keep recovery within 3s", "but showed not within "],
            ..turning("never recovers", Answer::Now(502))
        },
        Case {
            more: expects("errors = \"any\""),
            verdict: HELD,
            headline: &["requests were served and", "No aim was set", "Errors are let go by", "at `shop GET /` (", "failed)"],
            reasons: &[],
            ..turning("502 under load, and let go", Answer::Now(502))
        },
        Case {
            more: expects("errors = \"any\"\np99 = \"<= 5s\""),
            headline: &["The system broke: `shop GET /` should keep p99 at most 5s", "showed no right answer"],
            reasons: &[],
            ..turning("502 under load, and let go, with an aim on latency", Answer::Now(502))
        },
        turning("hangs under load", Answer::Never),
        Case {
            more: "[stop]\nerrors = \"> 50% for 2s\"".to_owned(),
            verdict: STOPPED,
            headline: &["stopped early", "more than 50 % of all requests failed for 2 s", "overdue"],
            reasons: &[],
            ..turning("hangs under load, with a stop", Answer::Never)
        },
    ]
}

/// Slow servers, with far fewer requests than the 368 that p99 needs to hold.
fn slow() -> Vec<Case> {
    let aim = || expects("p99 = \"<= 1s\"");
    vec![
        Case {
            rate: 5,
            more: aim(),
            headline: &["broken without any fault: in the baseline `shop GET /` misses p99 at most 1s", "nothing was struck"],
            reasons: &[],
            ..always("slow", SLOW)
        },
        Case {
            rate: 5,
            more: aim(),
            headline: &["The system broke: `shop GET /` should keep p99 at most 1s"],
            reasons: &[],
            ..turning("slow under load", SLOW)
        },
    ]
}

/// A server that is slow in the baseline alone, struck all the same: a certain miss stays one.
fn slow_before() -> Vec<Case> {
    let answers = Some(Answers::Turning { well: SLOW, after: TURN, then: WELL });
    vec![Case {
        answers,
        rate: 80,
        more: format!("strike-a-broken-baseline = true\n{}", expects("p90 = \"<= 1s\"")),
        headline: &["broken without any fault: in the baseline `shop GET /` misses p90 at most 1s"],
        reasons: &["`shop GET /` misses p90 at most 1s"],
        ..always("slow in the baseline", SLOW)
    }]
}

/// A healthy server, as the control of all these.
fn well() -> Vec<Case> {
    let held = |name, more, headline| Case { rate: 80, more, verdict: HELD, headline, reasons: &[], ..always(name, WELL) };
    vec![
        held("well", expects("p99 = \"<= 5s\""), &["Every aim", "No fault was planned", NOT_CHECKED]),
        held("well, and nothing asked", String::new(), &["requests were served", "No fault was planned", "No aim was set", NOT_CHECKED]),
    ]
}

#[test]
fn a_stack_that_is_wrong_without_faults_is_called_so_and_one_that_is_well_is_held() {
    let cases: Vec<Case> = [dead(), dying(), slow(), slow_before(), well()].into_iter().flatten().collect();
    std::thread::scope(|scope| {
        let runs: Vec<_> = cases.iter().map(|case| scope.spawn(|| case.run())).collect();
        for (run, case) in runs.into_iter().zip(&cases) {
            // Shown if the test fails.
            eprintln!("{}", case.name);
            says(&run.join().unwrap(), case.verdict, case.headline, case.reasons);
        }
    });
}

#[test]
fn an_aim_that_nothing_can_miss_is_refused_before_anything_is_sent() {
    // Regression: every request failed under load, and the verdict was held.
    for (aims, says) in [
        ("errors = \"<= 100%\"", "`<= 100%` always holds"),
        ("p50 = \"<= 30s\"", "always holds"),
        ("p90 = \"<= 1m\"", "always holds"),
        ("p99 = \"<= 40s\"", "always holds"),
    ] {
        let outcome = support::Share::Place.run(&shop("http://127.0.0.1:1/", 20, &expects(aims)), &[]);
        assert_eq!(outcome.code, 2, "{aims}: {}", outcome.story());
        assert!(outcome.stderr.contains(says) && outcome.stderr.contains("nothing was started"), "{aims}: {}", outcome.story());
        assert!(!outcome.folder.path().join("result.json").exists(), "{aims}");
    }
}
