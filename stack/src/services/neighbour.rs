//! Applies the plan in force to a service's calls. The plan decides, not this module, and a call
//! that no fault applies to is never touched.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use faults::cases::Caller;
use faults::ledger::{Decided, OfFault};
use faults::{Action, Decision, Entry, Identity, Moment, Plan, Start};
use run_folder::cause;
use timer::wait;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::calls::Calls;
use super::wire::{Answer, Call, JSON_1_0, JSON_1_1, REST_JSON, Service};
use crate::plan_watch::PlanWatch;
use crate::{Seen, Sightings};

/// Applies faults to calls and records what was done to each.
pub struct Striker {
    plan: PlanWatch,
    ledger: UnboundedSender<Entry>,
    sightings: Sightings,
    calls: Mutex<Calls>,
    /// Struck calls, which continue when their caller hangs up, as at AWS; they end with the
    /// striker.
    struck: Mutex<JoinSet<()>>,
}

impl Striker {
    /// Applies the faults of `plan`; each call is reported to `sightings` if they follow requests.
    pub fn new(plan: PlanWatch, ledger: UnboundedSender<Entry>, sightings: Sightings) -> Self {
        Self { plan, ledger, sightings, calls: Mutex::default(), struck: Mutex::new(JoinSet::new()) }
    }

    /// Answers a call, with or without faults.
    pub async fn answer(&self, service: &Arc<dyn Service>, call: Call) -> Answer {
        let described = service.described();
        let caller = Caller { function: call.function.as_deref(), delivery: call.delivery };
        let origin = Origin { request_id: &call.request_id, root: call.root.as_deref(), caller };
        let Some(struck) = self.decide(described.name, &call.operation, &origin) else {
            return cause::with(call.root.as_deref(), service.answer(&call)).await;
        };
        let (content_type, service) = (described.content_type(), Arc::clone(service));
        let act = async move { service.answer(&call).await };
        let fail = move |error_type: &str, message: &str| {
            Answer::error(content_type, failure_status(error_type, content_type), error_type, message)
        };
        let down = || Answer::error(content_type, 500, "InternalFailure", "the services are going down");
        self.carry_out(struck, act, fail).await.unwrap_or_else(down)
    }

    /// What the plan in force decides about a call; `None` if no fault applies to it.
    pub fn decide(&self, service: &'static str, operation: &str, origin: &Origin<'_>) -> Option<Struck> {
        let Origin { request_id, root, caller } = *origin;
        self.sightings.follow(root, || Seen::Called {
            function: caller.function.map(str::to_owned),
            service: service.to_owned(),
            operation: operation.to_owned(),
            delivery: caller.delivery,
        });
        let plan = self.plan.current()?;
        let decisions = plan.decide_call(service, operation, Identity(root.unwrap_or(request_id)), caller, |fault| {
            // A call without a trace is known by its own id, which no other call has.
            root.map_or(1, |root| {
                self.calls.lock().unwrap_or_else(PoisonError::into_inner).count(&plan.run, root, &fault.name, Instant::now())
            })
        });
        let (request_id, root) = (request_id.to_owned(), root.map(str::to_owned));
        (!decisions.is_empty()).then_some(Struck { plan, decisions, request_id, root })
    }

    /// Runs `act` with the decided faults; `fail` builds the failure for an error type and a
    /// message. `None` if the services stop meanwhile.
    pub async fn carry_out<T: Send + 'static>(
        &self,
        struck: Struck,
        act: impl Future<Output = T> + Send + 'static,
        fail: impl FnOnce(&str, &str) -> T,
    ) -> Option<T> {
        let (acted, answer) = oneshot::channel();
        let act = Box::pin(async move {
            let _ = acted.send(act.await);
        });
        match self.struck(struck, act).await? {
            Some(Failure { error_type, message }) => Some(fail(&error_type, &message)),
            None => answer.await.ok(),
        }
    }

    /// Not generic, since the many kinds of answers would make it long to compile.
    async fn struck(&self, struck: Struck, act: Act) -> Option<Option<Failure>> {
        let (ended, end) = oneshot::channel();
        let (ledger, plan) = (self.ledger.clone(), self.plan.clone());
        {
            let mut all = self.struck.lock().unwrap_or_else(PoisonError::into_inner);
            while all.try_join_next().is_some() {}
            all.spawn(async move {
                let _ = ended.send(strike(struck, act, &plan, &ledger).await);
            });
        }
        end.await.ok()
    }
}

/// What a call does; it keeps its answer.
type Act = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is answered in place of what the call did.
struct Failure {
    error_type: String,
    message: String,
}

/// Where a call comes from.
pub struct Origin<'a> {
    /// The service's id of the call.
    pub request_id: &'a str,
    /// The root of the caller's trace, if it sent one.
    pub root: Option<&'a str>,
    /// What made it.
    pub caller: Caller<'a>,
}

impl<'a> Origin<'a> {
    /// A call of which only its id is known.
    pub fn unknown(request_id: &'a str) -> Self {
        Self { request_id, root: None, caller: Caller::default() }
    }
}

/// A call that faults apply to, and the decisions about it.
pub struct Struck {
    plan: Arc<Plan>,
    decisions: Vec<Decision>,
    request_id: String,
    root: Option<String>,
}

/// One decision and its result.
struct Done {
    decision: Decision,
    waited: Duration,
    done: bool,
}

