//! Carries actions out: the only place that waits for a fault or puts other bytes in the place of those that came.
//! Nothing is kept per environment; what is known of an invocation hangs on its request id.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Buf;
use faults::{Action, Death, Facts, Moment};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::connection::Connection;
use crate::decide::{self, Who};
use crate::event::Event;
use crate::exchange::{self, Broken, Ended};
use crate::fail_open::Rescue;
use crate::ledger::{Ledger, Open, lock};
use crate::meanwhile::Surroundings;
use crate::message::RequestHead;
use crate::plan_sources::Plans;
use crate::route::Route;
use crate::strike::Held;
use crate::upstream::Upstream;
use crate::wait::{BEYOND_DEADLINE, wait_while};

/// How often a request is sent that lost its connection before a byte of an answer, where that is safe.
const TRIES: usize = 3;
/// A platform that drops a waiting `next` after this time is idle, one that drops it sooner is broken.
const A_WHILE: Duration = Duration::from_secs(1);

/// Everything that the connections share.
#[derive(Debug)]
pub struct Proxy {
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) plans: Plans,
    pub(crate) surroundings: Surroundings,
    parked: Mutex<VecDeque<Parked>>,
    /// Whether the ledger knows that the platform cannot be reached.
    unreachable: AtomicBool,
    pub(crate) rescue: Rescue,
}

/// A `next` that the runtime gave up: the event belongs to the next one who asks.
#[derive(Debug)]
enum Parked {
    /// The platform has not answered yet.
    Asked(Connection),
    /// It has, and nothing of the answer was handed on.
    Answered(Event),
}

/// What becomes of an event.
pub(crate) enum Fate {
    HandOver(Event),
    /// It was taken from the runtime, which gets another one.
    Gone,
}

/// Takes connections for ever.
pub async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let proxy = Arc::clone(&proxy);
                tokio::spawn(async move { proxy.serve_connection(Connection::new(stream)).await });
            }
            // No descriptor is left, for instance: that may pass.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

impl Proxy {
    /// A proxy in front of `upstream`.
    pub fn new(upstream: Arc<Upstream>, plans: Plans, ledger: Arc<Ledger>, surroundings: Surroundings) -> Self {
        let (parked, unreachable, rescue) = (Mutex::default(), AtomicBool::new(false), Rescue::default());
        Self { upstream, ledger, plans, surroundings, parked, unreachable, rescue }
    }

    async fn serve_connection(&self, mut runtime: Connection) {
        while let Ok(Some(length)) = runtime.read_head().await {
            let read = RequestHead::read(&runtime.buffer, length).map(|request| request.tidied(&mut runtime.buffer));
            let Ok(request) = read else {
                let _ = runtime.stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
                return;
            };
            match self.serve_request(&mut runtime, &request).await {
                Ok(ended) if ended.keep_runtime => (),
                // Without an answer the connection just ends, as it would if the runtime had spoken to the platform itself.
                Ok(_) => return,
                Err(broken) => return self.say(broken),
            }
        }
    }

    /// Notes what the platform did that ended a runtime's connection; that it cannot be reached is noted already.
    fn say(&self, broken: Broken) {
        let what = match broken {
            Broken::Unsent | Broken::Unanswered => "closed a connection without an answer",
            Broken::Platform if !self.unreachable.load(Ordering::Relaxed) => "broke off an answer, or sent one that is not HTTP/1",
            Broken::Platform | Broken::Runtime | Broken::RuntimeBeforeAnswer => return,
        };
        self.ledger.note(&format!("the platform {what}: the runtime's connection ends as well"));
    }

    async fn serve_request(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        let route = Route::of(request.method(&runtime.buffer), request.path(&runtime.buffer));
        let open = match route {
            Route::Next if request.body.is_done() => return self.next(runtime, request).await,
            Route::Response(id) => self.answered(id).await.map(|open| (open, true)),
            Route::Error(id) => self.answered(id).await.map(|open| (open, false)),
            Route::Restored => {
                let ended = self.pass(runtime, request).await;
                self.restored();
                return ended;
            }
            Route::Next | Route::Other => None,
        };
        match open {
            Some((open, is_response)) => self.struck_or_untouched(runtime, request, &open, is_response).await,
            None => self.pass(runtime, request).await,
        }
    }

