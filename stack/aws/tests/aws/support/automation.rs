//! The part of SSM Automation that the exported document uses, with the semantics that AWS
//! documents: `aws:executeScript`, `aws:sleep` and `aws:loop`; `maxAttempts`, `timeoutSeconds`,
//! `nextStep`, `isEnd`, `isCritical`, `onFailure`, `onCancel`. Time is the script host's, which
//! only sleeping advances, unless the real clock is requested. Anything else in a document is a bug
//! in the test.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A cancelled automation has two minutes for its `onCancel` steps.
const CANCELLING: f64 = 120.0;

/// The process that runs scripts.
pub struct ScriptHost {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Whether sleeping takes real time.
    real: bool,
}

const SCRIPT_HOST: &str = include_str!("script_host.py");

/// The result of a script.
#[derive(Debug)]
pub struct Ran {
    pub outcome: Result<Value, String>,
    pub calls: u64,
    pub seconds: f64,
}

impl ScriptHost {
    /// `None` if there is no python3 with boto3 and yaml.
    pub fn start(endpoint: &str) -> Option<Self> {
        Self::with_clock(endpoint, "stopped")
    }

    /// The same, with the real clock.
    pub fn in_real_time(endpoint: &str) -> Option<Self> {
        Self::with_clock(endpoint, "real")
    }

    fn with_clock(endpoint: &str, clock: &str) -> Option<Self> {
        let boto3 = Command::new("python3").args(["-c", "import boto3, yaml"]).stderr(Stdio::null()).status();
        if !boto3.is_ok_and(|status| status.success()) {
            println!("SKIPPED: python3 with boto3 and yaml is missing, so no script of the document was run");
            return None;
        }
        let mut child = Command::new("python3")
            .args(["-u", "-B", "-c", SCRIPT_HOST, endpoint, clock])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self { child, input, output, real: clock == "real" })
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.input, "{request}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the script host said `{line}`: {error}"))
    }

    /// The plans that were written since the last call, each with its time.
    pub fn plans(&mut self) -> Vec<Value> {
        self.ask(&json!({"plans": true}))["plans"].as_array().unwrap().clone()
    }

    /// A document in YAML as a value.
    pub fn read_yaml(&mut self, text: &str) -> Value {
        self.ask(&json!({"yaml": text}))["value"].clone()
    }

    fn sleep(&mut self, seconds: f64, cancel: Option<&AtomicBool>) {
        if !self.real {
            self.ask(&json!({"sleep": seconds}));
            return;
        }
        let begun = Instant::now();
        while begun.elapsed().as_secs_f64() < seconds && !cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn run(&mut self, script: &str, handler: &str, payload: &Value, trouble: Option<Value>) -> Ran {
        let answer = self.ask(&json!({"script": script, "handler": handler, "payload": payload, "trouble": trouble}));
        let outcome = match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["payload"].clone()),
        };
        Ran { outcome, calls: answer["calls"].as_u64().unwrap(), seconds: answer["seconds"].as_f64().unwrap() }
    }
}

impl Drop for ScriptHost {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What goes wrong with one step.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// This many attempts fail before they do anything.
    FailsBefore { attempts: u32 },
    /// This many attempts fail after they did everything.
    FailsAfter { attempts: u32 },
    /// The automation is cancelled before the step does anything.
    CancelledBefore,
    /// The automation is cancelled after the step did everything.
    CancelledAfter,
    /// The automation is cancelled in the middle: the script is stopped before (`stop-before`) or after (`stop-after`) this call.
    CancelledAt { call: u64, kind: &'static str },
    /// The script of the first attempt is stopped before (`stop-before`) or after (`stop-after`) this call.
    Stopped { call: u64, kind: &'static str },
}

/// Where it goes wrong: the `visit`-th time that the step begins, counted from 1.
#[derive(Debug, Clone)]
pub struct Fate {
    pub step: String,
    pub visit: u32,
    pub trouble: Trouble,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Success,
    Failed,
    Cancelled,
}

/// What an execution did.
#[derive(Debug)]
pub struct Execution {
    pub status: Status,
    /// Each step that was begun, with the number of calls of its last attempt.
    pub steps: Vec<(String, u64)>,
    /// What failed, with the reason.
    pub failures: Vec<String>,
}

enum Done {
    Success,
    Failure(String),
    Cancelled,
    /// The step within a loop that comes next.
    Within(Next),
}

/// Where to continue.
enum Next {
    Step(String),
    End,
}

pub struct Automation<'a> {
    host: &'a mut ScriptHost,
    fate: Option<&'a Fate>,
    /// Set when a user cancels it meanwhile.
    cancel: Option<&'a AtomicBool>,
    variables: BTreeMap<String, Value>,
    visits: BTreeMap<String, u32>,
    execution: Execution,
    /// The rest of the two minutes, once it is cancelled.
    cancelled: Option<f64>,
}

impl<'a> Automation<'a> {
    /// Executes the document as a run with this id.
    pub fn execute(document: &Value, id: &str, host: &'a mut ScriptHost, fate: Option<&'a Fate>) -> Execution {
        Self::execute_with(document, &Value::Null, id, host, fate, None)
    }

