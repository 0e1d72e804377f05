//! The experiment that the tests export.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::time::Duration;

use faults::{Place, Plan, Trigger};

use exports::alarms::{Alarm, Metric};
use exports::{Experiment, Function, GameDay};

/// The example, and after five minutes slow appointments with an alarm of their own.
pub fn game_day() -> GameDay {
    let mut second = Experiment {
        name: "slow-appointments".into(),
        question: "Does the clinic keep answering while appointments are slow?".into(),
        ..experiment()
    };
    let fault = &mut second.plan.faults[0];
    (fault.name, fault.place) = ("appointments-latency".into(), Place::Function("appointments".into()));
    second.alarms.push(Alarm { arn: second.alarms[0].arn.replace("clinic", "appointments"), ..second.alarms[0].clone() });
    GameDay { name: "clinic".into(), experiments: vec![experiment(), second], wait: Duration::from_secs(300) }
}

/// A slow authorizer in front of appointments, with an alarm on the callers' latency.
pub fn experiment() -> Experiment {
    let plan = r#"{"version":1,"run":"r","sequence":1,"lease_ms":60000,"seed":7,"faults":[
        {"name":"authorizer-latency","place":{"function":"authorizer"},"share":0.5,"when":{"path":"/appointment/*"},
         "kind":{"latency":{"at":"before","time":"300ms"}}}]}"#;
    let arn = |text: &str| text.parse().unwrap();
    let function = |name: &str, layers: &[&str], trigger| Function {
        arn: arn(&format!("arn:aws:lambda:us-east-1:123456789012:function:{name}")),
        role: arn(&format!("arn:aws:iam::123456789012:role/service-role/{name}-role")),
        layers: layers.iter().copied().map(arn).collect(),
        alias: None,
        key: None,
        triggers: vec![trigger],
        timeout: Duration::from_secs(3),
        log_group: None,
    };
    Experiment {
        name: "slow-authorizer".into(),
        question: "Does the clinic keep answering while its authorizer is slow?".into(),
        functions: vec![
            function("authorizer", &["arn:aws:lambda:us-east-1:123456789012:layer:tracing:4"], Trigger::Authorizer),
            Function {
                alias: Some("live".into()),
                key: Some(arn("arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555")),
                ..function("appointments", &[], Trigger::Http)
            },
        ],
        plan: Plan::read(plan.as_bytes()).unwrap(),
        duration: Duration::from_secs(100),
        layer: arn("arn:aws:lambda:us-east-1:123456789012:layer:brownout:7"),
        tag: ("brownout".into(), "allowed".into()),
        alarms: vec![Alarm {
            arn: "arn:aws:cloudwatch:us-east-1:123456789012:alarm:clinic-latency".into(),
            metric: Metric::GatewayLatency,
            function: None,
        }],
        alias_thousandths: 100,
        alias_grace: Duration::from_secs(60),
    }
}
