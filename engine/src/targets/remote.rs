//! Functions deployed on AWS, reached through the program `brownout-aws`, which runs as a process of its own. When the harness dies, that program
//! sees its standard input end, takes everything back and exits.

use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use faults::{Entry, Plan};
use protocol::{Answer, AwsPlan, Left, Observed, PROGRAM, Request, Restored, Run, Task, Via, chain};
use run_folder::{Addresses, Health, Sighting};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;

use crate::target::{LEAD, Target, TargetError};

/// The program exits at once when everything is taken back. This is the longest wait for that.
const GOING: Duration = Duration::from_secs(10);

/// The longest wait for what the program knows already.
const OBSERVING: Duration = Duration::from_secs(300);

/// The longest wait for what it has to do first: it insists on a call for five minutes, and FIS may take ten to clean up.
const WORKING: Duration = Duration::from_secs(1_800);

/// The program, and the pipes to it.
#[derive(Debug)]
struct Conversation {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    said: JoinHandle<()>,
    /// What it said last, where a signal has stopped it.
    restored: Option<Restored>,
}

/// Functions deployed on AWS.
#[derive(Debug)]
pub struct Remote {
    conversation: Option<Conversation>,
    run: String,
    via: Via,
    plan: AwsPlan,
    seen: Observed,
    story: Vec<String>,
}

impl Remote {
    /// Starts `program`, which looks whether the functions may be struck; nothing is touched yet.
    ///
    /// # Errors
    /// Where it cannot be started, the functions may not be struck, or the journal cannot be written.
    pub fn start(program: &Path, run: Run) -> Pin<Box<dyn Future<Output = Result<Self, TargetError>> + '_>> {
        Box::pin(Self::started(program, run))
    }

    async fn started(program: &Path, run: Run) -> Result<Self, TargetError> {
        let task = Task::Run(run.clone());
        let Run { plan, via, run, .. } = run;
        let mut conversation = Conversation::start(program)?;
        if let Err(why) = conversation.ask(&task, WORKING).await.and_then(done) {
            conversation.end().await;
            return Err(why);
        }
        Ok(Self { conversation: Some(conversation), run, via, plan, seen: Observed::default(), story: Vec::new() })
    }

    async fn ask(&mut self, request: &Request) -> Result<Answer, TargetError> {
        let within = match request {
            Request::Observe => OBSERVING,
            Request::Deploy | Request::Strike(_) => WORKING,
        };
        match &mut self.conversation {
            Some(conversation) => conversation.ask(request, within).await,
            None => Err(TargetError::Down(format!("`{PROGRAM}` is not running"))),
        }
    }

    /// What may be left, where the program is gone without saying so.
    fn unknown(&self, why: &TargetError) -> Left {
        let names = self.plan.experiment.functions.iter().map(exports::Function::name).collect::<Vec<_>>().join(", ");
        let what = format!("whatever was attached to {names}, and the plan: {}", chain(why));
        let command = match self.via {
            Via::Plan => format!("brownout recover --run {}", self.run),
            // The document cleans up by itself, and what it leaves has the automation's name.
            Via::Fis => "brownout recover".to_owned(),
        };
        Left { what: vec![what], command }
    }
}

#[async_trait]
impl Target for Remote {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        done(self.ask(&Request::Deploy).await?)?;
        Ok(Addresses::elsewhere(self.plan.experiment.functions.iter().map(exports::Function::name)))
    }

    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError> {
        done(self.ask(&Request::Strike(plan.clone())).await?)?;
        // What was seen is about the plan before.
        (self.seen.down, self.seen.ended) = (None, None);
        Ok(())
    }

    async fn observe(&mut self) -> Result<Vec<Entry>, TargetError> {
        match self.ask(&Request::Observe).await? {
            Answer::Observed(seen) => self.seen = seen,
            other => return Err(unexpected(other)),
        }
        Ok(std::mem::take(&mut self.seen.entries))
    }

    fn gaps(&self) -> Vec<String> {
        self.seen.gaps.clone()
    }

    fn sightings(&mut self) -> Result<Vec<Sighting>, TargetError> {
        Ok(Vec::new())
    }

    fn health(&mut self) -> Result<Health, TargetError> {
        self.seen.down.clone().map_or_else(|| Ok(Health::default()), |why| Err(TargetError::Down(why)))
    }

    fn ended(&mut self) -> Option<String> {
        self.seen.ended.clone()
    }

    fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.story)
    }

    fn ledger_lag(&self) -> Duration {
        self.plan.ledger_lag
    }

    /// FIS takes longer than an extension that reads its plan.
    fn lead(&self) -> Duration {
        match self.via {
            Via::Plan => LEAD,
            Via::Fis => self.plan.fis_lead,
        }
    }

    /// The plan of an experiment of FIS is written by its document.
    fn rehearses(&self) -> bool {
        self.via == Via::Plan
    }

    async fn restore(&mut self) -> Option<Left> {
        let mut conversation = self.conversation.take()?;
        let restored = conversation.restored(WORKING).await;
        conversation.end().await;
        match restored {
            Ok(Restored { left, story }) => {
                self.story = story;
                left
            }
            Err(why) => Some(self.unknown(&why)),
        }
    }
}

