//! The control plane is as strict as AWS: checks each refusal's status and name.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use control_plane::{Answer, Configuration, ControlPlane, Function, Request, Settling, Signing, answer};
use serde_json::{Value, json};

const LAYER: &str = "arn:aws:lambda:eu-central-1:123456789012:layer:ours:1";

fn plane() -> ControlPlane {
    let mut plane = ControlPlane::default();
    plane.layers.insert(LAYER.to_owned(), control_plane::LayerVersion::default());
    plane.add(Function::new(Configuration::new("f")));
    plane
}

fn call(plane: &mut ControlPlane, method: &str, path: &str, body: &Value) -> Answer {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    answer(plane, &Request { method, path, query, target: None, principal: None, caller: None, body: body.to_string().as_bytes() })
}

fn update(plane: &mut ControlPlane, body: &Value) -> Answer {
    call(plane, "PUT", "/2015-03-31/functions/f/configuration", body)
}

fn look(plane: &mut ControlPlane) -> Value {
    call(plane, "GET", "/2015-03-31/functions/f/configuration", &Value::Null).body
}

#[test]
fn what_lambda_refuses_is_refused_and_changes_nothing() {
    let variables = |name: &str, length: usize| json!({"Environment": {"Variables": {name: "x".repeat(length)}}});
    let other = |n| format!("arn:aws:lambda:eu-central-1:123456789012:layer:l{n}:1");
    for (body, status, words) in [
        (json!({"RevisionId": "another"}), 412, "latest Revision Id"),
        (json!({"Layers": (0..6).map(other).collect::<Vec<_>>()}), 400, "more than 5 layers"),
        (json!({"Layers": [LAYER, LAYER.replace("ours:1", "ours:2")]}), 400, "versions of the same layer"),
        (json!({"Layers": [other(1)]}), 400, "does not exist"),
        (variables("AB", 4088), 400, "exceeded the 4KB limit. String measured: {"),
        (variables("AWS_REGION", 2), 400, "reserved keys"),
        (variables("A-B", 2), 400, "failed to satisfy constraint"),
    ] {
        let (mut plane, before) = (plane(), plane());
        let answered = update(&mut plane, &body);
        assert_eq!(answered.status, status, "{words}");
        assert!(answered.body["message"].as_str().unwrap().contains(words), "{answered:?}");
        assert_eq!(plane, before, "{words}");
    }
    // One byte less fits: 4,096 with name, quotes and braces.
    assert_eq!(update(&mut plane(), &variables("AB", 4087)).status, 200);
}

#[test]
fn an_update_takes_its_looks_and_the_revision_moves_twice() {
    let mut plane = plane();
    plane.settling = Settling { looks: 1, next_fails: None };
    let before = look(&mut plane)["RevisionId"].clone();
    let begun = update(&mut plane, &json!({"Layers": [LAYER], "RevisionId": before}));
    assert_eq!((begun.status, &begun.body["LastUpdateStatus"]), (200, &json!("InProgress")));
    assert_eq!(update(&mut plane, &json!({"Layers": []})).error, Some("ResourceConflictException"));
    assert_eq!(call(&mut plane, "POST", "/2015-03-31/functions/f/versions", &json!({})).status, 409);
    assert_eq!(look(&mut plane)["LastUpdateStatus"], "InProgress");
    let through = look(&mut plane);
    assert_eq!(through["LastUpdateStatus"], "Successful");
    assert_ne!(through["RevisionId"], begun.body["RevisionId"]);
    assert_eq!(update(&mut plane, &json!({"RevisionId": begun.body["RevisionId"]})).status, 412);
}

#[test]
fn settings_that_are_not_given_stay_and_given_ones_are_replaced_whole() {
    let mut plane = plane();
    update(&mut plane, &json!({"Layers": [LAYER], "Environment": {"Variables": {"AA": "1", "BB": "2"}}}));
    look(&mut plane);
    update(&mut plane, &json!({"Environment": {"Variables": {"CC": "3"}}}));
    let now = look(&mut plane);
    assert_eq!(now["Environment"]["Variables"], json!({"CC": "3"}));
    assert_eq!(now["Layers"][0]["Arn"], LAYER);
    let sha = now["ConfigSha256"].clone();
    update(&mut plane, &json!({"Layers": []}));
    assert_ne!(look(&mut plane)["ConfigSha256"], sha);
    update(&mut plane, &json!({"Layers": [LAYER]}));
    assert_eq!(look(&mut plane)["ConfigSha256"], sha);
}

