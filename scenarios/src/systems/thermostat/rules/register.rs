//! What was set and what was in `desired`, device by device: a register in the sense of
//! linearizability. It decides late, when every request that could explain a change is known, and
//! forgets what can no longer matter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::Event;
use crate::exchange::{Asked, Caller, Exchange, ShadowChange, ThermostatRequest, ThermostatState};

use crate::invariants::cedar::ThermostatOracle;
use crate::invariants::{Book, Breach, Found, Quiet, Sweeps, wording};

/// How long after its acknowledgement a Set may take to be in `desired`.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How long after its end an unacknowledged request may still take effect: the SDK retries, answers
/// get lost.
const AFTERMATH: Duration = Duration::from_secs(10);
/// There is one clock, but the order in which the harness hears of events is not fixed.
const SLACK: Duration = Duration::from_millis(100);
/// No request is in flight longer: the gateway gives up after 29 s.
const LONGEST: Duration = Duration::from_secs(40);
/// How long a change that comes far too late is still recognised as the work of an acknowledged
/// Set.
const LATE: Duration = Duration::from_secs(300);

/// A Set that has ended.
#[derive(Debug, Clone)]
pub(crate) struct SetDone {
    sent: Duration,
    done: Duration,
    acknowledged: bool,
    /// Whether the Set may take effect. Also true if it was wrongly answered 200, which another
    /// rule reports.
    legitimate: bool,
    /// The reason of the denial, if it was not allowed.
    why: String,
    value: (i64, bool, String),
    told: Arc<Breach>,
}

impl SetDone {
    /// Until when it may take effect.
    fn ends(&self) -> Duration {
        if self.acknowledged { self.done } else { self.done + AFTERMATH }
    }

    fn wrote(&self, state: &ThermostatState, whole: bool) -> bool {
        state.temperature == Some(self.value.0) && (!whole || self.is_whole(state))
    }

    fn is_whole(&self, state: &ThermostatState) -> bool {
        state.temperature == Some(self.value.0) && state.power == Some(self.value.1) && state.mode.as_deref() == Some(&self.value.2)
    }

    fn window_holds(&self, at: Duration) -> bool {
        self.sent <= at + SLACK && at <= self.done + AFTERMATH
    }

    pub(crate) fn has_temperature(&self, state: &ThermostatState) -> bool {
        state.temperature == Some(self.value.0)
    }

    pub(crate) fn words(&self) -> String {
        words(&ThermostatState { temperature: Some(self.value.0), power: Some(self.value.1), mode: Some(self.value.2.clone()) })
    }

    /// Whether all of `state` comes from this Set.
    pub(crate) fn agrees(&self, state: &ThermostatState) -> bool {
        self.is_whole(state)
    }
}

/// Which request caused a change of `desired`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// Not decided yet.
    Unknown,
    /// No request.
    Nobody,
    /// A Set: all three values are its own, or only the temperature.
    Set { whole: bool },
}

#[derive(Debug, Clone)]
struct Change {
    version: i64,
    at: Duration,
    state: ThermostatState,
    owner: Owner,
}

/// What was judged: the changes of `desired`, each of which an allowed request must explain, and
/// the acknowledged Sets, each of which, or a later one, must be in `desired`.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) changes: Found,
    pub(crate) sets: Found,
}

/// The history of one device.
#[derive(Default)]
pub(crate) struct Device {
    sets: Vec<SetDone>,
    changes: Vec<Change>,
    /// The latest time at which a Set of this temperature was acknowledged.
    acknowledged: HashMap<i64, Duration>,
    judged_until: Option<Duration>,
    /// When the latest acknowledged Set that must have taken effect was sent; older values may not
    /// be in `desired` any more.
    bar: Duration,
    blamed: Option<String>,
    pub(crate) lost: bool,
}

/// The histories of all devices.
pub(crate) struct Register {
    pub(crate) oracle: ThermostatOracle,
    devices: HashMap<String, Device>,
    sweeps: Sweeps,
}

impl Book for Register {
    type Ripe = Judged;

    /// Decides what can be decided now.
    fn see(&mut self, event: &Event) -> Judged {
        self.sweeps.see(event);
        match event {
            Event::Exchange(exchange) => self.see_exchange(exchange),
            Event::Shadow(change) if change.desired.is_some() => self.see_change(change),
            _ => {}
        }
        // Once a second is enough, because each sweep goes through whole histories.
        self.sweeps.due(Duration::from_secs(1)).map(|now| self.judge(now.checked_sub(LONGEST))).unwrap_or_default()
    }

    /// Decides everything that is left, and checks the shadows at the end.
    fn settled(&mut self, quiet: &Quiet) -> Judged {
        let end = self.sweeps.end(quiet);
        let mut judged = self.judge(Some(end));
        for (thing, desired, ..) in &quiet.shadows {
            if let Some(device) = self.devices.get_mut(thing) {
                judged.sets.0.extend(device.judge_end(thing, end, desired));
            }
        }
        judged
    }
}

