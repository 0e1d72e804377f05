//! Checks a template's declarations against each other: each queue, topic, bus, bucket and state
//! machine that is named must exist and fit, and so must everything that the seed fills.

use std::collections::BTreeSet;

use run_folder::deployment::Seed;

use template::blueprint::{Blueprint, Machine, Target};
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
    let told = told(blueprint);
    let notified = |which: fn(&Target) -> bool| {
        told.iter().filter(move |(_, to)| which(to)).map(|(who, to)| (who.clone(), to.name())).collect::<Vec<_>>()
    };
    let measured = blueprint.alarms.iter().map(|it| (format!("the alarm `{}`", it.name), it.queue.as_str()));
    let rung = blueprint.alarms.iter().filter_map(|it| Some((format!("the alarm `{}`", it.name), it.tells.as_deref()?)));
    let needed: Vec<(String, Needs)> = blueprint.machines.iter().flat_map(needs_of).collect();
    let sent =
        needed.iter().filter_map(|(who, need)| if let Needs::Queue(url) = need { Some((who.clone(), last(url, '/'))) } else { None });
    let published =
        needed.iter().filter_map(|(who, need)| if let Needs::Topic(arn) = need { Some((who.clone(), last(arn, ':'))) } else { None });
    let of_queues = notified(|to| matches!(to, Target::Queue(_)));
    let no_queue = redrives.chain(of_queues).chain(measured).chain(sent).filter(|(_, name)| !queues.contains(name));
    let of_topics = notified(|to| matches!(to, Target::Topic(_)));
    let no_topic = rung.chain(published).chain(of_topics).filter(|(_, name)| !topics.contains(name));
    let mut complaints: Vec<String> = no_queue.map(|(who, name)| format!("{who} names the queue `{name}`, which is not there")).collect();
    complaints.extend(no_topic.map(|(who, name)| format!("{who} names the topic `{name}`, which is not there")));
    for (who, to) in told.iter().filter(|(_, to)| !exists(blueprint, to)) {
        complaints.push(format!("{who} names {to:?}, which is not there"));
    }
    complaints.extend(unordered(blueprint));
    complaints.extend(seeded(seed, blueprint));
    if complaints.is_empty() { Ok(()) } else { Err(Dangling(complaints)) }
}

/// The receivers of notifications, subscriptions and rules, each with who names it.
fn told(blueprint: &Blueprint) -> Vec<(String, Target)> {
    let of_buckets =
        blueprint.buckets.iter().flat_map(|it| it.notifies.iter().map(move |to| (format!("the bucket `{}`", it.name), to.to.clone())));
    let of_topics = blueprint.subscriptions.iter().flat_map(|it| {
        let dead = it.dead_letters.clone().map(Target::Queue);
        [Some(Target::Topic(it.topic.clone())), Some(it.to.clone()), dead]
            .into_iter()
            .flatten()
            .map(move |to| (format!("a subscription of `{}`", it.topic), to))
    });
    let of_rules = blueprint.rules.iter().flat_map(|rule| {
        let named = rule.targets.iter().flat_map(|it| [Some(it.to.clone()), it.dead_letters.clone().map(Target::Queue)]);
        named.flatten().map(move |to| (format!("the rule `{}`", rule.name), to))
    });
    of_buckets.chain(of_topics).chain(of_rules).collect()
}

/// Whether a receiver is there. Queues and topics are checked with all that names them, functions
/// by the platform.
fn exists(blueprint: &Blueprint, to: &Target) -> bool {
    match to {
        Target::Function(_) | Target::Queue(_) | Target::Topic(_) => true,
        Target::Bus(name) => name == "default" || blueprint.buses.iter().any(|it| it.name == *name),
        Target::Bucket(name) => blueprint.buckets.iter().any(|it| it.name == *name),
        Target::DataStream(name) => blueprint.data_streams.iter().any(|it| it.name == *name),
        Target::Machine(name) => blueprint.machines.iter().any(|it| it.name == *name),
    }
}

