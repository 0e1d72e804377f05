//! Joins complete ledgers, and ledgers whose lines are lost, late or doubled.

use faults::Start;
use faults::ledger::{Decided, OfFault};
use reports::{Outcome, Phase};
use scenarios::Exchange;

use super::*;

const CACHE_REFUSES: &str = include_str!("../../../scenarios/src/systems/audit/experiments/close-fails.toml");

fn call(plan: &Plan, request_id: &str) -> Entry {
    let decision = plan.faults[0].decide(plan.seed, Identity(request_id));
    let of = OfFault { arm: decision.arm, action: decision.action.name(), ..OfFault::control("refused-delete".into()) };
    Entry::Decided(Decided {
        run: "run".into(),
        sequence: 1,
        request_id: request_id.into(),
        root: None,
        place: "redis:DEL".into(),
        start: Start::Warm,
        faults: vec![of],
        control: Vec::new(),
    })
}

#[test]
fn a_call_without_a_trace_is_counted_by_its_own_id() {
    let plan = crate::check("close-fails", CACHE_REFUSES).unwrap();
    let mut join = Join::new("run", &plan, Duration::ZERO);
    let now = Instant::now();
    let entries: Vec<_> = (0..100).map(|n| call(&plan, &format!("call-{n}"))).collect();
    let struck = entries.iter().flat_map(|entry| join.strikes(entry, Duration::ZERO)).count() as u64;
    entries.into_iter().for_each(|entry| join.entry(entry, now));
    let book = &join.injections()[0];
    assert_eq!((book.eligible, book.planned, book.struck), (100, struck, struck));
    assert!((20..60).contains(&struck), "{struck}");
    assert_eq!(join.discrepancies(), Vec::<String>::new());
}

const SLOW: &str = include_str!("../../../scenarios/experiments/slow-authorizer.toml");
const OF: &str = "clinic GET /appointment/{id}";

/// The ledger's line about one request, under the plan with this sequence.
fn line(plan: &Plan, sequence: u64, n: u64) -> Entry {
    let root = root(n);
    let arm = if sequence == 1 { Arm::Control } else { plan.faults[0].decide(plan.seed, Identity(&root)).arm };
    Entry::Decided(Decided {
        run: "run".into(),
        sequence,
        request_id: format!("request-{n}"),
        root: Some(root),
        place: "authorizer".into(),
        start: Start::Warm,
        faults: vec![OfFault { arm, ..OfFault::control(plan.faults[0].name.clone()) }],
        control: Vec::new(),
    })
}

fn root(n: u64) -> String {
    format!("1-00000000-{n:024x}")
}

fn exchange(plan: &Plan, phase: Phase, n: u64) -> Event {
    let at = if phase == Phase::Baseline { plan.timeline.recording_from() } else { plan.timeline.fault_from() + Duration::from_secs(5) };
    Event::Exchange(Box::new(Exchange {
        endpoint: OF,
        root: root(n),
        phase: Some(phase),
        due: at,
        sent: at,
        done: at,
        outcome: Outcome::Answered,
        status: Some(200),
        method: "GET",
        path: "/appointment/PI-T123".into(),
        asked: scenarios::Asked::Other,
        said: scenarios::exchange::Said::default(),
        missed: None,
        told: None,
        began: None,
        struck: Vec::new(),
    }))
}

/// 100 rehearsed requests in the baseline and 400 under fault; `tells` gives the lines of each.
fn joined(tells: impl Fn(&Plan, u64) -> Vec<Entry>) -> (Join, Vec<Joined>) {
    let plan = crate::check("slow-authorizer", SLOW).unwrap();
    let mut join = Join::new("run", &plan, Duration::ZERO);
    let now = Instant::now();
    join.rehearsed(1);
    for n in 0..100 {
        join.entry(line(&plan, 1, n), now);
        join.event(exchange(&plan, Phase::Baseline, n), now);
    }
    join.due(now);
    for n in 100..500 {
        tells(&plan, n).into_iter().for_each(|entry| join.entry(entry, now));
        join.event(exchange(&plan, Phase::Fault, n), now);
    }
    let joined = join.due(now);
    (join, joined)
}

