//! The proxy between the runtime and the platform: accepts requests, passes on events and answers,
//! and starts the injections. It stores nothing itself: the state of an invocation is in its record
//! in the ledger.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Buf;
use faults::Facts;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::connection::Connection;
use crate::decide;
use crate::environment::Environment;
use crate::event::{Event, Rescue};
use crate::exchange::{self, Broken, Ended};
use crate::fail_open::caught;
use crate::head::{EventIdentity, deadline, delivery, request_id};
use crate::inject::answer::after_handler;
use crate::inject::context::Context;
use crate::inject::edit::replace_with_error;
use crate::inject::event::{Fate, before_handler};
use crate::invocation::SharedInvocation;
use crate::ledger::Ledger;
use crate::lock::lock;
use crate::message::RequestHead;
use crate::parked::{Parked, ParkedNext};
use crate::plan_sources::Plans;
use crate::platform::{Platform, TRIES};
use crate::route::Route;
use crate::upstream::Upstream;
use crate::while_running;

/// A platform that drops a waiting `next` after this time is idle; one that drops it sooner is
/// broken.
const A_WHILE: Duration = Duration::from_secs(1);

/// Everything that the connections share.
#[derive(Debug)]
pub struct Proxy {
    platform: Platform,
    plans: Plans,
    environment: Environment,
    parked: Parked,
    rescue: Rescue,
}

/// Accepts connections for ever.
pub async fn serve(listener: TcpListener, proxy: Arc<Proxy>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let proxy = Arc::clone(&proxy);
                tokio::spawn(async move { proxy.serve_connection(Connection::new(stream)).await });
            }
            // For example, no descriptor is left: that may be temporary.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

impl Proxy {
    /// A proxy in front of `upstream`.
    pub fn new(upstream: Arc<Upstream>, plans: Plans, ledger: Arc<Ledger>, environment: Environment) -> Self {
        Self { platform: Platform::new(upstream, ledger), plans, environment, parked: Parked::default(), rescue: Rescue::default() }
    }

