//! The Cedar policies of both systems, as text; whoever decides compiles them.

use super::thermostat::{Home, NAMESPACE, homes};

/// A policy store's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyStore {
    /// Policies that stand alone: id and text.
    pub policies: Vec<(String, String)>,
    /// Templates: id and text.
    pub templates: Vec<(String, String)>,
    /// Template-linked policies.
    pub links: Vec<Link>,
    /// The schema in Cedar's human form.
    pub schema: String,
}

/// A policy made of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its own id.
    pub id: String,
    /// The template's id.
    pub template: String,
    /// What fills `?principal`: entity type and id.
    pub principal: (String, String),
    /// What fills `?resource`: entity type and id.
    pub resource: (String, String),
}

/// The policies of the homes 0 to `count - 1`: the owner's right is one policy over all devices, the rest stands once a home.
pub fn thermostat(count: u32) -> PolicyStore {
    let owned = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    let mut store = PolicyStore {
        policies: vec![owned("owner", include_str!("../../policies/thermostat/owner.cedar"))],
        templates: vec![
            owned("guest", include_str!("../../policies/thermostat/guest.cedar")),
            owned("power-company", include_str!("../../policies/thermostat/power-company.cedar")),
        ],
        links: Vec::new(),
        schema: include_str!("../../policies/thermostat/schema.cedarschema").to_owned(),
    };
    for home in homes(count) {
        store.links.push(link("guest", &home.jane, &home.first.id));
        store.links.push(link("power-company", &home.power_company, &home.first.id));
        for (name, text) in [
            ("power-company-looks", include_str!("../../policies/thermostat/power-company-looks.cedar")),
            ("evening-visitor", include_str!("../../policies/thermostat/evening-visitor.cedar")),
        ] {
            store.policies.push((format!("{name}-{}", home.second.id), of_home(text, &home)));
        }
    }
    store
}

/// The policies of the clinic.
pub fn clinic() -> PolicyStore {
    let owned = |id: &str, text: &str| (id.to_owned(), text.to_owned());
    PolicyStore {
        policies: vec![
            owned("owner", include_str!("../../policies/clinic/owner.cedar")),
            owned("veterinarian", include_str!("../../policies/clinic/veterinarian.cedar")),
        ],
        templates: Vec::new(),
        links: Vec::new(),
        schema: include_str!("../../policies/clinic/schema.cedarschema").to_owned(),
    }
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
