//! The states of the alarms that stop an experiment, as CloudWatch tells them. It changes nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::SdkConfig;
use exports::Arn;
use exports::alarms::Alarm;
use serde_json::{Value, json};

use crate::call::CallError;
use crate::endpoints::Service;
use crate::patience::Patience;
use crate::signed::{Call, Signed};

/// The alarms of one experiment.
#[derive(Debug, Clone)]
pub struct Alarms {
    /// `None` without alarms.
    cloudwatch: Option<Signed>,
    patience: Patience,
    names: Vec<String>,
    types: Vec<&'static str>,
}

/// The state of an alarm. Source: Amazon CloudWatch User Guide, "Alarm states".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Its metric is within the threshold.
    Ok,
    /// It is outside.
    Alarm,
    /// It has just started, or there is not enough data.
    InsufficientData,
}

impl State {
    fn read(name: &str) -> Self {
        match name {
            "OK" => Self::Ok,
            "ALARM" => Self::Alarm,
            _ => Self::InsufficientData,
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        })
    }
}

/// The state of each alarm by name.
pub type States = BTreeMap<String, State>;

/// Why an experiment must not begin with these alarms.
#[derive(Debug, thiserror::Error)]
pub enum AlarmError {
    /// They could not be read.
    #[error("the stop alarms cannot be read, so nothing is struck; `brownout export iam-policy` writes the rights that are needed")]
    Call(#[from] CallError),
    /// CloudWatch does not know them.
    #[error("there is no alarm {}, so nothing would stop the experiment; create it, or take it out of `[[aws.alarm]]`", quoted(.0))]
    Missing(Vec<String>),
    /// They are in the state that stops an experiment.
    #[error("alarm {} is already in ALARM, which would stop the experiment at once; wait until it is OK", quoted(.0))]
    Raised(Vec<String>),
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Alarms {
    /// The reader of these alarms. Calls use `config`.
    pub fn new(config: &SdkConfig, patience: Patience, alarms: &[Alarm]) -> Self {
        let arns: Vec<Arn> = alarms.iter().filter_map(|alarm| alarm.arn.parse().ok()).collect();
        // Composite alarms can be read only with a permission for all alarms, so they are asked for
        // only if one may be among these.
        let composite = alarms.iter().any(Alarm::may_be_composite).then_some("CompositeAlarm");
        let types = std::iter::once("MetricAlarm").chain(composite).collect();
        let names = arns.iter().filter_map(|arn| arn.named("cloudwatch", "alarm")).map(str::to_owned).collect();
        let near = |arn: &Arn| {
            let url = Service::CLOUDWATCH.url_in(config, &arn.region, &arn.partition);
            Signed::new(config, Service::CLOUDWATCH, &arn.region, &url)
        };
        Self { cloudwatch: arns.first().map(near), patience, names, types }
    }

    /// The same reader, which tries once.
    #[must_use]
    pub fn at_once(&self) -> Self {
        Self { patience: Patience { total: Duration::ZERO, ..self.patience }, ..self.clone() }
    }

    /// Their states. An alarm that does not exist is not among them. Without alarms, it makes no call.
    ///
    /// # Errors
    /// The error of the last call.
    pub async fn states(&self) -> Result<States, CallError> {
        let Some(cloudwatch) = &self.cloudwatch else { return Ok(States::new()) };
        let call = Call {
            name: "DescribeAlarms",
            of: &self.names.join(", "),
            method: "POST",
            path: "/",
            // CloudWatch's JSON 1.0 protocol. Source: botocore's model of `cloudwatch`.
            headers: vec![
                ("content-type", "application/x-amz-json-1.0".to_owned()),
                ("x-amz-target", "GraniteServiceVersion20100801.DescribeAlarms".to_owned()),
            ],
            body: json!({"AlarmNames": self.names, "AlarmTypes": self.types}),
        };
        let read = self.patience.insist(|| cloudwatch.call(&call)).await?;
        let alarms = ["MetricAlarms", "CompositeAlarms"].into_iter().filter_map(|kind| read.get(kind)?.as_array()).flatten();
        let state = |alarm: &Value| Some((alarm["AlarmName"].as_str()?.to_owned(), State::read(alarm["StateValue"].as_str()?)));
        Ok(alarms.filter_map(state).collect())
    }

    /// Their states, if an experiment may begin.
    ///
    /// # Errors
    /// If one of them cannot be read, does not exist, or is in ALARM.
    pub async fn before(&self) -> Result<States, AlarmError> {
        let states = self.states().await?;
        let missing: Vec<_> = self.names.iter().filter(|name| !states.contains_key(*name)).cloned().collect();
        if !missing.is_empty() {
            return Err(AlarmError::Missing(missing));
        }
        let raised: Vec<_> = states.iter().filter(|(_, state)| **state == State::Alarm).map(|(name, _)| name.clone()).collect();
        if raised.is_empty() { Ok(states) } else { Err(AlarmError::Raised(raised)) }
    }
}

/// What the alarms did: before, during and after.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watched {
    /// Each change, with the time from the start of the experiment.
    changes: Vec<(Duration, String, State)>,
    before: States,
    last: States,
}

impl Watched {
    /// The states before the experiment.
    pub fn since(before: States) -> Self {
        Self { changes: Vec::new(), last: before.clone(), before }
    }

    /// Keeps what has changed since the last look.
    pub fn saw(&mut self, at: Duration, states: &States) {
        for (name, state) in states.iter().filter(|(name, state)| self.last.get(*name) != Some(state)) {
            self.changes.push((at, name.clone(), *state));
        }
        self.last.extend(states.iter().map(|(name, state)| (name.clone(), *state)));
    }

    /// One sentence for each alarm; `after` is the last look, once everything is restored.
    pub fn told(&self, after: &Result<States, CallError>) -> Vec<String> {
        let sentence = |(name, before): (&String, &State)| {
            let changes = self.changes.iter().filter(|(_, of, _)| of == name);
            let changes: String = changes.map(|(at, _, state)| format!(", {state} after {} s", at.as_secs())).collect();
            let during = if changes.is_empty() { ", no other state was seen during it".to_owned() } else { changes };
            let after = match after.as_ref().map(|states| states.get(name)) {
                Ok(Some(state)) => format!("{state} afterwards"),
                Ok(None) => "gone afterwards".to_owned(),
                Err(error) => format!("not readable afterwards ({error})"),
            };
            format!("stop alarm `{name}`: {before} before the experiment{during}, {after}")
        };
        self.before.iter().map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(all: &[(&str, State)]) -> States {
        all.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect()
    }

    #[test]
    fn each_change_of_an_alarm_is_told_once_with_its_time() {
        let mut watched = Watched::since(states(&[("a", State::Ok), ("b", State::InsufficientData)]));
        for (at, state) in [(1, State::Ok), (4, State::Alarm), (5, State::Alarm), (9, State::Ok)] {
            watched.saw(Duration::from_secs(at), &states(&[("a", state), ("b", State::InsufficientData)]));
        }
        let told = watched.told(&Ok(states(&[("a", State::Ok)])));
        assert_eq!(
            told,
            [
                "stop alarm `a`: OK before the experiment, ALARM after 4 s, OK after 9 s, OK afterwards",
                "stop alarm `b`: INSUFFICIENT_DATA before the experiment, no other state was seen during it, gone afterwards",
            ]
        );
    }

    #[test]
    fn the_states_of_cloudwatch_are_parsed_from_their_names() {
        for name in ["OK", "ALARM", "INSUFFICIENT_DATA"] {
            assert_eq!(State::read(name).to_string(), name);
        }
    }
}
