//! Functions that are deployed on AWS, struck by an experiment of FIS. FIS's stop conditions,
//! safety lever, permissions and log apply, and its document attaches, arms, calms and detaches.
//! This module starts and watches the experiment, calms it in time, stops it if needed, and
//! verifies its clean-up.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use exports::{Experiment, Mark};
use faults::{Entry, Plan};
use protocol::{Left, chain};
use tokio::task::JoinSet;

use super::cleaned::Cleaned;
use super::deployed::{Reach, tell};
use super::ledgers::Ledgers;
use super::story::{LOOKS, Story, Watching, locked};
use super::{Driver, Failed};
use crate::alarms::{Alarms, States};
use crate::arm::{ArmError, Armed, Place};
use crate::attach::{AttachError, Layer, unfit};
use crate::call::CallError;
use crate::canary;
use crate::fis::{Actions, Fis, Prepared, Status};
use crate::function::Function;
use crate::marker::{Marker, now};
use crate::patience::Patience;
use crate::recover::published;

/// A calm within this time before the faults' own end counts as that end.
const EARLY: Duration = Duration::from_secs(3);

/// FIS takes up to a minute for a dry run, and the first experiment in an account creates a role.
const DRY_RUN: Duration = Duration::from_secs(300);

/// A cancelled automation has two minutes to clean up, a detach as much, and a renewal sleeps for
/// 30 s.
const CLEANING: Duration = Duration::from_secs(600);

/// The parameters of a run that FIS drives.
#[derive(Debug, Clone)]
pub struct Wish {
    /// The experiment as it is exported.
    pub experiment: Experiment,
    /// The longest time from the start until the faults are in force.
    pub lead: Duration,
    /// The mark of what the run makes for itself. The ledgers contain the automation's id instead of
    /// the run's.
    pub mark: Mark,
}

impl Wish {
    /// How long the faults are held: until the end of the run's own fault phase, even if they were
    /// in force early.
    fn hold(&self) -> Duration {
        self.lead + self.experiment.duration
    }

    pub(super) fn place(&self) -> Place {
        Place::Parameter(self.experiment.plan_parameter())
    }
}

/// An experiment that was started.
struct Started {
    id: String,
    at: Instant,
    story: Arc<Mutex<Story>>,
    calmed: bool,
    /// It was stopped early, or it ended.
    stopped: bool,
    _watch: JoinSet<()>,
}

impl Started {
    fn story(&self) -> MutexGuard<'_, Story> {
        locked(&self.story)
    }
}

/// Functions driven by FIS.
pub struct Driven {
    reach: Reach,
    fis: Fis,
    wish: Wish,
    ledgers: Option<Ledgers>,
    before: Vec<Function>,
    alarms: Alarms,
    alarms_before: States,
    begun: u64,
    /// Something may have been made in FIS or Systems Manager.
    preparing: bool,
    prepared: Option<Prepared>,
    /// The start was requested; FIS may have started it even if no answer came.
    asked: bool,
    started: Option<Started>,
    told: Vec<String>,
}

impl Driven {
    /// A driver that has not created or started anything yet.
    pub fn new(reach: Reach, fis: Fis, wish: Wish) -> Self {
        let alarms = Alarms::new(&reach.config, Patience::brief(), &wish.experiment.alarms);
        let (told, before, alarms_before) = (Vec::new(), Vec::new(), States::new());
        Self {
            reach,
            fis,
            wish,
            ledgers: None,
            before,
            alarms,
            alarms_before,
            begun: now(),
            preparing: false,
            prepared: None,
            asked: false,
            started: None,
            told,
        }
    }

