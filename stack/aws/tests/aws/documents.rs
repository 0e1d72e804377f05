//! Executes the exported document with a failure, a cancel, a stop, an accident and another user's
//! edit at every step and every call. At the end the functions are restored, or the execution
//! failed with an error and `recover` restores them.

use std::collections::BTreeMap;

use crate::automation::{Execution, Fate, Status, Trouble};
use crate::bench::{Bench, NAMES, RUN, SHARED, before};
use aws::attach::{Wish, attach};
use aws::canary::begin;
use aws::journal::{Entry, Journal, JournalError};
use aws::marker::{Marker, Record, Run};
use aws::recover::{Which, recover};
use aws::undo::Proof;
use control_plane::{Accident, Configuration, Edit};
use exports::Mark;
use serde_json::{Value, json};

fn fate(step: &str, visit: u32, trouble: Trouble) -> Fate {
    Fate { step: step.to_owned(), visit, trouble }
}

/// Every step of a successful run, with the visit and the number of calls.
fn steps(bench: &mut Bench) -> Vec<(String, u32, u64)> {
    bench.reset();
    let execution = bench.execute(None);
    let mut visits = BTreeMap::<String, u32>::new();
    let visited = execution.steps.into_iter().map(|(name, calls)| {
        let visit = visits.entry(name.clone()).or_default();
        *visit += 1;
        (name, *visit, calls)
    });
    visited.collect()
}

fn check(bench: &mut Bench, fate: &Fate, expected: impl Fn(&Execution) -> bool) {
    bench.reset();
    let execution = bench.execute(Some(fate));
    assert_eq!(bench.dirt(), Vec::<String>::new(), "{fate:?}\n{execution:#?}");
    assert!(expected(&execution), "{fate:?}\n{execution:#?}");
}

fn run() -> Run {
    Run::try_from(RUN.to_owned()).unwrap()
}

fn record(function: &Configuration) -> Record {
    serde_json::from_str(&function.variables["BROWNOUT_UNDO"]).unwrap()
}

struct NoJournal;

impl Journal for NoJournal {
    fn note(&self, _: &Entry) -> Result<(), JournalError> {
        Ok(())
    }
}

#[test]
fn an_undisturbed_document_does_its_steps_and_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Success, "{execution:#?}");
    let names: Vec<_> = execution.steps.iter().map(|(name, _)| name.as_str()).collect();
    // 40 s in rounds of 30 s: two.
    assert_eq!(names, ["attach", "arm", "hold", "wait", "renew", "wait", "renew", "calm", "detach", "cleanUp"]);
    assert_eq!(bench.dirt(), Vec::<String>::new());
}

#[test]
fn no_lease_ends_before_it_is_renewed_and_the_last_one_ends_on_time() {
    let Some(mut bench) = Bench::new() else { return };
    bench.experiment.duration = std::time::Duration::from_secs(200);
    bench.document = exports::document(&bench.experiment);
    bench.execute(None);
    let plans = bench.host.plans();
    let begins = |plan: &Value| plan["at"].as_f64().unwrap();
    let ends = |plan: &Value| begins(plan) + plan["lease_ms"].as_f64().unwrap() / 1000.0;
    let end = ends(plans.last().unwrap());
    let told = |plan: &Value| plan["until_ms"].as_f64().unwrap() / 1000.0;
    assert!(plans.iter().all(|plan| (told(plan) - ends(plan)).abs() < 2.0), "a reader of later must not begin a lease anew: {plans:?}");
    for pair in plans.windows(2) {
        // If a lease lasts until the end anyway, the time of the next renewal does not matter.
        let in_time = begins(&pair[1]) < ends(&pair[0]) - 20.0 || end - ends(&pair[0]) < 1.0;
        assert!(in_time, "too late: {pair:?}");
        assert!(pair[1]["sequence"].as_u64() > pair[0]["sequence"].as_u64(), "{pair:?}");
    }
    let lasted = end - begins(&plans[0]);
    assert!(plans.len() > 5 && (199.0..=200.0).contains(&lasted), "{lasted}");
}

#[test]
fn a_plan_that_the_driving_run_calmed_ends_the_document_early_and_cleanly() {
    let Some(mut bench) = Bench::new() else { return };
    bench.experiment.duration = std::time::Duration::from_secs(200);
    bench.document = exports::document(&bench.experiment);
    let mut calm = bench.experiment.plan.clone();
    calm.faults.clear();
    bench.put(&bench.experiment.faults_parameter(), &calm.to_json());
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Success, "{execution:#?}");
    let renewals = execution.steps.iter().filter(|(name, _)| name == "renew").count();
    assert_eq!((renewals, bench.dirt()), (1, Vec::new()), "{execution:#?}");
}

