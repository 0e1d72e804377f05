//! The deployed policies, templates and schemas are those in `policies/`, which also decide on this
//! machine.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression, SchemaFragment};
use run_folder::deployment::PolicyStore;
use scenarios::systems::{System, clinic, thermostat};
use serde_json::Value;
use stack::services::verifiedpermissions::store::{CompiledStore, Judgement};
use template::yaml;

/// A template-linked policy: template, principal, resource.
type Linked = (String, String, String);

/// What the template puts into a store: policies, policy templates, links, schema.
fn deployed(system: System, store: &str) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<Linked>, String) {
    let template = yaml::read(system.template()).unwrap().value;
    let resources = &template["Resources"];
    let (mut policies, mut templates, mut links) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for resource in resources.as_object().unwrap().values().filter(|resource| resource["Properties"]["PolicyStoreId"]["Ref"] == store) {
        let properties = &resource["Properties"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        policies.extend(text(&properties["Definition"]["Static"]["Statement"]));
        templates.extend(text(&properties["Statement"]));
        let linked = &properties["Definition"]["TemplateLinked"];
        if linked.is_object() {
            let of = linked["PolicyTemplateId"]["Fn::GetAtt"][0].as_str().unwrap();
            let thing = linked["Resource"]["EntityId"]["Ref"].as_str().unwrap();
            let entity = |entity: &Value, id: &Value| format!("{} {}", entity["EntityType"].as_str().unwrap(), id.as_str().unwrap());
            links.insert((
                text(&resources[of]["Properties"]["Statement"]).unwrap(),
                entity(&linked["Principal"], &linked["Principal"]["EntityId"]),
                entity(&linked["Resource"], &resources[thing]["Properties"]["ThingName"]),
            ));
        }
    }
    let schema = resources[store]["Properties"]["Schema"]["CedarJson"].as_str().unwrap().to_owned();
    (policies, templates, links, schema)
}

/// The schema in one form: the deployed JSON and the human-readable form name Cedar's own types
/// differently.
fn lines(schema: &SchemaFragment) -> BTreeSet<String> {
    let text = schema.to_cedarschema().unwrap().replace("__cedar::", "");
    text.split([';', '{', '}']).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn each_store_is_deployed_as_it_decides_here() {
    let here: [(System, &str, PolicyStore); 2] = [
        (System::Thermostat, thermostat::POLICY_STORE, thermostat::policies(1)),
        (System::Clinic, clinic::POLICY_STORE, clinic::policies()),
    ];
    for (system, name, store) in here {
        let (policies, templates, links, schema) = deployed(system, name);
        let texts = |all: &[(String, String)]| all.iter().map(|(_, text)| text.clone()).collect::<BTreeSet<_>>();
        assert_eq!(policies, texts(&store.policies), "{name}");
        assert_eq!(templates, texts(&store.templates), "{name}");
        let text = |template: &str| store.templates.iter().find(|(id, _)| id == template).unwrap().1.clone();
        let entity = |(kind, id): &(String, String)| format!("{kind} {id}");
        let expected = store.links.iter().map(|link| (text(&link.template), entity(&link.principal), entity(&link.resource)));
        assert_eq!(links, expected.collect(), "{name}");
        let (human, _) = SchemaFragment::from_cedarschema_str(&store.schema).unwrap();
        assert_eq!(lines(&SchemaFragment::from_json_str(&schema).unwrap()), lines(&human), "{name}");
    }
}

fn uid(kind: &str, id: &str) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().unwrap()
}

type Row = (&'static str, u8, &'static str, Option<i64>, Option<i64>, bool);
type Case<'a> = (&'a str, &'a str, &'a str, Option<i64>, Option<i64>, bool);

fn device(id: &str, owner: &str) -> Entities {
    let owner = uid("AwsIotAvpWebApp::User", owner);
    let attributes = HashMap::from([("primaryOwner".to_owned(), RestrictedExpression::new_entity_uid(owner))]);
    let device = Entity::new(uid("AwsIotAvpWebApp::Device", id), attributes, HashSet::new()).unwrap();
    Entities::from_entities([device], None).unwrap()
}

fn judge(store: &CompiledStore, owner: &str, (user, device_id, action, temperature, time, _): Case<'_>) -> Judgement {
    let long = |key: &str, value: Option<i64>| value.map(|v| (key.to_owned(), RestrictedExpression::new_long(v)));
    let context = Context::from_pairs(long("desiredTemperature", temperature).into_iter().chain(long("time", time))).unwrap();
    let request = Request::new(
        uid("AwsIotAvpWebApp::User", user),
        uid("AwsIotAvpWebApp::Action", action),
        uid("AwsIotAvpWebApp::Device", device_id),
        context,
        None,
    )
    .unwrap();
    store.judge(&request, &device(device_id, owner))
}