    /// Reads the functions before the run, and fails if another run holds one or the layer does not run beside one.
    async fn look_at_functions(&mut self) -> Result<(), Failed> {
        let layer = Layer::try_from(self.wish.experiment.layer.to_string()).map_err(Failed)?;
        let patience = self.reach.lambda.patience;
        let architectures = patience.insist(|| self.reach.lambda.architectures(&layer)).await.map_err(|error| down(&error))?;
        for function in &self.wish.experiment.functions {
            let arn = function.arn.to_string();
            let found = self.reach.lambda.function_at_last(&arn).await.map_err(|error| down(&error))?;
            if let Marker::Of(record) = Marker::of(&found) {
                let what = format!("`{}` is held by run {}; `brownout recover --run {1}` lets it go", found.name, record.run);
                return Err(Failed(what));
            }
            if let Some(complaint) = unfit(&found, architectures.as_deref(), &layer) {
                return Err(Failed(AttachError::Refused { function: found.name, complaints: vec![complaint] }.to_string()));
            }
            if let Some(alias) = &function.alias {
                canary::preview(&self.reach.lambda, &arn, alias).await.map_err(|error| down(&error))?;
            }
            self.before.push(found);
        }
        Ok(())
    }

    async fn dry_run(&self, template: &str) -> Result<(), Failed> {
        let token = format!("{}-dry", self.wish.mark.run);
        let id = self.fis.start(template, Actions::Skip, &token).await.map_err(|error| down(&error))?;
        let begun = Instant::now();
        loop {
            let seen = self.fis.look(&id).await;
            match seen {
                Ok(seen) if seen.status == Status::Completed => return Ok(()),
                Ok(seen) if seen.status.is_end() => {
                    return Err(Failed(format!("FIS's dry run `{id}` is {}; nothing was struck", seen.said())));
                }
                _ if begun.elapsed() > DRY_RUN => {
                    return Err(Failed(format!("FIS's dry run `{id}` does not end; nothing was struck")));
                }
                _ => tokio::time::sleep(LOOKS).await,
            }
        }
    }

    async fn start(&mut self) -> Result<(), Failed> {
        let Some(prepared) = &self.prepared else { return Err(Failed("nothing is prepared for FIS".into())) };
        self.asked = true;
        let fis = self.fis.with(Patience::brief());
        let id = fis.start(&prepared.template, Actions::Run, &self.wish.mark.run).await.map_err(|error| down(&error))?;
        let (story, at) = (Arc::new(Mutex::new(Story::since(self.alarms_before.clone()))), Instant::now());
        let mut watch = JoinSet::new();
        let watching =
            Watching { fis: self.fis.clone(), store: self.reach.store.clone(), place: self.wish.place(), alarms: self.alarms.at_once() };
        let watched = watching.over(id.clone(), at, Arc::clone(&story));
        watch.spawn(watched);
        self.started = Some(Started { id, at, story, calmed: false, stopped: false, _watch: watch });
        Ok(())
    }