    /// Writes the remaining lines about the start of the environment, when the extension ends.
    pub fn tell_start(&self) {
        self.environment.start.tell(&self.platform.ledger);
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
                // Without an answer the connection just ends, as it would between the runtime and
                // the platform directly.
                Ok(_) => return,
                Err(broken) => return self.platform.note_broken(broken),
            }
        }
    }

    async fn serve_request(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        let route = Route::of(request.method(&runtime.buffer), request.path(&runtime.buffer));
        let (id, is_response) = match route {
            Route::Next if request.body.is_done() => return self.next(runtime, request).await,
            Route::Response(id) => (id, true),
            Route::Error(id) => (id, false),
            Route::Restored => {
                let ended = self.platform.pass(runtime, request).await;
                // The environment was restored from a snapshot: the plan and the name from the
                // snapshot are no longer valid.
                self.plans.forget();
                self.environment.start.restored();
                return ended;
            }
            Route::Next | Route::Other => return self.platform.pass(runtime, request).await,
        };
        match while_running::end(&self.environment, &self.platform.ledger, id).await {
            Some(record) => self.injected_answer(runtime, request, &record, is_response).await,
            None => self.platform.pass(runtime, request).await,
        }
    }

    /// Answers a `next`: with the first event that the runtime may get.
    async fn next(&self, runtime: &mut Connection, request: &RequestHead) -> Result<Ended, Broken> {
        self.environment.start.first_next(&self.platform, &self.plans, runtime).await?;
        loop {
            let event = self.await_event(runtime, request).await?;
            let mut event = match self.fate(runtime, event).await? {
                Fate::HandOver(event) => event,
                Fate::Gone => continue,
                Fate::Abandoned(event) => {
                    self.parked.event(event);
                    return Err(Broken::Runtime);
                }
            };
            let running = while_running::begin(&self.environment, &self.platform, &self.plans, &runtime.stream, event.head_bytes()).await;
            let handed = event.hand_over(runtime).await;
            if let Some(running) = running {
                while_running::handed_over(&self.environment, &self.platform, &self.plans, running, handed.is_ok()).await;
            }
            return match handed {
                Ok(ended) => {
                    let ended = ended.after(request);
                    runtime.buffer.advance(request.length);
                    event.release(&self.platform.upstream, ended);
                    Ok(ended)
                }
                Err(Broken::RuntimeBeforeAnswer) => {
                    self.parked.event(event);
                    Err(Broken::RuntimeBeforeAnswer)
                }
                Err(broken) => Err(broken),
            };
        }
    }

    /// Waits for the platform's answer to `next`, for hours if needed.
    async fn await_event(&self, runtime: &Connection, request: &RequestHead) -> Result<Event, Broken> {
        let mut broken = Broken::Unanswered;
        let asking = runtime.buffer.get(..request.length).unwrap_or_default();
        let mut tries = 0;
        while tries < TRIES {
            let asked = Instant::now();
            tries += 1;
            let mut platform = match self.parked.take() {
                Some(ParkedNext::Answered(event)) => return Ok(event),
                Some(ParkedNext::Asked(platform)) => platform,
                None => {
                    let mut platform = self.platform.connection().await?;
                    if platform.stream.write_all(asking).await.is_err() {
                        continue;
                    }
                    platform
                }
            };
            match exchange::await_answer(runtime, &mut platform, false).await {
                Ok(head) => return Ok(Event::new(platform, head)),
                Err(Broken::Runtime) => {
                    self.parked.request(platform);
                    return Err(Broken::Runtime);
                }
                // The platform dropped the connection, and no event was lost: retry, for ever if
                // the connection has lasted a while.
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

    /// Decides about an event and carries out the faults before the handler; if that panics, the
    /// event goes to the handler untouched.
    async fn fate(&self, runtime: &Connection, mut event: Event) -> Result<Fate, Broken> {
        event.rescue = Some(self.rescue.clone());
        if let Ok(fate) = caught(self.decided_fate(runtime, event)).await {
            return fate;
        }
        let ledger = &self.platform.ledger;
        let Some(event) = self.rescue.take() else {
            ledger.note("a fault failed and its event is lost");
            return Ok(Fate::Gone);
        };
        if let Some(record) = request_id(event.head_bytes()).and_then(|id| ledger.find(id)) {
            ledger.give_up(&record);
        }
        ledger.note("a fault failed: the event passes untouched");
        Ok(Fate::HandOver(event))
    }

    async fn decided_fate(&self, runtime: &Connection, mut event: Event) -> Result<Fate, Broken> {
        match self.decide(&mut event).await? {
            Some(record) => before_handler(self.context(&record), runtime, event).await,
            None => Ok(Fate::HandOver(event)),
        }
    }

    /// Decides about an event and returns its record in the ledger; `None` if it passes untouched.
    async fn decide(&self, event: &mut Event) -> Result<Option<SharedInvocation>, Broken> {
        if event.head.status != 200 || event.decided {
            return Ok(None);
        }
        let ledger = &self.platform.ledger;
        let place = ledger.count();
        let plan = self.plans.in_force().await;
        let plan = plan.filter(|plan| plan.plan.concerns(ledger.function()));
        if plan.is_none() && place > 1 {
            return Ok(None);
        }
        let Some(identity) = EventIdentity::read(event.head_bytes()) else { return Ok(None) };
        if place == 1 {
            ledger.say_cold(&identity);
        }
        let Some(plan) = plan else { return Ok(None) };
        let (deadline, delivery) = (deadline(event.head_bytes()), delivery(event.head_bytes()));
        let decide = |facts: Facts<'_>| decide::decide(&plan, ledger, identity, deadline, &facts.at_place(place).delivered(delivery));
        let decided = event.known(&self.platform.upstream, plan.places(ledger.function()), decide).await?;
        Ok(decided.map(|invocation| ledger.open(invocation)))
    }

    /// Passes on an answer that faults apply to. If that panics before any of it was sent, the
    /// answer is passed on untouched, but not the answer to an edited event, because it was not
    /// checked whether that grants access.
    async fn injected_answer(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        record: &SharedInvocation,
        is_response: bool,
    ) -> Result<Ended, Broken> {
        let context = self.context(record);
        if let Ok(ended) = caught(after_handler(context, &self.parked, runtime, request, is_response)).await {
            return ended;
        }
        self.platform.ledger.give_up(record);
        if RequestHead::read(&runtime.buffer, request.length).as_ref() != Ok(request) {
            context.note("a fault failed and its answer is lost");
            return Err(Broken::Runtime);
        }
        let was_edited = is_response && lock(record).handed.edited.is_some();
        if was_edited {
            return caught(replace_with_error(context, runtime, request)).await.unwrap_or(Err(Broken::Runtime));
        }
        context.note("a fault failed: the answer passes untouched");
        self.platform.pass(runtime, request).await
    }

    const fn context<'a>(&'a self, record: &'a SharedInvocation) -> Context<'a> {
        Context { platform: &self.platform, plans: &self.plans, record }
    }
}

#[cfg(test)]
mod tests {
    use faults::{Action, Arm, Decision, Kind, Plan, Start, Trigger};
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpStream;

    use super::*;
    use crate::Settings;
    use crate::invocation::{Handed, Invocation, Line};
    use crate::running::Running;

    const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";
    const RESPONSE: &[u8] = b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nContent-Length: 4\r\n\r\nmine";

    /// A platform, the runtime's end of a connection to a proxy between them, and the proxy's ledger.
    async fn between(plan: Plan) -> (TcpListener, TcpStream, Arc<Ledger>) {
        let platform = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let runtime = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let ledger = Arc::new(Ledger::new("f".into()));
        let upstream = Arc::new(Upstream::new(platform.local_addr().unwrap().to_string()));
        let variable = |name: &str| (name == "AWS_LAMBDA_RUNTIME_API").then(|| upstream.address().to_owned());
        let environment = Environment::new(&Settings::from(&variable, None).unwrap(), None);
        tokio::spawn(serve(listener, Arc::new(Proxy::new(Arc::clone(&upstream), Plans::fixed(plan), Arc::clone(&ledger), environment))));
        (platform, runtime, ledger)
    }

    async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut bytes)).await.expect("nothing came").unwrap();
        bytes
    }

    /// A plan with one fault of this kind that is always injected.
    fn plan(kind: &str) -> Plan {
        let fault = format!(r#"{{"name":"x","place":{{"function":"f"}},"share":1,"kind":{kind}}}"#);
        Plan::read(format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[{fault}]}}"#).as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn an_event_whose_fault_panics_passes_untouched_and_so_does_its_answer() {
        let mut plan = plan(r#"{"timeout":{}}"#);
        // No plan can have this value; multiplying a duration by it panics.
        let Kind::Timeout(hold) = &mut plan.faults[0].kind else { panic!("another kind") };
        hold.share_of_deadline = f64::NAN;
        let (platform, mut runtime, ledger) = between(plan).await;
        runtime.write_all(NEXT).await.unwrap();
        let (mut far, _) = platform.accept().await.unwrap();
        assert_eq!(read(&mut far, NEXT.len()).await, NEXT);
        let event = b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: a\r\nLambda-Runtime-Deadline-Ms: 99999999999999\r\n\
                      Content-Length: 10\r\n\r\n{\"a\": 123}";
        let (first, rest) = event.split_at(event.len() - 4);
        far.write_all(first).await.unwrap();
        assert_eq!(read(&mut runtime, first.len()).await, first);
        // Data after the panic passes too.
        far.write_all(rest).await.unwrap();
        assert_eq!(read(&mut runtime, rest.len()).await, rest);
        assert!(ledger.find("a").is_none());
        runtime.write_all(RESPONSE).await.unwrap();
        assert_eq!(read(&mut far, RESPONSE.len()).await, RESPONSE);
    }

    /// An open record that panics when its line is written.
    fn open_record_that_panics(ledger: &Arc<Ledger>, edited: Option<Trigger>) {
        let mut line = Line::new(Decision { fault: "x".into(), arm: Arm::Control, action: Action::Pass, message: None, call: 1 });
        // Adding the two panics when the line is written.
        (line.waited, line.since) = (Duration::MAX, Some(Instant::now()));
        ledger.open(Invocation {
            request_id: "a".into(),
            root: None,
            run: "r".into(),
            sequence: 1,
            start: Start::Warm,
            deadline: None,
            lines: vec![line],
            control: Vec::new(),
            guard: None,
            told: false,
            handed: Handed { edited, ..Handed::default() },
            running: Running::default(),
        });
    }

    #[tokio::test]
    async fn an_answer_whose_fault_panics_passes_untouched() {
        let (platform, mut runtime, ledger) = between(plan(r#"{"latency":{"time":"1ms"}}"#)).await;
        open_record_that_panics(&ledger, None);
        runtime.write_all(RESPONSE).await.unwrap();
        let (mut far, _) = platform.accept().await.unwrap();
        assert_eq!(read(&mut far, RESPONSE.len()).await, RESPONSE);
        assert!(ledger.find("a").is_none());
    }

    #[tokio::test]
    async fn an_answer_to_an_edited_event_grants_no_access_even_if_its_fault_panics() {
        let (platform, mut runtime, ledger) = between(plan(r#"{"latency":{"time":"1ms"}}"#)).await;
        open_record_that_panics(&ledger, Some(Trigger::Queue));
        runtime.write_all(RESPONSE).await.unwrap();
        let (mut far, _) = platform.accept().await.unwrap();
        let error = b"POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\n";
        assert_eq!(String::from_utf8(read(&mut far, error.len()).await).unwrap().as_bytes(), error);
    }
}
