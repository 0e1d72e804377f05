//! CloudWatch's alarms on queues: samples as often as CloudWatch does, in compressed time, and
//! reports every change of state; and metrics that functions put. Over HTTP it serves only
//! `DescribeAlarms` and `PutMetricData`, in JSON 1.0, which botocore 1.44 speaks. aws-sdk-cloudwatch
//! 1.140 speaks RPC v2 CBOR, which this does not.

mod message;
mod metrics;
mod shown;
mod watch;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

pub use self::metrics::{Datum, Metrics};
pub use self::watch::State;
use self::watch::{Change, Watch};
use super::described::{Described, Protocol};
use super::shows::Shows;
use super::sns::Sns;
use super::sqs::Sqs;
use super::wire::{Answer, Call, JSON_1_0, Service, json_answer, no_such_operation};
use run_folder::compressed::Compressed;
use run_folder::sightings::{Seen, Sightings};
use template::blueprint::{Alarm, Metric};

/// The description of this service.
pub const DESCRIBED: Described = Described {
    name: "cloudwatch",
    title: "CloudWatch",
    protocol: Protocol::Json10("GraniteServiceVersion20100801"),
    operations: &["PutMetricData"],
};

/// The reason for an alarm's state before anything was measured.
const UNMEASURED: &str = "Unchecked: Initial alarm creation";

/// All alarms of one machine.
pub struct Alarms {
    watched: Vec<Mutex<Watched>>,
    compressed: Compressed,
    sqs: Arc<Sqs>,
    sns: Arc<Sns>,
    sightings: Sightings,
    /// What functions put.
    pub metrics: Metrics,
}

struct Watched {
    watch: Watch,
    reason: String,
    /// The number of messages ever sent, at the last sample.
    sent: u64,
}

impl Alarms {
    /// The declared alarms on these queues.
    pub fn new(alarms: &[Alarm], compressed: Compressed, sqs: Arc<Sqs>, sns: Arc<Sns>, sightings: Sightings) -> Arc<Self> {
        let watched = |alarm: &Alarm| Mutex::new(Watched { watch: Watch::new(alarm.clone()), reason: UNMEASURED.to_owned(), sent: 0 });
        Arc::new(Self { watched: alarms.iter().map(watched).collect(), compressed, sqs, sns, sightings, metrics: Metrics::default() })
    }

    /// Samples and reports for as long as it is polled.
    pub async fn watch(self: Arc<Self>) {
        let mut watching = JoinSet::new();
        for n in 0..self.watched.len() {
            let alarms = Arc::clone(&self);
            watching.spawn(async move {
                let Some(watched) = alarms.watched.get(n) else { return };
                let mut ticks = tokio::time::interval(alarms.compressed.queue(lock(watched).watch.step()));
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    ticks.tick().await;
                    alarms.measure(watched);
                }
            });
        }
        while watching.join_next().await.is_some() {}
    }

    /// The names of all alarms and their states.
    pub fn states(&self) -> Vec<(String, State)> {
        let state = |watched: &Mutex<Watched>| {
            let watched = lock(watched);
            (watched.watch.declared.name.clone(), watched.watch.state)
        };
        self.watched.iter().map(state).collect()
    }

    fn measure(&self, watched: &Mutex<Watched>) {
        let mut watched = lock(watched);
        let alarm = watched.watch.declared.clone();
        let gauge = self.sqs.gauge(&alarm.queue).unwrap_or_default();
        let sample = match alarm.metric {
            // In seconds at AWS: there the message would be that much older.
            Metric::AgeOfOldest => gauge.oldest.unwrap_or_default().as_secs_f64() * f64::from(self.compressed.queues),
            Metric::Sent => as_f64(gauge.sent - watched.sent),
            Metric::Visible => as_f64(u64::try_from(gauge.visible).unwrap_or(u64::MAX)),
        };
        watched.sent = gauge.sent;
        if let Some(change) = watched.watch.sample(sample) {
            watched.reason = message::reason(&alarm, &change);
            self.tell(&alarm, &change);
        }
    }

    /// A change from `INSUFFICIENT_DATA` to `OK` is not reported: nothing was wrong before.
    fn tell(&self, alarm: &Alarm, change: &Change) {
        if (change.from, change.to) == (State::InsufficientData, State::Ok) {
            return;
        }
        self.sightings.tell(Seen::Alarm { name: alarm.name.clone(), state: change.to.name().to_owned() });
        if let Some(topic) = &alarm.tells {
            let (subject, message) = message::notification(alarm, change, SystemTime::now());
            self.sns.publish(topic, Some(subject), message);
        }
    }

    fn describe(&self, asked: &Value) -> Value {
        let text = |name: &str| asked.get(name).and_then(Value::as_str);
        let names: Option<BTreeSet<&str>> =
            asked.get("AlarmNames").and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).collect());
        let (prefix, state) = (text("AlarmNamePrefix").unwrap_or_default(), text("StateValue"));
        let description = |watched: &Mutex<Watched>| {
            let Watched { watch, reason, .. } = &*lock(watched);
            let name = watch.declared.name.as_str();
            let wanted = names.as_ref().is_none_or(|names| names.contains(name))
                && name.starts_with(prefix)
                && state.is_none_or(|state| state == watch.state.name());
            wanted.then(|| message::description(&watch.declared, watch.state, reason))
        };
        let alarms: Vec<_> = self.watched.iter().filter_map(description).collect();
        json!({"MetricAlarms": alarms, "CompositeAlarms": []})
    }
}

