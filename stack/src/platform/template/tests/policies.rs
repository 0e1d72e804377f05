//! The policies, templates and schemas that are deployed are those that lie in `policies/` and that decide on this machine.

use std::collections::BTreeSet;

use cedar_policy::SchemaFragment;

use super::*;
use crate::world::policies::{self, PolicyStore};

/// A template-linked policy: template, principal, resource.
type Linked = (String, String, String);

/// What the template puts into a store: texts of policies, texts of templates, links, schema.
fn deployed(store: &str) -> (BTreeSet<String>, BTreeSet<String>, BTreeSet<Linked>, String) {
    let template = yaml::read(crate::up::TEMPLATE).unwrap();
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

/// The schema in one form: the JSON that is deployed and the human form name the types of Cedar itself differently.
fn lines(schema: &SchemaFragment) -> BTreeSet<String> {
    let text = schema.to_cedarschema().unwrap().replace("__cedar::", "");
    text.split([';', '{', '}']).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn each_store_is_deployed_as_it_decides_here() {
    let here: [(&str, PolicyStore); 2] = [("ThermostatPolicyStore", policies::thermostat(1)), ("ClinicPolicyStore", policies::clinic())];
    for (name, store) in here {
        let (policies, templates, links, schema) = deployed(name);
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
