//! Reads a fault plan from an SSM parameter or an S3 object, again and again, and reports to the
//! extension on standard output. The extension starts it if such a source is set. It must never
//! outlive the extension, and never use more than one thread.

mod address;
mod age;
mod object;
mod parameter;
mod polling;
mod reading;

use std::fs::File;
use std::os::fd::AsFd;
use std::process::ExitCode;

use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use crate::address::Address;

fn main() -> ExitCode {
    // The message of a panic could quote a service's answer.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        eprintln!("error: bug in brownout's plan fetcher at {place}; please report it");
    }));
    let Some(address) = std::env::args().nth(1).as_deref().and_then(Address::parse) else {
        eprintln!("error: this program is started by brownout's extension, with `ssm:<name>` or `s3://<bucket>/<key>`");
        return ExitCode::from(2);
    };
    // If this fails, the end of standard input ends this process, a little later.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => {
            runtime.block_on(run(address));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the plan's fetcher cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(address: Address) {
    let mut output = std::io::stdout();
    tokio::select! {
        () = polling::poll(address, &mut output) => (),
        () = left_alone() => (),
    }
}

/// Ends when the other end of standard input is closed. If that is not a pipe, a person runs the program by hand: then this never ends.
async fn left_alone() {
    let input = std::io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let Ok(mut input) = input.and_then(Receiver::from_file) else { return std::future::pending().await };
    let mut bytes = [0; 64];
    while matches!(input.read(&mut bytes).await, Ok(count) if count > 0) {}
}
