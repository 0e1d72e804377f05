//! The environments of one function: which are idle, which invocations wait for one, and when
//! another is started. It knows nothing of processes or sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::oneshot;

use super::deployed::Deployed;
use super::environment::{Environment, Phase};
use super::invocation::{Failure, Invocation, InvokeError, Waits};
use super::life;
use super::lines::Outcome;

/// Lambda's limit for the start of an environment. Source: Lambda, "Understanding the Lambda
/// execution environment lifecycle".
const INIT: Duration = Duration::from_secs(10);
/// How many environments may fail to start for an invocation: Lambda repeats a failed start once, as
/// a part of the invocation, with the function's timeout as its limit. Source: as above.
const STARTS: u32 = 2;
/// A function whose starts fail one after the other waits before the next: longer and longer, up to
/// this. Starts without a pause would take the machine from the functions that work.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many environments a function has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Environments {
    /// All that exist.
    pub all: usize,
    /// Those that start.
    pub starting: usize,
    /// Those that have an event.
    pub running: usize,
    /// Events that wait for an environment.
    pub waiting: usize,
}

#[derive(Debug)]
struct Idle {
    environment: Arc<Environment>,
    since: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    /// The most recently used one is last and is taken first, as Lambda does, so that the others
    /// can expire.
    idle: Vec<Idle>,
    queue: VecDeque<Invocation>,
    all: Vec<Arc<Environment>>,
    starting: usize,
    running: usize,
    warming: Vec<oneshot::Sender<Result<(), String>>>,
    /// How many starts have failed since the last that did not.
    failed_starts: u32,
    closed: bool,
}

/// The environments of one function.
#[derive(Debug)]
pub(crate) struct Pool {
    pub deployed: Arc<Deployed>,
    /// How many may start at once. A start needs nothing but CPU time. If a short burst started one
    /// environment for each waiting invocation, the starts would slow the working environments
    /// down, more invocations would wait, and a delay of milliseconds would become one of 0.3 s.
    starts_at_once: usize,
    inner: Mutex<Inner>,
}

