//! What followed from each request, as the stack reported it: invocations, calls and effects, in their
//! order. It judges nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faults::Identity;
use run_folder::{Seen, Sighting};

use super::place::Spot;

/// Everything that followed from one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Invocations and calls, in their order.
    pub steps: Vec<Step>,
    /// What it left behind.
    pub effects: Effects,
    /// How much of it had not ended when the run did.
    pub unfinished: usize,
}

/// A step of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A function got an event.
    Invoked {
        /// The function.
        function: String,
        /// Its request id.
        id: String,
        /// Which delivery it was.
        delivery: u32,
        /// When.
        at: Duration,
        /// When it ended, if it did.
        ended: Option<Ended>,
    },
    /// A function called a service.
    Called {
        /// The function.
        function: String,
        /// The service.
        service: String,
        /// The operation.
        operation: String,
        /// Which of the calls to this operation it was that the function made during this delivery.
        number: u32,
        /// Which delivery of the request the function worked on.
        delivery: u32,
        /// When.
        at: Duration,
    },
}

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// When.
    pub at: Duration,
    /// Whether it failed.
    pub failed: bool,
}

/// What a request left behind: how many of each kind. Rows and objects are counted by their keys, so
/// that one that is written twice is still one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects(BTreeMap<Effect, BTreeSet<String>>);

/// A kind of effect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Effect {
    /// Rows of a table.
    Rows(String),
    /// Objects of a bucket.
    Objects(String),
    /// Messages in a queue.
    Messages(String),
    /// Publications to a topic.
    Publications(String),
    /// Mails.
    Mails,
}

impl Effect {
    /// Whether a second one is what every queue and topic may make, and no mistake.
    pub const fn may_double(&self) -> bool {
        matches!(self, Self::Messages(_) | Self::Publications(_))
    }
}

impl std::fmt::Display for Effect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(name) => write!(f, "rows in {name}"),
            Self::Objects(name) => write!(f, "objects in {name}"),
            Self::Messages(name) => write!(f, "messages in {name}"),
            Self::Publications(name) => write!(f, "publications to {name}"),
            Self::Mails => f.write_str("mails"),
        }
    }
}

impl Effects {
    /// How many of each kind.
    pub fn counts(&self) -> BTreeMap<&Effect, usize> {
        self.0.iter().map(|(effect, keys)| (effect, keys.len())).collect()
    }

    fn add(&mut self, seen: &Seen) {
        let (effect, key) = match seen {
            Seen::RowWritten { table, key, .. } => (Effect::Rows(table.clone()), key),
            Seen::ObjectStored { bucket, key, .. } => (Effect::Objects(bucket.clone()), key),
            Seen::Queued { queue, message, .. } => (Effect::Messages(queue.clone()), message),
            Seen::Published { topic, id, .. } => (Effect::Publications(topic.clone()), id),
            Seen::MailSent { id, .. } => (Effect::Mails, id),
            _ => return,
        };
        self.0.entry(effect).or_default().insert(key.clone());
    }
}

/// The trees of all requests by the lasting part of their roots.
#[derive(Debug, Default)]
pub struct Trees {
    all: BTreeMap<String, Tree>,
    /// The invocations, accepted events and messages under way, with their roots.
    under_way: BTreeMap<String, String>,
    /// The queues that functions poll.
    polled: BTreeSet<String>,
}

impl Trees {
    /// Reads what a stack reported, in its order; functions poll the queues `polled`.
    pub fn read(sightings: impl IntoIterator<Item = Sighting>, polled: &BTreeSet<String>) -> Self {
        let mut trees = Self { polled: polled.clone(), ..Self::default() };
        sightings.into_iter().for_each(|sighting| trees.take(&sighting));
        let mut left: BTreeMap<String, usize> = BTreeMap::new();
        trees.under_way.values().for_each(|root| *left.entry(root.clone()).or_default() += 1);
        for (root, count) in left {
            trees.all.entry(root).or_default().unfinished = count;
        }
        trees
    }

    /// The tree of a request, by the root of its trace.
    pub fn of(&self, root: &str) -> Option<&Tree> {
        self.all.get(Identity(root).lasting().0)
    }