#[test]
fn while_it_strikes_the_functions_have_the_layer_the_variables_and_the_record_that_the_command_reads() {
    let Some(mut bench) = Bench::new() else { return };
    bench.without_its_end();
    assert_eq!(bench.execute(None).status, Status::Success);
    let authorizer = bench.latest("authorizer");
    assert_eq!(authorizer.layers.last(), Some(&bench.experiment.layer.to_string()));
    assert_eq!(authorizer.layers.len(), 2);
    let undo = record(&authorizer);
    assert_eq!((&undo.run, undo.layer.as_ref(), undo.sha.as_ref()), (&run(), authorizer.layers.last(), Some(&before("authorizer").sha())));
    let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let set = [
        text("AWS_LAMBDA_EXEC_WRAPPER", "/opt/brownout/wrapper"),
        text("BROWNOUT_EXEC_WRAPPER", "/opt/tracing"),
        text("BROWNOUT_PLAN", "ssm:/brownout/slow-authorizer/plan"),
    ];
    assert_eq!(undo.set, BTreeMap::from(set));
    assert_eq!(undo.before, BTreeMap::from([text("AWS_LAMBDA_EXEC_WRAPPER", "/opt/tracing")]));
    assert!(undo.set.iter().all(|(name, value)| authorizer.variables[name] == *value));
    // OS-only: the function points itself at the extension. Its callers use an alias.
    let set = [text("BROWNOUT_PLAN", "ssm:/brownout/slow-authorizer/plan")];
    let shared = bench.plane().plane.functions[SHARED].clone();
    let undo = record(&shared.versions[&2]);
    assert_eq!((undo.set, undo.alias.as_deref()), (BTreeMap::from(set), Some("live")));
    assert_eq!(shared.aliases["live"].weights, BTreeMap::from([text("2", "")]).into_keys().map(|version| (version, 0.1)).collect());
    assert_eq!(shared.latest.variables, before(SHARED).variables);
    let plan = faults::Plan::read(bench.plan().unwrap().as_bytes()).unwrap();
    assert_eq!((plan.run.as_str(), plan.sequence, plan.faults.len()), (RUN, 2, 1));
}

#[test]
fn a_step_that_fails_once_or_for_good_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    for (step, visit, _) in steps(&mut bench) {
        for attempts in [1, 10] {
            for trouble in [Trouble::FailsBefore { attempts }, Trouble::FailsAfter { attempts }] {
                check(&mut bench, &fate(&step, visit, trouble), |execution| attempts == 1 || execution.status == Status::Failed);
            }
        }
    }
}

#[test]
fn a_document_that_is_cancelled_at_any_step_and_call_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    // Skip the loop, whose steps are tested one by one, and the clean-up, which is the last step.
    for (step, visit, calls) in steps(&mut bench).into_iter().filter(|(step, ..)| step != "hold" && step != "cleanUp") {
        let mut troubles = vec![Trouble::CancelledBefore, Trouble::CancelledAfter];
        for call in 1..=calls {
            troubles.extend(["stop-before", "stop-after"].map(|kind| Trouble::CancelledAt { call, kind }));
        }
        for trouble in troubles {
            check(&mut bench, &fate(&step, visit, trouble), |execution| execution.status == Status::Cancelled);
        }
    }
}

#[test]
fn a_script_that_is_stopped_at_any_call_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    for (step, visit, calls) in steps(&mut bench) {
        for call in 1..=calls {
            for kind in ["stop-before", "stop-after"] {
                check(&mut bench, &fate(&step, visit, Trouble::Stopped { call, kind }), |_| true);
            }
        }
    }
}

/// Executes with an accident at each effect in turn; returns the number of scenarios.
fn sweep(accidents: &[Accident]) -> usize {
    let Some(mut bench) = Bench::new() else { return usize::MAX };
    bench.execute(None);
    let effects = bench.plane().effects.clone();
    let cases = effects.cases(0..effects.count(), accidents);
    for (effect, accident) in &cases {
        bench.reset();
        bench.plane().script.insert(*effect, accident.clone());
        let execution = bench.execute(None);
        assert_eq!(bench.dirt(), Vec::<String>::new(), "{effect}: {accident:?}\n{execution:#?}");
    }
    println!("{} scenarios", cases.len());
    cases.len()
}

#[test]
fn nothing_is_left_after_any_accident_at_one_call() {
    use Accident::{Busy, Internal, ReplyLost, RequestLost, Stale, Throttled};
    let scenarios = sweep(&[Busy, Internal, ReplyLost, RequestLost, Stale, Throttled]);
    assert!(scenarios > 150, "{scenarios}");
}

