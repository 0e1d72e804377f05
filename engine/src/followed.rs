//! What is still on its way in a stack that follows requests, so that a wave ends only once all has
//! come to rest. It is a rule that judges nothing.

use std::collections::{BTreeSet, HashMap};

use reports::Dispositions;
use run_folder::Seen;
use scenarios::Event;
use scenarios::invariants::{ArmOf, Ended, Found, Invariant, Quiet};

/// The messages, invocations and accepted events under way.
#[derive(Debug, Default)]
pub struct Followed {
    /// The queues that functions poll: a message in another one stays there.
    polled: BTreeSet<String>,
    under_way: HashMap<(Kind, String), u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Message,
    Invocation,
    Accepted,
}

impl Followed {
    /// Nothing is under way yet; functions poll the queues `polled`.
    pub fn new(polled: BTreeSet<String>) -> Self {
        Self { polled, under_way: HashMap::new() }
    }

    fn begin(&mut self, kind: Kind, id: &str) {
        *self.under_way.entry((kind, id.to_owned())).or_default() += 1;
    }

    /// Facts come in the order in which they happened, but the end of a message that went to several
    /// queues is only one of its ends.
    fn end(&mut self, kind: Kind, id: &str) {
        let key = (kind, id.to_owned());
        if let Some(count) = self.under_way.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&key);
            }
        }
    }

    fn take(&mut self, seen: &Seen) {
        match seen {
            Seen::Queued { queue, message, .. } if self.polled.contains(queue) => self.begin(Kind::Message, message),
            Seen::Redriven { queue, to, message } if self.polled.contains(queue) => {
                self.end(Kind::Message, message);
                if self.polled.contains(to) {
                    self.begin(Kind::Message, message);
                }
            }
            Seen::Deleted { queue, message } | Seen::Expired { queue, message, .. } if self.polled.contains(queue) => {
                self.end(Kind::Message, message);
            }
            Seen::Invoked { id, .. } => self.begin(Kind::Invocation, id),
            Seen::Returned { id, .. } => self.end(Kind::Invocation, id),
            Seen::Accepted { id, .. } => self.begin(Kind::Accepted, id),
            Seen::Settled { id, .. } => self.end(Kind::Accepted, id),
            _ => {}
        }
    }
}

impl Invariant for Followed {
    fn rules(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    fn by_answers_alone(&mut self) -> Vec<&'static str> {
        Vec::new()
    }

    fn see(&mut self, event: &Event) -> (Vec<Found>, Option<Ended>) {
        if let Event::Saw { seen, .. } = event {
            self.take(seen);
        }
        (Vec::new(), None)
    }

    fn settled(&mut self, _: &Quiet) -> Vec<Found> {
        Vec::new()
    }

    fn under_way(&self) -> usize {
        self.under_way.len()
    }

    fn unfinished(&self) -> Vec<Ended> {
        Vec::new()
    }

    fn tables(&self, _: ArmOf<'_>) -> Vec<Dispositions> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_at_rest_once_each_message_invocation_and_event_has_ended() {
        let mut followed = Followed::new(["orders".to_owned()].into());
        let queue = || "orders".to_owned();
        let id = || "1".to_owned();
        for (seen, under_way) in [
            (Seen::Queued { queue: "dead".into(), message: id(), about: None }, 0),
            (Seen::Queued { queue: queue(), message: id(), about: None }, 1),
            (Seen::Invoked { function: "f".into(), id: id(), delivery: 1 }, 2),
            (Seen::Returned { function: "f".into(), id: id(), failed: true }, 1),
            (Seen::Received { queue: queue(), message: id(), count: 2 }, 1),
            (Seen::Redriven { queue: queue(), to: "dead".into(), message: id() }, 0),
            (Seen::Accepted { function: "f".into(), id: id() }, 1),
            (Seen::Settled { function: "f".into(), id: id() }, 0),
            (Seen::Deleted { queue: queue(), message: id() }, 0),
        ] {
            let event = Event::Saw { at: std::time::Duration::ZERO, seen: seen.clone() };
            assert_eq!(followed.see(&event), (Vec::new(), None));
            assert_eq!(followed.under_way(), under_way, "{seen:?}");
        }
    }
}
