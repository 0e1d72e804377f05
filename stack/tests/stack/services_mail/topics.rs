//! SNS and CloudWatch over the wire: a form and XML, and JSON.

use run_folder::Seen;
use serde_json::json;

use super::signing::Signer;
use super::stage::{Answered, Stage};

impl Stage {
    /// A signed form to SNS.
    pub async fn sns(&self, form: &str) -> Answered {
        let mut headers = Signer::new(self.host()).headers("sns", "POST", "/", "UNSIGNED-PAYLOAD", &[]);
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        self.send("POST", "/", &headers, form.to_owned()).await
    }
}

#[tokio::test]
async fn a_notice_is_published_by_a_form_and_answered_in_xml() {
    let mut stage = Stage::up().await;
    let topic = "Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aus-east-1%3A123456789012%3Afallback";
    let answer = stage.sns(&format!("Action=Publish&{topic}&Subject=No+readers&Message=from%3A%20a%40b.example%0A%E2%82%AC")).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/xml")));
    let notice = stage.services.sns.published("fallback").remove(0);
    assert_eq!((notice.subject.as_deref(), notice.message.as_str()), (Some("No readers"), "from: a@b.example\n€"));
    assert!(answer.text().contains(&format!("<MessageId>{}</MessageId>", notice.id)), "{}", answer.text());
    let id = stage.seen(|seen| if let Seen::Published { id, .. } = seen { Some(id) } else { None }).await;
    assert_eq!(id, notice.id);
    for (form, status, code) in [
        (format!("Action=Publish&{topic}x&Message=m"), 404, "NotFound"),
        (format!("Action=Publish&{topic}"), 400, "InvalidParameter"),
        (format!("Action=CreateTopic&{topic}"), 400, "InvalidAction"),
    ] {
        let answer = stage.sns(&form).await;
        assert_eq!(answer.status, status, "{form}");
        assert!(answer.text().contains(&format!("<Type>Sender</Type><Code>{code}</Code>")), "{}", answer.text());
    }
    let place = json!({"service": {"name": "sns", "operation": "Publish"}});
    stage.strike(1, &json!([{"name": "down", "place": place, "share": 1.0, "kind": {"error": {"type": "InternalError"}}}])).await;
    let struck = stage.sns(&format!("Action=Publish&{topic}&Message=m")).await;
    assert!(struck.status == 500 && struck.text().contains("<Type>Receiver</Type><Code>InternalError</Code>"), "{}", struck.text());
    assert_eq!((stage.entries().len(), stage.services.sns.published("fallback").len()), (1, 1));
    stage.services.stop().await;
}

#[tokio::test]
async fn an_alarm_fires_in_compressed_time_and_is_described() {
    let mut stage = Stage::up_compressed(300).await;
    stage.services.sqs.send("dead", "hello".into(), None).unwrap();
    let rung = stage.seen(|seen| if let Seen::Alarm { name, state } = seen { Some((name, state)) } else { None }).await;
    assert_eq!(rung, ("oldest".to_owned(), "ALARM".to_owned()));
    let call = async |operation: &str, body: &str| {
        let target = ("x-amz-target".to_owned(), format!("GraniteServiceVersion20100801.{operation}"));
        stage.send("POST", "/", &[target], body.to_owned()).await
    };
    let described = call("DescribeAlarms", r#"{"AlarmNames":["oldest"]}"#).await.json();
    let alarm = &described["MetricAlarms"][0];
    assert_eq!((&alarm["AlarmName"], &alarm["Threshold"]), (&json!("oldest"), &json!(180.0)));
    assert!(alarm["StateReason"].as_str().unwrap().contains("the threshold (180.0)"), "{alarm}");
    for (operation, body, kind) in [("PutDashboard", "{}", "UnknownOperationException"), ("DescribeAlarms", "{", "SerializationException")]
    {
        let answer = call(operation, body).await;
        assert_eq!((answer.status, answer.json()["__type"].as_str()), (400, Some(kind)), "{operation}");
    }
    stage.services.stop().await;
}