#[test]
fn a_change_by_another_user_stays() {
    let text = str::to_owned;
    let edits = [
        Edit::Set(text("SOMEBODY"), text("was here")),
        Edit::Set(text("AWS_LAMBDA_EXEC_WRAPPER"), text("/opt/theirs")),
        Edit::Unset(text("TABLE_NAME")),
        Edit::AddLayer(text("arn:aws:lambda:us-east-1:123456789012:layer:theirs:1")),
        Edit::RemoveLayer(text("arn:aws:lambda:us-east-1:123456789012:layer:tracing:4")),
        Edit::Publish,
    ];
    std::thread::scope(|scope| {
        for function in NAMES {
            let edits = edits.clone().map(|edit| Accident::Edit { function: text(function), edit });
            scope.spawn(move || {
                let scenarios = sweep(&edits);
                assert!(scenarios > 60, "{function}: {scenarios}");
            });
        }
    });
}

#[test]
fn an_update_that_lambda_fails_to_put_in_force_is_taken_back_and_one_that_takes_back_is_repeated() {
    let Some(mut bench) = Bench::new() else { return };
    bench.plane().plane.settling.next_fails = Some("no capacity".into());
    let execution = bench.execute(None);
    assert!(execution.failures.concat().contains("no capacity"), "{execution:#?}");
    assert_eq!((execution.status, bench.dirt()), (Status::Failed, Vec::new()));

    bench.reset();
    let whole = bench.document.clone();
    bench.without_its_end();
    bench.execute(None);
    bench.plane().plane.settling.next_fails = Some("no capacity".into());
    bench.document = whole;
    bench.without_its_beginning();
    let execution = bench.execute(None);
    assert_eq!((execution.status, bench.dirt()), (Status::Success, Vec::new()), "{execution:#?}");
    let settled = |name| bench.latest(name).last_update == control_plane::LastUpdate::Successful;
    assert!(NAMES.into_iter().all(settled));
}

#[test]
fn the_command_recovers_what_a_document_leaves() {
    let Some(mut bench) = Bench::new() else { return };
    let text =
        bench.document.to_string().replace("def detach(events, context):", "def detach(events, context):\\n    raise Exception('planned')");
    bench.document = serde_json::from_str(&text).unwrap();
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Failed, "{execution:#?}");
    assert!(bench.latest("authorizer").variables.contains_key("BROWNOUT_UNDO"));
    assert_eq!(bench.plane().plane.functions[SHARED].aliases["live"].weights.len(), 1);
    let (lambda, which) = (bench.lambda(), Which::Of(run()));
    let recovered = bench.runtime.block_on(recover(&lambda, &NoJournal, &which, &[])).unwrap();
    let proofs: Vec<_> = recovered.iter().map(|one| one.result.as_ref().unwrap()).collect();
    assert_eq!(proofs, [&Proof::OursGone, &Proof::Identical]);
    assert_eq!(bench.dirt(), Vec::<String>::new());
}

#[test]
fn a_record_expires_after_the_documents_longest_time_and_not_before() {
    let Some(mut bench) = Bench::new() else { return };
    bench.without_its_end();
    bench.execute(None);
    let undo = record(&bench.latest("authorizer"));
    // Also if a run holds the faults for longer than the document's own duration.
    let hold = bench.experiment.duration + exports::LONGEST_LEAD;
    let waits = exports::run_template(&bench.experiment, hold, "1", &Mark { run: "r".into(), until: 0 })["actions"]["strike"]["parameters"]
        ["maxDuration"]
        .clone();
    let minutes: u64 = waits.as_str().unwrap().trim_start_matches("PT").trim_end_matches('M').parse().unwrap();
    assert!((minutes - 1..=minutes).contains(&((undo.until - undo.at) / 60)), "{} {} {waits}", undo.at, undo.until);
}

#[test]
fn the_document_cleans_what_the_command_leaves() {
    let Some(mut bench) = Bench::new() else { return };
    let lambda = bench.lambda();
    for name in NAMES {
        let alias = (name == SHARED).then(|| "live".to_owned());
        let wish = Wish {
            run: run(),
            at: 1,
            until: 2,
            layer: bench.experiment.layer.to_string().try_into().unwrap(),
            plan: "ssm:/brownout/slow-authorizer/plan".into(),
            settings: BTreeMap::new(),
            alias,
        };
        match &wish.alias {
            Some(_) => drop(bench.runtime.block_on(begin(&lambda, &NoJournal, name, &wish, 100)).unwrap()),
            None => drop(bench.runtime.block_on(attach(&lambda, &NoJournal, name, &wish)).unwrap()),
        }
    }
    assert!(bench.dirt().len() > 2, "{:?}", bench.dirt());
    bench.without_its_beginning();
    let execution = bench.execute(None);
    assert_eq!((execution.status, bench.dirt()), (Status::Success, Vec::new()), "{execution:#?}");
}

