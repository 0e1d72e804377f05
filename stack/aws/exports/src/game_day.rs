//! `export fis-game-day`: one FIS experiment template that carries out several experiments, one after
//! the other, with waits between them. Each experiment's document, faults and automation role come
//! from its own stack, which `export fis` writes; this one has what the day adds.

use std::collections::BTreeSet;
use std::time::Duration;

use faults::Complaint;
use serde_json::{Map, Value, json};

use super::alarms::Alarm;
use super::document::lasts;
use super::experiment::{Experiment, MOST_ALARMS, is_name};
use super::fis::{ACTION, START, max_duration, parameters, role, stops};
use super::policies;
use super::text::{json, yaml};
use super::written::{File, Refused, refused_unless_empty};

/// FIS's limit on the actions of a template: an experiment and the wait before it are two.
const MOST_ACTIONS: usize = 20;
/// FIS's limit on the duration of a wait, and of an experiment.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// FIS's limit on a description, in characters.
const LONGEST_DESCRIPTION: usize = 512;

/// Several experiments, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct GameDay {
    /// Its name, as an experiment has one.
    pub name: String,
    /// The experiments, at least two.
    pub experiments: Vec<Experiment>,
    /// The time between the end of one and the beginning of the next.
    pub wait: Duration,
}

impl GameDay {
    /// Everything that FIS would refuse, in the experiments too.
    pub fn complaints(&self) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        for experiment in &self.experiments {
            let own = experiment.complaints().into_iter().chain(experiment.complaints_of_document());
            complaints.extend(own.map(|complaint| complaint.within(&experiment.name)));
        }
        let mut complain = |key: &str, what: String| complaints.push(Complaint::new(key, what));
        if !is_name(&self.name) {
            complain("name", format!("`{}` is not a name; it has 1 to 32 of `a-z 0-9 -` and begins with a letter", self.name));
        }
        let (count, most) = (self.experiments.len(), MOST_ACTIONS.div_ceil(2));
        if !(2..=most).contains(&count) {
            let what = format!("a game day has 2 to {most} experiments, since FIS takes {MOST_ACTIONS} actions; here are {count}");
            complain("experiments", what);
        }
        let names: BTreeSet<_> = self.experiments.iter().map(|experiment| &experiment.name).collect();
        if names.len() < count {
            complain("experiments", "two have one name, and so one document; rename one".to_owned());
        }
        let homes: BTreeSet<_> = self.experiments.iter().map(|it| (&it.home().partition, &it.home().region, &it.home().account)).collect();
        if homes.len() > 1 {
            complain("experiments", "they are in several accounts or regions; write a game day for each".to_owned());
        }
        if self.wait < Duration::from_secs(60) || self.wait > LONGEST || !self.wait.as_secs().is_multiple_of(60) {
            complain("wait", format!("`{:?}` is not a wait of FIS; it is whole minutes, 1m to 12h", self.wait));
        }
        let alarms = self.alarms().len();
        if alarms > MOST_ALARMS {
            let what = format!("{alarms} alarms in all are more than the {MOST_ALARMS} that FIS takes for a template; split the game day");
            complain("stop", what);
        }
        let longest = self.longest();
        if longest > LONGEST {
            let what =
                format!("it may last {} minutes, and FIS ends an experiment after 12 hours; split it", longest.as_secs().div_ceil(60));
            complain("duration", what);
        }
        complaints
    }

    /// The alarms of all experiments, each once.
    fn alarms(&self) -> Vec<Alarm> {
        let mut all: Vec<Alarm> = Vec::new();
        for alarm in self.experiments.iter().flat_map(|experiment| &experiment.alarms) {
            if all.iter().all(|there| there.arn != alarm.arn) {
                all.push(alarm.clone());
            }
        }
        all
    }

    /// The longest time from the first action's begin to the last one's end.
    fn longest(&self) -> Duration {
        let waits = self.wait.saturating_mul(u32::try_from(self.experiments.len().saturating_sub(1)).unwrap_or(u32::MAX));
        self.experiments.iter().map(|experiment| lasts(experiment.duration)).sum::<Duration>().saturating_add(waits)
    }

    fn named(&self, what: &str) -> String {
        format!("brownout-game-day-{}-{what}", self.name)
    }

    fn log_group(&self) -> String {
        format!("/brownout/game-day/{}", self.name)
    }

    fn description(&self) -> String {
        let names: Vec<_> = self.experiments.iter().map(|experiment| experiment.name.as_str()).collect();
        let alarms = match self.alarms().len() {
            0 => "No alarm stops it.",
            _ => {
                "FIS has stop conditions for a template, not for an action: an alarm of any of them stops the day, also while another one strikes."
            }
        };
        cut(&format!("Game day {}, one after the other: {}. {alarms}", self.name, names.join(", ")))
    }

    /// The actions in the request's keys, or capitalised for CloudFormation.
    fn actions(&self, key: impl Fn(&str) -> String) -> Value {
        let mut actions = Map::new();
        let mut last: Option<String> = None;
        let mut add = |name: &str, id: &str, description: &str, parameters: Value| {
            let name = format!("{:02}-{name}", actions.len() + 1);
            let mut action = Map::new();
            action.insert(key("actionId"), json!(id));
            action.insert(key("description"), json!(cut(description)));
            action.insert(key("parameters"), parameters);
            if let Some(last) = last.replace(name.clone()) {
                action.insert(key("startAfter"), json!([last]));
            }
            actions.insert(name, Value::Object(action));
        };
        for (index, experiment) in self.experiments.iter().enumerate() {
            if index > 0 {
                let wait = json!({"duration": format!("PT{}M", self.wait.as_secs() / 60)});
                add("wait", "aws:fis:wait", "Let the callers recover", wait);
            }
            add(&experiment.name, ACTION, &said(experiment), parameters(experiment, None));
        }
        Value::Object(actions)
    }
}

