//! The systems under test, one row each: what of the template is theirs, and what the template has to be told for them.

use std::collections::BTreeMap;

use crate::addresses::Pool;
use crate::blueprint::Blueprint;
use crate::platform::template::{Template, TemplateError};
use crate::up::Settings;
use crate::world::weaknesses::{self, Bearer};
use crate::world::{audit, clinic, inactive_users, mail, record_machine, thermostat};

/// What stands for a resource of a system that is not up.
const NOT_UP: &str = "not-up";

/// One system: what it is made of.
pub(crate) struct System {
    wanted: fn(&Settings) -> bool,
    /// Its functions.
    functions: &'static [&'static str],
    /// Its queues, buckets, topics and tables, by the names that the template gives them.
    resources: &'static [&'static str],
    /// Its user pools, and what the logical ids of pool and client begin with.
    pools: &'static [(&'static str, &'static str)],
    /// What only the services name: the logical id and the name.
    stores: &'static [(&'static str, &'static str)],
    /// The parameters that take its weaknesses, and whose.
    weaknesses: &'static [(&'static str, Bearer)],
}

/// All of them.
const ALL: [System; 5] = [
    System {
        wanted: |settings| settings.homes.is_some(),
        functions: &["thermostat-api"],
        resources: &[thermostat::TABLE],
        pools: &[("thermostat", "Thermostat")],
        stores: &[("ThermostatPolicyStore", thermostat::POLICY_STORE)],
        weaknesses: &[("ThermostatWeaknesses", Bearer::ThermostatApi)],
    },
    System {
        wanted: |settings| settings.clinic,
        functions: &["authorizer", "appointments"],
        resources: &[clinic::TABLE],
        pools: &[("clinic-internal", "Internal"), ("clinic-external", "External")],
        stores: &[("ClinicPolicyStore", clinic::POLICY_STORE)],
        weaknesses: &[("AuthorizerWeaknesses", Bearer::Authorizer)],
    },
    System {
        wanted: |settings| settings.mail,
        functions: &["email-processor"],
        resources: &[mail::INCOMING, mail::ATTACHMENTS, mail::QUEUE, mail::DEAD_LETTERS, mail::FALLBACK, mail::ALARMS, mail::SENT_TABLE],
        pools: &[],
        stores: &[],
        weaknesses: &[("EmailWeaknesses", Bearer::EmailProcessor)],
    },
    System {
        wanted: |settings| settings.members.is_some(),
        functions: &["record-sign-in", "prune-users"],
        resources: &[inactive_users::TABLE, inactive_users::DISABLES_TABLE, inactive_users::FAILED],
        pools: &[(inactive_users::POOL, "Members")],
        stores: &[],
        weaknesses: &[("RecordSignInWeaknesses", Bearer::RecordSignIn), ("PruneUsersWeaknesses", Bearer::PruneUsers)],
    },
    System {
        wanted: |settings| settings.audit,
        functions: &[audit::INGEST, audit::ARCHIVE, audit::DESCRIBE, audit::CLOSE],
        resources: &[audit::TABLE, audit::ARCHIVE_BUCKET, audit::STATE_MACHINE, audit::DEAD_LETTERS, audit::NOTICES],
        pools: &[],
        stores: &[],
        weaknesses: &[("AuditWeaknesses", Bearer::Audit)],
    },
];

/// What the template's logical ids stand for where only the services name it.
fn values(pools: &[Pool]) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for system in &ALL {
        values.extend(system.stores.iter().map(|(id, name)| ((*id).to_owned(), (*name).to_owned())));
        for (pool, id) in system.pools {
            let up = pools.iter().find(|up| up.name == *pool);
            values.insert(format!("{id}Pool"), up.map_or(NOT_UP, |pool| &pool.id).to_owned());
            values.insert(format!("{id}Client"), up.map_or(NOT_UP, |pool| &pool.client_id).to_owned());
        }
    }
    values
}

