//! The queues on the page, with their messages.

use super::Sqs;
use crate::services::shows::{Part, Rows, Shows, Thing, yes};

impl Shows for Sqs {
    fn things(&self) -> Vec<Thing> {
        let queue = |name: String| {
            let dead = self.queues().queue(&name).and_then(|queue| queue.declared.redrive.clone());
            let note = dead.map(|redrive| format!("after {} receives to {}", redrive.max_receives, redrive.to)).unwrap_or_default();
            let gauge = self.gauge(&name).unwrap_or_default();
            Thing { note, ..Thing::new("queue", name, gauge.visible + gauge.in_flight + gauge.delayed) }
        };
        self.names().into_iter().map(queue).collect()
    }

    fn rows(&self, queue: &str, part: Part) -> Option<Rows> {
        self.bells.get(queue)?;
        let columns = ["Message", "Received", "Visible", "Age", "Body"];
        Some(Rows::of(columns, self.messages(queue).into_iter(), part, |message| {
            let (receives, age) = (message.receives.to_string(), format!("{} s", message.age.as_secs()));
            [message.id.into(), receives.into(), yes(message.visible).into(), age.into(), message.body.into()]
        }))
    }
}
