//! Runs an experiment: deploy, baseline, strike, calm, recover, settle, restore. What the numbers
//! mean is decided elsewhere.

use std::pin::Pin;
use std::time::{Duration, Instant};

use protocol::Left;
use reports::Outcome;
use reports::measurements::{End, Measurements, Restored, RunKind};
use scenarios::Event;
use scenarios::invariants::{Quiet, by_answers_alone};
use scenarios::traffic::{self, Order, Traffic};

use super::around::measure;
use super::deploy::deploy;
use super::join::Join;
use super::lease::Keeper;
use super::measured::{baseline_machine, deployments, experiment, ms, phases, platform, unchecked, unix_ms_at};
use super::plan::Plan;
use super::processors::Usage;
use super::record::{Recorded, Recorder};
pub use super::run_error::RunError;
pub use super::setting::{Done, Setting};
use super::sighted::Sighted;
use super::snapshot::{Moment, Now, Sampler};
use super::stop::Watch;
use super::story::Story;
use super::target::Target;
use crate::observer::Observer;
use crate::stop_requests::{Asked, StopRequests};

/// How often ledgers are read and phases checked.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// The stages of a run; each leads to the next and none leads back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Before,
    /// The ledgers report which invocations the faults would be about.
    Rehearsed,
    Struck,
    Calmed,
}

/// The measurements, the signal that ended the run, and what a wave tells.
pub(super) type Told = (Measurements, Option<Asked>, Option<Story>);

/// A run in progress.
pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    /// How long after an answer the ledgers' entries about it may still come.
    pub(super) lag: Duration,
    /// Why the run should be stopped.
    fired: Option<String>,
    pub(super) target: &'a mut dyn Target,
    keeper: Keeper,
    pub(super) join: Join,
    pub(super) sighted: Sighted,
    pub(super) recorder: Recorder,
    watch: Option<Watch>,
    pub(super) progress: &'a mut dyn Observer,
    stage: Stage,
    pub(super) end: End,
    pub(super) calmed: Option<Duration>,
    pub(super) asked: Option<Asked>,
    sampler: Sampler,
    usage: Usage,
}

/// Runs the experiment. Once the stack is up, the faults are always calmed and the stack is always
/// taken down.
///
/// # Errors
/// If the stack or the traffic could not be started; then nothing was struck and nothing is left.
pub fn run<'a>(
    plan: &'a Plan,
    target: &'a mut dyn Target,
    setting: Setting,
    progress: &'a mut dyn Observer,
) -> Pin<Box<dyn Future<Output = Result<Done, RunError>> + 'a>> {
    // Boxed, so that it is compiled with this crate and not anew in each program that awaits it.
    Box::pin(whole(plan, target, setting, progress))
}

async fn whole(plan: &Plan, target: &mut dyn Target, mut setting: Setting, progress: &mut dyn Observer) -> Result<Done, RunError> {
    let mut keeper = Keeper::new(setting.run.clone(), plan.seed, plan.faults.clone(), plan.windows.clone(), plan.lease);
    let measured = match deploy(plan, target, &mut keeper, setting.signals.as_mut()).await {
        Ok(addresses) => measure(plan, target, keeper, &mut setting, progress, addresses).await,
        Err(error) => Err(error),
    };
    let left = target.restore().await;
    progress.end();
    let notes = target.story();
    let (mut measurements, asked, story) = match (measured, &left) {
        (Err(cause), Some(left)) => return Err(RunError::Left { left: left.clone(), cause: Box::new(cause) }),
        (measured, _) => measured?,
    };
    measurements.experiment = experiment(plan, setting.command);
    measurements.notes.extend(notes);
    if let Some(Left { what: left, command }) = left {
        measurements.restored = Restored::No { left, command };
    }
    Ok(Done { measurements, asked, story })
}

