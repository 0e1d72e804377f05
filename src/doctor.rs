//! `brownout doctor`: checks this machine, and the account of an experiment with `[aws]`, and names
//! a fix for each problem. It changes nothing, and builds only the program that calls AWS.

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use engine::Plan;
use protocol::{Finding, Task};
use rustix::process::{Resource, getrlimit};
use scenarios::systems::System;

use crate::cli::OnStack;
use crate::{artifacts, aws_program, aws_stack, check};

/// One connection for each user of the generator, and a few for each environment.
const DESCRIPTORS: u64 = 4096;

/// One for the generator, one for the stack.
const CORES: usize = 2;

/// Journeys a second for each core, including the stack: 1,000/s were measured on two
/// (`benches/FIGURES.md`).
const JOURNEYS_A_CORE: f64 = 500.0;

/// The stack's own services, and two environments' runtime APIs for each function.
const PORTS: usize = 64;

/// Checks and prints the findings; the exit code is 2 if a check fails.
///
/// # Errors
/// If the experiment cannot be read.
pub fn doctor(experiment: Option<&str>, on: &OnStack) -> Result<u8, Box<dyn Error>> {
    let plan = match experiment.map(check::read).transpose() {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::exit::COULD_NOT_RUN);
        }
    };
    let mut findings = machine(plan.as_ref());
    if let Some(wanted) = experiment {
        findings.push(Finding::Ok(format!("`{wanted}` is an experiment")));
    }
    findings.iter().for_each(|finding| page!("{finding}\n"));
    let code = if findings.iter().any(Finding::is_fail) { crate::exit::COULD_NOT_RUN } else { 0 };
    let plan = match plan {
        Some(plan) if on.stack.is_some() => Some(aws_stack::on_aws(plan, on)?),
        plan => plan,
    };
    match plan.and_then(|plan| plan.aws_plan()) {
        Some(plan) => Ok(code.max(aws_program::carry_out(&Task::Doctor(plan))?)),
        None => Ok(code),
    }
}

/// Checks what a run needs from this machine; without an experiment, a run of the systems that come
/// with brownout.
fn machine(plan: Option<&Plan>) -> Vec<Finding> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let mut findings = vec![cores(available, plan.map_or(0.0, |plan| plan.load.arrivals())), descriptors(limit)];
    if plan.is_none_or(|plan| !plan.systems.is_empty()) {
        let bind = |address: &str| TcpListener::bind(address);
        findings.extend([programs(plan), loopback(bind), ports(bind)]);
        findings.extend(interpreters(|name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)));
    }
    findings
}

fn cores(available: usize, rate: f64) -> Finding {
    let needed = CORES.max((rate / JOURNEYS_A_CORE).ceil() as usize);
    let what = if rate > 0.0 { format!("{available} cores for {rate:.0} journeys a second") } else { format!("{available} cores") };
    if available >= needed {
        Finding::Ok(what)
    } else {
        Finding::Fail { what, cure: format!("use a machine with {needed} cores, or lower the rate") }
    }
}

fn descriptors(limit: u64) -> Finding {
    let what = format!("{limit} open files");
    if limit >= DESCRIPTORS {
        Finding::Ok(what)
    } else {
        Finding::Fail { what, cure: format!("run `ulimit -n {DESCRIPTORS}` in this shell") }
    }
}

/// The extension and the functions that a run needs.
fn programs(plan: Option<&Plan>) -> Finding {
    let found = match plan {
        Some(plan) => artifacts::look(plan.systems.iter().copied()),
        None => artifacts::look(System::ALL),
    };
    match found {
        Ok(found) => Finding::Ok(format!("the functions and the extension are in `{}`", found.folder.display())),
        Err(error) => Finding::of_error(&error.to_string(), "run `cargo build --release --workspace --bins`"),
    }
}

/// Each environment's extension listens on the second loopback address.
fn loopback(bind: impl Fn(&str) -> io::Result<TcpListener>) -> Finding {
    match bind("127.0.0.2:0") {
        Ok(_) => Finding::Ok("127.0.0.2 can be listened on".to_owned()),
        Err(error) => Finding::Fail {
            what: format!("127.0.0.2 cannot be listened on: {error}"),
            cure: "let the whole of 127.0.0.0/8 be loopback, as Linux has it".to_owned(),
        },
    }
}

fn ports(bind: impl Fn(&str) -> io::Result<TcpListener>) -> Finding {
    match (0..PORTS).map(|_| bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>() {
        Ok(_) => Finding::Ok(format!("{PORTS} ports of 127.0.0.1 are free")),
        Err(error) => Finding::Fail {
            what: format!("fewer than {PORTS} ports of 127.0.0.1 are free: {error}"),
            cure: "end what holds them (`ss -tlnp`), or widen `net.ipv4.ip_local_port_range`".to_owned(),
        },
    }
}

/// Interpreters of managed runtimes that the environment names.
fn interpreters(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<Finding> {
    let look = |name: &str| {
        let program = variable(name)?;
        let found = if program.components().count() > 1 { program.is_file() } else { is_in_path(&program, variable("PATH")) };
        Some(if found {
            Finding::Ok(format!("`{name}` is `{}`", program.display()))
        } else {
            let what = format!("`{name}` is `{}`, which is not there", program.display());
            Finding::Fail { what, cure: format!("install it, or unset `{name}`") }
        })
    };
    ["BROWNOUT_PYTHON", "BROWNOUT_NODE"].into_iter().filter_map(look).collect()
}

fn is_in_path(program: &Path, path: Option<PathBuf>) -> bool {
    path.is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failing(finding: &Finding) -> Option<(&str, &str)> {
        match finding {
            Finding::Ok(_) => None,
            Finding::Fail { what, cure } => Some((what, cure)),
        }
    }

    #[test]
    fn what_a_local_run_lacks_is_reported_with_a_fix() {
        let refused = |_: &str| Err(io::Error::from(io::ErrorKind::AddrNotAvailable));
        let python = |name: &str| (name == "BROWNOUT_PYTHON").then(|| PathBuf::from("/nowhere/python"));
        for (finding, what, cure) in [
            (cores(1, 0.0), "1 cores", "a machine with 2 cores"),
            (cores(2, 2_000.0), "2 cores for 2000 journeys a second", "a machine with 4 cores, or lower the rate"),
            (descriptors(1024), "1024 open files", "ulimit -n 4096"),
            (loopback(refused), "127.0.0.2 cannot be listened on", "loopback"),
            (ports(refused), "fewer than 64 ports", "ip_local_port_range"),
            (interpreters(python).remove(0), "`BROWNOUT_PYTHON` is `/nowhere/python`, which is not there", "unset `BROWNOUT_PYTHON`"),
        ] {
            let (said, advice) = failing(&finding).unwrap();
            assert!(said.contains(what) && advice.contains(cure), "{said}: {advice}");
        }
    }

    #[test]
    fn a_machine_without_problems_is_ok() {
        assert!([cores(2, 1_000.0), descriptors(4096)].iter().all(|finding| failing(finding).is_none()));
        assert!(interpreters(|_| None).is_empty());
    }
}
