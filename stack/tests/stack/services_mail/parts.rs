//! Uploads in parts, copies, tags and deletions of several objects, over the wire.

use serde_json::json;
use stack::invoke::LateInvoke;
use template::blueprint::{Blueprint, Bucket, Notification, Queue};

use super::stage::Stage;

async fn stage() -> Stage {
    let bucket = Bucket { name: "box".into(), notifies: vec![Notification::created("q")], ..Bucket::default() };
    let blueprint = Blueprint { queues: vec![Queue::named("q")], buckets: vec![bucket], ..Blueprint::default() };
    Stage::up_with(blueprint, 1, LateInvoke::default()).await
}

fn between<'a>(text: &'a str, tag: &str) -> &'a str {
    text.split(&format!("<{tag}>")).nth(1).and_then(|rest| rest.split('<').next()).unwrap_or_default()
}

fn completion(parts: &[(u32, &str)]) -> &'static [u8] {
    let parts: String = parts.iter().map(|(n, etag)| format!("<Part><PartNumber>{n}</PartNumber><ETag>{etag}</ETag></Part>")).collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>").into_bytes().leak()
}

#[tokio::test]
async fn an_object_is_made_of_parts_and_told_once() {
    let stage = stage().await;
    let large: &'static [u8] = vec![b'x'; 5 * 1024 * 1024].leak();
    let created = stage.s3("POST", "/box/large?uploads=", &[("content-type", "text/plain")], b"").await;
    let id = between(created.text(), "UploadId").to_owned();
    assert!(!id.is_empty(), "{}", created.text());
    let part = |n: u32| format!("/box/large?partNumber={n}&uploadId={id}");
    let mut etags = Vec::new();
    for (n, body) in [(1, large), (2, b"end".as_slice())] {
        let sent = stage.s3("PUT", &part(n), &[], body).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        etags.push(sent.header("etag").unwrap().to_owned());
    }
    assert!(stage.s3("GET", &format!("/box/large?uploadId={id}"), &[], b"").await.text().contains("<PartNumber>2</PartNumber>"));
    let target = format!("/box/large?uploadId={id}");
    for (parts, code) in [
        (vec![(2, etags[1].as_str()), (1, &etags[0])], "InvalidPartOrder"),
        (vec![(1, etags[1].as_str())], "InvalidPart"),
        (vec![(3, etags[1].as_str())], "InvalidPart"),
        (vec![], "MalformedXML"),
    ] {
        let answer = stage.s3("POST", &target, &[], completion(&parts)).await;
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{parts:?}: {}", answer.text());
    }
    let done = stage.s3("POST", &target, &[], completion(&[(1, &etags[0]), (2, &etags[1])])).await;
    assert!(done.status == 200 && between(done.text(), "ETag").ends_with("-2\""), "{}", done.text());
    let got = stage.s3("GET", "/box/large", &[("range", "bytes=5242879-")], b"").await;
    assert_eq!((got.status, got.text(), got.header("content-type")), (206, "xend", Some("text/plain")));
    let told = stage.bodies("q", 2).await;
    assert!(told[1].contains("ObjectCreated:CompleteMultipartUpload"), "{}", told[1]);
    let again = stage.s3("POST", &target, &[], completion(&[(1, &etags[0])])).await;
    assert!(again.text().contains("<Code>NoSuchUpload</Code>"), "{}", again.text());

    let created = stage.s3("POST", "/box/small?uploads=", &[], b"").await;
    let id = between(created.text(), "UploadId").to_owned();
    for n in [1, 2] {
        let sent = stage.s3("PUT", &format!("/box/small?partNumber={n}&uploadId={id}"), &[], b"small").await;
        etags.push(sent.header("etag").unwrap().to_owned());
    }
    let target = format!("/box/small?uploadId={id}");
    let small = stage.s3("POST", &target, &[], completion(&[(1, &etags[2]), (2, &etags[3])])).await;
    assert!(small.text().contains("<Code>EntityTooSmall</Code>"), "{}", small.text());
    assert_eq!(stage.s3("DELETE", &target, &[], b"").await.status, 204);
    assert_eq!(stage.s3("PUT", &format!("/box/small?partNumber=3&uploadId={id}"), &[], b"late").await.status, 404);
    assert_eq!(stage.services.sqs.messages("q").len(), 0, "what was not completed was not told");
    stage.services.stop().await;
}