fn ssm(plane: &mut ControlPlane, operation: &str, body: &Value) -> Answer {
    let (target, body) = (format!("AmazonSSM.{operation}"), body.to_string());
    answer(
        plane,
        &Request { method: "POST", path: "/", query: "", target: Some(&target), principal: None, caller: None, body: body.as_bytes() },
    )
}

#[test]
fn an_advanced_parameter_never_becomes_a_standard_one() {
    let mut plane = plane();
    let mut put = |length: usize, tier: Option<&str>| {
        let answered =
            ssm(&mut plane, "PutParameter", &json!({"Name": "/p", "Value": "x".repeat(length), "Overwrite": true, "Tier": tier}));
        (answered.status, answered.body["Tier"].as_str().unwrap_or_default().to_owned(), answered.body["message"].to_string())
    };
    assert_eq!(put(4097, Some("Standard")).0, 400);
    assert_eq!(put(4097, None).0, 400);
    assert_eq!(put(4096, Some("Intelligent-Tiering")).1, "Standard");
    assert_eq!(put(4097, Some("Intelligent-Tiering")).1, "Advanced");
    let (status, _, message) = put(1, Some("Standard"));
    assert!(status == 400 && message.contains("You can't downgrade a parameter"), "{message}");
    assert_eq!(put(1, Some("Intelligent-Tiering")).1, "Advanced");
    assert_eq!(put(8192, None).1, "Advanced");
    assert_eq!(put(8193, Some("Intelligent-Tiering")).0, 400);
}

#[test]
fn an_unsigned_layer_is_refused_where_signing_is_enforced() {
    let mut plane = plane();
    plane.functions.get_mut("f").unwrap().signing = Signing::Enforce;
    assert_eq!(update(&mut plane, &json!({"Layers": [LAYER]})).error, Some("CodeVerificationFailedException"));
}

#[test]
fn a_version_that_an_alias_points_at_stays() {
    let mut plane = plane();
    let versions = "/2015-03-31/functions/f/versions";
    assert_eq!(call(&mut plane, "POST", versions, &json!({})).body["Version"], "1");
    // Nothing changed since, so it is the same version.
    assert_eq!(call(&mut plane, "POST", versions, &json!({})).body["Version"], "1");
    let alias = json!({"Name": "live", "FunctionVersion": "1"});
    assert_eq!(call(&mut plane, "POST", "/2015-03-31/functions/f/aliases", &alias).status, 201);
    assert_eq!(call(&mut plane, "DELETE", "/2015-03-31/functions/f?Qualifier=1", &Value::Null).status, 409);
    assert_eq!(call(&mut plane, "DELETE", "/2015-03-31/functions/f/aliases/live", &Value::Null).status, 204);
    assert_eq!(call(&mut plane, "DELETE", "/2015-03-31/functions/f?Qualifier=1", &Value::Null).status, 204);
}

/// One call of AWS IoT: method, path, certificate, body; and the status and exception of its answer.
type IotCall<'a> = (&'a str, &'a str, &'a str, Value, u16, Option<&'a str>);

