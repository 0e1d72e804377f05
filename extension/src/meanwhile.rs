//! What runs while the handler runs: pressures, outages and the clock of a death in the middle. All of it ends with the handler's answer,
//! or with the runtime's process; none of it may outlive its invocation.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::kinds::dependency::Outage;
use faults::kinds::resource::Pressure;
use faults::{Action, Death};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use crate::decide::deadline;
use crate::ledger::{Open, lock};
use crate::message::header;
use crate::outbound::Outbound;
use crate::outbound::weather::Raging;
use crate::pressure::{Pressing, Pressures};
use crate::proxy::Proxy;
use crate::runtime_process::RuntimeProcess;
use crate::settings::Settings;
use crate::start::Beginning;
use crate::wait::wait;

/// What acts on the environment and not on a message.
#[derive(Debug)]
pub struct Surroundings {
    pub(crate) beginning: Beginning,
    pub(crate) pressures: Pressures,
    pub(crate) outbound: Option<Arc<Outbound>>,
}

impl Surroundings {
    /// The surroundings that the settings describe.
    pub fn new(settings: &Settings, outbound: Option<Arc<Outbound>>) -> Self {
        let folder: PathBuf = settings.temporary_folder.clone();
        let pressures = Pressures::new(folder, settings.function_memory);
        Self { beginning: Beginning::of(settings.environment.clone()), pressures, outbound }
    }
}

/// What runs for one invocation. What is left of it ends on drop.
#[derive(Debug, Default)]
pub struct Meanwhile {
    /// Each with its fault's place among the invocation's.
    pressing: Vec<(usize, Pressing)>,
    raging: Vec<(usize, Raging)>,
    clocks: Vec<Clock>,
}

/// A task that is stopped on drop.
#[derive(Debug)]
struct Clock(AbortHandle);

impl Drop for Clock {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An event on its way to the handler.
pub(crate) struct Handing {
    request_id: String,
    struck: Option<(Open, Option<Arc<RuntimeProcess>>)>,
}

impl Proxy {
    /// Begins what runs while the handler runs; when this returns, it is in force. `None` where the event is nobody's concern.
    pub(crate) async fn hand_over_begins(&self, runtime: &TcpStream, head: &[u8]) -> Option<Handing> {
        let outbound = self.surroundings.outbound.as_ref();
        if outbound.is_none() && !self.ledger.has_open() {
            return None;
        }
        let request_id = header(head, "lambda-runtime-aws-request-id")?.to_owned();
        if let Some(outbound) = outbound {
            outbound.weather.opened(&request_id, deadline(head));
        }
        let Some(open) = self.ledger.find(&request_id) else { return Some(Handing { request_id, struck: None }) };
        let actions = lock(&open).actions();
        let concerns = |action: &Action| matches!(action, Action::Kill(Death::Middle { .. }) | Action::Press(_) | Action::Disturb(_));
        if !actions.iter().any(concerns) {
            return Some(Handing { request_id, struck: None });
        }
        let process = RuntimeProcess::find(runtime).await.map(Arc::new);
        for (at, action) in actions.into_iter().enumerate() {
            match action {
                Action::Press(pressure) => self.press(&open, at, pressure, process.as_deref()).await,
                Action::Disturb(outage) => self.disturb(&open, at, outage),
                _ => continue,
            }
            self.end_with_its_fault(&open, at);
        }
        Some(Handing { request_id, struck: Some((open, process)) })
    }

    /// The event was handed over, or could not be.
    pub(crate) async fn hand_over_ended(&self, handing: Option<Handing>, handed: bool) {
        let Some(Handing { request_id, struck }) = handing else { return };
        if !handed {
            self.answered(&request_id).await;
            return;
        }
        let Some((open, process)) = struck else { return };
        let actions = lock(&open).actions();
        for (at, action) in actions.into_iter().enumerate() {
            if let Action::Kill(Death::Middle { after }) = action {
                self.kill_later(&open, at, after, process.clone());
            }
        }
        if let Some(process) = process {
            watch(&open, process);
        }
    }

