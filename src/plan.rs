//! `brownout plan`: what `run --target aws` or `run --via fis` would change and call, read-only.

use std::error::Error;

use protocol::{Preview, Task, Via};

use crate::cli::{self, OnStack};
use crate::{aws_program, aws_stack, check};

/// Prints the plan; the exit code is 2 if a function cannot be attached.
///
/// # Errors
/// If the experiment is not on deployed functions, or the program that calls AWS is missing.
pub fn plan(wanted: &str, on: &OnStack, via: Option<cli::Via>) -> Result<u8, Box<dyn Error>> {
    let plan = match check::read(wanted) {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let plan = aws_stack::on_aws(plan, on)?;
    let (plan, via) = match via {
        Some(cli::Via::Fis) => (plan.driven_by_fis().map_err(|why| format!("{wanted}: {why}"))?, Via::Fis),
        None => (plan, Via::Plan),
    };
    let plan = plan.aws_plan().ok_or(aws_stack::NOT_DEPLOYED)?;
    aws_program::carry_out(&Task::Plan(Preview { plan, via }))
}
