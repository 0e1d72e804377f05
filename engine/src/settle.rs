//! After the last answer: waits until nothing is in flight any more, then makes the checks that
//! need an idle system.

use std::time::{Duration, Instant};

use reports::measurements::{End, RunKind};
use run_folder::Addresses;
use scenarios::Event;
use scenarios::invariants::Quiet;
use scenarios::systems::load::Probed;
use scenarios::traffic::Traffic;

use super::leaks;
use super::plan::Plan;
use super::run::{Run, TICK};
use crate::StopRequests;

/// Shadows and ledgers get this long to settle.
const SETTLING: Duration = Duration::from_secs(10);

/// The longest wait of a run, even if something is still in flight then.
const LONGEST: Duration = Duration::from_secs(200);

/// How long after the ledgers arrive events are joined and passed to the oracles.
const JOINING: Duration = Duration::from_millis(100);

/// How long the systems of a plan may need until nothing is in flight any more.
fn settling(plan: &Plan, lag: Duration) -> Duration {
    let of_systems = plan.load.systems.iter().map(|load| load.settling(&plan.setup));
    let longest = of_systems.chain(plan.wave.iter().map(|wave| wave.settling)).max().unwrap_or_default();
    (SETTLING + lag + longest.max(plan.load.conservation.longest())).min(LONGEST)
}

impl Run<'_> {
    /// Waits until the ledgers have caught up, shadows are at rest, and mails, records and
    /// executions have completed; then makes the checks that need an idle system.
    pub(super) async fn settle(&mut self, traffic: &mut Traffic, addresses: &Addresses, signals: &mut dyn StopRequests) -> Quiet {
        let deadline = Instant::now() + settling(self.plan, self.lag);
        let mut quiet = Quiet::default();
        while Instant::now() < deadline && self.asked.is_none() {
            if let Err(error) = self.renew().await {
                self.fail(&error);
            }
            self.drain(traffic).await;
            self.show(traffic);
            let at_rest = match traffic.at_rest(&mut quiet).await {
                Ok(at_rest) => at_rest,
                Err(error) => {
                    self.fail(&error);
                    break;
                }
            };
            if at_rest && self.join.is_empty() && self.recorder.under_way() == 0 {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                asked = signals.asked() => self.asked = Some(asked),
            }
        }
        if let Err(error) = self.calm(traffic.started().elapsed()).await {
            self.fail(&error);
        }
        // A wave judges what its requests show.
        if self.end == End::Finished && self.asked.is_none() && self.plan.wave.is_none() {
            if self.plan.kind == RunKind::Experiment {
                self.progress.say("settled; looking at what needs quiet");
            }
            self.try_out(traffic, addresses, signals).await;
        }
        tokio::time::sleep(self.lag + JOINING).await;
        self.drain(traffic).await;
        for load in &self.plan.load.systems {
            if let Err(error) = load.look(addresses, &mut quiet).await {
                self.fail(&error);
            }
        }
        if let Some(own) = self.plan.own.as_ref().filter(|_| self.plan.load.has_secrets) {
            quiet.leaks = leaks::look(own, &self.plan.load.tokens, |function| self.target.log(function));
        }
        Quiet { at: traffic.started().elapsed(), calmed: self.calmed, ..quiet }
    }

    /// Checks what no traffic shows, and follows links.
    async fn try_out(&mut self, traffic: &Traffic, addresses: &Addresses, signals: &mut dyn StopRequests) {
        let plan = self.plan;
        for load in &plan.load.systems {
            tokio::select! {
                probed = load.probe(addresses, &plan.setup) => self.probed(probed, traffic.started()),
                asked = signals.asked() => self.asked = Some(asked),
            }
        }
        let followed = tokio::select! {
            followed = self.sighted.links.follow(traffic.started()) => followed,
            asked = signals.asked() => {
                self.asked = Some(asked);
                Vec::new()
            }
        };
        followed.into_iter().for_each(|event| self.happened(event));
    }

    fn probed(&mut self, probed: Vec<Probed>, started: Instant) {
        for probe in probed {
            match probe {
                Ok(Some(probe)) => self.happened(Event::Probe { at: started.elapsed(), probe }),
                Ok(None) => {}
                Err(error) => self.join.notes.push(format!("a probe could not be carried out: {}", crate::chain(error.as_ref()))),
            }
        }
    }

    async fn drain(&mut self, traffic: &mut Traffic) {
        while let Ok(event) = traffic.events.try_recv() {
            self.happened(event);
        }
        if let Err(error) = self.take_in(traffic).await {
            self.fail(&error);
        }
    }
}
