//! `export terraform`: the layer on the experiment's functions, idle. Terraform changes no function
//! that it does not own, so this output is merged into the functions' own resources.

use super::experiment::{Experiment, Function, IDLE};
use super::policies;
use super::text::json;
use super::written::{File, Refused, WRAPPER, checked};

/// Locals for the functions' resources, and a policy for their roles.
///
/// # Errors
/// If the experiment has complaints.
pub fn terraform(experiment: &Experiment) -> Result<Vec<File>, Refused> {
    checked(experiment)?;
    let layer = quoted(&experiment.layer.to_string());
    let plan = quoted(&format!("ssm:{}", experiment.plan_parameter_of(IDLE)));
    let wrapper = quoted(WRAPPER);
    let name = quoted(&experiment.named("plan"));
    let policy = indented(json(&policies::of_the_functions(experiment)).trim_end());
    let mut roles: Vec<_> = experiment.functions.iter().map(role).collect();
    roles.sort();
    roles.dedup();
    let roles: String = roles.iter().map(|role| format!("    {},\n", quoted(role))).collect();
    let functions: Vec<_> = experiment.functions.iter().map(Function::name).collect();
    let text = format!(
        "# An idle layer passes events untouched until a plan stands in the parameter. In the aws_lambda_function of {}:\n\
         #   layers = concat(<those it has>, local.brownout_layers)\n\
         #   environment {{ variables = merge(<those it has>, local.brownout_variables) }}\n\
         # A function of an OS-only runtime must point itself at the extension (docs/layer.md); a wrapper that it has goes to BROWNOUT_EXEC_WRAPPER.\n\
         \n\
         variable \"brownout_layer_arn\" {{\n  type        = string\n  default     = {layer}\n  description = \"The version of brownout's layer; empty is without it\"\n}}\n\
         \n\
         locals {{\n  brownout_layers = var.brownout_layer_arn == \"\" ? [] : [var.brownout_layer_arn]\n  \
         brownout_variables = var.brownout_layer_arn == \"\" ? {{}} : {{\n    AWS_LAMBDA_EXEC_WRAPPER = {wrapper}\n    BROWNOUT_PLAN           = {plan}\n  }}\n}}\n\
         \n\
         resource \"aws_iam_role_policy\" \"brownout_plan\" {{\n  for_each = toset(var.brownout_layer_arn == \"\" ? [] : [\n{roles}  ])\n\n  \
         name   = {name}\n  role   = each.value\n  policy = <<-JSON\n{policy}\n  JSON\n}}\n",
        functions.join(", "),
    );
    Ok(vec![File::new("brownout.tf", text)])
}

fn role(function: &Function) -> String {
    function.role.resource.rsplit('/').next().unwrap_or_default().to_owned()
}

/// A string quoted for HCL: like JSON, with template sequences escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string().replace("${", "$${").replace("%{", "%%{")
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n").replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_string_contains_no_template() {
        assert_eq!(quoted(r#"a"${b}%{c}"#), r#""a\"$${b}%%{c}""#);
    }
}