#[test]
fn another_runs_marker_and_plan_are_not_touched() {
    let Some(mut bench) = Bench::new() else { return };
    let plan = bench.experiment.plan.to_json();
    bench.put(&bench.experiment.plan_parameter(), &plan);
    let theirs = r#"{"run":"other","at":1,"until":2,"set":{}}"#;
    assert!(matches!(serde_json::from_str::<Record>(theirs).map(Marker::Of), Ok(Marker::Of(_))));
    bench.plane().plane.functions.get_mut("authorizer").unwrap().latest.variables.insert("BROWNOUT_UNDO".into(), theirs.into());
    let before = bench.latest("authorizer");
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Failed);
    assert!(execution.failures.concat().contains("is held by run other"), "{execution:#?}");
    assert_eq!((bench.latest("authorizer"), bench.plan()), (before, Some(plan)));
}

#[test]
fn another_runs_plan_in_the_same_place_is_not_overwritten() {
    let Some(mut bench) = Bench::new() else { return };
    let plan = bench.experiment.plan.to_json();
    bench.put(&bench.experiment.plan_parameter(), &plan);
    let execution = bench.execute(None);
    assert!(execution.failures.concat().contains("holds the plan of run r"), "{execution:#?}");
    assert_eq!((execution.status, bench.plan()), (Status::Failed, Some(plan)));
}

#[test]
fn a_function_that_cannot_be_attached_is_refused_before_anything_is_changed() {
    let layer = |name: &str| format!("arn:aws:lambda:us-east-1:123456789012:layer:{name}");
    let five = ["a:1", "b:1", "c:1", "d:1", "e:1"].map(layer);
    let Some(mut bench) = Bench::new() else { return };
    // The function that cannot be attached comes last, so that the other one would already have
    // been changed.
    bench.document["parameters"]["Functions"]["default"].as_array_mut().unwrap().reverse();
    type Change<'a> = &'a dyn Fn(&mut Configuration);
    let cases: [(&str, Change<'_>); 7] = [
        ("is an image", &|function| function.image = true),
        ("without a wrapper", &|function| function.runtime = Some("go1.x".into())),
        ("another architecture", &|function| function.architecture = "arm64".into()),
        ("is not active", &|function| function.state = "Inactive".into()),
        ("another version of the layer", &|function| function.layers = vec![layer("brownout:6")]),
        ("no place", &|function| function.layers = five.to_vec()),
        ("cannot be read", &|function| function.undecipherable = true),
    ];
    for (why, change) in cases {
        bench.reset();
        change(&mut bench.plane().plane.functions.get_mut("authorizer").unwrap().latest);
        let revisions = bench.plane().plane.revisions;
        let execution = bench.execute(None);
        assert_eq!(execution.status, Status::Failed);
        assert!(execution.failures.concat().contains(why), "{why}: {execution:#?}");
        assert_eq!(bench.plane().plane.revisions, revisions, "{why}");
    }
}

/// Whether something is left after the document was broken: shows that these tests would find it.
fn is_seen(from: &str, to: &str, fate: Option<&Fate>, accident: Option<(u64, Accident)>) -> bool {
    let Some(mut bench) = Bench::new() else { return true };
    let text = bench.document.to_string();
    assert!(text.contains(from), "nothing is spoiled by {from}");
    bench.document = serde_json::from_str(&text.replace(from, to)).unwrap();
    bench.plane().script.extend(accident);
    bench.execute(fate);
    !bench.dirt().is_empty()
}

#[test]
fn a_document_without_its_way_to_the_clean_up_is_detected() {
    for (property, trouble) in [("onCancel", Trouble::CancelledAfter), ("onFailure", Trouble::FailsBefore { attempts: 10 })] {
        let (from, to) = (format!(r#""{property}":"step:cleanUp""#), format!(r#""{property}":"Abort""#));
        assert!(is_seen(&from, &to, Some(&fate("arm", 1, trouble)), None), "{property}");
    }
}

#[test]
fn a_change_without_the_revision_is_detected() {
    let edit = |edit| Accident::Edit { function: "authorizer".into(), edit };
    let gone = edit(Edit::Unset("TABLE_NAME".into()));
    // `attach` reads the layer, both functions with their tags, and the alias with its version; reads
    // the first function again, and changes it: the edit comes just before the change.
    assert!(is_seen(r#"RevisionId=found[\"RevisionId\"], "#, "", None, Some((8, gone))));
}

#[test]
fn exactly_the_declared_parameters_are_used() {
    let document = exports::document(&crate::example::experiment());
    let declared: Vec<_> = document["parameters"].as_object().unwrap().keys().cloned().collect();
    let text = document.to_string();
    assert!(declared.iter().all(|name| text.contains(&format!("{{{{ {name} }}}}"))), "{declared:?}");
    assert_eq!(json!(declared.len()), json!(3));
}