impl Conversation {
    fn start(program: &Path) -> Result<Self, TargetError> {
        let failed = |cause| TargetError::Io { what: format!("`{}` could not be started", program.display()), cause };
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own: Ctrl-C in the terminal is for the harness, which then asks it to restore.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let lost = || failed(std::io::Error::other("it has no standard streams"));
        let (requests, answers) = (child.stdin.take().ok_or_else(lost)?, child.stdout.take().ok_or_else(lost)?);
        let said = tokio::spawn(hand_on(child.stderr.take().ok_or_else(lost)?));
        Ok(Self { child, requests: Some(requests), answers: BufReader::new(answers).lines(), said, restored: None })
    }

    async fn ask<T: serde::Serialize>(&mut self, message: &T, within: Duration) -> Result<Answer, TargetError> {
        let line = protocol::to_line(message).map_err(|cause| TargetError::Io { what: "it cannot be asked".into(), cause })?;
        if let Some(requests) = &mut self.requests {
            // Where it is gone, the missing answer tells; so it does where it reads nothing.
            let _ = tokio::time::timeout(within, requests.write_all(line.as_bytes())).await;
        }
        match self.answer(within).await? {
            Answer::Restored(restored) => {
                self.restored = Some(restored);
                Err(TargetError::Down(format!("`{PROGRAM}` was stopped, and has taken everything back that it could")))
            }
            answer => Ok(answer),
        }
    }

    /// A program that gives no answer is ended, since nothing more can come of it: it may be frozen.
    async fn answer(&mut self, within: Duration) -> Result<Answer, TargetError> {
        match tokio::time::timeout(within, self.answers.next_line()).await {
            Ok(Ok(Some(line))) => protocol::read(&line).map_err(|error| TargetError::Down(chain(&error))),
            Ok(Ok(None) | Err(_)) => Err(self.gone().await),
            Err(_) => {
                let _ = self.child.kill().await;
                Err(TargetError::Down(format!("`{PROGRAM}` gave no answer for {within:?} and was killed")))
            }
        }
    }

    /// Ends its input, and waits until everything is taken back. Answers to cancelled requests may come first.
    async fn restored(&mut self, within: Duration) -> Result<Restored, TargetError> {
        if let Some(restored) = self.restored.take() {
            return Ok(restored);
        }
        // The end of its input.
        self.requests = None;
        loop {
            if let Answer::Restored(restored) = self.answer(within).await? {
                return Ok(restored);
            }
        }
    }

    async fn gone(&mut self) -> TargetError {
        let status = tokio::time::timeout(GOING, self.child.wait()).await;
        let how = status.ok().and_then(Result::ok).map(|status| format!(" ({status})")).unwrap_or_default();
        TargetError::Down(format!("`{PROGRAM}` went away{how}"))
    }

    /// Waits for its end and its last lines. It is not killed here: it may still be restoring.
    async fn end(self) {
        let Self { mut child, said, requests, .. } = self;
        drop(requests);
        let _ = tokio::time::timeout(GOING, child.wait()).await;
        let _ = tokio::time::timeout(GOING, said).await;
    }
}

/// Copies the program's standard error to this one. It does not write to the terminal itself: `stty tostop` would stop a background process.
async fn hand_on(mut said: ChildStderr) {
    let _ = tokio::io::copy(&mut said, &mut tokio::io::stderr()).await;
}

fn done(answer: Answer) -> Result<(), TargetError> {
    match answer {
        Answer::Done => Ok(()),
        other => Err(unexpected(other)),
    }
}

fn unexpected(answer: Answer) -> TargetError {
    TargetError::Down(match answer {
        Answer::Failed(why) => why,
        Answer::Done | Answer::Observed(_) | Answer::Restored(_) => format!("`{PROGRAM}` gave the answer to another request"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that is `script`.
    fn started(script: &str) -> (Conversation, tempfile::TempDir) {
        let (path, folder) = super::super::stand_in::program(script);
        (Conversation::start(&path).unwrap(), folder)
    }

    /// How it answers.
    async fn answer(script: &str) -> String {
        let (mut conversation, _folder) = started(script);
        let answer = conversation.ask(&Request::Observe, OBSERVING).await.and_then(done);
        conversation.end().await;
        answer.map_or_else(|error| chain(&error), |()| "done".to_owned())
    }

    #[tokio::test]
    async fn a_program_that_is_frozen_is_killed_and_what_it_left_is_not_known() {
        let (mut conversation, _folder) = started("kill -STOP $$");
        let why = conversation.ask(&Request::Observe, Duration::from_millis(100)).await.unwrap_err();
        assert!(why.to_string().contains("gave no answer for 100ms and was killed"), "{why}");
        let why = conversation.restored(OBSERVING).await.unwrap_err();
        assert!(why.to_string().contains("went away (signal: 9"), "{why}");
        conversation.end().await;
    }

    #[tokio::test]
    async fn a_program_that_goes_or_says_something_else_is_an_error_that_says_so() {
        for (script, says) in [
            ("read line; echo '\"done\"'", "done"),
            ("read line; echo '{\"failed\":\"no credentials\"}'", "no credentials"),
            ("exit 3", "went away (exit status: 3)"),
            ("read line; echo hello", "install both from one version"),
            ("read line; echo '{\"restored\":{\"left\":null,\"story\":[]}}'", "was stopped, and has taken everything back"),
            ("read line; echo '{\"observed\":{\"entries\":[],\"gaps\":[],\"down\":null,\"ended\":null}}'", "the answer to another request"),
        ] {
            let said = answer(script).await;
            assert!(said.contains(says), "{script}: {said}");
        }
    }
}
