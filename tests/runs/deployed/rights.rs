//! The exported policies, enforced: they allow all that the command does, and every statement in
//! them is needed.

use std::path::Path;

use control_plane::{Request, Signing};
use serde_json::Value;

use crate::cloud::{self, Cloud};
use crate::deployed::{LIMIT, REGION, fis};
use crate::player::Player;
use crate::support::{self, signal, within};

/// Exports the experiment, and returns one of the files.
pub fn exported(cloud: &Cloud, form: &str, file: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    let (code, said, errors) = cloud.brownout(&["export", form, &cloud.file(), "--out", &out]);
    assert_eq!(code, 0, "{said}{errors}");
    serde_json::from_str(&std::fs::read_to_string(Path::new(&out).join(file)).unwrap()).unwrap()
}

pub fn hold(cloud: &Cloud, key: &str, policy: &Value) {
    cloud.plane().lock().unwrap().plane.rights.hold(key, policy).unwrap();
}

/// The parts of a policy that were not needed.
pub fn needless(cloud: &Cloud, key: &str) -> Vec<String> {
    let plane = cloud.plane();
    let needless = plane.lock().unwrap().plane.rights.needless(key);
    needless.into_iter().map(|(sid, action)| format!("{sid} {action}")).collect()
}

/// `plan` has named every call of the run, and of FIS's document, in the order of first use.
fn assert_told(cloud: &Cloud) {
    let used = |key: &str| -> Vec<String> { cloud.plane().lock().unwrap().plane.rights.used(key).into_iter().map(str::to_owned).collect() };
    let (by_brownout, by_the_document) = (used(cloud::KEY), used("automation"));
    // `plan` looks at more than a run that FIS drives; what it needs is in the other policy.
    let rights = std::mem::take(&mut cloud.plane().lock().unwrap().plane.rights);
    let (code, said, errors) = cloud.brownout(&["plan", &cloud.file(), "--via", "fis"]);
    cloud.plane().lock().unwrap().plane.rights = rights;
    assert_eq!(code, 0, "{said}{errors}");
    // They are rights, and no call has their name.
    let rights = ["iam:PassRole", "iam:CreateServiceLinkedRole", "fis:TagResource", "ssm:AddTagsToResource"];
    for (actor, used) in [("  brownout ", by_brownout), ("  document ", by_the_document)] {
        let text: String = said.lines().filter(|line| line.starts_with(actor)).collect();
        // One action may be allowed by two statements.
        let (mut last, mut seen) = (0, std::collections::BTreeSet::from(rights.map(str::to_owned)));
        for action in used.into_iter().filter(|action| seen.insert(action.clone())) {
            let at = text.find(action.split_once(':').unwrap().1).unwrap_or_else(|| panic!("{action} is not in {text}"));
            assert!(at >= last, "{action} comes earlier in {text}");
            last = at;
        }
        assert!(last > text.len() / 2, "few calls were made: {text}");
    }
}

