//! How an exchange is described to people: what was requested, what was answered, and how to repeat
//! it. Never a token.

use crate::exchange::{Asked, Caller, ClinicToken, Exchange, SignInBy, ThermostatRequest, UsersRequest};

use super::Breach;
use crate::systems::audit::rules::words as record_words;

/// The breach of a rule by one exchange.
pub(crate) fn breach(exchange: &Exchange, expected: impl Into<String>) -> Breach {
    Breach {
        at: exchange.due,
        root: Some(exchange.root.clone()),
        asked: asked(exchange),
        answered: answered(exchange),
        expected: expected.into(),
        repeat: repeat(exchange),
    }
}

/// For example `POST /control/Thermostat1 as jane_doe, SetTemperature 79`.
pub(crate) fn asked(exchange: &Exchange) -> String {
    let who = match &exchange.asked {
        Asked::Thermostat { caller, request } => format!(" {}{}", caller_words(caller), request_words(request)),
        Asked::Clinic { token, client_type, .. } => {
            let client_type = client_type.unwrap_or("none");
            match token {
                ClinicToken::Valid { user, .. } => format!(" as {} of {}, client type {client_type}", user.name, user.pool.client_type()),
                ClinicToken::Missing => format!(" without a token, client type {client_type}"),
                ClinicToken::Bad { user, what } => {
                    format!(" as {} of {} with a token {what}, client type {client_type}", user.name, user.pool.client_type())
                }
            }
        }
        Asked::Users { request: UsersRequest::Create(user) | UsersRequest::Update(user), .. } => {
            format!(", {} at {}", user.name, user.email)
        }
        Asked::SignIn { user, by: SignInBy::Password } => format!(" as {user} with the password"),
        Asked::SignIn { user, by: SignInBy::Refresh } => format!(" as {user} by refresh token"),
        Asked::Record(record) => format!(", {}", record_words::of(record)),
        Asked::Users { .. } | Asked::Request { .. } | Asked::Other => String::new(),
    };
    format!("{} {}{who}", exchange.method, exchange.path)
}

fn caller_words(caller: &Caller) -> String {
    match caller {
        Caller::Valid(user) => format!("as {user}"),
        Caller::NoToken => "without a token".to_owned(),
        Caller::Forged(user) => format!("as {user} with a token signed by another key"),
        Caller::Expired(user) => format!("as {user} with an expired token"),
        Caller::Garbage => "with something that is no token".to_owned(),
    }
}

fn request_words(request: &ThermostatRequest) -> String {
    let at = |time: &Option<i64>| time.map_or_else(String::new, |time| format!(" at minute {time}"));
    match request {
        ThermostatRequest::Items => String::new(),
        ThermostatRequest::Get { time, .. } => format!(", GetTemperature{}", at(time)),
        ThermostatRequest::Set { time, temperature, power, mode, .. } => {
            format!(", SetTemperature {temperature} {} {mode}{}", if *power { "on" } else { "off" }, at(time))
        }
        ThermostatRequest::Malformed { what, .. } => format!(", {what}"),
        ThermostatRequest::UnknownDevice => ", a device that does not exist".to_owned(),
    }
}

/// For example `200`, or how it ended without an answer.
pub(crate) fn answered(exchange: &Exchange) -> String {
    exchange.status.map_or_else(|| format!("no answer ({:?})", exchange.outcome), |status| status.to_string())
}

/// Which faults struck the request, for example
/// `slow at verifiedpermissions:IsAuthorized struck on its way`.
pub(crate) fn struck(exchange: &Exchange) -> String {
    if exchange.struck.is_empty() {
        return "no fault struck on its way".to_owned();
    }
    let faults: Vec<_> = exchange.struck.iter().map(|(fault, place)| format!("`{fault}` at {place}")).collect();
    format!("{} struck on its way", faults.join(", "))
}