    fn take(&mut self, sighting: &Sighting) {
        let at = Duration::from_micros(sighting.at_us);
        match &sighting.seen {
            Seen::Returned { id, failed, .. } => self.returned(id, Ended { at, failed: *failed }),
            Seen::Settled { id, .. } => drop(self.end("event", id)),
            Seen::Deleted { message, .. } | Seen::Expired { message, .. } | Seen::Redriven { message, .. } => {
                drop(self.end("message", message));
            }
            _ => {}
        }
        let Some(root) = &sighting.root else { return };
        let root = Identity(root).lasting().0.to_owned();
        match &sighting.seen {
            Seen::Invoked { id, .. } => self.begin("invocation", id, &root),
            Seen::Accepted { id, .. } => self.begin("event", id, &root),
            Seen::Queued { queue, message, .. } if self.polled.contains(queue) => self.begin("message", message, &root),
            _ => {}
        }
        let tree = self.all.entry(root).or_default();
        tree.effects.add(&sighting.seen);
        tree.step(&sighting.seen, at);
    }

    fn begin(&mut self, kind: &str, id: &str, root: &str) {
        self.under_way.insert(format!("{kind} {id}"), root.to_owned());
    }

    fn end(&mut self, kind: &str, id: &str) -> Option<String> {
        self.under_way.remove(&format!("{kind} {id}"))
    }

    fn returned(&mut self, id: &str, end: Ended) {
        let Some(tree) = self.end("invocation", id).and_then(|root| self.all.get_mut(&root)) else { return };
        let open = tree.steps.iter_mut().rev().find_map(|step| match step {
            Step::Invoked { id: of, ended: ended @ None, .. } if of == id => Some(ended),
            _ => None,
        });
        if let Some(ended) = open {
            *ended = Some(end);
        }
    }
}

impl Tree {
    fn step(&mut self, seen: &Seen, at: Duration) {
        match seen {
            Seen::Invoked { function, id, delivery } => {
                let (function, id) = (function.clone(), id.clone());
                self.steps.push(Step::Invoked { function, id, delivery: *delivery, at, ended: None });
            }
            Seen::Called { function: Some(function), service, operation, delivery } => {
                // Without a number it is the first one: so a plan counts it.
                let delivery = (*delivery).max(1);
                let is_same = |step: &&Step| matches!(step, Step::Called { function: f, service: s, operation: o, delivery: d, .. } if f == function && s == service && o == operation && *d == delivery);
                let number = u32::try_from(self.steps.iter().filter(is_same).count()).unwrap_or(u32::MAX).saturating_add(1);
                let (function, service, operation) = (function.clone(), service.clone(), operation.clone());
                self.steps.push(Step::Called { function, service, operation, number, delivery, at });
            }
            _ => {}
        }
    }

    /// What of it can be hurt, in its order.
    pub fn spots(&self) -> Vec<Spot> {
        let mut spots = Vec::new();
        for step in &self.steps {
            let spot = match step {
                Step::Invoked { function, delivery, .. } => Spot::Invocation { function: function.clone(), delivery: *delivery },
                Step::Called { function, service, operation, number, delivery, .. } => Spot::Call {
                    function: function.clone(),
                    service: service.clone(),
                    operation: operation.clone(),
                    number: *number,
                    delivery: *delivery,
                },
            };
            if !spots.contains(&spot) {
                spots.push(spot);
            }
        }
        spots
    }

    /// The first delivery to a function: when it began, and how it ended.
    fn first(&self, function: &str) -> Option<(Duration, Ended)> {
        self.steps.iter().find_map(|step| match step {
            Step::Invoked { function: name, at, ended, .. } if name == function => Some((*at, (*ended)?)),
            _ => None,
        })
    }

    /// Whether another invocation failed during the first delivery to a function, which ended well.
    pub fn was_given_up(&self, function: &str) -> bool {
        let Some((began, Ended { at, failed: false })) = self.first(function) else { return false };
        self.steps.iter().any(|step| match step {
            Step::Invoked { function: other, ended: Some(Ended { at: gave_up, failed: true }), .. } => {
                other != function && (began..at).contains(gave_up)
            }
            _ => false,
        })
    }

