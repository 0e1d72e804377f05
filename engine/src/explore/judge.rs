//! What came of a case: the rules that its journey broke, what differs from the same journey without a
//! fault, and whether it could be followed to its end. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use reports::Outcome as Ended;
use reports::explored::Outcome;
use scenarios::invariants::Breach;
use serde::{Deserialize, Serialize};

use super::cases::{Case, Dealt, Second, Why};
use super::observed::Observed;
use super::place::Spot;
use super::roots::Arrival;
use super::tree::Effect;
use super::ways::Way;
use crate::story::{Broken, Request};

/// An answer is slower if it takes this many times as long, and this much longer.
const SLOWER: (u32, Duration) = (2, Duration::from_millis(200));

/// From this status on an answer tells nothing of what was done; those of 400 and above say that nothing was.
const FAILURE: u16 = 500;

/// A rule about what differs from the fault-free journey: id and text.
type TreeRule = (&'static str, &'static str);

const MISSING: TreeRule = ("T-1", "an acknowledged request has every effect that it has without a fault");
const TWICE: TreeRule = ("T-2", "no fault makes a second row, object or mail of one request");
const UNTOUCHED: TreeRule = ("T-3", "a request that no fault touched is answered, whatever happened to its journey before");
const REFUSED: TreeRule = ("T-4", "a request that is refused with a status of 400 to 499 leaves nothing behind");
const IMPATIENT: TreeRule = ("T-5", "a caller waits as long as the function that it calls may take");

const TREE_RULES: [TreeRule; 5] = [MISSING, TWICE, UNTOUCHED, REFUSED, IMPATIENT];

/// What came of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// Nothing was noticed.
    Held,
    /// Slower or refused; how.
    Degraded(String),
    /// The rules that were broken; never empty.
    Broken(Vec<Broken>),
    /// It shows nothing; why.
    Unclear(String),
    /// It may have been hurt by another case: its journey failed before the fault could strike, or
    /// arrivals that no case hurts show the same.
    HurtByAnother,
}

impl Judged {
    /// As the matrix shows it.
    pub fn shown(&self) -> (Outcome, String) {
        match self {
            Self::Held => (Outcome::Held, "as without the fault".to_owned()),
            Self::Degraded(how) => (Outcome::Degraded, how.clone()),
            Self::Broken(broken) => {
                let first = broken.first();
                (Outcome::Broken, first.map(|broken| format!("{}: {}", broken.rule, broken.breach.answered)).unwrap_or_default())
            }
            Self::Unclear(why) => (Outcome::Unclear, why.clone()),
            Self::HurtByAnother => (Outcome::Unclear, "requests that no fault touched show the same, twice".to_owned()),
        }
    }
}

/// A wave and the same traffic without faults.
#[derive(Debug)]
pub struct Sides<'a> {
    fault_free: &'a Observed,
    wave: &'a Observed,
    stable: HashMap<&'static str, BTreeMap<Effect, usize>>,
    /// What arrivals show that no case hurts: a case of the same wave that shows it too may have been
    /// hurt by another.
    elsewhere: BTreeSet<String>,
    /// How long nine of ten requests of those arrivals take, by endpoint.
    usual: HashMap<&'static str, Duration>,
}

impl<'a> Sides<'a> {
    /// Compares a wave with the fault-free traffic.
    pub fn new(fault_free: &'a Observed, wave: &'a Observed, hurt: &[Dealt]) -> Self {
        let (elsewhere, usual) = (BTreeSet::new(), HashMap::new());
        let mut sides = Self { fault_free, wave, stable: fault_free.stable_effects(), elsewhere, usual };
        let unhurt = || wave.arrivals().filter(|(arrival, _)| !hurt.iter().any(|dealt| dealt.arrival == *arrival));
        sides.usual = usual_times(unhurt().flat_map(|(_, requests)| requests));
        let shown = unhurt().flat_map(|(arrival, requests)| {
            let of_effects = requests.iter().flat_map(|request| sides.effects(request));
            let of_answers = sides.fails_untouched(arrival, "");
            wave.broken(arrival).iter().cloned().chain(of_effects).chain(of_answers)
        });
        sides.elsewhere = shown.map(|broken| sign(&broken)).collect();
        sides
    }

