//! Where a journey can be hurt.

use std::fmt::{self, Display, Formatter};

use serde::{Deserialize, Serialize};

/// A place of a journey: what is hurt while a request to an endpoint is worked on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The endpoint of the request that everything else follows from, such as `buy place`.
    pub endpoint: String,
    /// What of it is hurt.
    pub spot: Spot,
}

/// What is hurt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// A delivery to a function.
    Invocation {
        /// The function.
        function: String,
        /// Which delivery of the request it is, from 1.
        delivery: u32,
    },
    /// A function's call to a service.
    Call {
        /// The function that makes it.
        function: String,
        /// The service by its endpoint prefix.
        service: String,
        /// The operation.
        operation: String,
        /// Which of the calls to this operation that the function makes during this delivery, from 1.
        number: u32,
        /// Which delivery of the request the function works on, from 1.
        delivery: u32,
    },
}

impl Spot {
    /// The function that is hurt, or whose call is.
    pub fn function(&self) -> &str {
        match self {
            Self::Invocation { function, .. } | Self::Call { function, .. } => function,
        }
    }

    /// Which delivery of the request to its function it belongs to, from 1.
    pub const fn delivery(&self) -> u32 {
        match self {
            Self::Invocation { delivery, .. } | Self::Call { delivery, .. } => *delivery,
        }
    }

    /// The same in another delivery.
    pub fn in_delivery(&self, number: u32) -> Self {
        let mut spot = self.clone();
        match &mut spot {
            Self::Invocation { delivery, .. } | Self::Call { delivery, .. } => *delivery = number,
        }
        spot
    }

    /// Whether both are calls that the same function makes to the same operation.
    pub fn is_same_operation(&self, other: &Self) -> bool {
        let Self::Call { function, service, operation, .. } = self else { return false };
        matches!(other, Self::Call { function: f, service: s, operation: o, .. } if f == function && s == service && o == operation)
    }
}

impl Display for Spot {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.function())?;
        if self.delivery() > 1 {
            write!(f, " (delivery {})", self.delivery())?;
        }
        match self {
            Self::Invocation { .. } => Ok(()),
            Self::Call { service, operation, number: 1, .. } => write!(f, " > {service}:{operation}"),
            Self::Call { service, operation, number, .. } => write!(f, " > {service}:{operation} #{number}"),
        }
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.endpoint, self.spot)
    }
}

/// What is between the names of two places, or of two ways, of a pair.
pub const AND: &str = " + ";

/// Which places are tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Only {
    /// All of them.
    #[default]
    All,
    /// What is done to a function, and its calls.
    Function(String),
    /// Calls to a service, or to one operation of it.
    Service {
        /// The service.
        name: String,
        /// The operation.
        operation: Option<String>,
    },
    /// What follows from requests to an endpoint.
    Endpoint(String),
    /// One place, as the matrix shows it, or the two of a pair, as its finding shows them.
    Place(String),
}

impl std::str::FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (what, name) = text.split_once(':').unwrap_or_default();
        match (what, name.trim()) {
            (_, "") => Err(format!(
                "`{text}` names no place; write `function:NAME`, `service:NAME`, `service:NAME:OPERATION`, `endpoint:NAME` or `place:` with a place of the matrix"
            )),
            ("function", name) => Ok(Self::Function(name.to_owned())),
            ("endpoint", name) => Ok(Self::Endpoint(name.to_owned())),
            ("place", name) => Ok(Self::Place(name.to_owned())),
            ("service", name) => Ok(match name.split_once(':') {
                Some((name, operation)) => Self::Service { name: name.to_owned(), operation: Some(operation.to_owned()) },
                None => Self::Service { name: name.to_owned(), operation: None },
            }),
            (other, _) => Err(format!("`{other}` is not a kind of place; it is `function`, `service`, `endpoint` or `place`")),
        }
    }
}

impl Only {
    /// Whether a place is tried.
    pub fn has(&self, place: &Place) -> bool {
        match (self, &place.spot) {
            (Self::All, _) => true,
            (Self::Function(name), spot) => spot.function() == name,
            (Self::Endpoint(name), _) => place.endpoint == *name,
            (Self::Place(text), _) => {
                let name = place.to_string();
                name == *text || text.split(AND).any(|one| one == name)
            }
            (Self::Service { name, operation }, Spot::Call { service, operation: called, .. }) => {
                service == name && operation.as_ref().is_none_or(|operation| operation == called)
            }
            (Self::Service { .. }, Spot::Invocation { .. }) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: u32) -> Place {
        let (function, service, operation) = ("worker".into(), "dynamodb".into(), "PutItem".into());
        Place { endpoint: "buy place".into(), spot: Spot::Call { function, service, operation, number, delivery: 1 } }
    }

    #[test]
    fn a_place_is_named_and_chosen_by_its_name() {
        let invoked = Place { endpoint: "buy place".into(), spot: Spot::Invocation { function: "worker".into(), delivery: 1 } };
        assert_eq!(call(2).to_string(), "buy place: worker > dynamodb:PutItem #2");
        assert_eq!(call(2).spot.in_delivery(3).to_string(), "worker (delivery 3) > dynamodb:PutItem #2");
        assert_eq!(invoked.spot.in_delivery(2).to_string(), "worker (delivery 2)");
        for (only, of_call, of_invocation) in [
            ("function:worker", true, true),
            ("function:other", false, false),
            ("service:dynamodb", true, false),
            ("service:dynamodb:PutItem", true, false),
            ("service:dynamodb:GetItem", false, false),
            ("endpoint:buy place", true, true),
            ("endpoint:buy look", false, false),
            ("place:buy place: worker > dynamodb:PutItem", true, false),
            ("place:buy place: worker", false, true),
            ("place:buy place: worker + buy place: worker > dynamodb:PutItem", true, true),
            ("place:buy place: worker + buy place: other", false, true),
        ] {
            let only: Only = only.parse().unwrap();
            assert_eq!((only.has(&call(1)), only.has(&invoked)), (of_call, of_invocation), "{only:?}");
        }
        assert!(Only::All.has(&call(1)));
        for (bad, says) in [("worker", "function:NAME"), ("function:", "names no place"), ("queue:x", "not a kind of place")] {
            assert!(bad.parse::<Only>().unwrap_err().contains(says), "{bad}");
        }
    }
}