    /// The same with values for its parameters; `cancel` cancels it at the next step, or during a
    /// sleep.
    pub fn execute_with(
        document: &Value,
        given: &Value,
        id: &str,
        host: &'a mut ScriptHost,
        fate: Option<&'a Fate>,
        cancel: Option<&'a AtomicBool>,
    ) -> Execution {
        assert_eq!(document["schemaVersion"], "0.3");
        let mut variables = BTreeMap::from([("automation:EXECUTION_ID".to_owned(), json!(id))]);
        for (name, parameter) in document["parameters"].as_object().unwrap() {
            variables.insert(name.clone(), given.get(name).unwrap_or(&parameter["default"]).clone());
        }
        let execution = Execution { status: Status::Success, steps: Vec::new(), failures: Vec::new() };
        let mut automation = Self { host, fate, cancel, variables, visits: BTreeMap::new(), execution, cancelled: None };
        automation.steps(document["mainSteps"].as_array().unwrap());
        automation.execution
    }

    fn steps(&mut self, steps: &[Value]) {
        let find = |name: &str| steps.iter().position(|step| step["name"] == name).unwrap_or_else(|| panic!("no step `{name}`"));
        let mut at = Some(0);
        while let Some(index) = at {
            let step = &steps[index];
            let done = self.step(step);
            at = match self.after(step, done) {
                Some(Next::End) => None,
                Some(Next::Step(name)) => Some(find(&name)),
                None => Some(index + 1).filter(|next| *next < steps.len()),
            };
        }
    }

    /// `None` is the following step.
    fn after(&mut self, step: &Value, done: Done) -> Option<Next> {
        let is_end = step["isEnd"].as_bool().unwrap_or_default();
        match done {
            Done::Cancelled => {
                self.execution.status = Status::Cancelled;
                Some(jump(&step["onCancel"]))
            }
            Done::Within(next) => Some(next),
            Done::Success if is_end => Some(Next::End),
            Done::Success => step["nextStep"].as_str().map(|name| Next::Step(name.to_owned())),
            Done::Failure(why) => {
                let goes_on = step["onFailure"] == "Continue";
                self.execution.failures.push(format!("{}: {why}", step["name"]));
                if step["isCritical"].as_bool().unwrap_or(!goes_on) && self.cancelled.is_none() {
                    self.execution.status = Status::Failed;
                }
                match (is_end, goes_on) {
                    (true, _) => Some(Next::End),
                    (false, true) => None,
                    (false, false) => Some(jump(&step["onFailure"])),
                }
            }
        }
    }

    fn step(&mut self, step: &Value) -> Done {
        let name = step["name"].as_str().unwrap().to_owned();
        let visit = self.visits.entry(name.clone()).or_default();
        *visit += 1;
        let trouble = self.fate.filter(|fate| fate.step == name && fate.visit == *visit).map(|fate| fate.trouble.clone());
        self.execution.steps.push((name, 0));
        if (self.is_cancelled() || matches!(trouble, Some(Trouble::CancelledBefore))) && self.cancel() {
            return Done::Cancelled;
        }
        let most = u32::try_from(step["maxAttempts"].as_u64().unwrap_or(1)).unwrap();
        let mut last = Done::Success;
        for attempt in 1..=most {
            last = self.attempt(step, trouble.as_ref(), attempt);
            if !matches!(last, Done::Failure(_)) {
                break;
            }
        }
        let cancelled_now = self.is_cancelled() || matches!(trouble, Some(Trouble::CancelledAfter | Trouble::CancelledAt { .. }));
        if cancelled_now && self.cancel() { Done::Cancelled } else { last }
    }

    fn is_cancelled(&self) -> bool {
        self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }

    /// False if it is already cancelled: a second cancel changes nothing.
    fn cancel(&mut self) -> bool {
        let first = self.cancelled.is_none();
        self.cancelled.get_or_insert(CANCELLING);
        first
    }

