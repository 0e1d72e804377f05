//! Strikes a service's calls by the plan in force. It decides nothing: the plan does; and it never touches a call that no fault is about.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use faults::ledger::Eligible;
use faults::{Action, Decision, Entry, Identity, Moment, Plan, Start};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::wait::wait;
use super::wire::{Answer, Call, REST_JSON, Service};
use crate::plan_watch::PlanWatch;

/// A service behind its faults.
pub struct Neighbour {
    /// The name in a plan's place, such as `dynamodb`.
    pub name: &'static str,
    /// The content type of its errors.
    pub content_type: &'static str,
    /// The service.
    pub service: Arc<dyn Service>,
}

/// Strikes calls and writes down what was done to each.
pub struct Striker {
    plan: PlanWatch,
    ledger: UnboundedSender<Entry>,
    /// A call that is struck goes on when its caller hangs up, as it does at AWS; these end with the striker.
    struck: Mutex<JoinSet<()>>,
}

impl Striker {
    /// Strikes by `plan`.
    pub fn new(plan: PlanWatch, ledger: UnboundedSender<Entry>) -> Self {
        Self { plan, ledger, struck: Mutex::new(JoinSet::new()) }
    }

    /// Answers a call, struck or not.
    pub async fn answer(&self, neighbour: &Arc<Neighbour>, call: Call) -> Answer {
        let Some(plan) = self.plan.current() else { return neighbour.service.answer(&call).await };
        let identity = call.root.as_deref().unwrap_or(&call.request_id);
        let decisions = plan.decide_call(neighbour.name, &call.operation, Identity(identity));
        if decisions.is_empty() {
            return neighbour.service.answer(&call).await;
        }
        let (answered, answer) = oneshot::channel();
        let (ledger, content_type) = (self.ledger.clone(), neighbour.content_type);
        let neighbour = Arc::clone(neighbour);
        {
            let mut struck = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
            while struck.try_join_next().is_some() {}
            struck.spawn(async move {
                let _ = answered.send(strike(&neighbour, &call, &plan, decisions, &ledger).await);
            });
        }
        answer.await.unwrap_or_else(|_| Answer::error(content_type, 500, "InternalFailure", "the services are going down"))
    }
}

/// One decision and what became of it.
struct Done {
    decision: Decision,
    waited: Duration,
    done: bool,
}

async fn strike(neighbour: &Neighbour, call: &Call, plan: &Plan, decisions: Vec<Decision>, ledger: &UnboundedSender<Entry>) -> Answer {
    let mut all: Vec<Done> = decisions.into_iter().map(|decision| Done { decision, waited: Duration::ZERO, done: true }).collect();
    hold(&mut all, Moment::Before).await;
    let refusal = all.iter().find_map(|it| match &it.decision.action {
        Action::Refuse { error_type, message } => Some(failure(neighbour, error_type, message)),
        _ => None,
    });
    let refused = refusal.is_some();
    let mut answer = match refusal {
        Some(refusal) => refusal,
        None => neighbour.service.answer(call).await,
    };
    if !refused {
        hold(&mut all, Moment::After).await;
    }
    for it in &mut all {
        match &it.decision.action {
            Action::LoseAnswer { error_type, message } if !refused => answer = failure(neighbour, error_type, message),
            // Another fault refused the call first, or the action is one for functions only.
            Action::LoseAnswer { .. } | Action::Wait { moment: Moment::After, .. } => it.done = !refused,
            Action::Pass | Action::Refuse { .. } | Action::Wait { moment: Moment::Before, .. } => {}
            _ => it.done = false,
        }
    }
    for it in all {
        // A ledger that nobody reads any more is no reason not to answer.
        let _ = ledger.send(Entry::Eligible(entry(call, plan, it)));
    }
    answer
}

async fn hold(all: &mut [Done], now: Moment) {
    for it in all {
        if let Action::Wait { moment, time } = it.decision.action
            && moment == now
        {
            it.waited = wait(time).await;
        }
    }
}

fn entry(call: &Call, plan: &Plan, it: Done) -> Eligible {
    let place = plan.faults.iter().find(|fault| fault.name == it.decision.fault).map(|fault| fault.place.to_string());
    Eligible {
        run: plan.run.clone(),
        sequence: plan.sequence,
        request_id: call.request_id.clone(),
        root: call.root.clone(),
        place: place.unwrap_or_default(),
        arm: it.decision.arm,
        action: it.decision.action.name().to_owned(),
        fault: it.decision.fault,
        waited_us: u64::try_from(it.waited.as_micros()).unwrap_or(u64::MAX),
        start: Start::Warm,
        done: it.done,
        message: None,
    }
}

/// The status that the service would send with such an exception; an unknown one is an internal error.
fn failure(neighbour: &Neighbour, error_type: &str, message: &str) -> Answer {
    let named = |part: &str| error_type.contains(part);
    let status = match error_type {
        _ if named("Unavailable") => 503,
        _ if named("Throttl") || named("TooManyRequests") || named("LimitExceeded") || named("ThroughputExceeded") => {
            if neighbour.content_type == REST_JSON { 429 } else { 400 }
        }
        _ => 500,
    };
    Answer::error(neighbour.content_type, status, error_type, message)
}
