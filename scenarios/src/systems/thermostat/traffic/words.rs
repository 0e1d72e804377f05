//! What users request from the thermostats, in the contract's words. Pure.

use crate::systems::thermostat::Home;

use crate::exchange::{Caller, ThermostatRequest};

/// `globalTime` as it is written, with its minutes since midnight; negative minutes mean a body
/// without a time.
pub(crate) type Time = (&'static str, i64);

/// The time for users whose rights do not depend on it.
pub(crate) const HALF_PAST_THREE: Time = ("3:30 PM", 930);

/// No time at all.
const NEVER: Time = ("", -1);

/// On both edges of the power company's hours, 2 PM to 5 PM, and within.
const AFTERNOON: [Time; 5] = [("1:59 PM", 839), ("2:00 PM", 840), HALF_PAST_THREE, ("4:59 PM", 1019), ("5:00 PM", 1020)];

/// On both edges of the guest's temperatures, 72 to 78, within and outside.
const GUEST: [i64; 6] = [71, 72, 75, 78, 79, 80];

const MODES: [&str; 3] = ["Auto", "Heat", "Cool"];

fn one_of<T: Copy>(some: &[T], turn: u64, otherwise: T) -> T {
    turn.checked_rem(some.len() as u64).and_then(|n| some.get(usize::try_from(n).ok()?)).copied().unwrap_or(otherwise)
}

fn minutes(time: Time) -> Option<i64> {
    (time.1 >= 0).then_some(time.1)
}

fn get(device: &str, time: Time) -> ThermostatRequest {
    ThermostatRequest::Get { device: device.to_owned(), time: minutes(time) }
}

fn set(device: &str, temperature: i64, time: Time, turn: u64) -> ThermostatRequest {
    let mode = one_of(&MODES, turn, "Auto");
    ThermostatRequest::Set { device: device.to_owned(), time: minutes(time), temperature, power: !turn.is_multiple_of(4), mode }
}

/// The owner's Set: 60 to 90, with power and mode in turn.
pub(crate) fn owner_set(device: &str, turn: u64) -> ThermostatRequest {
    // 11 and 31 have no common factor: every temperature comes, and neighbours differ.
    set(device, 60 + i64::try_from(turn * 11 % 31).unwrap_or(0), HALF_PAST_THREE, turn)
}

/// The guest's Set.
pub(crate) fn guest(device: &str, turn: u64) -> (ThermostatRequest, Time) {
    (set(device, one_of(&GUEST, turn, 75), HALF_PAST_THREE, turn), HALF_PAST_THREE)
}

/// The power company's Get or Set, around its hours; one in ten without a time.
pub(crate) fn power_company(device: &str, turn: u64) -> (ThermostatRequest, Time) {
    // Shifted by one each round of ten, so that the request without a time takes another's place
    // each round.
    let place = turn + turn / 10;
    let time = if turn % 10 == 9 { NEVER } else { one_of(&AFTERNOON, place / 2, HALF_PAST_THREE) };
    let temperature = 70 + i64::try_from(turn % 9).unwrap_or(0);
    // Every other request without a time is a Set.
    let sets = if turn % 10 == 9 { (turn / 10).is_multiple_of(2) } else { !place.is_multiple_of(2) };
    (if sets { set(device, temperature, time, turn) } else { get(device, time) }, time)
}

/// A request to a home's second device, and its caller.
pub(crate) fn second_device(home: &Home, turn: u64) -> (&str, ThermostatRequest, Time) {
    let device = &home.second.id;
    let noon = ("12:00 PM", 720);
    fn with(user: &str, request: ThermostatRequest, time: Time) -> (&str, ThermostatRequest, Time) {
        (user, request, time)
    }
    match turn % 10 {
        0 => with(&home.jane, get(device, HALF_PAST_THREE), HALF_PAST_THREE),
        1 => with(&home.jane, set(device, 85, noon, turn), noon),
        2 => with(&home.power_company, get(device, noon), noon),
        3 => with(&home.power_company, set(device, 75, HALF_PAST_THREE, turn), HALF_PAST_THREE),
        4 => with(&home.john, set(device, 68, ("4:00 PM", 960), turn), ("4:00 PM", 960)),
        5 => with(&home.john, set(device, 72, ("5:59 PM", 1079), turn), ("5:59 PM", 1079)),
        6 => with(&home.john, set(device, 70, ("6:00 PM", 1080), turn), ("6:00 PM", 1080)),
        7 => with(&home.john, set(device, 73, ("4:30 PM", 990), turn), ("4:30 PM", 990)),
        8 => with(&home.john, set(device, 70, ("3:59 PM", 959), turn), ("3:59 PM", 959)),
        _ => with(&home.john, get(device, ("4:30 PM", 990)), ("4:30 PM", 990)),
    }
}

/// Requests that must not be answered 200.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bad {
    NoToken,
    Forged,
    Expired,
    Garbage,
    UnknownDevice,
    Fraction,
    Text,
    BrokenJson,
    UnknownAction,
}

