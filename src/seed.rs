//! `brownout seed` and `unseed`: the users, rows, policies and things that an experiment's load needs in a deployed stack.

use std::error::Error;
use std::path::PathBuf;

use protocol::{Resolve, Seed, Task, Unseed};

use crate::{aws_program, check, cli};

/// Creates the data, or prints the rights that this takes.
///
/// # Errors
/// If the stack is not found, or the program that calls AWS is missing.
pub fn seed(arguments: &cli::Seed) -> Result<u8, Box<dyn Error>> {
    let plan = match check::read(&arguments.experiment) {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let (data, things) = plan.data();
    if data == Default::default() && things.is_empty() {
        return Err(format!("`{}` needs no data; run it without a seed", arguments.experiment).into());
    }
    let named = arguments.on.stack.clone().or_else(|| plan.stack.name.clone()).ok_or("name the stack with `--stack`, or in `[aws]`")?;
    // Faults strike later: the functions need not be known.
    let stack = aws_program::look_up(Resolve { functions: Vec::new(), ..plan.looked_up(named, arguments.on.region.clone()) })?;
    let folder = arguments.out.clone().unwrap_or_else(|| folder_of(&stack.stack));
    let task = Seed { stack, data, things, folder };
    if arguments.policy {
        println!("{}", exports::seed_policy(&task.scope()).trim_end());
        return Ok(0);
    }
    aws_program::carry_out(&Task::Seed(Box::new(task)))
}

/// Deletes what a seed created; the exit code is 6 if something is left.
///
/// # Errors
/// If the program that calls AWS is missing.
pub fn unseed(arguments: &cli::Unseed) -> Result<u8, Box<dyn Error>> {
    let named = arguments.stack.as_deref().map(|stack| folder_of(name_of(stack)));
    let folder = arguments.folder.clone().or(named).ok_or("name the folder of the seed, or the stack with `--stack`")?;
    aws_program::carry_out(&Task::Unseed(Unseed { folder }))
}

/// The default folder of a stack's seed.
pub fn folder_of(stack: &str) -> PathBuf {
    PathBuf::from("brownout-seeds").join(stack)
}

/// The name of a stack, from its name or its ARN.
pub fn name_of(stack: &str) -> &str {
    stack.split_once(":stack/").map_or(stack, |(_, rest)| rest.split('/').next().unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_named_by_its_name_or_its_arn() {
        let arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/clinic-dev/0a1b2c3d";
        assert_eq!([name_of("clinic-dev"), name_of(arn)], ["clinic-dev"; 2]);
    }
}
