//! After the last answer: waits until nothing is on its way any more, then tries and asks what needs quiet.

use std::time::{Duration, Instant};

use reports::measurements::End;
use run_folder::Addresses;
use scenarios::Event;
use scenarios::exchange::Probe;
use scenarios::invariants::Quiet;
use scenarios::probes::{self, ProbeError};
use scenarios::traffic::{self, Members, Shadow, Traffic};

use super::plan::Plan;
use super::run::{Run, TICK};
use crate::StopRequests;

/// Shadows and ledgers get this long to settle.
const SETTLING: Duration = Duration::from_secs(10);

/// A message that nobody could process comes back this often and a little more, at AWS's visibility, before it is a dead letter.
const DELIVERIES: Duration = Duration::from_secs(6 * 30);

/// A thousand members are disabled at 25 a second, and some of them again.
const DISABLING: Duration = Duration::from_secs(50);

/// A task that dies is tried five times within 15 s, its time is over after 15 s each, and a closing that waits for the others is tried for 142 s.
const EXECUTING: Duration = Duration::from_secs(160);

/// A run does not wait longer than this, whatever is still on its way then.
const LONGEST: Duration = Duration::from_secs(200);

/// Events are joined, and the oracles see them, so soon after the ledgers are there.
const JOINING: Duration = Duration::from_millis(100);

/// Every member and whether it is enabled.
type Users = Vec<(String, bool)>;

/// Every record by its key, with the end of its life in epoch seconds.
type Rows = Vec<(String, Option<i64>)>;

/// How long the systems of a plan may need until nothing is on its way any more.
fn settling(plan: &Plan, lag: Duration) -> Duration {
    let mail = plan.load.mail.as_ref().map_or(Duration::ZERO, |_| plan.compressed.queue(DELIVERIES) + SETTLING);
    let users = plan.load.inactive_users.as_ref().map_or(Duration::ZERO, |_| DISABLING);
    let audit = plan.load.audit.as_ref().map_or(Duration::ZERO, |_| EXECUTING);
    (SETTLING + lag + mail.max(users).max(audit)).min(LONGEST)
}

impl Run<'_> {
    /// Waits until the ledgers have caught up, shadows are at rest, and mails, records and executions have come to their ends; then tries what needs quiet.
    pub(super) async fn settle(&mut self, traffic: &mut Traffic, addresses: &Addresses, signals: &mut dyn StopRequests) -> Quiet {
        let deadline = Instant::now() + settling(self.plan, self.lag);
        let mut shadows = Vec::new();
        while Instant::now() < deadline && self.asked.is_none() {
            self.drain(traffic).await;
            match traffic.shadows().await {
                Ok(seen) => shadows = seen,
                Err(error) => {
                    self.fail(&error);
                    break;
                }
            }
            if at_rest(&shadows) && self.join.is_empty() && self.recorder.under_way() == 0 {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                asked = signals.asked() => self.asked = Some(asked),
            }
        }
        if self.end == End::Finished && self.asked.is_none() {
            self.progress.say("settled; looking at what needs quiet");
            self.look(traffic, addresses, signals).await;
        }
        tokio::time::sleep(self.lag + JOINING).await;
        self.drain(traffic).await;
        let (users, rows) = self.members(addresses).await;
        Quiet { at: traffic.started().elapsed(), calmed: self.calmed, shadows, users, rows }
    }

    /// Every member and every record, where there are any to look at.
    async fn members(&mut self, addresses: &Addresses) -> (Option<Users>, Option<Rows>) {
        if self.plan.members().is_none() {
            return (None, None);
        }
        match traffic::members(addresses).await {
            Ok(Members { users, rows }) => (Some(users), Some(rows)),
            Err(error) => {
                self.fail(&error);
                (None, None)
            }
        }
    }

    async fn look(&mut self, traffic: &Traffic, addresses: &Addresses, signals: &mut dyn StopRequests) {
        if self.plan.has_clinic() {
            tokio::select! {
                probed = probes::all(addresses, self.plan.authorizer_cache) => self.probed(probed, traffic.started()),
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

    fn probed(&mut self, probed: [Result<Option<Probe>, ProbeError>; 2], started: Instant) {
        for probe in probed {
            match probe {
                Ok(Some(probe)) => self.happened(Event::Probe { at: started.elapsed(), probe }),
                Ok(None) => {}
                Err(error) => self.join.notes.push(format!("a probe could not be carried out: {}", crate::chain(&error))),
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

fn at_rest(shadows: &[Shadow]) -> bool {
    shadows.iter().all(|(_, desired, reported, _)| desired.temperature.is_none() || desired.temperature == reported.temperature)
}
