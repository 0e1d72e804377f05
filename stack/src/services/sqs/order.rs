//! What a queue's kind demands of a message: a queue that is first in, first out needs a group and
//! a deduplication id; another has no deduplication. Source: Amazon SQS API reference, `SendMessage`.

use super::queues::Outgoing;
use crate::services::deduplication::{id_of, is_id};
use template::blueprint;

/// Why a queue does not accept a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No group.
    #[error("The request must contain the parameter MessageGroupId.")]
    NoGroup,
    /// Neither an id nor content-based deduplication.
    #[error("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")]
    NoDeduplication,
    /// A delay of its own in a queue that is first in, first out.
    #[error("The request include parameter that is not valid for this queue type: DelaySeconds")]
    Delay,
    /// A deduplication id in a standard queue.
    #[error("The request include parameter that is not valid for this queue type: MessageDeduplicationId")]
    Deduplication,
    /// Not 1 to 128 letters, digits and punctuation.
    #[error("{0} can only include alphanumeric and punctuation characters. 1 to 128 in length")]
    Id(&'static str),
}

/// Completes a message for its queue. A standard queue keeps a group, for fair queues. Source:
/// Amazon SQS developer guide, "Amazon SQS fair queues".
pub fn fit(queue: &blueprint::Queue, outgoing: &mut Outgoing) -> Result<(), Unfit> {
    let marks = &mut outgoing.marks;
    if marks.group.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(Unfit::Id("MessageGroupId"));
    }
    if marks.deduplication.as_deref().is_some_and(|id| !is_id(id)) {
        return Err(Unfit::Id("MessageDeduplicationId"));
    }
    let Some(fifo) = queue.fifo else {
        return if marks.deduplication.is_some() { Err(Unfit::Deduplication) } else { Ok(()) };
    };
    if marks.group.is_none() {
        return Err(Unfit::NoGroup);
    }
    if outgoing.delay.is_some() {
        return Err(Unfit::Delay);
    }
    if marks.deduplication.is_none() && fifo.by_content {
        marks.deduplication = Some(id_of(&outgoing.body));
    }
    if marks.deduplication.is_none() { Err(Unfit::NoDeduplication) } else { Ok(()) }
}

/// The sequence number of a message: 20 digits that grow within the queue.
pub fn sequence_number(number: u64) -> String {
    format!("{:020}", 18_849_496_460_467_696_128_u128 + u128::from(number) * 256)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::queue::Marks;
    use super::*;
    use template::blueprint::Fifo;

    #[test]
    fn each_kind_of_queue_demands_its_own() {
        let standard = blueprint::Queue::named("q");
        let fifo = |by_content| blueprint::Queue { fifo: Some(Fifo { by_content }), ..blueprint::Queue::named("q.fifo") };
        let marks = |group: Option<&str>, id: Option<&str>| Marks {
            group: group.map(str::to_owned),
            deduplication: id.map(str::to_owned),
            trace: None,
        };
        for (queue, marks, delay, expected) in [
            (&standard, marks(None, None), Some(1), Ok(None)),
            (&standard, marks(Some("g"), None), None, Ok(None)),
            (&standard, marks(Some("g"), Some("d")), None, Err(Unfit::Deduplication)),
            (&fifo(true), marks(None, None), None, Err(Unfit::NoGroup)),
            (&fifo(true), marks(Some("g"), None), None, Ok(Some(id_of("body")))),
            (&fifo(true), marks(Some("g"), Some("d")), None, Ok(Some("d".to_owned()))),
            (&fifo(false), marks(Some("g"), None), None, Err(Unfit::NoDeduplication)),
            (&fifo(false), marks(Some("g"), Some("d")), Some(1), Err(Unfit::Delay)),
            (&fifo(false), marks(Some("g g"), Some("d")), None, Err(Unfit::Id("MessageGroupId"))),
        ] {
            let shown = format!("{marks:?}");
            let mut outgoing = Outgoing { body: "body".into(), delay: delay.map(Duration::from_secs), marks, ..Outgoing::default() };
            let fits = fit(queue, &mut outgoing).map(|()| outgoing.marks.deduplication);
            assert_eq!(fits, expected, "{shown} in {}", queue.name);
        }
        assert!(sequence_number(1).len() == 20 && sequence_number(9) < sequence_number(10));
    }
}
