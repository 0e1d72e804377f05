//! The thermostats' world: homes with their devices and people.

/// The namespace of the Cedar entities.
pub const NAMESPACE: &str = "AwsIotAvpWebApp";

/// The table that says who owns a device.
pub const TABLE: &str = "UserMappingTable";

/// The policy store's id on this machine.
pub const POLICY_STORE: &str = "ps-thermostat";

/// One home. Home 0 has the names of the contract (`Thermostat1`, `Thermostat2`, `john_doe`, `jane_doe`, `powercompany`);
/// home n has `Thermostat-<n>`, `Thermostat-<n>-2`, `john_doe-<n>`, `jane_doe-<n>`, `powercompany-<n>` in the same roles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Owns the first device.
    pub john: String,
    /// Is a guest on the first device and owns the second.
    pub jane: String,
    /// May look at and steer the first device in the afternoon, and look at the second.
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
    /// The others who are added to it.
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
