//! The data that exists before the first request.

use run_folder::deployment::{PolicyStore, Seed, User};
use serde_json::json;

/// The policy store.
pub const STORE: &str = "ps-thermostat";

/// A device with its owner, two users who can sign in, and a policy that permits temperatures up to
/// 78.
pub fn seed() -> Seed {
    let user = |name: &str| User { name: name.into(), groups: Vec::new() };
    let policy = "permit(principal, action, resource) when { context.desiredTemperature <= 78 };";
    let schema = "namespace AwsIotAvpWebApp { entity User; entity Device = { primaryOwner: User };
                  action SetTemperature appliesTo { principal: User, resource: Device, context: { desiredTemperature: Long } }; }";
    let store = PolicyStore { policies: vec![("warm".into(), policy.into())], schema: schema.into(), ..PolicyStore::default() };
    let row = json!({"deviceId": {"S": "Thermostat1"}, "primaryOwner": {"S": "john_doe"}});
    Seed {
        rows: [("UserMappingTable".into(), vec![row])].into(),
        users: [("thermostat".into(), vec![user("john_doe"), user("john_doe-1")])].into(),
        policies: [(STORE.into(), store)].into(),
    }
}
