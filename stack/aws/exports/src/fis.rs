//! `export fis`: an AWS FIS experiment template that starts brownout's SSM Automation document,
//! with the roles and the log of both, as one CloudFormation template and as single API requests.
//! FIS stays in charge: its stop conditions, safety lever and log apply.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use faults::Complaint;
use serde_json::{Map, Value, json};

use super::alarms::Alarm;
use super::document::{document, lasts};
use super::experiment::Experiment;
use super::mark::Mark;
use super::policies;
use super::text::{compact_json, json, yaml};
use super::written::{File, Refused, checked, refused_unless_empty};

/// FIS's limit on a parameter of an action, in characters.
pub const LONGEST_ACTION_PARAMETER: usize = 1024;

/// CloudFormation's limit on a template in a call, in bytes; a longer one must go through a bucket.
pub const LONGEST_TEMPLATE: usize = 51_200;

/// The files of an experiment for FIS.
///
/// # Errors
/// If the experiment has complaints, or its template is longer than [`LONGEST_TEMPLATE`].
pub fn fis(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    refused_unless_empty(experiment.complaints_of_document())?;
    let template = yaml(&cloudformation(experiment));
    if template.len() > LONGEST_TEMPLATE {
        let what = format!("the template has {} bytes, and CloudFormation takes {LONGEST_TEMPLATE}: take fewer functions", template.len());
        return Err(Refused { complaints: vec![Complaint::new("functions", what)] });
    }
    Ok(vec![
        File::new("cloudformation.yaml", template),
        File::new("automation-document.yaml", yaml(&document(experiment))),
        File::new("create-document.json", json(&create_document(experiment))),
        File::new("experiment-template.json", json(&experiment_template(experiment))),
        File::new("faults.json", json(&faults(experiment))),
        File::new("fis-role-trust.json", json(&fis_trust(experiment))),
        File::new("fis-role-policy.json", json(&policies::of_fis(std::slice::from_ref(experiment)))),
        File::new("automation-role-trust.json", json(&automation_trust(experiment))),
        File::new("automation-role-policy.json", json(&policies::of_the_automation(experiment))),
        File::new("function-role-policy.json", json(&policies::of_the_functions(experiment))),
    ])
}

/// The request of SSM's `CreateDocument`.
pub fn create_document(experiment: &Experiment) -> Value {
    json!({
        "Name": experiment.named("strike"),
        "DocumentType": "Automation",
        "DocumentFormat": "YAML",
        "VersionName": version_name(experiment),
        "Content": yaml(&document(experiment)),
    })
}

/// The version name of the document. It is derived from the content (64 bits of its SHA-256), so
/// that an existing version is recognised without reading it.
pub fn version_name(experiment: &Experiment) -> String {
    let hash = digest(&SHA256, document(experiment).to_string().as_bytes());
    let fingerprint: String = hash.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("brownout-{fingerprint}")
}

/// The request of FIS's `CreateExperimentTemplate`. Its token is the experiment's name, so that a
/// second call makes no second template.
pub fn experiment_template(experiment: &Experiment) -> Value {
    let name = experiment.named("template");
    template_request(experiment, &name, &parameters(experiment, None), &json!({"Name": name}))
}

fn template_request(experiment: &Experiment, token: &str, parameters: &Value, tags: &Value) -> Value {
    let home = experiment.home();
    let log = home.beside("logs", format!("log-group:{}:*", log_group(experiment)));
    json!({
        "clientToken": token,
        "description": description(experiment),
        "stopConditions": stops(&experiment.alarms, "source", "value"),
        "actions": {"strike": {"actionId": ACTION, "description": ACTION_SAID, "parameters": parameters}},
        "roleArn": home.role(&experiment.named("fis")).to_string(),
        "experimentOptions": {"accountTargeting": "single-account"},
        "logConfiguration": {"logSchemaVersion": 2, "cloudWatchLogsConfiguration": {"logGroupArn": log.to_string()}},
        "tags": tags,
    })
}

/// The template of one run, which waits for the strike. Its faults are in force for `hold`, which
/// begins before the run's own fault phase. It starts this version of the document, whichever the
/// default is.
pub fn run_template(experiment: &Experiment, hold: Duration, version: &str, mark: &Mark) -> Value {
    let name = experiment.named("run");
    let mut parameters = parameters(experiment, Some(hold));
    if let Value::Object(parameters) = &mut parameters {
        parameters.insert("documentVersion".to_owned(), json!(version));
    }
    let mut tags = json!({"Name": name});
    if let Value::Object(tags) = &mut tags {
        tags.extend(mark.tags().map(|(key, value)| (key.to_owned(), json!(value))));
    }
    template_request(experiment, &format!("{name}-{}", mark.run), &parameters, &tags)
}