/// Makes a template and a document with the mark of a run.
fn leave_a_template(cloud: &Cloud) {
    let mark = exports::Mark { run: "r".into(), until: 1 };
    let [run, until] = mark.tags().map(|(key, value)| serde_json::json!({"Key": key, "Value": value}));
    let document = serde_json::json!({
        "Name": "brownout-orders-strike", "Content": "x", "VersionName": mark.version_name(), "Tags": [run, until],
    });
    let (wait, tags) = (serde_json::json!({"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}}), mark.tags());
    let tags: serde_json::Map<_, _> = tags.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let template = serde_json::json!({
        "clientToken": "t", "description": "d", "roleArn": "r", "stopConditions": [{"source": "none"}], "actions": {"wait": wait}, "tags": tags,
    });
    create(cloud, Some("AmazonSSM.CreateDocument"), "/", &document);
    create(cloud, None, "/experimentTemplates", &template);
}

/// Makes a call as another user.
fn create(cloud: &Cloud, target: Option<&str>, path: &str, body: &Value) {
    let body = body.to_string();
    let request = Request { method: "POST", path, query: "", target, principal: None, caller: None, body: body.as_bytes() };
    assert_eq!(control_plane::answer(&mut cloud.plane().lock().unwrap().plane, &request).status, 200, "{body}");
}

#[test]
fn a_run_a_canary_and_a_recovery_need_exactly_what_the_policy_allows() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    cloud.call_it_by_an_alias();
    cloud.plane().lock().unwrap().plane.functions.get_mut("orders").unwrap().signing = Signing::Warn;
    let before = cloud.function();
    hold(&cloud, cloud::KEY, &exported(&cloud, "iam-policy", "brownout-policy.json"));
    let (code, said, errors) = cloud.brownout(&["doctor", &cloud.file()]);
    assert_eq!(code, 0, "{said}{errors}");
    let outcome = cloud.run(&[]).end();
    assert_eq!((outcome.result()["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert_eq!((cloud.function(), cloud.plan()), (before.clone(), None));
    let broken = cloud.plane().lock().unwrap().plane.broken.clone();
    assert_eq!(broken, Vec::<String>::new(), "callers of the alias never saw a version that was gone or not ready");
    let running = cloud.run(&[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
    support::kill_all(running.pid());
    drop(running);
    // A run that FIS drove has left what it made.
    leave_a_template(&cloud);
    let (code, said, errors) = cloud.brownout(&["recover", "--all", "--region", REGION]);
    assert_eq!(code, 0, "{said}{errors}");
    assert!(said.contains("experiment template") && said.contains("document brownout-orders-strike"), "{said}");
    assert_eq!((cloud.function(), cloud.plan(), cloud.versions().0), (before, None, vec![1]));
    assert_eq!(needless(&cloud, cloud::KEY), Vec::<String>::new());
}

#[test]
fn fis_its_document_and_the_command_need_exactly_what_their_policies_allow() {
    let _turn = support::Share::Place.take();
    let cloud = Cloud::new();
    let Some(_player) = Player::start(&cloud) else { return };
    cloud.call_it_by_an_alias();
    cloud.rewrite("fis-lead = \"8s\"", "fis-lead = \"40s\"");
    fis::with_an_alarm(&cloud, Some("OK"));
    // The stack's document is there, of another question.
    let document = serde_json::json!({"Name": "brownout-orders-strike", "Content": "x", "VersionName": "brownout-0123456789abcdef"});
    create(&cloud, Some("AmazonSSM.CreateDocument"), "/", &document);
    let before = cloud.function();
    hold(&cloud, cloud::KEY, &exported(&cloud, "iam-policy", "brownout-via-fis-policy.json"));
    hold(&cloud, "automation", &exported(&cloud, "fis", "automation-role-policy.json"));
    let outcome = cloud.run_by(&["--via", "fis"], &[]).end();
    assert_eq!((outcome.result()["verdict"].as_str(), outcome.code), (Some("held"), 0), "{}", outcome.story());
    assert_told(&cloud);
    // This run is stopped.
    let running = cloud.run_by(&["--via", "fis"], &[]);
    within(LIMIT, "a plan with faults", || cloud.plan().filter(|plan| plan.contains("latency")));
    signal(running.pid(), "INT");
    let outcome = running.end();
    assert_eq!(outcome.code, 130, "{}", outcome.story());
    assert_eq!((cloud.function(), cloud.plan(), cloud.versions().0), (before, None, vec![1]), "{}", outcome.stderr);
    assert_eq!(needless(&cloud, "automation"), Vec::<String>::new());
    // The rest is for leftovers of the document's clean-up.
    let mending = [
        "ChangeFunctions lambda:UpdateFunctionConfiguration",
        "ShareTheAlias lambda:UpdateAlias",
        "DeleteTheVersion lambda:DeleteFunction",
        "StrikeAndCalm ssm:DeleteParameter",
    ];
    assert_eq!(needless(&cloud, cloud::KEY), mending);
}

#[test]
fn a_missing_permission_is_refused_before_anything_is_touched() {
    let cloud = Cloud::new();
    let before = cloud.function();
    let mut policy = exported(&cloud, "iam-policy", "brownout-policy.json");
    policy["Statement"].as_array_mut().unwrap().retain(|statement| statement["Sid"] != "ChangeFunctions");
    hold(&cloud, cloud::KEY, &policy);
    let outcome = cloud.run(&[]).end();
    assert_eq!(outcome.code, 2, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("is not authorized to perform: lambda:UpdateFunctionConfiguration"), "{}", outcome.stderr);
    assert_eq!((cloud.function(), cloud.plan()), (before, None));
}
