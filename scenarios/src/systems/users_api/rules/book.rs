//! The states in which each user may be after the requests and answers so far, and the answers that
//! contradict them. Each user belongs to one journey, whose requests follow one another, so
//! acknowledged writes have an order.

use std::collections::HashMap;
use std::time::Duration;

use crate::systems::users_api::Shape;
use faults::Place;

use crate::Event;
use crate::exchange::{Asked, Exchange};
use crate::users::{User, UsersRequest};

use crate::invariants::{Book, Breach, Quiet, Rule, wording};

/// A user without news for this long is forgotten.
const MEMORY: Duration = Duration::from_secs(120);

/// Forgetting goes through all users, so it is done once per this many events.
const SELDOM: usize = 4_096;

/// The rule that a check belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// F-1.
    Kept,
    /// F-2.
    OutageIsNoAbsence,
    /// F-3.
    NoWriteTwice,
}

/// A rule that makes the checks of one question.
pub(crate) fn each(id: &'static str, text: &'static str, question: Question) -> Rule<UserBook> {
    Rule::<UserBook>::new(id, text, move |_, checks, _| {
        let own = checks.iter().filter(|check| check.rule == question);
        (own.clone().filter_map(|check| check.breach.clone()).collect(), own.count() as u64)
    })
}

/// One check and its result.
pub(crate) struct Checked {
    rule: Question,
    breach: Option<Breach>,
}

/// A user's values; `None` if the user does not exist.
type State = Option<User>;

/// One user.
#[derive(Default)]
struct History {
    /// The state after the last acknowledged write.
    stands: State,
    /// Writes whose outcome is unknown. One may land late, after a write that was acknowledged, and
    /// then it stays, so none of them is ever ruled out.
    pending: Vec<State>,
    /// Whether an answer has shown the user since the last write: then the user is certainly in the
    /// table.
    shown: bool,
    /// Values that only repeated creates contained.
    repeated: Vec<User>,
    /// A fault altered a write or its answer: nothing more can be judged.
    unsure: bool,
    heard: Duration,
}

/// Where faults struck an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Struck {
    Nowhere,
    /// At a service that the function calls, and nowhere else: the answer is the function's own.
    Service,
    /// At the function: the fault may have changed the answer or the request.
    Function,
}

/// All users of all shapes.
#[derive(Default)]
pub(crate) struct UserBook {
    users: HashMap<(Shape, String), History>,
    seen: usize,
}

impl Book for UserBook {
    type Ripe = Vec<Checked>;

    /// The checks made on one exchange.
    fn see(&mut self, event: &Event) -> Vec<Checked> {
        let Event::Exchange(exchange) = event else { return Vec::new() };
        let Asked::Users { shape, id, request } = &exchange.asked else { return Vec::new() };
        self.seen += 1;
        if self.seen.is_multiple_of(SELDOM) {
            self.users.retain(|_, history| history.heard + MEMORY > exchange.done);
        }
        let history = self.users.entry((*shape, id.clone())).or_default();
        history.heard = exchange.done;
        if history.unsure {
            return Vec::new();
        }
        let struck = struck(exchange);
        let checks = if struck == Struck::Function { Vec::new() } else { history.judge(exchange, id, request, struck) };
        history.learn(exchange, request, struck);
        checks
    }

    fn settled(&mut self, _quiet: &Quiet) -> Vec<Checked> {
        Vec::new()
    }
}

fn struck(exchange: &Exchange) -> Struck {
    let at_function = |(_, place): &(String, Place)| matches!(place, Place::Function(_));
    if exchange.struck.iter().any(at_function) {
        Struck::Function
    } else if exchange.struck.is_empty() {
        Struck::Nowhere
    } else {
        Struck::Service
    }
}

impl History {
    fn may_be(&self, state: &State) -> bool {
        self.stands == *state || self.pending.contains(state)
    }

    /// Whether the user certainly exists, whatever the outcome of pending writes.
    fn is_there(&self) -> bool {
        !self.may_be(&None)
    }

    fn judge(&self, exchange: &Exchange, id: &str, request: &UsersRequest, struck: Struck) -> Vec<Checked> {
        if let UsersRequest::Create(user) = request {
            return self.repeat(exchange, user).into_iter().collect();
        }
        let of_outage = struck == Struck::Service && self.is_there() && !matches!(request, UsersRequest::Delete);
        match (said(exchange, id, request), of_outage) {
            (Some(None), true) => vec![self.outage(exchange, true)],
            (said, true) => said.map(|state| self.read(exchange, &state)).into_iter().chain([self.outage(exchange, false)]).collect(),
            (said, false) => said.map(|state| self.read(exchange, &state)).into_iter().collect(),
        }
    }

