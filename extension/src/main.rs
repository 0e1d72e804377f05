//! The extension's process: one thread that serves, and one more if a plan's source must be polled.
//! It must never end before the platform ends it, even if its settings are wrong.

use std::process::ExitCode;

use extension::{End, Settings};

fn main() -> ExitCode {
    extension::fail_open::print_only_the_place();
    // A fault that uses up CPU, memory or disk starts this program again.
    if let Some(load) = extension::load_process::Load::read(std::env::args_os().skip(1)) {
        return extension::load_process::run(&load);
    }
    let Some(settings) = Settings::read() else {
        eprintln!("error: neither `AWS_LAMBDA_RUNTIME_API` nor `BROWNOUT_UPSTREAM` is set; this program is started by AWS Lambda");
        return ExitCode::from(2);
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(extension::run(settings)) {
        End::Shutdown => ExitCode::SUCCESS,
        End::PlatformGone => ExitCode::FAILURE,
    }
}