/// Bad requests with a good token.
pub(crate) const MALFORMED: [Bad; 5] = [Bad::UnknownDevice, Bad::Fraction, Bad::Text, Bad::BrokenJson, Bad::UnknownAction];

impl Bad {
    /// The caller and the request. Bad tokens come with a Get only: a Set that is wrongly accepted
    /// would change what others see.
    pub(crate) fn asks(self, john: &str, device: &str) -> (Caller, ThermostatRequest) {
        let malformed = |what| ThermostatRequest::Malformed { device: device.to_owned(), what };
        let own = Caller::Valid(john.to_owned());
        match self {
            Self::NoToken => (Caller::NoToken, get(device, HALF_PAST_THREE)),
            Self::Forged => (Caller::Forged(john.to_owned()), get(device, HALF_PAST_THREE)),
            Self::Expired => (Caller::Expired(john.to_owned()), get(device, HALF_PAST_THREE)),
            Self::Garbage => (Caller::Garbage, get(device, HALF_PAST_THREE)),
            Self::UnknownDevice => (own, ThermostatRequest::UnknownDevice),
            Self::Fraction => (own, malformed("temperature is 75.5")),
            Self::Text => (own, malformed("temperature is \"75\"")),
            Self::BrokenJson => (own, malformed("the body is not JSON")),
            Self::UnknownAction => (own, malformed("the action is unknown")),
        }
    }

    /// The body, if it differs from the request's own.
    pub(crate) const fn body(self) -> Option<&'static str> {
        match self {
            Self::Fraction => Some(
                r#"{"action":"SetTemperature","globalTemperature":78,"globalTime":"3:30 PM","temperature":75.5,"power":true,"mode":"Auto"}"#,
            ),
            Self::Text => Some(
                r#"{"action":"SetTemperature","globalTemperature":78,"globalTime":"3:30 PM","temperature":"75","power":true,"mode":"Auto"}"#,
            ),
            Self::BrokenJson => Some(r#"{"action":"SetTemperature","temperature":"#),
            Self::UnknownAction => Some(r#"{"action":"OpenDoor","globalTemperature":78,"globalTime":"3:30 PM"}"#),
            _ => None,
        }
    }
}

/// The device that a request names.
pub(crate) fn device_of(request: &ThermostatRequest) -> Option<&str> {
    match request {
        ThermostatRequest::Get { device, .. } | ThermostatRequest::Set { device, .. } | ThermostatRequest::Malformed { device, .. } => {
            Some(device)
        }
        ThermostatRequest::Items | ThermostatRequest::UnknownDevice => None,
    }
}

/// The body exactly as the contract writes it; empty for `GET /items`.
pub(crate) fn body(request: &ThermostatRequest, time: Time) -> String {
    let time = if minutes(time).is_some() { format!(r#","globalTime":"{}""#, time.0) } else { String::new() };
    match request {
        ThermostatRequest::Items => String::new(),
        ThermostatRequest::Set { temperature, power, mode, .. } => format!(
            r#"{{"action":"SetTemperature","globalTemperature":78{time},"temperature":{temperature},"power":{power},"mode":"{mode}"}}"#
        ),
        _ => format!(r#"{{"action":"GetTemperature","globalTemperature":78{time}}}"#),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_as_in_the_contract() {
        let set = ThermostatRequest::Set { device: "T".to_owned(), time: Some(930), temperature: 75, power: true, mode: "Auto" };
        assert_eq!(
            body(&set, HALF_PAST_THREE),
            r#"{"action":"SetTemperature","globalTemperature":78,"globalTime":"3:30 PM","temperature":75,"power":true,"mode":"Auto"}"#
        );
        assert_eq!(
            body(&get("T", HALF_PAST_THREE), HALF_PAST_THREE),
            r#"{"action":"GetTemperature","globalTemperature":78,"globalTime":"3:30 PM"}"#
        );
        assert_eq!(body(&get("T", NEVER), NEVER), r#"{"action":"GetTemperature","globalTemperature":78}"#);
    }

    #[test]
    fn the_owner_sets_every_temperature_from_60_to_90_in_31_turns() {
        let mut all: Vec<i64> = (0..31)
            .map(|turn| match owner_set("T", turn) {
                ThermostatRequest::Set { temperature, .. } => temperature,
                _ => 0,
            })
            .collect();
        all.sort_unstable();
        assert_eq!(all, (60..=90).collect::<Vec<_>>());
    }

    #[test]
    fn the_power_company_uses_every_time_and_both_actions_and_one_in_ten_has_no_time() {
        let asked: Vec<(ThermostatRequest, Time)> = (0..100).map(|turn| power_company("T", turn)).collect();
        assert_eq!(asked.iter().filter(|(_, time)| *time == NEVER).count(), 10);
        for time in AFTERNOON {
            for sets in [true, false] {
                let found = asked.iter().any(|(request, at)| *at == time && matches!(request, ThermostatRequest::Set { .. }) == sets);
                assert!(found, "{time:?} set {sets}");
            }
        }
    }
}