    /// What came of a case on the arrival that it was dealt; `is_called` if other functions call its function and wait.
    pub fn judge(&self, case: &Case, is_called: bool, dealt: &Dealt) -> Judged {
        let broken = self.wave.broken(dealt.arrival);
        let fails = || self.fails_untouched(dealt.arrival, &dealt.root);
        if let Some(unstruck) = case.fault_names(dealt.case).position(|name| !self.wave.has_struck(&name)) {
            let is_hurt = !broken.is_empty() || fails().is_some();
            let which = if unstruck == 0 { "the fault did not strike" } else { "the second fault did not strike" };
            return if is_hurt { Judged::HurtByAnother } else { Judged::Unclear(which.to_owned()) };
        }
        let Some(request) = self.request(dealt) else { return Judged::Unclear("its request was not sent".to_owned()) };
        let left = self.wave.unfinished(dealt.arrival);
        // What is still on its way may yet have the effects that are missing.
        let of_effects = self.effects(request).into_iter().filter(|broken| left == 0 || broken.rule != MISSING.0);
        let impatient = if is_called { self.impatient(case, request) } else { None };
        let all: Vec<_> = broken.iter().cloned().chain(of_effects).chain(fails()).chain(impatient).collect();
        let own: Vec<_> = all.iter().filter(|broken| !self.elsewhere.contains(&sign(broken))).cloned().collect();
        match (own.is_empty(), all.is_empty()) {
            (false, _) => Judged::Broken(own),
            (true, false) => Judged::HurtByAnother,
            (true, true) if left > 0 => Judged::Unclear(format!("{left} of its messages and invocations had not ended when the wave did")),
            (true, true) => self.degraded(dealt, request).map_or(Judged::Held, Judged::Degraded),
        }
    }

    fn request(&self, dealt: &Dealt) -> Option<&Request> {
        self.wave.requests(dealt.arrival).iter().find(|request| request.root == dealt.root)
    }

    /// T-3: the last request to an endpoint fails, no fault touched it, and without the fault it is
    /// answered.
    fn fails_untouched(&self, arrival: Arrival, touched: &str) -> Option<Broken> {
        let before = last(self.fault_free.requests(arrival));
        let is_answered = |endpoint: &str| before.get(endpoint).is_some_and(|request| request.outcome == Ended::Answered);
        let now = last(self.wave.requests(arrival));
        let failed = now.into_values().find(|request| {
            matches!(request.outcome, Ended::Failed | Ended::TimedOut) && request.root != touched && is_answered(request.endpoint)
        })?;
        Some(tree_rule(UNTOUCHED, failed, answered(failed), "an answer, as without the fault".to_owned()))
    }

    /// T-5: the slow function ended well within its timeout, its caller failed before that, and so did the request.
    /// Of a pair the other fault may have failed the caller.
    fn impatient(&self, case: &Case, request: &Request) -> Option<Broken> {
        let (Spot::Invocation { function, .. }, None) = (&case.first.place.spot, &case.second) else { return None };
        let has_failed =
            matches!(request.outcome, Ended::Failed | Ended::TimedOut) && request.status.is_none_or(|status| status >= FAILURE);
        let is_impatient = case.first.way == Way::Slow && has_failed && self.wave.tree(&request.root)?.was_given_up(function);
        is_impatient.then(|| tree_rule(IMPATIENT, request, answered(request), format!("an answer: `{function}` ended within its timeout")))
    }

