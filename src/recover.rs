//! `brownout recover`: finds what dead runs left in functions on AWS, and removes it.

use std::error::Error;

use protocol::{Recover, Task, Which};

use crate::{aws_program, cli, run};

/// Recovers, or only lists; the exit code is 6 if something is left.
///
/// # Errors
/// If the program that calls AWS is missing.
pub fn recover(arguments: &cli::Recover) -> Result<u8, Box<dyn Error>> {
    let which = match &arguments.run {
        Some(run) => Which::Of(run.clone()),
        None if arguments.all => Which::All,
        None => Which::Over,
    };
    let (list, journal, region) = (arguments.list, arguments.journal.clone(), arguments.region.clone());
    aws_program::carry_out(&Task::Recover(Recover { list, which, journal, folder: run::runs_folder(), region }))
}