    /// Carries a request over and its answer back.
    pub(crate) async fn pass(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        let safe_to_repeat = request.body.is_done() && request.is_idempotent(&runtime.buffer);
        for _ in 0..TRIES {
            let mut platform = self.platform().await?;
            match exchange::carry(runtime, request, &mut platform).await {
                Ok(ended) => {
                    self.keep(platform, ended);
                    return Ok(ended);
                }
                Err(Broken::Unsent) => (),
                Err(Broken::Unanswered) if safe_to_repeat => (),
                Err(broken) => return Err(broken),
            }
        }
        Err(Broken::Unanswered)
    }

    /// A connection to the platform. The first of several failures in a row is noted.
    pub(crate) async fn platform(&self) -> Result<Connection, Broken> {
        let taken = self.upstream.take().await;
        if self.unreachable.swap(taken.is_err(), Ordering::Relaxed) != taken.is_err()
            && let Err(error) = &taken
        {
            self.ledger.note(&format!("the platform cannot be reached ({})", error.kind()));
        }
        taken.map_err(|_| Broken::Platform)
    }

    pub(crate) fn keep(&self, platform: Connection, ended: Ended) {
        if ended.keep_platform {
            self.upstream.give_back(platform);
        }
    }

    /// Answers a `next`: with the first event that is not taken away from the runtime.
    async fn next(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        self.first_next(runtime).await?;
        loop {
            let event = self.event(runtime, request).await?;
            let mut event = match self.fate_or_untouched(runtime, event).await? {
                Fate::HandOver(event) => event,
                Fate::Gone => continue,
            };
            let handing = self.hand_over_begins(&runtime.stream, event.head_bytes()).await;
            let handed = event.hand_over(runtime).await;
            self.hand_over_ended(handing, handed.is_ok()).await;
            return match handed {
                Ok(ended) => {
                    let ended = ended.after(request);
                    runtime.buffer.advance(request.length);
                    event.release(&self.upstream, ended);
                    Ok(ended)
                }
                Err(Broken::RuntimeBeforeAnswer) => {
                    self.park(Parked::Answered(event));
                    Err(Broken::RuntimeBeforeAnswer)
                }
                Err(broken) => Err(broken),
            };
        }
    }

    /// Waits for the platform's answer to `next`, for hours if need be.
    async fn event(&self, runtime: &Connection, request: &RequestHead) -> Result<Event, Broken> {
        let mut broken = Broken::Unanswered;
        let asking = runtime.buffer.get(..request.length).unwrap_or_default();
        let mut tries = 0;
        while tries < TRIES {
            let asked = Instant::now();
            tries += 1;
            let parked = lock(&self.parked).pop_front();
            let mut platform = match parked {
                Some(Parked::Answered(event)) => return Ok(event),
                Some(Parked::Asked(platform)) => platform,
                None => {
                    let mut platform = self.platform().await?;
                    if platform.stream.write_all(asking).await.is_err() {
                        continue;
                    }
                    platform
                }
            };
            match exchange::await_answer(runtime, &mut platform, false).await {
                Ok(head) => return Ok(Event::new(platform, head)),
                Err(Broken::Runtime) => {
                    self.park(Parked::Asked(platform));
                    return Err(Broken::Runtime);
                }
                // The platform's connection was dropped, and no event with it: ask again, for ever if it has at least lasted a while.
                Err(other) => {
                    broken = other;
                    if asked.elapsed() > A_WHILE {
                        tries = 0;
                    }
                }
            }
        }
        Err(broken)
    }

    /// An event that is there goes before one that may come hours later.
    fn park(&self, parked: Parked) {
        let mut all = lock(&self.parked);
        match parked {
            Parked::Answered(_) => all.push_front(parked),
            Parked::Asked(_) => all.push_back(parked),
        }
    }

    /// An event that is handed over once more, to the first who asks.
    pub(crate) fn park_again(&self, event: Event) {
        self.park(Parked::Answered(event));
    }

