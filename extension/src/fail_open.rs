//! A mistake of ours must not cost the function an event or an answer: a panic in what a fault does ends here, and what came goes on
//! untouched. It must never repeat what a panic said, which could quote a payload.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use crate::connection::Connection;
use crate::decide::Who;
use crate::event::Event;
use crate::exchange::{Broken, Ended};
use crate::ledger::{Open, lock};
use crate::message::RequestHead;
use crate::proxy::{Fate, Proxy};

const _: () = assert!(cfg!(panic = "unwind"), "a panic must be able to be caught: build with `panic = \"unwind\"`");

/// Something of ours panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `future` to its end or to its panic.
///
/// # Errors
/// Where it panicked; everything that it held was dropped.
pub async fn caught<T>(future: impl Future<Output = T>) -> Result<T, Panicked> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

/// From here on a panic says on standard error where it happened, and nothing else.
pub fn say_only_where() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()));
        let _ = writeln!(std::io::stderr(), "error: a mistake of brownout's extension, at {place}");
    }));
}

/// Where events go that a panic drops before anything of them was taken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rescue(Arc<Mutex<Vec<Event>>>);

impl Rescue {
    /// Keeps an event that is being dropped.
    pub(crate) fn keep(&self, event: Event) {
        lock(&self.0).push(event);
    }

    fn event(&self) -> Option<Event> {
        lock(&self.0).pop()
    }
}

impl Proxy {
    /// The fate of an event; where finding it out panics, the event goes to the handler untouched.
    pub(crate) async fn fate_or_untouched(&self, runtime: &Connection, mut event: Event) -> Result<Fate, Broken> {
        event.rescue = Some(self.rescue.clone());
        if let Ok(fate) = caught(self.fate(runtime, event)).await {
            return fate;
        }
        let Some(event) = self.rescue.event() else {
            self.ledger.note("a fault failed and its event is lost");
            return Ok(Fate::Gone);
        };
        if let Some(open) = Who::read(event.head_bytes()).and_then(|who| self.ledger.find(&who.request_id)) {
            self.ledger.give_up(&open);
        }
        self.ledger.note("a fault failed: the event passes untouched");
        Ok(Fate::HandOver(event))
    }

    /// Hands on an answer about which something was decided; where that panics before anything of it was taken, it goes on untouched.
    /// That to an edited event does not: nobody has looked whether it opens a door.
    pub(crate) async fn struck_or_untouched(
        &self,
        runtime: &mut Connection,
        request: &RequestHead,
        open: &Open,
        is_response: bool,
    ) -> Result<Ended, Broken> {
        if let Ok(ended) = caught(self.struck_answer(runtime, request, open, is_response)).await {
            return ended;
        }
        self.ledger.give_up(open);
        if RequestHead::read(&runtime.buffer, request.length).as_ref() != Ok(request) {
            self.ledger.note("a fault failed and its answer is lost");
            return Err(Broken::Runtime);
        }
        let was_edited = is_response && lock(open).handed.edited.is_some();
        if was_edited {
            return caught(self.shut_the_door(runtime, request, open)).await.unwrap_or(Err(Broken::Runtime));
        }
        self.ledger.note("a fault failed: the answer passes untouched");
        self.pass(runtime, request).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use faults::{Action, Arm, Decision, Kind, Plan, Start, Trigger};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::Settings;
    use crate::ledger::{Handed, Invocation, Ledger, Line};
    use crate::meanwhile::{Meanwhile, Surroundings};
    use crate::plan_sources::Plans;
    use crate::proxy::serve;
    use crate::upstream::Upstream;

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
        let surroundings = Surroundings::new(&Settings::from(&variable, None).unwrap(), None);
        tokio::spawn(serve(listener, Arc::new(Proxy::new(Arc::clone(&upstream), Plans::fixed(plan), Arc::clone(&ledger), surroundings))));
        (platform, runtime, ledger)
    }

    async fn read(stream: &mut TcpStream, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut bytes)).await.expect("nothing comes").unwrap();
        bytes
    }

    /// A plan with the one fault of this kind that always strikes.
    fn plan(kind: &str) -> Plan {
        let fault = format!(r#"{{"name":"x","place":{{"function":"f"}},"share":1,"kind":{kind}}}"#);
        Plan::read(format!(r#"{{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[{fault}]}}"#).as_bytes()).unwrap()
    }

    #[tokio::test]
    async fn what_panics_is_caught_also_after_it_has_waited() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("a panic of this test");
        };
        assert_eq!(caught(panics).await, Err::<(), _>(Panicked));
        assert_eq!(caught(async { 1 }).await, Ok(1));
    }

    #[tokio::test]
    async fn an_event_whose_fault_panics_passes_untouched_and_so_does_its_answer() {
        let mut plan = plan(r#"{"timeout":{}}"#);
        // No plan that is read has this; a duration times it panics.
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
        // What comes after the panic comes through as well.
        far.write_all(rest).await.unwrap();
        assert_eq!(read(&mut runtime, rest.len()).await, rest);
        assert!(ledger.find("a").is_none());
        runtime.write_all(RESPONSE).await.unwrap();
        assert_eq!(read(&mut far, RESPONSE.len()).await, RESPONSE);
    }

    /// An open page that panics when its line is written.
    fn open_page_that_panics(ledger: &Arc<Ledger>, edited: Option<Trigger>) {
        let mut line = Line::new(Decision { fault: "x".into(), arm: Arm::Control, action: Action::Pass, message: None, call: 1 });
        // The sum of the two panics when the line is written.
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
            meanwhile: Meanwhile::default(),
        });
    }

    #[tokio::test]
    async fn an_answer_whose_fault_panics_passes_untouched() {
        let (platform, mut runtime, ledger) = between(plan(r#"{"latency":{"time":"1ms"}}"#)).await;
        open_page_that_panics(&ledger, None);
        runtime.write_all(RESPONSE).await.unwrap();
        let (mut far, _) = platform.accept().await.unwrap();
        assert_eq!(read(&mut far, RESPONSE.len()).await, RESPONSE);
        assert!(ledger.find("a").is_none());
    }

    #[tokio::test]
    async fn an_answer_to_an_edited_event_opens_no_door_also_where_its_fault_panics() {
        let (platform, mut runtime, ledger) = between(plan(r#"{"latency":{"time":"1ms"}}"#)).await;
        open_page_that_panics(&ledger, Some(Trigger::Queue));
        runtime.write_all(RESPONSE).await.unwrap();
        let (mut far, _) = platform.accept().await.unwrap();
        let error = b"POST /2018-06-01/runtime/invocation/a/error HTTP/1.1\r\n";
        assert_eq!(String::from_utf8(read(&mut far, error.len()).await).unwrap().as_bytes(), error);
    }
}
