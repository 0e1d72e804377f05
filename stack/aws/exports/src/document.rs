//! The SSM Automation document that strikes and calms without a brownout process. From the first
//! change on, every step leads to the clean-up, on success, failure and cancel. The clean-up reads
//! the actual state in AWS and does not rely on the output of earlier steps.

use std::time::Duration;

use serde_json::{Value, json};

use super::experiment::{Experiment, Function};

/// How long the loop sleeps between two renewals. A lease is 60 s, so one renewal may be this late.
const ROUND: Duration = Duration::from_secs(30);
/// The most rounds of `aws:loop`.
const MOST_ROUNDS: u64 = 100;
/// The timeout of a script, in seconds; `aws:executeScript` itself ends after 600 s.
const LONGEST_SCRIPT: u64 = 600;
/// The timeout, in seconds, for attaching until every function is ready.
const ATTACHING: u64 = 540;
/// The timeout of one clean-up attempt, in seconds. A cancelled automation has two minutes in all.
const CLEANING: u64 = 100;
/// A caller that starts the document and waits for its strike may hold the faults this much longer.
pub const LONGEST_LEAD: Duration = Duration::from_secs(300);
/// The longest text of a document, in bytes.
pub const LONGEST_DOCUMENT: usize = 64 * 1024;

const SHARED: &str = include_str!("scripts/shared.py");
const OURS: &str = include_str!("scripts/ours.py");
const ATTACH: &str = include_str!("scripts/attach.py");
const PARAMETER: &str = include_str!("scripts/parameter.py");
const LEASE: &str = include_str!("scripts/lease.py");
const ARM: &str = include_str!("scripts/arm.py");
const RENEW: &str = include_str!("scripts/renew.py");
const CALM: &str = include_str!("scripts/calm.py");
const CLEAN: &str = include_str!("scripts/clean.py");
const DETACH: &str = include_str!("scripts/detach.py");
const VERSION: &str = include_str!("scripts/version.py");
const SHARE: &str = include_str!("scripts/share.py");
const UNSHARE: &str = include_str!("scripts/unshare.py");

const CLEAN_UP: &str = "step:cleanUp";

