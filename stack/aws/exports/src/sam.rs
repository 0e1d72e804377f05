//! `export sam`: the layer on the experiment's functions in a SAM template, idle. An idle layer
//! does no harm. It is written at each function, because `Globals` would also reach functions that
//! cannot have a layer, and would give functions with layers of their own only the variables.

use serde_json::{Value, json};

use super::experiment::{Experiment, Function, IDLE};
use super::policies;
use super::text::yaml;
use super::written::{File, Refused, WRAPPER, checked};

/// The comment above the template; it is not part of the value.
const HEADER: &str = "\
# Merge this into the functions' template: Parameters, Conditions and BrownoutPlanPolicy as they are, and of each function below what its Properties
# have into those of the function that is called so, whose own layers, variables and policies stay. Every event passes untouched until a run strikes.
# A wrapper that a function has goes to BROWNOUT_EXEC_WRAPPER; a function with a Role of its own takes no Policies: attach BrownoutPlanPolicy to that.
# A function of an OS-only runtime must point itself at the extension (docs/layer.md).
";

/// The parts of a SAM template that attach the layer.
///
/// # Errors
/// If the experiment has complaints.
pub fn sam(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    let policy = json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": policies::of_the_functions(experiment)}});
    // It exists without the layer too, so that other templates can always refer to it.
    let mut resources = serde_json::Map::from_iter([("BrownoutPlanPolicy".to_owned(), policy)]);
    resources.extend(experiment.functions.iter().map(|function| (logical_id(function.name()), with_layer(experiment, function))));
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"BrownoutLayerArn": {
            "Type": "String",
            "Default": experiment.layer.to_string(),
            "Description": "The version of brownout's layer; empty is without it",
        }},
        "Conditions": {"WithBrownout": {"Fn::Not": [{"Fn::Equals": [{"Ref": "BrownoutLayerArn"}, ""]}]}},
        "Resources": resources,
    });
    Ok(vec![File::new("sam.yaml", format!("{HEADER}{}", yaml(&template)))])
}

fn with_layer(experiment: &Experiment, function: &Function) -> Value {
    let mut variables = experiment.settings(function);
    variables.insert("BROWNOUT_PLAN", format!("ssm:{}", experiment.plan_parameter_of(IDLE)));
    // OS-only runtimes ignore it.
    variables.insert("AWS_LAMBDA_EXEC_WRAPPER", WRAPPER.to_owned());
    let variables: serde_json::Map<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), when_attached(&json!(value)))).collect();
    json!({
        "Type": "AWS::Serverless::Function",
        "Properties": {
            "Layers": [when_attached(&json!({"Ref": "BrownoutLayerArn"}))],
            "Environment": {"Variables": variables},
            "Policies": [{"Ref": "BrownoutPlanPolicy"}],
        },
    })
}

fn when_attached(value: &Value) -> Value {
    json!({"Fn::If": ["WithBrownout", value, {"Ref": "AWS::NoValue"}]})
}

/// Only letters and digits, each word capitalised.
fn logical_id(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(1).map(|first| first.to_ascii_uppercase()).chain(word.chars().skip(1)).collect::<String>()).collect()
}
