//! The program that calls AWS for the command `brownout`, which gives it a task on standard input. It is not called by hand.

use std::error::Error;
use std::io::IsTerminal;
use std::process::ExitCode;

use protocol::{PROGRAM, Task, chain};

/// Prints a line on standard output. A closed pipe is not an error.
macro_rules! say {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($text)*);
    }};
}

/// The same on standard error.
macro_rules! complain {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($text)*);
    }};
}

mod account;
mod calls;
mod doctor;
mod plan;
mod publish;
mod recover;
mod requests;
mod resolve;
mod run;
mod seed;
mod unseed;

use requests::Requests;

/// The task was invalid or could not be carried out.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(carry_out());
    // A read of standard input may still be pending.
    runtime.shutdown_background();
    done.map_or_else(|error| failed(error.as_ref()), ExitCode::from)
}

fn failed(error: &dyn Error) -> ExitCode {
    complain!("error: {}", chain(error));
    ExitCode::from(COULD_NOT_RUN)
}

async fn carry_out() -> Result<u8, Box<dyn Error>> {
    if std::io::stdin().is_terminal() {
        return Err(format!("`{PROGRAM}` is a part of brownout; call `brownout`").into());
    }
    let mut requests = Requests::new(tokio::io::stdin());
    match requests.task().await? {
        Task::Plan(plan) => plan::plan(&plan).await,
        Task::Doctor(plan) => Ok(doctor::doctor(&plan).await),
        Task::Recover(recover) => recover::recover(&recover).await,
        Task::Run(run) => run::run(&run, requests).await,
        Task::Resolve(wish) => Ok(resolve::resolve(&wish).await?),
        Task::Seed(task) => seed::seed(&task).await,
        Task::Unseed(task) => unseed::unseed(&task).await,
        Task::Publish(task) => publish::publish(&task).await,
    }
}

#[cfg(test)]
#[path = "../../../exports/tests/support/example.rs"]
mod example;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol::AwsPlan;

    /// The experiment that the tests export, at 10 arrivals a second.
    pub fn plan() -> AwsPlan {
        AwsPlan {
            experiment: crate::example::experiment(),
            ledger_lag: Duration::from_secs(10),
            fis_lead: Duration::from_secs(60),
            length: Duration::from_secs(300),
            longest: Duration::from_secs(1200),
            rate: 10.0,
        }
    }
}
