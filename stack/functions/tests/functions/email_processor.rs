//! `email-processor` through its SDK clients.

use crate::cloud::{Cloud, Reply, SHORT};
use crate::mail::{MARKER, Office, TABLE, mail, message, readers, told};
use functions::clients::Patience;
use http_body_util::BodyExt;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// More than any of these tests needs.
const AMPLE: Duration = Duration::from_secs(600);

async fn office(weaknesses: &str) -> Office {
    Office::new(weaknesses, SHORT).await
}

fn refused() -> Reply {
    Reply::Json(400, json!({"__type": "MessageRejected", "message": "Email address is not verified."}))
}

#[tokio::test]
async fn a_mail_reaches_exactly_its_readers_with_a_link_to_each_attachment() {
    let office = office("").await;
    for count in [1, 2, 50, 51, 120] {
        let (id, readers) = (format!("mail-{count}"), readers(count));
        let files: [(&str, &[u8]); 2] = [("a b.bin", &[0, 255, 10]), ("second.csv", b"1;2")];
        office.receive(&id, mail(&id, &readers, &files));
        let before = office.services.sent().len();
        assert_eq!(office.hand_out(&[&id], "i-1", AMPLE).await, Vec::<String>::new(), "{count}");
        let sent = office.services.sent().split_off(before);
        assert_eq!(sent.len(), count.div_ceil(50), "{count}");
        assert!(sent.iter().all(|mail| mail.to.len() <= 50), "{count}");
        let to: Vec<&String> = sent.iter().flat_map(|mail| &mail.to).collect();
        assert_eq!(to, readers.iter().collect::<Vec<_>>(), "each once");
        for mail in &sent {
            assert_eq!(mail.subject, format!("Reading [{id}]"));
            assert!(mail.text.contains("Line1") && mail.text.contains("Line3"), "{}", mail.text);
            assert!(!mail.raw.contains(MARKER) && !mail.text.contains("Line2"), "{}", mail.raw);
            assert!(count == 1 || !mail.raw.contains("reader-"), "{}", mail.raw);
            let links = mail.links();
            for (link, (key, (_, content))) in links.iter().zip([format!("{id}/1-a_b.bin"), format!("{id}/2-second.csv")].iter().zip(files))
            {
                assert!(
                    link.starts_with(&format!("{}/attachments/{key}?", office.cloud.address)) && link.contains("X-Amz-Expires=129600&"),
                    "{link}"
                );
                assert_eq!(follow(&office.cloud, link).await, content, "{link}");
            }
            assert_eq!(links.len(), 2);
        }
    }
    assert!(office.services.notices().is_empty());
}

