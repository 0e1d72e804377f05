//! The exported document is executed, with a failure, a cancel, a lost answer, a throttle and somebody's edit at every step and every call:
//! the functions are as they were at the end, or the execution failed loudly and the way back is still in the function.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/automation.rs"]
mod automation;
#[path = "support/example.rs"]
mod example;

use automation::{Automation, Execution, Fate, ScriptHost, Status, Trouble};
use aws::exports::{self, Experiment};
use serde_json::{Value, json};

const RUN: &str = "11111111-2222-3333-4444-555555555555";

/// The functions as they are before anything: one with a wrapper, a variable and a layer, one with nothing.
fn before() -> Value {
    json!([
        {"name": "authorizer", "layers": ["arn:aws:lambda:us-east-1:123456789012:layer:tracing:4"],
         "variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/tracing", "TABLE_NAME": "t"}},
        {"name": "appointments", "layers": [], "variables": {}, "runtime": "provided.al2023"},
    ])
}

struct Bench {
    host: ScriptHost,
    document: Value,
    experiment: Experiment,
}

impl Bench {
    fn new() -> Option<Self> {
        let host = ScriptHost::start()?;
        let experiment = example::experiment();
        Some(Self { host, document: exports::document(&experiment), experiment })
    }

    fn reset(&mut self) {
        let parameters = json!({self.experiment.faults_parameter(): self.experiment.plan.to_json()});
        self.host.reset(&before(), &parameters);
    }

    fn execute(&mut self, fate: Option<&Fate>) -> Execution {
        self.reset();
        Automation::execute(&self.document, RUN, &mut self.host, fate)
    }

    /// What is not as it was; functions that somebody edited have one more variable.
    fn dirt(&mut self) -> Vec<String> {
        let state = self.host.state();
        let edited = state["edited"].as_array().unwrap();
        let mut dirt = Vec::new();
        for function in before().as_array().unwrap() {
            let name = function["name"].as_str().unwrap();
            let mut variables = function["variables"].clone();
            if edited.contains(&function["name"]) {
                variables["SOMEBODY"] = json!("was here");
            }
            let expected = json!({"layers": function["layers"], "variables": variables});
            if state["functions"][name] != expected {
                dirt.push(format!("{name}: {}", state["functions"][name]));
            }
        }
        if !state["parameters"][self.experiment.plan_parameter()].is_null() {
            dirt.push("the plan is there".to_owned());
        }
        dirt
    }

    /// Every step of a run where all goes well, with the visit and how many calls it makes.
    fn steps(&mut self) -> Vec<(String, u32, u64)> {
        let execution = self.execute(None);
        let mut visits = std::collections::BTreeMap::<String, u32>::new();
        let visited = execution.steps.into_iter().map(|(name, calls)| {
            let visit = visits.entry(name.clone()).or_default();
            *visit += 1;
            (name, *visit, calls)
        });
        visited.collect()
    }

    fn check(&mut self, fate: &Fate, expected: impl Fn(&Execution) -> bool) {
        let execution = self.execute(Some(fate));
        assert_eq!(self.dirt(), Vec::<String>::new(), "{fate:?}\n{execution:#?}");
        assert!(expected(&execution), "{fate:?}\n{execution:#?}");
    }
}

fn fate(step: &str, visit: u32, trouble: Trouble) -> Fate {
    Fate { step: step.to_owned(), visit, trouble, function: "authorizer".to_owned() }
}

#[test]
fn a_document_that_nobody_disturbs_strikes_for_its_time_and_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    let execution = bench.execute(None);
    assert_eq!(execution.status, Status::Success, "{execution:#?}");
    let names: Vec<_> = execution.steps.iter().map(|(name, _)| name.as_str()).collect();
    // 100 s in rounds of 30 s: four.
    let rounds = ["wait", "renew"].repeat(4);
    assert_eq!(names, [&["attach", "arm", "hold"][..], &rounds, &["calm", "detach", "cleanUp"]].concat());
    assert_eq!(bench.dirt(), Vec::<String>::new());
}

