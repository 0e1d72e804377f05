//! What happened to each audit record. The rules look at a record when its executions have ended,
//! and a last time when nothing more can happen to it. Then only what the report's tables need is
//! kept.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::systems::audit::{ARCHIVE, ARCHIVE_BUCKET, CLOSE, DEAD_LETTERS, DESCRIBE, INGEST, NOTICES, STATE_MACHINE, TABLE};
use reports::{Dispositions as Table, Outcome};
use run_folder::Seen;

use crate::exchange::Exchange;
use crate::strike::Struck;
use crate::{Asked, Event};

use super::dispositions::{self, Account, Way};
use super::known::{Answer, Cached, Ended as ExecutionEnded, Execution, Known, Rested, Stored, notice};
use crate::invariants::{ArmOf, Book, Ended, Quiet, Sweeps};

/// The functions, and the services that they and the state machine call.
const FUNCTIONS: [&str; 4] = [INGEST, ARCHIVE, DESCRIBE, CLOSE];
const SERVICES: [&str; 6] = ["dynamodb", "redis", "s3", "sns", "sqs", "states"];
/// The harness learns from three sides, which may be out of order by a second; after this time
/// everything is known.
const GRACE: Duration = Duration::from_secs(3);
/// The prefix of a record's key in the cache.
const CACHE_KEY: &str = "record:";
/// The oldest strikes are forgotten beyond this number.
const MOST_STRIKES: usize = 10_000;

/// All records to which something may still happen.
#[derive(Default)]
pub(crate) struct RecordBook {
    all: HashMap<String, Known>,
    /// The outcomes of the records to which nothing more can happen.
    over: HashMap<String, Way>,
    /// The record of each execution, by the execution's name.
    executions: HashMap<String, String>,
    strikes: VecDeque<Arc<Struck>>,
    ended: Option<Ended>,
    sweeps: Sweeps,
}

impl Book for RecordBook {
    type Ripe = Vec<Rested>;

    /// The records that can now be judged.
    fn see(&mut self, event: &Event) -> Vec<Rested> {
        self.sweeps.see(event);
        let about = match event {
            Event::Exchange(exchange) => self.answered(exchange),
            Event::Saw { at, seen } => self.saw(*at, seen),
            Event::Struck(struck) if FUNCTIONS.iter().any(|function| struck.concerns(function, &SERVICES)) => {
                self.strikes.push_back(Arc::new((**struck).clone()));
                None
            }
            _ => None,
        };
        self.ended = about.and_then(|id| self.first_end(&id));
        self.sweeps.due(Duration::from_millis(250)).map(|now| self.sweep(now)).unwrap_or_default()
    }

    fn settled(&mut self, quiet: &Quiet) -> Vec<Rested> {
        let at = self.sweeps.end(quiet);
        std::mem::take(&mut self.all).into_iter().filter_map(|(id, known)| self.close(id, known, at)).collect()
    }

    fn ended(&mut self) -> Option<Ended> {
        self.ended.take()
    }

    /// Executions under way, and accepted records without an execution or an end so far.
    fn under_way(&self) -> usize {
        let open = self.all.values().flat_map(|known| &known.executions).filter(|execution| execution.ended.is_none()).count();
        open + self.ways().filter(|(_, way)| way.is_waited_for()).count()
    }

    fn unfinished(&self) -> Vec<Ended> {
        self.ways().filter_map(|(_, way)| ended(&way)).filter(|ended| ended.end.is_none()).collect()
    }

    fn tables(&self, arm: ArmOf<'_>) -> Vec<Table> {
        let accounts: Vec<_> = self.accounts().map(|account| (arm(&account.root), account)).collect();
        dispositions::tables(&accounts).into()
    }
}

/// From the answer that accepted a record until its end; the first accepting answer counts.
fn ended(way: &Way) -> Option<Ended> {
    let accepted = way.accepted.as_ref()?;
    let end = way.end().map(|(at, is_right)| (at, if is_right { Outcome::Answered } else { Outcome::Failed }));
    let (identity, due, since) = (Some(accepted.root.clone()), accepted.due, accepted.done);
    Some(Ended { endpoint: "audit accepted -> closed", identity, due, since, end })
}

