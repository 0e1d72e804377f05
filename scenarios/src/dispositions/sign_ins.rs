//! The books of sign-ins: each that was granted joined with the row that the trigger wrote for it.

use std::collections::HashMap;
use std::time::Duration;

use crate::systems::inactive_users::{TABLE, sub};
use reports::Phase;
use run_folder::Seen;

use crate::exchange::{Exchange, SignInBy};
use crate::{Asked, Event};

/// A row's time has whole seconds: of two sign-ins within one second the second need not write again.
const WITHIN: Duration = Duration::from_secs(1);

/// A sign-in by password and what became of its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn<'a> {
    /// The member.
    pub user: &'a str,
    /// The root of its trace id.
    pub root: &'a str,
    /// The phase in which it was due.
    pub phase: Option<Phase>,
    /// When it was answered.
    pub done: Duration,
    /// What became of it.
    pub fate: SignInFate,
}

/// What became of a sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignInFate {
    /// Granted, and its row was written.
    Recorded,
    /// Granted, and no row was written for it.
    Lost,
    /// Refused by the pool.
    Refused,
    /// No answer, or an error of the services.
    Failed,
}

/// Sign-ins by what became of them: `asked` is `granted`, `refused` and `failed`; `granted` is `recorded` and `lost`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SignInBooks {
    /// Sign-ins by password.
    pub asked: u64,
    /// Granted.
    pub granted: u64,
    /// Granted and recorded.
    pub recorded: u64,
    /// Granted and not recorded.
    pub lost: u64,
    /// Refused.
    pub refused: u64,
    /// Failed.
    pub failed: u64,
}

impl SignInBooks {
    /// Adds the accounts up, such as those of one arm.
    pub fn of<'a>(accounts: impl Iterator<Item = SignIn<'a>>) -> Self {
        accounts.fold(Self::default(), |mut books, account| {
            books.asked += 1;
            books.granted += u64::from(matches!(account.fate, SignInFate::Recorded | SignInFate::Lost));
            *match account.fate {
                SignInFate::Recorded => &mut books.recorded,
                SignInFate::Lost => &mut books.lost,
                SignInFate::Refused => &mut books.refused,
                SignInFate::Failed => &mut books.failed,
            } += 1;
            books
        })
    }
}

/// The fold.
#[derive(Debug, Default)]
pub(super) struct SignIns {
    asked: Vec<Kept>,
    /// When the row of each `sub` was written.
    rows: HashMap<String, Vec<Duration>>,
}

/// What is kept of an exchange.
#[derive(Debug)]
struct Kept {
    user: String,
    root: String,
    phase: Option<Phase>,
    sent: Duration,
    done: Duration,
    status: Option<u16>,
}

impl SignIns {
    pub(super) fn see(&mut self, event: &Event) {
        match event {
            Event::Exchange(exchange) => self.asked.extend(kept(exchange)),
            Event::Saw { at, seen: Seen::RowWritten { table, key, .. } } if table == TABLE => {
                self.rows.entry(key.clone()).or_default().push(*at);
            }
            _ => {}
        }
    }

    pub(super) fn accounts(&self) -> impl Iterator<Item = SignIn<'_>> {
        self.asked.iter().map(|kept| SignIn {
            user: &kept.user,
            root: &kept.root,
            phase: kept.phase,
            done: kept.done,
            fate: match kept.status {
                Some(200) if self.is_recorded(kept) => SignInFate::Recorded,
                Some(200) => SignInFate::Lost,
                Some(..500) => SignInFate::Refused,
                _ => SignInFate::Failed,
            },
        })
    }

    fn is_recorded(&self, kept: &Kept) -> bool {
        let written = kept.sent.saturating_sub(WITHIN)..=kept.done;
        self.rows.get(&sub(&kept.user)).is_some_and(|rows| rows.iter().any(|at| written.contains(at)))
    }
}

fn kept(exchange: &Exchange) -> Option<Kept> {
    let Asked::SignIn { user, by: SignInBy::Password } = &exchange.asked else { return None };
    Some(Kept {
        user: user.clone(),
        root: exchange.root.clone(),
        phase: exchange.phase,
        sent: exchange.sent,
        done: exchange.done,
        status: exchange.status,
    })
}