/// A command that sends the same request again.
pub(crate) fn repeat(exchange: &Exchange) -> String {
    let mut line = format!("curl -i -X {}", exchange.method);
    let mut body = String::new();
    let stage = match &exchange.asked {
        Asked::Thermostat { caller, request } => {
            if *caller != Caller::NoToken {
                line.push_str(r#" -H "Authorization: Bearer $TOKEN""#);
            }
            body = body_of(request);
            "prod"
        }
        Asked::Clinic { token, client_type, .. } => {
            if *token != ClinicToken::Missing {
                line.push_str(r#" -H "Authorization: Bearer $TOKEN""#);
            }
            if let Some(client_type) = client_type {
                line.push_str(&format!(r#" -H "ClientType: {client_type}""#));
            }
            "dev"
        }
        Asked::Users { shape, request, .. } => {
            if let UsersRequest::Create(user) | UsersRequest::Update(user) = request {
                body = user.body();
            }
            shape.name()
        }
        Asked::Request { .. } => return format!(r#"{line}{} "https://$ENDPOINT{}""#, sent(exchange), exchange.path),
        Asked::Record(record) => return record_words::repeat(record),
        Asked::SignIn { .. } | Asked::Other => "prod",
    };
    if !body.is_empty() {
        line.push_str(&format!(" -d '{body}'"));
    }
    // In double quotes, so that a shell expands the address and nothing else in the path.
    format!(r#"{line} "http://$GATEWAY/{stage}{}""#, exchange.path)
}

/// The body of a request of a journey, if it may be shown.
fn sent(exchange: &Exchange) -> String {
    let Some(body) = exchange.told.as_ref().and_then(|told| told.sent.as_ref()) else { return String::new() };
    let kind = if body.starts_with(['{', '[']) { r#" -H "Content-Type: application/json""# } else { "" };
    // A quote ends the shell's text, is written by itself, and begins the text again.
    format!("{kind} -d '{}'", body.replace('\'', r"'\''"))
}

fn body_of(request: &ThermostatRequest) -> String {
    let clock = |minutes: i64| {
        let (hour, minute) = (minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60));
        let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
        format!("{twelve}:{minute:02} {}", if hour < 12 { "AM" } else { "PM" })
    };
    let mut body = serde_json::Map::new();
    let time = match request {
        ThermostatRequest::Get { time, .. } => {
            body.insert("action".into(), "GetTemperature".into());
            time
        }
        ThermostatRequest::Set { time, temperature, power, mode, .. } => {
            body.insert("action".into(), "SetTemperature".into());
            body.insert("temperature".into(), (*temperature).into());
            body.insert("power".into(), (*power).into());
            body.insert("mode".into(), (*mode).into());
            time
        }
        ThermostatRequest::Items | ThermostatRequest::Malformed { .. } | ThermostatRequest::UnknownDevice => return String::new(),
    };
    if let Some(time) = time {
        body.insert("globalTime".into(), clock(*time).into());
    }
    serde_json::Value::Object(body).to_string()
}

/// For example `1 reader`, `2 readers`.
pub(crate) fn several(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{self, Ask};
    use super::*;
    use crate::exchange::Told;

    #[test]
    fn the_body_of_a_journeys_request_is_repeated_if_it_may_be_shown() {
        let mut exchange = fixtures::exchange(Asked::Request { statuses: vec![201] }, 1.0, 1.2, 201);
        assert_eq!(repeat(&exchange), r#"curl -i -X GET "https://$ENDPOINT/items""#);
        exchange.told = Some(Box::new(Told { sent: Some(r#"{"name":"O'Hara"}"#.into()), ..Told::default() }));
        let expected = r#"curl -i -X GET -H "Content-Type: application/json" -d '{"name":"O'\''Hara"}' "https://$ENDPOINT/items""#;
        assert_eq!(repeat(&exchange), expected);
    }

    #[test]
    fn a_breach_says_what_was_asked_and_how_to_repeat_it_without_a_token() {
        let exchange = fixtures::exchange(Ask::set("jane_doe", "Thermostat1", 79), 1.0, 1.2, 200);
        let breach = breach(&exchange, "DENY");
        assert_eq!(breach.asked, "POST /control/Thermostat1 as jane_doe, SetTemperature 79 on Auto at minute 930");
        assert_eq!(breach.answered, "200");
        assert!(breach.repeat.starts_with(r#"curl -i -X POST -H "Authorization: Bearer $TOKEN" -d '{""#), "{}", breach.repeat);
        assert!(breach.repeat.ends_with(r#"}' "http://$GATEWAY/prod/control/Thermostat1""#), "{}", breach.repeat);
        for part in [r#""action":"SetTemperature""#, r#""globalTime":"3:30 PM""#, r#""temperature":79"#, r#""power":true"#] {
            assert!(breach.repeat.contains(part), "{part} in {}", breach.repeat);
        }
    }
}