/// Exact below 2^53 messages.
const fn as_f64(count: u64) -> f64 {
    count as f64
}

fn lock(watched: &Mutex<Watched>) -> MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Service for Alarms {
    fn described(&self) -> &'static Described {
        &DESCRIBED
    }

    fn shows(&self) -> Option<&dyn Shows> {
        Some(self)
    }

    async fn answer(&self, call: &Call) -> Answer {
        json_answer(JSON_1_0, call, |body| match call.operation.as_str() {
            "DescribeAlarms" => Ok(self.describe(body)),
            "PutMetricData" => self.metrics.put(body).map(|()| json!({})),
            other => Err(no_such_operation(other)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use template::blueprint::{Queue, Topic};

    /// One queue, a thousand times faster, with an alarm on the age of its oldest message and one
    /// on its length.
    fn alarms() -> (Arc<Sqs>, Arc<Sns>, Arc<Alarms>, tokio::sync::mpsc::UnboundedReceiver<crate::Sighting>) {
        let second = Duration::from_secs(1);
        let compressed = Compressed { queues: 1000, expiry: 1 };
        let queue = Queue { visibility: 3600 * second, retention: 1_209_600 * second, ..Queue::named("in") };
        let (sightings, seen) = Sightings::channel();
        let sqs = Sqs::new(&[queue], compressed, Sightings::nowhere(), SocketAddr::from(([127, 0, 0, 1], 1)));
        let sns = Sns::new(&[Topic::named("alarms")], Sightings::nowhere());
        let alarm = |name: &str, metric, threshold, tells: Option<&str>| Alarm {
            name: name.into(),
            queue: "in".into(),
            metric,
            period: 60 * second,
            inclusive: true,
            threshold,
            tells: tells.map(str::to_owned),
        };
        let declared = [alarm("old", Metric::AgeOfOldest, 180.0, Some("alarms")), alarm("many", Metric::Visible, 50.0, None)];
        let alarms = Alarms::new(&declared, compressed, Arc::clone(&sqs), Arc::clone(&sns), sightings);
        (sqs, sns, alarms, seen)
    }

    #[tokio::test]
    async fn an_alarm_is_reported_when_it_fires_and_when_it_is_over() {
        let (sqs, sns, alarms, mut seen) = alarms();
        alarms.watched.iter().for_each(|watched| alarms.measure(watched));
        assert_eq!(alarms.states(), [("old".to_owned(), State::Ok), ("many".to_owned(), State::Ok)]);
        assert!(seen.try_recv().is_err() && sns.published("alarms").is_empty(), "all is well, which is no news");
        let watching = tokio::spawn(Arc::clone(&alarms).watch());
        sqs.send("in", "hello".into(), None).unwrap();
        let mut told = async || tokio::time::timeout(Duration::from_secs(30), seen.recv()).await.unwrap().unwrap().seen;
        assert_eq!(told().await, Seen::Alarm { name: "old".into(), state: "ALARM".into() });
        let message = sqs.receive("in", 1).remove(0);
        assert!(sqs.delete("in", &message.receipt));
        assert_eq!(told().await, Seen::Alarm { name: "old".into(), state: "OK".into() });
        watching.abort();
        let notices = sns.published("alarms");
        assert_eq!(notices[0].subject.as_deref(), Some("ALARM: \"old\" in US East (N. Virginia)"));
        let body: Value = serde_json::from_str(&notices[0].message).unwrap();
        assert_eq!((&body["AlarmName"], &body["NewStateValue"], &body["OldStateValue"]), (&json!("old"), &json!("ALARM"), &json!("OK")));
        assert_eq!(body["Trigger"]["MetricName"], "ApproximateAgeOfOldestMessage");
    }

    #[test]
    fn alarms_are_described_as_requested() {
        let (_, _, alarms, _seen) = alarms();
        for (asked, names) in [
            (json!({}), vec!["old", "many"]),
            (json!({"AlarmNames": ["many", "none"]}), vec!["many"]),
            (json!({"AlarmNamePrefix": "o"}), vec!["old"]),
            (json!({"StateValue": "OK"}), vec![]),
            (json!({"StateValue": "INSUFFICIENT_DATA"}), vec!["old", "many"]),
        ] {
            let described = alarms.describe(&asked);
            let found: Vec<_> = described["MetricAlarms"].as_array().unwrap().iter().map(|it| it["AlarmName"].as_str().unwrap()).collect();
            assert_eq!(found, names, "{asked}");
        }
    }
}
