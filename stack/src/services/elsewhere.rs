//! Services that run somewhere else, by their addresses: DynamoDB Local, say, in place of this
//! machine's. Their calls go through the same faults, and nothing is known of what they do.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::{Authority, Scheme};
use run_folder::Place;
use tokio::net::TcpStream;

use super::described::{Described, Protocol};
use super::{SERVICES, cognito, dynamodb, events, kinesis, lambda, s3, ses, sns, sqs, stepfunctions};

/// How long a service may take to accept the first connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where services are that run somewhere else, by the names that faults use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses(BTreeMap<&'static str, Authority>);

/// Why a service cannot be where it is said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchAddress {
    /// No service has this name.
    #[error("there is no service `{0}`")]
    Unknown(String),
    /// The platform or the gateway is part of it.
    #[error("`{0}` is always brownout's own: {1}")]
    Own(&'static str, &'static str),
    /// Not an address.
    #[error("`{0}` is not the address of a service; write `http://host:port`")]
    Invalid(String),
    /// Neither this machine nor a private network.
    #[error("`{0}` is neither this machine nor a private address; name its service in `public-services` if it is meant")]
    Public(String),
    /// Nothing listens there.
    #[error("`{0}` does not answer at {1}; start it, or correct its address")]
    Silent(&'static str, String),
}

/// The names of services that can be somewhere else.
pub fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().filter(|service| own(service).is_none()).map(|service| service.name)
}

/// Why a service is always brownout's own.
fn own(service: &Described) -> Option<&'static str> {
    match service.name {
        name if name == lambda::DESCRIBED.name => Some("functions run here"),
        name if name == cognito::DESCRIBED.name => Some("the gateway checks the tokens of its own pools"),
        _ if matches!(service.protocol, Protocol::Redis) => {
            Some("a template has no cache; give its address to a parameter of the template")
        }
        _ => None,
    }
}

impl Addresses {
    /// Adds a service; one that is `public` may be anywhere, all others on this machine or at a
    /// private address.
    ///
    /// # Errors
    /// If there is no such service, or it cannot be there.
    pub fn add(&mut self, service: &str, address: &str, public: bool) -> Result<(), NoSuchAddress> {
        let unknown = || NoSuchAddress::Unknown(service.to_owned());
        let described = SERVICES.into_iter().find(|described| described.name == service).ok_or_else(unknown)?;
        if let Some(why) = own(described) {
            return Err(NoSuchAddress::Own(described.name, why));
        }
        let invalid = || NoSuchAddress::Invalid(address.to_owned());
        let uri: Uri = address.parse().map_err(|_| invalid())?;
        let has_path = uri.path_and_query().is_some_and(|path| !matches!(path.as_str(), "" | "/"));
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(invalid)?;
        if uri.scheme() != Some(&Scheme::HTTP) || has_path || authority.port_u16().is_none() {
            return Err(invalid());
        }
        if !public && !is_near(authority.host()) {
            return Err(NoSuchAddress::Public(address.to_owned()));
        }
        self.0.insert(described.name, authority.clone());
        Ok(())
    }

    /// The addresses as a deployment has them, which were checked before.
    ///
    /// # Errors
    /// As [`Addresses::add`].
    pub fn read(services: &BTreeMap<String, String>) -> Result<Self, NoSuchAddress> {
        let mut all = Self::default();
        services.iter().try_for_each(|(name, address)| all.add(name, address, true))?;
        Ok(all)
    }

    /// Whether a service is somewhere else.
    pub fn has(&self, service: &str) -> bool {
        self.0.contains_key(service)
    }

