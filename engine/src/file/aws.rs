//! Functions that are deployed on AWS, as they were written.

use faults::{Share, Trigger, time::Time};
use schemars::JsonSchema;
use serde::Deserialize;

/// How an experiment runs on AWS, in one account and Region: by the name of a stack, with the same systems as on this machine, or on functions by
/// their ARNs, with requests in place of `systems`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Aws {
    /// The CloudFormation stack that the `systems` are deployed in; `--stack` names another. Without it the functions are named by their ARNs.
    pub stack: Option<String>,
    /// The version of brownout's layer that is attached, by its ARN; with a `stack`, the newest one in the account unless it is given.
    pub layer: Option<String>,
    /// The tag by which a team allows that a function is struck, `key=value`; each function must carry it. `brownout=allowed` unless it is given.
    #[serde(default = "allowed")]
    pub tag: String,
    /// How late CloudWatch Logs may be with what the extensions write; `30s` unless it is given, `1s` to `5m`. The baseline lasts twice as long.
    #[serde(default = "half_a_minute")]
    pub ledger_lag: Time,
    /// How long AWS FIS may take from its start until the faults are in force, where it drives the experiment; `2m` unless it is given, `5s` to `5m`.
    /// Traffic flows meanwhile and is not recorded.
    #[serde(default = "two_minutes")]
    pub fis_lead: Time,
    /// The share of an alias's calls that goes to the version with the layer, of functions that name an alias; `0.1` unless it is given.
    #[serde(default = "a_tenth")]
    pub alias_share: Share,
    /// How long a version with the layer is kept once its alias has let it go, until no call comes to it any more; `60s` unless it is given, up to
    /// `5m`.
    #[serde(default = "a_minute")]
    pub alias_grace: Time,
    /// The functions that may be touched, where no `stack` is named; no other is.
    #[serde(default)]
    pub function: Vec<DeployedFunction>,
    /// Alarms of CloudWatch that end the experiment where FIS drives it.
    #[serde(default)]
    pub alarm: Vec<StopAlarm>,
}

fn half_a_minute() -> Time {
    Time::from(std::time::Duration::from_secs(30))
}

fn a_tenth() -> Share {
    Share::try_from(0.1).unwrap_or(Share::ALL)
}

fn a_minute() -> Time {
    Time::from(std::time::Duration::from_secs(60))
}

fn two_minutes() -> Time {
    Time::from(std::time::Duration::from_secs(120))
}

fn allowed() -> String {
    "brownout=allowed".to_owned()
}

/// A function that is deployed. Faults name it by the last part of its ARN.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeployedFunction {
    /// Its ARN, without a version or an alias.
    pub arn: String,
    /// The role that it runs as, by its ARN: it needs leave to read the plan.
    pub role: String,
    /// What invokes it; anything unless it is given.
    #[serde(default)]
    pub triggers: Vec<Trigger>,
    /// Its timeout; `3s` unless it is given.
    #[serde(default = "three_seconds")]
    pub timeout: Time,
    /// The layers that it has without ours, by their ARNs. For `export` only; `run` reads them.
    #[serde(default)]
    pub layers: Vec<String>,
    /// The alias that its callers use, where they use one: a version with the layer is published and gets a share of the alias's calls. Without it
    /// `$LATEST` is attached to.
    pub alias: Option<String>,
    /// The log group that it writes to, where that is not `/aws/lambda/` and its name: for `export` only; `run` reads it.
    pub log_group: Option<String>,
    /// The key that encrypts its variables, by its ARN, where that is the account's own.
    pub key: Option<String>,
}

fn three_seconds() -> Time {
    Time::from(std::time::Duration::from_secs(3))
}

/// An alarm of CloudWatch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StopAlarm {
    /// Its ARN.
    pub arn: String,
    /// Namespace and name of its metric, such as `AWS/Lambda Errors`: one that no fault of the experiment can move is refused.
    pub metric: String,
    /// The function that its dimension `FunctionName` names, where it has one.
    pub function: Option<String>,
}
