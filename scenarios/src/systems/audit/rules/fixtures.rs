//! Fixtures for the tests of the audit's rules: the history of one record, reported by all who saw
//! a part of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::systems::audit::{ARCHIVE, ARCHIVE_BUCKET, DEAD_LETTERS, NOTICES, STATE_MACHINE, TABLE, cache_key, object_key};
use faults::Place;
use reports::{Outcome, Phase};
use run_folder::Seen;

use super::book::RecordBook;
use super::known::Rested;
use crate::exchange::{Record, RecordForm, Said};
use crate::invariants::fixtures::s;
use crate::invariants::{Book, Quiet};
use crate::strike::Struck;
use crate::{Asked, Event, Exchange};

/// A record sent at 0.5 s and answered 200 at 0.8 s. Tests add what happens then.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) record: Record,
    n: u32,
    from: Duration,
    answers: Vec<Event>,
    then: Vec<(Duration, Seen)>,
    strikes: Vec<Struck>,
    flags: BTreeSet<String>,
    tries: BTreeMap<String, u32>,
}

impl Story {
    pub(crate) fn new(n: u32) -> Self {
        let record = Record {
            id: format!("a-7-{n:06}"),
            form: RecordForm::Good,
            size: 196_000,
            etag: Some(Self::etag(n)),
            repeats: false,
            attempt: 0,
        };
        let tries = ["Archive", "Describe", "Close", "Completed"].map(|state| (state.to_owned(), 1)).into();
        let story = Self {
            record,
            n,
            from: Duration::ZERO,
            answers: Vec::new(),
            then: Vec::new(),
            strikes: Vec::new(),
            flags: BTreeSet::new(),
            tries,
        };
        story.answered(200)
    }

    pub(crate) fn etag(n: u32) -> String {
        format!("{n:032x}")
    }

    pub(crate) fn id(&self) -> String {
        self.record.id.clone()
    }

    fn exchange(&self, at: f64, status: u16) -> Exchange {
        Exchange {
            endpoint: "audit POST /records",
            root: format!("1-{}-{at}", self.n),
            phase: Some(Phase::Fault),
            due: s(at),
            sent: s(at),
            done: s(at + 0.3),
            outcome: if status < 500 { Outcome::Answered } else { Outcome::Failed },
            status: Some(status),
            method: "POST",
            path: "/records".into(),
            asked: Asked::Record(Box::new(self.record.clone())),
            said: Said::default(),
            missed: None,
            told: None,
            began: None,
            struck: Vec::new(),
        }
    }

    /// Sets the answer to the first request.
    pub(crate) fn answered(mut self, status: u16) -> Self {
        let first = Event::Exchange(Box::new(self.exchange(0.5, status)));
        if self.answers.is_empty() {
            self.answers.push(first);
        } else {
            self.answers[0] = first;
        }
        self
    }

    fn change(mut self, change: impl Fn(&mut Exchange)) -> Self {
        for event in &mut self.answers {
            if let Event::Exchange(exchange) = event {
                change(exchange);
            }
        }
        self
    }

    pub(crate) fn form(mut self, form: RecordForm) -> Self {
        self.record.form = form;
        let record = self.record.clone();
        self.change(|exchange| exchange.asked = Asked::Record(Box::new(record.clone())))
    }

    pub(crate) fn without_etag(mut self) -> Self {
        self.record.etag = None;
        let record = self.record.clone();
        self.change(|exchange| exchange.asked = Asked::Record(Box::new(record.clone())))
    }

    /// A fault struck the request itself.
    pub(crate) fn struck_itself(self) -> Self {
        self.change(|exchange| exchange.struck = vec![("test".into(), Place::Function("ingest-record".into()))])
    }

    /// It is sent again and accepted.
    pub(crate) fn again(mut self, at: f64) -> Self {
        self.answers.push(Event::Exchange(Box::new(self.exchange(at, 200))));
        self
    }

    /// Shifts everything by this much.
    pub(crate) fn later(mut self, seconds: f64) -> Self {
        self.from += s(seconds);
        self
    }

    pub(crate) fn saw(mut self, at: f64, seen: Seen) -> Self {
        self.then.push((s(at), seen));
        self
    }

    pub(crate) fn cached(self, at: f64) -> Self {
        let key = cache_key(&self.id());
        self.saw(at, Seen::CacheSet { key, size: 196_000 })
    }

    pub(crate) fn uncached(self, at: f64) -> Self {
        let key = cache_key(&self.id());
        self.saw(at, Seen::CacheDeleted { key })
    }

    pub(crate) fn expired(self, at: f64) -> Self {
        let key = cache_key(&self.id());
        self.saw(at, Seen::CacheExpired { key })
    }

    pub(crate) fn started(self, at: f64) -> Self {
        let name = self.id();
        self.started_as(at, &name)
    }

    pub(crate) fn started_as(self, at: f64, name: &str) -> Self {
        self.saw(at, Seen::ExecutionStarted { machine: STATE_MACHINE.into(), name: name.into() })
    }

    pub(crate) fn stored(self, at: f64, key: &str) -> Self {
        let etag = Self::etag(self.n);
        self.stored_as(at, key, 196_000, &etag)
    }

