//! CloudFormation is as strict as AWS: states, pages, tokens, throttling and permissions, as XML.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use control_plane::{ControlPlane, Request, Stack, answer};
use serde_json::json;

fn plane() -> ControlPlane {
    let names: Vec<_> = (0..150).map(|n| format!("Queue{n}")).collect();
    let resources: Vec<_> = names.iter().map(|name| (name.as_str(), "AWS::SQS::Queue", name.as_str())).collect();
    let deleted = Stack { status: "DELETE_COMPLETE".into(), ..Stack::new("old", &[]) };
    ControlPlane { stacks: vec![Stack::new("s", &resources), Stack::new("t", &[]), deleted], ..ControlPlane::default() }
}

/// The status and the XML of a call.
fn call(plane: &mut ControlPlane, operation: &str, more: &str) -> (u16, String) {
    let body = format!("Action={operation}&Version=2010-05-15{more}");
    let request =
        Request { method: "POST", path: "/", query: "", target: None, principal: None, caller: Some("user"), body: body.as_bytes() };
    let answered = answer(plane, &request);
    (answered.status, answered.written(&request).1)
}

#[test]
fn a_stack_that_does_not_exist_is_a_validation_error() {
    let mut plane = plane();
    for operation in ["DescribeStacks", "ListStackResources"] {
        for named in ["nowhere", "old"] {
            let (status, xml) = call(&mut plane, operation, &format!("&StackName={named}"));
            assert!(status == 400 && xml.contains("<Code>ValidationError</Code>"), "{operation} {named}: {xml}");
            assert!(xml.contains(&format!("<Message>Stack with id {named} does not exist</Message>")), "{xml}");
        }
    }
    let arn = plane.stacks[2].arn();
    let (status, xml) = call(&mut plane, "DescribeStacks", &format!("&StackName={arn}"));
    assert!(status == 200 && xml.contains("<StackStatus>DELETE_COMPLETE</StackStatus>"), "{xml}");
}

#[test]
fn resources_come_in_pages_of_100_and_a_token_is_of_one_stack() {
    let mut plane = plane();
    let (_, first) = call(&mut plane, "ListStackResources", "&StackName=s");
    assert_eq!((first.matches("<member>").count(), first.contains("<NextToken>s-100</NextToken>")), (100, true), "{first}");
    let (_, second) = call(&mut plane, "ListStackResources", "&StackName=s&NextToken=s-100");
    assert_eq!((second.matches("<member>").count(), second.contains("NextToken")), (50, false), "{second}");
    let (status, xml) = call(&mut plane, "ListStackResources", "&StackName=t&NextToken=s-100");
    assert!(status == 400 && xml.contains("The token is not valid"), "{xml}");
}

#[test]
fn as_many_calls_are_throttled_as_the_test_says() {
    let mut plane = plane();
    plane.throttling.insert("DescribeStacks".into(), 1);
    let (status, xml) = call(&mut plane, "DescribeStacks", "&StackName=t");
    assert!(status == 400 && xml.contains("<Code>Throttling</Code>"), "{xml}");
    assert_eq!(call(&mut plane, "DescribeStacks", "&StackName=t").0, 200);
}

#[test]
fn a_policy_is_for_the_stacks_that_it_names() {
    let mut plane = plane();
    let resource = plane.stacks[1].arn().replace("00000000-0000-4000-8000-000000000000", "*");
    let statement = json!({"Sid": "S", "Effect": "Allow", "Action": ["cloudformation:DescribeStacks"], "Resource": [resource]});
    plane.rights.hold("user", &json!({"Statement": [statement]})).unwrap();
    let arn = plane.stacks[1].arn();
    for (operation, named, expected) in
        [("DescribeStacks", "t", 200), ("DescribeStacks", &arn, 200), ("DescribeStacks", "s", 403), ("ListStackResources", "t", 403)]
    {
        let (status, xml) = call(&mut plane, operation, &format!("&StackName={named}"));
        assert_eq!(status, expected, "{operation} {named}: {xml}");
        assert!(status == 200 || xml.contains("<Code>AccessDenied</Code>"), "{xml}");
    }
}
