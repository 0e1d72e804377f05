//! AWS's own service models accept every exported request: shapes, required members, lengths,
//! patterns, enums. The models are botocore's; without it the tests print that they were skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

#[path = "support/example.rs"]
mod example;

use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::{Value, json};

const READ: &str = "
import glob, gzip, os, sys, botocore
[path] = glob.glob(os.path.join(os.path.dirname(botocore.__file__), 'data', sys.argv[1], '*', 'service-2.json.gz'))
sys.stdout.buffer.write(gzip.open(path).read())
";

/// The model of a service; `None` if botocore is missing.
fn model(service: &str) -> Option<Value> {
    let output = Command::new("python3").args(["-c", READ, service]).output().ok()?;
    if !output.status.success() {
        println!("SKIPPED: python3 with botocore is missing, so nothing was compared with the model of `{service}`");
        return None;
    }
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// Every way in which `value` does not match the shape.
fn wrong(model: &Value, shape: &str, value: &Value, at: &str, out: &mut Vec<String>) {
    let rules = &model["shapes"][shape];
    let mut say = |what: String| out.push(format!("{at}: {what}"));
    let length = |n: usize| {
        let n = u64::try_from(n).unwrap();
        let within = rules["min"].as_u64().is_none_or(|min| n >= min) && rules["max"].as_u64().is_none_or(|max| n <= max);
        (!within).then(|| format!("{n} is outside {} to {}", rules["min"], rules["max"]))
    };
    match (rules["type"].as_str().unwrap(), value) {
        ("structure", Value::Object(members)) => {
            for required in rules["required"].as_array().into_iter().flatten() {
                if !members.contains_key(required.as_str().unwrap()) {
                    say(format!("{required} is missing"));
                }
            }
            for (name, member) in members {
                match rules["members"][name]["shape"].as_str() {
                    Some(shape) => wrong(model, shape, member, &format!("{at}.{name}"), out),
                    None => out.push(format!("{at}.{name}: there is no such member")),
                }
            }
        }
        ("list", Value::Array(list)) => {
            length(list.len()).into_iter().for_each(&mut say);
            for (index, item) in list.iter().enumerate() {
                wrong(model, rules["member"]["shape"].as_str().unwrap(), item, &format!("{at}[{index}]"), out);
            }
        }
        ("map", Value::Object(map)) => {
            length(map.len()).into_iter().for_each(&mut say);
            for (key, item) in map {
                wrong(model, rules["key"]["shape"].as_str().unwrap(), &json!(key), &format!("{at}.{key} (the key)"), out);
                wrong(model, rules["value"]["shape"].as_str().unwrap(), item, &format!("{at}.{key}"), out);
            }
        }
        ("string", Value::String(text)) => {
            length(text.chars().count()).into_iter().for_each(&mut say);
            if rules["enum"].as_array().is_some_and(|names| !names.contains(value)) {
                say(format!("`{text}` is none of {}", rules["enum"]));
            }
            if let Some(pattern) = rules["pattern"].as_str() {
                // Match the whole string: a service may do so, and a whole match is also found by a
                // search.
                let whole = Regex::new(&format!("^(?:{pattern})$")).unwrap();
                if !whole.is_match(text) {
                    say(format!("`{text}` is not `{pattern}`"));
                }
            }
        }
        ("integer" | "long", Value::Number(number)) if number.is_i64() => {
            length(usize::try_from(number.as_i64().unwrap()).unwrap()).into_iter().for_each(&mut say);
        }
        ("boolean", Value::Bool(_)) => (),
        (kind, other) => say(format!("{other} is no {kind}")),
    }
}

fn assert_accepted(service: &str, operation: &str, request: &Value) {
    let Some(model) = model(service) else { return };
    let shape = model["operations"][operation]["input"]["shape"].as_str().unwrap().to_owned();
    let mut found = Vec::new();
    wrong(&model, &shape, request, operation, &mut found);
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn fis_accepts_the_experiment_template() {
    assert_accepted("fis", "CreateExperimentTemplate", &exports::experiment_template(&example::experiment()));
    let mut experiment = example::experiment();
    experiment.alarms.clear();
    experiment.question = "?".repeat(2000);
    assert_accepted("fis", "CreateExperimentTemplate", &exports::experiment_template(&experiment));
}

#[test]
fn fis_accepts_the_template_of_a_game_day() {
    let mut day = example::game_day();
    assert_accepted("fis", "CreateExperimentTemplate", &exports::game_day_template(&day));
    for experiment in &mut day.experiments {
        experiment.question = "?".repeat(2000);
        experiment.name = format!("{}{}", experiment.name, "x".repeat(32 - experiment.name.len()));
    }
    assert_accepted("fis", "CreateExperimentTemplate", &exports::game_day_template(&day));
}

#[test]
fn fis_accepts_the_template_of_one_run() {
    let mark = exports::Mark { run: "r".repeat(64), until: 4_000_000_000 };
    let experiment = example::experiment();
    let request = exports::run_template(&experiment, experiment.duration, "7", &mark);
    assert_accepted("fis", "CreateExperimentTemplate", &request);
    let tags = mark.tags().map(|(key, value)| json!({"Key": key, "Value": value}));
    let document = json!({
        "Name": experiment.named("strike"), "VersionName": mark.version_name(), "Content": exports::run_document(&experiment, &mark),
        "DocumentType": "Automation", "DocumentFormat": "YAML", "Tags": tags,
    });
    assert_accepted("ssm", "CreateDocument", &document);
}

#[test]
fn fis_accepts_the_dry_run_that_the_stack_prints() {
    let outputs = exports::cloudformation(&example::experiment())["Outputs"].clone();
    let mode = |name: &str| outputs[name]["Value"]["Fn::Sub"].as_str().unwrap().split("actionsMode=").nth(1).map(str::to_owned);
    assert_eq!(mode("Run"), None);
    let options = json!({"actionsMode": mode("DryRun").unwrap()});
    let request = json!({"clientToken": "t", "experimentTemplateId": "EXT1", "experimentOptions": options});
    assert_accepted("fis", "StartExperiment", &request);
}

#[test]
fn ssm_accepts_the_document_and_the_call_that_starts_it() {
    let experiment = example::experiment();
    let document = exports::create_document(&experiment);
    assert_accepted("ssm", "CreateDocument", &document);
    assert!(document["Content"].as_str().unwrap().len() <= exports::LONGEST_DOCUMENT);
    let template = exports::experiment_template(&experiment);
    let text = template["actions"]["strike"]["parameters"]["documentParameters"].as_str().unwrap();
    let parameters: Value = serde_json::from_str(text).unwrap();
    let lists: serde_json::Map<_, _> = parameters.as_object().unwrap().iter().map(|(key, value)| (key.clone(), json!([value]))).collect();
    let declared = exports::document(&experiment)["parameters"].clone();
    assert!(lists.keys().all(|key| declared.get(key).is_some()));
    assert_accepted("ssm", "StartAutomationExecution", &json!({"DocumentName": document["Name"], "Parameters": lists}));
}

#[test]
fn ssm_accepts_the_parameter_that_holds_the_faults() {
    let files = exports::fis(&example::experiment()).unwrap();
    let file = files.iter().find(|file| file.name == "faults.json").unwrap();
    assert_accepted("ssm", "PutParameter", &serde_json::from_str(&file.text).unwrap());
}

#[test]
fn iam_accepts_the_policies_and_the_roles() {
    let experiment = example::experiment();
    let template = exports::cloudformation(&experiment);
    for name in ["FisRole", "AutomationRole"] {
        let properties = &template["Resources"][name]["Properties"];
        let trust = properties["AssumeRolePolicyDocument"].to_string();
        assert_accepted("iam", "CreateRole", &json!({"RoleName": properties["RoleName"], "AssumeRolePolicyDocument": trust}));
        let policy = properties["Policies"][0].clone();
        let request = json!({
            "RoleName": properties["RoleName"], "PolicyName": policy["PolicyName"], "PolicyDocument": policy["PolicyDocument"].to_string(),
        });
        assert_accepted("iam", "PutRolePolicy", &request);
        // The quota of a role's inline policies, without whitespace.
        assert!(policy["PolicyDocument"].to_string().len() <= 10_240);
    }
    for file in exports::iam_policy(&experiment).unwrap() {
        let policy: Value = serde_json::from_str(&file.text).unwrap();
        assert_accepted("iam", "CreatePolicy", &json!({"PolicyName": "p", "PolicyDocument": policy.to_string()}));
        // The quota of a managed policy.
        assert!(policy.to_string().len() <= 6_144, "{}", file.name);
    }
}

/// The program makes this call without the service's SDK.
#[test]
fn cloudwatch_accepts_the_call_that_reads_alarms() {
    let request = json!({"AlarmNames": ["clinic-latency"], "AlarmTypes": ["MetricAlarm", "CompositeAlarm"]});
    assert_accepted("cloudwatch", "DescribeAlarms", &request);
    let Some(model) = model("cloudwatch") else { return };
    let said = &model["metadata"];
    assert!(said["protocols"].as_array().unwrap().contains(&json!("json")), "{said}");
    assert_eq!((&said["jsonVersion"], &said["targetPrefix"]), (&json!("1.0"), &json!("GraniteServiceVersion20100801")));
    for (shape, member) in [("MetricAlarm", "AlarmName"), ("MetricAlarm", "StateValue"), ("CompositeAlarm", "StateValue")] {
        assert!(model["shapes"][shape]["members"].get(member).is_some(), "{shape}.{member}");
    }
}

/// Checks the actions whose operation has the same name in one of AWS's models.
#[test]
fn every_action_that_a_policy_allows_is_an_operation_of_its_service() {
    // AWS checks `logs:CreateLogDelivery` on services that deliver logs; an action of API Gateway is
    // an HTTP method.
    let without_operation = ["apigateway:GET", "iam:PassRole", "logs:CreateLogDelivery"];
    for action in exports::ACTIONS.iter().chain(exports::SEED_ACTIONS).filter(|action| !without_operation.contains(action)) {
        let (service, operation) = action.split_once(':').unwrap();
        let Some(model) = model(service) else { return };
        assert!(model["operations"].get(operation).is_some(), "{action}");
    }
}

#[test]
fn a_wrong_request_is_found() {
    let Some(model) = model("fis") else { return };
    let good = exports::experiment_template(&example::experiment());
    type Spoil = fn(&mut Value);
    let cases: [(&str, Spoil); 6] = [
        ("is missing", |request| {
            request.as_object_mut().unwrap().remove("roleArn");
        }),
        ("no such member", |request| request["rolearn"] = json!("x")),
        ("is outside", |request| request["actions"]["strike"]["parameters"]["documentParameters"] = json!("x".repeat(1025))),
        ("is not `", |request| request["clientToken"] = json!("a b")),
        ("is none of", |request| request["experimentOptions"]["accountTargeting"] = json!("both")),
        ("is no ", |request| request["logConfiguration"]["logSchemaVersion"] = json!("2")),
    ];
    for (expected, spoil) in cases {
        let mut request = good.clone();
        spoil(&mut request);
        let mut found = Vec::new();
        wrong(&model, "CreateExperimentTemplateRequest", &request, "request", &mut found);
        assert!(found.concat().contains(expected), "{expected}: {found:?}");
    }
}

/// The program with this name, from the folder that CI installs it to, or from `PATH`.
fn program(name: &str) -> Option<Command> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let installed = root.join("target/lint/bin").join(name);
    if installed.is_file() {
        let mut command = Command::new("python3");
        command.arg(installed).env("PYTHONPATH", root.join("target/lint"));
        return Some(command);
    }
    let on_path = Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success());
    if !on_path {
        println!("SKIPPED: `{name}` is missing, so nothing was checked by it");
    }
    on_path.then(|| Command::new(name))
}

