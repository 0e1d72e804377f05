//! The deployed function, as the platform starts it: this test program, running one of its tests,
//! which calls the Runtime API. It can be configured to behave badly.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use faults::{Arm, Identity, Plan, trace_root};

/// Its variables: how it behaves, and the path of the fault plan, which shows it which requests are
/// struck.
pub const BEHAVIOUR: &str = "ORDERS_BEHAVIOUR";
pub const PLAN: &str = "ORDERS_PLAN";

/// How the function behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// It works.
    Well,
    /// While faults are in force, it answers 502 to every third request that they do not strike.
    FailsUntouched,
    /// It answers 429 to the requests that are struck.
    RefusesStruck,
    /// It takes longer for an answer than requests are apart, so that one environment is not enough.
    Slow,
    /// It needs 800 ms to start, and while faults are in force, it exits after every answer.
    StartsAnew,
}

const START: std::time::Duration = std::time::Duration::from_millis(800);
const ANSWER: std::time::Duration = std::time::Duration::from_millis(30);

impl Behaviour {
    const ALL: [Self; 5] = [Self::Well, Self::FailsUntouched, Self::RefusesStruck, Self::Slow, Self::StartsAnew];

    pub fn name(self) -> String {
        format!("{self:?}")
    }

    fn told() -> Self {
        let name = std::env::var(BEHAVIOUR).unwrap_or_default();
        Self::ALL.into_iter().find(|behaviour| behaviour.name() == name).unwrap_or(Self::Well)
    }

    /// The status for a request of an arm, the `n`th of this environment; no arm means no faults.
    fn status(self, arm: Option<Arm>, n: u32) -> u16 {
        match (self, arm) {
            (Self::FailsUntouched, Some(Arm::Control)) if n.is_multiple_of(3) => 502,
            (Self::RefusesStruck, Some(Arm::Treatment)) => 429,
            _ => 200,
        }
    }
}

/// The arm of a request while a plan has faults.
fn arm(root: &str) -> Option<Arm> {
    let plan = Plan::read(&std::fs::read(std::env::var(PLAN).ok()?).ok()?).ok()?;
    let faults: Vec<_> = plan.faults.iter().filter(|fault| fault.share.value() > 0.0).collect();
    let is_struck = faults.iter().any(|fault| fault.decide(plan.seed, Identity(root)).arm == Arm::Treatment);
    (!faults.is_empty()).then_some(if is_struck { Arm::Treatment } else { Arm::Control })
}

/// Answers orders with 200 and strangers with 403, unless it should behave badly.
#[test]
#[ignore = "the platform starts it as a runtime"]
fn runtime() {
    let Ok(api) = std::env::var("AWS_LAMBDA_RUNTIME_API") else { return };
    let behaviour = Behaviour::told();
    if behaviour == Behaviour::StartsAnew {
        std::thread::sleep(START);
    }
    let mut wire = BufReader::new(TcpStream::connect(api).unwrap());
    for n in 0.. {
        let (head, event) = call(&mut wire, "GET", "/2018-06-01/runtime/invocation/next", "");
        let id = header(&head, "lambda-runtime-aws-request-id");
        if behaviour == Behaviour::Slow {
            std::thread::sleep(ANSWER);
        }
        let arm = header(&head, "lambda-runtime-trace-id").and_then(|id| arm(trace_root(&id)?));
        let status = if event.contains("/address") { 403 } else { behaviour.status(arm, n) };
        let answer = format!(r#"{{"statusCode":{status},"body":"{{}}"}}"#);
        call(&mut wire, "POST", &format!("/2018-06-01/runtime/invocation/{}/response", id.unwrap()), &answer);
        if behaviour == Behaviour::StartsAnew && arm.is_some() {
            return;
        }
    }
}

fn header(head: &[String], name: &str) -> Option<String> {
    head.iter().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// One exchange whose answer has a length.
fn call(wire: &mut BufReader<TcpStream>, method: &str, path: &str, body: &str) -> (Vec<String>, String) {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    wire.get_mut().write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if wire.read_line(&mut line).unwrap() == 0 {
            std::process::exit(0);
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let mut body = vec![0; header(&head, "content-length").map_or(0, |length| length.parse().unwrap())];
    wire.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}
