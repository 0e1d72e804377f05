//! One request and its answer, with what an oracle needs to judge it and nothing that should not be kept (no token, no whole body).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::systems::clinic::User;
use crate::systems::users_api::Shape;
use faults::Place;
use reports::{Outcome, Phase};
use run_folder::Seen;

pub use crate::mails::{Attachment, Disposition, Expected, LinkLife, LinkTried, Mail, MailForm};
pub use crate::records::{Record, RecordForm, Verdict};
use crate::strike::Struck;
pub use crate::users::{UsersRequest, UsersSaid};

/// What the traffic tells the engine. Times are offsets from the first arrival of the warm-up, on one monotonic clock.
#[derive(Debug, Clone)]
pub enum Event {
    /// A request came to its end.
    Exchange(Box<Exchange>),
    /// A shadow changed, as the broker told everyone.
    Shadow(ShadowChange),
    /// The loop of a device ended while it should have gone on.
    DeviceEnded {
        /// The thing.
        thing: String,
        /// When.
        at: Duration,
        /// Why, in a phrase.
        why: String,
    },
    /// A device was sent a message that it must survive.
    DeviceProvoked {
        /// The thing.
        thing: String,
        /// When.
        at: Duration,
    },
    /// Time from the acknowledgement of a Set to the device's report of it; recorded as the endpoint `thermostat desired -> reported`.
    Converged {
        /// The thing.
        thing: String,
        /// When the Set was acknowledged.
        acknowledged: Duration,
        /// When the report was accepted.
        reported: Duration,
    },
    /// A mail was handed in over SMTP, or was refused.
    Mail(Box<Mail>),
    /// A service saw something happen, by its own clock.
    Saw {
        /// When.
        at: Duration,
        /// What.
        seen: Seen,
    },
    /// A fault struck work for which no request of the traffic waits.
    Struck(Box<Struck>),
    /// The link of an attachment was followed.
    LinkTried(Box<LinkTried>),
    /// A member's row was put into the table, as if the last sign-in had been long ago.
    RowSeeded {
        /// The member.
        user: String,
        /// When.
        at: Duration,
        /// When its life ends.
        expires: Duration,
    },
    /// Somebody did something by hand that no function may undo or repeat.
    ByHand {
        /// The member.
        user: String,
        /// When it was done.
        at: Duration,
        /// What.
        act: ByHand,
    },
    /// From here on no fault is in force.
    Calmed {
        /// When.
        at: Duration,
    },
    /// A request that is repeated until it is answered as expected came to its end.
    Settled {
        /// The endpoint under which the whole time is recorded.
        endpoint: &'static str,
        /// When the first request was due.
        since: Duration,
        /// When the last was answered.
        at: Duration,
        /// Whether the answer was as expected in time.
        outcome: Outcome,
    },
    /// Something was tried out beside the traffic.
    Probe {
        /// When it ended.
        at: Duration,
        /// What came of it.
        probe: Probe,
    },
}

impl Event {
    /// When it was known.
    pub fn at(&self) -> Duration {
        match self {
            Self::Exchange(exchange) => exchange.done,
            Self::Shadow(change) => change.at,
            Self::Converged { reported, .. } => *reported,
            Self::Mail(mail) => mail.done,
            Self::Struck(struck) => struck.at,
            Self::LinkTried(tried) => tried.at,
            Self::DeviceEnded { at, .. }
            | Self::DeviceProvoked { at, .. }
            | Self::Saw { at, .. }
            | Self::RowSeeded { at, .. }
            | Self::ByHand { at, .. }
            | Self::Calmed { at }
            | Self::Settled { at, .. }
            | Self::Probe { at, .. } => *at,
        }
    }
}

/// What somebody did by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByHand {
    /// Deleted the member's row from the table.
    RowDeleted,
    /// Enabled the member again.
    Enabled,
    /// Deleted the member from the pool.
    MemberDeleted,
}

/// What came of something that was tried out beside the traffic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A right was taken away that had been used a moment before.
    Revocation {
        /// How long after that the last request was sent that was still answered 200.
        last_allowed: Option<Duration>,
        /// How long after that the first request was sent that was answered 403.
        denied: Option<Duration>,
    },
    /// A pool's signing key was replaced, and somebody signed in anew.
    Rotation {
        /// How long after that the first request with a new token was answered 200.
        healed: Option<Duration>,
        /// The last status before that, or when it was given up.
        last_status: Option<u16>,
    },
}

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Such as `clinic GET /appointment/{id}`.
    pub endpoint: &'static str,
    /// The root of the trace id that it carried.
    pub root: String,
    /// The phase in which it was due; `None` while arming: judged by the oracles, not recorded.
    pub phase: Option<Phase>,
    /// When it was due.
    pub due: Duration,
    /// When it was sent.
    pub sent: Duration,
    /// When the whole answer was there, or was given up.
    pub done: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// The HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The HTTP method.
    pub method: &'static str,
    /// The path without the stage.
    pub path: String,
    /// What was asked, by whom.
    pub asked: Asked,
    /// What the answer said, as far as an oracle needs it.
    pub said: Said,
    /// What of the body is not as the request expected, in a phrase.
    pub missed: Option<String>,
    /// What the rules of the experiment's file are told; `None` if none is about this answer.
    pub told: Option<Box<Told>>,
    /// When its body began, if that is recorded too: the endpoint's name, and when.
    pub began: Option<(&'static str, Duration)>,
    /// The faults that struck on its way, filled in from the ledgers before an oracle sees it.
    pub struck: Vec<(String, Place)>,
}