impl Register {
    pub(crate) fn new(oracle: ThermostatOracle) -> Self {
        Self { oracle, devices: HashMap::new(), sweeps: Sweeps::default() }
    }

    pub(crate) fn device(&self, thing: &str) -> Option<&Device> {
        self.devices.get(thing)
    }

    fn judge(&mut self, until: Option<Duration>) -> Judged {
        let mut judged = Judged::default();
        let Some(until) = until else { return judged };
        for (thing, device) in &mut self.devices {
            device.judge(thing, until, &mut judged);
        }
        judged
    }

    fn see_exchange(&mut self, exchange: &Exchange) {
        let Asked::Thermostat { caller, request } = &exchange.asked else { return };
        let ThermostatRequest::Set { device, temperature, power, mode, .. } = request else { return };
        let ruling = match caller {
            Caller::Valid(user) => self.oracle.rule(user, request),
            _ => None,
        };
        let acknowledged = exchange.status == Some(200);
        let allowed = ruling.as_ref().is_some_and(|ruling| ruling.allowed);
        let device = self.devices.entry(device.clone()).or_default();
        if acknowledged {
            let latest = device.acknowledged.entry(*temperature).or_default();
            *latest = exchange.done.max(*latest);
        }
        device.sets.push(SetDone {
            sent: exchange.sent,
            done: exchange.done,
            acknowledged,
            legitimate: allowed || acknowledged,
            why: ruling.map_or_else(|| "DENY: no valid token".to_owned(), |ruling| ruling.why),
            value: (*temperature, *power, (*mode).to_owned()),
            told: Arc::new(wording::breach(exchange, "")),
        });
    }

    fn see_change(&mut self, change: &ShadowChange) {
        let Some(state) = change.desired.clone() else { return };
        let device = self.devices.entry(change.thing.clone()).or_default();
        // A message may be delivered twice.
        if device.changes.iter().any(|known| known.version == change.version) {
            return;
        }
        device.changes.push(Change { version: change.version, at: change.at, state, owner: Owner::Unknown });
        device.changes.sort_by_key(|known| known.version);
    }
}

impl Device {
    /// Decides all moments up to `until`.
    fn judge(&mut self, thing: &str, until: Duration, judged: &mut Judged) {
        let from = self.judged_until;
        let is_new = |at: Duration| at <= until && from.is_none_or(|from| at > from);
        self.own(thing, until, &mut judged.changes);
        let mut moments: Vec<_> = self.changes.iter().map(|change| change.at).filter(|at| is_new(*at)).collect();
        let due: Vec<_> = self.sets.iter().filter(|set| set.acknowledged).map(|set| set.done + GRACE).filter(|at| is_new(*at)).collect();
        judged.sets.1 += due.len() as u64;
        moments.extend(due);
        moments.sort();
        for at in moments {
            self.raise_bar(at);
            let standing = self.standing(at).cloned();
            judged.sets.0.extend(self.look(thing, at, standing.as_ref()));
        }
        self.judged_until = Some(from.map_or(until, |from| from.max(until)));
        self.forget(until);
    }

    /// Finds the request that caused each new change.
    fn own(&mut self, thing: &str, until: Duration, (breaches, judged): &mut Found) {
        for change in &mut self.changes {
            if change.owner != Owner::Unknown || change.at > until {
                continue;
            }
            *judged += 1;
            let near: Vec<_> = self.sets.iter().filter(|set| set.window_holds(change.at) && set.wrote(&change.state, false)).collect();
            let denied = near.iter().find(|set| !set.legitimate);
            // An acknowledged Set whose write comes very late is lost, not unrequested, unless a
            // denied Set explains the change better.
            let late = change
                .state
                .temperature
                .and_then(|temperature| self.acknowledged.get(&temperature))
                .is_some_and(|done| *done <= change.at + LONGEST && change.at <= *done + LATE);
            let whole = self.sets.iter().any(|set| set.is_whole(&change.state));
            if near.iter().any(|set| set.legitimate) || (denied.is_none() && late) {
                change.owner = Owner::Set { whole };
            } else {
                change.owner = Owner::Nobody;
                let mut breach = denied.map_or_else(|| unasked(thing, change.at), |set| (*set.told).clone());
                if let Some(set) = denied {
                    breach.expected = format!("no change of desired; {}", set.why);
                }
                breach.answered = format!("desired became {} (version {})", words(&change.state), change.version);
                breaches.push(breach);
            }
        }
    }

    fn raise_bar(&mut self, at: Duration) {
        let due = self.sets.iter().filter(|set| set.acknowledged && set.done + GRACE <= at).map(|set| set.sent).max();
        self.bar = self.bar.max(due.unwrap_or_default());
    }

