//! Checks a template's declarations against each other: each queue and topic that is named must
//! exist, and so must everything that the seed fills.

use std::collections::BTreeSet;

use run_folder::deployment::Seed;

use template::blueprint::{Blueprint, Machine};
use template::integrations::{Needs, needs};

/// Everything that is named but not declared.
#[derive(Debug, thiserror::Error)]
#[error("the stack does not fit together: {}", .0.join("; "))]
pub struct Dangling(Vec<String>);

/// Checks the declarations.
///
/// # Errors
/// If a name is used that is not declared.
pub fn check(blueprint: &Blueprint, seed: &Seed) -> Result<(), Dangling> {
    let queues: BTreeSet<&str> = blueprint.queues.iter().map(|it| it.name.as_str()).collect();
    let topics: BTreeSet<&str> = blueprint.topics.iter().map(|it| it.name.as_str()).collect();
    let redrives =
        blueprint.queues.iter().filter_map(|it| Some((format!("the redrive of queue `{}`", it.name), it.redrive.as_ref()?.to.as_str())));
    let notifies =
        blueprint.buckets.iter().flat_map(|it| it.notifies.iter().map(move |to| (format!("the bucket `{}`", it.name), to.to.name())));
    let measured = blueprint.alarms.iter().map(|it| (format!("the alarm `{}`", it.name), it.queue.as_str()));
    let told = blueprint.alarms.iter().filter_map(|it| Some((format!("the alarm `{}`", it.name), it.tells.as_deref()?)));
    let needed: Vec<(String, Needs)> = blueprint.machines.iter().flat_map(needs_of).collect();
    let sent =
        needed.iter().filter_map(|(who, need)| if let Needs::Queue(url) = need { Some((who.clone(), last(url, '/'))) } else { None });
    let published =
        needed.iter().filter_map(|(who, need)| if let Needs::Topic(arn) = need { Some((who.clone(), last(arn, ':'))) } else { None });
    let no_queue = redrives.chain(notifies).chain(measured).chain(sent).filter(|(_, name)| !queues.contains(name));
    let no_topic = told.chain(published).filter(|(_, name)| !topics.contains(name));
    let mut complaints: Vec<String> = no_queue.map(|(who, name)| format!("{who} names the queue `{name}`, which is not there")).collect();
    complaints.extend(no_topic.map(|(who, name)| format!("{who} names the topic `{name}`, which is not there")));
    complaints.extend(seeded(seed, blueprint));
    if complaints.is_empty() { Ok(()) } else { Err(Dangling(complaints)) }
}

/// What the seed fills that does not exist.
fn seeded(seed: &Seed, blueprint: &Blueprint) -> Vec<String> {
    let table = |name: &String| !blueprint.tables.iter().any(|it| it.name == *name);
    let pool = |name: &String| !blueprint.pools.iter().any(|it| it.name == *name);
    let store = |id: &String| !blueprint.policy_stores.contains(id);
    let tables = seed.rows.keys().filter(|name| table(name)).map(|name| format!("the table `{name}`"));
    let pools = seed.users.keys().filter(|name| pool(name)).map(|name| format!("the user pool `{name}`"));
    let stores = seed.policies.keys().filter(|id| store(id)).map(|id| format!("the policy store `{id}`"));
    tables.chain(pools).chain(stores).map(|what| format!("the seed fills {what}, which no template declares")).collect()
}

fn needs_of(machine: &Machine) -> impl Iterator<Item = (String, Needs)> {
    needs(&machine.definition).into_iter().map(|(state, need)| (format!("the state `{state}` of `{}`", machine.name), need))
}

fn last(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use template::blueprint::{Alarm, Bucket, MachineKind, Metric, Notification, Queue, Redrive, Topic};

    fn machine() -> Machine {
        let task = |resource: &str, key: &str, name: &str, rest: &str, next: serde_json::Value| {
            let mut task = serde_json::json!({"Type": "Task", "Resource": resource, "Parameters": {key: name, rest: "m"}});
            if next.is_null() {
                task["End"] = true.into()
            } else {
                task["Next"] = next
            }
            task
        };
        let send = task("arn:aws:states:::sqs:sendMessage", "QueueUrl", "http://h/1/letters", "MessageBody", "P".into());
        let publish =
            task("arn:aws:states:::sns:publish", "TopicArn", "arn:aws:sns:us-east-1:1:notices", "Message", serde_json::Value::Null);
        let definition = serde_json::json!({"StartAt": "S", "States": {"S": send, "P": publish}});
        Machine { kind: MachineKind::Standard, name: "m".into(), definition: states::Definition::read(&definition).unwrap() }
    }

    #[test]
    fn every_unknown_name_is_reported() {
        let day = Duration::from_secs(86_400);
        let redrive = Redrive { to: "dead".into(), max_receives: 5 };
        let mut blueprint = Blueprint {
            queues: vec![Queue { redrive: Some(redrive), ..Queue::named("in") }],
            buckets: vec![Bucket { name: "b".into(), notifies: ["in", "q"].map(Notification::created).into(), ..Bucket::default() }],
            alarms: vec![Alarm {
                name: "a".into(),
                queue: "x".into(),
                metric: Metric::Sent,
                period: day,
                inclusive: true,
                threshold: 1.0,
                tells: Some("t".into()),
            }],
            machines: vec![machine()],
            ..Blueprint::default()
        };
        assert_eq!(
            check(&blueprint, &Seed::default()).unwrap_err().to_string(),
            "the stack does not fit together: the redrive of queue `in` names the queue `dead`, which is not there; \
             the bucket `b` names the queue `q`, which is not there; the alarm `a` names the queue `x`, which is not there; \
             the state `S` of `m` names the queue `letters`, which is not there; the alarm `a` names the topic `t`, which is not there; \
             the state `P` of `m` names the topic `notices`, which is not there"
        );
        for name in ["dead", "q", "x", "letters"] {
            blueprint.queues.push(Queue::named(name));
        }
        blueprint.topics.extend(["t", "notices"].map(Topic::named));
        assert!(check(&blueprint, &Seed::default()).is_ok());
    }
}