    /// Decides about an event and does what comes before the handler.
    pub(crate) async fn fate(&self, runtime: &Connection, mut event: Event) -> Result<Fate, Broken> {
        let Some(open) = self.decide(&mut event).await? else { return Ok(Fate::HandOver(event)) };
        let actions = lock(&open).actions();
        for (at, action) in actions.iter().enumerate() {
            let Action::Wait { moment: Moment::Before, time } = action else { continue };
            match self.hold(runtime, &open, at, *time).await {
                Held::Fully => (),
                Held::Over => return Ok(self.as_it_is(event, &open)),
                Held::Abandoned => return self.abandon(event, &open),
            }
        }
        let keeps = |action: &Action| matches!(action, Action::Refuse { .. } | Action::HoldOfDeadline { .. } | Action::Kill(Death::Before));
        let last = actions.into_iter().enumerate().find(|(_, action)| keeps(action));
        match last {
            Some((at, Action::Refuse { error_type, message })) => {
                self.refuse(event, &open, at, &error_type, &message).await;
                Ok(Fate::Gone)
            }
            Some((at, Action::HoldOfDeadline { share })) => self.hold_of_deadline(runtime, event, &open, at, share).await,
            // The event dies with the runtime: it was the platform's last one for this environment.
            Some((at, Action::Kill(_))) if self.kill_before(runtime, &open, at).await => Err(Broken::Runtime),
            _ => self.to_the_handler(event, &open).await,
        }
    }

    /// An event that goes to the handler, edited and kept as the faults want it. Where nothing is left to be done after it, its fate is known:
    /// should the runtime die, the books are complete.
    async fn to_the_handler(&self, mut event: Event, open: &Open) -> Result<Fate, Broken> {
        self.bar(&mut event, open).await?;
        self.edit(&mut event, open).await?;
        self.keep_for_second(&mut event, open).await?;
        Ok(self.as_it_is(event, open))
    }

    fn as_it_is(&self, mut event: Event, open: &Open) -> Fate {
        event.decided = true;
        let settled = lock(open).is_settled();
        if settled {
            self.ledger.tell(open);
        }
        Fate::HandOver(event)
    }

    /// The runtime went away while an event was held: the next `next` gets it, and it is decided about again.
    fn abandon(&self, mut event: Event, open: &Open) -> Result<Fate, Broken> {
        event.decided = lock(open).told;
        self.ledger.forget(open);
        self.park(Parked::Answered(event));
        Err(Broken::Runtime)
    }

    async fn hold_of_deadline(&self, runtime: &Connection, event: Event, open: &Open, at: usize, share: f64) -> Result<Fate, Broken> {
        let deadline = lock(open).deadline;
        let Some(deadline) = deadline else {
            self.ledger.note("an event without a deadline cannot be held until it");
            return self.to_the_handler(event, open).await;
        };
        let left = deadline.saturating_duration_since(Instant::now());
        match self.hold(runtime, open, at, left.mul_f64(share.clamp(0.0, 1.0))).await {
            Held::Abandoned => return self.abandon(event, open),
            Held::Over => return Ok(self.as_it_is(event, open)),
            Held::Fully if share < 1.0 => return self.to_the_handler(event, open).await,
            Held::Fully => (),
        }
        // Too late for the handler, and the platform has let us live: the runtime gets another event.
        self.ledger.tell(open);
        event.discard(&self.upstream).await;
        wait_while(BEYOND_DEADLINE, &runtime.stream).await;
        Ok(Fate::Gone)
    }

    /// What is decided about an event, with its page in the ledger; `None` where it passes untouched.
    async fn decide(&self, event: &mut Event) -> Result<Option<Open>, Broken> {
        if event.head.status != 200 || event.decided {
            return Ok(None);
        }
        let place = self.ledger.count();
        let plan = self.plans.in_force().await;
        let plan = plan.filter(|plan| plan.plan.concerns(self.ledger.function()));
        if plan.is_none() && place > 1 {
            return Ok(None);
        }
        let Some(who) = Who::read(event.head_bytes()) else { return Ok(None) };
        if place == 1 {
            self.ledger.say_cold(&who);
        }
        let Some(plan) = plan else { return Ok(None) };
        let deadline = decide::deadline(event.head_bytes());
        let decide = |facts: Facts<'_>| decide::decide(&plan, &self.ledger, who, deadline, &facts.at_place(place));
        let decided = event.known(&self.upstream, plan.places(self.ledger.function()), decide).await?;
        Ok(decided.map(|invocation| self.ledger.open(invocation)))
    }
}
