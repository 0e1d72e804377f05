//! The deployed templates, as they are read, match the contracts of the systems.

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::systems::{System, audit, inactive_users, mail, users_api};
use serde_json::{Value, json};
use template::Template;
use template::blueprint::{
    Alarm, Bucket, Code, Mapping, Metric, Notification, PoolEvent, Queue, Receipt, RecordLimits, Redrive, Source, Table, Target, Topic,
    UserPool, View,
};

use super::deployed;

fn sorted<T>(mut all: Vec<T>, name: impl Fn(&T) -> String) -> Vec<T> {
    all.sort_by_key(name);
    all
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_queues_keep_mail_for_the_configured_time() {
    let queue = |name: &str, retention, redrive| Queue {
        name: name.into(),
        visibility: seconds(30),
        retention: seconds(retention),
        redrive,
        ..Queue::named(name)
    };
    let days = 4 * 86_400;
    for (parameters, max_receives, retention) in
        [(&[][..], 5, days), (&[("MaxReceiveCount", "1")], 1, days), (&[("IncomingRetentionSeconds", "900")], 5, 900)]
    {
        let queues = sorted(deployed(parameters).blueprint.queues, |queue| queue.name.clone());
        let redrive = Redrive { to: mail::DEAD_LETTERS.into(), max_receives };
        let expected = [
            queue(audit::DEAD_LETTERS, 14 * 86_400, None),
            queue(mail::QUEUE, retention, Some(redrive)),
            queue(mail::DEAD_LETTERS, 14 * 86_400, None),
            queue(inactive_users::FAILED, 14 * 86_400, None),
        ];
        assert_eq!(queues, expected);
    }
}

#[test]
fn mail_is_stored_notified_and_monitored() {
    let blueprint = deployed(&[]).blueprint;
    let bucket = |name: &str, notifies: &[&str]| Bucket {
        name: name.into(),
        notifies: notifies.iter().map(|&name| Notification::created(name)).collect(),
        ..Bucket::default()
    };
    let buckets = sorted(blueprint.buckets, |bucket| bucket.name.clone());
    assert_eq!(buckets, [bucket(mail::ATTACHMENTS, &[]), bucket(audit::ARCHIVE_BUCKET, &[]), bucket(mail::INCOMING, &[mail::QUEUE])]);
    assert_eq!(blueprint.receipts, [Receipt { bucket: mail::INCOMING.into(), prefix: String::new() }]);
    let topics = sorted(blueprint.topics, |topic| topic.name.clone());
    assert_eq!(topics, [mail::ALARMS, audit::NOTICES, mail::FALLBACK].map(Topic::named));
    let alarm = |name: &str, queue: &str, metric, period, inclusive, threshold| {
        let (name, queue, tells) = (name.to_owned(), queue.to_owned(), Some(mail::ALARMS.to_owned()));
        Alarm { name, queue, metric, period: seconds(period), inclusive, threshold, tells }
    };
    let alarms = sorted(blueprint.alarms, |alarm| alarm.name.clone());
    let expected = [
        alarm("incoming-dead-letters", mail::DEAD_LETTERS, Metric::Visible, 60, true, 50.0),
        alarm("incoming-many", mail::QUEUE, Metric::Sent, 300, false, 180.0),
        alarm("incoming-oldest", mail::QUEUE, Metric::AgeOfOldest, 60, true, 180.0),
    ];
    assert_eq!(alarms, expected);
}

#[test]
fn on_aws_the_buckets_have_globally_unique_names_that_everything_uses() {
    let template = deployed(&[("BucketPrefix", "acme-")]);
    let function = template.blueprint.functions.iter().find(|function| function.name == "email-processor").unwrap();
    assert_eq!(
        (function.variables["INCOMING_BUCKET"].as_str(), template.blueprint.receipts[0].bucket.as_str()),
        ("acme-incoming", "acme-incoming")
    );
    assert_eq!(function.variables["ATTACHMENTS_BUCKET"], "acme-attachments");
    let unasked = Template::read(System::Mail.template(), &BTreeMap::new()).unwrap_err();
    assert!(unasked.to_string().contains("BucketPrefix"), "{unasked}");
}

#[test]
fn queue_and_stream_invoke_as_the_contracts_say() {
    let mappings = sorted(deployed(&[]).blueprint.mappings, |mapping| mapping.function.clone());
    let pattern = json!({"userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]}});
    let expected = [
        Mapping {
            function: "email-processor".into(),
            source: Source::Queue { name: mail::QUEUE.into(), max_concurrency: Some(2) },
            batch: 1,
            window: Duration::ZERO,
            filters: Vec::new(),
            partial: true,
        },
        Mapping {
            function: "prune-users".into(),
            source: Source::Stream {
                table: inactive_users::TABLE.into(),
                records: RecordLimits {
                    bisect: true,
                    retries: Some(10),
                    on_failure: Some(Target::Queue(inactive_users::FAILED.into())),
                    ..RecordLimits::default()
                },
            },
            batch: 25,
            window: Duration::ZERO,
            filters: vec![pattern],
            partial: true,
        },
    ];
    assert_eq!(mappings, expected);
    let pools = sorted(deployed(&[]).blueprint.pools, |pool| pool.name.clone());
    let pool = |name: &str, function: Option<&str>| UserPool {
        name: name.into(),
        triggers: function.map(|function| (PoolEvent::PostAuthentication, function.to_owned())).into_iter().collect(),
    };
    let expected =
        [pool("clinic-external", None), pool("clinic-internal", None), pool("members", Some("record-sign-in")), pool("thermostat", None)];
    assert_eq!(pools, expected);
}

#[test]
fn tables_have_their_keys_their_expiry_and_their_stream() {
    let table = |name: &str, key: &str, expires: bool, streams: bool| {
        let expires_by = expires.then(|| "ttl".to_owned());
        Table { expires_by, streams: streams.then_some(View::Both), ..Table::keyed(name, key) }
    };
    let tables = sorted(deployed(&[]).blueprint.tables, |table| table.name.clone());
    let expected = [
        table("AppointmentsTable", "id", false, false),
        table(audit::TABLE, audit::ID, false, false),
        table(inactive_users::DISABLES_TABLE, "id", true, false),
        table(inactive_users::TABLE, "sub", true, true),
        table(mail::SENT_TABLE, "id", true, false),
        table("UserMappingTable", "deviceId", false, false),
        table(users_api::TABLE, "id", false, false),
    ];
    assert_eq!(tables, expected);
}

#[test]
fn the_functions_have_the_time_the_memory_and_the_settings_of_the_contracts() {
    let template = deployed(&[("EmailWeaknesses", "success-raises"), ("ThresholdDays", "0"), ("AuditWeaknesses", "closes-at-once")]);
    let find = |name: &str| template.blueprint.functions.iter().find(|function| function.name == name).unwrap();
    for (name, timeout, memory_mb) in [
        ("email-processor", 15, 240),
        ("record-sign-in", 5, 128),
        ("prune-users", 60, 128),
        ("authorizer", 3, 128),
        ("thermostat-api", 25, 128),
        (audit::INGEST, 25, 256),
        (audit::ARCHIVE, 15, 256),
        (audit::DESCRIBE, 15, 128),
        (audit::CLOSE, 15, 128),
    ] {
        let function = find(name);
        assert_eq!((function.timeout, function.memory_mb), (seconds(timeout), memory_mb), "{name}");
        assert_eq!(function.code, Code::Binary(name.into()));
    }
    let topic = format!("arn:aws:sns:us-east-1:123456789012:{}", mail::FALLBACK);
    let notices = format!("arn:aws:sns:us-east-1:123456789012:{}", audit::NOTICES);
    let machine = format!("arn:aws:states:us-east-1:123456789012:stateMachine:{}", audit::STATE_MACHINE);
    for (name, variable, value) in [
        ("email-processor", "ATTACHMENTS_BUCKET", mail::ATTACHMENTS),
        ("email-processor", "INCOMING_BUCKET", mail::INCOMING),
        ("email-processor", "PRESIGNED_EXPIRATION", &mail::LINK_LIFE_S.to_string()),
        ("email-processor", "SENDER_EMAIL", mail::SENDER),
        ("email-processor", "SNS_TOPIC", &topic),
        ("email-processor", "EMAIL_REGEX_CODE", mail::MARKER),
        ("email-processor", "SENT_TABLE", mail::SENT_TABLE),
        ("email-processor", "WEAKNESSES", "success-raises"),
        ("record-sign-in", "TABLE_NAME", inactive_users::TABLE),
        ("record-sign-in", "THRESHOLD_DAYS", "0"),
        ("record-sign-in", "WEAKNESSES", ""),
        ("prune-users", "TABLE_NAME", inactive_users::TABLE),
        ("prune-users", "DISABLES_TABLE", inactive_users::DISABLES_TABLE),
        ("prune-users", "DISABLES_A_SECOND", &inactive_users::DISABLES_A_SECOND.to_string()),
        ("prune-users", "WEAKNESSES", ""),
        (audit::INGEST, "TABLE_NAME", audit::TABLE),
        (audit::INGEST, "CACHE_URL", "redis://127.0.0.1:1"),
        (audit::INGEST, "STATE_MACHINE_ARN", &machine),
        (audit::INGEST, "WEAKNESSES", "closes-at-once"),
        (audit::ARCHIVE, "ARCHIVE_BUCKET", audit::ARCHIVE_BUCKET),
        (audit::ARCHIVE, "NOTICES_TOPIC", &notices),
        (audit::DESCRIBE, "NOTICES_TOPIC", &notices),
        (audit::CLOSE, "NOTICES_TOPIC", &notices),
        (audit::CLOSE, "CACHE_URL", "redis://127.0.0.1:1"),
        (audit::CLOSE, "WEAKNESSES", "closes-at-once"),
    ] {
        assert_eq!(find(name).variables[variable], value, "{name} {variable}");
    }
    let days = deployed(&[]).blueprint.functions.into_iter().find(|function| function.name == "record-sign-in").unwrap();
    assert_eq!(days.variables["THRESHOLD_DAYS"], inactive_users::THRESHOLD_DAYS.to_string());
}

#[test]
fn the_shapes_of_the_users_api_are_one_program_and_differ_in_who_serves_what() {
    let template = deployed(&[("UsersWeaknesses", "create-overwrites")]);
    for shape in users_api::SHAPES {
        let api = template.apis.iter().find(|api| api.stage == shape.name()).unwrap();
        assert_eq!(api.routes.len(), users_api::VERBS.len(), "{shape:?}");
        for verb in users_api::VERBS {
            let (method, resource) = verb.route();
            let found = api.routes.iter().find(|route| route.method.as_deref() == Some(method) && route.resource == resource).unwrap();
            assert_eq!(found.integration.function(), Some(shape.function(verb)), "{shape:?} {verb:?}");
            let function =
                template.blueprint.functions.iter().find(|function| Some(function.name.as_str()) == found.integration.function()).unwrap();
            assert_eq!(function.code, Code::Binary(users_api::PROGRAM.into()));
            assert_eq!((function.timeout, function.memory_mb), (seconds(10), 128));
            for (variable, value) in [
                ("TABLE_NAME", users_api::TABLE),
                ("SHAPE", shape.name().trim_start_matches("users-")),
                ("WEAKNESSES", "create-overwrites"),
            ] {
                assert_eq!(function.variables[variable], value, "{} {variable}", function.name);
            }
        }
    }
}

#[test]
fn the_audit_s_machine_retries_and_gives_up_as_the_contract_says() {
    let [machine] = deployed(&[]).blueprint.machines.try_into().unwrap();
    assert_eq!(machine.name, audit::STATE_MACHINE);
    let arn = |function: &str| format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
    let tasks = machine.definition.as_ref().unwrap().tasks();
    let task = |name: &str| tasks.iter().find(|(task, _)| &***task == name).unwrap().1;
    for (name, function) in [("Archive", audit::ARCHIVE), ("Describe", audit::DESCRIBE), ("Close", audit::CLOSE)] {
        assert_eq!(*task(name).resource, *arn(function));
        let retry = &task(name).handling.retry;
        let waits = |error: &str| {
            let retrier = retry.iter().find(|retrier| retrier.errors.matches(error));
            retrier.map_or_else(Vec::new, |it| (0..it.most).map(|retry| it.delay(retry, 0.0).as_secs()).collect())
        };
        for error in [
            "Lambda.TooManyRequestsException",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.Unknown",
            "States.Timeout",
            "NeighbourFailed",
        ] {
            assert_eq!(waits(error), [1, 2, 4, 8], "{name} {error}");
        }
        for error in ["RecordGone", "RecordDamaged", "Sandbox.Other"] {
            assert_eq!(waits(error), [] as [u64; 0], "{name} {error}");
        }
        let not_yet = waits("NotYet");
        if name == "Close" {
            assert_eq!((not_yet.len(), &not_yet[..5]), (30, &[1, 2, 4, 5, 5][..]));
        } else {
            assert_eq!(not_yet, [] as [u64; 0], "{name}");
        }
    }
    let text =
        |name: &str, key: &str| task(name).shaping.parameters.as_ref().unwrap().literal(key).and_then(Value::as_str).unwrap().to_owned();
    assert!(text("Completed", "TopicArn").ends_with(audit::NOTICES) && text("DeadLetter", "QueueUrl").ends_with(audit::DEAD_LETTERS));
}

#[test]
fn functions_have_the_layers_plan_exactly_if_there_is_a_layer() {
    let layer = "arn:aws:lambda:us-east-1:123456789012:layer:brownout:1";
    for (parameters, plan) in [(&[][..], None), (&[("BrownoutLayerArn", layer)], Some("ssm:/brownout/plan"))] {
        let functions = deployed(parameters).blueprint.functions;
        assert_eq!(functions.len(), System::ALL.into_iter().flat_map(|system| system.functions()).count());
        for function in functions {
            assert_eq!(function.variables.get("BROWNOUT_PLAN").map(String::as_str), plan, "{}", function.name);
        }
    }
}

#[test]
fn records_are_sent_with_the_key_of_their_plan_and_with_no_other() {
    let routes = deployed(&[]).apis;
    let api = routes.iter().find(|api| api.name == audit::API).unwrap();
    assert_eq!((api.stage.as_str(), api.id.as_str()), ("prod", "auditapi"));
    let [key] = api.keys.as_slice() else { panic!("{:?}", api.keys) };
    assert_eq!((key.id.as_str(), &key.value), ("AuditApiKey", &None), "the template holds no secret");
    let [route] = api.routes.as_slice() else { panic!("{:?}", api.routes) };
    assert_eq!(
        (route.resource.as_str(), route.method.as_deref(), route.integration.function()),
        (audit::PATH, Some("POST"), Some(audit::INGEST))
    );
    assert!(route.key_required);
    let others = routes.iter().filter(|api| api.name != audit::API);
    assert!(others.flat_map(|api| &api.routes).all(|route| !route.key_required));
}
