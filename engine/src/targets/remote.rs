//! Functions deployed on AWS, reached through the program `brownout-aws`, which runs as a separate
//! process. If the harness dies, that program sees its standard input end, restores everything and
//! exits.

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

/// The longest wait for the program's exit, which comes as soon as everything is restored.
const GOING: Duration = Duration::from_secs(10);

/// The longest wait for an answer that needs no further call.
const OBSERVING: Duration = Duration::from_secs(300);

/// The longest wait for an answer that needs work first: a call is retried for five minutes, and
/// FIS may take ten to clean up.
const WORKING: Duration = Duration::from_secs(1_800);

/// The program, and the pipes to it.
#[derive(Debug)]
struct Conversation {
    child: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
    said: JoinHandle<()>,
    /// Its last answer, if a signal has stopped it.
    restored: Option<Restored>,
}

/// Functions deployed on AWS.
#[derive(Debug)]
pub struct Remote {
    conversation: Option<Conversation>,
    run: String,
    via: Via,
    plan: AwsPlan,
    addresses: Addresses,
    seen: Observed,
    story: Vec<String>,
}

impl Remote {
    /// Starts `program`, which checks whether the functions may be struck; nothing is changed yet.
    /// `addresses` are those of the stack that the functions belong to, if it is known.
    ///
    /// # Errors
    /// If it cannot be started, the functions may not be struck, or the journal cannot be written.
    pub fn start(program: &Path, run: Run, addresses: Option<Addresses>) -> Pin<Box<dyn Future<Output = Result<Self, TargetError>> + '_>> {
        Box::pin(Self::started(program, run, addresses))
    }

    async fn started(program: &Path, run: Run, addresses: Option<Addresses>) -> Result<Self, TargetError> {
        let task = Task::Run(run.clone());
        let Run { plan, via, run, .. } = run;
        let mut conversation = Conversation::start(program)?;
        if let Err(why) = conversation.ask(&task, WORKING).await.and_then(done) {
            conversation.end().await;
            return Err(why);
        }
        let elsewhere = || Addresses::elsewhere(plan.experiment.functions.iter().map(exports::Function::name));
        let addresses = addresses.unwrap_or_else(elsewhere);
        Ok(Self { conversation: Some(conversation), run, via, plan, addresses, seen: Observed::default(), story: Vec::new() })
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

    /// What may be left, if the program ended without reporting it.
    fn unknown(&self, why: &TargetError) -> Left {
        let names = self.plan.experiment.functions.iter().map(exports::Function::name).collect::<Vec<_>>().join(", ");
        let what = format!("whatever was attached to {names}, and the plan: {}", chain(why));
        let command = match self.via {
            Via::Plan => format!("brownout recover --run {}", self.run),
            // The document cleans up by itself, and its leftovers have the automation's name.
            Via::Fis => "brownout recover".to_owned(),
        };
        Left { what: vec![what], command }
    }
}

#[async_trait]
impl Target for Remote {
    async fn deploy(&mut self) -> Result<Addresses, TargetError> {
        done(self.ask(&Request::Deploy).await?)?;
        Ok(self.addresses.clone())
    }

    async fn strike(&mut self, plan: &Plan) -> Result<(), TargetError> {
        done(self.ask(&Request::Strike(plan.clone())).await?)?;
        // What was seen so far concerns the previous plan.
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

    /// With FIS the document writes the plan, so there is no rehearsal.
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
            // A separate process group: Ctrl-C in the terminal reaches only the harness, which then
            // asks it to restore.
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
            // If the program is gone or does not read, the missing answer shows it.
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

    /// Reads an answer. A program that does not answer is killed, because it may be frozen.
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

    /// Closes its input, and waits until everything is restored. Answers to cancelled requests may
    /// come first.
    async fn restored(&mut self, within: Duration) -> Result<Restored, TargetError> {
        if let Some(restored) = self.restored.take() {
            return Ok(restored);
        }
        // Closes its input.
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

    /// Waits for its exit and its last lines. It is not killed here: it may still be restoring.
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
        Answer::Done | Answer::Observed(_) | Answer::Restored(_) | Answer::Resolved(_) => {
            format!("`{PROGRAM}` gave the answer to another request")
        }
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
    async fn a_frozen_program_is_killed_and_its_leftovers_are_unknown() {
        let (mut conversation, _folder) = started("kill -STOP $$");
        let why = conversation.ask(&Request::Observe, Duration::from_millis(100)).await.unwrap_err();
        assert!(why.to_string().contains("gave no answer for 100ms and was killed"), "{why}");
        let why = conversation.restored(OBSERVING).await.unwrap_err();
        assert!(why.to_string().contains("went away (signal: 9"), "{why}");
        conversation.end().await;
    }

    #[tokio::test]
    async fn a_program_that_exits_or_sends_something_else_gives_a_clear_error() {
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
