//! Carries out the agenda, and enables again some members whom the pool has disabled. It reports
//! what it did and nothing else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use load::TrafficError;
use run_folder::Seen;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::Event;
use crate::exchange;
use crate::systems::inactive_users::traffic::agenda::{Act, What, agenda};
use crate::systems::inactive_users::traffic::door::{Door, Refused};
use crate::systems::inactive_users::traffic::people::People;
use crate::systems::inactive_users::{THRESHOLD_DAYS, UsersLoad, row_life};
use crate::traffic::order::Order;
use crate::traffic::preparation::Companion;

/// How many workers act in parallel: they put a thousand rows within a second.
const HANDS: usize = 4;

/// How long until a refused call is made again.
const PAUSE: Duration = Duration::from_millis(200);

/// How many attempts; after that the act is skipped and not reported.
const TRIES: u32 = 25;

/// How long an administrator takes to enable a member again.
const REACTION: Duration = Duration::from_millis(300);

/// Seconds of the threshold at AWS.
const THRESHOLD_S: f64 = THRESHOLD_DAYS as f64 * 86_400.0;

/// One worker.
struct Hand {
    door: Door,
    events: UnboundedSender<Event>,
    started: Instant,
    /// How long a row lives here after a sign-in, in seconds.
    life_s: f64,
}

/// What the harness does by hand beside the sign-ins.
pub(crate) struct ByHand {
    load: UsersLoad,
    events: UnboundedSender<Event>,
    tasks: JoinSet<()>,
    seen: Option<UnboundedSender<Seen>>,
}

impl ByHand {
    pub(crate) fn new(load: UsersLoad, events: UnboundedSender<Event>) -> Self {
        Self { load, events, tasks: JoinSet::new(), seen: None }
    }
}

#[async_trait]
impl Companion for ByHand {
    fn begin(&mut self, order: &Order, begun: Instant) -> Result<(), TrafficError> {
        let life = row_life(&order.setup);
        let hand = || {
            let (door, events) = (Door::new(&order.addresses)?, self.events.clone());
            Ok::<_, TrafficError>(Hand { door, events, started: begun, life_s: life.as_secs_f64().max(0.001) })
        };
        let acts = agenda(&self.load, life, &order.timeline, order.seed);
        for first in 0..HANDS {
            let (mut hand, acts) = (hand()?, acts.iter().skip(first).step_by(HANDS).cloned().collect::<Vec<_>>());
            self.tasks.spawn(async move {
                for act in acts {
                    tokio::time::sleep_until((hand.started + act.at).into()).await;
                    hand.carry_out(&act).await;
                }
            });
        }
        let (tell, seen) = mpsc::unbounded_channel();
        self.tasks.spawn(hand()?.enable_again(People::new(&self.load).enabled_again().collect(), seen));
        self.seen = Some(tell);
        Ok(())
    }

    fn saw(&self, seen: &Seen) {
        if let (Some(tell), Seen::UserDisabled { .. }) = (&self.seen, seen) {
            let _ = tell.send(seen.clone());
        }
    }
}

impl Hand {
    async fn carry_out(&mut self, act: &Act) {
        for _ in 0..TRIES {
            match self.try_once(act).await {
                Ok(event) => {
                    // The receiver is gone once the harness has moved on.
                    let _ = self.events.send(event);
                    return;
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    async fn try_once(&mut self, act: &Act) -> Result<Event, Refused> {
        let user = act.user.clone();
        match act.what {
            What::Seed { expires } => {
                let (signed_in, ttl, expires) = self.row(expires);
                self.door.put_row(&user, signed_in, ttl).await?;
                Ok(Event::RowSeeded { user, at: self.started.elapsed(), expires })
            }
            What::DeleteRow => {
                self.door.delete_row(&user).await?;
                Ok(self.done(user, exchange::ByHand::RowDeleted))
            }
            What::DeleteMember => {
                match self.door.delete_member(&user).await {
                    Err(refused) if !refused.is("UserNotFoundException") => return Err(refused),
                    _ => {}
                }
                Ok(self.done(user, exchange::ByHand::MemberDeleted))
            }
        }
    }

    fn done(&self, user: String, act: exchange::ByHand) -> Event {
        Event::ByHand { user, at: self.started.elapsed(), act }
    }

    /// A row that is written now and ends at `expires`: its sign-in time and its time to live in
    /// epoch seconds, and when it really ends, because a time to live has whole seconds.
    fn row(&self, expires: Duration) -> (i64, i64, Duration) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let elapsed = self.started.elapsed();
        let faster = THRESHOLD_S / self.life_s;
        let ttl = (now + expires.saturating_sub(elapsed).as_secs_f64() * faster).round();
        let left = Duration::from_secs_f64(((ttl - now) / faster).max(0.0));
        ((ttl - THRESHOLD_S) as i64, ttl as i64, elapsed + left)
    }

    /// Enables each of `users` once, a moment after it was disabled.
    async fn enable_again(mut self, mut users: BTreeSet<String>, mut seen: UnboundedReceiver<Seen>) {
        while let Some(seen) = seen.recv().await {
            let Seen::UserDisabled { user, .. } = seen else { continue };
            if !users.remove(&user) {
                continue;
            }
            tokio::time::sleep(REACTION).await;
            for _ in 0..TRIES {
                if self.door.enable(&user).await.is_ok() {
                    let _ = self.events.send(self.done(user, exchange::ByHand::Enabled));
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use run_folder::addresses::{Addresses, Pool};

    fn hand(life_s: f64) -> Hand {
        let pool =
            Pool { name: "members".into(), id: "p".into(), client_id: "c".into(), other_client_id: "o".into(), issuer: String::new() };
        let addresses = Addresses { pools: vec![pool], ..Addresses::default() };
        let (events, _) = tokio::sync::mpsc::unbounded_channel();
        Hand { door: Door::new(&addresses).unwrap(), events, started: Instant::now(), life_s }
    }

    #[test]
    fn a_row_ends_on_time_in_compressed_time_and_its_actual_end_is_returned() {
        for (life_s, within) in [(30.0, 0.001), (2_592.0, 0.001), (2_592_000.0, 0.501)] {
            let wanted = Duration::from_secs(20);
            let (signed_in, ttl, expires) = hand(life_s).row(wanted);
            assert!((expires.as_secs_f64() - 20.0).abs() < within, "{life_s}: {expires:?}");
            assert_eq!(ttl - signed_in, 30 * 86_400);
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
            let lives = (ttl as f64 - now) * life_s / THRESHOLD_S;
            assert!((lives - 20.0).abs() < within + 0.5, "{life_s}: {lives}");
        }
    }
}
