//! The homes' Cedar policies.

use run_folder::deployment::{Link, PolicyStore};

use super::{Home, NAMESPACE, homes};

/// The policies of the homes 0 to `count - 1`: the owner's right is one policy over all devices, the rest is there once for each home.
pub fn policies(count: u32) -> PolicyStore {
    let owned = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let mut store = PolicyStore {
        policies: vec![owned("owner", include_str!("policies/owner.cedar"))],
        templates: vec![
            owned("guest", include_str!("policies/guest.cedar")),
            owned("power-company", include_str!("policies/power-company.cedar")),
        ],
        links: Vec::new(),
        schema: include_str!("policies/schema.cedarschema").to_owned(),
    };
    for home in homes(count) {
        store.links.push(link("guest", &home.jane, &home.first.id));
        store.links.push(link("power-company", &home.power_company, &home.first.id));
        for (name, text) in [
            ("power-company-looks", include_str!("policies/power-company-looks.cedar")),
            ("evening-visitor", include_str!("policies/evening-visitor.cedar")),
        ] {
            store.policies.push((format!("{name}-{}", home.second.id), of_home(text, &home)));
        }
    }
    store
}

fn link(template: &str, user: &str, device: &str) -> Link {
    Link {
        id: format!("{template}-{device}"),
        template: template.to_owned(),
        principal: (format!("{NAMESPACE}::User"), user.to_owned()),
        resource: (format!("{NAMESPACE}::Device"), device.to_owned()),
    }
}

/// The files are written with the names of home 0, so that each is a whole policy; another home's names take their place.
fn of_home(text: &str, home: &Home) -> String {
    text.replace("\"john_doe\"", &format!("\"{}\"", home.john))
        .replace("\"powercompany\"", &format!("\"{}\"", home.power_company))
        .replace("\"Thermostat2\"", &format!("\"{}\"", home.second.id))
}
