//! `brownout plan`: what a run would change and call, from the same decisions,
//! read-only. It never shows the value of a variable.

use std::error::Error;
use std::fmt::Write as _;

use aws::attach::{Layer, Step, Update, preview};
use aws::function::{Function, Readable};
use aws::marker::{Record, Run};
use aws::targets::deployed;
use aws::{Lambda, Patience};
use protocol::{Preview, chain};

use crate::calls::calls;
use crate::{COULD_NOT_RUN, account};

/// A stand-in for the run's name, which is known only once it begins.
const RUN: &str = "plan-only";

/// Prints the plan; the exit code is 2 if a function cannot be attached.
///
/// # Errors
/// If the account cannot be read.
pub async fn plan(preview: &Preview) -> Result<u8, Box<dyn Error>> {
    let (text, complaints) = read(preview).await?;
    say!("{}", text.trim_end());
    if complaints > 0 {
        complain!("error: {complaints} in the way; nothing was touched");
        return Ok(COULD_NOT_RUN);
    }
    Ok(0)
}

async fn read(Preview { plan, via }: &Preview) -> Result<(String, usize), Box<dyn Error>> {
    let experiment = &plan.experiment;
    let lambda = Lambda::new(&aws::config(Some(&experiment.layer.region)).await, Patience::default());
    let mut out = format!("{}\n\nin account {}, Region {}:\n", experiment.question, experiment.layer.account, experiment.layer.region);
    let mut complaints = 0;
    if let Err(error) = account::allowed(&lambda, plan, false).await {
        let _ = writeln!(out, "  not allowed: {error}");
        complaints += 1;
    }
    let mut usage = plan.usage(*via);
    for wished in account::wishes(plan, &Run::try_from(RUN.to_owned())?, *via)? {
        let (function, step) = preview(&lambda, &wished.arn, &wished.wish).await.map_err(|error| chain(&error))?;
        complaints += told(&mut out, &wished, &function, step);
        let timeout = experiment.functions.iter().find(|function| function.name() == wished.name).map(|function| function.timeout);
        usage = usage.with_function(&wished.name, function.memory_mb, timeout.unwrap_or_default());
    }
    out.push_str(&calls(plan, *via));
    let _ = writeln!(out, "\n{}", usage.cost());
    Ok((out, complaints))
}

/// Describes what would happen to one function, and returns the number of problems.
fn told(out: &mut String, wished: &deployed::Function, function: &Function, step: Step) -> usize {
    let _ = writeln!(out, "\n  {}", wished.name);
    match step {
        Step::Update { update, record } => {
            difference(out, function, &update, &record, &wished.wish.layer);
            if let Some(alias) = &wished.wish.alias {
                let share = f64::from(wished.alias_thousandths) / 10.0;
                let _ = writeln!(
                    out,
                    "    a version is published with that, alias `{alias}` gives it {share} % of its calls, and `$LATEST` goes back at once"
                );
            }
        }
        Step::Wait => out.push_str("    an update is under way; `run` waits for its end\n"),
        Step::Done(_) | Step::TakeBack { .. } => out.push_str("    ours is on it already; `brownout recover --list` says whose\n"),
        Step::Refuse(complaints) => {
            for complaint in &complaints {
                let _ = writeln!(out, "    refused: {complaint}");
            }
            return complaints.len();
        }
    }
    0
}

fn difference(out: &mut String, function: &Function, update: &Update, record: &Record, layer: &Layer) {
    for one in &update.layers {
        let sign = if one == layer.arn() && !function.layers.contains(one) { '+' } else { ' ' };
        let _ = writeln!(out, "    layers     {sign} {one}");
    }
    if let Readable::Yes(variables) = &function.variables {
        let _ =
            writeln!(out, "    variables    {} of the function's own, untouched", variables.count().saturating_sub(record.before.len()));
    }
    for (name, value) in &record.set {
        let sign = if record.before.contains_key(name) { '~' } else { '+' };
        let _ = writeln!(out, "    variables  {sign} {name}={value}");
    }
    out.push_str("    variables  + BROWNOUT_UNDO (the way back)\n");
}
