//! Event source mappings: queues and streams that invoke functions, as Lambda's do. They take no
//! more records than can be invoked at once.

mod backoff;
mod batch_answer;
mod called;
mod given_up;
mod polled;
mod queue;
mod sources;
#[cfg(test)]
mod stand_ins;
mod stream;

use std::sync::Arc;

use faults::Complaint;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::functions::Functions;
use super::invocation::Waits;
use super::names;
use crate::{Sightings, pattern as filter};
use called::Called;
use filter::Filter;
pub use polled::{Message, Queue, Record, Sources, Stream};
use template::blueprint::{Mapping, Source};

/// All mappings that cannot be carried out.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(Complaint::to_string).collect::<Vec<_>>().join("; "))]
pub struct MappingError(pub Vec<Complaint>);

/// Running mappings.
#[derive(Debug)]
pub(crate) struct Mappings {
    stop: watch::Sender<bool>,
    pollers: JoinSet<()>,
}

/// What a mapping polls.
enum Poller {
    Queue(queue::Poller),
    Stream(stream::Poller),
}

impl Mappings {
    /// Starts the declared mappings.
    ///
    /// # Errors
    /// If one names a missing function, queue or table, or has an invalid pattern; then none is
    /// started.
    pub(crate) fn start(
        declared: &[Mapping],
        sources: &dyn Sources,
        functions: &Arc<Functions>,
        sightings: &Sightings,
    ) -> Result<Self, MappingError> {
        let (mut ready, mut complaints) = (Vec::new(), Vec::new());
        for mapping in declared {
            match prepare(mapping, sources, functions, sightings) {
                Ok(poller) => ready.push(poller),
                Err(what) => complaints.push(Complaint::new(format!("mapping of {}", mapping.function), what)),
            }
        }
        if !complaints.is_empty() {
            return Err(MappingError(complaints));
        }
        let (stop, stopped) = watch::channel(false);
        let mut pollers = JoinSet::new();
        for poller in ready {
            match poller {
                Poller::Queue(poller) => pollers.spawn(poller.poll(stopped.clone())),
                Poller::Stream(poller) => pollers.spawn(poller.poll(stopped.clone())),
            };
        }
        Ok(Self { stop, pollers })
    }

    /// Takes nothing more from the sources; invocations under way continue.
    pub(crate) fn halt(&self) {
        self.stop.send_replace(true);
    }

    /// Returns once all invocations have ended.
    pub(crate) async fn ended(mut self) {
        while self.pollers.join_next().await.is_some() {}
    }
}

fn prepare(mapping: &Mapping, sources: &dyn Sources, functions: &Arc<Functions>, sightings: &Sightings) -> Result<Poller, String> {
    let at_once = functions.at_once(&mapping.function).ok_or("found no such function, it is not deployed here")?;
    let function = Called {
        name: mapping.function.clone(),
        arn: functions.arn(&mapping.function),
        region: functions.region().to_owned(),
        door: functions.door(Waits::Caller),
    };
    let filter = Filter::read(&mapping.filters)?;
    let queue = |name: &str| sources.queue(name).ok_or_else(|| format!("found no queue `{name}`"));
    let batch = usize::try_from(mapping.batch.max(1)).unwrap_or(usize::MAX);
    match &mapping.source {
        Source::Queue { name, max_concurrency } => Ok(Poller::Queue(queue::Poller {
            arn: format!("arn:aws:sqs:{}:{}:{name}", functions.region(), names::ACCOUNT),
            queue: queue(name)?,
            function,
            filter,
            batch,
            window: mapping.window,
            partial: mapping.partial,
            at_once: max_concurrency.map_or(at_once, |most| usize::try_from(most.max(1)).unwrap_or(usize::MAX)),
        })),
        Source::DataStream { name, .. } => Err(format!("found no data stream `{name}`")),
        Source::Stream { table, records } => Ok(Poller::Stream(stream::Poller {
            stream: sources.stream(table).ok_or_else(|| format!("found no table `{table}` with a stream"))?,
            table: table.clone(),
            function,
            filter,
            batch,
            window: mapping.window,
            partial: mapping.partial,
            bisect: records.bisect,
            retries: records.retries,
            on_failure: records.on_failure.as_ref().map(|to| Ok::<_, String>((to.name().to_owned(), queue(to.name())?))).transpose()?,
            sightings: sightings.clone(),
        })),
    }
}