    fn standing(&self, at: Duration) -> Option<&Change> {
        self.changes.iter().rfind(|change| change.at <= at)
    }

    /// The Sets whose values may be in `desired` now.
    pub(crate) fn acceptable(&self) -> impl Iterator<Item = &SetDone> {
        self.sets.iter().filter(|set| set.ends() >= self.bar)
    }

    /// Whether the value in `desired` at `at` is acceptable.
    fn look(&mut self, thing: &str, at: Duration, standing: Option<&Change>) -> Option<Breach> {
        if self.bar == Duration::ZERO {
            return None;
        }
        let stale = match standing {
            None => true,
            Some(Change { owner: Owner::Nobody | Owner::Unknown, .. }) => false,
            Some(Change { owner: Owner::Set { whole }, state, .. }) => !self.acceptable().any(|set| set.wrote(state, *whole)),
        };
        if stale { self.blame(thing, at, standing.map(|change| &change.state)) } else { None }
    }

    /// Reports the latest Set that should have been there, each Set once.
    fn blame(&mut self, thing: &str, at: Duration, standing: Option<&ThermostatState>) -> Option<Breach> {
        self.lost = true;
        let due = self.sets.iter().filter(|set| set.acknowledged && set.done + GRACE <= at).max_by_key(|set| set.sent)?;
        if self.blamed == due.told.root {
            return None;
        }
        let mut breach = (*due.told).clone();
        self.blamed.clone_from(&breach.root);
        let found = standing.map_or_else(|| "nothing".to_owned(), words);
        let late = at.saturating_sub(due.done).as_secs_f64();
        breach.answered = format!("200, but {late:.1} s after it {thing}'s desired is {found}");
        breach.expected =
            format!("{} {} {}, or a later Set, in desired within 5 s of its acknowledgement", due.value.0, due.value.1, due.value.2);
        Some(breach)
    }

    /// Whether the value in the shadow at the end is acceptable.
    fn judge_end(&mut self, thing: &str, at: Duration, desired: &ThermostatState) -> Option<Breach> {
        self.raise_bar(at);
        let last = self.changes.last().cloned();
        let heard = last.filter(|change| change.state.temperature == desired.temperature);
        let standing = heard.or_else(|| {
            // The harness has not heard of this change, so only its temperature can be compared.
            desired.temperature.map(|_| Change { version: 0, at, state: desired.clone(), owner: Owner::Set { whole: false } })
        });
        self.look(thing, at, standing.as_ref())
    }

    /// Drops what can no longer explain anything.
    fn forget(&mut self, until: Duration) {
        let bar = self.bar;
        // Until its window is over, a Set may still own a change, however stale it is.
        self.sets.retain(|set| set.ends() >= bar || set.done + AFTERMATH + SLACK > until || set.done + GRACE > until);
        // Of settled Sets with one value, keep only the one that may take effect longest.
        let old = |set: &SetDone| set.done + AFTERMATH + SLACK <= until;
        let mut longest: HashMap<(i64, bool, String, bool, bool), Duration> = HashMap::new();
        let key = |set: &SetDone| (set.value.0, set.value.1, set.value.2.clone(), set.legitimate, set.acknowledged);
        for set in self.sets.iter().filter(|set| old(set)) {
            let ends = longest.entry(key(set)).or_default();
            *ends = set.ends().max(*ends);
        }
        let newest = self.sets.iter().filter(|set| set.acknowledged).map(|set| set.sent).max();
        self.sets.retain(|set| !old(set) || Some(set.sent) == newest || longest.get(&key(set)) == Some(&set.ends()));
        let standing = self.standing(until).map(|change| change.version);
        self.changes.retain(|change| Some(change.version) >= standing);
        self.acknowledged.retain(|_, done| *done + LATE > until);
    }
}

/// For example `75 on Auto`.
pub(crate) fn words(state: &ThermostatState) -> String {
    let temperature = state.temperature.map_or_else(|| "no temperature".to_owned(), |t| t.to_string());
    let power = state.power.map_or("power unset", |power| if power { "on" } else { "off" });
    format!("{temperature} {power} {}", state.mode.as_deref().unwrap_or("mode unset"))
}

/// A breach about a device, not about one exchange.
pub(crate) fn about_device(thing: &str, at: Duration) -> Breach {
    Breach {
        at,
        root: None,
        asked: format!("the shadow of {thing}"),
        answered: String::new(),
        expected: String::new(),
        repeat: format!(
            r#"curl -i -X POST -H "Authorization: Bearer $TOKEN" -d '{{"action":"GetTemperature"}}' "http://$GATEWAY/prod/control/{thing}""#
        ),
    }
}

fn unasked(thing: &str, at: Duration) -> Breach {
    Breach { expected: "no change of desired; DENY: nobody who may asked for it".to_owned(), ..about_device(thing, at) }
}