#[test]
fn a_certificate_is_deleted_only_once_it_is_detached_and_inactive() {
    let mut plane = ControlPlane::default();
    // The algorithm and the head of a point on P-256 are looked for, no more.
    let request = "KoZIzj0DAQcDQgAE".to_owned();
    let request = format!("-----BEGIN CERTIFICATE REQUEST-----\n{request}\n-----END CERTIFICATE REQUEST-----\n");
    let asked = json!({"certificateSigningRequest": request});
    let mut call = |(method, path, principal, body, status, error): IotCall<'_>| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let body = body.to_string();
        let request = Request { method, path, query, target: None, principal: Some(principal), caller: None, body: body.as_bytes() };
        let answer = answer(&mut plane, &request);
        assert_eq!((answer.status, answer.error), (status, error), "{method} {path}: {}", answer.body);
        answer.body
    };
    let made = call(("POST", "/certificates?setAsActive=true", "", asked, 200, None));
    let (id, arn) = (made["certificateId"].as_str().unwrap(), made["certificateArn"].as_str().unwrap());
    let (certificate, policy) = (format!("/certificates/{id}"), json!({"policyDocument": "{\"Statement\": []}"}));
    let (inactive, target) = (format!("{certificate}?newStatus=INACTIVE"), json!({"target": arn}));
    let thing = |name: &str| json!({"attributePayload": {"attributes": {"brownout": name}}});
    for step in [
        ("POST", "/certificates", "", json!({"certificateSigningRequest": "none"}), 400, Some("InvalidRequestException")),
        ("POST", "/things/a b", "", json!({}), 400, Some("InvalidRequestException")),
        ("POST", "/things/a", "", thing("1"), 200, None),
        ("POST", "/things/a", "", thing("1"), 200, None),
        ("POST", "/things/a", "", thing("2"), 409, Some("ResourceAlreadyExistsException")),
        ("GET", "/things/b", "", Value::Null, 404, Some("ResourceNotFoundException")),
        ("DELETE", "/things/b", "", Value::Null, 200, None),
        ("POST", "/policies/p", "", json!({"policyDocument": "none"}), 400, Some("MalformedPolicyException")),
        ("POST", "/policies/p", "", policy.clone(), 200, None),
        ("POST", "/policies/p", "", policy, 409, Some("ResourceAlreadyExistsException")),
        ("PUT", "/target-policies/q", "", target.clone(), 404, Some("ResourceNotFoundException")),
        ("PUT", "/target-policies/p", "", target.clone(), 200, None),
        ("PUT", "/things/b/principals", arn, Value::Null, 404, Some("ResourceNotFoundException")),
        ("PUT", "/things/a/principals", "x", Value::Null, 400, Some("InvalidRequestException")),
        ("PUT", "/things/a/principals", arn, Value::Null, 200, None),
        ("DELETE", "/things/a", "", Value::Null, 400, Some("InvalidRequestException")),
        ("DELETE", "/policies/p", "", Value::Null, 409, Some("DeleteConflictException")),
        ("DELETE", &certificate, "", Value::Null, 406, Some("CertificateStateException")),
        ("PUT", &inactive, "", Value::Null, 200, None),
        ("DELETE", &certificate, "", Value::Null, 409, Some("DeleteConflictException")),
        ("POST", "/target-policies/p", "", target, 200, None),
        ("DELETE", &certificate, "", Value::Null, 409, Some("DeleteConflictException")),
        ("DELETE", "/things/a/principals", arn, Value::Null, 200, None),
        ("DELETE", &certificate, "", Value::Null, 200, None),
        ("DELETE", &certificate, "", Value::Null, 404, Some("ResourceNotFoundException")),
        ("DELETE", "/policies/p", "", Value::Null, 200, None),
        ("DELETE", "/things/a", "", Value::Null, 200, None),
    ] {
        call(step);
    }
    assert_eq!(plane, ControlPlane { revisions: plane.revisions, ..ControlPlane::default() });
}

fn template(token: &str, change: impl FnOnce(&mut Value)) -> Value {
    let wait = |after: &[&str]| json!({"actionId": "aws:fis:wait", "parameters": {"duration": "PT5M"}, "startAfter": after});
    let actions = json!({"a": wait(&[]), "b": wait(&["a"])});
    let stops = json!([{"source": "none"}]);
    let mut wish = json!({"clientToken": token, "description": "d", "roleArn": "r", "stopConditions": stops, "actions": actions});
    change(&mut wish);
    wish
}

