//! What the services saw, brought into the run: events for the oracles, ends of mails and records the moment they are known, and tables at the end.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use reports::dispositions::Row;
use reports::{ArmTag, Dispositions as Table};
use run_folder::sightings::monotonic_us;
use run_folder::{Seen, Sighting};
use scenarios::Event;
use scenarios::dispositions::{
    Dispositions, ExpiryBooks, ExpiryFate, FirstEnd, MailAccount, MailBooks, RecordBooks, SignInBooks, Unfinished,
};
use scenarios::links::Links;
use scenarios::systems::inactive_users::{TABLE, sub};

use super::join::Join;

/// What is known of mails, sign-ins and expiries.
pub struct Sighted {
    /// Offset 0 on the services' clock.
    zero_us: u64,
    fold: Dispositions,
    /// When the record of a member, by its key, ended; until the member is disabled.
    ended: HashMap<String, Duration>,
    /// The links that were sent.
    pub links: Links,
}

impl Sighted {
    /// Nothing yet; `started` is offset 0, and often still to come: the first arrival is due a moment after the traffic is ready.
    pub fn new(started: Instant) -> Self {
        let (now, now_us) = (Instant::now(), monotonic_us());
        let us = |span: Duration| u64::try_from(span.as_micros()).unwrap_or_default();
        let zero_us = (now_us + us(started.saturating_duration_since(now))).saturating_sub(us(now.saturating_duration_since(started)));
        Self { zero_us, fold: Dispositions::default(), ended: HashMap::new(), links: Links::default() }
    }

    /// A sighting as an event. What was seen before offset 0 counts as seen then.
    pub fn event(&self, sighting: Sighting) -> Event {
        Event::Saw { at: Duration::from_micros(sighting.at_us.saturating_sub(self.zero_us)), seen: sighting.seen }
    }

    /// Takes what happened; what is known by it comes back as events of their own.
    pub fn see(&mut self, event: &Event) -> Vec<Event> {
        self.links.see(event);
        let ended = self.fold.see(event).map(|end| match end {
            FirstEnd::Mail(disposed) => Event::Disposed(Box::new(disposed)),
            FirstEnd::Record(closed) => Event::Closed(Box::new(closed)),
        });
        ended.into_iter().chain(self.pruned(event)).collect()
    }

    fn pruned(&mut self, event: &Event) -> Option<Event> {
        let Event::Saw { at, seen } = event else { return None };
        match seen {
            Seen::RowExpired { table, key, .. } if table == TABLE => {
                self.ended.insert(key.clone(), *at);
                None
            }
            Seen::UserDisabled { user, .. } => {
                self.ended.remove(&sub(user)).map(|expired| Event::Pruned { user: user.clone(), expired, at: *at })
            }
            _ => None,
        }
    }

    /// Mails and ended records of which nothing has become yet, and executions of the audit that are under way.
    pub fn in_flight(&self) -> usize {
        let mails = self.fold.mails().filter(|account| account.mail.id.is_some() && account.first.is_none() && !account.acknowledged);
        let expiries = self.fold.expiries().filter(|expired| expired.fate == ExpiryFate::InFlight);
        mails.count() + expiries.count() + self.fold.executions_under_way()
    }