    pub(crate) fn stored_as(self, at: f64, key: &str, size: u64, etag: &str) -> Self {
        self.saw(at, Seen::ObjectStored { bucket: ARCHIVE_BUCKET.into(), key: key.into(), size, etag: etag.into() })
    }

    pub(crate) fn flagged(mut self, at: f64, flag: &str) -> Self {
        self.flags.insert(flag.to_owned());
        let flags = self.flags.iter().cloned().collect();
        let key = self.id();
        self.saw(at, Seen::RowWritten { table: TABLE.into(), key, expires: None, flags })
    }

    pub(crate) fn noticed(self, at: f64, notice: &str, more: &str) -> Self {
        let message = format!(r#"{{"notice":"{notice}","sourceTransactionID":"{}","status":"ok"{more}}}"#, self.id());
        self.saw(at, Seen::Published { topic: NOTICES.into(), id: "n".into(), subject: None, message })
    }

    pub(crate) fn archived(self, at: f64) -> Self {
        let key = object_key(&self.id());
        self.stored(at, &key).flagged(at, "archived").noticed(at, "archived", "")
    }

    pub(crate) fn described(self, at: f64) -> Self {
        self.flagged(at, "described").noticed(at, "described", "")
    }

    pub(crate) fn closed(self, at: f64) -> Self {
        self.uncached(at).flagged(at, "closed").noticed(at, "closed", "")
    }

    pub(crate) fn completed(self, at: f64) -> Self {
        self.completed_with(at, "ok")
    }

    /// The final notice, with this status for the closing.
    pub(crate) fn completed_with(self, at: f64, status: &str) -> Self {
        self.noticed(at, "completed", &format!(r#","results":[{{"task":"archive","status":"ok"}},{{"task":"close","status":"{status}"}}]"#))
    }

    /// A state was tried this many times.
    pub(crate) fn tried(mut self, state: &str, tries: u32) -> Self {
        self.tries.insert(state.to_owned(), tries);
        self
    }

    fn ended(self, at: f64, status: &str, error: Option<&str>) -> Self {
        let name = self.id();
        self.ended_of(at, &name, status, error)
    }

    /// The execution of this name succeeded.
    pub(crate) fn ended_as(self, at: f64, name: &str) -> Self {
        self.ended_of(at, name, "SUCCEEDED", None)
    }

    fn ended_of(self, at: f64, name: &str, status: &str, error: Option<&str>) -> Self {
        let (name, tries) = (name.to_owned(), self.tries.clone());
        let error = error.map(str::to_owned);
        self.saw(at, Seen::ExecutionEnded { machine: STATE_MACHINE.into(), name, status: status.into(), error, tries })
    }

    pub(crate) fn succeeded(self, at: f64) -> Self {
        self.ended(at, "SUCCEEDED", None)
    }

    pub(crate) fn failed(self, at: f64, error: &str) -> Self {
        self.ended(at, "FAILED", Some(error))
    }

    pub(crate) fn dead(self, at: f64) -> Self {
        let about = Some(self.id());
        self.saw(at, Seen::Queued { queue: DEAD_LETTERS.into(), message: "q".into(), about })
    }

    pub(crate) fn whole_but_end(self) -> Self {
        self.cached(0.6).started(0.7).archived(1.0).described(1.0).closed(1.1).completed(1.2)
    }

    /// Everything that should happen to it.
    pub(crate) fn whole(self) -> Self {
        self.whole_but_end().succeeded(1.3)
    }

    /// Everything that should happen to it, starting at `at`.
    pub(crate) fn whole_from(self, at: f64) -> Self {
        self.cached(at).started(at + 0.1).archived(at + 0.2).described(at + 0.2).closed(at + 0.3).completed(at + 0.4).succeeded(at + 0.5)
    }

    pub(crate) fn struck(self, at: f64, action: &str) -> Self {
        self.struck_at(at, action, Place::Function(ARCHIVE.into()))
    }

    pub(crate) fn struck_at(mut self, at: f64, action: &str, place: Place) -> Self {
        self.strikes.push(Struck { message: None, fault: "test".into(), place, action: action.parse().unwrap(), at: s(at) });
        self
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        let from = self.from;
        let mut events: Vec<Event> = self.then.iter().map(|(at, seen)| Event::Saw { at: from + *at, seen: seen.clone() }).collect();
        events.extend(self.strikes.iter().map(|struck| Event::Struck(Box::new(Struck { at: from + struck.at, ..struck.clone() }))));
        events.extend(self.answers.iter().cloned().map(|event| match event {
            Event::Exchange(mut exchange) => {
                for at in [&mut exchange.due, &mut exchange.sent, &mut exchange.done] {
                    *at += from;
                }
                Event::Exchange(exchange)
            }
            other => other,
        }));
        events.sort_by_key(Event::at);
        events
    }

    /// What `judge` says of the record at the end.
    pub(crate) fn judged<T>(&self, judge: impl Fn(&Rested) -> T) -> T {
        let mut book = RecordBook::default();
        let mut rested: Vec<_> = self.events().iter().flat_map(|event| book.see(event)).collect();
        rested.extend(book.settled(&Quiet { at: s(600.0), ..Quiet::default() }));
        judge(rested.last().unwrap())
    }
}