/// What an action does, with the alarms that its experiment has chosen.
fn said(experiment: &Experiment) -> String {
    let names: Vec<_> = experiment.alarms.iter().filter_map(|alarm| alarm.arn.rsplit(':').next()).collect();
    let alarms = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "{} Stop alarms of this experiment: {alarms}. It ends after {} at the latest.",
        experiment.question,
        max_duration(experiment.duration)
    )
}

/// At most what FIS takes for a description.
fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST_DESCRIPTION).collect()
}

/// `ActionId` for `actionId`.
fn capitalised(key: &str) -> String {
    let (first, rest) = key.split_at_checked(1).unwrap_or((key, ""));
    first.to_ascii_uppercase() + rest
}

/// The files of a game day.
///
/// # Errors
/// If it or one of its experiments has complaints.
pub fn fis_game_day(day: &GameDay) -> Result<Vec<File>, Refused> {
    refused_unless_empty(day.complaints())?;
    // A day without experiments has complaints.
    let Some(first) = day.experiments.first() else { return Ok(Vec::new()) };
    let (trust, policy) = (policies::trust(first, "fis", "experiment/*"), policies::of_fis(&day.experiments));
    Ok(vec![
        File::new("cloudformation.yaml", yaml(&cloudformation(day, &trust, &policy))),
        File::new("experiment-template.json", json(&game_day_template(day))),
        File::new("fis-role-trust.json", json(&trust)),
        File::new("fis-role-policy.json", json(&policy)),
    ])
}

/// The request of FIS's `CreateExperimentTemplate`.
pub fn game_day_template(day: &GameDay) -> Value {
    let Some(home) = day.experiments.first().map(Experiment::home) else { return Value::Null };
    let (name, log) = (day.named("template"), home.beside("logs", format!("log-group:{}:*", day.log_group())));
    json!({
        "clientToken": name,
        "description": day.description(),
        "stopConditions": stops(&day.alarms(), "source", "value"),
        "actions": day.actions(str::to_owned),
        "roleArn": home.role(&day.named("fis")).to_string(),
        "experimentOptions": {"accountTargeting": "single-account"},
        "logConfiguration": {"logSchemaVersion": 2, "cloudWatchLogsConfiguration": {"logGroupArn": log.to_string()}},
        "tags": {"Name": name},
    })
}

