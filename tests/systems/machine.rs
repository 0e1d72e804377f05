//! The audit's state machine as it is deployed, with stand-in functions and over HTTP: its retries,
//! catches and notifications.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use run_folder::deployment::Seed;
use run_folder::{Compressed, RunFolder, Seen, Sighting, Sightings};
use scenarios::systems::audit::{ARCHIVE, CLOSE, DEAD_LETTERS, DESCRIBE, NOTICES, STATE_MACHINE};
use scenarios::systems::{Setup, System};
use serde_json::{Value, json};
use stack::invoke::{Invoke, LateInvoke};
use stack::platform::{InvokeError, Invoked};
use stack::services::stepfunctions::{execution_arn, machine_arn, root_of_execution, root_of_try};
use stack::services::{Doors, Services, Settings, start};
use template::blueprint::Blueprint;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const ROOT: &str = "1-5759e988-bd862e3fe1be46a994272793";
const LONGEST: Duration = Duration::from_secs(30);

/// One call of a stand-in function: the record's id, the function, the trace header.
type Called = (String, String, Option<String>);

/// The three functions. The prefix of the record's id selects what goes wrong.
#[derive(Default)]
struct Functions(Mutex<Vec<Called>>);

impl Functions {
    /// Records a call; returns its number for this function and record, from 1.
    fn count(&self, id: &str, function: &str, trace: Option<&str>) -> usize {
        let mut called = self.0.lock().unwrap();
        called.push((id.to_owned(), function.to_owned(), trace.map(str::to_owned)));
        called.iter().filter(|(of, name, _)| of == id && name == function).count()
    }

    fn traces(&self, id: &str, function: &str) -> Vec<String> {
        let called = self.0.lock().unwrap();
        called.iter().filter(|(of, name, _)| of == id && name == function).map(|(.., trace)| trace.clone().unwrap()).collect()
    }
}

#[async_trait]
impl Invoke for Functions {
    async fn invoke(&self, function: &str, event: Bytes, trace: Option<&str>) -> Result<Invoked, InvokeError> {
        let event: Value = serde_json::from_slice(&event).unwrap();
        let id = event["sourceTransactionID"].as_str().unwrap_or_default().to_owned();
        let count = self.count(&id, function, trace);
        let said = |payload: Value, failed| Ok(Invoked { request_id: "r".into(), payload: Bytes::from(payload.to_string()), failed });
        let raises = |kind: &str| said(json!({"errorType": kind, "errorMessage": "m"}), true);
        let task = function.strip_suffix("-record").unwrap_or_default();
        match (id.split('-').next().unwrap_or_default(), function, count) {
            ("bumpy", ARCHIVE, 1) => Err(InvokeError::Throttled),
            ("bumpy", DESCRIBE, 1) => raises("NeighbourFailed"),
            ("bumpy", CLOSE, 1) => raises("NotYet"),
            ("killed", ARCHIVE, 1) | ("dead", ARCHIVE, _) => raises("Runtime.ExitError"),
            ("gone", ARCHIVE, _) => raises("RecordGone"),
            ("slow", ..) => std::future::pending().await,
            _ => said(json!({"task": task, "status": "ok"}), false),
        }
    }
}

struct Stage {
    services: Services,
    functions: Arc<Functions>,
    seen: UnboundedReceiver<Sighting>,
    run: RunFolder,
    client: Client<HttpConnector, Full<Bytes>>,
    _folder: tempfile::TempDir,
}

/// What the audit's template declares besides functions, with these weaknesses.
fn blueprint(weaknesses: &[&str]) -> Blueprint {
    let weaknesses = weaknesses.iter().map(|name| (*name).to_owned()).collect();
    let unhandled = super::deployment(System::Audit, &Setup { weaknesses, ..Setup::default() }).unhandled;
    let declared = super::read(System::Audit, System::Audit.template(), &[]).unwrap().blueprint;
    let mut machines = declared.machines;
    machines.iter_mut().for_each(|machine| {
        machine.definition.as_mut().unwrap().leave_unhandled(unhandled.get(&machine.name).map_or(&[], Vec::as_slice));
    });
    Blueprint {
        queues: declared.queues.into_iter().filter(|queue| queue.name == DEAD_LETTERS).collect(),
        topics: declared.topics.into_iter().filter(|topic| topic.name == NOTICES).collect(),
        machines,
        ..Blueprint::default()
    }
}

