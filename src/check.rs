//! `brownout check`: everything that `run` and `up` check, without changing anything.

use std::error::Error;
use std::path::Path;

use engine::check::power;
use engine::file::{self, Wrong, line_and_column};
use engine::{Plan, shipped};

use crate::check_template;
use crate::cli::{Check, Target};

/// Checks experiments and templates, and prints what is wrong with each; the exit code is 0 or 2. For
/// AWS it prints which rules can be checked there, too.
///
/// # Errors
/// If an option does not apply to what is checked.
pub fn check(arguments: &Check) -> Result<u8, Box<dyn Error>> {
    let is_shipped = |file: &str| shipped::all().any(|(name, _)| name == file);
    let is_template = |file: &&String| !is_shipped(file) && template::find::is_template(Path::new(file));
    let (templates, experiments): (Vec<_>, Vec<_>) = arguments.files.iter().partition(is_template);
    let Check { target, template, strict, json, .. } = arguments;
    let of_template = *strict || *json || !template.parameters.is_empty() || template.config_env.is_some();
    if of_template && !experiments.is_empty() {
        let what = "`--parameter`, `--config-env`, `--strict` and `--json` are for templates; check experiments by themselves";
        return Err(what.into());
    }
    if *target == Target::Aws && !templates.is_empty() {
        return Err("`--target aws` is for experiments; check templates by themselves".into());
    }
    if *json && templates.len() > 1 {
        return Err("`--json` is for one template".into());
    }
    let mut code = 0;
    for file in templates {
        code = code.max(check_template::check(file, arguments)?);
    }
    for wanted in experiments {
        code = code.max(experiment(wanted, *target));
    }
    Ok(code)
}

fn experiment(wanted: &str, target: Target) -> u8 {
    let is_load = shipped::find(wanted).is_ok_and(|(_, text)| file::is_of_load(&text));
    match if is_load { read_load(wanted) } else { read(wanted) } {
        Ok(plan) => {
            page!("{wanted}: ok: {}\n", plan.question);
            power::notices(&plan).iter().for_each(|notice| eprintln!("note: {wanted}: {notice}"));
            if target == Target::Aws && !on_aws(wanted, &plan) { crate::exit::COULD_NOT_RUN } else { 0 }
        }
        Err(complaints) => {
            eprint!("{complaints}");
            crate::exit::COULD_NOT_RUN
        }
    }
}

/// Prints what can be checked on AWS, and returns whether the experiment can run there.
fn on_aws(wanted: &str, plan: &Plan) -> bool {
    let reasons = if plan.deployed.is_some() { Vec::new() } else { plan.only_local() };
    for reason in &reasons {
        eprintln!("error: {wanted}: on AWS: {reason}");
    }
    match plan.rules_on_aws() {
        Ok((checked, unchecked)) => {
            checked.iter().for_each(|(id, text)| println!("  {id} is checked on AWS: {text}"));
            unchecked
                .iter()
                .for_each(|(id, text)| println!("  {id} is not checked on AWS, where services do not tell what it needs: {text}"));
        }
        Err(error) => eprintln!("error: {wanted}: {}", protocol::chain(&error)),
    }
    if reasons.is_empty() {
        println!("  {}", plan.usage_on_aws().cost());
    }
    reasons.is_empty()
}

/// Finds, reads and checks an experiment.
///
/// # Errors
/// Everything that is wrong, ready to print, each line with its position.
pub fn read(wanted: &str) -> Result<Plan, String> {
    read_by(engine::check_in, wanted)
}

/// The same for load alone.
///
/// # Errors
/// As [`read`].
pub fn read_load(wanted: &str) -> Result<Plan, String> {
    read_by(engine::check_load_in, wanted)
}

fn read_by(check_in: fn(&Path, &str, &str) -> Result<Plan, Vec<Wrong>>, wanted: &str) -> Result<Plan, String> {
    let (name, text) = shipped::find(wanted).map_err(|error| format!("error: {}\n", protocol::chain(&error)))?;
    let folder = Path::new(wanted).parent().filter(|_| Path::new(wanted).is_file()).unwrap_or(Path::new("."));
    check_in(folder, &name, &text).map_err(|wrong| complaints(wanted, &text, &wrong))
}

fn complaints(file: &str, text: &str, wrong: &[Wrong]) -> String {
    let mut out = String::new();
    for complaint in wrong {
        let (line, column) = line_and_column(text, complaint.span.start);
        out.push_str(&format!("error: {file}:{line}:{column}: {}\n", complaint.what));
        if let Some(shown) = text.lines().nth(line - 1).filter(|_| !complaint.span.is_empty()) {
            out.push_str(&format!("  {shown}\n  {}^\n", " ".repeat(column - 1)));
        }
    }
    let count = wrong.len();
    out.push_str(&format!("error: {file}: {count} complaint{}; nothing was started\n", if count == 1 { "" } else { "s" }));
    out
}
