//! `brownout run` on deployed functions, on the side of AWS: one answer to each request. However
//! the conversation ends, everything is restored before this program exits.

use std::error::Error;
use std::pin::pin;

use aws::targets::{Driver, Failed};
use protocol::{Answer, Observed, Request, Restored};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::requests::Requests;
use crate::{COULD_NOT_RUN, account};

/// Carries out the run; the exit code is 2 if it could not begin.
///
/// # Errors
/// If the signal handlers cannot be installed.
pub async fn run(run: &protocol::Run, mut requests: Requests<impl AsyncRead + Unpin>) -> Result<u8, Box<dyn Error>> {
    // From here on a signal ends the conversation, not the program.
    let signals = [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let mut answers = tokio::io::stdout();
    match account::driver(run).await {
        Ok(mut driver) => {
            say(&mut answers, &Answer::Done).await;
            serve(driver.as_mut(), &mut requests, &mut answers, stopped(signals)).await;
            Ok(0)
        }
        Err(error) => {
            say(&mut answers, &Answer::Failed(error.to_string())).await;
            Ok(COULD_NOT_RUN)
        }
    }
}

async fn stopped([mut interrupt, mut terminate, mut hang_up]: [Signal; 3]) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
    }
}

/// Answers requests until they end, then restores.
async fn serve(
    driver: &mut dyn Driver,
    requests: &mut Requests<impl AsyncRead + Unpin>,
    answers: &mut (impl AsyncWrite + Unpin),
    stopped: impl Future<Output = ()>,
) {
    let mut stopped = pin!(stopped);
    let mut next = None;
    loop {
        let answer = tokio::select! {
            answer = carry_out(driver, next.take()) => answer,
            // A newer request cancels the one before.
            request = requests.next() => match request {
                Some(request) => {
                    next = Some(request);
                    continue;
                }
                None => break,
            },
            () = &mut stopped => break,
        };
        say(answers, &answer).await;
    }
    let left = driver.restore().await;
    say(answers, &Answer::Restored(Restored { left, story: driver.story() })).await;
}

/// Carries out the request. Without a request it never returns.
async fn carry_out(driver: &mut dyn Driver, request: Option<Request>) -> Answer {
    let done = match request {
        None => std::future::pending().await,
        Some(Request::Deploy) => driver.deploy().await,
        Some(Request::Strike(plan)) => driver.strike(&plan).await,
        Some(Request::Observe) => return observe(driver).unwrap_or_else(|Failed(why)| Answer::Failed(why)),
    };
    done.map_or_else(|Failed(why)| Answer::Failed(why), |()| Answer::Done)
}

fn observe(driver: &mut dyn Driver) -> Result<Answer, Failed> {
    let entries = driver.observe()?;
    let down = driver.health().err().map(|Failed(why)| why);
    Ok(Answer::Observed(Observed { entries, gaps: driver.gaps(), down, ended: driver.ended() }))
}

/// Writes an answer. A closed pipe is not an error: the requests end with it.
async fn say(answers: &mut (impl AsyncWrite + Unpin), answer: &Answer) {
    if let Ok(line) = protocol::to_line(answer) {
        let _ = answers.write_all(line.as_bytes()).await;
        let _ = answers.flush().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use faults::{Entry, Plan};
    use protocol::Left;
    use tokio::io::{AsyncBufReadExt, BufReader, DuplexStream};

    use super::*;

    /// A driver that records each call, and whose attach never ends.
    struct Told(Arc<Mutex<Vec<&'static str>>>);

    impl Told {
        fn note(&self, what: &'static str) {
            self.0.lock().unwrap().push(what);
        }
    }

    #[async_trait]
    impl Driver for Told {
        async fn deploy(&mut self) -> Result<(), Failed> {
            self.note("deploy");
            std::future::pending().await
        }

        async fn strike(&mut self, _: &Plan) -> Result<(), Failed> {
            self.note("strike");
            Err(Failed("SSM said no".into()))
        }

        fn observe(&mut self) -> Result<Vec<Entry>, Failed> {
            self.note("observe");
            Ok(Vec::new())
        }

        fn gaps(&self) -> Vec<String> {
            vec!["a gap".into()]
        }

        fn health(&self) -> Result<(), Failed> {
            Err(Failed("it cannot be kept in force".into()))
        }

        fn ended(&self) -> Option<String> {
            Some("somebody deleted it".into())
        }

        async fn restore(&mut self) -> Option<Left> {
            self.note("restore");
            Some(Left { what: vec!["function orders".into()], command: "brownout recover".into() })
        }
    }

    const STRIKE: &str = r#"{"strike":{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[]}}"#;

    /// The calls that `lines` lead to, and the answers. A signal or the end of the input follows the lines.
    async fn conversation(lines: &[&str], is_stopped: bool) -> (Vec<&'static str>, Vec<Answer>) {
        let told = Arc::new(Mutex::new(Vec::new()));
        let mut driver = Told(Arc::clone(&told));
        let (mut asks, input): (DuplexStream, DuplexStream) = tokio::io::duplex(1 << 16);
        let (mut output, answers) = tokio::io::duplex(1 << 16);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            serve(&mut driver, &mut Requests::new(input), &mut output, stopped).await;
        });
        let mut answers = BufReader::new(answers).lines();
        let mut all = Vec::new();
        for (number, line) in lines.iter().enumerate() {
            asks.write_all(format!("{line}\n").as_bytes()).await.unwrap();
            // An attach that never ends has no answer; once it has begun it can be cancelled.
            if *line == r#""deploy""# {
                while told.lock().unwrap().len() <= number {
                    tokio::task::yield_now().await;
                }
            } else {
                all.push(protocol::read(&answers.next_line().await.unwrap().unwrap()).unwrap());
            }
        }
        let held = if is_stopped {
            stop.send(()).unwrap();
            Some(asks)
        } else {
            drop(asks);
            std::mem::forget(stop);
            None
        };
        serving.await.unwrap();
        drop(held);
        while let Some(line) = answers.next_line().await.unwrap() {
            all.push(protocol::read(&line).unwrap());
        }
        let told = told.lock().unwrap().clone();
        (told, all)
    }

    #[tokio::test]
    async fn each_request_has_its_answer_and_the_end_of_the_input_restores() {
        let (told, answers) = conversation(&[STRIKE, r#""observe""#], false).await;
        assert_eq!(told, ["strike", "observe", "restore"]);
        let [Answer::Failed(why), Answer::Observed(seen), Answer::Restored(restored)] = answers.as_slice() else { panic!("{answers:?}") };
        assert_eq!(why, "SSM said no");
        assert_eq!((seen.gaps.len(), seen.down.is_some(), seen.ended.is_some()), (1, true, true));
        assert!(restored.left.is_some());
    }

    #[tokio::test]
    async fn every_end_of_the_conversation_during_an_attach_restores() {
        for is_stopped in [false, true] {
            let (told, answers) = conversation(&[r#""deploy""#], is_stopped).await;
            assert_eq!(told, ["deploy", "restore"], "{is_stopped}");
            assert!(matches!(answers.as_slice(), [Answer::Restored(_)]), "{answers:?}");
        }
    }

    #[tokio::test]
    async fn a_newer_request_cancels_the_one_before() {
        let (told, answers) = conversation(&[r#""deploy""#, r#""observe""#], false).await;
        assert_eq!(told, ["deploy", "observe", "restore"]);
        assert!(matches!(answers.as_slice(), [Answer::Observed(_), Answer::Restored(_)]), "{answers:?}");
    }
}
