//! The users API: one API in three shapes, which differ only in how its routes are spread over
//! functions.

mod load;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;

use faults::Trigger;
use reports::measurements::{Deployment, Route};
use run_folder::Addresses;
use run_folder::addresses::Api;

use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::UsersApiLoad;

/// One users API: as a function per verb, as one function, and as a read and a write function.
pub struct UsersApi;

const NAMED: How = How::Named("UsersWeaknesses");

/// Keeps the trace ids and the schedules apart from those of other systems.
const FIRST_NUMBER: u64 = 20;

impl UnderTest for UsersApi {
    fn name(&self) -> &'static str {
        "users-api"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[
            ("users-list", Trigger::Http),
            ("users-get", Trigger::Http),
            ("users-create", Trigger::Http),
            ("users-update", Trigger::Http),
            ("users-delete", Trigger::Http),
            ("users-all", Trigger::Http),
            ("users-read", Trigger::Http),
            ("users-write", Trigger::Http),
        ]
    }

    fn programs(&self) -> Vec<&'static str> {
        vec![PROGRAM]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        let requests = |verb: Verb| match verb {
            Verb::List | Verb::Update | Verb::Delete => 1.0,
            Verb::Get => GETS,
            Verb::Create => CREATES,
        };
        SHAPES.iter().flat_map(|shape| VERBS.map(|verb| (shape.endpoint(verb), requests(verb)))).collect()
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "write-not-awaited", how: NAMED },
            Weakness { name: "outage-reads-as-absence", how: NAMED },
            Weakness { name: "create-overwrites", how: NAMED },
        ]
    }

    fn compared(&self) -> Vec<Deployment> {
        let shape = |shape: Shape| {
            let route = |verb: Verb| {
                let (method, resource) = verb.route();
                let (endpoint, function) = (shape.endpoint(verb).to_owned(), shape.function(verb).to_owned());
                Route { route: format!("{method} {resource}"), endpoint, function }
            };
            Deployment { name: shape.name().to_owned(), routes: VERBS.map(route).into() }
        };
        SHAPES.map(shape).into()
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["blast-radius"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        let body = r#"{"id":"u-1","name":"Jane","email":"jane@example.com"}"#;
        let create = |shape: Shape| {
            let Api { address, stage, .. } = a.api(shape.api())?;
            let at = format!("http://{address}{stage}/users");
            Some(format!("  curl -i {at} -d '{body}'\n  curl -i {at}/u-1\n"))
        };
        let tries: Option<String> = SHAPES.into_iter().map(create).collect();
        tries.map(|tries| tries + "\n")
    }

    fn numbers(&self) -> Range<u64> {
        FIRST_NUMBER..FIRST_NUMBER + SHAPES.len() as u64
    }
}

/// Requests per journey to `GET /users/{id}` of its shape.
const GETS: f64 = 3.0;

/// Two journeys in three create twice.
const CREATES: f64 = 5.0 / 3.0;

/// The table of the users of all shapes; key `id`, which begins with the shape.
pub const TABLE: &str = "UsersTable";

/// The binary that all functions of all shapes run.
pub const PROGRAM: &str = "users-api";

/// How the routes are spread over functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// One function per route.
    PerVerb,
    /// One function for all routes.
    One,
    /// One function that reads and one that writes.
    ReadWrite,
}

/// All shapes.
pub const SHAPES: [Shape; 3] = [Shape::PerVerb, Shape::One, Shape::ReadWrite];

/// A route of the API, the same in every shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// All users, a page at a time.
    List,
    /// One user.
    Get,
    /// A new user.
    Create,
    /// New values for a user.
    Update,
    /// Removal of a user.
    Delete,
}

/// All routes.
pub const VERBS: [Verb; 5] = [Verb::List, Verb::Get, Verb::Create, Verb::Update, Verb::Delete];

impl Verb {
    /// Method and resource, as in the gateway.
    pub const fn route(self) -> (&'static str, &'static str) {
        match self {
            Self::List => ("GET", "/users"),
            Self::Get => ("GET", "/users/{id}"),
            Self::Create => ("POST", "/users"),
            Self::Update => ("PUT", "/users/{id}"),
            Self::Delete => ("DELETE", "/users/{id}"),
        }
    }
}

impl Shape {
    /// The stage of its API, used as its name everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PerVerb => "users-per-verb",
            Self::One => "users-one",
            Self::ReadWrite => "users-read-write",
        }
    }

    /// Its API, as the template names it.
    pub const fn api(self) -> &'static str {
        match self {
            Self::PerVerb => "UsersPerVerbApi",
            Self::One => "UsersOneApi",
            Self::ReadWrite => "UsersReadWriteApi",
        }
    }

    /// The endpoint under which requests of a route are recorded.
    pub const fn endpoint(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::PerVerb, Verb::List) => "users-per-verb GET /users",
            (Self::PerVerb, Verb::Get) => "users-per-verb GET /users/{id}",
            (Self::PerVerb, Verb::Create) => "users-per-verb POST /users",
            (Self::PerVerb, Verb::Update) => "users-per-verb PUT /users/{id}",
            (Self::PerVerb, Verb::Delete) => "users-per-verb DELETE /users/{id}",
            (Self::One, Verb::List) => "users-one GET /users",
            (Self::One, Verb::Get) => "users-one GET /users/{id}",
            (Self::One, Verb::Create) => "users-one POST /users",
            (Self::One, Verb::Update) => "users-one PUT /users/{id}",
            (Self::One, Verb::Delete) => "users-one DELETE /users/{id}",
            (Self::ReadWrite, Verb::List) => "users-read-write GET /users",
            (Self::ReadWrite, Verb::Get) => "users-read-write GET /users/{id}",
            (Self::ReadWrite, Verb::Create) => "users-read-write POST /users",
            (Self::ReadWrite, Verb::Update) => "users-read-write PUT /users/{id}",
            (Self::ReadWrite, Verb::Delete) => "users-read-write DELETE /users/{id}",
        }
    }

    /// The function that serves a route.
    pub const fn function(self, verb: Verb) -> &'static str {
        match (self, verb) {
            (Self::PerVerb, Verb::List) => "users-list",
            (Self::PerVerb, Verb::Get) => "users-get",
            (Self::PerVerb, Verb::Create) => "users-create",
            (Self::PerVerb, Verb::Update) => "users-update",
            (Self::PerVerb, Verb::Delete) => "users-delete",
            (Self::One, _) => "users-all",
            (Self::ReadWrite, Verb::List | Verb::Get) => "users-read",
            (Self::ReadWrite, Verb::Create | Verb::Update | Verb::Delete) => "users-write",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn endpoints_are_named_by_shape_and_route_and_every_function_serves_a_route() {
        let mut serving = BTreeSet::new();
        for shape in SHAPES {
            for verb in VERBS {
                let (method, resource) = verb.route();
                assert_eq!(shape.endpoint(verb), format!("{} {method} {resource}", shape.name()));
                serving.insert(shape.function(verb));
            }
        }
        assert_eq!(serving, UsersApi.functions().iter().map(|(name, _)| *name).collect());
    }
}
