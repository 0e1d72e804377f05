//! `brownout check`: everything that `run` checks, without changing anything.

use std::path::Path;

use engine::check::power;
use engine::file::{Wrong, line_and_column};
use engine::{Plan, shipped};

use crate::cli::Target;

/// Checks experiments and prints what is wrong with each; the exit code is 0 or 2. For AWS it prints
/// which rules can be checked there, too.
pub fn check(experiments: &[String], target: Target) -> u8 {
    let mut code = 0;
    for wanted in experiments {
        match read(wanted) {
            Ok(plan) => {
                page!("{wanted}: ok: {}\n", plan.question);
                power::notices(&plan).iter().for_each(|notice| eprintln!("note: {wanted}: {notice}"));
                if target == Target::Aws && !on_aws(wanted, &plan) {
                    code = crate::exit::COULD_NOT_RUN;
                }
            }
            Err(complaints) => {
                eprint!("{complaints}");
                code = crate::exit::COULD_NOT_RUN;
            }
        }
    }
    code
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
    reasons.is_empty()
}

/// Finds, reads and checks an experiment.
///
/// # Errors
/// Everything that is wrong, ready to print, each line with its position.
pub fn read(wanted: &str) -> Result<Plan, String> {
    let (name, text) = shipped::find(wanted).map_err(|error| format!("error: {}\n", protocol::chain(&error)))?;
    let folder = Path::new(wanted).parent().filter(|_| Path::new(wanted).is_file()).unwrap_or(Path::new("."));
    engine::check_in(folder, &name, &text).map_err(|wrong| complaints(wanted, &text, &wrong))
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