#[test]
fn no_lease_ends_before_it_is_renewed_and_the_last_one_ends_on_time() {
    let Some(mut bench) = Bench::new() else { return };
    bench.execute(None);
    let state = bench.host.state();
    let plans = state["plans"].as_array().unwrap();
    let begins = |plan: &Value| plan["at"].as_f64().unwrap();
    let ends = |plan: &Value| begins(plan) + plan["lease_ms"].as_f64().unwrap() / 1000.0;
    let end = ends(plans.last().unwrap());
    for pair in plans.windows(2) {
        // Where it lasts until the end anyway, the next one may come when it will.
        let in_time = begins(&pair[1]) < ends(&pair[0]) - 20.0 || end - ends(&pair[0]) < 1.0;
        assert!(in_time, "too late: {pair:?}");
        assert!(pair[1]["sequence"].as_u64() > pair[0]["sequence"].as_u64(), "{pair:?}");
    }
    let (lasted, planned) = (end - begins(&plans[0]), bench.experiment.duration.as_secs_f64());
    assert!((planned - 1.0..=planned).contains(&lasted), "{lasted}");
}

#[test]
fn while_it_strikes_the_functions_have_the_layer_the_variables_and_the_way_back() {
    let Some(mut bench) = Bench::new() else { return };
    let cut = fate("wait", 2, Trouble::FailsBefore { attempts: 1 });
    // Without its clean-up, so that what was there can be seen.
    let steps = bench.document["mainSteps"].as_array_mut().unwrap();
    steps.truncate(3);
    steps[2]["onFailure"] = json!("Abort");
    for step in steps[2]["inputs"]["Steps"].as_array_mut().unwrap() {
        step["onFailure"] = json!("Abort");
    }
    let execution = bench.execute(Some(&cut));
    assert_eq!(execution.status, Status::Failed);
    let state = bench.host.state();
    let authorizer = &state["functions"]["authorizer"];
    assert_eq!(authorizer["layers"], json!(["arn:aws:lambda:us-east-1:123456789012:layer:tracing:4", bench.experiment.layer.to_string()]));
    let variables = &authorizer["variables"];
    assert_eq!(variables["AWS_LAMBDA_EXEC_WRAPPER"], "/opt/brownout/wrapper");
    assert_eq!(variables["BROWNOUT_EXEC_WRAPPER"], "/opt/tracing");
    assert_eq!(variables["BROWNOUT_PLAN"], "ssm:/brownout/slow-authorizer/plan");
    assert_eq!(variables["TABLE_NAME"], "t");
    assert!(variables["BROWNOUT_UNDO"].as_str().unwrap().contains(RUN));
    let text = state["parameters"][bench.experiment.plan_parameter()].as_str().unwrap();
    let plan = faults::Plan::read(text.as_bytes()).unwrap();
    assert_eq!((plan.run.as_str(), plan.sequence, plan.faults.len()), (RUN, 2, 1));
    assert_eq!(plan.lease_ms.duration().as_secs(), 60);
}

#[test]
fn a_step_that_fails_once_or_for_good_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    for (step, visit, _) in bench.steps() {
        for attempts in [1, 10] {
            for trouble in [Trouble::FailsBefore { attempts }, Trouble::FailsAfter { attempts }] {
                if step == "cleanUp" && attempts == 10 {
                    continue;
                }
                bench.check(&fate(&step, visit, trouble), |execution| attempts == 1 || execution.status == Status::Failed);
            }
        }
    }
}

#[test]
fn a_document_that_is_cancelled_at_any_step_and_call_leaves_nothing() {
    let Some(mut bench) = Bench::new() else { return };
    for (step, visit, calls) in bench.steps() {
        // The clean-up is the last step: whoever cancels it in the middle leaves the way back in the function.
        if step == "cleanUp" {
            continue;
        }
        let mut troubles = vec![Trouble::CancelledBefore, Trouble::CancelledAfter];
        for call in 1..=calls {
            troubles.extend(["stop-before", "stop-after"].map(|kind| Trouble::CancelledAt { call, kind }));
        }
        for trouble in troubles {
            // A loop is no moment of its own: its steps are.
            if step == "hold" {
                continue;
            }
            bench.check(&fate(&step, visit, trouble), |execution| execution.status == Status::Cancelled);
        }
    }
}

#[test]
fn whatever_happens_to_one_call_nothing_is_left_and_somebodys_edit_stays() {
    let Some(mut bench) = Bench::new() else { return };
    let mut scenarios = 0;
    for (step, visit, calls) in bench.steps() {
        for call in 1..=calls {
            for kind in ["stop-before", "stop-after", "lose", "refuse", "edit"] {
                scenarios += 1;
                bench.check(&fate(&step, visit, Trouble::Call { call, kind }), |_| true);
            }
        }
    }
    assert!(scenarios > 100, "{scenarios}");
}