    /// The services, each with its host and port.
    pub(super) fn authorities(self) -> BTreeMap<&'static str, Authority> {
        self.0
    }

    /// The services, each with its address, as a deployment has them.
    pub fn all(&self) -> BTreeMap<String, String> {
        self.0.iter().map(|(name, at)| ((*name).to_owned(), format!("http://{at}"))).collect()
    }

    /// Waits until each takes a connection.
    ///
    /// # Errors
    /// Names the first that takes none within five seconds.
    pub async fn reached(&self) -> Result<(), NoSuchAddress> {
        for (name, at) in &self.0 {
            let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(at.as_str())).await;
            if !matches!(connected, Ok(Ok(_))) {
                return Err(NoSuchAddress::Silent(name, format!("http://{at}")));
            }
        }
        Ok(())
    }

    /// The service that would have to tell what happens at a place, if it is somewhere else.
    pub fn of(&self, place: &Place) -> Option<&'static str> {
        let service = match place {
            Place::Table(_) => dynamodb::DESCRIBED.name,
            Place::Bucket(_) => s3::DESCRIBED.name,
            Place::Queue(_) => sqs::DESCRIBED.name,
            Place::Topic(_) => sns::DESCRIBED.name,
            Place::Machine(_) => stepfunctions::DESCRIBED.name,
            Place::Mail => ses::DESCRIBED.name,
            Place::Function(_) => return None,
        };
        Some(service).filter(|service| self.has(service))
    }

    /// What does not happen because a service is somewhere else.
    pub fn notice(&self, service: &str) -> Option<String> {
        self.0.get(service).map(|at| format!("`{service}` is at http://{at}: {}", consequence(service)))
    }
}

/// What a user has to know of a service that is somewhere else.
fn consequence(service: &str) -> &'static str {
    match service {
        name if name == dynamodb::DESCRIBED.name => "its tables must be there, and their streams invoke no function",
        name if name == sqs::DESCRIBED.name => {
            "its queues must be there; they invoke no function, and nothing of this machine delivers to them"
        }
        name if name == sns::DESCRIBED.name => "its topics must be there; they deliver to nothing of this machine",
        name if name == s3::DESCRIBED.name => "its buckets must be there, and they notify nothing of this machine",
        name if name == kinesis::DESCRIBED.name => "its streams must be there, and they invoke no function",
        name if name == events::DESCRIBED.name => "its buses must be there; no rule of the template sees what is put to them",
        name if name == stepfunctions::DESCRIBED.name => "its state machines must be there; those of the template are not started",
        _ => "what the template declares for it must be there",
    }
}

/// Whether a host is this machine or of a private network.
fn is_near(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_loopback() || ip.is_private(),
        Ok(IpAddr::V6(ip)) => ip.is_loopback() || ip.is_unique_local(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_may_be_on_this_machine_or_at_a_private_address_and_elsewhere_if_that_is_said() {
        for (service, address, says) in [
            ("dynamodb", "http://127.0.0.1:8000", None),
            ("sqs", "http://localhost:9324/", None),
            ("s3", "http://[::1]:9000", None),
            ("sns", "http://192.168.1.4:4566", None),
            ("kms", "http://203.0.113.7:4566", Some("`public-services`")),
            ("kms", "http://example.com:4566", Some("`public-services`")),
            ("kms", "http://127.0.0.1.example.com:4566", Some("`public-services`")),
            ("kms", "https://127.0.0.1:4566", Some("write `http://host:port`")),
            ("kms", "http://127.0.0.1", Some("write `http://host:port`")),
            ("kms", "http://127.0.0.1:80/base", Some("write `http://host:port`")),
            ("kms", "http://127.0.0.1:1@203.0.113.7:80", Some("write `http://host:port`")),
            ("kms", "127.0.0.1:8000", Some("write `http://host:port`")),
            ("dynamo", "http://127.0.0.1:8000", Some("no service `dynamo`")),
            ("lambda", "http://127.0.0.1:8000", Some("always brownout's own")),
            ("cognito-idp", "http://127.0.0.1:8000", Some("always brownout's own")),
            ("redis", "redis://127.0.0.1:6379", Some("a parameter of the template")),
        ] {
            let said = Addresses::default().add(service, address, false).err().map(|wrong| wrong.to_string());
            match says {
                None => assert_eq!(said, None, "{service} {address}"),
                Some(says) => assert!(said.as_ref().is_some_and(|said| said.contains(says)), "{service} {address}: {said:?}"),
            }
        }
        assert_eq!(Addresses::default().add("kms", "http://example.com:4566", true), Ok(()));
    }

    #[test]
    fn places_of_such_services_cannot_be_seen() {
        let mut all = Addresses::default();
        all.add("dynamodb", "http://127.0.0.1:8000", false).unwrap();
        assert_eq!(all.of(&Place::Table("t".into())), Some("dynamodb"));
        for place in [Place::Queue("q".into()), Place::Function("f".into()), Place::Mail] {
            assert_eq!(all.of(&place), None, "{place:?}");
        }
        assert_eq!(
            all.notice("dynamodb").as_deref(),
            Some("`dynamodb` is at http://127.0.0.1:8000: its tables must be there, and their streams invoke no function")
        );
    }
}