#[tokio::test]
async fn an_object_is_copied_tagged_and_overwritten_on_condition() {
    let stage = stage().await;
    let more = [("content-type", "text/plain"), ("cache-control", "no-store"), ("x-amz-tagging", "a=1&b=2")];
    let put = stage.s3("PUT", "/box/one", &more, b"hello").await;
    let etag = put.header("etag").unwrap().to_owned();
    let copied = stage.s3("PUT", "/box/two", &[("x-amz-copy-source", "box/one")], b"").await;
    assert!(copied.status == 200 && copied.text().contains("<CopyObjectResult"), "{}", copied.text());
    let got = stage.s3("GET", "/box/two", &[], b"").await;
    assert_eq!((got.text(), got.header("cache-control"), got.header("x-amz-tagging-count")), ("hello", Some("no-store"), Some("2")));
    let tagging = b"<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>";
    assert_eq!(stage.s3("PUT", "/box/two?tagging=", &[], tagging).await.status, 200);
    let tags = stage.s3("GET", "/box/two?tagging=", &[], b"").await;
    assert!(tags.text().contains("<Key>c</Key><Value>3</Value>") && !tags.text().contains("<Key>a</Key>"), "{}", tags.text());
    assert_eq!(stage.s3("DELETE", "/box/two?tagging=", &[], b"").await.status, 204);
    for (target, more, status, code) in [
        ("/box/one", vec![("x-amz-copy-source", "box/one")], 400, "InvalidRequest"),
        ("/box/two", vec![("x-amz-copy-source", "box/none")], 404, "NoSuchKey"),
        ("/box/one", vec![("if-match", "\"other\"")], 412, "PreconditionFailed"),
        ("/box/none", vec![("if-match", etag.as_str())], 404, "NoSuchKey"),
        ("/box/one", vec![("x-amz-acl", "public-read")], 400, "AccessControlListNotSupported"),
        ("/box/one", vec![("x-amz-tagging", "a=1&a=2")], 400, "InvalidTag"),
    ] {
        let answer = stage.s3("PUT", target, &more, b"").await;
        assert_eq!(answer.status, status, "{target} {more:?}: {}", answer.text());
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{}", answer.text());
    }
    assert_eq!(stage.s3("PUT", "/box/one", &[("if-match", etag.as_str())], b"changed").await.status, 200);
    stage.services.stop().await;
}

#[tokio::test]
async fn several_objects_are_deleted_and_both_listings_show_the_rest() {
    let stage = stage().await;
    for key in ["a", "b", "c"] {
        assert!(stage.services.buckets.put("box", key, "x".into()));
    }
    let body = b"<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>";
    let md5 = base64_md5(body);
    let deleted = stage.s3("POST", "/box?delete=", &[("content-md5", md5.as_str())], body).await;
    assert!(deleted.status == 200 && deleted.text().matches("<Deleted>").count() == 2, "{}", deleted.text());
    let first = stage.s3("GET", "/box?max-keys=1", &[], b"").await;
    assert!(first.text().contains("<Key>b</Key>") && first.text().contains("<IsTruncated>true</IsTruncated>"), "{}", first.text());
    let rest = stage.s3("GET", "/box?marker=b", &[], b"").await;
    assert!(rest.text().contains("<Key>c</Key>") && !rest.text().contains("<Key>b</Key>"), "{}", rest.text());
    assert!(stage.s3("GET", "/box?location=", &[], b"").await.text().contains("LocationConstraint"));
    let website = stage.s3("GET", "/box?website=", &[], b"").await;
    assert!(website.status == 501 && website.text().contains("<Code>NotImplemented</Code>"), "{}", website.text());
    assert_eq!(json!(stage.services.buckets.list("box").len()), 2);
    stage.services.stop().await;
}

#[tokio::test]
async fn a_bucket_with_versions_keeps_what_is_overwritten_or_deleted() {
    let removed = Notification { event: "s3:ObjectRemoved:*".into(), ..Notification::created("q") };
    let bucket = Bucket { name: "old".into(), notifies: vec![removed], versioned: true, ..Bucket::default() };
    let blueprint = Blueprint { queues: vec![Queue::named("q")], buckets: vec![bucket], ..Blueprint::default() };
    let stage = Stage::up_with(blueprint, 1, LateInvoke::default()).await;
    assert!(stage.s3("GET", "/old?versioning=", &[], b"").await.text().contains("<Status>Enabled</Status>"));
    let first = stage.s3("PUT", "/old/k", &[], b"first").await.header("x-amz-version-id").unwrap().to_owned();
    stage.s3("PUT", "/old/k", &[], b"second").await;
    let of_first = format!("/old/k?versionId={first}");
    assert_eq!((stage.s3("GET", "/old/k", &[], b"").await.text(), stage.s3("GET", &of_first, &[], b"").await.text()), ("second", "first"));
    let hidden = stage.s3("DELETE", "/old/k", &[], b"").await;
    assert_eq!((hidden.status, hidden.header("x-amz-delete-marker")), (204, Some("true")));
    let marker = hidden.header("x-amz-version-id").unwrap().to_owned();
    assert_eq!(stage.s3("GET", "/old/k", &[], b"").await.status, 404);
    assert_eq!(stage.s3("GET", &format!("/old/k?versionId={marker}"), &[], b"").await.status, 405);
    assert!(stage.s3("GET", "/old/k?versionId=none", &[], b"").await.text().contains("<Code>NoSuchVersion</Code>"));
    let listed = stage.s3("GET", "/old?versions=", &[], b"").await;
    assert_eq!((listed.text().matches("<Version>").count(), listed.text().matches("<DeleteMarker>").count()), (2, 1), "{}", listed.text());
    assert_eq!(stage.s3("DELETE", &format!("/old/k?versionId={marker}"), &[], b"").await.status, 204);
    assert_eq!(stage.s3("GET", "/old/k", &[], b"").await.text(), "second");
    let told = stage.bodies("q", 3).await;
    assert!(told[1].contains("ObjectRemoved:DeleteMarkerCreated") && told[1].contains(&marker), "{}", told[1]);
    assert!(told[2].contains("ObjectRemoved:Delete\""), "{}", told[2]);
    stage.services.stop().await;
}

fn base64_md5(bytes: &[u8]) -> String {
    use base64::Engine;
    use s3s::crypto::{Checksum, Md5};
    base64::engine::general_purpose::STANDARD.encode(Md5::checksum(bytes))
}