/// The status of a throttled request.
pub(crate) const TOO_MANY_REQUESTS: u16 = 429;

impl Exchange {
    /// The status of an answer that decides about what was asked. A failure does not, nor does 429, which tells the caller to come again: of
    /// whether a request is allowed or a user is there they say nothing.
    pub fn decision(&self) -> Option<u16> {
        self.status.filter(|status| *status < 500 && *status != TOO_MANY_REQUESTS)
    }

    /// The statuses that the request calls right; `None` where it does not say.
    pub fn right(&self) -> Option<&[u16]> {
        match &self.asked {
            Asked::Request { statuses } => Some(statuses),
            _ => None,
        }
    }
}

/// What the rules of the experiment's file are told of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The values that their texts need, as far as there are such.
    pub values: BTreeMap<String, String>,
    /// The body that was sent, if reports may show it.
    pub sent: Option<String>,
}

/// What was asked, by whom.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// Of the thermostats' API.
    Thermostat {
        /// With whose token.
        caller: Caller,
        /// What.
        request: ThermostatRequest,
    },
    /// Of the clinic's API.
    Clinic {
        /// With what token.
        token: ClinicToken,
        /// The client type in the header.
        client_type: Option<&'static str>,
        /// The appointment's id.
        appointment: String,
    },
    /// Of the users API.
    Users {
        /// In which shape.
        shape: Shape,
        /// The user whom the journey is about.
        id: String,
        /// What.
        request: UsersRequest,
    },
    /// To sign a member in.
    SignIn {
        /// The member.
        user: String,
        /// With the password, or by refresh token, which calls no trigger.
        by: SignInBy,
    },
    /// To take in an audit record.
    Record(Box<Record>),
    /// What the experiment's file describes.
    Request {
        /// The statuses that are right.
        statuses: Vec<u16>,
    },
    /// Something else that is recorded but not judged, such as a sign-in.
    Other,
}

/// How a member signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInBy {
    /// `USER_PASSWORD_AUTH`.
    Password,
    /// `REFRESH_TOKEN_AUTH`.
    Refresh,
}

/// With whose token the thermostats' API was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Caller {
    /// A valid access token of this user.
    Valid(String),
    /// No token at all.
    NoToken,
    /// A token for this user, signed by another key.
    Forged(String),
    /// A token of this user, rightly signed, whose time is over.
    Expired(String),
    /// Not a token.
    Garbage,
}

/// What the thermostats' API was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum ThermostatRequest {
    /// `GET /items`.
    Items,
    /// `POST /control/{device}` with GetTemperature.
    Get {
        /// The device.
        device: String,
        /// `globalTime` in minutes since midnight.
        time: Option<i64>,
    },
    /// `POST /control/{device}` with SetTemperature.
    Set {
        /// The device.
        device: String,
        /// `globalTime` in minutes since midnight.
        time: Option<i64>,
        /// `temperature`.
        temperature: i64,
        /// `power`.
        power: bool,
        /// `mode`.
        mode: &'static str,
    },
    /// A body that must be answered 400: what is wrong with it.
    Malformed {
        /// The device.
        device: String,
        /// Such as `temperature is "75"`.
        what: &'static str,
    },
    /// A request to a device that does not exist; it must be answered 404.
    UnknownDevice,
}

/// With what token the clinic's API was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClinicToken {
    /// A valid IdToken of this user; `id` tells one token from another of the same user.
    Valid {
        /// Whose.
        user: User,
        /// Which.
        id: u64,
    },
    /// No header.
    Missing,
    /// Not a token, or one signed by another key, expired, of another client, or not an IdToken: it must never be let in.
    Bad {
        /// Whom it claims to be.
        user: User,
        /// What is wrong with it, such as `signed by another key`.
        what: &'static str,
    },
}

/// What an answer said, as far as an oracle needs it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// `evaluation.decision`, where there was one.
    pub decision: Option<String>,
    /// `payload.reportedTemperature`, where there was one.
    pub reported_temperature: Option<i64>,
    /// The device ids of `GET /items`.
    pub devices: Vec<String>,
    /// `appointment.id`, where there was one.
    pub appointment: Option<String>,
    /// The exception's name of a refused sign-in, such as `NotAuthorizedException`.
    pub exception: Option<String>,
    /// The users that it named, with their values.
    pub users: UsersSaid,
    /// What it gives away of the inside of a function, such as `a stack trace of Python`.
    pub internals: Option<&'static str>,
}

/// A change of a shadow, from `$aws/things/<thing>/shadow/update/accepted`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowChange {
    /// The thing.
    pub thing: String,
    /// When the harness heard of it.
    pub at: Duration,
    /// The shadow's version after the change.
    pub version: i64,
    /// `state.desired` of this update, where it had one.
    pub desired: Option<ThermostatState>,
    /// `state.reported` of this update, where it had one.
    pub reported: Option<ThermostatState>,
}

/// The keys of a thermostat's state; what an update did not name is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ThermostatState {
    /// Degrees Fahrenheit.
    pub temperature: Option<i64>,
    /// On or off.
    pub power: Option<bool>,
    /// Such as `Auto`.
    pub mode: Option<String>,
}