/// The failure to answer, if a fault makes one.
async fn strike(struck: Struck, act: Act, in_force: &PlanWatch, ledger: &UnboundedSender<Entry>) -> Option<Failure> {
    let Struck { plan, decisions, request_id, root } = struck;
    let mut all: Vec<Done> = decisions.into_iter().map(|decision| Done { decision, waited: Duration::ZERO, done: true }).collect();
    hold(&mut all, Moment::Before, &plan.run, in_force).await;
    let mut failure = all.iter().find_map(|it| match &it.decision.action {
        Action::Refuse { error_type, message } => Some(Failure { error_type: error_type.clone(), message: message.clone() }),
        _ => None,
    });
    let refused = failure.is_some();
    if !refused {
        cause::with(root.as_deref(), act).await;
        hold(&mut all, Moment::After, &plan.run, in_force).await;
    }
    for it in &mut all {
        match &it.decision.action {
            Action::LoseAnswer { error_type, message } if !refused => {
                failure = Some(Failure { error_type: error_type.clone(), message: message.clone() });
            }
            // Another fault refused the call first, or the action is for functions only.
            Action::LoseAnswer { .. } | Action::Wait { moment: Moment::After, .. } => it.done = !refused,
            Action::Pass | Action::Refuse { .. } | Action::Wait { moment: Moment::Before, .. } => {}
            _ => it.done = false,
        }
    }
    for it in all {
        // The ledger may be closed; the call is answered anyway.
        let _ = ledger.send(Entry::Decided(entry(&request_id, root.as_deref(), &plan, it)));
    }
    failure
}

/// Waits as each fault asks, but only while the fault is in force.
async fn hold(all: &mut [Done], now: Moment, run: &str, in_force: &PlanWatch) {
    for it in all {
        if let Action::Wait { moment, time } = it.decision.action
            && moment == now
        {
            let began = Instant::now();
            it.waited = tokio::select! {
                biased;
                waited = wait(time) => waited,
                () = in_force.over(run, &it.decision.fault) => began.elapsed(),
            };
        }
    }
}

fn entry(request_id: &str, root: Option<&str>, plan: &Plan, it: Done) -> Decided {
    let place = plan.faults.iter().find(|fault| fault.name == it.decision.fault).map(|fault| fault.place.to_string());
    Decided {
        run: plan.run.clone(),
        sequence: plan.sequence,
        request_id: request_id.to_owned(),
        root: root.map(str::to_owned),
        place: place.unwrap_or_default(),
        start: Start::Warm,
        faults: vec![OfFault::of(it.decision, it.waited, it.done)],
        control: Vec::new(),
    }
}

/// Parts of exception names that blame the caller, and the status if a REST API has one of its own.
const REFUSALS: [(&str, u16); 12] = [
    ("Rejected", 400),
    ("Validation", 400),
    ("Invalid", 400),
    ("Malformed", 400),
    ("BadRequest", 400),
    ("ConditionalCheckFailed", 400),
    ("AlreadyExists", 400),
    ("NotFound", 404),
    ("Conflict", 409),
    ("AccessDenied", 403),
    ("NotAuthorized", 403),
    ("Forbidden", 403),
];

/// The status that a service would send with such an exception; an unknown one is an internal
/// error. It matters because SDKs retry after 500 and 503, and after a client error only if its
/// name is a throttling error's.
pub fn failure_status(error_type: &str, content_type: &str) -> u16 {
    let named = |part: &str| error_type.contains(part);
    let refusal = REFUSALS.iter().find(|(part, _)| named(part));
    match error_type {
        _ if named("Unavailable") || named("SlowDown") => 503,
        _ if named("Throttl") || named("TooManyRequests") || named("LimitExceeded") || named("ThroughputExceeded") => {
            if content_type == REST_JSON { 429 } else { 400 }
        }
        _ if let Some((_, status)) = refusal => {
            if matches!(content_type, JSON_1_0 | JSON_1_1) {
                400
            } else {
                *status
            }
        }
        _ => 500,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    const SLOW: &str = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":1,"faults":[
        {"name":"slow","place":{"service":{"name":"dynamodb"}},"share":1.0,"kind":{"latency":{"at":"AT","time":"600s"}}}]}"#;

    #[tokio::test]
    async fn a_delayed_call_continues_when_the_plan_is_calm() {
        for at in ["before", "after"] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("plan.json");
            std::fs::write(&path, SLOW.replace("AT", at)).unwrap();
            let (ledger, mut lines) = unbounded_channel();
            let striker = Arc::new(Striker::new(PlanWatch::start(path.clone(), "services", ledger.clone()), ledger, Sightings::nowhere()));
            let struck = striker.decide("dynamodb", "GetItem", &Origin::unknown("request")).unwrap();
            let held = tokio::spawn(async move { striker.carry_out(struck, async { "done" }, |_, _| "failed").await });
            tokio::time::sleep(Duration::from_millis(500)).await;
            assert!(!held.is_finished(), "{at}");
            std::fs::write(&path, r#"{"version":1,"run":"r","sequence":2,"lease_ms":60000,"seed":1,"faults":[]}"#).unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(20), held).await.expect("it is held on").unwrap();
            assert_eq!(answer, Some("done"));
            let line = lines.recv().await.unwrap().eligible().remove(0);
            assert!(line.done && (400_000..20_000_000).contains(&line.waited_us), "{at}: {line:?}");
        }
    }

    #[test]
    fn an_exception_that_blames_the_caller_is_not_a_server_error_that_sdks_retry() {
        for (name, json, rest) in [
            ("MessageRejected", 400, 400),
            ("ConditionalCheckFailedException", 400, 400),
            ("ResourceNotFoundException", 400, 404),
            ("AccessDeniedException", 400, 403),
            ("ThrottlingException", 400, 429),
            ("ServiceUnavailableException", 503, 503),
            ("InternalServerError", 500, 500),
            ("Injected", 500, 500),
        ] {
            assert_eq!((failure_status(name, JSON_1_1), failure_status(name, REST_JSON)), (json, rest), "{name}");
        }
    }
}