async fn follow(cloud: &Cloud, link: &str) -> Vec<u8> {
    let path: hyper::Uri = link.trim_start_matches(&cloud.address).parse().unwrap();
    let socket = tokio::net::TcpStream::connect(cloud.address.trim_start_matches("http://")).await.unwrap();
    let (mut client, connection) = hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    let request = hyper::Request::get(path).header("host", "x").body(http_body_util::Empty::<hyper::body::Bytes>::new()).unwrap();
    client.send_request(request).await.unwrap().into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn a_mail_without_a_list_is_one_notice() {
    let office = office("").await;
    office.receive("m1", mail("m1", &[], &[("a.bin", b"abc")]));
    office.receive("m2", mail("m2", &[], &[("large.bin", &vec![7; 300_000]), ("small.bin", b"abc")]));
    assert_eq!(office.hand_out(&["m1", "m2"], "i-1", AMPLE).await, Vec::<String>::new());
    let [first, second] = &office.services.notices()[..] else { panic!("{:?}", office.services.notices()) };
    assert_eq!(
        (&first["messageId"], &first["title"], &first["sender"], &first["recipients"]),
        (&json!("m1"), &json!("Reading [m1]"), &json!("sensor-1@field.example"), &json!(["hub@brownout.example"]))
    );
    assert!(first["body"].as_str().unwrap().contains("Line1"));
    assert_eq!((&first["attachments"][0]["content"], &first["attachments"][0]["key"]), (&json!("YWJj"), &json!("m1/1-a.bin")));
    assert_eq!((&second["attachments"][0]["content"], &second["attachments"][0]["size"]), (&json!(null), &json!(300_000)));
    let link = second["attachments"][0]["link"].as_str().unwrap();
    assert_eq!(follow(&office.cloud, link).await.len(), 300_000);
    assert!(office.services.sent().is_empty());
}

#[tokio::test]
async fn a_mail_that_cannot_be_processed_is_retried_and_blocks_no_other() {
    let office = office("").await;
    office.receive("good", mail("good", &readers(1), &[]));
    office.receive("bad list", mail("bad", &["nobody".to_owned()], &[]));
    office.receive("garbage", vec![0xff; 5000]);
    office.receive("last", mail("last", &readers(2), &[]));
    let records = vec![
        message("1", &told("incoming", "bad list")),
        message("2", &told("incoming", "good")),
        message("3", &json!("not S3's")),
        message("4", &told("incoming", "garbage")),
        message("5", &told("elsewhere", "good")),
        message("6", &told("incoming", "missing")),
        message("7", &told("incoming", "last")),
    ];
    assert_eq!(office.answer(records, "i-1", AMPLE).await, ["1", "3", "4", "5", "6"]);
    assert_eq!(office.services.sent().len(), 2);
    assert!(office.services.notices().is_empty());
}

#[tokio::test]
async fn an_object_that_is_not_a_mail_is_acknowledged_and_ignored() {
    let office = office("").await;
    let test_event = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00.000Z", "Bucket": "incoming"});
    let records = vec![message("1", &test_event), message("2", &told("incoming", "AMAZON_SES_SETUP_NOTIFICATION"))];
    assert_eq!(office.answer(records, "i-1", AMPLE).await, Vec::<String>::new());
    assert!(office.cloud.calls("GetObject").is_empty());
}

#[tokio::test]
async fn a_second_delivery_of_the_event_does_nothing() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(2), &[("a.bin", b"abc")]));
    office.receive("m2", mail("m2", &[], &[]));
    for invocation in ["i-1", "i-2", "i-3"] {
        assert_eq!(office.hand_out(&["m1", "m2"], invocation, AMPLE).await, Vec::<String>::new());
    }
    assert_eq!((office.services.sent().len(), office.services.notices().len()), (1, 1));
    assert_eq!(office.cloud.calls("PutObject").len(), 1);
}

#[tokio::test]
async fn a_mail_that_ses_refuses_is_retried_and_sent_later() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(2), &[]));
    for reply in [refused(), Reply::Json(500, json!({})), Reply::Hang] {
        let answered = AtomicUsize::new(0);
        office.strike(move |call| {
            (call.operation == "SendEmail").then(|| {
                answered.fetch_add(1, Ordering::SeqCst);
                reply.clone()
            })
        });
        assert_eq!(office.hand_out(&["m1"], "i-1", AMPLE).await, ["m1"]);
    }
    let hanging = office.cloud.calls("SendEmail").len();
    office.strike(|_| None);
    assert_eq!(office.hand_out(&["m1"], "i-2", AMPLE).await, Vec::<String>::new());
    assert_eq!(office.services.sent().len(), 1);
    assert_eq!(hanging, 1 + 2 + 1, "what was refused for good and what may have been taken is not tried again at once");
}

#[tokio::test]
async fn after_a_failure_only_the_groups_that_lack_the_mail_get_it() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(120), &[("a.bin", b"abc")]));
    let attempts = AtomicUsize::new(0);
    office.strike(move |call| (call.operation == "SendEmail" && attempts.fetch_add(1, Ordering::SeqCst) == 1).then(refused));
    assert_eq!(office.hand_out(&["m1"], "i-1", AMPLE).await, ["m1"]);
    assert_eq!(office.services.sent().len(), 1);
    office.strike(|_| None);
    assert_eq!(office.hand_out(&["m1"], "i-2", AMPLE).await, Vec::<String>::new());
    let to: Vec<String> = office.services.sent().into_iter().flat_map(|mail| mail.to).collect();
    assert_eq!((to.len(), to.into_iter().collect::<BTreeSet<_>>().len()), (120, 120));
}

#[tokio::test]
async fn a_claimed_mail_is_left_alone_until_the_other_attempt_must_have_ended() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    let claimed = |until: u64| json!({"id": {"S": "m1"}, "attempt": {"S": "i-1"}, "until": {"N": until.to_string()}});
    office.services.tables.put(TABLE, "m1", claimed(4_000_000_000_000));
    assert_eq!(office.hand_out(&["m1"], "i-2", AMPLE).await, ["m1"]);
    assert!(office.services.sent().is_empty());
    office.services.tables.put(TABLE, "m1", claimed(1_000_000_000_000));
    assert_eq!(office.hand_out(&["m1"], "i-3", AMPLE).await, Vec::<String>::new());
    assert_eq!(office.services.sent().len(), 1);
}

