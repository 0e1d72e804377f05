//! Asynchronous invocations: the caller gets its answer at once, and an event that fails is retried
//! as the function says. What became of it goes to the function's destinations and its dead-letter
//! queue; without them it is lost, as at AWS.

mod record;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use template::blueprint::Target;
use tokio::task::JoinSet;

use self::record::{Condition, Done};
use super::functions::Functions;
use super::invocation::{Invocation, InvokeError, Invoked};
use crate::Compressed;
use crate::deliver::{Deliver, Delivery};

/// The waits before the retries of a failed event. Source: Lambda, "How Lambda handles errors and
/// retries with asynchronous invocation": one minute before the second attempt, two before the
/// third.
const RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

/// A throttled event is retried after a second, then after longer and longer waits of up to five
/// minutes, for six hours by default. Source: as above.
const THROTTLED: Duration = Duration::from_secs(1);
const THROTTLED_LONGEST: Duration = Duration::from_secs(300);
const LIFE: Duration = Duration::from_secs(6 * 3600);

/// The accepted events of one platform that are not done yet.
#[derive(Debug)]
pub(crate) struct Asynchronous {
    compressed: Compressed,
    deliver: Deliver,
    under_way: Mutex<JoinSet<()>>,
}

/// An event that was accepted.
struct Accepted {
    function: String,
    qualifier: Option<String>,
    request_id: String,
    event: Bytes,
    trace: String,
    client_context: Option<String>,
}

/// How an event ended.
struct Ended {
    condition: Condition,
    invocations: u32,
    answer: Option<Invoked>,
}

