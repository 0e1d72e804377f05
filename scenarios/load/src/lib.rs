//! Requests sent when they are due, whatever became of those before: schedules, users on goose, connections, MQTT, and the generator's own books.
//! It knows no system under test: what is sent, which answers are right and what is told of them is a [`open_model::Scenario`]'s own.

mod books;
pub mod chance;
mod connection;
pub mod crew;
pub mod deck;
mod endpoint;
mod error;
mod goose_users;
pub mod http;
mod means;
pub mod mqtt;
mod no_answer;
pub mod open_model;
pub mod origin;
mod pacer;
mod part;
pub mod plain;
mod reply;
mod schedule;
pub mod sender;
mod sending;
mod shape;
pub mod shares;
pub mod signed_in;
mod timeline;
mod tls;
pub mod tokens;

pub use books::LagGlance;
pub use crew::{Journey, JourneyTime};
pub use endpoint::Endpoint;
pub use error::TrafficError;
pub use goose_users::{PATIENCE, keep_signals};
pub use means::Means;
pub use no_answer::NoAnswer;
pub use part::Part;
pub use schedule::{Arrivals, Schedule};
pub use sending::{Ended, Glance, Sending};
pub use shape::{Ramp, Shape};
pub use timeline::Timeline;
pub use tls::{Http, Tls, TlsError};