/// Which pools call a function after an authentication, by the pools' names.
pub(crate) fn triggers(declared: &Blueprint) -> Vec<(String, String)> {
    let name = |pool: &str| ALL.iter().flat_map(|system| system.pools).find(|(_, id)| format!("{id}Pool") == pool).map(|(name, _)| *name);
    let named = declared.triggers.iter().filter_map(|trigger| Some((name(&trigger.pool)?.to_owned(), trigger.function.clone())));
    named.collect()
}

/// Where the services are that the template does not name itself; empty while there are none.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct At<'a> {
    /// Where the user pools' issuers are.
    pub(crate) cognito: &'a str,
    /// The cache's address, `redis://host:port`.
    pub(crate) cache: &'a str,
}

/// What the template's parameters are on this machine.
fn parameters(settings: &Settings, at: At<'_>) -> BTreeMap<String, String> {
    let of = |bearer| {
        let mine = settings.weaknesses.iter().filter(|name| weaknesses::bearer(name) == Some(bearer));
        mine.cloned().collect::<Vec<_>>().join(",")
    };
    let mut parameters = BTreeMap::from([
        ("CognitoEndpoint", at.cognito.to_owned()),
        (audit::CACHE_URL, at.cache.to_owned()),
        ("AuthorizerCacheSeconds", settings.authorizer_cache.as_secs().to_string()),
        // Buckets are named for the world at AWS; here they have the names of the contract alone.
        ("BucketPrefix", String::new()),
    ]);
    parameters.extend(ALL.iter().flat_map(|system| system.weaknesses).map(|(parameter, bearer)| (*parameter, of(*bearer))));
    // The two that a queue has are settings of it.
    for (weakness, parameter, value) in [("no-retry", "MaxReceiveCount", "1"), ("short-retention", "IncomingRetentionSeconds", "900")] {
        if settings.weaknesses.iter().any(|name| name == weakness) {
            parameters.insert(parameter, value.to_owned());
        }
    }
    parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn wanted(settings: &Settings) -> impl Iterator<Item = &'static System> {
    ALL.iter().filter(|system| (system.wanted)(settings))
}

/// The functions of the systems that are wanted.
pub(crate) fn functions(settings: &Settings) -> Vec<&'static str> {
    wanted(settings).flat_map(|system| system.functions).copied().collect()
}

