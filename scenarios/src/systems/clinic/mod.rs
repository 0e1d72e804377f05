//! The clinic: staff, clients and appointments.

mod load;
pub(crate) mod probes;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;

use faults::Trigger;
use run_folder::Addresses;
use run_folder::deployment::PolicyStore;

use super::by_hand;
use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::ClinicLoad;

/// The clinic's authorizer and appointments.
pub struct Clinic;

const NAMED: How = How::Named("AuthorizerWeaknesses");

impl UnderTest for Clinic {
    fn name(&self) -> &'static str {
        "clinic"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[("authorizer", Trigger::Authorizer), ("appointments", Trigger::Http)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![("clinic GET /appointment/{id}", GETS)]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "policy-names-one-path", how: NAMED },
            Weakness { name: "error-cached-as-deny", how: NAMED },
            Weakness { name: "one-namespace-for-both-pools", how: NAMED },
            Weakness { name: "claims-not-checked", how: NAMED },
            Weakness { name: "keys-fetched-once", how: NAMED },
        ]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["failing-authorizer"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        let request = "/appointment/PI-T123 -H \"Authorization: Bearer $TOKEN\" -H 'ClientType: external'";
        by_hand::asked(a, (API, Pool::External.name()), "Dave", "IdToken", request)
    }

    fn numbers(&self) -> Range<u64> {
        1..2
    }
}

/// The Cedar policies.
pub fn policies() -> PolicyStore {
    let owned = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    PolicyStore {
        policies: vec![
            owned("owner", include_str!("policies/owner.cedar")),
            owned("veterinarian", include_str!("policies/veterinarian.cedar")),
        ],
        schema: include_str!("policies/schema.cedarschema").to_owned(),
        ..PolicyStore::default()
    }
}

/// Average number of requests to the endpoint per journey.
const GETS: f64 = 1.02;

/// The namespace of the Cedar entities.
pub const NAMESPACE: &str = "Clinic";

/// The REST API, as the template names it.
pub const API: &str = "ClinicApi";

/// The table of appointments.
pub const TABLE: &str = "AppointmentsTable";

/// The policy store's logical id.
pub const POLICY_STORE: &str = "ClinicPolicyStore";

/// The two user pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// Staff; role Doctor.
    Internal,
    /// Clients; role Client.
    External,
}

impl Pool {
    /// The value of the header `ClientType`.
    pub const fn client_type(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// `UserPoolName`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Internal => "clinic-internal",
            Self::External => "clinic-external",
        }
    }

    /// The Cedar entity type of its users.
    pub const fn entity_type(self) -> &'static str {
        match self {
            Self::Internal => "Clinic::InternalUser",
            Self::External => "Clinic::ExternalUser",
        }
    }
}

/// A user who can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// The pool.
    pub pool: Pool,
    /// The name, unique only within its pool.
    pub name: &'static str,
}

/// The four users of the contract.
pub const USERS: [User; 4] = [
    User { pool: Pool::External, name: "Dave" },
    User { pool: Pool::External, name: "Joy" },
    User { pool: Pool::Internal, name: "Jane" },
    User { pool: Pool::Internal, name: "Adam" },
];

/// Users of one pool who share a name with a user of the other; they have no rights at all (B-5).
pub const NAMESAKES: [User; 2] = [User { pool: Pool::Internal, name: "Dave" }, User { pool: Pool::External, name: "Jane" }];

/// One appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// For example `PI-T123`.
    pub id: &'static str,
    /// The client, a user of [`Pool::External`].
    pub owner: &'static str,
    /// The doctor, a user of [`Pool::Internal`].
    pub veterinarian: &'static str,
}

/// The three appointments of the contract, and one whose owner changes while the stack is running,
/// to see a right end (B-4).
pub const APPOINTMENTS: [Appointment; 4] = [
    Appointment { id: "PI-T123", owner: "Dave", veterinarian: "Jane" },
    Appointment { id: "PI-T124", owner: "Joy", veterinarian: "Jane" },
    Appointment { id: "PI-T125", owner: "Dave", veterinarian: "Adam" },
    REVOCABLE,
];

/// The appointment whose owner is changed.
pub const REVOCABLE: Appointment = Appointment { id: "PI-T900", owner: "Joy", veterinarian: "Adam" };

/// The contract's table: whether `user` may GET `appointment`.
pub fn may_see(user: User, appointment: &str) -> bool {
    APPOINTMENTS.iter().any(|a| {
        a.id == appointment
            && match user.pool {
                Pool::External => a.owner == user.name,
                Pool::Internal => a.veterinarian == user.name,
            }
    })
}