impl Asynchronous {
    /// No events yet. The waits between attempts are compressed like a queue's.
    pub(crate) fn new(compressed: Compressed, deliver: Deliver) -> Self {
        Self { compressed, deliver, under_way: Mutex::default() }
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, JoinSet<()>> {
        // Nothing panics while it holds the lock; even then the tasks would be consistent.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts an event for a function.
    ///
    /// # Errors
    /// If the function, or its alias or version, does not exist.
    pub(crate) fn accept(
        functions: &Arc<Functions>,
        function: &str,
        qualifier: Option<String>,
        event: Bytes,
        trace: String,
        client_context: Option<String>,
    ) -> Result<(), InvokeError> {
        functions.find(function, qualifier.as_deref())?;
        let request_id = super::names::uuid();
        let accepted = Accepted { function: function.to_owned(), qualifier, request_id, event, trace, client_context };
        if let Some(follow) = functions.machine.follow.get() {
            follow.accepted(&accepted.function, &accepted.request_id, &accepted.trace);
        }
        let mut under_way = functions.asynchronous.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.spawn(accepted.see_through(Arc::downgrade(functions), functions.asynchronous.compressed));
        Ok(())
    }

    /// Cancels the events that are not done.
    pub(crate) async fn end(&self) {
        let mut under_way = std::mem::take(&mut *self.under_way());
        under_way.shutdown().await;
    }
}

impl Accepted {
    async fn see_through(self, functions: Weak<Functions>, compressed: Compressed) {
        if let Some(ended) = self.attempts(&functions, compressed).await
            && let Some(functions) = functions.upgrade()
        {
            self.tell(&functions, &ended);
            if let Some(follow) = functions.machine.follow.get() {
                follow.settled(&self.function, &self.request_id, &self.trace);
            }
        }
    }

    /// Tries until it is done; `None` if the platform ends before.
    async fn attempts(&self, functions: &Weak<Functions>, compressed: Compressed) -> Option<Ended> {
        let (settings, never_runs) = {
            let functions = functions.upgrade()?;
            let function = &functions.pools.get(&self.function)?.deployed.function;
            (function.asynchronous.clone(), function.reserved == Some(0))
        };
        // Source: Lambda, "Configuring reserved concurrency": such events are not retried.
        if never_runs {
            return Some(Ended { condition: Condition::ZeroReservedConcurrency, invocations: 0, answer: None });
        }
        let most = settings.retries.map_or(RETRIES.len(), |retries| usize::try_from(retries).unwrap_or(RETRIES.len()));
        let oldest = compressed.queue(settings.oldest.unwrap_or(LIFE));
        let (accepted, mut retries, mut throttled) = (Instant::now(), RETRIES.into_iter().take(most), THROTTLED);
        let (mut invocations, mut last) = (0, None);
        loop {
            let wait = match self.attempt(functions).await {
                Ok(invoked) => {
                    invocations += 1;
                    let failed = invoked.failed;
                    last = Some(invoked);
                    let condition = if failed { Condition::RetriesExhausted } else { Condition::Success };
                    match retries.next().filter(|_| failed) {
                        Some(wait) => wait,
                        None => return Some(Ended { condition, invocations, answer: last }),
                    }
                }
                Err(InvokeError::Throttled) => {
                    let longer = (throttled * 2).min(THROTTLED_LONGEST);
                    std::mem::replace(&mut throttled, longer)
                }
                Err(_) => return None,
            };
            let wait = compressed.queue(wait);
            if accepted.elapsed() + wait > oldest {
                tokio::time::sleep(oldest.saturating_sub(accepted.elapsed())).await;
                return Some(Ended { condition: Condition::EventAgeExceeded, invocations, answer: last });
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// All attempts have the same request id, as at AWS.
    async fn attempt(&self, functions: &Weak<Functions>) -> Result<Invoked, InvokeError> {
        let answer = {
            let functions = functions.upgrade().ok_or(InvokeError::Stopped)?;
            let (mut invocation, answer) = Invocation::new(self.event.clone(), Some(&self.trace), self.client_context.clone());
            invocation.request_id.clone_from(&self.request_id);
            invocation.qualifier.clone_from(&self.qualifier);
            functions.take(&self.function, invocation)?;
            answer
        };
        answer.await.map_err(|_| InvokeError::Stopped)
    }

    /// Tells the destination, and the dead-letter queue besides.
    fn tell(&self, functions: &Arc<Functions>, ended: &Ended) {
        let Some(pool) = functions.pools.get(&self.function) else { return };
        let deployed = &pool.deployed;
        let settings = &deployed.function.asynchronous;
        let version = deployed.executed(self.qualifier.as_deref());
        let arn = deployed.invoked(Some(self.qualifier.as_deref().unwrap_or(version)));
        let done = Done {
            function: &self.function,
            arn: &arn,
            request_id: &self.request_id,
            version,
            condition: ended.condition,
            invocations: ended.invocations,
            event: &self.event,
            answer: ended.answer.as_ref().map(|answer| (&answer.payload[..], answer.failed)),
        };
        let failed = ended.condition != Condition::Success;
        let destination = if failed { &settings.on_failure } else { &settings.on_success };
        let told = destination.iter().map(|to| (to, done.record(to)));
        for (to, delivery) in told.chain(settings.dead_letters.iter().filter(|_| failed).map(|to| (to, done.dead_letter()))) {
            if let Err(why) = self.hand_on(functions, to, &delivery) {
                deployed.log.write(format!("brownout: what became of event {} went nowhere: {why}\n", self.request_id).as_bytes());
            }
        }
    }

    fn hand_on(&self, functions: &Arc<Functions>, to: &Target, delivery: &Delivery) -> Result<(), String> {
        match to {
            Target::Function(name) => {
                let (name, qualifier) = super::names::reference(name);
                let qualifier = qualifier.map(str::to_owned);
                let accepted =
                    Asynchronous::accept(functions, name, qualifier, Bytes::from(delivery.body.clone()), self.trace.clone(), None);
                accepted.map_err(|why| why.to_string())
            }
            other => functions.asynchronous.deliver.deliver(other, delivery).map_err(|why| why.to_string()),
        }
    }
}