fn arms(joined: &[Joined]) -> [usize; 3] {
    let of = |arm| joined.iter().filter(|one| one.traced.rolls.arm() == arm).count();
    [of(ArmTag::Treatment), of(ArmTag::Control), of(ArmTag::Untouched)]
}

#[test]
fn a_rehearsal_is_not_counted_and_shows_which_requests_a_fault_would_be_about() {
    let (join, joined) = joined(|plan, n| vec![line(plan, 2, n)]);
    let book = &join.injections()[0];
    assert_eq!((book.eligible, book.unknown, book.struck), (400, 0, book.planned));
    assert_eq!(arms(&joined), [book.struck as usize, 400 - book.struck as usize, 0]);
    assert_eq!(join.discrepancies(), Vec::<String>::new());
}

#[test]
fn a_deployed_function_that_requests_invoke_must_report_before_it_is_struck() {
    let plan = crate::check("orders", include_str!("../../../docs/examples/orders.toml")).unwrap();
    let mut join = Join::new("run", &plan, Duration::ZERO);
    assert_eq!(join.silent(), Vec::<String>::new(), "nothing is rehearsed where FIS strikes");
    join.rehearsed(1);
    assert_eq!(join.silent(), ["`orders`"]);
    join.entry(line(&plan, 1, 1), Instant::now());
    assert_eq!(join.silent(), Vec::<String>::new());
}

#[test]
fn a_line_that_comes_twice_counts_once() {
    let (once, twice) = (joined(|plan, n| vec![line(plan, 2, n)]), joined(|plan, n| vec![line(plan, 2, n), line(plan, 2, n)]));
    assert_eq!((once.0.injections(), arms(&once.1)), (twice.0.injections(), arms(&twice.1)));
}

#[test]
fn requests_whose_lines_are_lost_count_against_the_fault_and_stay_in_their_arms() {
    let whole = joined(|plan, n| vec![line(plan, 2, n)]);
    // 95 of 100 lines are lost; and environments that never read the plan report only the
    // rehearsal's.
    let lost = joined(|plan, n| if n % 20 == 0 { vec![line(plan, 2, n)] } else { Vec::new() });
    let unread = joined(|plan, n| vec![line(plan, if n % 2 == 0 { 2 } else { 1 }, n)]);
    for (broken, unknown) in [(&lost, 380), (&unread, 200)] {
        let (book, right) = (&broken.0.injections()[0], &whole.0.injections()[0]);
        assert_eq!((book.eligible, book.unknown, book.planned), (right.eligible, unknown, right.planned));
        assert!(book.struck < right.struck);
        assert_eq!(arms(&broken.1), arms(&whole.1), "arms are as rolled");
    }
}

#[test]
fn a_request_whose_fault_was_not_injected_stays_in_its_arm_as_planned_but_not_struck() {
    let undone = |mut entry: Entry, is_undone: bool| {
        if let Entry::Decided(decided) = &mut entry {
            decided.faults.iter_mut().for_each(|of| of.done = !is_undone);
        }
        entry
    };
    let whole = joined(|plan, n| vec![line(plan, 2, n)]);
    let third = joined(|plan, n| vec![undone(line(plan, 2, n), n % 3 == 0)]);
    let none = joined(|plan, n| vec![undone(line(plan, 2, n), true)]);
    let right = &whole.0.injections()[0];
    for (halting, most) in [(&third, right.struck - 1), (&none, 0)] {
        let book = &halting.0.injections()[0];
        assert_eq!((book.eligible, book.unknown, book.planned), (right.eligible, 0, right.planned));
        assert!(book.struck <= most, "{book:?}");
        assert_eq!(arms(&halting.1), arms(&whole.1), "arms are as rolled");
        assert_eq!(halting.0.discrepancies(), Vec::<String>::new());
    }
}