#[test]
fn what_fis_refuses_in_a_template_is_refused() {
    let many = |count: usize| -> Value {
        let wait = json!({"actionId": "aws:fis:wait", "parameters": {"duration": "PT1M"}});
        (0..count).map(|n| (format!("a{n}"), wait.clone())).collect::<serde_json::Map<_, _>>().into()
    };
    type Change<'a> = &'a dyn Fn(&mut Value);
    let cases: [(&str, Change<'_>); 8] = [
        ("1 to 20 actions", &|wish| wish["actions"] = many(21)),
        ("1 to 20 actions", &|wish| wish["actions"] = json!({})),
        ("1 to 5 stop conditions", &|wish| wish["stopConditions"] = json!(vec![json!({"source": "none"}); 6])),
        ("one minute to 12 hours", &|wish| wish["actions"]["a"]["parameters"]["duration"] = json!("PT13H")),
        ("one minute to 12 hours", &|wish| wish["actions"]["a"]["parameters"]["duration"] = json!("PT30S")),
        ("that is not there", &|wish| wish["actions"]["b"]["startAfter"] = json!(["c"])),
        ("does not exist", &|wish| wish["actions"]["a"]["actionId"] = json!("aws:lambda:invocation-error")),
        ("must not be null", &|wish| wish["roleArn"] = Value::Null),
    ];
    let mut plane = plane();
    for (words, change) in cases {
        let answer = call(&mut plane, "POST", "/experimentTemplates", &template("t", change));
        assert_eq!((answer.status, plane.templates.len()), (400, 0), "{words}");
        assert!(answer.body.to_string().contains(words), "{words}: {}", answer.body);
    }
    assert_eq!(call(&mut plane, "POST", "/experimentTemplates", &template("t", |wish| wish["actions"] = many(20))).status, 200);
}

#[test]
fn a_token_names_the_template_that_it_made_also_after_that_was_deleted() {
    let mut plane = plane();
    let id = |answer: Answer| answer.body["experimentTemplate"]["id"].as_str().unwrap().to_owned();
    let first = id(call(&mut plane, "POST", "/experimentTemplates", &template("t", |_| ())));
    assert_eq!(call(&mut plane, "DELETE", &format!("/experimentTemplates/{first}"), &Value::Null).status, 200);
    assert_eq!(call(&mut plane, "DELETE", &format!("/experimentTemplates/{first}"), &Value::Null).status, 404);
    assert_eq!(id(call(&mut plane, "POST", "/experimentTemplates", &template("t", |_| ()))), first);
    assert!(plane.templates.is_empty());
    assert_ne!(id(call(&mut plane, "POST", "/experimentTemplates", &template("u", |_| ()))), first);
}

#[test]
fn the_default_version_of_a_document_cannot_be_deleted_alone_and_numbers_are_not_used_again() {
    let mut plane = plane();
    let mut ssm = |operation: &str, body: Value| {
        let (target, body) = (format!("AmazonSSM.{operation}"), body.to_string());
        answer(
            &mut plane,
            &Request { method: "POST", path: "/", query: "", target: Some(&target), principal: None, caller: None, body: body.as_bytes() },
        )
    };
    let version = |name: &str| json!({"Name": "d", "Content": name, "VersionName": name, "DocumentVersion": "$LATEST"});
    assert_eq!(ssm("CreateDocument", version("one")).status, 200);
    assert_eq!(ssm("UpdateDocument", version("two")).status, 200);
    assert_eq!(ssm("DeleteDocument", version("one")).error, Some("InvalidDocumentOperation"));
    assert_eq!(ssm("DeleteDocument", version("two")).status, 200);
    assert_eq!(ssm("DeleteDocument", version("two")).error, Some("InvalidDocumentVersion"));
    assert_eq!(ssm("UpdateDocument", version("three")).body["DocumentDescription"]["DocumentVersion"], "3");
    let page = ssm("ListDocumentVersions", json!({"Name": "d"})).body;
    assert_eq!((page["DocumentVersions"].as_array().unwrap().len(), &page["NextToken"]), (1, &json!("1")));
    assert_eq!(ssm("DeleteDocument", json!({"Name": "d"})).status, 200);
    assert_eq!(ssm("DescribeDocument", json!({"Name": "d"})).error, Some("InvalidDocument"));
}

#[test]
fn composite_alarms_are_told_only_to_a_caller_who_asks_for_them() {
    let mut plane = plane();
    for (name, is_composite) in [("metric", false), ("composite", true)] {
        plane.alarms.insert(name.into(), control_plane::Alarm { state: "OK", is_composite });
    }
    let target = Some("GraniteServiceVersion20100801.DescribeAlarms");
    let mut told = |types: Value| {
        let body = json!({"AlarmNames": ["metric", "composite", "missing"], "AlarmTypes": types}).to_string();
        let request = Request { method: "POST", path: "/", query: "", target, principal: None, caller: None, body: body.as_bytes() };
        let found = answer(&mut plane, &request).body;
        ["MetricAlarms", "CompositeAlarms"].map(|key| found[key].as_array().unwrap().len())
    };
    assert_eq!(told(Value::Null), [1, 0]);
    assert_eq!(told(json!(["MetricAlarm", "CompositeAlarm"])), [1, 1]);
    assert_eq!(told(json!(["CompositeAlarm"])), [0, 1]);
}
