//! The clinic's world: staff, clients and appointments.

/// The namespace of the Cedar entities.
pub const NAMESPACE: &str = "Clinic";

/// The table of appointments.
pub const TABLE: &str = "AppointmentsTable";

/// The policy store's id on this machine.
pub const POLICY_STORE: &str = "ps-clinic";

/// The two user pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pool {
    /// Staff; role Doctor.
    Internal,
    /// Clients; role Client.
    External,
}

impl Pool {
    /// As the header `ClientType` names it.
    pub const fn client_type(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::External => "external",
        }
    }

    /// As [`crate::Addresses::pool`] names it.
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

/// Someone who can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct User {
    /// The pool.
    pub pool: Pool,
    /// The name, unique within its pool only.
    pub name: &'static str,
}

/// The four users of the contract.
pub const USERS: [User; 4] = [
    User { pool: Pool::External, name: "Dave" },
    User { pool: Pool::External, name: "Joy" },
    User { pool: Pool::Internal, name: "Jane" },
    User { pool: Pool::Internal, name: "Adam" },
];

/// Users of one pool who bear the name of somebody in the other; they have no rights at all (B-5).
pub const NAMESAKES: [User; 2] = [User { pool: Pool::Internal, name: "Dave" }, User { pool: Pool::External, name: "Jane" }];

/// One appointment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appointment {
    /// Such as `PI-T123`.
    pub id: &'static str,
    /// The client, a user of [`Pool::External`].
    pub owner: &'static str,
    /// The doctor, a user of [`Pool::Internal`].
    pub veterinarian: &'static str,
}

/// The three appointments of the contract, and one whose owner is changed while the stack is up to see a right end (B-4).
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