impl RecordBook {
    /// Every record that was sent, and its outcome.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = Account> {
        self.ways().filter_map(|(_, way)| way.account())
    }

    fn ways(&self) -> impl Iterator<Item = (&String, Way)> {
        let again = |id: &String| !self.over.contains_key(id);
        let ids = self.over.keys().chain(self.all.keys().filter(move |id| again(id)));
        ids.map(|id| (id, self.way(id)))
    }

    fn way(&self, id: &str) -> Way {
        let before = self.over.get(id).cloned().unwrap_or_default();
        match self.all.get(id) {
            Some(known) => before.then(known),
            None => before,
        }
    }

    fn first_end(&mut self, id: &str) -> Option<Ended> {
        let way = self.way(id);
        let ended = ended(&way).filter(|ended| ended.end.is_some() && !way.is_told)?;
        self.all.get_mut(id)?.is_told = true;
        Some(ended)
    }

    fn sweep(&mut self, clock: Duration) -> Vec<Rested> {
        let mut rested = Vec::new();
        for known in self.all.values_mut() {
            let ended = known.executions.iter().all(|execution| execution.ended.is_some());
            if !known.is_looked_at && known.is_accepted() && ended && known.last + GRACE <= clock {
                known.is_looked_at = true;
                rested.extend(known.clone().rested(&self.strikes, false, clock));
            }
        }
        for (id, known) in self.all.extract_if(|_, known| known.is_over(clock)).collect::<Vec<_>>() {
            rested.extend(self.close(id, known, clock));
        }
        self.strikes.drain(..self.strikes.len().saturating_sub(MOST_STRIKES));
        rested
    }

    /// Keeps what the tables need of a record that was sent.
    fn close(&mut self, id: String, known: Known, at: Duration) -> Option<Rested> {
        for execution in &known.executions {
            self.executions.remove(&execution.name);
        }
        if !known.answers.is_empty() || self.over.contains_key(&id) {
            let way = self.over.remove(&id).unwrap_or_default().then(&known);
            self.over.insert(id, way);
        }
        known.rested(&self.strikes, true, at)
    }

    fn answered(&mut self, exchange: &Exchange) -> Option<String> {
        let Asked::Record(record) = &exchange.asked else { return None };
        let answer = Answer {
            due: exchange.due,
            sent: exchange.sent,
            done: exchange.done,
            root: exchange.root.clone(),
            status: exchange.status,
            record: (**record).clone(),
            struck: !exchange.struck.is_empty(),
        };
        let done = exchange.done;
        self.of(&record.id, done).answers.push(answer);
        Some(record.id.clone())
    }

    /// Records a sighting; returns the id of the record that may have ended with it.
    fn saw(&mut self, at: Duration, seen: &Seen) -> Option<String> {
        match seen {
            Seen::ObjectStored { bucket, key, size, etag } if bucket == ARCHIVE_BUCKET => {
                let stored = Stored { at, key: key.clone(), size: *size, etag: etag.clone() };
                self.of(key.split('/').nth(1)?, at).stored.push(stored);
            }
            Seen::CacheSet { key, .. } => self.of(key.strip_prefix(CACHE_KEY)?, at).cached.push((at, Cached::Set)),
            Seen::CacheDeleted { key } | Seen::CacheExpired { key } => {
                self.of(key.strip_prefix(CACHE_KEY)?, at).cached.push((at, Cached::Gone));
            }
            Seen::RowWritten { table, key, flags, .. } if table == TABLE => self.of(key, at).flags = Some(flags.iter().cloned().collect()),
            Seen::RowDeleted { table, key } if table == TABLE => self.of(key, at).flags = None,
            Seen::Published { topic, message, .. } if topic == NOTICES => {
                let (id, notice) = notice(at, message)?;
                self.of(&id, at).notices.push(notice);
                return Some(id);
            }
            Seen::Queued { queue, about: Some(id), .. } if queue == DEAD_LETTERS => {
                self.of(id, at).dead.push(at);
                return Some(id.clone());
            }
            Seen::ExecutionStarted { machine, name } if machine == STATE_MACHINE => {
                let id = self.record_of(name);
                self.executions.insert(name.clone(), id.clone());
                self.of(&id, at).executions.push(Execution { name: name.clone(), ended: None });
            }
            Seen::ExecutionEnded { machine, name, status, error, tries } if machine == STATE_MACHINE => {
                let id = self.executions.get(name)?.clone();
                let mut executions = self.of(&id, at).executions.iter_mut();
                let open = executions.find(|execution| execution.name == *name && execution.ended.is_none())?;
                open.ended = Some(ExecutionEnded { at, status: status.clone(), error: error.clone(), tries: tries.clone() });
            }
            _ => {}
        }
        None
    }

    fn of(&mut self, id: &str, at: Duration) -> &mut Known {
        let known = self.all.entry(id.to_owned()).or_default();
        known.last = known.last.max(at);
        known
    }

    /// The name of an execution is the record's id; in the published form it only begins with it.
    fn record_of(&self, name: &str) -> String {
        let ends = name.char_indices().rev().filter(|(_, letter)| matches!(letter, '-' | '_' | '.')).filter_map(|(end, _)| name.get(..end));
        let known = std::iter::once(name).chain(ends).find(|begin| self.all.contains_key(*begin));
        known.unwrap_or(name).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::Story;
    use super::*;
    use crate::invariants::fixtures::s;
    use crate::invariants::fixtures::tick;

    fn looks(book: &mut RecordBook, events: &[Event]) -> Vec<(String, bool)> {
        let mut seen = Vec::new();
        for event in events {
            seen.extend(book.see(event).into_iter().map(|rested| (rested.record.id.clone(), rested.is_over)));
        }
        seen
    }

    #[test]
    fn a_record_is_judged_when_its_executions_have_ended_and_again_when_it_is_over() {
        let mut book = RecordBook::default();
        let id = Story::new(1).id();
        assert_eq!(looks(&mut book, &Story::new(1).whole().events()), []);
        assert_eq!(looks(&mut book, &[tick(4.0)]), [], "something may still be on its way");
        assert_eq!(looks(&mut book, &[tick(6.0), tick(7.0)]), [(id.clone(), false)]);
        assert_eq!(looks(&mut book, &[tick(60.0), tick(70.0)]), [(id, true)]);
        assert!(book.all.is_empty() && book.executions.is_empty());
    }

    #[test]
    fn an_execution_that_goes_on_is_waited_for() {
        let mut book = RecordBook::default();
        let events = Story::new(1).started(0.7).events();
        assert_eq!(looks(&mut book, &events), []);
        assert_eq!(looks(&mut book, &[tick(200.0)]), []);
        let left = book.settled(&Quiet { at: s(600.0), ..Quiet::default() });
        assert_eq!(left.iter().map(|rested| rested.is_over).collect::<Vec<_>>(), [true]);
    }

    #[test]
    fn what_belongs_to_no_request_of_the_run_is_forgotten() {
        let mut book = RecordBook::default();
        for n in 0..2_000_u32 {
            let events = Story::new(n).whole().later(f64::from(n)).events();
            looks(&mut book, &events.into_iter().filter(|event| !matches!(event, Event::Exchange(_))).collect::<Vec<_>>());
        }
        assert!(book.all.len() < 200 && book.executions.len() < 200, "{} {}", book.all.len(), book.executions.len());
    }

    #[test]
    fn an_answer_that_is_heard_of_long_after_all_else_finds_what_it_is_about() {
        let mut book = RecordBook::default();
        let (answers, sights): (Vec<_>, Vec<_>) =
            Story::new(1).whole().events().into_iter().partition(|event| matches!(event, Event::Exchange(_)));
        assert!(looks(&mut book, &sights).is_empty() && looks(&mut book, &[tick(150.0)]).is_empty());
        looks(&mut book, &answers);
        let rested = book.settled(&Quiet { at: s(160.0), ..Quiet::default() });
        assert_eq!(rested.iter().map(|rested| rested.known.executions.len()).collect::<Vec<_>>(), [1], "with its execution");
    }
}
