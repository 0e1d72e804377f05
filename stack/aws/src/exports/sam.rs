//! `export sam`: the layer on every function of a template, idle. An idle layer does no harm, and an experiment then makes no new environments.

use serde_json::json;

use super::experiment::Experiment;
use super::policies;
use super::text::yaml;
use super::{File, Refused, WRAPPER, checked};

/// What stands above the template; it is no part of the value.
const HEADER: &str = "\
# Merge this into the functions' template. Every function of it gets brownout's layer, which passes events untouched until a plan stands in
# the parameter. A function of an OS-only runtime must point itself at the extension (docs/layer.md); a wrapper that it has goes to BROWNOUT_EXEC_WRAPPER.
# Each function needs `Policies: [!Ref BrownoutPlanPolicy]` beside those that it has.
";

/// The part of a SAM template that attaches the layer.
///
/// # Errors
/// Where the experiment has complaints.
pub fn sam(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    let template = json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Transform": "AWS::Serverless-2016-10-31",
        "Parameters": {"BrownoutLayerArn": {
            "Type": "String",
            "Default": experiment.layer.to_string(),
            "Description": "The version of brownout's layer; empty is without it",
        }},
        "Conditions": {"WithBrownout": {"Fn::Not": [{"Fn::Equals": [{"Ref": "BrownoutLayerArn"}, ""]}]}},
        "Globals": {"Function": {
            "Layers": {"Fn::If": ["WithBrownout", [{"Ref": "BrownoutLayerArn"}], {"Ref": "AWS::NoValue"}]},
            "Environment": {"Variables": {
                "AWS_LAMBDA_EXEC_WRAPPER": when_attached(WRAPPER),
                "BROWNOUT_PLAN": when_attached(&format!("ssm:{}", experiment.plan_parameter())),
            }},
        }},
        "Resources": {"BrownoutPlanPolicy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Condition": "WithBrownout",
            "Properties": {"PolicyDocument": policies::of_the_functions(experiment)},
        }},
    });
    Ok(vec![File::new("sam.yaml", format!("{HEADER}{}", yaml(&template)))])
}

fn when_attached(value: &str) -> serde_json::Value {
    json!({"Fn::If": ["WithBrownout", value, {"Ref": "AWS::NoValue"}]})
}
