//! `brownout doctor`: looks at this machine, and at the account of an experiment with `[aws]`, and says for each thing that is wrong what cures it.
//! It changes and builds nothing.

use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws::account::Account;
use aws::attach::{Step, preview};
use aws::canary;
use aws::marker::Run;
use aws::{Lambda, Patience};
use engine::Plan;
use faults::plan::READ_EVERY;
use rustix::process::{Resource, getrlimit};
use scenarios::systems;
use stack::targets::deployed;

use crate::{artifacts, aws_account, chain, check};

/// One connection for each user of the generator, and a few for each environment.
const DESCRIPTORS: u64 = 4096;

/// The generator has one to itself, the stack another.
const CORES: usize = 2;

/// Journeys a second that a core carries, the stack included: 1,000/s were measured on two (`benches/FIGURES.md`).
const JOURNEYS_A_CORE: f64 = 500.0;

/// The stack's own services, and an environment's runtime API for each function twice.
const PORTS: usize = 64;

/// Lines of a ledger are asked for from the time on that this machine has.
const CLOCK_OFF: Duration = Duration::from_secs(5);

/// GetParameter calls a second that an account has in a Region, unless its throughput was raised. Source: AWS General Reference, "AWS Systems
/// Manager endpoints and quotas".
const PARAMETER_READS: f64 = 40.0;

const RIGHTS: &str = "`brownout export iam-policy` writes the rights that are needed";

/// A name that stands for a run's own.
const RUN: &str = "doctor";

/// What was found of one thing.
enum Finding {
    /// It is as it should be.
    Ok(String),
    /// It is not.
    Fail {
        /// What was found.
        what: String,
        /// What would do.
        cure: String,
    },
}

/// Looks, and says what it found; the exit code is 2 where something is wrong.
///
/// # Errors
/// Where the experiment cannot be read.
pub fn doctor(experiment: Option<&str>) -> Result<u8, Box<dyn Error>> {
    let plan = match experiment.map(check::read).transpose() {
        Ok(plan) => plan,
        Err(complaints) => {
            eprint!("{complaints}");
            return Ok(crate::COULD_NOT_RUN);
        }
    };
    let mut findings = machine(plan.as_ref());
    if let (Some(wanted), Some(plan)) = (experiment, &plan) {
        findings.push(Finding::Ok(format!("`{wanted}` is an experiment")));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(account(plan, &mut findings));
    }
    let mut code = 0;
    for finding in findings {
        match finding {
            Finding::Ok(what) => println!("ok    {what}"),
            Finding::Fail { what, cure } => {
                println!("FAIL  {what}\n      {cure}");
                code = crate::COULD_NOT_RUN;
            }
        }
    }
    Ok(code)
}

