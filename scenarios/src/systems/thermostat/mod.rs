//! The thermostats: homes with their devices and people.

mod load;
mod policies;
pub(crate) mod rules;
mod table;
pub(crate) mod traffic;

use std::ops::Range;

use faults::Trigger;
use run_folder::Addresses;

use super::by_hand;
use super::under_test::{How, UnderTest, Weakness, experiments};

pub use table::ThermostatLoad;

pub use policies::policies;

/// Smart thermostats.
pub struct Thermostat;

const NAMED: How = How::Named("ThermostatWeaknesses");

impl UnderTest for Thermostat {
    fn name(&self) -> &'static str {
        "thermostat"
    }

    fn template(&self) -> &'static str {
        include_str!("template.yaml")
    }

    fn functions(&self) -> &'static [(&'static str, Trigger)] {
        &[("thermostat-api", Trigger::Http)]
    }

    fn endpoints(&self) -> Vec<(&'static str, f64)> {
        vec![
            ("thermostat GET /items", ITEMS),
            ("thermostat POST /control/{id} Get", GETS),
            ("thermostat POST /control/{id} Set", SETS),
            ("thermostat desired -> reported", SETS),
        ]
    }

    fn weaknesses(&self) -> &'static [Weakness] {
        &[
            Weakness { name: "shadow-write-not-awaited", how: NAMED },
            Weakness { name: "shadow-error-swallowed", how: NAMED },
            Weakness { name: "token-not-verified", how: NAMED },
            Weakness { name: "outage-reads-as-denial", how: NAMED },
            Weakness { name: "mode-dropped", how: NAMED },
            Weakness { name: "device-dies-on-reject", how: How::Device },
        ]
    }

    fn experiments(&self) -> &'static [(&'static str, &'static str)] {
        experiments!["decision-point-down", "lost-shadow-write"]
    }

    fn example(&self, a: &Addresses) -> Option<String> {
        let request = "/items -H \"Authorization: Bearer $TOKEN\"";
        by_hand::asked(a, (API, POOL), "john_doe", "AccessToken", request)
    }

    fn numbers(&self) -> Range<u64> {
        0..1
    }
}

/// Average number of requests for the items per journey: owners look once.
const ITEMS: f64 = 0.35;

/// An owner's look before the Set, one after it, and the single Gets.
const GETS: f64 = 0.805;

/// Sets, and the devices that follow.
const SETS: f64 = 0.795;

/// The namespace of the Cedar entities.
pub const NAMESPACE: &str = "AwsIotAvpWebApp";

/// The table of device owners.
pub const TABLE: &str = "UserMappingTable";

/// The REST API, as the template names it.
pub const API: &str = "ThermostatApi";

/// The user pool.
pub const POOL: &str = "thermostat";

/// The policy store's logical id.
pub const POLICY_STORE: &str = "ThermostatPolicyStore";

/// One home. Home 0 has the names of the contract (`Thermostat1`, `Thermostat2`, `john_doe`,
/// `jane_doe`, `powercompany`); home n has `Thermostat-<n>`, `Thermostat-<n>-2`, `john_doe-<n>`,
/// `jane_doe-<n>`, `powercompany-<n>` in the same roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Owns the first device.
    pub john: String,
    /// A guest on the first device; owns the second.
    pub jane: String,
    /// May read and control the first device in the afternoon, and read the second.
    pub power_company: String,
    /// The first device.
    pub first: Device,
    /// The second device.
    pub second: Device,
}

/// One thermostat and the row of its table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The thing's name.
    pub id: String,
    /// The owner.
    pub primary_owner: String,
    /// The other users who were added to it.
    pub additional_users: Vec<String>,
}

/// The homes 0 to `count - 1`.
pub fn homes(count: u32) -> Vec<Home> {
    (0..count).map(home).collect()
}

fn home(n: u32) -> Home {
    let person = |name: &str| if n == 0 { name.to_owned() } else { format!("{name}-{n}") };
    let (john, jane, power_company) = (person("john_doe"), person("jane_doe"), person("powercompany"));
    let (first, second) = if n == 0 {
        ("Thermostat1".to_owned(), "Thermostat2".to_owned())
    } else {
        (format!("Thermostat-{n}"), format!("Thermostat-{n}-2"))
    };
    Home {
        first: Device { id: first, primary_owner: john.clone(), additional_users: vec![jane.clone(), power_company.clone()] },
        second: Device { id: second, primary_owner: jane.clone(), additional_users: vec![power_company.clone()] },
        john,
        jane,
        power_company,
    }
}

impl Home {
    /// Both devices.
    pub fn devices(&self) -> [&Device; 2] {
        [&self.first, &self.second]
    }

    /// The three users.
    pub fn users(&self) -> [&str; 3] {
        [&self.john, &self.jane, &self.power_company]
    }
}
