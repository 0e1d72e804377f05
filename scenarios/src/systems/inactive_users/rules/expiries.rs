//! The outcome of every expired row, once all is quiet.

use std::collections::HashMap;
use std::time::Duration;

use super::book::{History, MemberBook, SLACK};
use super::fact::Fact;
use crate::invariants::Quiet;

/// How long the stream may take to deliver a record that nothing holds up.
const ON_ITS_WAY: Duration = Duration::from_secs(10);
/// While members are still being disabled, the rest is under way: a thousand take 40 s at the
/// quota.
const STILL_GOING: Duration = Duration::from_secs(5);
/// How long a record may hold up those behind it.
const HELD_UP: Duration = Duration::from_secs(30);

/// The outcome of a member's last expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Disabled, active again, or gone: all correct.
    Settled,
    /// In the queue for failed records, or given up and kept nowhere.
    GivenUp { kept: bool },
    /// It may still be processed.
    UnderWay,
    /// Nothing happened. It is behind the record of a deleted member, after which no record was
    /// processed.
    Blocked,
    /// Nothing happened.
    Nothing,
}

/// One expiry: the member's key, its time, and its outcome.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) sub: String,
    pub(crate) at: Duration,
    pub(crate) fate: Fate,
}

/// For each member in the pool, by key: whether the member is enabled. A deleted member is not in
/// it.
type Users = HashMap<String, bool>;

/// The last expiry of every member.
pub(crate) fn all(book: &MemberBook, quiet: &Quiet) -> Vec<Ended> {
    let now = quiet.at.max(book.clock);
    let users: Option<Users> = quiet
        .users
        .as_ref()
        .map(|users| users.iter().map(|(user, enabled)| (crate::systems::inactive_users::sub(user), *enabled)).collect());
    let expired: Vec<_> = book
        .members
        .iter()
        .filter_map(|(sub, history)| Some((sub, history, history.last(Duration::MAX, |fact| *fact == Fact::Expired)?)))
        .collect();
    let disabled = book.members.values().filter_map(|history| history.last(Duration::MAX, |fact| *fact == Fact::Disabled));
    let going = disabled.max().is_some_and(|last| last + STILL_GOING > now);
    let blocked = blocked_from(&expired, users.as_ref()).filter(|from| *from + HELD_UP <= now);
    let mut all: Vec<_> = expired
        .into_iter()
        .map(|(sub, history, at)| {
            let fate = match fate(sub, history, at, users.as_ref()) {
                Some(fate) => fate,
                None if going || at + ON_ITS_WAY > now => Fate::UnderWay,
                None if blocked.is_some_and(|from| at >= from) => Fate::Blocked,
                None => Fate::Nothing,
            };
            Ended { sub: sub.clone(), at, fate }
        })
        .collect();
    all.sort_by(|a, b| (a.at, &a.sub).cmp(&(b.at, &b.sub)));
    all
}

/// The known outcome of an expiry; `None` if there is none so far.
fn fate(sub: &str, history: &History, at: Duration, users: Option<&Users>) -> Option<Fate> {
    let since = |is: &dyn Fn(&Fact) -> bool| history.any(at.saturating_sub(SLACK), Duration::MAX, is);
    if since(&|fact| matches!(fact, Fact::GivenUp { .. })) && !since(&|fact| matches!(fact, Fact::Disabled)) {
        let kept = history.any(at, Duration::MAX, |fact| *fact == Fact::GivenUp { kept: true });
        return Some(Fate::GivenUp { kept });
    }
    let active = history.any(at, Duration::MAX, |fact| matches!(fact, Fact::Written { .. })) || since(&|fact| *fact == Fact::SignedIn);
    let disabled = history.last(Duration::MAX, |fact| *fact == Fact::Disabled);
    let enabled = history.last(Duration::MAX, |fact| matches!(fact, Fact::Enabled | Fact::EnabledByHand));
    let out = disabled.is_some_and(|disabled| disabled + SLACK >= at || enabled.is_none_or(|enabled| enabled < disabled));
    let settled = active || out || is_gone(sub, history, users) || users.is_some_and(|users| users.get(sub) == Some(&false));
    settled.then_some(Fate::Settled)
}

fn is_gone(sub: &str, history: &History, users: Option<&Users>) -> bool {
    history.any(Duration::ZERO, Duration::MAX, |fact| *fact == Fact::Removed) || users.is_some_and(|users| !users.contains_key(sub))
}

/// When the first record of a deleted member came after which no record was processed: from then on
/// the shard is blocked. `None` if no record was ever processed, because then something else blocks
/// it.
fn blocked_from(expired: &[(&String, &History, Duration)], users: Option<&Users>) -> Option<Duration> {
    let processed =
        |history: &History, at: Duration| history.any(at, Duration::MAX, |fact| matches!(fact, Fact::Disabled | Fact::GivenUp { .. }));
    let last = expired.iter().filter(|(_, history, at)| processed(history, *at)).map(|(_, _, at)| *at).max();
    let gone = expired.iter().filter(|(sub, history, _)| is_gone(sub, history, users));
    gone.map(|(_, _, at)| *at).filter(|at| last.is_some_and(|last| *at >= last)).min()
}