    /// Calms, so that traffic is normal at once. An early calm also stops the experiment; otherwise
    /// it ends by itself.
    async fn calm(&mut self, patience: Patience) -> Result<(), Failed> {
        let hold = self.wish.hold();
        let Some(started) = &mut self.started else { return Ok(()) };
        started.calmed = true;
        if started.stopped {
            return Ok(());
        }
        let (id, is_early) = (started.id.clone(), started.at.elapsed() + EARLY < hold);
        let calmed = match self.armed(patience).await {
            Ok(Some(mut armed)) => armed.calm(self.reach.journal.as_ref()).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = calmed {
            tell(&format!("warning: the faults end with their lease, within 60 s: {}", chain(&error)));
        }
        if is_early {
            self.fis.with(patience).stop(&id).await.map_err(|error| down(&error))?;
        }
        if let Some(started) = &mut self.started {
            started.stopped = true;
        }
        Ok(())
    }

    /// Waits until the experiment has ended; returns a message if it does not end.
    async fn see_it_end(&mut self) -> Option<String> {
        let (id, story) = self.started.as_ref().map(|started| (started.id.clone(), Arc::clone(&started.story)))?;
        tell(&format!("FIS ends the experiment `{id}` and its document cleans up"));
        let begun = Instant::now();
        loop {
            if locked(&story).status().is_end() {
                return None;
            }
            if begun.elapsed() > CLEANING {
                return Some(format!("the experiment `{id}` of FIS is still {}", locked(&story).said()));
            }
            tokio::time::sleep(LOOKS).await;
        }
    }

    async fn delete_the_plan(&self) -> Result<(), ArmError> {
        match self.armed(Patience::default()).await? {
            Some(armed) => armed.disarm(self.reach.journal.as_ref()).await,
            None => Ok(()),
        }
    }

    /// Deletes what this run made in FIS and Systems Manager for itself, and what earlier runs of the
    /// experiment left there. Returns what may still be there, in words.
    async fn delete_what_no_run_needs(&self) -> Vec<String> {
        let found = match self.fis.leftovers(Some(&self.wish.experiment)).await {
            Ok(found) => found,
            Err(error) => return vec![format!("what was made for FIS: {}", chain(&error))],
        };
        let (own, now) = (&self.wish.mark.run, now());
        let mut left = Vec::new();
        for leftover in found.select(|mark| mark.run == *own || mark.until <= now) {
            match self.fis.delete(&leftover).await {
                Ok(()) => tell(&format!("{leftover} was deleted")),
                Err(error) => left.push(format!("{leftover}: {}", chain(&error))),
            }
        }
        left
    }

    /// The automation whose plan was seen in force.
    fn automation(&self) -> Option<String> {
        self.started.as_ref()?.story().automation.as_ref().map(|(run, _)| run.clone())
    }

    /// The plan that the automation has armed, if there is one.
    async fn armed(&self, patience: Patience) -> Result<Option<Armed>, ArmError> {
        let Some(run) = self.automation() else { return Ok(None) };
        Armed::left_by(self.reach.store.with(patience), self.wish.place(), &run).await
    }

    fn tell_the_story(&mut self, alarms_after: &Result<States, CallError>) {
        let Some(started) = &self.started else { return };
        let template = self.prepared.as_ref().map(|prepared| prepared.template.clone()).unwrap_or_default();
        let story = started.story();
        let states: Vec<_> = story.states.iter().map(|(at, seen)| format!("after {} s {}", at.as_secs(), seen.said())).collect();
        let struck = story.automation.as_ref().map_or_else(
            || "its faults were never seen in force".to_owned(),
            |(run, at)| format!("its faults were in force after {} s, by automation `{run}`", at.as_secs()),
        );
        let told = format!("driven by AWS FIS, experiment `{}` of template `{template}`: {}; {struck}", started.id, states.join(", "));
        let alarms = story.alarms.told(alarms_after);
        drop(story);
        self.told.push(told);
        self.told.extend(alarms);
    }
}

fn down(error: &dyn std::error::Error) -> Failed {
    Failed(chain(error))
}

/// Changes the run of an entry to `run`, if it is from the automation that strikes for this run.
fn renamed(mut entry: Entry, automation: &str, run: &str) -> Entry {
    let name = match &mut entry {
        Entry::Decided(decided) => &mut decided.run,
        Entry::Started(started) => &mut started.run,
        _ => return entry,
    };
    if name == automation {
        run.clone_into(name);
    }
    entry
}

#[async_trait]
impl Driver for Driven {
    async fn deploy(&mut self) -> Result<(), Failed> {
        self.look_at_functions().await?;
        self.alarms_before = self.alarms.before().await.map_err(|error| down(&error))?;
        self.preparing = true;
        let prepared = self.fis.prepare(&self.wish.experiment, self.wish.hold(), &self.wish.mark).await.map_err(|error| down(&error))?;
        prepared.said.iter().for_each(|line| tell(line));
        self.dry_run(&prepared.template).await?;
        tell("FIS's dry run found nothing wrong");
        self.prepared = Some(prepared);
        let groups = self.before.iter().map(|function| (function.name.clone(), function.log_group.clone()));
        self.ledgers = Some(Ledgers::follow(&self.reach.config, groups, self.reach.lag));
        Ok(())
    }

    /// The first plan with faults starts the experiment; its document renews the lease, so further
    /// plans change nothing.
    async fn strike(&mut self, plan: &Plan) -> Result<(), Failed> {
        match (plan.faults.is_empty(), self.asked) {
            (true, _) => self.calm(Patience::brief()).await,
            (false, false) => self.start().await,
            (false, true) => Ok(()),
        }
    }

