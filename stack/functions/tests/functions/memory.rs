//! The largest mails fit into the memory that `email-processor` gets: the binary itself, with a
//! Runtime API on loopback.

use crate::cloud::{Cloud, Reply};
use crate::mail::{MARKER, Services, mail, message, readers, told};
use crate::process::{program, start};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// The largest mail that SES accepts.
const LARGEST: usize = 40_000_000;

/// The function's memory, less what the extension beside it needs.
const LIMIT_KB: usize = 220 * 1024;

fn mails() -> [Vec<u8>; 3] {
    let content: Vec<u8> = (0..LARGEST / 80 * 39).map(|n| u8::try_from(n * n % 251).unwrap()).collect();
    let files: [(&str, &[u8]); 3] = [("one.bin", &content), ("two.bin", &content[..content.len() / 2]), ("three.bin", b"three")];
    let with_readers = mail("m1", &readers(2), &files);
    let without = mail("m2", &[], &files);
    let line = "The temperature at the inlet is 21.5 \u{b0}C.\r\n";
    let head = format!(
        "From: a@b.example\r\nSubject: [m3]\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{MARKER}a@x.com{MARKER}\r\n"
    );
    let text = format!("{head}{}", line.repeat(LARGEST / line.len())).into_bytes();
    [with_readers, without, text]
}

#[tokio::test]
async fn the_largest_mails_fit_into_the_memory() {
    let services = Services::default();
    for (n, mail) in mails().into_iter().enumerate() {
        assert!((LARGEST / 10 * 9..LARGEST / 10 * 11).contains(&mail.len()), "{}", mail.len());
        services.put(&format!("incoming/m{}", n + 1), mail.into());
    }
    let (answering, handed_out) = (services.clone(), AtomicUsize::new(0));
    let cloud = Cloud::start(move |call| match call.operation.as_str() {
        "next" => {
            let turn = handed_out.fetch_add(1, Ordering::SeqCst) + 1;
            if turn > 3 {
                return Reply::Hang;
            }
            let headers = vec![
                ("Lambda-Runtime-Aws-Request-Id", format!("request-{turn}")),
                ("Lambda-Runtime-Deadline-Ms", "4000000000000".to_owned()),
                ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:email-processor".to_owned()),
            ];
            Reply::With(headers, json!({"Records": [message("1", &told("incoming", &format!("m{turn}")))]}))
        }
        "response" => Reply::Json(202, json!({})),
        _ => answering.answer(call),
    })
    .await;
    let host = cloud.address.trim_start_matches("http://").to_owned();
    let variables = [
        ("AWS_LAMBDA_RUNTIME_API", host.as_str()),
        ("AWS_LAMBDA_FUNCTION_NAME", "email-processor"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "240"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_ENDPOINT_URL", cloud.address.as_str()),
        ("INCOMING_BUCKET", "incoming"),
        ("ATTACHMENTS_BUCKET", "attachments"),
        ("PRESIGNED_EXPIRATION", "129600"),
        ("SENDER_EMAIL", "sensors@brownout.example"),
        ("SNS_TOPIC", "arn:aws:sns:us-east-1:123456789012:fallback"),
        ("EMAIL_REGEX_CODE", MARKER),
        ("SENT_TABLE", "SentMailTable"),
        ("WEAKNESSES", ""),
    ];
    let function = start(&program("email-processor"), &variables);
    let answered = async {
        while cloud.calls("response").len() < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), answered).await.expect("all three are answered");
    for call in cloud.calls("response") {
        assert_eq!(call.body, json!({"batchItemFailures": []}));
    }
    assert_eq!((services.sent().len(), services.notices().len(), services.attachments().len()), (2, 1, 7));
    let status = std::fs::read_to_string(format!("/proc/{}/status", function.id().unwrap())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim_end_matches("kB").trim();
    let peak: usize = peak.parse().unwrap();
    assert!(peak < LIMIT_KB, "{peak} kB");
}
