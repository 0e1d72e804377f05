//! What happens to connections, and to requests that share one.

use std::collections::BTreeSet;

use crate::messages::{ACCEPTED, NEXT, event, message, response};
use crate::runtime::Runtime;
use crate::subject::Stage;
use crate::wire::{Outcome, check, same};

const CALLS: usize = 60;

pub async fn platform_connections_are_kept(stage: &Stage) -> Outcome {
    let (mut runtime, mut used) = (stage.runtime().await?, BTreeSet::new());
    for n in 0..CALLS {
        let request = if n % 2 == 0 { NEXT.to_vec() } else { response("a", b"{}") };
        runtime.begin(&request).await?;
        let mut call = stage.platform.call().await?;
        call.message().await?;
        used.insert(call.connection);
        call.answer(&if n % 2 == 0 { event("a", b"{}") } else { ACCEPTED.to_vec() }).await?;
        runtime.read().await?;
    }
    check(used.len() <= 4, format!("{CALLS} calls, one after the other, took {} connections", used.len()))
}

pub async fn runtime_connection_is_kept(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    for _ in 0..CALLS {
        stage.exchange(&mut runtime, &response("a", b"{}"), ACCEPTED).await?;
    }
    check(runtime.connections == 1, format!("{CALLS} calls took {} connections", runtime.connections))
}

/// One call whose connection the platform closes afterwards.
async fn and_close(stage: &Stage, runtime: &mut Runtime, request: &[u8], answer: &[u8]) -> Outcome {
    runtime.begin(request).await?;
    let mut call = stage.platform.call().await?;
    same("the call", call.message().await?.body, &request[request.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4..])?;
    call.answer_and_close(answer).await?;
    same(
        "the answer",
        runtime.read().await?.head.split("\r\n").next().unwrap_or_default().split(' ').nth(1).unwrap_or_default(),
        &answer[9..12],
    )?;
    runtime.settle().await;
    Ok(())
}

pub async fn dropped_connections_are_replaced(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    for n in 0..6 {
        and_close(stage, &mut runtime, NEXT, &event(&format!("id-{n}"), b"{}")).await?;
        and_close(stage, &mut runtime, &response(&format!("id-{n}"), b"{}"), ACCEPTED).await?;
    }
    stage.platform.no_more().await
}

pub async fn dropped_while_frozen(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    for n in 0..3 {
        stage.exchange(&mut runtime, NEXT, &event(&format!("id-{n}"), b"{}")).await?;
        stage.exchange(&mut runtime, &response(&format!("id-{n}"), b"{}"), ACCEPTED).await?;
        stage.freeze();
        stage.platform.drop_idle().await;
        if !stage.can_freeze() {
            runtime.settle().await;
        }
        // The call and the drop reach the proxy at the same moment.
        let late = response(&format!("late-{n}"), b"{}");
        runtime.begin(&late).await?;
        stage.thaw();
        let mut call = stage.platform.call().await?;
        same("the call", call.message().await?.body, b"{}")?;
        call.answer(ACCEPTED).await?;
        same("the status", runtime.read().await?.status(), "202")?;
    }
    stage.platform.no_more().await
}

const CLOSING: &[u8] =
    b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";

pub async fn close_of_the_runtime(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(CLOSING).await?;
    let mut call = stage.platform.call().await?;
    call.message().await?;
    call.answer_and_close(ACCEPTED).await?;
    same("the status", runtime.read().await?.status(), "202")?;
    runtime.closed().await
}

pub async fn connection_said_to_close_is_not_used_again(stage: &Stage) -> Outcome {
    for closing in [CLOSING, b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"] {
        let mut runtime = stage.runtime().await?;
        runtime.begin(closing).await?;
        let mut call = stage.platform.call().await?;
        call.message().await?;
        let (said, first) = (call.values("connection").concat().eq_ignore_ascii_case("close"), call.connection);
        // A server may close later: until then it must not get another request.
        call.answer(ACCEPTED).await?;
        runtime.read().await?;
        drop(runtime);
        let mut runtime = stage.runtime().await?;
        runtime.begin(&response("b", b"{}")).await?;
        let mut call = stage.platform.call().await?;
        call.message().await?;
        check(!said || call.connection != first, "a call came on a connection that was to be closed")?;
        call.answer(ACCEPTED).await?;
        runtime.read().await?;
    }
    Ok(())
}

pub async fn close_of_the_platform(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    let answer = message("HTTP/1.1 202 Accepted\r\nConnection: close", b"{}");
    for n in 0..5 {
        and_close(stage, &mut runtime, &response(&format!("id-{n}"), b"{}"), &answer).await?;
    }
    stage.platform.no_more().await
}

pub async fn pipelined_requests(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(&[response("a", b"[1]"), response("b", b"[2]"), NEXT.to_vec()].concat()).await?;
    for (wanted, answer) in
        [("[1]", message("HTTP/1.1 202 Accepted", b"1")), ("[2]", message("HTTP/1.1 202 Accepted", b"2")), ("", event("c", b"3"))]
    {
        let mut call = stage.platform.call().await?;
        same("a call", call.message().await?.body, wanted)?;
        call.answer(&answer).await?;
    }
    for wanted in ["1", "2", "3"] {
        same("an answer", runtime.read().await?.body, wanted)?;
    }
    Ok(())
}

const EXPECTING: &[u8] =
    b"POST /2018-06-01/runtime/invocation/a/response HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";

pub async fn expect_continue(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(EXPECTING).await?;
    let runtime = async {
        same("the interim answer", runtime.read().await?.status(), "100")?;
        runtime.write(b"[12]").await?;
        same("the status", runtime.read().await?.status(), "202")
    };
    let platform = async {
        let mut call = stage.platform.call().await?;
        if !call.values("expect").is_empty() {
            call.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        same("the body", call.message().await?.body, b"[12]")?;
        call.answer(ACCEPTED).await
    };
    tokio::try_join!(runtime, platform).map(|_| ())
}

pub async fn expect_refused(stage: &Stage) -> Outcome {
    let mut runtime = stage.runtime().await?;
    runtime.begin(EXPECTING).await?;
    let call = stage.platform.call().await?;
    call.answer_and_close(&message("HTTP/1.1 413 Payload Too Large\r\nConnection: close", b"{}")).await?;
    same("the status", runtime.read().await?.status(), "413")
}

pub async fn head_byte_by_byte(stage: &Stage) -> Outcome {
    let (request, answer) = (response("a", b"{}"), message("HTTP/1.1 202 Accepted", b"{}"));
    let mut runtime = stage.runtime().await?;
    for byte in &request {
        runtime.write(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    let mut call = stage.platform.call().await?;
    same("the call", call.message().await?.body, b"{}")?;
    for byte in &answer {
        call.write(&[*byte]).await?;
        tokio::task::yield_now().await;
    }
    same("the status", runtime.read().await?.status(), "202")
}
