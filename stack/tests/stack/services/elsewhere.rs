//! A service at another address: its calls keep their bytes, and go through the faults and the ledger
//! of this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stack::services::elsewhere::Addresses;
use tokio::net::TcpListener;

use super::{Stage, row};

/// What another server was asked: the method with path and query, the headers that matter, the body.
type Asked = Arc<Mutex<Vec<(String, Vec<String>, Bytes)>>>;

/// A server that is not ours, which says `{"from": "elsewhere"}` to everything.
async fn server() -> (SocketAddr, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, asked) = (listener.local_addr().unwrap(), Asked::default());
    let told = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let told = Arc::clone(&told);
            let answer = service_fn(move |request: Request<Incoming>| {
                let told = Arc::clone(&told);
                async move {
                    let (head, body) = request.into_parts();
                    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
                    let headers = ["host", "authorization", "x-amz-target", "x-own"].map(header).into();
                    let body = body.collect().await.unwrap().to_bytes();
                    told.lock().unwrap().push((format!("{} {}", head.method, head.uri), headers, body));
                    let answer = Response::builder().status(201).header("x-amzn-requestid", "theirs").header("x-theirs", "1");
                    Ok::<_, Infallible>(answer.body(Full::new(Bytes::from_static(b"{\"from\": \"elsewhere\"}"))).unwrap())
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), answer));
        }
    });
    (address, asked)
}

fn signed(service: &str) -> String {
    format!("AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/{service}/aws4_request, SignedHeaders=host, Signature=0")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_is_passed_on_as_it_is_behind_the_faults_of_this_machine() {
    let (address, asked) = server().await;
    let mut elsewhere = Addresses::default();
    for service in ["dynamodb", "s3", "sns"] {
        elsewhere.add(service, &format!("http://{address}"), false).unwrap();
    }
    let mut stage = Stage::up_at(elsewhere, None).await;
    let theirs = json!({ "from": "elsewhere" });
    let get = [("x-amz-target", "DynamoDB_20120810.GetItem"), ("authorization", &signed("dynamodb")), ("x-own", "1"), ("host", "h:1")];
    let (status, _, answer) = stage.send("POST", "/", &get, &row()).await;
    assert_eq!((status, &answer), (201, &theirs));
    let (object, form) = (signed("s3"), signed("sns"));
    assert_eq!(stage.send("GET", "/b/a%20key?versionId=1", &[("authorization", &object)], &Value::Null).await.2, theirs);
    assert_eq!(stage.send("POST", "/?Action=Publish", &[("authorization", &form)], &json!({})).await.2, theirs);
    {
        let asked = asked.lock().unwrap();
        assert_eq!(asked[0].1, ["h:1", get[1].1, "DynamoDB_20120810.GetItem", "1"]);
        assert_eq!((asked[0].0.as_str(), &asked[0].2), ("POST /", &Bytes::from(row().to_string())));
        assert_eq!((asked[1].0.as_str(), asked[2].0.as_str()), ("GET /b/a%20key?versionId=1", "POST /?Action=Publish"));
    }
    // What is here stays here.
    let (status, ..) = stage.send("POST", "/", &[("x-amz-target", "AmazonSQS.ListQueues")], &json!({})).await;
    assert_eq!((status, asked.lock().unwrap().len()), (200, 3));
    let fault = |name: &str, service: &str, operation: &str, kind: Value| json!({ "name": name, "place": { "service": { "name": service, "operation": operation } }, "share": 1.0, "kind": kind });
    let refuses = |kind: &str| json!({ "error": { "type": kind, "message": "no" } });
    stage
        .strike(
            1,
            &json!([
                fault("table", "dynamodb", "GetItem", refuses("ProvisionedThroughputExceededException")),
                fault("object", "s3", "GetObject", refuses("SlowDown")),
            ]),
        )
        .await;
    let (status, _, refused) = stage.send("POST", "/", &get, &row()).await;
    assert_eq!((status, &refused["__type"]), (400, &json!("ProvisionedThroughputExceededException")));
    assert_eq!(stage.send("GET", "/b/k", &[("authorization", &object)], &Value::Null).await.0, 503);
    let put = [("x-amz-target", "DynamoDB_20120810.PutItem"), ("authorization", &signed("dynamodb"))];
    assert_eq!(stage.send("POST", "/", &put, &json!({})).await.2, theirs);
    assert_eq!(asked.lock().unwrap().len(), 4, "what was refused was not passed on");
    let struck: Vec<_> = stage.entries().into_iter().filter(|entry| entry.done).map(|entry| entry.fault.clone()).collect();
    assert_eq!(struck, ["table", "object"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_is_gone_is_unavailable_and_one_that_never_was_stops_the_start() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let mut elsewhere = Addresses::default();
    elsewhere.add("dynamodb", &format!("http://{gone}"), false).unwrap();
    let silent = elsewhere.reached().await.unwrap_err().to_string();
    assert_eq!(silent, format!("`dynamodb` does not answer at http://{gone}; start it, or correct its address"));
    let stage = Stage::up_at(elsewhere, None).await;
    let (status, kind, answer) = stage.call("DynamoDB_20120810.GetItem", "1-a-b", &row()).await;
    assert_eq!((status, kind.as_deref()), (503, Some("ServiceUnavailable")), "{answer}");
    assert_eq!(answer["message"], format!("`dynamodb` does not answer at http://{gone}"));
}
