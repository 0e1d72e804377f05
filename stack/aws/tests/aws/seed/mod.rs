//! `seed` and `unseed` with the real SDK: the account is as it was after any accident at any call, and what somebody else owns or changed stays.

mod account;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use account::{ACCIDENTS, Accident, Account, KEY};
use aws::seed::{Item, Journal, JournalError, SeedError, Undoing, seed, told, unseed};
use exports::seed_policy;
use run_folder::{SeedFolder, SeedFolderError};
use serde_json::{Value, json};

/// What `brownout unseed` does; `None` if the caller died.
async fn unseeded(account: &Account, folder: &Path, at_once: usize) -> Option<Undoing> {
    let (journal, noted) = Journal::resume(folder).unwrap();
    let Some(noted) = noted else { return Some(Undoing::default()) };
    let services = account.services(at_once);
    let ended = account.until_death(unseed(&services, folder, &journal, noted)).await;
    ended.map(|ended| ended.unwrap())
}

/// All files of a folder with their modes.
fn modes(folder: &Path) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        all.push((entry.file_name().into_string().unwrap(), mode));
        if entry.path().is_dir() {
            all.extend(modes(&entry.path()));
        }
    }
    all.sort();
    all
}

#[tokio::test]
async fn a_seed_can_be_used_and_unseed_leaves_the_account_as_it_was() {
    let (account, folder) = (Account::new().await, tempfile::tempdir().unwrap());
    let (before, path) = (account.state().await, folder.path().join("clinic-dev"));
    let created = seed(&account.services(4), &account.task(&path)).await.unwrap();
    assert_eq!(
        told(&created),
        "1 AWS IoT policies, 2 certificates, 1 groups, 3 policies, 1 policy templates, 2 rows, 2 shadows, 1 things, 2 users",
        "what the stack has is not created again"
    );
    let seeded = SeedFolder::open(&path).unwrap();
    assert_eq!((seeded.stack.as_str(), seeded.region.as_str()), ("clinic-dev", "eu-central-1"));
    let tokens = account.sign_in("jane", &seeded.password).await;
    assert!(tokens["AuthenticationResult"]["AccessToken"].is_string(), "{tokens}");
    let journal = std::fs::read_to_string(path.join("journal.ndjson")).unwrap();
    assert!(!journal.contains(&seeded.password) && !journal.contains("PRIVATE KEY"));
    let private = ["Thermostat-1:2.key", "Thermostat-1:2.pem", "Thermostat1.key", "Thermostat1.pem", "journal.ndjson", "seed.json"];
    let mut expected: Vec<_> = private.iter().map(|name| ((*name).to_owned(), 0o600)).collect();
    expected.push(("certificates".to_owned(), 0o700));
    expected.sort();
    assert_eq!(modes(&path), expected);
    let iot = account.state().await.iot;
    for certificate in iot.certificates.values() {
        assert!(certificate.active && certificate.policies.len() == 1);
    }
    assert_eq!(iot.things.values().map(|thing| thing.certificates.len()).collect::<Vec<_>>(), [1, 1]);

    let again = seed(&account.services(4), &account.task(&path)).await.unwrap_err();
    assert!(matches!(again, SeedError::Journal(JournalError::Used { .. })), "{again}");
    let done = unseeded(&account, &path, 4).await.unwrap();
    assert_eq!((done.deleted, done.gone, done.left.len()), (15, 0, 0));
    assert_eq!(account.state().await, before);
    assert!(matches!(SeedFolder::open(&path), Err(SeedFolderError::NotSeeded(_))));
    assert_eq!(modes(&path), [("journal.ndjson".to_owned(), 0o600)], "no secret is left");
    assert_eq!(unseeded(&account, &path, 4).await.unwrap(), Undoing::default());
    seed(&account.services(4), &account.task(&path)).await.unwrap();
}

/// A folder in memory where there is one: a journal syncs every line, and here are tens of thousands.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// One seed and one unseed, each with an accident, and what is left of them.
async fn scenario(
    account: &Account,
    at_once: usize,
    seeding: Option<(usize, Accident)>,
    unseeding: Option<(usize, Accident)>,
) -> [usize; 2] {
    let folder = folder();
    let before = account.state().await;
    let task = account.task(folder.path());
    account.script(seeding);
    let services = account.services(at_once);
    let ended = account.until_death(seed(&services, &task)).await;
    let calls = account.calls();
    let what = || format!("{seeding:?} {unseeding:?} at once {at_once}: {ended:?}");
    let is_finished = matches!(&ended, Some(Ok(_)));
    assert_eq!(SeedFolder::open(folder.path()).is_ok(), is_finished, "{}", what());
    account.script(unseeding);
    let is_begun = match Journal::resume(folder.path()) {
        Ok(_) => true,
        Err(JournalError::None(_)) => false,
        Err(error) => panic!("{error}: {}", what()),
    };
    if is_begun {
        let first = unseeded(account, folder.path(), at_once).await;
        let undone = if first.as_ref().is_some_and(|first| first.left.is_empty()) {
            first
        } else {
            account.script(None);
            unseeded(account, folder.path(), at_once).await
        };
        assert_eq!(undone.unwrap().left, [], "{}", what());
    } else {
        assert!(!is_finished, "{}", what());
    }
    let undone = account.calls();
    assert_eq!(account.state().await, before, "{}", what());
    [calls, undone]
}