/// Measures what an order has; the stack is up.
pub(super) async fn measure_load(
    plan: &Plan,
    target: &mut dyn Target,
    keeper: Keeper,
    setting: &mut Setting,
    progress: &mut dyn Observer,
    order: Order,
) -> Result<Told, RunError> {
    let addresses = order.addresses.clone();
    let mut traffic = tokio::select! {
        traffic = traffic::start(order) => traffic?,
        asked = setting.signals.asked() => return Err(RunError::Asked(asked)),
    };
    let started_unix_ms = unix_ms_at(traffic.started()) + ms(plan.timeline.recording_from());
    let mut rules = plan.rules()?;
    let uncheckable = if addresses.is_local() { Vec::new() } else { by_answers_alone(&mut rules) };
    let recorder = Recorder::begin(&setting.folder, plan.timeline, started_unix_ms, rules)?.telling(plan.wave.is_some());
    let lag = target.ledger_lag();
    let mut run = Run {
        plan,
        lag,
        fired: None,
        target,
        keeper,
        join: Join::new(&setting.run, plan, lag),
        sighted: Sighted::new(traffic.started()),
        recorder,
        watch: plan.stop.map(Watch::new),
        progress,
        stage: Stage::Before,
        end: End::Finished,
        calmed: None,
        asked: None,
        sampler: Sampler::default(),
        usage: Usage::of(addresses.is_local()),
    };
    if let Err(error) = run.under_way(&mut traffic, setting.signals.as_mut()).await {
        run.fail(&error);
        traffic.stop();
        // Nothing may be struck while it settles. If this calm fails too, the faults end with their
        // lease.
        let _ = run.calm(traffic.started().elapsed()).await;
    }
    let quiet = run.settle(&mut traffic, &addresses, setting.signals.as_mut()).await;
    let (mut measurements, asked, story) = run.close(traffic, quiet, started_unix_ms).await?;
    measurements.unchecked = unchecked(plan, &addresses, &uncheckable);
    Ok((measurements, asked, story))
}