#[test]
fn a_clean_up_that_never_succeeds_fails_loudly_and_leaves_the_way_back() {
    let Some(mut bench) = Bench::new() else { return };
    // What comes before does not clean either.
    let steps = bench.document["mainSteps"].as_array_mut().unwrap();
    let detach = steps.iter_mut().find(|step| step["name"] == "detach").unwrap();
    detach["inputs"]["Script"] = json!("def detach(events, context):\n    raise Exception('planned')\n");
    let execution = bench.execute(Some(&fate("cleanUp", 1, Trouble::FailsBefore { attempts: 10 })));
    assert_eq!(execution.status, Status::Failed);
    let state = bench.host.state();
    for name in ["authorizer", "appointments"] {
        assert!(state["functions"][name]["variables"]["BROWNOUT_UNDO"].is_string(), "{state}");
    }
}

#[test]
fn another_runs_marker_and_plan_are_left_alone() {
    let Some(mut bench) = Bench::new() else { return };
    let mut functions = before();
    functions[0]["variables"]["BROWNOUT_UNDO"] = json!(r#"{"run":"other"}"#);
    let plan = bench.experiment.plan.to_json();
    let parameters = json!({bench.experiment.faults_parameter(): plan, bench.experiment.plan_parameter(): plan});
    bench.host.reset(&functions, &parameters);
    let execution = Automation::execute(&bench.document, RUN, &mut bench.host, None);
    assert_eq!(execution.status, Status::Failed);
    assert!(execution.failures.concat().contains("is held by run other"), "{execution:#?}");
    let state = bench.host.state();
    assert_eq!(state["functions"]["authorizer"]["variables"], functions[0]["variables"]);
    assert_eq!(state["parameters"][bench.experiment.plan_parameter()], json!(plan));
}

#[test]
fn what_cannot_be_attached_is_refused_before_anything_is_changed() {
    let Some(mut bench) = Bench::new() else { return };
    let layer = |name: &str| json!(format!("arn:aws:lambda:us-east-1:123456789012:layer:{name}"));
    for (key, value, why) in [
        ("package", json!("Image"), "is an image"),
        ("runtime", json!("go1.x"), "without a wrapper"),
        ("architecture", json!("arm64"), "another architecture"),
        ("layers", json!([layer("brownout:6")]), "another version of the layer"),
        ("layers", json!([layer("a:1"), layer("b:1"), layer("c:1"), layer("d:1"), layer("e:1")]), "no place"),
    ] {
        let mut functions = before();
        // The last one, so that the first would have been changed.
        functions[1][key] = value;
        bench.host.reset(&functions, &json!({}));
        let execution = Automation::execute(&bench.document, RUN, &mut bench.host, None);
        assert_eq!(execution.status, Status::Failed);
        assert!(execution.failures.concat().contains(why), "{why}: {execution:#?}");
        let steps: Vec<_> = execution.steps.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(steps, ["attach", "cleanUp"]);
        let state = bench.host.state();
        assert_eq!(state["functions"]["authorizer"]["variables"], functions[0]["variables"], "{why}");
        assert_eq!(state["updates"], 0, "{why}");
    }
}

/// Whether some scenario ends dirty after the document was spoiled: what is tested here would be seen.
fn is_seen(spoil: impl FnOnce(&mut String), fate: &Fate) -> bool {
    let Some(mut bench) = Bench::new() else { return true };
    let mut text = bench.document.to_string();
    let whole = text.clone();
    spoil(&mut text);
    assert_ne!(text, whole, "nothing was spoiled");
    bench.document = serde_json::from_str(&text).unwrap();
    bench.execute(Some(fate));
    !bench.dirt().is_empty()
}

#[test]
fn a_document_without_its_way_to_the_clean_up_is_seen() {
    let without = |property: &str| format!(r#""{property}":"step:cleanUp""#);
    for (property, trouble) in [("onCancel", Trouble::CancelledAfter), ("onFailure", Trouble::FailsBefore { attempts: 10 })] {
        let spoil = |text: &mut String| *text = text.replace(&without(property), &format!(r#""{property}":"Abort""#));
        assert!(is_seen(spoil, &fate("arm", 1, trouble)), "{property}");
    }
}

#[test]
fn a_change_without_the_revision_is_seen() {
    let spoil = |text: &mut String| *text = text.replace(r#"RevisionId=found[\"RevisionId\"], "#, "");
    // `attach` looks at the layer and at both functions, looks at the first again and changes it: somebody's edit stands before the change.
    assert!(is_seen(spoil, &fate("attach", 1, Trouble::Call { call: 5, kind: "edit" })));
}
