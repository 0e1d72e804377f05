//! A stock of fresh id tokens, so that no arrival waits for a sign-in, and of tokens that journeys
//! used before.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::systems::clinic::User;
use load::TrafficError;
use load::tokens::SignIn;
use tokio::sync::Notify;

/// How long ago a token must have been used first, so that the gateway has certainly cached the
/// decision about it.
const AGED: Duration = Duration::from_secs(2);

/// How many used tokens are remembered for each user.
const REMEMBERED: usize = 256;

/// A valid id token. It has no `Debug`, so that it cannot be printed by accident.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) id: u64,
    pub(crate) text: Arc<str>,
}

#[derive(Default)]
struct Shelf {
    fresh: VecDeque<Fresh>,
    used: VecDeque<(Token, Instant)>,
    apart: Option<Token>,
}

/// A token that nobody has used.
struct Fresh {
    token: Token,
    /// When a quarter of its time is left: it may be used for a while.
    until: Instant,
}

impl Shelf {
    /// The one that has been here longest and is still good.
    fn take(&mut self) -> Option<Token> {
        let now = Instant::now();
        self.fresh.retain(|fresh| now < fresh.until);
        self.fresh.pop_front().map(|fresh| fresh.token)
    }
}

/// The stock.
pub(crate) struct Stock {
    sign_in: SignIn,
    /// Users with the client that they sign in with.
    users: Vec<(User, String)>,
    depth: usize,
    shelves: Mutex<HashMap<User, Shelf>>,
    next_id: AtomicU64,
    taken: Notify,
}

impl Stock {
    /// A stock filled with `depth` tokens for each user.
    pub(crate) async fn filled(sign_in: SignIn, users: Vec<(User, String)>, depth: usize) -> Result<Arc<Self>, TrafficError> {
        let stock = Arc::new(Self { sign_in, users, depth, shelves: Mutex::default(), next_id: AtomicU64::new(0), taken: Notify::new() });
        stock.refill().await?;
        Ok(stock)
    }

    /// Refills ahead of need until the runtime drops it. It retries a failed sign-in: a fault may
    /// strike it.
    pub(crate) async fn keep_filled(self: Arc<Self>) {
        loop {
            self.taken.notified().await;
            while self.refill().await.is_err() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    /// A fresh token. If the stock is empty, the one used longest ago, as a person would go on with
    /// the token they have.
    pub(crate) fn fresh(&self, user: User) -> Option<Token> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = shelves.entry(user).or_default();
        let token = shelf.take();
        self.taken.notify_one();
        if let Some(token) = &token {
            shelf.used.push_back((token.clone(), Instant::now()));
            if shelf.used.len() > REMEMBERED {
                shelf.used.pop_front();
            }
        }
        token.or_else(|| shelf.used.front().map(|(token, _)| token.clone()))
    }

    /// A token that no other journey will ever use. The gateway caches by token alone: after a
    /// request with the wrong client type, the cache holds another answer for the token than after
    /// a correct request. If the stock is empty, the last one that was set apart.
    pub(crate) fn apart(&self, user: User) -> Option<Token> {
        let mut shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
        let shelf = shelves.entry(user).or_default();
        self.taken.notify_one();
        shelf.apart = shelf.take().or_else(|| shelf.apart.take());
        shelf.apart.clone()
    }

    /// A token that a journey used at least 2 s ago; a fresh one if there is no such token.
    pub(crate) fn used(&self, user: User) -> Option<Token> {
        let aged = {
            let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
            shelves
                .get(&user)
                .and_then(|shelf| shelf.used.iter().rev().find(|(_, at)| at.elapsed() >= AGED).map(|(token, _)| token.clone()))
        };
        aged.or_else(|| self.fresh(user))
    }

    async fn refill(&self) -> Result<(), TrafficError> {
        loop {
            let wanted: Vec<(User, &str)> = {
                let shelves = self.shelves.lock().unwrap_or_else(PoisonError::into_inner);
                let missing = |user: &User| self.depth.saturating_sub(shelves.get(user).map_or(0, |shelf| shelf.fresh.len()));
                // In rounds over the users, so that no user's shelf stays empty while another's is
                // filled.
                let rounds = self.users.iter().map(|(user, _)| missing(user)).max().unwrap_or(0);
                (0..rounds)
                    .flat_map(|round| self.users.iter().filter(move |(user, _)| missing(user) > round))
                    .map(|(user, client)| (*user, client.as_str()))
                    .take(8)
                    .collect()
            };
            if wanted.is_empty() {
                return Ok(());
            }
            let sign_ins = wanted.iter().map(|(user, client)| async move {
                let tokens = self.sign_in.tokens(client, user.name).await?;
                let until = Instant::now() + tokens.good_for() * 3 / 4;
                let token = Token { id: self.next_id.fetch_add(1, Relaxed), text: tokens.id_token.into() };
                self.shelves
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .entry(*user)
                    .or_default()
                    .fresh
                    .push_back(Fresh { token, until });
                Ok::<(), TrafficError>(())
            });
            futures::future::try_join_all(sign_ins).await?;
        }
    }
}
