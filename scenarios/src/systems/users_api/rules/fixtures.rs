//! Fixtures for the tests of the users API's rules: a user's life, step by step.

use std::time::Duration;

use crate::systems::users_api::Shape;
use faults::Place;

use crate::Event;
use crate::exchange::{Asked, Exchange};
use crate::invariants::fixtures::{exchange, s};
use crate::users::{User, UsersRequest};

/// A user called `u-1` in the shape with one function.
pub(crate) struct Life {
    exchanges: Vec<Exchange>,
    at: f64,
}

fn user(name: &str) -> User {
    User { id: "u-1".into(), name: name.into(), email: "u-1@x.com".into() }
}

impl Life {
    pub(crate) const fn new() -> Self {
        Self { exchanges: Vec::new(), at: 1.0 }
    }

    fn then(mut self, request: UsersRequest, status: u16, said: Option<&str>, all: bool) -> Self {
        let asked = Asked::Users { shape: Shape::One, id: "u-1".into(), request };
        let mut one = exchange(asked, self.at, self.at + 0.05, status);
        one.said.users.users = said.map(user).into_iter().collect();
        one.said.users.all = all;
        self.exchanges.push(one);
        self.at += 0.1;
        self
    }

    pub(crate) fn create(self, name: &str, status: u16) -> Self {
        let said = (status < 300).then_some(name);
        self.then(UsersRequest::Create(user(name)), status, said, false)
    }

    pub(crate) fn update(self, name: &str, status: u16) -> Self {
        let said = (status == 200).then_some(name);
        self.then(UsersRequest::Update(user(name)), status, said, false)
    }

    pub(crate) fn delete(self, status: u16) -> Self {
        self.then(UsersRequest::Delete, status, None, false)
    }

    pub(crate) fn get(self, name: &str) -> Self {
        self.then(UsersRequest::Get, 200, Some(name), false)
    }

    pub(crate) fn get_failed(self, status: u16) -> Self {
        self.then(UsersRequest::Get, status, None, false)
    }

    pub(crate) fn gone(self) -> Self {
        self.then(UsersRequest::Get, 404, None, false)
    }

    pub(crate) fn list(self, shown: Option<&str>, all: bool) -> Self {
        self.then(UsersRequest::List, 200, shown, all)
    }

    fn strike(mut self, place: Place) -> Self {
        self.exchanges.last_mut().unwrap().struck.push(("f".into(), place));
        self
    }

    /// The last request was struck at the function.
    pub(crate) fn at_function(self) -> Self {
        self.strike(Place::Function("users-all".into()))
    }

    /// The last request was struck at the table.
    pub(crate) fn at_service(self) -> Self {
        self.strike(Place::Service { name: "dynamodb".into(), operation: None })
    }

    pub(crate) fn events(self) -> Vec<Event> {
        self.exchanges.into_iter().map(|one| Event::Exchange(Box::new(one))).collect()
    }

    pub(crate) fn end(&self) -> Duration {
        s(self.at)
    }
}