    /// What has not come to its end.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        self.fold.unfinished().collect()
    }

    /// What became of everything, by arm; a table for each kind of thing of which there was one.
    pub fn tables(&self, join: &Join) -> Vec<Table> {
        let [sent, accepted] = self.records(join);
        [self.mails(join), self.sign_ins(join), self.expiries(), sent, accepted].into_iter().filter(|table| table.taken > 0).collect()
    }

    fn mails(&self, join: &Join) -> Table {
        let arm = |account: &MailAccount<'_>| account.message.map_or(ArmTag::Untouched, |message| join.arm(message));
        let books = by_arm(|wanted| MailBooks::of(self.fold.mails().filter(|account| wanted(arm(account)))));
        Table {
            of: "mails".to_owned(),
            taken: self.fold.taken(),
            ends: vec![
                row("delivered to all readers", &books, |books| books.delivered),
                row("told to the fallback topic", &books, |books| books.fallback),
                row("in the dead-letter queue", &books, |books| books.dead_letter),
                row("expired in the queue", &books, |books| books.expired),
                row("acknowledged and lost", &books, |books| books.lost),
                row("in flight", &books, |books| books.in_flight),
                Row { neither: self.fold.unheard(), ..row("taken, and the sender not told", &books, |_| 0) },
            ],
            of_these: vec![
                row("some reader or notice twice", &books, |books| books.duplicated),
                row("two ends", &books, |books| books.doubles),
            ],
        }
    }

    fn sign_ins(&self, join: &Join) -> Table {
        let books = by_arm(|wanted| SignInBooks::of(self.fold.sign_ins().filter(|account| wanted(join.arm(account.root)))));
        Table {
            of: "sign-ins by password".to_owned(),
            taken: books.iter().map(|books| books.asked).sum(),
            ends: vec![
                row("granted and recorded", &books, |books| books.recorded),
                row("granted and not recorded", &books, |books| books.lost),
                row("refused", &books, |books| books.refused),
                row("failed", &books, |books| books.failed),
            ],
            of_these: Vec::new(),
        }
    }

    /// What the sources of audit records know, and what became of the records that were accepted. A 502 or 504 says nothing of its record.
    fn records(&self, join: &Join) -> [Table; 2] {
        let books = by_arm(|wanted| RecordBooks::of(self.fold.records().filter(|account| wanted(join.arm(account.root)))));
        let sent = Table {
            of: "audit records".to_owned(),
            taken: books.iter().map(|books| books.sent).sum(),
            ends: vec![
                row("accepted", &books, |books| books.accepted),
                row("refused", &books, |books| books.refused),
                row("502, 504 or no answer to the end", &books, |books| books.unknown),
            ],
            of_these: vec![
                row("sent again after a 502, a 504 or no answer", &books, |books| books.sent_again),
                row("repeated by another arrival", &books, |books| books.repeated),
                row("taken, and the sender does not know", &books, |books| books.taken_unknown),
            ],
        };
        let accepted = Table {
            of: "accepted audit records".to_owned(),
            taken: books.iter().map(|books| books.accepted).sum(),
            ends: vec![
                row("archived, with four notices", &books, |books| books.archived),
                row("in the dead-letter queue", &books, |books| books.dead_letter),
                row("ended and neither", &books, |books| books.lost),
                row("in flight", &books, |books| books.in_flight),
            ],
            of_these: vec![row("both ends", &books, |books| books.both_ends)],
        };
        [sent, accepted]
    }

    /// A batch is struck as a whole, and who was in it only the function knows: no record has an arm.
    fn expiries(&self) -> Table {
        let books = by_arm(|wanted| ExpiryBooks::of(self.fold.expiries().filter(|_| wanted(ArmTag::Untouched))));
        Table {
            of: "records that ended".to_owned(),
            taken: books.iter().map(|books| books.expired).sum(),
            ends: vec![
                row("the member was disabled", &books, |books| books.disabled),
                row("given up, in the queue for failures", &books, |books| books.given_up),
                row("the member was gone", &books, |books| books.gone),
                row("the member had signed in again", &books, |books| books.active_again),
                row("in flight", &books, |books| books.in_flight),
            ],
            of_these: Vec::new(),
        }
    }
}

/// The books of what was struck, of what was left alone, and of what no fault was about.
fn by_arm<B>(books: impl Fn(fn(ArmTag) -> bool) -> B) -> [B; 3] {
    [books(|arm| arm == ArmTag::Treatment), books(|arm| arm == ArmTag::Control), books(|arm| arm == ArmTag::Untouched)]
}

fn row<B>(what: &str, [struck, control, neither]: &[B; 3], count: impl Fn(&B) -> u64) -> Row {
    Row { what: what.to_owned(), struck: count(struck), control: count(control), neither: count(neither) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sighting_has_the_offset_of_the_traffics_clock_also_where_that_starts_later() {
        let seen = || Seen::Alarm { name: "a".into(), state: "OK".into() };
        let (minute, now) = (Duration::from_secs(60), Instant::now());
        for started in [now - minute, now, now + minute] {
            let sighted = Sighted::new(started);
            // Two minutes from now on the services' clock are two minutes from now on the harness's.
            let Event::Saw { at, .. } = sighted.event(Sighting { at_us: monotonic_us() + 120_000_000, seen: seen() }) else {
                panic!("no sighting")
            };
            let expected = (Instant::now() + 2 * minute).saturating_duration_since(started);
            assert!(at.abs_diff(expected) < minute / 2, "{at:?}, not {expected:?}");
        }
    }

    #[test]
    fn every_arm_has_its_column_and_only_one() {
        let all = [ArmTag::Treatment, ArmTag::Control, ArmTag::Untouched];
        let columns = by_arm(|wanted| all.into_iter().filter(|arm| wanted(*arm)).count() as u64);
        let row = row("delivered", &columns, |count| *count);
        assert_eq!((row.struck, row.control, row.neither, row.total()), (1, 1, 1, 3));
    }
}