    fn attempt(&mut self, step: &Value, trouble: Option<&Trouble>, attempt: u32) -> Done {
        let fails = |attempts: u32| attempt <= attempts;
        match trouble {
            Some(Trouble::FailsBefore { attempts }) if fails(*attempts) => return Done::Failure("planned, before".into()),
            Some(Trouble::FailsAfter { attempts }) if fails(*attempts) => {
                let _ = self.action(step, None);
                return Done::Failure("planned, after".into());
            }
            _ => (),
        }
        let in_call = match trouble {
            Some(Trouble::Stopped { call, kind } | Trouble::CancelledAt { call, kind }) if attempt == 1 => {
                Some(json!({"call": call, "kind": kind}))
            }
            _ => None,
        };
        self.action(step, in_call)
    }

    fn action(&mut self, step: &Value, in_call: Option<Value>) -> Done {
        match step["action"].as_str().unwrap() {
            "aws:executeScript" => self.script(step, in_call),
            "aws:sleep" => {
                let text = step["inputs"]["Duration"].as_str().unwrap();
                let seconds = text.strip_prefix("PT").and_then(|rest| rest.strip_suffix('S')).and_then(|n| n.parse::<f64>().ok()).unwrap();
                self.host.sleep(seconds, self.cancel);
                Done::Success
            }
            "aws:loop" => self.rounds(step),
            other => panic!("`{other}` is not played here"),
        }
    }

    fn script(&mut self, step: &Value, in_call: Option<Value>) -> Done {
        let inputs = &step["inputs"];
        assert!(inputs["Runtime"].as_str().unwrap().starts_with("python3."));
        let payload = self.resolved(&inputs["InputPayload"]);
        let ran = self.host.run(inputs["Script"].as_str().unwrap(), inputs["Handler"].as_str().unwrap(), &payload, in_call);
        if let Some(last) = self.execution.steps.last_mut() {
            last.1 = ran.calls;
        }
        if let Some(left) = &mut self.cancelled {
            *left -= ran.seconds;
            if *left < 0.0 {
                return Done::Failure("the two minutes of a cancelled automation are over".into());
            }
        }
        let limit = step["timeoutSeconds"].as_f64().unwrap_or(600.0).min(600.0);
        match ran.outcome {
            Ok(_) if ran.seconds > limit => Done::Failure(format!("timed out after {} s", ran.seconds)),
            Ok(payload) => {
                self.put_out(step, &payload);
                Done::Success
            }
            Err(error) => Done::Failure(error),
        }
    }

    fn put_out(&mut self, step: &Value, payload: &Value) {
        for output in step["outputs"].as_array().into_iter().flatten() {
            let pointer = output["Selector"].as_str().unwrap().strip_prefix("$.Payload").unwrap().replace('.', "/");
            let value = payload.pointer(&pointer).unwrap_or_else(|| panic!("no output {output} in {payload}"));
            let fits = match output["Type"].as_str().unwrap() {
                "Integer" => value.is_i64(),
                "Boolean" => value.is_boolean(),
                "String" => value.is_string(),
                other => panic!("`{other}` is not played here"),
            };
            assert!(fits, "{output}: {value}");
            let name = format!("{}.{}", step["name"].as_str().unwrap(), output["Name"].as_str().unwrap());
            self.variables.insert(name, value.clone());
        }
    }

    /// A `do while`: each step's own `onFailure` and `onCancel` apply to the whole loop.
    fn rounds(&mut self, step: &Value) -> Done {
        let inputs = &step["inputs"];
        let most = inputs["MaxIterations"].as_u64().unwrap();
        assert!(most <= 100);
        for _ in 0..most {
            for inner in inputs["Steps"].as_array().unwrap() {
                let done = self.step(inner);
                if let Some(next) = self.after(inner, done) {
                    return Done::Within(next);
                }
            }
            let condition = &inputs["LoopCondition"];
            if self.resolved(&condition["Variable"]) != condition["BooleanEquals"] {
                return Done::Success;
            }
        }
        Done::Success
    }

    /// A string that is one variable becomes its value; within a longer string the variable is
    /// substituted.
    fn resolved(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
                Some(name) => self.variables.get(name.trim()).unwrap_or_else(|| panic!("no variable {text}")).clone(),
                None => {
                    assert!(!text.contains("{{"), "{text}");
                    value.clone()
                }
            },
            Value::Array(list) => list.iter().map(|one| self.resolved(one)).collect(),
            Value::Object(map) => map.iter().map(|(key, one)| (key.clone(), self.resolved(one))).collect(),
            other => other.clone(),
        }
    }
}

fn jump(target: &Value) -> Next {
    match target.as_str().unwrap_or("Abort") {
        "Abort" => Next::End,
        text => Next::Step(text.strip_prefix("step:").unwrap().to_owned()),
    }
}
