//! Starts and ends what runs while the handler runs: resource pressure, outages, and the timer of a
//! kill in the middle. It must cost nothing for an event that no fault applies to.

use std::sync::Arc;
use std::time::{Duration, Instant};

use faults::kinds::dependency::Outage;
use faults::kinds::resource::Pressure;
use faults::{Action, Death};
use timer::wait;
use tokio::net::TcpStream;

use crate::environment::Environment;
use crate::head::{deadline, request_id};
use crate::inject::context::{Context, Injection};
use crate::inject::kill::NOT_FOUND;
use crate::invocation::SharedInvocation;
use crate::ledger::Ledger;
use crate::lock::lock;
use crate::plan_sources::Plans;
use crate::platform::Platform;
use crate::runtime_process::RuntimeProcess;

/// An event on its way to the handler.
pub(crate) struct HandOver {
    request_id: String,
    injected: Option<(SharedInvocation, Option<Arc<RuntimeProcess>>)>,
}

/// Starts what runs while the handler runs; when this returns, it is in force. `None` if nothing
/// has to be known about the event.
pub(crate) async fn begin(
    environment: &Environment,
    platform: &Platform,
    plans: &Plans,
    runtime: &TcpStream,
    head: &[u8],
) -> Option<HandOver> {
    let (outbound, ledger) = (environment.outbound.as_ref(), &platform.ledger);
    if outbound.is_none() && !ledger.has_open() {
        return None;
    }
    let request_id = request_id(head)?.to_owned();
    if let Some(outbound) = outbound {
        outbound.outages.opened(&request_id, deadline(head));
    }
    let Some(record) = ledger.find(&request_id) else { return Some(HandOver { request_id, injected: None }) };
    let actions = lock(&record).actions();
    let runs = |action: &Action| matches!(action, Action::Kill(Death::Middle { .. }) | Action::Pressure(_) | Action::Disturb(_));
    if !actions.iter().any(runs) {
        return Some(HandOver { request_id, injected: None });
    }
    let process = RuntimeProcess::find(runtime).await.map(Arc::new);
    for (at, action) in actions.into_iter().enumerate() {
        let injection = Context { platform, plans, record: &record }.at(at);
        match action {
            Action::Pressure(pressure) => begin_pressure(environment, injection, pressure, process.as_deref()).await,
            Action::Disturb(outage) => begin_outage(environment, injection, outage),
            _ => continue,
        }
        end_with_its_fault(injection);
    }
    Some(HandOver { request_id, injected: Some((record, process)) })
}

/// Called when the event was handed over, or could not be.
pub(crate) async fn handed_over(environment: &Environment, platform: &Platform, plans: &Plans, hand_over: HandOver, handed: bool) {
    let HandOver { request_id, injected } = hand_over;
    if !handed {
        end(environment, &platform.ledger, &request_id).await;
        return;
    }
    let Some((record, process)) = injected else { return };
    let actions = lock(&record).actions();
    for (at, action) in actions.into_iter().enumerate() {
        if let Action::Kill(Death::Middle { after }) = action {
            kill_later(Context { platform, plans, record: &record }.at(at), after, process.clone());
        }
    }
    if let Some(process) = process {
        end_with_process(&record, process);
    }
}

/// The handler has answered the invocation with this id: ends and reaps everything that ran for it.
/// Returns its record, if one is open.
pub(crate) async fn end(environment: &Environment, ledger: &Ledger, request_id: &str) -> Option<SharedInvocation> {
    if let Some(outbound) = &environment.outbound {
        outbound.outages.closed(request_id);
    }
    let record = ledger.find(request_id)?;
    let running = std::mem::take(&mut lock(&record).running);
    running.end().await;
    Some(record)
}

async fn begin_pressure(environment: &Environment, injection: Injection<'_>, pressure: Pressure, process: Option<&RuntimeProcess>) {
    let began = Instant::now();
    let begun = environment.pressures.begin(pressure, process.map(RuntimeProcess::number)).await;
    let mut invocation = lock(injection.record());
    if let Some(line) = invocation.lines.get_mut(injection.at) {
        line.waited = began.elapsed();
        line.done = begun.is_ok();
    }
    match begun {
        Ok(load) => {
            if load.short {
                injection.note("a resource pressure takes less than it asks for: the environment has no more left");
            }
            invocation.running.add_load(injection.at, load);
        }
        Err(why) => injection.note(why),
    }
}

fn begin_outage(environment: &Environment, injection: Injection<'_>, outage: Outage) {
    match &environment.outbound {
        Some(outbound) => {
            let guard = outbound.outages.begin(outage, injection.record(), injection.at);
            lock(injection.record()).running.add_outage(injection.at, guard);
        }
        None => injection.note("the function's calls do not come through the extension: set `BROWNOUT_OUTBOUND` to `on`"),
    }
}

/// Ends what runs for a fault with that fault, even if the handler still runs.
fn end_with_its_fault(injection: Injection<'_>) {
    let (over, record, at) = (injection.over(), Arc::downgrade(injection.record()), injection.at);
    let task = tokio::spawn(async move {
        over.await;
        let Some(record) = record.upgrade() else { return };
        let ended = lock(&record).running.take(|place| place == at);
        ended.end().await;
    });
    lock(injection.record()).running.add_task(&task);
}

/// Kills the runtime's process after this time, unless the handler has answered or the fault has
/// ended by then.
fn kill_later(injection: Injection<'_>, after: Duration, process: Option<Arc<RuntimeProcess>>) {
    let Some(process) = process else { return injection.note(NOT_FOUND) };
    let ledger = Arc::clone(&injection.context.platform.ledger);
    let (over, record, at) = (injection.over(), Arc::downgrade(injection.record()), injection.at);
    let task = tokio::spawn(async move {
        tokio::select! {
            biased;
            _ = wait(after) => (),
            () = over => return,
        }
        let Some(record) = record.upgrade() else { return };
        lock(&record).set_done(at, true);
        // The environment dies with the runtime: this is the last chance to write the line.
        ledger.tell(&record);
        process.kill();
    });
    lock(injection.record()).running.add_task(&task);
}

/// Ends what runs for the handler when the runtime's process ends.
fn end_with_process(record: &SharedInvocation, process: Arc<RuntimeProcess>) {
    let weak = Arc::downgrade(record);
    let task = tokio::spawn(async move {
        process.ended().await;
        let Some(record) = weak.upgrade() else { return };
        let ended = lock(&record).running.take(|_| true);
        ended.end().await;
    });
    lock(record).running.add_task(&task);
}