/// A step that runs one script: the parts it is made of, and the function that is called.
fn script(name: &str, parts: &[&str], handler: &str, payload: Value) -> Value {
    let script = parts.iter().map(|part| part.trim_end()).collect::<Vec<_>>().join("\n\n");
    // A template's size is limited and scripts are most of it: drop comments, and indent by one.
    let is_comment = |line: &str| line.trim_start().starts_with('#') || line.trim_start().starts_with(r#"""""#);
    let lines = script.lines().filter(|line| !is_comment(line)).map(indented_by_one);
    let script = lines.collect::<Vec<_>>().join("\n");
    json!({
        "name": name,
        "action": "aws:executeScript",
        "inputs": {"Runtime": "python3.11", "Handler": handler, "InputPayload": payload, "Script": script + "\n"},
    })
}

/// A line that was indented by four.
fn indented_by_one(line: &str) -> String {
    let text = line.trim_start();
    format!("{:1$}{text}", "", (line.len() - text.len()) / 4)
}

/// Adds properties to a step.
fn with(mut step: Value, properties: Value) -> Value {
    if let (Value::Object(step), Value::Object(properties)) = (&mut step, properties) {
        step.extend(properties);
    }
    step
}

/// Goes to the clean-up on failure and on cancel.
fn guarded(step: Value) -> Value {
    with(step, json!({"onFailure": CLEAN_UP, "onCancel": CLEAN_UP}))
}

/// The document as a value. Its scripts are inline, which only a YAML document allows.
pub fn document(experiment: &Experiment) -> Value {
    let home = experiment.home();
    let faults = json!({
        "type": "String",
        "description": "The parameter that holds the faults as they were written",
        "default": experiment.faults_parameter(),
        "allowedPattern": "^/[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$",
    });
    let names: Vec<_> = experiment.functions.iter().map(|function| function.arn.to_string()).collect();
    let functions = json!({"type": "StringList", "description": "The functions that the layer is attached to", "default": names});
    let seconds = json!({
        "type": "String",
        "description": "How long the faults are in force",
        "default": experiment.duration.as_secs().to_string(),
        "allowedPattern": "^[1-9][0-9]{0,3}$",
    });
    json!({
        "schemaVersion": "0.3",
        "description": description(experiment),
        "assumeRole": home.role(&experiment.named("automation")).to_string(),
        "parameters": {"Faults": faults, "Functions": functions, "Seconds": seconds},
        "mainSteps": steps(experiment),
    })
}

fn description(experiment: &Experiment) -> String {
    let functions: Vec<_> = experiment.functions.iter().map(Function::name).collect();
    format!(
        "{}\n\nAttaches brownout's layer to {}, strikes for {} s, calms, and puts everything back, whatever happens in between. Whatever is \
         left after a failed clean-up is undone by `brownout recover`.",
        experiment.question,
        functions.join(", "),
        experiment.duration.as_secs()
    )
}

fn steps(experiment: &Experiment) -> Vec<Value> {
    let names = "{{ Functions }}";
    let run = "{{ automation:EXECUTION_ID }}";
    let plan = experiment.plan_parameter();
    let settings = experiment.functions.iter().map(|function| (function.arn.to_string(), json!(experiment.settings(function))));
    let settings: Value = settings.filter(|(_, settings)| *settings != json!({})).collect();
    let ours = json!({"Run": run, "Functions": names, "Layer": experiment.layer.to_string(), "Plan": plan, "Settings": settings});
    let (ours, attach_parts, detach_parts) = match aliases(experiment) {
        None => (ours, vec![SHARED, OURS, ATTACH], vec![SHARED, OURS, PARAMETER, CALM, CLEAN, DETACH]),
        Some(aliases) => (
            with(ours, aliases),
            vec![SHARED, OURS, CLEAN, VERSION, SHARE, ATTACH],
            vec![SHARED, OURS, PARAMETER, CALM, CLEAN, VERSION, UNSHARE, DETACH],
        ),
    };
    let (tag, lasts) = (format!("{}={}", experiment.tag.0, experiment.tag.1), lasts(experiment.duration + LONGEST_LEAD).as_secs());
    let attach = with(ours.clone(), json!({"Seconds": ATTACHING, "LastsSeconds": lasts, "Tag": tag}));
    let detach = with(ours, json!({"Seconds": CLEANING}));
    vec![
        guarded(with(script("attach", &attach_parts, "attach", attach), json!({"timeoutSeconds": LONGEST_SCRIPT, "nextStep": "arm"}))),
        guarded(with(
            script(
                "arm",
                &[SHARED, PARAMETER, LEASE, ARM],
                "arm",
                json!({"Run": run, "Faults": "{{ Faults }}", "Plan": plan, "Seconds": "{{ Seconds }}"}),
            ),
            json!({
                "maxAttempts": 3, "timeoutSeconds": 60, "nextStep": "hold",
                "outputs": [{"Name": "Until", "Selector": "$.Payload.Until", "Type": "Integer"}],
            }),
        )),
        hold(experiment, run),
        guarded(with(
            script("calm", &[SHARED, PARAMETER, CALM], "calm", json!({"Run": run, "Plan": plan})),
            json!({"maxAttempts": 3, "timeoutSeconds": 60, "nextStep": "detach"}),
        )),
        guarded(with(
            script("detach", &detach_parts, "detach", detach.clone()),
            json!({"maxAttempts": 3, "timeoutSeconds": CLEANING + 20, "nextStep": "cleanUp"}),
        )),
        // The last step on every path. If all went well it finds nothing to do, and has proven
        // that.
        with(
            script("cleanUp", &detach_parts, "detach", detach),
            json!({"maxAttempts": 5, "timeoutSeconds": CLEANING + 20, "onFailure": "Abort", "isEnd": true}),
        ),
    ]
}

/// What the scripts need to know about functions that are called by an alias; `None` if there are
/// none.
fn aliases(experiment: &Experiment) -> Option<Value> {
    let named = experiment.functions.iter().filter_map(|function| Some((function.arn.to_string(), json!(function.alias.as_ref()?))));
    let named: serde_json::Map<_, _> = named.collect();
    let (share, grace) = (f64::from(experiment.alias_thousandths) / 1000.0, experiment.alias_grace.as_secs());
    (!named.is_empty()).then(|| json!({"Aliases": named, "Share": share, "Grace": grace}))
}

/// Sleeps and renews the plan's lease, round by round. The last lease is cut short, so that the
/// faults end on time however long a round takes.
fn hold(experiment: &Experiment, run: &str) -> Value {
    let plan = experiment.plan_parameter();
    let sleep = experiment.duration.min(ROUND).as_secs().max(1);
    let renew = json!({"Run": run, "Plan": plan, "Until": "{{ arm.Until }}"});
    json!({
        "name": "hold",
        "action": "aws:loop",
        "onFailure": CLEAN_UP,
        "nextStep": "calm",
        "inputs": {
            "MaxIterations": MOST_ROUNDS,
            "LoopCondition": {"Variable": "{{ renew.More }}", "BooleanEquals": true},
            "Steps": [
                guarded(json!({"name": "wait", "action": "aws:sleep", "inputs": {"Duration": format!("PT{sleep}S")}})),
                guarded(with(
                    script("renew", &[SHARED, PARAMETER, LEASE, RENEW], "renew", renew),
                    json!({
                        "maxAttempts": 2, "timeoutSeconds": 30,
                        "outputs": [{"Name": "More", "Selector": "$.Payload.More", "Type": "Boolean"}],
                    }),
                )),
            ],
        },
    })
}

/// The longest time from the start until everything is restored, for faults that are in force for
/// `duration`. A marker that is still there after that is left over, and `brownout recover` removes
/// it.
pub fn lasts(duration: Duration) -> Duration {
    let steps = LONGEST_SCRIPT + 3 * 60 + 3 * 60 + 8 * (CLEANING + 20);
    duration * 2 + ROUND + Duration::from_secs(steps)
}

#[cfg(test)]
mod tests {
    use super::super::example::experiment;
    use super::super::text;
    use super::*;

    fn walk<'a>(steps: &'a Value, out: &mut Vec<&'a Value>) {
        for step in steps.as_array().unwrap() {
            out.push(step);
            if let Some(inner) = step.pointer("/inputs/Steps") {
                walk(inner, out);
            }
        }
    }

    #[test]
    fn every_step_but_the_last_leads_to_the_clean_up_on_failure_and_on_cancel() {
        let document = document(&experiment());
        let mut steps = Vec::new();
        walk(&document["mainSteps"], &mut steps);
        let (last, others) = steps.split_last().unwrap();
        assert_eq!((&last["name"], &last["isEnd"], &last["maxAttempts"]), (&json!("cleanUp"), &json!(true), &json!(5)));
        for step in others {
            assert_eq!(step["onFailure"], CLEAN_UP, "{}", step["name"]);
            // A loop cannot have `onCancel`; its steps do.
            assert_eq!(step["onCancel"] == CLEAN_UP, step["action"] != "aws:loop", "{}", step["name"]);
        }
    }

    #[test]
    fn no_step_leads_back_because_the_service_refuses_cycles() {
        let document = document(&experiment());
        let steps = document["mainSteps"].as_array().unwrap();
        let at = |name: &str| steps.iter().position(|step| step["name"] == name).unwrap();
        for (index, step) in steps.iter().enumerate() {
            for target in ["nextStep", "onFailure", "onCancel"] {
                if let Some(name) = step[target].as_str().map(|text| text.trim_start_matches("step:")).filter(|name| *name != "Abort") {
                    assert!(at(name) > index, "{} -> {name}", step["name"]);
                }
            }
        }
    }

    #[test]
    fn a_document_of_the_longest_experiment_is_short_enough() {
        let mut experiment = experiment();
        let function = experiment.functions[0].clone();
        experiment.functions = (0..20)
            .map(|n| Function { arn: function.arn.beside("lambda", format!("function:{}{n:02}", "f".repeat(62))), ..function.clone() })
            .collect();
        let length = text::yaml(&document(&experiment)).len();
        assert!(length < LONGEST_DOCUMENT, "{length}");
    }

    #[test]
    fn no_script_contains_what_the_service_would_expand_as_a_variable() {
        for part in [SHARED, OURS, PARAMETER, LEASE, ATTACH, ARM, RENEW, CALM, CLEAN, DETACH, VERSION, SHARE, UNSHARE] {
            assert!(!part.contains("{{"), "{part}");
        }
    }

    #[test]
    fn only_a_document_for_an_alias_has_the_scripts_for_it() {
        let mut experiment = experiment();
        assert!(text::yaml(&document(&experiment)).contains("publish_version"));
        experiment.functions[1].alias = None;
        let text = text::yaml(&document(&experiment));
        assert!(!text.contains("publish_version") && !text.contains("update_alias"), "{text}");
    }

    #[test]
    fn the_clean_up_of_a_cancelled_automation_outlasts_the_grace_of_a_version() {
        assert!(super::super::experiment::LONGEST_GRACE.as_secs() + 20 < CLEANING);
    }

    #[test]
    fn the_rounds_are_enough_for_the_longest_fault() {
        assert!(ROUND * u32::try_from(MOST_ROUNDS).unwrap() >= super::super::experiment::LONGEST + LONGEST_LEAD);
    }
}
