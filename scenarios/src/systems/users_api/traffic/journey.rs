//! One user's life, from its creation to the check that it is gone. A failed request is not
//! retried, and the journey goes on, so that each route is requested equally often, whatever fails.

use std::time::Duration;

use crate::systems::users_api::{Shape, Verb};
use async_trait::async_trait;
use load::open_model::{Arrival, Hands, Scenario};

use crate::Asked;
use crate::traffic::voice::{Line, Voice};
use crate::users::{User, UsersRequest};

/// The journeys to one shape.
pub(crate) struct Journey {
    voice: Voice,
    shape: Shape,
    seed: u64,
}

impl Journey {
    pub(crate) const fn new(voice: Voice, shape: Shape, seed: u64) -> Self {
        Self { voice, shape, seed }
    }

    async fn send(&self, hands: &mut Hands<'_>, arrival: Arrival, step: u64, due: Duration, request: UsersRequest) -> Option<Duration> {
        let verb = verb(&request);
        let (method, resource) = verb.route();
        let id = id(self.seed, arrival.number);
        let body = match &request {
            UsersRequest::Create(user) | UsersRequest::Update(user) => user.body(),
            UsersRequest::List | UsersRequest::Get | UsersRequest::Delete => String::new(),
        };
        let line = Line {
            endpoint: self.shape.endpoint(verb),
            method,
            path: resource.replace("{id}", &id),
            headers: Vec::new(),
            body,
            asked: Asked::Users { shape: self.shape, id, request },
        };
        self.voice.say(hands, arrival, step, due, line).await.map(|answer| answer.done)
    }
}

#[async_trait]
impl Scenario for Journey {
    fn name(&self) -> &'static str {
        self.shape.name()
    }

    async fn journey(&self, arrival: Arrival, hands: &mut Hands<'_>) {
        let mut due = arrival.due;
        for (step, request) in steps(self.seed, arrival.number).into_iter().enumerate() {
            // `None` only means that the run was stopped during the journey.
            let Some(done) = self.send(hands, arrival, step as u64, due, request).await else { return };
            due = done;
        }
    }
}

const fn verb(request: &UsersRequest) -> Verb {
    match request {
        UsersRequest::List => Verb::List,
        UsersRequest::Get => Verb::Get,
        UsersRequest::Create(_) => Verb::Create,
        UsersRequest::Update(_) => Verb::Update,
        UsersRequest::Delete => Verb::Delete,
    }
}

/// An id that no other journey has.
fn id(seed: u64, number: u64) -> String {
    format!("u-{seed:x}-{number}")
}

/// The requests in order. One journey in three repeats its create, one creates another user under
/// the id, one does neither.
fn steps(seed: u64, number: u64) -> Vec<UsersRequest> {
    let user = |name: &str| User { id: id(seed, number), name: format!("{name} {number}"), email: format!("u{number}@example.com") };
    let (first, second) = (user("Jane"), user("Joan"));
    let repeat = match number % 3 {
        0 => Some(UsersRequest::Create(first.clone())),
        1 => Some(UsersRequest::Create(user("Nobody"))),
        _ => None,
    };
    let before = [UsersRequest::Create(first), UsersRequest::Get, UsersRequest::List];
    let after = [UsersRequest::Update(second), UsersRequest::Get, UsersRequest::Delete, UsersRequest::Get];
    before.into_iter().chain(repeat).chain(after).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::systems::users_api::{CREATES, GETS};

    #[test]
    fn a_life_begins_and_ends_and_requests_every_route() {
        let mut asked: BTreeMap<Verb, usize> = BTreeMap::new();
        for number in 0..3 {
            let steps = steps(7, number);
            assert!(matches!(steps.first(), Some(UsersRequest::Create(_))), "{number}");
            assert_eq!(steps[steps.len() - 2..], [UsersRequest::Delete, UsersRequest::Get], "{number}");
            for step in &steps {
                *asked.entry(verb(step)).or_default() += 1;
            }
        }
        let expected = [(Verb::List, 3), (Verb::Get, 9), (Verb::Create, 5), (Verb::Update, 3), (Verb::Delete, 3)];
        assert_eq!(asked, expected.into());
        let told = [1.0, GETS, CREATES];
        for (count, told) in expected.into_iter().map(|(_, count)| count as f64 / 3.0).zip(told) {
            assert!((count - told).abs() < 1e-9, "{count}, told {told}");
        }
    }

    #[test]
    fn a_repeated_create_has_the_same_or_other_values() {
        let creates = |number| {
            let all = steps(7, number).into_iter();
            all.filter_map(|step| if let UsersRequest::Create(user) = step { Some(user) } else { None }).collect::<Vec<_>>()
        };
        assert_eq!([0, 1, 2].map(|number| creates(number).len()), [2, 2, 1]);
        assert_eq!(creates(0)[0], creates(0)[1]);
        assert_eq!(creates(1)[0].id, creates(1)[1].id);
        assert_ne!(creates(1)[0], creates(1)[1]);
    }

    #[test]
    fn the_api_accepts_the_id_for_any_seed() {
        let id = id(u64::MAX, u64::MAX);
        assert!(id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{id}");
    }
}
