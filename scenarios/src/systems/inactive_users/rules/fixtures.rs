//! Fixtures for the tests of the inactive users' rules: the life of one member, reported by all who
//! saw a part of it.

use crate::systems::inactive_users::{DISABLES_TABLE, FAILED, TABLE, member, sub};
use faults::Place;
use run_folder::Seen;

use crate::Event;
use crate::exchange::{Asked, ByHand, SignInBy};
use crate::invariants::fixtures::{exchange, s};
use crate::strike::Struck;

const POOL_ID: &str = "local_members";

/// The life of one member. Tests add what happens, in order of time.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    user: String,
    events: Vec<Event>,
}

impl Life {
    pub(crate) fn new(n: u32) -> Self {
        Self { user: member(n), events: Vec::new() }
    }

    pub(crate) fn name(n: u32) -> String {
        member(n)
    }

    /// An event that only moves the clock.
    pub(crate) fn tick(at: f64) -> Event {
        Event::Saw {
            at: s(at),
            seen: Seen::RowWritten { table: DISABLES_TABLE.into(), key: "pace".into(), expires: None, flags: Vec::new() },
        }
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.clone()
    }

    fn with(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }

    pub(crate) fn saw(self, at: f64, seen: Seen) -> Self {
        self.with(Event::Saw { at: s(at), seen })
    }

    fn key(&self) -> String {
        sub(&self.user)
    }

    pub(crate) fn written(self, at: f64, expires: i64) -> Self {
        let key = self.key();
        self.saw(at, Seen::RowWritten { table: TABLE.into(), key, expires: Some(expires), flags: Vec::new() })
    }

    /// The harness puts the row.
    pub(crate) fn seeded(self, at: f64, expires: i64) -> Self {
        let user = self.user.clone();
        self.written(at, expires).with(Event::RowSeeded { user, at: s(at + 0.05), expires: s(at + 5.0) })
    }

    pub(crate) fn row_deleted(self, at: f64) -> Self {
        let (key, user) = (self.key(), self.user.clone());
        let deleted = self.saw(at, Seen::RowDeleted { table: TABLE.into(), key });
        deleted.with(Event::ByHand { user, at: s(at + 0.01), act: ByHand::RowDeleted })
    }

    pub(crate) fn expired(self, at: f64) -> Self {
        let key = self.key();
        self.saw(at, Seen::RowExpired { table: TABLE.into(), key, event: format!("e-{at}") })
    }

    pub(crate) fn given_up(self, at: f64) -> Self {
        let keys = vec![self.key()];
        self.saw(at, Seen::StreamGivenUp { table: TABLE.into(), keys, to: Some(FAILED.into()), message: Some("m".into()) })
    }

    pub(crate) fn triggered(self, at: f64, call: u32) -> Self {
        let user = self.user.clone();
        self.saw(at, Seen::Triggered { pool: POOL_ID.into(), user, call, outcome: "ok".into() })
    }

    pub(crate) fn signed_in(self, at: f64) -> Self {
        let user = self.user.clone();
        self.saw(at, Seen::SignedIn { pool: POOL_ID.into(), user })
    }

    /// What the harness records of a sign-in with the password.
    pub(crate) fn asked(self, sent: f64, done: f64, status: u16) -> Self {
        let user = self.user.clone();
        let exchange = exchange(Asked::SignIn { user, by: SignInBy::Password }, sent, done, status);
        self.with(Event::Exchange(Box::new(exchange)))
    }

    /// A successful sign-in, as all sides see it.
    pub(crate) fn sign_in(self, at: f64, expires: i64) -> Self {
        self.written(at + 0.02, expires).triggered(at + 0.03, 1).signed_in(at + 0.04).asked(at, at + 0.05, 200)
    }

    pub(crate) fn disabled(self, at: f64) -> Self {
        let user = self.user.clone();
        self.saw(at, Seen::UserDisabled { pool: POOL_ID.into(), user })
    }

    pub(crate) fn enabled(self, at: f64) -> Self {
        let user = self.user.clone();
        self.saw(at, Seen::UserEnabled { pool: POOL_ID.into(), user })
    }

    pub(crate) fn enabled_by_hand(self, at: f64) -> Self {
        let user = self.user.clone();
        self.enabled(at).with(Event::ByHand { user, at: s(at + 0.01), act: ByHand::Enabled })
    }

    pub(crate) fn removed(self, at: f64) -> Self {
        let user = self.user.clone();
        self.with(Event::ByHand { user, at: s(at), act: ByHand::MemberDeleted })
    }

    pub(crate) fn struck(self, at: f64, function: &str, action: &str) -> Self {
        self.with(strike(at, Place::Function(function.into()), action))
    }

    pub(crate) fn service_struck(self, at: f64) -> Self {
        self.with(strike(at, Place::Service { name: "dynamodb".into(), operation: None }, "refuse"))
    }
}

fn strike(at: f64, place: Place, action: &str) -> Event {
    Event::Struck(Box::new(Struck { message: None, fault: "test".into(), place, action: action.parse().unwrap(), at: s(at) }))
}

/// Several lives as one history.
pub(crate) fn together(lives: impl IntoIterator<Item = Life>) -> Vec<Event> {
    let mut events: Vec<_> = lives.into_iter().flat_map(|life| life.events()).collect();
    events.sort_by_key(Event::at);
    events
}