    /// The handler has answered the invocation with this id: whatever ran for it is ended and reaped. Its page, where one is open.
    pub(crate) async fn answered(&self, request_id: &str) -> Option<Open> {
        if let Some(outbound) = &self.surroundings.outbound {
            outbound.weather.closed(request_id);
        }
        let open = self.ledger.find(request_id)?;
        let meanwhile = std::mem::take(&mut lock(&open).meanwhile);
        meanwhile.end().await;
        Some(open)
    }

    async fn press(&self, open: &Open, at: usize, pressure: Pressure, process: Option<&RuntimeProcess>) {
        let began = Instant::now();
        let begun = self.surroundings.pressures.begin(pressure, process.map(RuntimeProcess::number)).await;
        let mut invocation = lock(open);
        if let Some(line) = invocation.lines.get_mut(at) {
            line.waited = began.elapsed();
            line.done = begun.is_ok();
        }
        match begun {
            Ok(pressing) => {
                if pressing.short {
                    self.ledger.note("a pressure takes less than it asks for: the environment has no more left");
                }
                invocation.meanwhile.pressing.push((at, pressing));
            }
            Err(why) => self.ledger.note(why),
        }
    }

    fn disturb(&self, open: &Open, at: usize, outage: Outage) {
        match &self.surroundings.outbound {
            Some(outbound) => {
                let raging = outbound.weather.rage(outage, open, at);
                lock(open).meanwhile.raging.push((at, raging));
            }
            None => self.ledger.note("the function's calls do not come through the extension: set `BROWNOUT_OUTBOUND` to `on`"),
        }
    }

    /// What runs for the fault at `at` ends with it, also where the handler runs on.
    fn end_with_its_fault(&self, open: &Open, at: usize) {
        let (over, page) = (self.over(open, at), Arc::downgrade(open));
        let clock = tokio::spawn(async move {
            over.await;
            let Some(open) = page.upgrade() else { return };
            let ended = lock(&open).meanwhile.take(|place| place == at);
            ended.end().await;
        });
        lock(open).meanwhile.clocks.push(Clock(clock.abort_handle()));
    }

    /// Kills the runtime's process after this time, unless the handler has answered or the fault is over by then.
    fn kill_later(&self, open: &Open, at: usize, after: Duration, process: Option<Arc<RuntimeProcess>>) {
        let Some(process) = process else { return self.ledger.note(NOT_FOUND) };
        let (ledger, page, over) = (Arc::clone(&self.ledger), Arc::downgrade(open), self.over(open, at));
        let clock = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = wait(after) => (),
                () = over => return,
            }
            let Some(open) = page.upgrade() else { return };
            if let Some(line) = lock(&open).lines.get_mut(at) {
                line.done = true;
            }
            // The environment dies with it: nothing can be said later.
            ledger.tell(&open);
            process.kill();
        });
        lock(open).meanwhile.clocks.push(Clock(clock.abort_handle()));
    }
}

/// Said where an action on the runtime's process comes to nothing.
pub(crate) const NOT_FOUND: &str = "the runtime's process is not found: the invocation passes untouched";

/// When the runtime's process ends, so does what runs for its handler.
fn watch(open: &Open, process: Arc<RuntimeProcess>) {
    let page = Arc::downgrade(open);
    let clock = tokio::spawn(async move {
        process.ended().await;
        let Some(open) = page.upgrade() else { return };
        let ended = lock(&open).meanwhile.take(|_| true);
        ended.end().await;
    });
    let mut invocation = lock(open);
    invocation.meanwhile.clocks.push(Clock(clock.abort_handle()));
}

impl Meanwhile {
    /// What runs for the faults at these places, without the clocks.
    fn take(&mut self, is_it: impl Fn(usize) -> bool) -> Self {
        let (pressing, raging);
        (pressing, self.pressing) = std::mem::take(&mut self.pressing).into_iter().partition(|(at, _)| is_it(*at));
        (raging, self.raging) = std::mem::take(&mut self.raging).into_iter().partition(|(at, _)| is_it(*at));
        Self { pressing, raging, clocks: Vec::new() }
    }

    async fn end(self) {
        drop(self.clocks);
        drop(self.raging);
        for (_, one) in self.pressing {
            one.end().await;
        }
    }
}
