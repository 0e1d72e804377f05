//! The command `brownout`: parses the arguments, calls the file of the subcommand, and turns its
//! result into an exit code.

#[macro_use]
mod print;

mod artifacts;
mod as_toml;
mod aws_program;
mod aws_stack;
mod check;
mod check_template;
mod cli;
mod compare;
mod doctor;
mod exit;
mod explore;
mod export;
mod faults_page;
mod fold;
mod greeting;
mod init;
mod layer;
mod list;
mod live;
mod load_alone;
mod plan;
mod progress;
mod recover;
mod report;
mod run;
mod run_view;
mod schema;
mod seed;
mod signals;
mod up;
mod workers;

#[cfg(test)]
#[path = "../tests/support/openmetrics.rs"]
#[expect(dead_code, reason = "tests of whole runs use the rest")]
mod openmetrics;
#[cfg(test)]
mod sample;

use std::error::Error;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command};
use exit::{COULD_NOT_RUN, INTERNAL};
use protocol::chain;

/// What one thread sends another one judges and frees, at which this is quicker than the C library.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    load::keep_signals();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(said) => {
            print::keep(said.print());
            return written(u8::try_from(said.exit_code()).unwrap_or(COULD_NOT_RUN));
        }
    };
    // A panic has closed its pipes while unwinding: the stack sees its input end, waits until the
    // lease has run out and exits.
    let Ok(done) = std::panic::catch_unwind(|| carry_out(cli.command)) else {
        eprintln!("error: this is a bug in brownout; please report it with the output above");
        return ExitCode::from(INTERNAL);
    };
    match done {
        Ok(code) => written(code),
        Err(error) => {
            eprintln!("error: {}", chain(error.as_ref()));
            let left = matches!(error.downcast_ref(), Some(engine::run::RunError::Left { .. }));
            ExitCode::from(if left { reports::Verdict::NotRestored.exit_code() } else { COULD_NOT_RUN })
        }
    }
}

/// A command whose output could not be written has failed.
fn written(code: u8) -> ExitCode {
    let Some(cause) = print::failure() else { return ExitCode::from(code) };
    eprintln!("error: standard output cannot be written; give it to a file or a device with free space: {cause}");
    ExitCode::from(if code == 0 { COULD_NOT_RUN } else { code })
}

fn carry_out(command: Command) -> Result<u8, Box<dyn Error>> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Load(arguments) => load_alone::load(&arguments),
        Command::Explore(arguments) => explore::explore(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Plan { experiment, on, via } => plan::plan(&experiment, &on, via),
        Command::Doctor { experiment, on } => doctor::doctor(experiment.as_deref(), &on),
        Command::Recover(arguments) => recover::recover(&arguments),
        Command::Seed(arguments) => seed::seed(&arguments),
        Command::Unseed(arguments) => seed::unseed(&arguments),
        Command::Export(arguments) => export::export(&arguments),
        Command::Init(arguments) => init::init(&arguments),
        Command::Up(arguments) => up::up(&arguments),
        Command::Report { run } => report::report(&run),
        Command::Compare(arguments) => compare::compare(&arguments),
        Command::Layer { command: cli::Layer::Build(arguments) } => layer::build(&arguments),
        Command::Layer { command: cli::Layer::Publish(arguments) } => layer::publish(&arguments),
        Command::List { names } => {
            page!("{}", list::list(names));
            Ok(0)
        }
        Command::Schema => schema::schema(),
        Command::Faults { kind } => faults_page::faults(kind.as_deref()),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "brownout", &mut script);
            print!("{}", String::from_utf8_lossy(&script));
            Ok(0)
        }
        Command::Guard { marker } => stack::guard::guard(&marker).map(|()| 0).map_err(Into::into),
    }
}
