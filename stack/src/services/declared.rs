//! Whether what a template declares fits together: each queue and topic that something names is there.

use std::collections::BTreeSet;

use crate::blueprint::Blueprint;

/// What the declarations lack, all of it.
#[derive(Debug, thiserror::Error)]
#[error("the stack does not fit together: {}", .0.join("; "))]
pub struct Dangling(Vec<String>);

/// Checks the declarations.
///
/// # Errors
/// Where a name is used that nothing has.
pub fn check(blueprint: &Blueprint) -> Result<(), Dangling> {
    let queues: BTreeSet<&str> = blueprint.queues.iter().map(|it| it.name.as_str()).collect();
    let topics: BTreeSet<&str> = blueprint.topics.iter().map(|it| it.name.as_str()).collect();
    let redrives =
        blueprint.queues.iter().filter_map(|it| Some((format!("the redrive of queue `{}`", it.name), it.redrive.as_ref()?.to.as_str())));
    let notifies =
        blueprint.buckets.iter().flat_map(|it| it.notifies.iter().map(move |to| (format!("the bucket `{}`", it.name), to.as_str())));
    let measured = blueprint.alarms.iter().map(|it| (format!("the alarm `{}`", it.name), it.queue.as_str()));
    let told = blueprint.alarms.iter().filter_map(|it| Some((format!("the alarm `{}`", it.name), it.tells.as_deref()?)));
    let no_queue = redrives.chain(notifies).chain(measured).filter(|(_, name)| !queues.contains(name));
    let no_topic = told.filter(|(_, name)| !topics.contains(name));
    let mut complaints: Vec<String> = no_queue.map(|(who, name)| format!("{who} names the queue `{name}`, which is not there")).collect();
    complaints.extend(no_topic.map(|(who, name)| format!("{who} names the topic `{name}`, which is not there")));
    if complaints.is_empty() { Ok(()) } else { Err(Dangling(complaints)) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::blueprint::{Alarm, Bucket, Metric, Queue, Redrive, Topic};

    #[test]
    fn every_name_that_nothing_has_is_complained_of() {
        let day = Duration::from_secs(86_400);
        let redrive = Redrive { to: "dead".into(), max_receives: 5 };
        let mut blueprint = Blueprint {
            queues: vec![Queue { name: "in".into(), visibility: day, retention: day, redrive: Some(redrive) }],
            buckets: vec![Bucket { name: "b".into(), notifies: vec!["in".into(), "q".into()] }],
            alarms: vec![Alarm {
                name: "a".into(),
                queue: "x".into(),
                metric: Metric::Sent,
                period: day,
                inclusive: true,
                threshold: 1.0,
                tells: Some("t".into()),
            }],
            ..Blueprint::default()
        };
        assert_eq!(
            check(&blueprint).unwrap_err().to_string(),
            "the stack does not fit together: the redrive of queue `in` names the queue `dead`, which is not there; \
             the bucket `b` names the queue `q`, which is not there; the alarm `a` names the queue `x`, which is not there; \
             the alarm `a` names the topic `t`, which is not there"
        );
        for name in ["dead", "q", "x"] {
            blueprint.queues.push(Queue { name: name.into(), visibility: day, retention: day, redrive: None });
        }
        blueprint.topics.push(Topic { name: "t".into() });
        assert!(check(&blueprint).is_ok());
    }
}