/// The caller, the device (1 or 2), the action, the temperature and time, and the contract's
/// decision.
const TABLE: [Row; 48] = [
    ("john_doe", 1, "GetTemperature", None, None, true),
    ("john_doe", 1, "SetTemperature", Some(10), None, true),
    ("john_doe", 1, "SetTemperature", None, Some(0), true),
    ("jane_doe", 1, "GetTemperature", None, None, true),
    ("jane_doe", 1, "GetTemperature", Some(99), Some(5), true),
    ("jane_doe", 1, "SetTemperature", Some(71), Some(900), false),
    ("jane_doe", 1, "SetTemperature", Some(72), None, true),
    ("jane_doe", 1, "SetTemperature", Some(75), Some(900), true),
    ("jane_doe", 1, "SetTemperature", Some(78), None, true),
    ("jane_doe", 1, "SetTemperature", Some(79), None, false),
    ("jane_doe", 1, "SetTemperature", None, Some(900), false),
    ("powercompany", 1, "GetTemperature", None, Some(839), false),
    ("powercompany", 1, "GetTemperature", None, Some(840), true),
    ("powercompany", 1, "GetTemperature", None, Some(1019), true),
    ("powercompany", 1, "GetTemperature", None, Some(1020), false),
    ("powercompany", 1, "GetTemperature", None, None, false),
    ("powercompany", 1, "SetTemperature", Some(75), Some(839), false),
    ("powercompany", 1, "SetTemperature", Some(75), Some(840), true),
    ("powercompany", 1, "SetTemperature", Some(200), Some(1019), true),
    ("powercompany", 1, "SetTemperature", Some(75), Some(1020), false),
    ("powercompany", 1, "SetTemperature", Some(75), None, false),
    ("jane_doe", 2, "GetTemperature", None, None, true),
    ("jane_doe", 2, "SetTemperature", Some(100), None, true),
    ("jane_doe", 2, "SetTemperature", None, None, true),
    ("powercompany", 2, "GetTemperature", None, None, true),
    ("powercompany", 2, "GetTemperature", None, Some(0), true),
    ("powercompany", 2, "SetTemperature", Some(75), Some(900), false),
    ("powercompany", 2, "SetTemperature", None, None, false),
    ("john_doe", 2, "GetTemperature", None, None, false),
    ("john_doe", 2, "GetTemperature", Some(70), Some(1000), false),
    ("john_doe", 2, "SetTemperature", Some(67), Some(1000), false),
    ("john_doe", 2, "SetTemperature", Some(68), Some(1000), true),
    ("john_doe", 2, "SetTemperature", Some(72), Some(1000), true),
    ("john_doe", 2, "SetTemperature", Some(73), Some(1000), false),
    ("john_doe", 2, "SetTemperature", Some(70), Some(959), false),
    ("john_doe", 2, "SetTemperature", Some(70), Some(960), true),
    ("john_doe", 2, "SetTemperature", Some(70), Some(1079), true),
    ("john_doe", 2, "SetTemperature", Some(70), Some(1080), false),
    ("john_doe", 2, "SetTemperature", Some(70), None, false),
    ("john_doe", 2, "SetTemperature", None, Some(1000), false),
    ("stranger", 1, "GetTemperature", None, Some(900), false),
    ("stranger", 1, "SetTemperature", Some(75), Some(900), false),
    ("stranger", 2, "GetTemperature", None, Some(900), false),
    ("stranger", 2, "SetTemperature", Some(70), Some(1000), false),
    ("john_doe", 1, "DeleteDevice", None, None, false),
    ("jane_doe", 2, "DeleteDevice", None, None, false),
    ("powercompany", 1, "DeleteDevice", None, Some(900), false),
    ("jane_doe", 1, "SetTemperature", Some(-1), Some(900), false),
];

#[test]
fn the_contract_s_table_holds_for_every_home() {
    let homes = thermostat::homes(3);
    let store = CompiledStore::compile("ps", &thermostat::policies(3)).unwrap();
    for home in &homes {
        for (user, which, action, temperature, time, allowed) in TABLE {
            let name = match user {
                "john_doe" => &home.john,
                "jane_doe" => &home.jane,
                "powercompany" => &home.power_company,
                other => other,
            };
            let device = if which == 1 { &home.first } else { &home.second };
            let case = (name, device.id.as_str(), action, temperature, time, allowed);
            let judged = judge(&store, &device.primary_owner, case);
            assert_eq!(judged.allowed, allowed, "{case:?} {judged:?}");
            assert_eq!(judged.errors, Vec::<String>::new(), "{case:?}");
            assert_eq!(!judged.policies.is_empty(), allowed, "{case:?} {judged:?}");
        }
    }
}

#[test]
fn no_user_has_rights_in_another_home() {
    let homes = thermostat::homes(2);
    let store = CompiledStore::compile("ps", &thermostat::policies(2)).unwrap();
    for user in homes[1].users() {
        for device in homes[0].devices() {
            for action in ["GetTemperature", "SetTemperature"] {
                let case = (user, device.id.as_str(), action, Some(72), Some(1000), false);
                assert!(!judge(&store, &device.primary_owner, case).allowed, "{case:?}");
            }
        }
    }
}

#[test]
fn the_clinic_s_table_holds_and_namesakes_see_nothing() {
    let store = CompiledStore::compile("ps", &clinic::policies()).unwrap();
    for user in clinic::USERS.into_iter().chain(clinic::NAMESAKES) {
        for appointment in &clinic::APPOINTMENTS {
            for (action, known) in [("GET/appointment", true), ("DELETE/appointment", false)] {
                let entity = |name: &str, kind: &str| RestrictedExpression::new_entity_uid(uid(kind, name));
                let resource = uid("Clinic::Appointment", appointment.id);
                let attributes = HashMap::from([
                    ("owner".to_owned(), entity(appointment.owner, "Clinic::ExternalUser")),
                    ("veterinarian".to_owned(), entity(appointment.veterinarian, "Clinic::InternalUser")),
                ]);
                let entities = [Entity::new(resource.clone(), attributes, HashSet::new()).unwrap()];
                let principal = uid(user.pool.entity_type(), user.name);
                let request = Request::new(principal, uid("Clinic::Action", action), resource, Context::empty(), None).unwrap();
                let judged = store.judge(&request, &Entities::from_entities(entities, None).unwrap());
                assert_eq!(judged.allowed, known && clinic::may_see(user, appointment.id), "{user:?} {appointment:?} {judged:?}");
            }
        }
    }
}