#[tokio::test]
async fn the_account_is_as_it_was_after_any_accident_at_any_call() {
    let account = Account::new().await;
    let mut count = 0;
    for at_once in [1, 4] {
        let [seeding, unseeding] = scenario(&account, at_once, None, None).await;
        assert!(seeding >= 25 && unseeding >= 25, "{seeding} {unseeding}");
        // Several at once die as one does.
        let accidents = if at_once == 1 { &ACCIDENTS[..] } else { &ACCIDENTS[..2] };
        for accident in accidents.iter().copied() {
            for at in 0..seeding {
                scenario(&account, at_once, Some((at, accident)), None).await;
            }
            for at in 0..unseeding {
                scenario(&account, at_once, None, Some((at, accident))).await;
            }
            // A seed that was killed, and an unseed with an accident.
            for at in (0..seeding).step_by(7) {
                scenario(&account, at_once, Some((at, Accident::CrashAfter)), Some((at / 2, accident))).await;
            }
            count += seeding + unseeding + seeding.div_ceil(7);
        }
    }
    println!("{count} scenarios end clean");
}

#[tokio::test]
async fn what_somebody_else_made_is_never_overwritten_and_never_deleted() {
    let account = Account::new().await;
    let somebodys = json!({"Item": {"id": {"S": "PI-2"}, "owner": {"S": "them"}}});
    type Made<'a> = (&'a str, &'a str, Value, &'a str);
    let made: [Made<'_>; 4] = [
        ("PutItem", "row {\"id\":{\"S\":\"PI-2\"}} of table `stack-AppointmentsTable-1X2Y`", somebodys, "PI-2"),
        ("AdminCreateUser", "user `john` of user pool", json!({"Username": "john"}), "john"),
        ("CreateThing", "thing `Thermostat-1:2`", Value::Null, "Thermostat-1:2"),
        ("UpdateThingShadow", "shadow of thing `Thermostat1`", json!({"temperature": 70}), "Thermostat1"),
    ];
    for (operation, named, body, name) in made {
        match operation {
            "PutItem" => drop(account.dynamodb(operation, body).await),
            "AdminCreateUser" => drop(account.cognito(operation, body).await),
            "UpdateThingShadow" => drop(account.plane.lock().unwrap().iot.shadows.insert(name.to_owned(), body)),
            _ => {
                let thing = control_plane::Thing { id: "theirs".to_owned(), ..control_plane::Thing::default() };
                account.plane.lock().unwrap().iot.things.insert(name.to_owned(), thing);
            }
        }
        let (before, folder) = (account.state().await, tempfile::tempdir().unwrap());
        let error = seed(&account.services(1), &account.task(folder.path())).await.unwrap_err();
        assert!(matches!(error, SeedError::Taken(_)) && error.to_string().contains(named), "{error}");
        assert_ne!(account.state().await, before, "something was created before");
        assert_eq!(unseeded(&account, folder.path(), 1).await.unwrap().left, []);
        assert_eq!(account.state().await, before);
        match operation {
            "PutItem" => drop(account.dynamodb("DeleteItem", json!({"Key": {"id": {"S": name}}})).await),
            "AdminCreateUser" => drop(account.cognito("AdminDeleteUser", json!({"Username": name})).await),
            "UpdateThingShadow" => drop(account.plane.lock().unwrap().iot.shadows.remove(name)),
            _ => drop(account.plane.lock().unwrap().iot.things.remove(name)),
        }
    }
}

#[tokio::test]
async fn what_a_load_wrote_to_a_shadow_goes_with_it_and_a_shadow_without_the_mark_stays() {
    let (account, folder) = (Account::new().await, tempfile::tempdir().unwrap());
    let before = account.state().await;
    seed(&account.services(4), &account.task(folder.path())).await.unwrap();
    let shadow = |name: &str| account.plane.lock().unwrap().iot.shadows.get(name).cloned();
    {
        let mut plane = account.plane.lock().unwrap();
        // A device reports beside the mark; somebody made the other shadow anew.
        plane.iot.shadows.get_mut("Thermostat-1:2").unwrap()["temperature"] = json!(71);
        plane.iot.shadows.insert("Thermostat1".to_owned(), json!({"temperature": 70}));
    }
    let undoing = unseeded(&account, folder.path(), 4).await.unwrap();
    let left: Vec<_> = undoing.left.iter().map(|left| format!("{}: {}", left.item, left.why)).collect();
    assert_eq!(left, ["shadow of thing `Thermostat1`: somebody removed `brownout` from what it reports"]);
    assert_eq!((shadow("Thermostat-1:2"), shadow("Thermostat1")), (None, Some(json!({"temperature": 70}))));
    account.plane.lock().unwrap().iot.shadows.clear();
    assert_eq!(unseeded(&account, folder.path(), 4).await.unwrap().left, []);
    assert_eq!(account.state().await, before);
}