fn cloudformation(day: &GameDay, trust: &Value, policy: &Value) -> Value {
    json!({
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": format!("{} Deploy the stack of each experiment first (`brownout export fis`).", day.description()),
        "Resources": {
            "FisRole": role(&day.named("fis"), trust, policy),
            "Log": {
                "Type": "AWS::Logs::LogGroup",
                "DeletionPolicy": "Retain",
                "UpdateReplacePolicy": "Retain",
                "Properties": {"LogGroupName": day.log_group(), "RetentionInDays": 30},
            },
            "Template": {
                "Type": "AWS::FIS::ExperimentTemplate",
                "Properties": {
                    "Description": day.description(),
                    "StopConditions": stops(&day.alarms(), "Source", "Value"),
                    "Targets": {},
                    "Actions": day.actions(capitalised),
                    "RoleArn": {"Fn::GetAtt": ["FisRole", "Arn"]},
                    "ExperimentOptions": {"AccountTargeting": "single-account"},
                    "LogConfiguration": {"LogSchemaVersion": 2, "CloudWatchLogsConfiguration": {"LogGroupArn": {"Fn::GetAtt": ["Log", "Arn"]}}},
                    "Tags": {"Name": day.named("template")},
                },
            },
        },
        "Outputs": {
            "DryRun": {
                "Description": "Looks at everything and strikes nothing",
                "Value": {"Fn::Sub": format!("{START} --experiment-options actionsMode=skip-all")},
            },
            "Run": {"Description": "Strikes, one experiment after the other", "Value": {"Fn::Sub": START}},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::example::{experiment, game_day};
    use super::*;

    #[test]
    fn the_experiments_follow_one_another_with_a_wait_between_them() {
        let template = game_day_template(&game_day());
        let actions = template["actions"].as_object().unwrap();
        let order: Vec<_> = actions.keys().map(String::as_str).collect();
        assert_eq!(order, ["01-slow-authorizer", "02-wait", "03-slow-appointments"]);
        assert_eq!(actions["01-slow-authorizer"].get("startAfter"), None);
        assert_eq!(actions["02-wait"]["startAfter"], json!(["01-slow-authorizer"]));
        assert_eq!(actions["02-wait"]["parameters"], json!({"duration": "PT5M"}));
        assert_eq!(actions["03-slow-appointments"]["startAfter"], json!(["02-wait"]));
    }

    #[test]
    fn the_stop_conditions_are_those_of_all_each_once_and_the_description_says_so() {
        let mut day = game_day();
        let template = game_day_template(&day);
        let alarm = |name: &str| json!({"source": "aws:cloudwatch:alarm", "value": format!("arn:aws:cloudwatch:us-east-1:123456789012:alarm:{name}")});
        assert_eq!(template["stopConditions"], json!([alarm("clinic-latency"), alarm("appointments-latency")]));
        assert!(template["description"].as_str().unwrap().contains("an alarm of any of them stops the day"), "{template}");
        let own = template["actions"]["01-slow-authorizer"]["description"].as_str().unwrap();
        assert!(own.contains("Stop alarms of this experiment: clinic-latency."), "{own}");
        day.experiments.iter_mut().for_each(|experiment| experiment.alarms.clear());
        assert_eq!(game_day_template(&day)["stopConditions"], json!([{"source": "none"}]));
    }

    #[test]
    fn what_fis_would_refuse_is_reported_first() {
        type Change = fn(&mut GameDay);
        let numbered = |day: &mut GameDay, count: usize| {
            day.experiments = (0..count).map(|n| Experiment { name: format!("e{n}"), alarms: Vec::new(), ..experiment() }).collect();
        };
        assert_eq!(game_day().complaints(), []);
        let mut most = game_day();
        numbered(&mut most, 10);
        assert_eq!((most.complaints(), game_day_template(&most)["actions"].as_object().unwrap().len()), (Vec::new(), 19));
        numbered(&mut most, 11);
        assert!(most.complaints()[0].what.contains("2 to 10 experiments"));
        let cases: [(&str, Change); 8] = [
            ("is not a name", |day| day.name = "Day".into()),
            ("2 to 10 experiments", |day| day.experiments.truncate(1)),
            ("two have one name", |day| day.experiments[1].name = day.experiments[0].name.clone()),
            ("several accounts", |day| day.experiments[1].functions.iter_mut().for_each(|f| f.arn.account = "210987654321".into())),
            ("whole minutes", |day| day.wait = Duration::from_secs(90)),
            ("more than the 5", |day| {
                let alarm = day.experiments[0].alarms[0].clone();
                let more = (0..5).map(|n| Alarm { arn: format!("{}-{n}", alarm.arn), ..alarm.clone() });
                day.experiments[0].alarms = more.collect();
            }),
            ("after 12 hours", |day| day.wait = LONGEST),
            ("outside 1s to 45m", |day| day.experiments[1].duration = Duration::ZERO),
        ];
        for (expected, change) in cases {
            let mut day = game_day();
            change(&mut day);
            let found: String = day.complaints().iter().map(|complaint| format!("{complaint}\n")).collect();
            assert!(found.contains(expected), "{expected}: {found}");
            assert!(fis_game_day(&day).is_err(), "{expected}");
        }
    }
}
