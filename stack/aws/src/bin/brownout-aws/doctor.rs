//! The account's part of `brownout doctor`: it checks the account and names a fix for each problem.
//! It changes nothing.

use std::time::Duration;

use aws::account::Account;
use aws::attach::{Step, preview};
use aws::marker::Run;
use aws::targets::deployed;
use aws::{Lambda, Patience, canary};
use faults::plan::READ_EVERY;
use protocol::{AwsPlan, Finding, Via, chain};

use crate::{COULD_NOT_RUN, account};

/// The largest accepted clock difference: ledgers are read from this machine's time on.
const CLOCK_OFF: Duration = Duration::from_secs(5);

/// GetParameter calls a second that an account has in a Region, unless its throughput was raised. Source: AWS General Reference, "AWS Systems
/// Manager endpoints and quotas".
const PARAMETER_READS: f64 = 40.0;

const RIGHTS: &str = "`brownout export iam-policy` writes the rights that are needed";

/// A stand-in for the run's name.
const RUN: &str = "doctor";

/// Prints the findings; the exit code is 2 if a check fails.
pub async fn doctor(plan: &AwsPlan) -> u8 {
    let mut findings = Vec::new();
    look(plan, &mut findings).await;
    findings.iter().for_each(|finding| say!("{finding}"));
    if findings.iter().any(Finding::is_fail) { COULD_NOT_RUN } else { 0 }
}

async fn look(plan: &AwsPlan, findings: &mut Vec<Finding>) {
    let experiment = &plan.experiment;
    let config = aws::config(Some(&experiment.layer.region)).await;
    if let Err(error) = aws::credentials(&config).await {
        let cure = "`aws sso login`, AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned();
        return findings.push(Finding::Fail { what: format!("no credentials: {error}"), cure });
    }
    findings.push(Finding::Ok(format!("credentials; Region {}, account {}", experiment.layer.region, experiment.layer.account)));
    let lambda = Lambda::new(&config, Patience::brief());
    findings.push(match account::allowed(&lambda, plan, false).await {
        Ok(()) => Finding::Ok("every function carries the tag that allows this".to_owned()),
        Err(error) => Finding::Fail { what: error.to_string(), cure: "ask the functions' owners".to_owned() },
    });
    match lambda.account().await {
        Ok(account) => findings.extend([clock(&account), at_once(plan, &account)].into_iter().flatten()),
        Err(error) => findings.push(Finding::Fail { what: chain(&error), cure: RIGHTS.to_owned() }),
    }
    findings.push(reads(plan));
    let wishes = Run::try_from(RUN.to_owned()).and_then(|run| account::wishes(plan, &run, Via::Plan));
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

/// Compares the concurrency limit with the worst case, in which every invocation runs until its
/// timeout.
fn at_once(plan: &AwsPlan, account: &Account) -> Option<Finding> {
    let most = account.at_once?;
    let longest = plan.experiment.functions.iter().map(|function| function.timeout).max()?;
    let needed = (plan.rate * longest.as_secs_f64()).ceil();
    let what = format!("{needed} invocations at once at the worst, and the account has {most} that nobody reserved");
    Some(if needed <= f64::from(most) {
        Finding::Ok(what)
    } else {
        Finding::Fail { what, cure: "lower the rate, or ask for more in Service Quotas: others would be throttled".to_owned() }
    })
}

/// Compares the environments' reads of the plan with the quota of Systems Manager. The number of
/// environments is known only in the worst case.
fn reads(plan: &AwsPlan) -> Finding {
    let rate = plan.rate;
    let worst: f64 = plan.experiment.functions.iter().map(|function| (rate * function.timeout.as_secs_f64()).ceil().max(1.0)).sum();
    let fit = (PARAMETER_READS * READ_EVERY.as_secs_f64() * 0.875).floor();
    let quota = format!("the account's {PARAMETER_READS} reads of a parameter a second are those of {fit} environments that run");
    Finding::Ok(if worst <= fit {
        format!("{quota}, and this traffic keeps {worst} at the worst; what other callers keep comes on top")
    } else {
        format!(
            "{quota}; how many will run is not known here (this traffic keeps {worst} at the worst, other callers' comes on top): where more do, \
             raise the throughput of Parameter Store, since throttled environments see strikes and calms late"
        )
    })
}

/// Checks all that an attach checks: layers, wrapper, size of variables, code signing, state,
/// locks.
async fn function(lambda: &Lambda, wished: &deployed::Function) -> Result<Vec<Finding>, String> {
    let (_, step) = preview(lambda, &wished.arn, &wished.wish).await.map_err(|error| chain(&error))?;
    Ok(match step {
        Step::Refuse(complaints) => {
            let fail = |complaint| Finding::of_error(&format!("`{}`: {complaint}", wished.name), "see `brownout plan`");
            complaints.iter().map(fail).collect()
        }
        _ => vec![attachable(lambda, wished).await],
    })
}

/// If callers use an alias, checks that it can be shared.
async fn attachable(lambda: &Lambda, wished: &deployed::Function) -> Finding {
    let shared = match &wished.wish.alias {
        Some(alias) => canary::preview(lambda, &wished.arn, alias).await,
        None => Ok(()),
    };
    match shared {
        Ok(()) => Finding::Ok(format!("`{}` can be attached to", wished.name)),
        Err(error) => Finding::of_error(&format!("`{}`: {}", wished.name, chain(&error)), RIGHTS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_of_the_plan_are_compared_with_the_quota_if_they_are_known() {
        let said = |rate| match reads(&AwsPlan { rate, ..crate::tests::plan() }) {
            Finding::Ok(what) => what,
            Finding::Fail { .. } => panic!("it is nothing wrong"),
        };
        assert!(said(3.0).contains("those of 59 environments") && said(3.0).contains("at the worst; what other callers"), "{}", said(3.0));
        assert!(said(1_000.0).contains("is not known here"), "{}", said(1_000.0));
    }
}