#[tokio::test]
async fn what_somebody_changed_is_named_and_what_somebody_deleted_is_no_error() {
    let (account, folder) = (Account::new().await, tempfile::tempdir().unwrap());
    let before = account.state().await;
    seed(&account.services(4), &account.task(folder.path())).await.unwrap();
    let key = |id: &str| json!({"id": {"S": id}});
    let change = json!({
        "Key": key("PI-1"), "UpdateExpression": "SET #o = :o", "ExpressionAttributeNames": {"#o": "owner"},
        "ExpressionAttributeValues": {":o": {"S": "them"}},
    });
    account.dynamodb("UpdateItem", change).await;
    account.dynamodb("DeleteItem", json!({"Key": key("PI-2")})).await;
    // A user who was created again is somebody else's.
    account.cognito("AdminDeleteUser", json!({"Username": "john"})).await;
    {
        let mut plane = account.plane.lock().unwrap();
        let store = plane.stores.get_mut("ps-1").unwrap();
        let of_ours = |definition: &Value| definition["static"]["description"].is_string();
        let (_, ours) = store.policies.iter_mut().find(|(_, definition)| of_ours(definition)).unwrap();
        ours["static"]["statement"] = json!("forbid (principal, action, resource);");
        let template = store.templates.keys().find(|id| *id != "own-template").unwrap().clone();
        store.policies.insert("theirs".to_owned(), json!({"templateLinked": {"policyTemplateId": template}}));
    }
    let undoing = unseeded(&account, folder.path(), 4).await.unwrap();
    let mut left: Vec<_> = undoing.left.iter().map(|left| (left.item.to_string(), left.why.clone())).collect();
    left.sort();
    let why = |text: &str| text.to_owned();
    assert_eq!(
        left,
        [
            (why("policy `nobody` of policy store `ps-1`"), why("somebody changed it since")),
            (why("policy template `visitor` of policy store `ps-1`"), why("somebody made another policy from it")),
            (why("row {\"id\":{\"S\":\"PI-1\"}} of table `stack-AppointmentsTable-1X2Y`"), why("somebody changed it since")),
        ]
    );
    assert_eq!(undoing.gone, 2);
    assert!(SeedFolder::open(folder.path()).is_err(), "no run may use it any more");
    // Once they are deleted by hand, the seed is over.
    account.dynamodb("DeleteItem", json!({"Key": key("PI-1")})).await;
    {
        let mut plane = account.plane.lock().unwrap();
        let store = plane.stores.get_mut("ps-1").unwrap();
        store.policies.retain(|id, _| id.starts_with("own"));
    }
    assert_eq!(unseeded(&account, folder.path(), 4).await.unwrap().left, []);
    assert_eq!(account.state().await, before);
}

#[tokio::test]
async fn all_that_a_stack_lacks_is_named_before_anything_is_created() {
    let (account, folder) = (Account::new().await, tempfile::tempdir().unwrap());
    let (before, path) = (account.state().await, folder.path().join("seed"));
    let mut task = account.task(&path);
    task.stack.resources.clear();
    task.stack.addresses.pools.clear();
    task.things.push("../Thermostat".to_owned());
    let error = seed(&account.services(4), &task).await.unwrap_err().to_string();
    for named in ["table `AppointmentsTable`", "user pool `clinic-internal`", "policy store `ClinicPolicyStore`", "`../Thermostat`"] {
        assert!(error.contains(named), "{named}: {error}");
    }
    assert!(account.state().await == before && !path.exists());
}

#[tokio::test]
async fn exactly_the_exported_rights_suffice() {
    let account = Account::new().await;
    let scope = account.task(Path::new("seed")).scope();
    let policy: Value = serde_json::from_str(&seed_policy(&scope)).unwrap();
    account.plane.lock().unwrap().rights.hold(KEY, &policy).unwrap();
    let [seeding, _] = scenario(&account, 1, None, None).await;
    // Some rights are needed only after a kill.
    for at in 0..seeding {
        scenario(&account, 1, Some((at, Accident::CrashAfter)), None).await;
    }
    assert_eq!(account.plane.lock().unwrap().rights.needless(KEY), []);
    let allowed = policy["Statement"].as_array().unwrap().clone();
    for without in 0..allowed.len() {
        let mut fewer = allowed.clone();
        let removed = fewer.remove(without);
        let account = Account::new().await;
        account.plane.lock().unwrap().rights.hold(KEY, &json!({"Statement": fewer})).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = seed(&account.services(1), &account.task(folder.path())).await.unwrap_err();
        let text = protocol::chain(&error);
        assert!(text.contains("AccessDeniedException") && text.contains("is not authorized to perform"), "{removed}: {text}");
    }
}

/// Items are told in words that say where they are.
#[test]
fn an_item_names_its_place() {
    let item = Item::User { pool: "p".to_owned(), name: "jane".to_owned(), groups: Vec::new() };
    assert_eq!(item.to_string(), "user `jane` of user pool `p`");
}