    fn observe(&mut self) -> Result<Vec<Entry>, Failed> {
        let Some(ledgers) = &mut self.ledgers else { return Ok(Vec::new()) };
        let entries = ledgers.new_entries()?;
        let Some(automation) = self.automation() else { return Ok(entries) };
        Ok(entries.into_iter().map(|entry| renamed(entry, &automation, &self.wish.mark.run)).collect())
    }

    fn gaps(&self) -> Vec<String> {
        self.ledgers.as_ref().map(Ledgers::gaps).unwrap_or_default()
    }

    fn health(&self) -> Result<(), Failed> {
        let Some(started) = self.started.as_ref().filter(|started| !started.calmed) else { return Ok(()) };
        let story = started.story();
        match story.status() {
            Status::Failed | Status::Cancelled | Status::Completed => {
                Err(Failed(format!("FIS ended the experiment `{}` before its time: {}", started.id, story.said())))
            }
            Status::Pending | Status::Initiating | Status::Running
                if story.automation.is_none() && started.at.elapsed() > self.wish.lead =>
            {
                let (lead, said) = (self.wish.lead.as_secs(), story.said());
                Err(Failed(format!("no fault was in force {lead} s after FIS was started, it is {said}; raise `fis-lead`")))
            }
            _ => Ok(()),
        }
    }

    fn ended(&self) -> Option<String> {
        let started = self.started.as_ref().filter(|started| !started.calmed)?;
        let story = started.story();
        matches!(story.status(), Status::Stopping | Status::Stopped)
            .then(|| format!("FIS's experiment `{}` is {}", started.id, story.said()))
    }

    fn story(&mut self) -> Vec<String> {
        std::mem::take(&mut self.told)
    }

    async fn restore(&mut self) -> Option<Left> {
        self.ledgers = None;
        let mut what = Vec::new();
        if let Err(error) = self.calm(Patience::default()).await {
            what.push(format!("the experiment of FIS was not stopped: {}", chain(&error)));
        }
        if self.asked && self.started.is_none() {
            what.push("FIS was asked to start an experiment and never answered: look for it in its console".to_owned());
        }
        let goes_on = self.see_it_end().await;
        // A document that may still be executed is left to `brownout recover`.
        let is_over = goes_on.is_none() && (!self.asked || self.started.is_some());
        what.extend(goes_on);
        let mut command = "brownout recover".to_owned();
        let cleaned = Cleaned { reach: &self.reach, wish: &self.wish, begun: self.begun };
        for (before, function) in self.before.iter().zip(&self.wish.experiment.functions) {
            match cleaned.prove(before, function).await {
                Ok(proof) => tell(&format!("`{}` is as it was: {proof}", before.name)),
                Err(error) => what.push(format!("function {}: {error}", before.name)),
            }
            match published(&self.reach.lambda, &function.arn.to_string(), |record| record.at >= self.begun).await {
                Ok(versions) => what.extend(versions.iter().map(ToString::to_string)),
                Err(error) => what.push(format!("function {}: its versions could not be listed: {}", before.name, chain(&error))),
            }
        }
        if let Err(error) = self.delete_the_plan().await {
            what.push(format!("the plan: {}", chain(&error)));
        }
        if self.preparing && is_over {
            what.extend(self.delete_what_no_run_needs().await);
        }
        let alarms = self.alarms.states().await;
        self.tell_the_story(&alarms);
        if let Some(run) = self.automation() {
            command = format!("brownout recover --run {run}");
        }
        (!what.is_empty()).then_some(Left { what, command })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_entries_of_the_automation_are_attributed_to_the_run() {
        let line = |run: &str| {
            Entry::Decided(faults::ledger::Decided {
                run: run.into(),
                sequence: 1,
                request_id: "r".into(),
                root: None,
                place: "function orders".into(),
                start: faults::Start::Warm,
                faults: Vec::new(),
                control: vec!["f".into()],
            })
        };
        assert_eq!(renamed(line("automation"), "automation", "ours"), line("ours"));
        assert_eq!(renamed(line("another"), "automation", "ours"), line("another"));
    }
}