impl Stage {
    async fn up(weaknesses: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = RunFolder::create(folder.path()).unwrap();
        let (sightings, seen) = Sightings::channel();
        let (invoke, functions) = (LateInvoke::default(), Arc::new(Functions::default()));
        invoke.put(Arc::clone(&functions) as Arc<dyn Invoke>);
        let settings = Settings {
            seed: Seed::default(),
            doors: Doors::open(false).await.unwrap(),
            folder: run.path().to_owned(),
            blueprint: blueprint(weaknesses),
            invoke,
            secured: None,
            compressed: Compressed::default(),
            sightings,
            plan: run.plan(),
            ledger: unbounded_channel().0,
        };
        let client = Client::builder(TokioExecutor::new()).build(HttpConnector::new());
        Self { services: start(settings).await.unwrap(), functions, seen, run, client, _folder: folder }
    }

    /// A call as an SDK makes it; returns its status and its answer, or the exception's name.
    async fn call(&self, operation: &str, body: Value) -> (u16, Value) {
        let request = Request::post(format!("http://{}/", self.services.http))
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("AWSStepFunctions.{operation}"))
            .header("x-amzn-trace-id", format!("Root={ROOT};Parent=53995c3f42cd8ad8;Sampled=1"));
        let response = self.client.request(request.body(Full::new(Bytes::from(body.to_string()))).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn ok(&self, operation: &str, body: Value) -> Value {
        let (status, answer) = self.call(operation, body).await;
        assert_eq!(status, 200, "{operation}: {answer}");
        answer
    }

    async fn start(&self, id: &str) -> Value {
        self.ok("StartExecution", json!({"stateMachineArn": machine_arn(STATE_MACHINE), "name": id, "input": input(id)})).await
    }

    /// How the execution with this name ended, with its error and its tries.
    async fn ended(&mut self, id: &str) -> (String, Option<String>, BTreeMap<String, u32>) {
        let next = async {
            loop {
                if let Seen::ExecutionEnded { machine, name, status, error, tries } = self.seen.recv().await.unwrap().seen
                    && name == id
                {
                    assert_eq!(machine, STATE_MACHINE);
                    return (status, error, tries);
                }
            }
        };
        tokio::time::timeout(LONGEST, next).await.unwrap()
    }

    fn notices(&self) -> Vec<Value> {
        self.services.sns.published(NOTICES).iter().map(|notice| serde_json::from_str(&notice.message).unwrap()).collect()
    }

    fn dead_letters(&self) -> Vec<Value> {
        self.services.sqs.messages(DEAD_LETTERS).iter().map(|message| serde_json::from_str(&message.body).unwrap()).collect()
    }
}

fn input(id: &str) -> String {
    json!({"sourceTransactionID": id, "sourceSystem": "s", "sha256": "x", "size": 1}).to_string()
}

fn tries(all: &[(&str, u32)]) -> BTreeMap<String, u32> {
    all.iter().map(|(state, tries)| ((*state).to_owned(), *tries)).collect()
}

#[tokio::test]
async fn a_record_goes_through_and_the_last_notice_has_all_results() {
    let mut stage = Stage::up(&[]).await;
    let started = stage.start("fine-1").await;
    assert_eq!((&started["executionArn"], started["startDate"].is_f64()), (&json!(execution_arn(STATE_MACHINE, "fine-1")), true));
    let once = tries(&[("Tasks", 1), ("Archive", 1), ("Describe", 1), ("Close", 1), ("Completed", 1)]);
    assert_eq!(stage.ended("fine-1").await, ("SUCCEEDED".to_owned(), None, once));
    let results = json!(["archive", "describe", "close"].map(|task| json!({"task": task, "status": "ok"})));
    let expected = json!({"notice": "completed", "sourceTransactionID": "fine-1", "status": "ok", "results": results});
    assert_eq!((stage.notices(), stage.dead_letters()), (vec![expected], vec![]));
    let described = stage.ok("DescribeExecution", json!({"executionArn": execution_arn(STATE_MACHINE, "fine-1")})).await;
    assert_eq!((&described["status"], &described["input"]), (&json!("SUCCEEDED"), &json!(input("fine-1"))));
    let output: Value = serde_json::from_str(described["output"].as_str().unwrap()).unwrap();
    assert_eq!((&output["results"], &output["sourceTransactionID"]), (&results, &json!("fine-1")));
    let rows = format!("http://{}/brownout/rows?service=states&thing={STATE_MACHINE}", stage.services.http);
    let rows = stage.client.get(rows.parse().unwrap()).await.unwrap().into_body().collect().await.unwrap().to_bytes();
    let rows: Value = serde_json::from_slice(&rows).unwrap();
    assert_eq!((&rows["rows"][0][0]["opens"]["text"], &rows["rows"][0][2]["text"]), (&json!("fine-1"), &json!("SUCCEEDED")), "{rows}");
}

#[tokio::test]
async fn a_temporary_failure_is_retried_each_time_with_its_own_root() {
    let mut stage = Stage::up(&[]).await;
    stage.start("bumpy-1").await;
    stage.start("killed-1").await;
    let again = tries(&[("Tasks", 1), ("Archive", 2), ("Describe", 2), ("Close", 2), ("Completed", 1)]);
    assert_eq!(stage.ended("bumpy-1").await, ("SUCCEEDED".to_owned(), None, again));
    for (function, state) in [(ARCHIVE, "Archive"), (DESCRIBE, "Describe"), (CLOSE, "Close")] {
        let roots = [1, 2].map(|number| format!("Root={}", root_of_try(ROOT, state, number)));
        assert_eq!(stage.functions.traces("bumpy-1", function), roots, "{function}");
        assert_eq!(roots[0], format!("Root={ROOT}"));
    }
    let killed = if let Some(shown) = stage.services.machines.executions(STATE_MACHINE).into_iter().find(|shown| shown.name == "killed-1") {
        if shown.ended.is_none() { stage.ended("killed-1").await.0 } else { shown.status().to_owned() }
    } else {
        panic!("it was started")
    };
    assert_eq!((killed.as_str(), stage.functions.traces("killed-1", ARCHIVE).len(), stage.dead_letters().len()), ("SUCCEEDED", 2, 0));
}

#[tokio::test]
async fn a_record_that_is_given_up_is_in_the_dead_letters_and_has_no_notice() {
    let mut stage = Stage::up(&[]).await;
    stage.start("gone-1").await;
    let (status, error, tried) = stage.ended("gone-1").await;
    assert_eq!((status.as_str(), error.as_deref()), ("FAILED", Some("RecordGone")));
    assert_eq!((tried["Archive"], tried["DeadLetter"], tried["Failed"], tried.get("Completed")), (1, 1, 1, None));
    let letters = stage.dead_letters();
    assert_eq!((letters.len(), &letters[0]["sourceTransactionID"], &letters[0]["error"]), (1, &json!("gone-1"), &json!("RecordGone")));
    assert!(letters[0]["cause"].as_str().unwrap().contains("errorType"), "{letters:?}");
    assert_eq!(stage.notices(), Vec::<Value>::new());
    let described = stage.ok("DescribeExecution", json!({"executionArn": execution_arn(STATE_MACHINE, "gone-1")})).await;
    assert_eq!((&described["status"], &described["error"]), (&json!("FAILED"), &json!("RecordGone")));
}

#[tokio::test]
async fn the_published_form_loses_the_record_during_which_it_was_killed() {
    let mut stage = Stage::up(&["lost-on-timeout"]).await;
    stage.start("dead-1").await;
    let (status, error, tried) = stage.ended("dead-1").await;
    assert_eq!((status.as_str(), error.as_deref(), tried["Archive"]), ("FAILED", Some("Lambda.Unknown"), 1));
    assert_eq!((stage.notices(), stage.dead_letters(), tried.get("DeadLetter")), (vec![], vec![], None));
}

#[tokio::test]
async fn a_name_is_started_once() {
    let stage = Stage::up(&[]).await;
    let first = stage.start("slow-1").await;
    assert_eq!(stage.start("slow-1").await, first);
    let other = json!({"stateMachineArn": machine_arn(STATE_MACHINE), "name": "slow-1", "input": "{}"});
    let (status, refused) = stage.call("StartExecution", other).await;
    assert_eq!((status, &refused["__type"]), (400, &json!("ExecutionAlreadyExists")));
    assert_eq!(stage.functions.traces("slow-1", ARCHIVE).len(), 1);
    let described = stage.ok("DescribeExecution", json!({"executionArn": first["executionArn"]})).await;
    assert_eq!((&described["status"], described.get("stopDate")), (&json!("RUNNING"), None));
}

#[tokio::test]
async fn a_wrong_request_gets_the_exception_of_the_api() {
    let stage = Stage::up(&[]).await;
    let machine = machine_arn(STATE_MACHINE);
    let with = |more: Value| {
        let mut body = json!({"stateMachineArn": machine});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (operation, body, exception) in [
        ("StartExecution", json!({}), "ValidationException"),
        ("StartExecution", json!({"stateMachineArn": "x"}), "InvalidArn"),
        ("StartExecution", json!({"stateMachineArn": machine_arn("other")}), "StateMachineDoesNotExist"),
        ("StartExecution", with(json!({"name": "a b"})), "InvalidName"),
        ("StartExecution", with(json!({"input": "{"})), "InvalidExecutionInput"),
        ("StartExecution", with(json!({"input": format!("\"{}\"", "x".repeat(262_143))})), "ValidationException"),
        ("DescribeExecution", json!({"executionArn": execution_arn(STATE_MACHINE, "nobody")}), "ExecutionDoesNotExist"),
        ("DescribeExecution", json!({"executionArn": machine}), "InvalidArn"),
        ("ListExecutions", with(json!({"nextToken": "x"})), "InvalidToken"),
        ("ListExecutions", with(json!({"statusFilter": "GONE"})), "ValidationException"),
        ("ListExecutions", with(json!({"maxResults": 1001})), "ValidationException"),
        ("GetExecutionHistory", json!({"executionArn": execution_arn("other", "nobody")}), "ExecutionDoesNotExist"),
        ("CreateStateMachine", json!({}), "UnknownOperationException"),
    ] {
        let (status, refused) = stage.call(operation, body.clone()).await;
        assert_eq!(
            (status, &refused["__type"]),
            (400, &json!(exception)),
            "{operation} {}",
            body.to_string().get(..120).unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn lists_and_histories_come_page_by_page() {
    let mut stage = Stage::up(&[]).await;
    for id in ["fine-1", "fine-2", "fine-3"] {
        stage.start(id).await;
        stage.ended(id).await;
    }
    stage.start("slow-4").await;
    let machine = machine_arn(STATE_MACHINE);
    let first = stage.ok("ListExecutions", json!({"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "maxResults": 2})).await;
    let token = first["nextToken"].clone();
    let next = json!({"stateMachineArn": machine, "statusFilter": "SUCCEEDED", "maxResults": 2, "nextToken": token});
    let second = stage.ok("ListExecutions", next).await;
    let names = |answer: &Value| {
        answer["executions"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&first), names(&second), second.get("nextToken")),
        (vec!["fine-3".into(), "fine-2".into()], vec!["fine-1".to_owned()], None)
    );

    let asked = json!({"executionArn": execution_arn(STATE_MACHINE, "fine-1")});
    let whole = stage.ok("GetExecutionHistory", asked.clone()).await["events"].as_array().unwrap().clone();
    let mut paged = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut asked = asked.clone();
        asked["maxResults"] = json!(5);
        asked["nextToken"] = token;
        let page = stage.ok("GetExecutionHistory", asked).await;
        paged.extend(page["events"].as_array().unwrap().clone());
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(paged, whole);
    let kinds: Vec<_> = whole.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds[..3], ["ExecutionStarted", "ParallelStateEntered", "ParallelStateStarted"]);
    assert_eq!(kinds.iter().filter(|kind| **kind == "LambdaFunctionSucceeded").count(), 3);
    assert_eq!(kinds.last(), Some(&"ExecutionSucceeded"));
    let backwards =
        stage.ok("GetExecutionHistory", json!({"executionArn": asked["executionArn"], "reverseOrder": true, "maxResults": 1})).await;
    assert_eq!(backwards["events"][0]["type"], "ExecutionSucceeded");
}

#[tokio::test]
async fn a_call_is_struck_by_the_plan_in_force() {
    let stage = Stage::up(&[]).await;
    let fault = json!({
        "name": "down", "place": {"service": {"name": "states", "operation": "StartExecution"}}, "share": 1.0,
        "kind": {"error": {"type": "ServiceUnavailable", "message": "m"}},
    });
    let plan = json!({"version": 1, "run": "r", "sequence": 1, "lease_ms": 60_000, "seed": 7, "faults": [fault]});
    stage.run.write_plan(&faults::Plan::read(plan.to_string().as_bytes()).unwrap()).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let (status, refused) = stage.call("StartExecution", json!({"stateMachineArn": machine_arn(STATE_MACHINE), "name": "fine-1"})).await;
    assert_eq!((status, &refused["__type"]), (503, &json!("ServiceUnavailable")));
    assert_eq!(stage.services.machines.executions(STATE_MACHINE), []);
}

#[tokio::test]
async fn without_a_trace_an_execution_has_a_root_by_its_name_and_the_header_it_is_given_goes_first() {
    let mut stage = Stage::up(&[]).await;
    let machine = machine_arn(STATE_MACHINE);
    let given = "1-00000001-0123456789abcdef01234567";
    stage
        .ok(
            "StartExecution",
            json!({"stateMachineArn": machine, "name": "fine-1", "input": input("fine-1"), "traceHeader": format!("Root={given}")}),
        )
        .await;
    stage.ended("fine-1").await;
    assert_eq!(stage.functions.traces("fine-1", CLOSE), [format!("Root={given}")]);
    let request = Request::post(format!("http://{}/", stage.services.http)).header("x-amz-target", "AWSStepFunctions.StartExecution");
    let body = json!({"stateMachineArn": machine, "name": "fine-2", "input": input("fine-2")}).to_string();
    stage.client.request(request.body(Full::new(Bytes::from(body))).unwrap()).await.unwrap();
    stage.ended("fine-2").await;
    assert_eq!(stage.functions.traces("fine-2", CLOSE), [format!("Root={}", root_of_execution(STATE_MACHINE, "fine-2"))]);
}