fn assert_passes(mut command: Command) {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
fn the_templates_pass_aws_own_lint() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folder = tempfile::tempdir().unwrap();
    // The SAM export is merged into functions that have their code.
    let (function, code) =
        ("    Type: AWS::Serverless::Function\n    Properties:\n", "      Runtime: python3.13\n      Handler: a.b\n      InlineCode: x\n");
    let parts = std::fs::read_to_string(golden.join("sam/sam.yaml")).unwrap();
    let whole = folder.path().join("sam.yaml");
    std::fs::write(&whole, parts.replace(function, &format!("{function}{code}"))).unwrap();
    for file in
        [golden.join("fis/cloudformation.yaml"), golden.join("fis-game-day/cloudformation.yaml"), golden.join("batch/batch.yaml"), whole]
    {
        let Some(mut lint) = program("cfn-lint") else { return };
        lint.arg(file);
        assert_passes(lint);
    }
}

#[test]
fn terraform_fmt_would_not_change_the_file() {
    let Some(mut terraform) = program("terraform") else { return };
    terraform.args(["fmt", "-check", "-diff"]).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/terraform/brownout.tf"));
    assert_passes(terraform);
}

/// Another YAML parser reads the same value.
#[test]
fn the_yaml_reads_as_the_value_that_it_was_written_from() {
    let compare = "import json, sys, yaml\nassert yaml.safe_load(open(sys.argv[1])) == json.loads(sys.argv[2]), 'they differ'";
    if !Command::new("python3").args(["-c", "import yaml"]).output().is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: python3 with yaml is missing");
        return;
    }
    let experiment = example::experiment();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fis");
    for (file, value) in
        [("automation-document.yaml", exports::document(&experiment)), ("cloudformation.yaml", exports::cloudformation(&experiment))]
    {
        let mut python = Command::new("python3");
        python.args(["-c", compare]).arg(golden.join(file)).arg(value.to_string());
        assert_passes(python);
    }
}
