//! `brownout doctor`: looks at this machine, and at the account of an experiment with `[aws]`, and says for each thing that is wrong what cures it.
//! It changes nothing.

use std::error::Error;
use std::net::TcpListener;
use std::time::Duration;

use aws::account::Account;
use aws::attach::{Step, preview};
use aws::marker::Run;
use aws::{Lambda, Patience};
use rustix::process::{Resource, getrlimit};
use stack::targets::deployed;

use crate::experiment::Plan;
use crate::{aws_account, chain, check};

/// One connection for each user of the generator, and a few for each environment.
const DESCRIPTORS: u64 = 4096;

/// The generator has one to itself, the stack another.
const CORES: usize = 2;

/// Lines of a ledger are asked for from the time on that this machine has.
const CLOCK_OFF: Duration = Duration::from_secs(5);

const RIGHTS: &str = "`brownout export iam-policy` writes the rights that are needed";

/// A name that stands for a run's own.
const RUN: &str = "doctor";

/// What was found of one thing.
enum Finding {
    /// It is as it should be.
    Well(String),
    /// It is not.
    Ill {
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
    let mut findings = vec![cores(), descriptors(), loopback()];
    if let Some(wanted) = experiment {
        match check::read(wanted) {
            Ok(plan) => {
                findings.push(Finding::Well(format!("`{wanted}` is an experiment")));
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(account(&plan, &mut findings));
            }
            Err(complaints) => {
                eprint!("{complaints}");
                return Ok(crate::COULD_NOT_RUN);
            }
        }
    }
    let mut code = 0;
    for finding in findings {
        match finding {
            Finding::Well(what) => println!("well  {what}"),
            Finding::Ill { what, cure } => {
                println!("ill   {what}\n      {cure}");
                code = crate::COULD_NOT_RUN;
            }
        }
    }
    Ok(code)
}

fn cores() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let what = format!("{cores} cores");
    if cores >= CORES {
        Finding::Well(what)
    } else {
        Finding::Ill { what, cure: format!("take a machine with {CORES}: one sends, one serves") }
    }
}

fn descriptors() -> Finding {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let what = format!("{limit} open files");
    if limit >= DESCRIPTORS { Finding::Well(what) } else { Finding::Ill { what, cure: format!("`ulimit -n {DESCRIPTORS}` in this shell") } }
}

/// Each environment's extension listens on the second loopback address.
fn loopback() -> Finding {
    match TcpListener::bind("127.0.0.2:0") {
        Ok(_) => Finding::Well("127.0.0.2 can be listened on".to_owned()),
        Err(error) => Finding::Ill {
            what: format!("127.0.0.2 cannot be listened on: {error}"),
            cure: "let the whole of 127.0.0.0/8 be loopback, as Linux has it".to_owned(),
        },
    }
}

async fn account(plan: &Plan, findings: &mut Vec<Finding>) {
    let Some(experiment) = plan.for_aws() else { return };
    let config = aws::config(Some(&experiment.layer.region)).await;
    if let Err(error) = aws::credentials(&config).await {
        let cure = "`aws sso login`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
        return findings.push(Finding::Ill { what: format!("no credentials: {error}"), cure });
    }
    findings.push(Finding::Well(format!("credentials; Region {}, account {}", experiment.layer.region, experiment.layer.account)));
    let lambda = Lambda::new(&config, Patience::brief());
    findings.push(match aws_account::allowed(&lambda, plan, false).await {
        Ok(()) => Finding::Well("every function carries the tag that allows this".to_owned()),
        Err(error) => Finding::Ill { what: error.to_string(), cure: "ask the functions' owners".to_owned() },
    });
    match lambda.account().await {
        Ok(account) => findings.extend([clock(&account), at_once(plan, &account)].into_iter().flatten()),
        Err(error) => findings.push(Finding::Ill { what: chain(&error), cure: RIGHTS.to_owned() }),
    }
    let wishes = Run::try_from(RUN.to_owned()).and_then(|run| aws_account::wishes(plan, &run));
    for wished in wishes.unwrap_or_default() {
        let found = function(&lambda, &wished).await;
        findings.extend(found.unwrap_or_else(|error| {
            vec![Finding::Ill { what: format!("`{}` cannot be read: {error}", wished.name), cure: RIGHTS.to_owned() }]
        }));
    }
}

fn clock(account: &Account) -> Option<Finding> {
    let off = account.clock_off?;
    let what = format!("this machine's clock is {} s from AWS's", off.as_secs());
    Some(if off <= CLOCK_OFF {
        Finding::Well(what)
    } else {
        Finding::Ill { what, cure: "set it (NTP): what the ledgers say would be missed".to_owned() }
    })
}

/// At the worst every invocation takes all the time that its function has.
fn at_once(plan: &Plan, account: &Account) -> Option<Finding> {
    let most = account.at_once?;
    let longest = plan.deployed.as_ref()?.functions.iter().map(|function| function.timeout).max()?;
    let needed = (plan.intended_rate() * longest.as_secs_f64()).ceil();
    let what = format!("{needed} invocations at once at the worst, and the account has {most} that nobody reserved");
    Some(if needed <= f64::from(most) {
        Finding::Well(what)
    } else {
        Finding::Ill { what, cure: "lower the rate, or ask for more in Service Quotas: others would be throttled".to_owned() }
    })
}

/// Layers, wrapper, size of variables, code signing, state, locks: all that an attach looks at.
async fn function(lambda: &Lambda, wished: &deployed::Function) -> Result<Vec<Finding>, String> {
    let (_, step) = preview(lambda, &wished.arn, &wished.wish).await.map_err(|error| chain(&error))?;
    Ok(match step {
        Step::Refuse(complaints) => {
            let ill = |complaint: aws::attach::Complaint| {
                let text = complaint.to_string();
                let (what, cure) = text.split_once("; ").unwrap_or((&text, "see `brownout plan`"));
                Finding::Ill { what: format!("`{}`: {what}", wished.name), cure: cure.to_owned() }
            };
            complaints.into_iter().map(ill).collect()
        }
        _ => vec![Finding::Well(format!("`{}` can be attached to", wished.name))],
    })
}