/// What AWS refuses because one side is first in, first out and the other is not. Sources: Amazon
/// SQS developer guide, "Using dead-letter queues"; Amazon S3 user guide, "Supported event
/// destinations"; Amazon SNS developer guide, "Message delivery for FIFO topics".
fn unordered(blueprint: &Blueprint) -> Vec<String> {
    let is_ordered = |name: &str| blueprint.queues.iter().find(|it| it.name == name).map(|it| it.fifo.is_some());
    let mut complaints = Vec::new();
    let named =
        blueprint.queues.iter().map(|it| (&it.name, it.fifo.is_some())).chain(blueprint.topics.iter().map(|it| (&it.name, it.fifo)));
    for (name, ordered) in named.filter(|(name, ordered)| name.ends_with(".fifo") != *ordered) {
        let what = if ordered { "must end" } else { "must not end" };
        complaints.push(format!("the name `{name}` {what} in `.fifo`"));
    }
    for queue in &blueprint.queues {
        let dead = queue.redrive.as_ref().and_then(|redrive| is_ordered(&redrive.to));
        if dead.is_some_and(|ordered| ordered != queue.fifo.is_some()) {
            complaints.push(format!("the queue `{}` and its dead-letter queue must both be FIFO or both standard", queue.name));
        }
    }
    for bucket in &blueprint.buckets {
        for to in bucket.notifies.iter().filter(|it| matches!(&it.to, Target::Queue(name) if is_ordered(name) == Some(true))) {
            complaints.push(format!("the bucket `{}` cannot notify `{}`, which is a FIFO queue", bucket.name, to.to.name()));
        }
    }
    for it in &blueprint.subscriptions {
        let of_standard = blueprint.topics.iter().any(|topic| topic.name == it.topic && !topic.fifo);
        if of_standard && matches!(&it.to, Target::Queue(name) if is_ordered(name) == Some(true)) {
            complaints.push(format!("the FIFO queue `{}` cannot be subscribed to `{}`, which is a standard topic", it.to.name(), it.topic));
        }
        if !of_standard && matches!(it.to, Target::Function(_)) && blueprint.topics.iter().any(|topic| topic.name == it.topic) {
            complaints.push(format!("the function `{}` cannot be subscribed to `{}`, which is a FIFO topic", it.to.name(), it.topic));
        }
    }
    complaints
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
    machine.definition.iter().flat_map(needs).map(|(state, need)| (format!("the state `{state}` of `{}`", machine.name), need))
}

fn last(text: &str, separator: char) -> &str {
    text.rsplit(separator).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use template::blueprint::{
        Alarm, Bucket, Fifo, FilterOn, Given, MachineKind, Metric, Notification, Queue, Redrive, Rule, RuleTarget, Schedule, Subscription,
        Topic, Trigger,
    };

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
        Machine { kind: MachineKind::Standard, name: "m".into(), definition: Ok(states::Definition::read(&definition).unwrap()) }
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

    #[test]
    fn first_in_first_out_goes_only_with_its_own_kind() {
        let fifo = |name: &str| Queue { fifo: Some(Fifo { by_content: true }), ..Queue::named(name) };
        let redrive = Some(Redrive { to: "dead".into(), max_receives: 5 });
        let subscription = |topic: &str, to: Target| Subscription {
            topic: topic.into(),
            to,
            filter: None,
            filter_on: FilterOn::Attributes,
            raw: false,
            dead_letters: None,
        };
        let blueprint = Blueprint {
            queues: vec![Queue { redrive, ..fifo("in.fifo") }, Queue::named("dead"), fifo("odd")],
            topics: vec![Topic::named("t"), Topic { fifo: true, ..Topic::named("t.fifo") }],
            buckets: vec![Bucket { name: "b".into(), notifies: vec![Notification::created("in.fifo")], ..Bucket::default() }],
            subscriptions: vec![
                subscription("t", Target::Queue("in.fifo".into())),
                subscription("t.fifo", Target::Function("f".into())),
                subscription("t.fifo", Target::Queue("in.fifo".into())),
            ],
            rules: vec![Rule {
                name: "r".into(),
                trigger: Trigger::Schedule(Schedule::Every(Duration::from_secs(60))),
                targets: vec![RuleTarget {
                    to: Target::Bus("gone".into()),
                    given: Given::Event,
                    dead_letters: None,
                    group: None,
                    retries: None,
                    oldest: None,
                }],
                enabled: true,
            }],
            ..Blueprint::default()
        };
        let complaints = check(&blueprint, &Seed::default()).unwrap_err().0;
        let expected = [
            "the rule `r` names Bus(\"gone\"), which is not there",
            "the name `odd` must end in `.fifo`",
            "the queue `in.fifo` and its dead-letter queue must both be FIFO or both standard",
            "the bucket `b` cannot notify `in.fifo`, which is a FIFO queue",
            "the FIFO queue `in.fifo` cannot be subscribed to `t`, which is a standard topic",
            "the function `f` cannot be subscribed to `t.fifo`, which is a FIFO topic",
        ];
        assert_eq!(complaints, expected);
    }
}
