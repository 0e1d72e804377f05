//! The alarms on the page, and the metrics that functions put.

use super::{Alarms, Datum, lock};
use crate::services::shows::{Part, Rows, Shows, Thing};

/// The names of the two lists.
const ALARMS: &str = "alarms";
const METRICS: &str = "metrics";

impl Shows for Alarms {
    fn things(&self) -> Vec<Thing> {
        vec![Thing::new("list", ALARMS, self.watched.len()), Thing::new("list", METRICS, self.metrics.all().len())]
    }

    fn rows(&self, thing: &str, part: Part) -> Option<Rows> {
        match thing {
            ALARMS => Some(Rows::of(["Alarm", "Queue", "State", "Reason"], self.watched.iter(), part, |watched| {
                let watched = lock(watched);
                let alarm = &watched.watch.declared;
                [alarm.name.clone().into(), alarm.queue.clone().into(), watched.watch.state.name().into(), watched.reason.clone().into()]
            })),
            METRICS => {
                let columns = ["Namespace", "Metric", "Dimensions", "Values"];
                Some(Rows::of(columns, self.metrics.all().into_iter().rev(), part, |Datum { namespace, name, dimensions, values }| {
                    let dimensions: Vec<_> = dimensions.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
                    let values: Vec<_> = values.iter().map(f64::to_string).collect();
                    [namespace.into(), name.into(), dimensions.join(", ").into(), values.join(", ").into()]
                }))
            }
            _ => None,
        }
    }
}