    fn outage(&self, exchange: &Exchange, is_broken: bool) -> Checked {
        let expected = || format!("{}, or 503: {}", words(&self.stands), wording::struck(exchange));
        Checked { rule: Question::OutageIsNoAbsence, breach: is_broken.then(|| wording::breach(exchange, expected())) }
    }

    /// Checks that an answer shows a possible state of the user.
    fn read(&self, exchange: &Exchange, state: &State) -> Checked {
        if self.may_be(state) {
            return Checked { rule: Question::Kept, breach: None };
        }
        let repeated = state.as_ref().is_some_and(|user| self.repeated.contains(user));
        let (rule, why) = if repeated {
            (Question::NoWriteTwice, "these values came with a repeated create only")
        } else {
            (Question::Kept, "by the last acknowledged write")
        };
        let mut breach = wording::breach(exchange, format!("{}, {why}; {}", words(&self.stands), wording::struck(exchange)));
        breach.answered = format!("{}: {}", breach.answered, words(state));
        Checked { rule, breach: Some(breach) }
    }

    /// A create of a user who certainly exists.
    fn repeat(&self, exchange: &Exchange, user: &User) -> Option<Checked> {
        // A denial says nothing about the user.
        let status = exchange.decision().filter(|status| !matches!(status, 401 | 403))?;
        if !self.shown || !self.is_there() {
            return None;
        }
        let same = self.may_be(&Some(user.clone()));
        let only_same = same && self.pending.is_empty();
        let (right, expected) = match (same, only_same) {
            (_, true) => (status == 200, "200: the same user is there already"),
            (true, false) => (matches!(status, 200 | 409), "200 or 409: a user with this id is there already"),
            (false, _) => (status == 409, "409: a user with this id and other values is there already"),
        };
        Some(Checked { rule: Question::NoWriteTwice, breach: (!right).then(|| wording::breach(exchange, expected)) })
    }

    fn learn(&mut self, exchange: &Exchange, request: &UsersRequest, struck: Struck) {
        let wanted: State = match request {
            UsersRequest::Create(user) | UsersRequest::Update(user) => Some(user.clone()),
            UsersRequest::Delete => None,
            UsersRequest::Get | UsersRequest::List => {
                // Only without a fault: the function may have been given wrong data to answer.
                let showed = struck == Struck::Nowhere && exchange.status == Some(200);
                self.shown |= showed && self.stands.as_ref().is_some_and(|user| exchange.said.users.users.contains(user));
                return;
            }
        };
        match exchange.status {
            None | Some(500..) if struck != Struck::Function || exchange.struck.len() == 1 => self.unanswered(request, wanted),
            _ if struck == Struck::Function => self.unsure = true,
            Some(200 | 201 | 204) => self.acknowledged(request, wanted, exchange.status),
            Some(409) => self.repeated.extend(wanted.filter(|user| self.is_there() && self.stands.as_ref() != Some(user))),
            _ => {}
        }
    }

    fn acknowledged(&mut self, request: &UsersRequest, wanted: State, status: Option<u16>) {
        // A create that is answered 200 wrote nothing: it found the same values.
        let found = matches!(request, UsersRequest::Create(_)) && status == Some(200);
        if found && !self.may_be(&wanted) && self.is_there() {
            return;
        }
        self.shown = found && self.shown;
        self.repeated.retain(|user| Some(user) != wanted.as_ref());
        self.stands = wanted;
    }

    /// The write may have been done, or may still be.
    fn unanswered(&mut self, request: &UsersRequest, wanted: State) {
        match request {
            UsersRequest::Create(user) if self.shown && self.is_there() => {
                if !self.may_be(&wanted) {
                    self.repeated.push(user.clone());
                }
                return;
            }
            // An update creates no user.
            UsersRequest::Update(_) if self.stands.is_none() && self.pending.iter().all(Option::is_none) => return,
            _ => {}
        }
        self.pending.push(wanted);
    }
}

/// The state of the user according to an answer; `None` if the answer says nothing about the user.
fn said(exchange: &Exchange, id: &str, request: &UsersRequest) -> Option<State> {
    let said = &exchange.said.users;
    let own = said.users.iter().find(|user| user.id == id);
    match (request, exchange.status?) {
        (UsersRequest::Get, 200) => Some(own.cloned()),
        (UsersRequest::List, 200) => own.map(|user| Some(user.clone())).or_else(|| said.all.then_some(None)),
        (UsersRequest::Get | UsersRequest::Update(_), 404) => Some(None),
        _ => None,
    }
}

fn words(state: &State) -> String {
    state.as_ref().map_or_else(|| "no such user".to_owned(), |user| format!("`{}` at `{}`", user.name, user.email))
}