/// The document of one run, as text. It names the run: Systems Manager refuses a second version with
/// the same content.
pub fn run_document(experiment: &Experiment, mark: &Mark) -> String {
    let mut document = document(experiment);
    if let Some(Value::String(description)) = document.get_mut("description") {
        description.push_str(&format!("\n\nMade for run {} alone.", mark.run));
    }
    yaml(&document)
}

pub(super) const ACTION: &str = "aws:ssm:start-automation-execution";
const ACTION_SAID: &str = "Attach, strike, calm and put back, by SSM Automation";

/// The stop conditions, under the keys of the format.
pub(super) fn stops(alarms: &[Alarm], source: &str, value: &str) -> Vec<Value> {
    if alarms.is_empty() {
        return vec![json!({source: "none"})];
    }
    alarms.iter().map(|alarm| json!({source: "aws:cloudwatch:alarm", value: alarm.arn})).collect()
}

/// The parameters of the action: the plan's name instead of the plan, which is too long for FIS.
pub(super) fn parameters(experiment: &Experiment, hold: Option<Duration>) -> Value {
    let faults = experiment.faults_parameter();
    let given = match hold {
        Some(hold) => json!({"Faults": faults, "Seconds": hold.as_secs().to_string()}),
        None => json!({"Faults": faults}),
    };
    json!({
        "documentArn": experiment.home().beside("ssm", format!("document/{}", experiment.named("strike"))).to_string(),
        "documentParameters": compact_json(&given),
        "maxDuration": max_duration(hold.unwrap_or(experiment.duration)),
    })
}

/// The description that FIS shows; its limit is 512 characters.
fn description(experiment: &Experiment) -> String {
    let text = format!("{}: {}", experiment.name, experiment.question);
    text.chars().filter(|c| !c.is_control()).take(512).collect()
}

/// The duration in whole minutes, with the time for attaching and cleaning up.
pub(super) fn max_duration(duration: Duration) -> String {
    format!("PT{}M", lasts(duration).as_secs().div_ceil(60))
}

fn log_group(experiment: &Experiment) -> String {
    format!("/brownout/{}", experiment.name)
}

fn fis_trust(experiment: &Experiment) -> Value {
    policies::trust(experiment, "fis", "experiment/*")
}

fn automation_trust(experiment: &Experiment) -> Value {
    policies::trust(experiment, "ssm", "automation-execution/*")
}

/// The request of SSM's `PutParameter` that stores the faults as written.
fn faults(experiment: &Experiment) -> Value {
    json!({
        "Name": experiment.faults_parameter(),
        "Type": "String",
        // An advanced parameter never becomes a standard one again; this tier accepts both.
        "Tier": "Intelligent-Tiering",
        "Value": experiment.plan.to_json(),
        "Description": "Read by the automation alone",
    })
}

/// Moves the scripts of a document to a mapping, each once: scripts are most of a template, whose size
/// is limited, and two steps have the same one.
fn keep_scripts_once(value: &mut Value, scripts: &mut Map<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                if key != "Script" {
                    keep_scripts_once(value, scripts);
                    continue;
                }
                let there = scripts.iter().find(|(_, script)| script["Python"] == *value).map(|(name, _)| name.clone());
                let name = there.unwrap_or_else(|| format!("Script{}", scripts.len() + 1));
                let script = value.take();
                *value = json!({"Fn::FindInMap": ["Scripts", name, "Python"]});
                scripts.insert(name, json!({"Python": script}));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| keep_scripts_once(value, scripts)),
        _ => (),
    }
}

/// Everything as one stack.
pub fn cloudformation(experiment: &Experiment) -> Value {
    let parameter = faults(experiment);
    let mut roles: Vec<_> = experiment.functions.iter().filter_map(|f| f.role.resource.rsplit('/').next()).collect();
    roles.sort_unstable();
    roles.dedup();
    let mut content = document(experiment);
    let mut scripts = Map::new();
    keep_scripts_once(&mut content, &mut scripts);
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description(experiment),
        "Mappings": {"Scripts": scripts},
        "Resources": {
            "Faults": {"Type": "AWS::SSM::Parameter", "Properties": parameter},
            "PlanReaders": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "Description": "What the functions under test need to read the plan while it is there",
                    "Roles": roles,
                    "PolicyDocument": policies::of_the_functions(experiment),
                },
            },
            "AutomationRole": role(&experiment.named("automation"), &automation_trust(experiment), &policies::of_the_automation(experiment)),
            "FisRole": role(&experiment.named("fis"), &fis_trust(experiment), &policies::of_fis(std::slice::from_ref(experiment))),
            "Document": {
                "Type": "AWS::SSM::Document",
                "DependsOn": "AutomationRole",
                "Properties": {
                    "Name": experiment.named("strike"),
                    "DocumentType": "Automation",
                    "DocumentFormat": "YAML",
                    "UpdateMethod": "NewVersion",
                    "VersionName": version_name(experiment),
                    "Content": content,
                },
            },
            "Log": {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {"LogGroupName": log_group(experiment), "RetentionInDays": 30},
            },
            "Template": template(experiment),
        },
        "Outputs": {
            "DryRun": {
                "Description": "Looks at everything and strikes nothing",
                "Value": {"Fn::Sub": format!("{START} --experiment-options actionsMode=skip-all")},
            },
            "Run": {"Description": "Strikes", "Value": {"Fn::Sub": START}},
        },
    })
}

