//! The topics on the page, with what was published to them.

use std::sync::PoisonError;

use super::Sns;
use crate::services::shows::{Part, Rows, Shows, Thing};

impl Shows for Sns {
    fn things(&self) -> Vec<Thing> {
        let topic = |(name, held): (&String, &super::Held)| {
            let to: Vec<_> = self.subscribed(|it| it.declared.topic == *name).iter().map(|it| it.declared.to.name().to_owned()).collect();
            let note = if to.is_empty() { String::new() } else { format!("to {}", to.join(", ")) };
            let count = held.notices.lock().unwrap_or_else(PoisonError::into_inner).len();
            Thing { note, ..Thing::new("topic", name.clone(), count) }
        };
        self.topics.iter().map(topic).collect()
    }

    fn rows(&self, topic: &str, part: Part) -> Option<Rows> {
        self.topics.get(topic)?;
        Some(Rows::of(["At", "Subject", "Message"], self.published(topic).into_iter().rev(), part, |notice| {
            [dates::milliseconds(notice.at).into(), notice.subject.unwrap_or_default().into(), notice.message.into()]
        }))
    }
}