    /// T-1, T-2 and T-4: effects of an acknowledged request that are missing, effects that came twice, and
    /// effects of a refused request.
    fn effects(&self, request: &Request) -> Vec<Broken> {
        let mut broken = Vec::new();
        let found = self.wave.tree(&request.root).map(|tree| tree.effects.counts()).unwrap_or_default();
        let is_refused = request.outcome == Ended::Failed && request.status.is_some_and(|status| (400..FAILURE).contains(&status));
        for (effect, expected) in self.stable.get(request.endpoint).into_iter().flatten() {
            let found = found.get(effect).copied().unwrap_or_default();
            let (found_words, expected_words) = (format!("{found} {effect}"), format!("{expected} {effect}, as without the fault"));
            if found > *expected && !effect.may_double() {
                broken.push(tree_rule(TWICE, request, found_words, expected_words));
            } else if found < *expected && request.outcome == Ended::Answered {
                broken.push(tree_rule(MISSING, request, found_words, expected_words));
            } else if found > 0 && is_refused {
                let found_words = format!("{}, and {found_words}", answered(request));
                broken.push(tree_rule(REFUSED, request, found_words, format!("no {effect}")));
            }
        }
        broken
    }

    fn degraded(&self, dealt: &Dealt, request: &Request) -> Option<String> {
        if matches!(request.outcome, Ended::Failed | Ended::TimedOut) {
            return Some(format!("refused: {}", answered(request)));
        }
        let found = self.wave.tree(&dealt.root).map(|tree| tree.effects.counts()).unwrap_or_default();
        let stable = self.stable.get(request.endpoint);
        let twice = stable.into_iter().flatten().find(|(effect, count)| found.get(effect).is_some_and(|now| now > count));
        if let Some((effect, count)) = twice {
            return Some(format!("{} {effect} instead of {count}", found.get(effect).copied().unwrap_or_default()));
        }
        let before = self.fault_free.requests(dealt.arrival).iter().find(|request| request.root == dealt.root)?;
        let (times, longer) = SLOWER;
        let usual = self.usual.get(request.endpoint).copied().unwrap_or_default().max(before.took);
        let is_slower = request.took > usual * times && request.took > usual + longer;
        is_slower.then(|| format!("answered in {} ms instead of {} ms", request.took.as_millis(), before.took.as_millis()))
    }
}

/// How long nine of ten requests to each endpoint take.
fn usual_times<'r>(requests: impl Iterator<Item = &'r Request>) -> HashMap<&'static str, Duration> {
    let mut times: HashMap<&'static str, Vec<Duration>> = HashMap::new();
    requests.for_each(|request| times.entry(request.endpoint).or_default().push(request.took));
    let nine_of_ten = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() * 9 / 10).copied().unwrap_or_default()
    };
    times.into_iter().map(|(endpoint, times)| (endpoint, nine_of_ten(times))).collect()
}

/// The last request to each endpoint: a repeated one may fail before it is answered.
fn last(requests: &[Request]) -> BTreeMap<&'static str, &Request> {
    let mut last: BTreeMap<&'static str, &Request> = BTreeMap::new();
    for request in requests {
        let known = last.entry(request.endpoint).or_insert(request);
        if request.due > known.due {
            *known = request;
        }
    }
    last
}

/// What tells a breach from others, whichever arrival shows it: of effects also which.
fn sign(broken: &Broken) -> String {
    let of_tree = is_tree_rule(&broken.rule).then(|| format!("{} {}", broken.breach.asked, broken.breach.expected));
    format!("{} {}", broken.rule, of_tree.unwrap_or_default())
}

fn answered(request: &Request) -> String {
    match (request.status, request.outcome) {
        (Some(status), _) => status.to_string(),
        (None, Ended::TimedOut) => "no answer in time".to_owned(),
        (None, _) => "no answer".to_owned(),
    }
}

fn tree_rule((id, text): TreeRule, request: &Request, answered: String, expected: String) -> Broken {
    let breach = Breach {
        at: request.due,
        root: Some(request.root.clone()),
        asked: request.endpoint.to_owned(),
        answered,
        expected,
        repeat: String::new(),
    };
    Broken { rule: id.to_owned(), text: text.to_owned(), breach }
}