    /// The time from the first delivery to a function until halfway between its last call and its
    /// answer; `None` if it makes no call.
    pub fn within(&self, function: &str) -> Option<Duration> {
        let (at, Ended { at: ended, .. }) = self.first(function)?;
        let calls = self.steps.iter().filter_map(|step| match step {
            Step::Called { function: name, at: called, .. } if name == function && (at..ended).contains(called) => Some(*called),
            _ => None,
        });
        let last = calls.max()?;
        Some((last - at) + (ended - last) / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{called, called_in, invoked, returned, root, row, sighting};
    use super::*;

    fn queued(message: &str) -> Seen {
        Seen::Queued { queue: "shipments".into(), message: message.into(), about: None }
    }

    fn order() -> Vec<Sighting> {
        let of = |at, seen| sighting(at, Some(root(1)), seen);
        vec![
            of(0, invoked("place", "i1", 1)),
            of(4, called("place", "PutItem")),
            of(5, row("o-1")),
            of(6, called("place", "SendMessage")),
            of(6, queued("m1")),
            sighting(10, None, returned("place", "i1")),
            of(20, invoked("worker", "i2", 1)),
            of(24, called("worker", "PutItem")),
            of(25, row("o-1")),
            of(26, called("worker", "PutItem")),
            of(26, row("o-2")),
            sighting(30, None, returned("worker", "i2")),
            sighting(31, None, Seen::Deleted { queue: "shipments".into(), message: "m1".into() }),
        ]
    }

    fn read(sightings: Vec<Sighting>) -> Tree {
        Trees::read(sightings, &["shipments".to_owned()].into()).of(&root(1)).unwrap().clone()
    }

    #[test]
    fn a_tree_has_the_places_of_its_request_in_their_order() {
        let tree = read(order());
        let shown: Vec<_> = tree.spots().iter().map(ToString::to_string).collect();
        let expected = [
            "place",
            "place > dynamodb:PutItem",
            "place > dynamodb:SendMessage",
            "worker",
            "worker > dynamodb:PutItem",
            "worker > dynamodb:PutItem #2",
        ];
        assert_eq!(shown, expected);
        assert_eq!((tree.within("place"), tree.within("worker")), (Some(Duration::from_millis(8)), Some(Duration::from_millis(8))));
        assert_eq!((tree.within("other"), tree.was_given_up("place"), tree.was_given_up("other")), (None, false, false));
    }

    #[test]
    fn the_calls_of_each_delivery_have_numbers_of_their_own() {
        let of = |at, seen| sighting(at, Some(root(1)), seen);
        let again =
            [of(40, invoked("worker", "i3", 2)), of(41, called_in(2, "worker", "PutItem")), of(42, called_in(2, "worker", "GetItem"))];
        let tree = read(order().into_iter().chain(again).collect());
        let shown: Vec<_> = tree.spots().iter().skip(6).map(ToString::to_string).collect();
        assert_eq!(shown, ["worker (delivery 2)", "worker (delivery 2) > dynamodb:PutItem", "worker (delivery 2) > dynamodb:GetItem"]);
    }

    #[test]
    fn a_function_that_gives_up_before_the_one_that_it_calls_has_its_own_end() {
        let of = |at, seen| sighting(at, Some(root(1)), seen);
        let failed = Seen::Returned { function: "place".into(), id: "i1".into(), failed: true };
        for (gives_up_at, ends_at, given_up) in [(5, 9, true), (9, 5, false)] {
            let mut all = vec![
                of(0, invoked("place", "i1", 1)),
                of(3, invoked("credit", "i2", 1)),
                of(gives_up_at, failed.clone()),
                of(ends_at, returned("credit", "i2")),
            ];
            all.sort_by_key(|sighting| sighting.at_us);
            let tree = read(all);
            assert_eq!((tree.was_given_up("place"), tree.was_given_up("credit")), (false, given_up), "{gives_up_at}");
        }
    }

    #[test]
    fn rows_are_counted_by_their_keys_and_messages_by_their_ids() {
        let effects = read(order()).effects;
        let counts: Vec<_> = effects.counts().into_iter().map(|(effect, count)| (effect.to_string(), count)).collect();
        assert_eq!(counts, [("rows in Orders".to_owned(), 2), ("messages in shipments".to_owned(), 1)]);
    }

    #[test]
    fn what_has_not_ended_is_unfinished() {
        for (left_out, unfinished) in [(0, 0), (1, 1), (2, 2)] {
            let mut sightings = order();
            sightings.truncate(sightings.len() - left_out);
            assert_eq!(read(sightings).unfinished, unfinished, "{left_out}");
        }
        assert!(Trees::read(order(), &BTreeSet::new()).of(&root(2)).is_none());
    }
}