/// The template as this machine reads it, and of it what the wanted systems have. It is read as a whole first, so that a slip in any part is
/// found by every start.
///
/// # Errors
/// Where it is not understood.
pub(crate) fn template(text: &str, settings: &Settings, pools: &[Pool], at: At<'_>) -> Result<Template, TemplateError> {
    let mut template = Template::read(text, &values(pools), &parameters(settings, at))?;
    let functions = functions(settings);
    let runs = |name: &str| functions.contains(&name);
    let has = |name: &str| wanted(settings).any(|system| system.resources.contains(&name));
    template.functions.retain(|function| runs(&function.name));
    template.routes.apis.retain(|api| api.routes.iter().all(|route| runs(&route.function)));
    let declared = &mut template.blueprint;
    declared.queues.retain(|queue| has(&queue.name));
    declared.buckets.retain(|bucket| has(&bucket.name));
    declared.topics.retain(|topic| has(&topic.name));
    declared.tables.retain(|table| has(&table.name));
    declared.alarms.retain(|alarm| has(&alarm.queue));
    declared.receipts.retain(|receipt| has(&receipt.bucket));
    declared.mappings.retain(|mapping| runs(&mapping.function));
    declared.triggers.retain(|trigger| runs(&trigger.function));
    declared.machines.retain(|machine| has(&machine.name));
    for machine in declared.machines.iter_mut().filter(|machine| machine.name == audit::STATE_MACHINE) {
        record_machine::weaken(&mut machine.definition, settings.weaknesses.iter().map(String::as_str));
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::*;
    use crate::artifacts::Artifacts;
    use crate::up::TEMPLATE;
    use crate::{Compressed, RunFolder};

    fn settings(folder: &tempfile::TempDir, weaknesses: &[&str]) -> Settings {
        Settings {
            folder: RunFolder::create(folder.path()).unwrap(),
            artifacts: Artifacts { folder: PathBuf::new() },
            homes: Some(1),
            clinic: true,
            mail: true,
            members: Some(1),
            audit: true,
            redis: None,
            sign_ins_at_once: 0,
            compressed: Compressed::default(),
            weaknesses: weaknesses.iter().map(|name| (*name).to_owned()).collect(),
            authorizer_cache: Duration::from_secs(300),
            marker: String::new(),
        }
    }

    /// The names of everything that belongs to somebody.
    fn names(template: &Template) -> Vec<String> {
        let declared = &template.blueprint;
        let queues = declared.queues.iter().map(|queue| &queue.name);
        let buckets = declared.buckets.iter().map(|bucket| &bucket.name);
        let topics = declared.topics.iter().map(|topic| &topic.name);
        let tables = declared.tables.iter().map(|table| &table.name);
        let functions = template.functions.iter().map(|function| &function.name);
        let machines = declared.machines.iter().map(|machine| &machine.name);
        let mut names: Vec<_> = queues.chain(buckets).chain(topics).chain(tables).chain(functions).chain(machines).cloned().collect();
        names.sort();
        names.dedup();
        names
    }

    #[test]
    fn everything_in_the_template_belongs_to_one_system() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(&folder, &[]);
        assert_eq!(
            triggers(&template(TEMPLATE, &settings, &[], At::default()).unwrap().blueprint),
            [("members".to_owned(), "record-sign-in".to_owned())]
        );
        let whole = Template::read(TEMPLATE, &values(&[]), &parameters(&settings, At::default())).unwrap();
        assert_eq!(names(&template(TEMPLATE, &settings, &[], At::default()).unwrap()), names(&whole));
        let mut owned: Vec<_> = ALL.iter().flat_map(|system| system.functions.iter().chain(system.resources)).copied().collect();
        owned.sort_unstable();
        // The bucket and the queue of new mail have one name.
        let twice = owned.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect::<Vec<_>>();
        assert_eq!(twice, [mail::QUEUE]);
        owned.dedup();
        assert_eq!(owned, names(&whole), "a row names what the template has not");
    }

    #[test]
    fn a_system_that_is_not_wanted_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let mail = Settings { homes: None, clinic: false, members: None, audit: false, ..settings(&folder, &[]) };
        let template = template(TEMPLATE, &mail, &[], At::default()).unwrap();
        let functions: Vec<_> = template.functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(functions, ["email-processor"]);
        assert_eq!(template.routes.apis.len() + template.blueprint.triggers.len(), 0);
        assert_eq!((template.blueprint.mappings.len(), template.blueprint.queues.len(), template.blueprint.tables.len()), (1, 2, 1));
    }

    #[test]
    fn a_weakness_reaches_its_bearer_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bearer) in weaknesses::ALL {
            let told = parameters(&settings(&folder, &[name]), At::default());
            let reached: Vec<_> = told.iter().filter(|(_, value)| *value == name).map(|(parameter, _)| parameter.as_str()).collect();
            let expected =
                ALL.iter().flat_map(|system| system.weaknesses).find(|(_, mine)| *mine == bearer).map(|(parameter, _)| *parameter);
            assert_eq!(reached, expected.into_iter().collect::<Vec<_>>(), "{name}");
            assert_eq!(told.contains_key("MaxReceiveCount"), name == "no-retry", "{name}");
            assert_eq!(told.contains_key("IncomingRetentionSeconds"), name == "short-retention", "{name}");
        }
    }

    #[test]
    fn the_machine_has_its_own_weaknesses_and_nobody_else_s() {
        let folder = tempfile::tempdir().unwrap();
        let machine = |weaknesses: &[&str]| {
            let [machine] =
                template(TEMPLATE, &settings(&folder, weaknesses), &[], At::default()).unwrap().blueprint.machines.try_into().unwrap();
            machine
        };
        let hardened = machine(&[]);
        for (name, bearer) in weaknesses::ALL {
            assert_eq!(machine(&[name]) != hardened, bearer == Bearer::RecordMachine, "{name}");
        }
    }
}