/// The rule's id is one that only an exploration checks.
pub fn is_tree_rule(rule: &str) -> bool {
    TREE_RULES.iter().any(|(id, _)| *id == rule)
}

/// The command that repeats a case.
pub fn command(begin: &str, case: &Case) -> String {
    let place = match &case.second {
        Some(Second { why: Why::Both, .. }) => case.places(),
        // The first fault opens the place of the second.
        _ => case.first.place.to_string(),
    };
    format!("{begin} --only 'place:{place}'")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use faults::kinds::again::Again;
    use faults::ledger::{Decided, OfFault};
    use faults::{ActionName, Arm, Entry, Kind, Start};
    use run_folder::{Seen, Sighting};

    use super::super::cases::Injection;
    use super::super::fixtures::{arrival, fault_free, invoked, later, request, root, roots, seen, sighting};
    use super::super::place::Place;
    use super::super::ways::Hurt;
    use super::*;
    use crate::story::Story;

    fn strike(fault: &str) -> Entry {
        let of = OfFault { arm: Arm::Treatment, action: ActionName::Refuse, ..OfFault::control(fault.to_owned()) };
        Entry::Decided(Decided {
            run: "r".into(),
            sequence: 1,
            request_id: "i".into(),
            root: Some(root(1)),
            place: "place".into(),
            start: Start::Warm,
            faults: vec![of],
            control: Vec::new(),
        })
    }

    fn breach(number: u32) -> Broken {
        tree_rule(MISSING, &request(root(number), "buy place", 1, 201), "x".into(), "y".into())
    }

    fn case(way: Way) -> Case {
        let place = Place { endpoint: "buy place".into(), spot: Spot::Invocation { function: "place".into(), delivery: 1 } };
        Case::single(Injection { place, way, hurt: Hurt { kind: Kind::Again(Again {}), times: 1 } })
    }

    fn pair(way: Way) -> Case {
        let Case { first, .. } = case(way);
        Case { second: Some(Second { why: Why::Opened, injection: first.clone() }), first }
    }

    /// What came of case 0 on arrival 1.
    fn judged(struck: bool, requests: Vec<Request>, breaches: Vec<Broken>, sightings: Vec<Sighting>) -> Judged {
        let struck = if struck { &["case-0"][..] } else { &[] };
        judged_of((&case(Way::Error), true), struck, requests, breaches, sightings)
    }

    fn judged_of(
        (case, is_called): (&Case, bool),
        struck: &[&str],
        requests: Vec<Request>,
        breaches: Vec<Broken>,
        sightings: Vec<Sighting>,
    ) -> Judged {
        let mut fault_free = fault_free(3);
        let look = request(later(1), "buy look", 2, 200);
        fault_free.add(&roots(), look);
        let struck = struck.iter().map(|fault| strike(fault));
        let wave = Observed::of(Story { requests, breaches }, sightings, struck, &Default::default(), &roots());
        let dealt = Dealt { case: 0, arrival: arrival(1), root: root(1), due: Duration::from_secs(1) };
        Sides::new(&fault_free, &wave, std::slice::from_ref(&dealt)).judge(case, is_called, &dealt)
    }

    fn place(status: u16) -> Request {
        request(root(1), "buy place", 1, status)
    }

    fn look(status: u16) -> Request {
        request(later(1), "buy look", 2, status)
    }

    fn rules(judged: &Judged) -> Vec<&str> {
        match judged {
            Judged::Broken(broken) => broken.iter().map(|broken| broken.rule.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn a_case_is_held_only_if_it_struck_and_nothing_differs() {
        assert_eq!(judged(true, vec![place(201), look(200)], vec![], seen(1, &["o"])), Judged::Held);
        assert!(matches!(judged(false, vec![place(201), look(200)], vec![], seen(1, &["o"])), Judged::Unclear(_)), "it did not strike");
        assert!(matches!(judged(true, vec![], vec![], vec![]), Judged::Unclear(_)), "its request was not sent");
        let mut open = seen(1, &["o"]);
        open.pop();
        assert!(matches!(judged(true, vec![place(201)], vec![], open), Judged::Unclear(_)), "an invocation has not ended");
    }

    #[test]
    fn a_refusal_and_a_slow_answer_are_degraded() {
        assert_eq!(judged(true, vec![place(502)], vec![], seen(1, &[])), Judged::Degraded("refused: 502".into()));
        let slow = Request { took: Duration::from_millis(900), ..place(201) };
        assert_eq!(judged(true, vec![slow], vec![], seen(1, &["o"])), Judged::Degraded("answered in 900 ms instead of 10 ms".into()));
        let slow = || Request { took: Duration::from_millis(900), ..place(201) };
        let other = |took| Request { took: Duration::from_millis(took), ..request(root(2), "buy place", 2, 201) };
        let both = |took| judged(true, vec![slow(), other(took)], vec![], [seen(1, &["o"]), seen(2, &["o"])].concat());
        assert_eq!((both(600), matches!(both(10), Judged::Degraded(_))), (Judged::Held, true), "the machine is slow, not the case");
        let hardly = Request { took: Duration::from_millis(200), ..place(201) };
        assert_eq!(judged(true, vec![hardly], vec![], seen(1, &["o"])), Judged::Held);
    }

    #[test]
    fn what_differs_from_the_fault_free_journey_breaks_the_rules_of_the_tree() {
        for (what, requests, rows, expected) in [
            ("acknowledged and not stored", vec![place(201)], &[][..], vec!["T-1"]),
            ("refused and not stored", vec![place(502)], &[], vec![]),
            ("stored twice", vec![place(201)], &["o", "p"], vec!["T-2"]),
            ("refused and stored twice", vec![place(502)], &["o", "p"], vec!["T-2"]),
            ("failed and stored: the caller cannot know", vec![place(502)], &["o"], vec![]),
            ("refused and stored", vec![place(402)], &["o"], vec!["T-4"]),
            ("refused and nothing stored", vec![place(402)], &[], vec![]),
            ("the same row twice", vec![place(201)], &["o", "o"], vec![]),
            ("a later request fails", vec![place(201), look(500)], &["o"], vec!["T-3"]),
            (
                "a later request fails and then does not",
                vec![place(201), look(500), Request { due: Duration::from_secs(3), ..look(200) }],
                &["o"],
                vec![],
            ),
        ] {
            let judged = judged(true, requests, vec![], seen(1, rows));
            assert_eq!(rules(&judged), expected, "{what}: {judged:?}");
        }
    }

    #[test]
    fn a_caller_that_gives_up_on_a_slow_function_breaks_a_rule_and_a_function_that_fails_does_not() {
        // `front` calls `place`, and fails while that works on the row.
        let gives_up = |failed: bool| {
            let mut all = seen(1, &["o"]);
            let begun = sighting(999, Some(root(1)), invoked("front", "f", 1));
            let ended = Seen::Returned { function: "front".into(), id: "f".into(), failed };
            all.insert(0, begun);
            all.insert(all.len() - 1, sighting(1_005, Some(root(1)), ended));
            all
        };
        let failing = || {
            let mut all = gives_up(true);
            if let Some(Sighting { seen: Seen::Returned { failed, .. }, .. }) = all.last_mut() {
                *failed = true;
            }
            all
        };
        for (what, way, is_called, status, sightings, expected) in [
            ("it did not wait", Way::Slow, true, 502, gives_up(true), vec!["T-5"]),
            ("it is not called but gets messages", Way::Slow, false, 502, gives_up(true), vec![]),
            ("it waited", Way::Slow, true, 502, gives_up(false), vec![]),
            ("the function itself failed", Way::Slow, true, 502, failing(), vec![]),
            ("it went without", Way::Slow, true, 201, gives_up(true), vec![]),
            ("the answer was lost", Way::LostAnswer, true, 502, gives_up(true), vec![]),
        ] {
            let judged = judged_of((&case(way), is_called), &["case-0"], vec![place(status)], vec![], sightings);
            assert_eq!(rules(&judged), expected, "{what}: {judged:?}");
        }
    }

    #[test]
    fn a_pair_of_which_one_fault_did_not_strike_shows_nothing() {
        let judged = |struck: &[&str], rows: &[&str]| judged_of((&pair(Way::Error), true), struck, vec![place(201)], vec![], seen(1, rows));
        let unclear = |why: &str| Judged::Unclear(why.to_owned());
        assert_eq!(judged(&["case-0"], &["o"]), unclear("the second fault did not strike"));
        assert_eq!(judged(&["case-0"], &[]), unclear("the second fault did not strike"), "whatever is missing");
        assert_eq!(judged(&["case-0-second"], &["o"]), unclear("the fault did not strike"));
        assert_eq!(judged(&["case-0", "case-0-second"], &["o"]), Judged::Held);
        assert_eq!(rules(&judged(&["case-0", "case-0-second"], &[])), ["T-1"]);
    }

    #[test]
    fn who_gives_up_under_a_pair_may_have_failed_by_its_other_fault() {
        let mut given_up = seen(1, &["o"]);
        given_up.insert(0, sighting(999, Some(root(1)), invoked("front", "f", 1)));
        let ended = Seen::Returned { function: "front".into(), id: "f".into(), failed: true };
        given_up.insert(given_up.len() - 1, sighting(1_005, Some(root(1)), ended));
        let struck = ["case-0", "case-0-second"];
        for (case, expected) in [(case(Way::Slow), vec!["T-5"]), (pair(Way::Slow), vec![])] {
            let judged = judged_of((&case, true), &struck, vec![place(502)], vec![], given_up.clone());
            assert_eq!(rules(&judged), expected, "{judged:?}");
        }
    }

    #[test]
    fn a_breach_of_its_journey_breaks_a_case_and_one_of_another_does_not() {
        assert_eq!(rules(&judged(true, vec![place(201)], vec![breach(1)], seen(1, &["o"]))), ["T-1"]);
        assert_eq!(judged(true, vec![place(201)], vec![breach(2)], seen(1, &["o"])), Judged::Held);
    }

    #[test]
    fn a_case_is_not_blamed_for_what_requests_show_that_no_fault_touched() {
        let other = || request(root(2), "buy place", 2, 201);
        let twice = |number| seen(number, &["o", "p"]);
        let both = judged(true, vec![place(201), other()], vec![], [twice(1), twice(2)].concat());
        assert_eq!(both, Judged::HurtByAnother);
        let one = judged(true, vec![place(201), other()], vec![], [twice(1), seen(2, &["o"])].concat());
        assert_eq!(rules(&one), ["T-2"]);
        let (own, others) = (Broken { rule: "R-1".into(), ..breach(1) }, Broken { rule: "R-1".into(), ..breach(2) });
        let all = [seen(1, &["o"]), seen(2, &["o"])].concat();
        assert_eq!(judged(true, vec![place(201), other()], vec![own, others], all), Judged::HurtByAnother);
    }

    #[test]
    fn a_case_that_did_not_strike_is_never_blamed() {
        assert_eq!(judged(false, vec![place(201)], vec![breach(1)], seen(1, &["o"])), Judged::HurtByAnother);
        assert_eq!(judged(false, vec![place(201), look(500)], vec![], seen(1, &["o"])), Judged::HurtByAnother);
    }

    #[test]
    fn each_rule_of_the_tree_has_an_id_of_its_own() {
        let ids: HashSet<_> = TREE_RULES.iter().map(|(id, _)| *id).collect();
        assert_eq!(ids.len(), TREE_RULES.len());
        assert!(is_tree_rule("T-2") && !is_tree_rule("R-1"));
    }
}