/// What a run needs of this machine; without an experiment, a run of the systems that come with brownout.
fn machine(plan: Option<&Plan>) -> Vec<Finding> {
    let available = std::thread::available_parallelism().map_or(1, usize::from);
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let mut findings = vec![cores(available, plan.map_or(0.0, Plan::intended_rate)), descriptors(limit)];
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
        Some(plan) => artifacts::look(plan.systems.iter().map(|system| system.system())),
        None => artifacts::look(systems::ALL),
    };
    match found {
        Ok(found) => Finding::Ok(format!("the functions and the extension are in `{}`", found.folder.display())),
        Err(error) => {
            let text = error.to_string();
            let (what, cure) = text.split_once("; ").unwrap_or((&text, "run `cargo build --release --workspace --bins`"));
            Finding::Fail { what: what.to_owned(), cure: cure.to_owned() }
        }
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

async fn account(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(experiment) = plan.for_aws() else { return };
    let config = aws::config(Some(&experiment.layer.region)).await;
    if let Err(error) = aws::credentials(&config).await {
        let cure = "`aws sso login`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
        return findings.push(Finding::Fail { what: format!("no credentials: {error}"), cure });
    }
    findings.push(Finding::Ok(format!("credentials; Region {}, account {}", experiment.layer.region, experiment.layer.account)));
    let lambda = Lambda::new(&config, Patience::brief());
    findings.push(match aws_account::allowed(&lambda, plan, false).await {
        Ok(()) => Finding::Ok("every function carries the tag that allows this".to_owned()),
        Err(error) => Finding::Fail { what: error.to_string(), cure: "ask the functions' owners".to_owned() },
    });
    match lambda.account().await {
        Ok(account) => findings.extend([clock(&account), at_once(plan, &account)].into_iter().flatten()),
        Err(error) => findings.push(Finding::Fail { what: chain(&error), cure: RIGHTS.to_owned() }),
    }
    findings.extend(reads(plan));
    let wishes = Run::try_from(RUN.to_owned()).and_then(|run| aws_account::wishes(plan, &run));
    for wished in wishes.unwrap_or_default() {
        let found = function(&lambda, &wished).await;
        findings.extend(found.unwrap_or_else(|error| {
            vec![Finding::Fail { what: format!("`{}` cannot be read: {error}", wished.name), cure: RIGHTS.to_owned() }]
        }));
    }
}

fn clock(account: &Account) -> Option<Finding> {
    let off = account.clock_off?;
    let what = format!("this machine's clock is {} s from AWS's", off.as_secs());
    Some(if off <= CLOCK_OFF {
        Finding::Ok(what)
    } else {
        Finding::Fail { what, cure: "set it (NTP): what the ledgers say would be missed".to_owned() }
    })
}

/// At the worst every invocation takes all the time that its function has.
fn at_once(plan: &Plan, account: &Account) -> Option<Finding> {
    let most = account.at_once?;
    let longest = plan.deployed.as_ref()?.functions.iter().map(|function| function.timeout).max()?;
    let needed = (plan.intended_rate() * longest.as_secs_f64()).ceil();
    let what = format!("{needed} invocations at once at the worst, and the account has {most} that nobody reserved");
    Some(if needed <= f64::from(most) {
        Finding::Ok(what)
    } else {
        Finding::Fail { what, cure: "lower the rate, or ask for more in Service Quotas: others would be throttled".to_owned() }
    })
}

/// What the environments ask of Systems Manager while a plan is in force. How many there will be is known only where even the worst case fits.
fn reads(plan: &Plan) -> Option<Finding> {
    let rate = plan.intended_rate();
    let worst: f64 = plan.deployed.as_ref()?.functions.iter().map(|function| (rate * function.timeout.as_secs_f64()).ceil().max(1.0)).sum();
    let fit = (PARAMETER_READS * READ_EVERY.as_secs_f64() * 0.875).floor();
    let quota = format!("the account's {PARAMETER_READS} reads of a parameter a second are those of {fit} environments that run");
    Some(Finding::Ok(if worst <= fit {
        format!("{quota}, and this traffic keeps {worst} at the worst; what other callers keep comes on top")
    } else {
        format!(
            "{quota}; how many will run is not known here (this traffic keeps {worst} at the worst, other callers' comes on top): where more do, \
             raise the throughput of Parameter Store, since throttled environments see strikes and calms late"
        )
    }))
}

/// Layers, wrapper, size of variables, code signing, state, locks: all that an attach looks at.
async fn function(lambda: &Lambda, wished: &deployed::Function) -> Result<Vec<Finding>, String> {
    let (_, step) = preview(lambda, &wished.arn, &wished.wish).await.map_err(|error| chain(&error))?;
    Ok(match step {
        Step::Refuse(complaints) => {
            let fail = |complaint: aws::attach::Complaint| {
                let text = complaint.to_string();
                let (what, cure) = text.split_once("; ").unwrap_or((&text, "see `brownout plan`"));
                Finding::Fail { what: format!("`{}`: {what}", wished.name), cure: cure.to_owned() }
            };
            complaints.into_iter().map(fail).collect()
        }
        _ => vec![attachable(lambda, wished).await],
    })
}

/// Where callers use an alias, that it can be shared.
async fn attachable(lambda: &Lambda, wished: &deployed::Function) -> Finding {
    let shared = match &wished.wish.alias {
        Some(alias) => canary::preview(lambda, &wished.arn, alias).await,
        None => Ok(()),
    };
    match shared {
        Ok(()) => Finding::Ok(format!("`{}` can be attached to", wished.name)),
        Err(error) => {
            let text = chain(&error);
            let (what, cure) = text.split_once("; ").unwrap_or((&text, RIGHTS));
            Finding::Fail { what: format!("`{}`: {what}", wished.name), cure: cure.to_owned() }
        }
    }
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
    fn what_a_local_run_lacks_is_said_with_its_cure() {
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
    fn reads_of_the_plan_are_compared_with_the_quota_as_far_as_they_are_known() {
        let plan = |rate: u32| {
            let text = include_str!("../docs/examples/orders.toml");
            let line = text.lines().find(|line| line.starts_with("rate = ")).unwrap();
            engine::check::check("orders", &text.replacen(line, &format!("rate = \"{rate}/s\""), 1)).unwrap()
        };
        let said = |rate| match reads(&plan(rate)) {
            Some(Finding::Ok(what)) => what,
            _ => panic!("no finding"),
        };
        assert!(said(3).contains("those of 59 environments") && said(3).contains("at the worst; what other callers"), "{}", said(3));
        assert!(said(1_000).contains("is not known here"), "{}", said(1_000));
    }

    #[test]
    fn what_is_as_it_should_be_is_ok() {
        assert!([cores(2, 1_000.0), descriptors(4096)].iter().all(|finding| failing(finding).is_none()));
        assert!(interpreters(|_| None).is_empty());
    }
}
