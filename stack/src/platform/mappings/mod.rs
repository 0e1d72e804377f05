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
pub use polled::{Message, Origin, Queue, Receiver, Record, Sources, Stream};
use template::blueprint::{Beginning, Mapping, RecordLimits, Source};

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
                Ok(pollers) => ready.extend(pollers),
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

fn prepare(mapping: &Mapping, sources: &dyn Sources, functions: &Arc<Functions>, sightings: &Sightings) -> Result<Vec<Poller>, String> {
    let at_once = functions.at_once(&mapping.function).ok_or("found no such function, it is not deployed here")?;
    let function = Called {
        name: mapping.function.clone(),
        arn: functions.arn(&mapping.function),
        region: functions.region().to_owned(),
        door: functions.door(Waits::Caller),
        follows: functions.machine.follow.get().is_some(),
    };
    let filter = Filter::read(&mapping.filters)?;
    let batch = batch(mapping, &function);
    match &mapping.source {
        Source::Queue { name, max_concurrency } => Ok(vec![Poller::Queue(queue::Poller {
            arn: format!("arn:aws:sqs:{}:{}:{name}", functions.region(), names::ACCOUNT),
            queue: sources.queue(name).ok_or_else(|| format!("found no queue `{name}`"))?,
            function,
            filter,
            batch,
            window: mapping.window,
            partial: mapping.partial,
            at_once: max_concurrency.map_or(at_once, |most| usize::try_from(most.max(1)).unwrap_or(usize::MAX)),
        })]),
        Source::DataStream { name, records } => {
            let shards = sources.data_stream(name);
            if shards.is_empty() {
                return Err(format!("found no data stream `{name}`"));
            }
            lanes(mapping, records, &shards, (&function, &filter), sources, sightings)
        }
        Source::Stream { table, records } => {
            let stream = sources.stream(table).ok_or_else(|| format!("found no table `{table}` with a stream"))?;
            lanes(mapping, records, &[stream], (&function, &filter), sources, sightings)
        }
    }
}

/// The most records of an event. A request that is followed has its events for itself.
fn batch(mapping: &Mapping, function: &Called) -> usize {
    if function.follows { 1 } else { usize::try_from(mapping.batch.max(1)).unwrap_or(usize::MAX) }
}

/// A poller for each lane of each shard.
fn lanes(
    mapping: &Mapping,
    records: &RecordLimits,
    shards: &[Arc<dyn Stream>],
    (function, filter): (&Called, &Filter),
    sources: &dyn Sources,
    sightings: &Sightings,
) -> Result<Vec<Poller>, String> {
    let on_failure = records.on_failure.as_ref().map(|to| {
        let receiver = sources.receiver(to).ok_or_else(|| format!("found no queue, topic or bucket `{}`", to.name()))?;
        Ok::<_, String>((to.name().to_owned(), receiver))
    });
    let (on_failure, id) = (on_failure.transpose()?, names::uuid());
    let of = u64::from(records.parallel.max(1));
    let each = shards.iter().flat_map(|shard| (0..of).map(move |number| (shard, stream::Lane { number, of })));
    let poller = |(shard, lane): (&Arc<dyn Stream>, stream::Lane)| {
        Poller::Stream(stream::Poller {
            stream: Arc::clone(shard),
            beginning: if records.beginning == Beginning::Latest { shard.next() } else { 0 },
            lane,
            function: function.clone(),
            filter: filter.clone(),
            batch: batch(mapping, function),
            window: mapping.window,
            partial: mapping.partial,
            bisect: records.bisect,
            retries: records.retries,
            oldest: records.oldest,
            on_failure: on_failure.clone(),
            mapping: id.clone(),
            sightings: sightings.clone(),
        })
    };
    Ok(each.map(poller).collect())
}