pub(super) const START: &str = "aws fis start-experiment --experiment-template-id ${Template}";

pub(super) fn role(name: &str, trust: &Value, policy: &Value) -> Value {
    json!({
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": "least", "PolicyDocument": policy}],
        },
    })
}

/// The experiment template for CloudFormation: the request with capitalised keys and no token.
fn template(experiment: &Experiment) -> Value {
    json!({
        "Type": "AWS::FIS::ExperimentTemplate",
        "DependsOn": ["Document", "Faults", "PlanReaders"],
        "Properties": {
            "Description": description(experiment),
            "StopConditions": stops(&experiment.alarms, "Source", "Value"),
            "Targets": {},
            "Actions": {"strike": {"ActionId": ACTION, "Description": ACTION_SAID, "Parameters": parameters(experiment, None)}},
            "RoleArn": {"Fn::GetAtt": ["FisRole", "Arn"]},
            "ExperimentOptions": {"AccountTargeting": "single-account"},
            "LogConfiguration": {"LogSchemaVersion": 2, "CloudWatchLogsConfiguration": {"LogGroupArn": {"Fn::GetAtt": ["Log", "Arn"]}}},
            "Tags": {"Name": experiment.named("template")},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::example::experiment;
    use super::*;

    #[test]
    fn the_template_names_the_plan_and_does_not_hold_it() {
        let template = experiment_template(&experiment());
        let parameters = template["actions"]["strike"]["parameters"].as_object().unwrap();
        assert_eq!(parameters["documentParameters"], r#"{"Faults":"/brownout/slow-authorizer/faults"}"#);
        assert!(parameters.values().all(|value| value.as_str().unwrap().len() <= LONGEST_ACTION_PARAMETER));
    }

    /// The value as CloudFormation makes it of a template.
    fn resolved(value: &Value, scripts: &Value) -> Value {
        match value {
            Value::Object(map) if map.contains_key("Fn::FindInMap") => {
                let path = &map["Fn::FindInMap"];
                assert_eq!(path[0], "Scripts");
                scripts[path[1].as_str().unwrap()][path[2].as_str().unwrap()].clone()
            }
            Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), resolved(value, scripts))).collect(),
            Value::Array(list) => list.iter().map(|value| resolved(value, scripts)).collect(),
            other => other.clone(),
        }
    }

    #[test]
    fn the_stacks_document_is_the_document_with_each_script_once() {
        let template = cloudformation(&experiment());
        let scripts = &template["Mappings"]["Scripts"];
        // `detach` and `cleanUp` have the same one.
        assert_eq!(scripts.as_object().unwrap().len(), 5);
        let content = &template["Resources"]["Document"]["Properties"]["Content"];
        assert!(!content.to_string().contains("import boto3"), "{content}");
        assert_eq!(resolved(content, scripts), document(&experiment()));
    }

    #[test]
    fn the_template_of_a_large_experiment_needs_no_bucket() {
        let mut experiment = experiment();
        let function = experiment.functions[0].clone();
        let named = |n| function.arn.beside("lambda", format!("function:{}{n:02}", "f".repeat(38)));
        experiment.functions = (0..20).map(|n| super::super::Function { arn: named(n), ..function.clone() }).collect();
        let length = yaml(&cloudformation(&experiment)).len();
        assert!(length < LONGEST_TEMPLATE, "{length}");
    }

    #[test]
    fn fis_waits_for_the_faults_and_at_least_five_minutes() {
        for seconds in [1, 100, 2700] {
            let text = max_duration(Duration::from_secs(seconds));
            let minutes: u64 = text.trim_start_matches("PT").trim_end_matches('M').parse().unwrap();
            assert!(minutes * 60 >= seconds + 300 && minutes <= 12 * 60, "{seconds}: {text}");
        }
    }

    #[test]
    fn an_experiment_without_alarms_says_so() {
        let mut experiment = experiment();
        experiment.alarms.clear();
        assert_eq!(experiment_template(&experiment)["stopConditions"], json!([{"source": "none"}]));
        assert_eq!(template(&experiment)["Properties"]["StopConditions"], json!([{"Source": "none"}]));
    }

    #[test]
    fn an_experiment_with_complaints_is_not_exported() {
        let mut experiment = experiment();
        experiment.name = String::new();
        let refused = fis(&experiment).unwrap_err();
        assert!(refused.to_string().contains("is not a name"), "{refused}");
    }
}