impl Run<'_> {
    /// From the first arrival until the last answer, or until something ends the run.
    async fn under_way(&mut self, traffic: &mut Traffic, signals: &mut dyn StopRequests) -> Result<(), RunError> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = traffic.next() => match event {
                    Some(event) => self.happened(event),
                    None => break,
                },
                _ = tick.tick() => self.tick(traffic).await?,
                asked = signals.asked(), if self.asked.is_none() => {
                    self.progress.say(match self.plan.kind {
                        RunKind::Experiment => "asked to stop: calming, then taking the stack down",
                        RunKind::Load => "asked to stop: giving up what is under way",
                    });
                    self.asked = Some(asked);
                    self.end_early(End::Interrupted, traffic).await?;
                }
            }
        }
        // The faults of a wave are in force until all is at rest.
        if self.plan.wave.is_none() { self.calm(traffic.started().elapsed()).await } else { Ok(()) }
    }

    async fn tick(&mut self, traffic: &Traffic) -> Result<(), RunError> {
        let offset = traffic.started().elapsed();
        let overdue = traffic.glance().overdue;
        self.fired = self.fired.take().or(self.watch.as_mut().and_then(|watch| watch.look(offset, overdue)));
        self.take_in(traffic).await?;
        if self.end == End::Finished {
            self.move_on(offset, traffic).await?;
        }
        self.renew().await?;
        self.target.health()?;
        self.fired = self.fired.take().or_else(|| self.target.ended());
        // A late answer counts in the second in which it was due; a second is written once no such
        // answer can come any more.
        self.recorder.flush_before(offset.saturating_sub(Duration::from_secs(35) + self.lag))?;
        self.show(traffic);
        Ok(())
    }

    /// Renews the lease when it is due.
    pub(super) async fn renew(&mut self) -> Result<(), RunError> {
        let now = Instant::now();
        if self.keeper.is_due(now) {
            let renewed = self.keeper.renew(now);
            if self.keeper.is_rehearsal() {
                self.join.rehearsed(renewed.sequence);
            }
            self.target.strike(&renewed).await?;
        }
        Ok(())
    }

    /// Handles an event.
    pub(super) fn happened(&mut self, event: Event) {
        let now = Instant::now();
        self.watch(&event);
        self.sighted.links.see(&event);
        self.join.event(event, now);
    }

    /// A stop condition needs no ledger, so it does not wait for one; nor for an answer, see [`Self::tick`].
    fn watch(&mut self, event: &Event) {
        let (Event::Exchange(exchange), Some(watch)) = (event, &mut self.watch) else { return };
        let failed = matches!(exchange.outcome, Outcome::Failed | Outcome::TimedOut);
        self.fired = self.fired.take().or(watch.see(exchange.done, failed));
    }

    /// Reads the ledgers and the services' sightings, and passes joined events to the recorder and
    /// the oracles.
    pub(super) async fn take_in(&mut self, traffic: &Traffic) -> Result<(), RunError> {
        let now = Instant::now();
        for entry in self.target.observe().await? {
            let strikes = if self.plan.is_asynchronous() { self.join.strikes(&entry, traffic.started().elapsed()) } else { Vec::new() };
            self.join.entry(entry, now);
            strikes.into_iter().for_each(|event| self.happened(event));
        }
        for sighting in self.target.sightings()? {
            let event = self.sighted.event(sighting);
            traffic.tell(&event);
            self.happened(event);
        }
        for joined in self.join.due(now) {
            self.recorder.see(&joined, &self.join);
        }
        if let (Some(why), End::Finished) = (self.fired.take(), &self.end) {
            self.progress.say(&format!("stopping: {why}"));
            self.end_early(End::Stopped(why), traffic).await?;
        }
        Ok(())
    }

    /// Strikes and calms at the planned times.
    async fn move_on(&mut self, offset: Duration, traffic: &Traffic) -> Result<(), RunError> {
        let timeline = self.plan.timeline;
        if !timeline.has_faults() {
            return Ok(());
        }
        let lead = self.target.lead();
        if self.stage == Stage::Before && offset >= timeline.recording_from().saturating_sub(lead) {
            self.stage = Stage::Rehearsed;
            self.usage.mark();
            if !self.plan.faults.is_empty() && self.target.rehearses() {
                let plan = self.keeper.rehearse(Instant::now());
                self.join.rehearsed(plan.sequence);
                self.target.strike(&plan).await?;
            }
        }
        if self.stage == Stage::Rehearsed && offset >= timeline.fault_from().saturating_sub(lead) {
            self.strike(offset, traffic).await?;
        } else if self.stage == Stage::Struck && offset >= timeline.calm_at() && self.plan.wave.is_none() {
            self.calm(offset).await?;
        }
        Ok(())
    }

    /// Strikes, unless the baseline is already broken or a ledger is silent.
    async fn strike(&mut self, offset: Duration, traffic: &Traffic) -> Result<(), RunError> {
        self.usage.mark();
        let broken = self.recorder.broken_baseline(self.plan, baseline_machine(&self.target.health()?, &self.usage));
        if !broken.is_empty() && !self.plan.strike_a_broken_baseline {
            let why = format!("the baseline is broken already, so nothing is struck: {}", broken.join("; "));
            self.progress.say(&why);
            self.join.notes.push(why);
            return self.end_early(End::BrokenBaseline, traffic).await;
        }
        let silent = self.join.silent();
        if !silent.is_empty() {
            let why = format!(
                "no line of the ledger of {} came in the baseline, so nothing is struck: the layer does not run there, its plan is not read, \
                 its log is not written, or nothing was invoked that the faults are about",
                silent.join(", ")
            );
            self.progress.say(&why);
            return self.end_early(End::Failed(why), traffic).await;
        }
        self.stage = Stage::Struck;
        if !self.plan.faults.is_empty() {
            let now = Instant::now();
            let plan = self.keeper.strike(now, now + self.plan.timeline.fault_from().saturating_sub(offset));
            self.target.strike(&plan).await?;
        }
        Ok(())
    }

    pub(super) async fn calm(&mut self, offset: Duration) -> Result<(), RunError> {
        let was = std::mem::replace(&mut self.stage, Stage::Calmed);
        if matches!(was, Stage::Rehearsed | Stage::Struck) {
            let plan = self.keeper.calm();
            self.target.strike(&plan).await?;
        }
        if was == Stage::Struck {
            self.calmed = Some(offset);
            self.usage.mark();
            self.join.event(Event::Calmed { at: offset }, Instant::now());
        }
        Ok(())
    }

    async fn end_early(&mut self, end: End, traffic: &Traffic) -> Result<(), RunError> {
        self.end = end;
        traffic.stop();
        self.calm(traffic.started().elapsed()).await
    }

    pub(super) fn show(&mut self, traffic: &Traffic) {
        let glance = traffic.glance();
        // Once it is to end early, nothing more is sent.
        let moment = if self.end == End::Finished { Moment::at(&self.plan.timeline, glance.offset) } else { Moment::Settling };
        let now = Now { plan: self.plan, moment, glance, struck: self.join.struck() };
        self.sampler.look(&now, &self.recorder).iter().for_each(|snapshot| self.progress.show(snapshot));
    }

    /// Ends the run with an error; the first reason is kept.
    pub(super) fn fail(&mut self, error: &dyn std::error::Error) {
        if self.end == End::Finished {
            self.end = End::Failed(crate::chain(error));
        }
    }

    async fn close(mut self, traffic: Traffic, quiet: Quiet, started_unix_ms: u64) -> Result<Told, RunError> {
        let glance = traffic.glance();
        let ended = traffic.finished().await?;
        // Without a strike no phase follows the baseline.
        if self.calmed.is_some() {
            self.usage.mark();
        }
        let health = self.target.health().unwrap_or_default();
        if self.asked.is_some() {
            self.end = End::Interrupted;
        }
        let recorded = self.recorder.end(&quiet, &self.join)?;
        let now = Now { plan: self.plan, moment: Moment::Ended, glance, struck: self.join.struck() };
        self.progress.show(&self.sampler.end(&now, &recorded));
        let Recorded { latencies, service_times, mut books, invariants, dispositions, story, .. } = recorded;
        books.planned = ended.planned;
        books.sent = ended.sent;
        let mut notes = self.join.notes.clone();
        if self.join.cold_starts > 0 {
            notes.push(format!("{} new environments stood in the way of a request", self.join.cold_starts));
        }
        if ended.waited_for_users > 0 {
            notes.push(format!(
                "{} requests were sent late, by {} ms at most, because every user of the load generator was waiting for an answer; `longest-journey` under `[load]` gives it more users",
                ended.waited_for_users,
                ended.longest_wait.as_millis()
            ));
        }
        notes.extend(self.usage.notes(self.plan.kind));
        notes.extend(ended.refused.map(|why| format!("the first connection that could not be made: {why}")));
        notes.extend(invariants.iter().filter(|i| i.checked == 0).map(|i| format!("{} was not exercised: {}", i.id, i.rule)));
        let measurements = Measurements {
            experiment: experiment(self.plan, String::new()),
            phases: phases(self.plan, self.calmed, quiet.at),
            started_unix_ms,
            latencies,
            service_times,
            books,
            endings: ended.endings,
            dispositions,
            deployments: deployments(self.plan),
            injections: self.join.injections(),
            discrepancies: self.join.discrepancies().into_iter().chain(self.target.gaps()).collect(),
            generator: ended.generator,
            platform: platform(&health, &self.usage),
            invariants,
            end: self.end,
            restored: Restored::Yes,
            unchecked: Vec::new(),
            notes,
        };
        Ok((measurements, self.asked, story))
    }
}