#[tokio::test]
async fn concurrent_attempts_send_one_mail() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    let (a, b, c) = tokio::join!(
        office.hand_out(&["m1"], "i-1", AMPLE),
        office.hand_out(&["m1"], "i-2", AMPLE),
        office.hand_out(&["m1"], "i-3", AMPLE),
    );
    assert_eq!(office.services.sent().len(), 1, "{a:?} {b:?} {c:?}");
}

#[tokio::test]
async fn a_mail_that_was_sent_is_finished_even_if_that_cannot_be_recorded() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    office.strike(|call| call.body["UpdateExpression"].as_str()?.contains("outcome").then(|| Reply::Json(500, json!({}))));
    assert_eq!(office.hand_out(&["m1"], "i-1", AMPLE).await, Vec::<String>::new());
    assert_eq!(office.services.sent().len(), 1);
}

#[tokio::test]
async fn a_call_that_hangs_is_cancelled_before_the_invocation_ends_and_the_claim_is_released() {
    let patient = Patience { connect: AMPLE, attempt: AMPLE, operation: AMPLE, attempts: 1, pause: Duration::ZERO };
    for operation in ["GetObject", "PutObject", "SendEmail"] {
        let office = Office::new("", patient).await;
        office.receive("m1", mail("m1", &readers(1), &[("a.bin", b"abc")]));
        office.strike(move |call| (call.operation == operation).then_some(Reply::Hang));
        let begun = Instant::now();
        assert_eq!(office.hand_out(&["m1"], "i-1", Duration::from_secs(5)).await, ["m1"], "{operation}");
        assert!(begun.elapsed() < Duration::from_secs(5), "{operation}");
        office.strike(|_| None);
        assert_eq!(office.hand_out(&["m1"], "i-2", AMPLE).await, Vec::<String>::new(), "{operation}");
        assert_eq!(office.services.sent().len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn nothing_is_started_without_enough_time() {
    let office = office("").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    assert_eq!(office.hand_out(&["m1"], "i-1", Duration::from_millis(1500)).await, ["m1"]);
    assert!(office.cloud.calls("GetObject").is_empty() && office.services.tables.rows(TABLE).is_empty());
}

#[tokio::test]
async fn weakness_success_raises_delivers_and_is_retried_forever() {
    let office = office("success-raises").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    office.receive("m2", mail("m2", &[], &[]));
    for invocation in ["i-1", "i-2", "i-3"] {
        assert_eq!(office.hand_out(&["m1", "m2"], invocation, AMPLE).await, ["m1"]);
    }
    assert_eq!((office.services.sent().len(), office.services.notices().len()), (1, 1));
}

#[tokio::test]
async fn weakness_fallback_raises_publishes_and_is_retried_forever() {
    let office = office("fallback-raises").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    office.receive("m2", mail("m2", &[], &[]));
    for invocation in ["i-1", "i-2", "i-3"] {
        assert_eq!(office.hand_out(&["m1", "m2"], invocation, AMPLE).await, ["m2"]);
    }
    assert_eq!((office.services.sent().len(), office.services.notices().len()), (1, 1));
}

#[tokio::test]
async fn weakness_send_failure_acknowledged_loses_the_mail() {
    let office = office("send-failure-acknowledged").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    office.strike(|call| (call.operation == "SendEmail").then(refused));
    assert_eq!(office.hand_out(&["m1"], "i-1", AMPLE).await, Vec::<String>::new());
    assert!(office.services.sent().is_empty());
}

#[tokio::test]
async fn weakness_attachment_key_collides_keeps_one_of_two() {
    let files: [(&str, &[u8]); 2] = [("same.bin", b"first"), ("same.bin", b"second")];
    for (weaknesses, keys) in [("", &["1-same.bin", "2-same.bin"][..]), ("attachment-key-collides", &["same.bin"][..])] {
        let office = office(weaknesses).await;
        office.receive("m1", mail("m1", &readers(1), &files));
        assert_eq!(office.hand_out(&["m1"], "i-1", AMPLE).await, Vec::<String>::new());
        assert_eq!(office.services.attachments(), keys.iter().map(|key| format!("attachments/m1/{key}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn weakness_not_idempotent_sends_again() {
    let office = office("not-idempotent").await;
    office.receive("m1", mail("m1", &readers(1), &[]));
    for invocation in ["i-1", "i-2"] {
        assert_eq!(office.hand_out(&["m1"], invocation, AMPLE).await, Vec::<String>::new());
    }
    assert_eq!(office.services.sent().len(), 2);
}