impl Pool {
    /// A function without any environment.
    pub(crate) fn new(deployed: Arc<Deployed>) -> Arc<Self> {
        let starts_at_once = std::thread::available_parallelism().map_or(2, usize::from).max(2);
        Arc::new(Self { deployed, starts_at_once, inner: Mutex::default() })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing panics while it holds the lock; even then the state would be consistent.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> usize {
        usize::try_from(self.deployed.function.concurrency.max(1)).unwrap_or(usize::MAX)
    }

    /// How many invocations can run at once, neither throttled nor waiting for one another.
    pub(crate) fn at_once(&self) -> usize {
        let reserved = self.deployed.function.reserved.map_or(usize::MAX, |reserved| usize::try_from(reserved).unwrap_or(usize::MAX));
        // With a limit of 0 every invocation is throttled. At least one must run to find that out.
        self.limit().min(reserved).max(1)
    }

    /// How many environments it has now.
    pub(crate) fn environments(&self) -> Environments {
        let inner = self.inner();
        Environments { all: inner.all.len(), starting: inner.starting, running: inner.running, waiting: inner.queue.len() }
    }

    /// Takes an invocation: passes it to an idle environment, or queues it.
    pub(crate) fn submit(self: &Arc<Self>, mut invocation: Invocation) -> Result<(), InvokeError> {
        let counts = &self.deployed.machine.counts;
        counts.invocations.add();
        let mut inner = self.inner();
        if inner.closed {
            return Err(InvokeError::Stopped);
        }
        if let Some(missing) = &self.deployed.missing {
            drop(inner);
            // As Lambda answers for a runtime that cannot be started.
            self.deployed.log.write(format!("{missing}\n").as_bytes());
            invocation.fail(&Failure::Start(missing.to_string()));
            return Ok(());
        }
        let in_use = inner.running + inner.queue.len();
        if self.deployed.function.reserved.is_some_and(|reserved| in_use >= usize::try_from(reserved).unwrap_or(usize::MAX)) {
            counts.throttled.add();
            return Err(InvokeError::Throttled);
        }
        while let Some(idle) = inner.idle.pop() {
            match idle.environment.hand(invocation) {
                None => {
                    inner.running += 1;
                    return Ok(());
                }
                Some(back) => invocation = back,
            }
        }
        // It waits for an environment that another invocation uses. Lambda would have started one
        // for it, so this machine is the bottleneck.
        let no_more = inner.all.len() >= self.limit() || inner.starting >= self.starts_at_once;
        invocation.at_limit = invocation.waits == Waits::Machine && inner.queue.len() >= inner.starting && no_more;
        inner.queue.push_back(invocation);
        self.start_for_queue(&mut inner);
        Ok(())
    }

    fn start_for_queue(self: &Arc<Self>, inner: &mut Inner) {
        let wanted = |inner: &Inner| inner.queue.len().min(self.starts_at_once);
        while !inner.closed && inner.starting < wanted(inner) && inner.all.len() < self.limit() {
            self.start(inner);
        }
    }

    fn start(self: &Arc<Self>, inner: &mut Inner) {
        let repeats = inner.queue.front().is_some_and(|first| first.failed_starts > 0);
        let limit = if repeats { self.deployed.function.timeout } else { INIT };
        let environment = Arc::new(Environment::new(Arc::clone(&self.deployed), limit));
        inner.all.push(Arc::clone(&environment));
        inner.starting += 1;
        self.deployed.machine.counts.environments.add();
        tokio::spawn(life::live(Arc::clone(self), environment, pause(inner.failed_starts), Arc::clone(&self.deployed.machine.alive)));
    }

    /// Starts environments until there are `count`, but not more than the function's limit; none of a
    /// function that cannot run here.
    pub(crate) fn warm(self: &Arc<Self>, count: u32) -> Vec<oneshot::Receiver<Result<(), String>>> {
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(self.limit());
        let mut started = Vec::new();
        let mut inner = self.inner();
        while !inner.closed && self.deployed.missing.is_none() && inner.all.len() < count {
            let (sender, receiver) = oneshot::channel();
            inner.warming.push(sender);
            started.push(receiver);
            self.start(&mut inner);
        }
        started
    }

    /// An environment waits for an event: it gets the next one in the queue, or becomes idle.
    pub(crate) fn settled(self: &Arc<Self>, environment: &Arc<Environment>, before: Phase) {
        let mut inner = self.inner();
        if before == Phase::Starting {
            inner.starting -= 1;
            inner.failed_starts = 0;
            // The receiver may be gone.
            let _ = inner.warming.pop().map(|warming| warming.send(Ok(())));
        } else {
            inner.running -= 1;
        }
        if environment.phase() == Phase::Ending {
            return;
        }
        if let Some(invocation) = inner.queue.pop_front() {
            match environment.hand(invocation) {
                None => inner.running += 1,
                // The environment is shutting down; `gone` starts the next one for the queue.
                Some(back) => inner.queue.push_front(back),
            }
            self.start_for_queue(&mut inner);
            return;
        }
        environment.freeze();
        inner.idle.push(Idle { environment: Arc::clone(environment), since: Instant::now() });
    }

    /// An environment is shutting down; `before` is its phase until then. Its place is free at
    /// once.
    pub(crate) fn gone(self: &Arc<Self>, environment: &Arc<Environment>, before: Phase, failure: Option<&Failure>) {
        let mut inner = self.inner();
        inner.all.retain(|other| !Arc::ptr_eq(other, environment));
        inner.idle.retain(|idle| !Arc::ptr_eq(&idle.environment, environment));
        match before {
            Phase::Busy => inner.running -= 1,
            Phase::Starting => {
                inner.starting -= 1;
                if let Some(failure) = failure {
                    inner.failed_starts = inner.failed_starts.saturating_add(1);
                    Self::failed(&mut inner, environment, failure);
                }
            }
            Phase::Idle | Phase::Ending => {}
        }
        self.start_for_queue(&mut inner);
    }

    /// An environment did not start. The caller of `warm` learns why, and so does the first
    /// invocation, at the second time. A start that only took too long is no reason not to deploy:
    /// the first invocation starts it anew. Source: Lambda, "Understanding the execution environment
    /// lifecycle".
    fn failed(inner: &mut Inner, environment: &Environment, failure: &Failure) {
        if let Some(warming) = inner.warming.pop() {
            let took_long = matches!(failure, Failure::TimedOut(_));
            let why = || Err(String::from_utf8_lossy(&failure.payload("")).into_owned());
            // The receiver may be gone.
            let _ = warming.send(if took_long { Ok(()) } else { why() });
        }
        let Some(mut invocation) = inner.queue.pop_front() else { return };
        invocation.failed_starts += 1;
        if invocation.failed_starts < STARTS {
            inner.queue.push_front(invocation);
            return;
        }
        let version = environment.deployed.executed(invocation.qualifier.as_deref());
        environment.lines.begin(&invocation.request_id, version, invocation.tail.take(), environment.began);
        environment.lines.finish(Outcome::Failed(failure), None);
        invocation.fail(failure);
    }

    /// Ends the environments that were idle for too long.
    pub(crate) fn sweep(&self) {
        let limit = self.deployed.function.idle;
        self.inner().idle.retain(|idle| {
            let stays = idle.since.elapsed() < limit;
            if !stays {
                idle.environment.end.notify_one();
            }
            stays
        });
    }

    /// Takes no more invocations and ends all environments. Waiting invocations get no answer.
    pub(crate) fn close(&self) {
        let mut inner = self.inner();
        inner.closed = true;
        inner.queue.clear();
        inner.warming.clear();
        for environment in &inner.all {
            environment.end.notify_one();
        }
    }

    /// True once it takes no more invocations.
    pub(crate) fn is_closed(&self) -> bool {
        self.inner().closed
    }
}

/// The pause before a start after so many starts that failed: none for the first invocation's two.
fn pause(failed: u32) -> Duration {
    let doubled = failed.checked_sub(STARTS).map(|more| Duration::from_millis(50).saturating_mul(2_u32.saturating_pow(more)));
    doubled.map_or(Duration::ZERO, |pause| pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_that_fail_wait_longer_and_longer() {
        let pauses = [0, 1, 2, 3, 4, 8, 100].map(|failed| pause(failed).as_millis());
        assert_eq!(pauses, [0, 0, 50, 100, 200, 2000, 2000]);
    }
}