#[test]
fn requests_keep_their_arms_if_ledgers_are_two_minutes_late() {
    let plan = crate::check("slow-authorizer", SLOW).unwrap();
    let (lag, patience) = (Duration::from_secs(120), Duration::from_secs(30));
    let mut join = Join::new("run", &plan, lag);
    let (begun, mut told) = (Instant::now(), Vec::new());
    // The line comes at once, the answer just before the sender's timeout, and the request is
    // judged when the last line may have come.
    (0..100).for_each(|n| join.entry(line(&plan, 2, n), begun));
    for second in (0..=150).step_by(5) {
        let now = begun + Duration::from_secs(second);
        if now == begun + patience {
            (0..100).for_each(|n| join.event(exchange(&plan, Phase::Fault, n), now));
        }
        told.extend(join.due(now));
    }
    let book = &join.injections()[0];
    assert_eq!(arms(&told), [book.struck as usize, 100 - book.struck as usize, 0], "{book:?}");
    assert_eq!((book.eligible, book.unknown, join.discrepancies()), (100, 0, Vec::new()));
}

const DEPLOYED: &str = r#"
question = "Is the ledger whole?"
seed = 7
[aws]
layer = "arn:aws:lambda:eu-central-1:123456789012:layer:brownout:7"
ledger-lag = "2s"
[[aws.function]]
arn = "arn:aws:lambda:eu-central-1:123456789012:function:authorizer"
role = "arn:aws:iam::123456789012:role/authorizer"
[phases]
warm-up = "1s"
baseline = "5s"
fault = "12s"
[[load.requests]]
of = "clinic GET /appointment/{id}"
url = "https://clinic.example.com/appointment/PI-T123"
rate = "40/s"
[[fault]]
function = "authorizer"
share = 0.5
latency = { time = "60ms" }
"#;

/// The counts when the platform reports no invocations and half of the ledger's lines never come,
/// neither in the baseline.
fn half_told(text: &str) -> Injections {
    let plan = crate::check("deployed", text).unwrap();
    let mut join = Join::new("run", &plan, Duration::ZERO);
    let now = Instant::now();
    join.rehearsed(1);
    for (phase, sequence, requests) in [(Phase::Baseline, 1, 0..100), (Phase::Fault, 2, 100..500)] {
        for n in requests {
            if n % 2 == 0 {
                join.entry(line(&plan, sequence, n), now);
            }
            join.event(exchange(&plan, phase, n), now);
        }
        join.due(now);
    }
    join.injections()[0].clone()
}

#[test]
fn lines_lost_from_the_baseline_on_are_missed_if_a_function_serves_all_requests_or_none() {
    assert_eq!((half_told(DEPLOYED).eligible, half_told(DEPLOYED).unknown), (400, 200));
    let http = half_told(&DEPLOYED.replace("role =", "triggers = [\"http\"]\nrole ="));
    assert_eq!(http.unknown, 200);
    // An authorizer's answers are cached, and an alias sends the version with the layer only a
    // share of its calls.
    for more in ["triggers = [\"authorizer\"]", "alias = \"live\""] {
        let some = half_told(&DEPLOYED.replace("role =", &format!("{more}\nrole =")));
        assert_eq!((some.eligible, some.unknown), (200, 0), "{more}");
    }
}

#[test]
fn lines_that_come_after_their_requests_were_judged_are_a_discrepancy() {
    let (mut join, _) = joined(|_, _| Vec::new());
    let plan = crate::check("slow-authorizer", SLOW).unwrap();
    for n in 100..500 {
        join.entry(line(&plan, 2, n), Instant::now());
    }
    assert!(join.discrepancies()[0].contains("`ledger-lag` is too short"), "{:?}", join.discrepancies());
}
