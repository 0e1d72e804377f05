//! What stays and what does not after the first resolve.

use super::testing::resolver;
use super::*;
use crate::files::Folder;

#[test]
fn what_depends_on_parameters_is_resolved_and_references_to_resources_stay() {
    for (value, expected) in [
        (json!({"Ref": "Stage"}), json!("dev")),
        (json!({"Ref": "List"}), json!(["a", "b", "c"])),
        (json!({"Ref": "Table"}), json!({"Ref": "Table"})),
        (json!({"Fn::GetAtt": "Table.Arn"}), json!({"Fn::GetAtt": ["Table", "Arn"]})),
        (json!({"Fn::GetAtt": ["Nested", "Outputs.X"]}), json!({"Fn::GetAtt": ["Nested", "Outputs.X"]})),
        (json!({"Fn::Sub": "${Stage}-${AWS::Region}-${!Stage}"}), json!("dev-us-east-1-${Stage}")),
        (json!({"Fn::Sub": "${Stage}-${Table.Arn}-${!x}"}), json!({"Fn::Sub": "dev-${Table.Arn}-${!x}"})),
        (
            json!({"Fn::Sub": ["${a}-${b}", {"a": {"Ref": "Stage"}, "b": {"Ref": "Table"}}]}),
            json!({"Fn::Sub": ["dev-${b}", {"b": {"Ref": "Table"}}]}),
        ),
        (json!({"Fn::Sub": ["${a}", {"a": {"Fn::Join": ["-", {"Ref": "List"}]}}]}), json!("a-b-c")),
        (json!({"Fn::Sub": "{\"a\": $5, ${Stage}"}), json!("{\"a\": $5, dev")),
        (json!({"Fn::Join": ["/", ["a", {"Ref": "Stage"}]]}), json!("a/dev")),
        (json!({"Fn::Join": ["/", ["a", {"Ref": "Table"}]]}), json!({"Fn::Join": ["/", ["a", {"Ref": "Table"}]]})),
        (json!({"Fn::Select": [{"Ref": "Count"}, ["a", "b", "c", {"Ref": "Table"}]]}), json!({"Ref": "Table"})),
        (
            json!({"Fn::Select": [2, {"Fn::Split": [":", {"Fn::GetAtt": ["T", "Arn"]}]}]}),
            json!({"Fn::Select": [2, {"Fn::Split": [":", {"Fn::GetAtt": ["T", "Arn"]}]}]}),
        ),
        (json!({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "All"]}), json!(["x", "y"])),
        (json!({"Fn::FindInMap": ["Sizes", "prod", "Size", {"DefaultValue": "huge"}]}), json!("huge")),
        (json!({"Fn::If": ["Yes", {"Ref": "Stage"}, {"Ref": "Nowhere"}]}), json!("dev")),
        (json!([1, {"Fn::If": ["No", 2, {"Ref": "AWS::NoValue"}]}, 3]), json!([1, 3])),
        (json!({"a": {"Ref": "AWS::NoValue"}, "b": null}), json!({"b": null})),
        (json!({"Fn::GetAZs": ""}), json!(["us-east-1a", "us-east-1b", "us-east-1c"])),
        (json!({"Fn::Select": [0, {"Fn::GetAZs": {"Ref": "AWS::Region"}}]}), json!("us-east-1a")),
        (json!({"Fn::Cidr": ["10.0.0.0/16", {"Ref": "Count"}, "8"]}), json!(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"])),
        (json!({"Fn::Length": {"Ref": "List"}}), json!(3)),
        (json!({"Fn::ToJsonString": {"a": {"Ref": "Stage"}}}), json!("{\"a\":\"dev\"}")),
        (json!({"Fn::Base64": {"Fn::Sub": "${Stage}"}}), json!("ZGV2")),
        (json!({"Ref": {"Fn::Sub": "Table${Stage}"}}), json!({"Ref": "Tabledev"})),
        (
            json!({"Fn::ForEach::Topics": ["Name", {"Ref": "List"}, {"Topic${Name}": {"Type": "T", "P": {"Fn::Sub": "x-${Name}-${Stage}"}, "Q": {"Ref": "Name"}}}], "x": 1}),
            json!({"Topica": {"Type": "T", "P": "x-a-dev", "Q": "a"}, "Topicb": {"Type": "T", "P": "x-b-dev", "Q": "b"}, "Topicc": {"Type": "T", "P": "x-c-dev", "Q": "c"}, "x": 1}),
        ),
        (
            json!({"Fn::ForEach::Outer": ["A", ["1.", "2"], {"Fn::ForEach::Inner": ["B", ["x"], {"O&{A}${B}": {"Ref": "R${A}"}}]}]}),
            json!({"O1x": {"Ref": "R1."}, "O2x": {"Ref": "R2"}}),
        ),
    ] {
        let mut resolver = resolver();
        assert_eq!((resolver.resolve("X", &value), resolver.complaints), (Some(expected), Vec::new()), "{value}");
    }
}

#[test]
fn an_invalid_function_is_a_complaint_at_its_place() {
    for (value, what) in [
        (json!({"Ref": "AWS::Nothing"}), "pseudo parameter"),
        (json!({"Fn::If": ["Unknown", 1, 2]}), "no condition"),
        (json!({"Fn::If": ["Yes", 1]}), "two values"),
        (json!({"Fn::FindInMap": ["Sizes", "prod", "Size"]}), "Sizes.prod.Size"),
        (json!({"Fn::FindInMap": ["Sizes", {"Ref": "Table"}, "Size"]}), "must be known"),
        (json!({"Fn::Select": [5, ["a"]]}), "the list has 1"),
        (json!({"Fn::Sub": "${List}"}), "list"),
        (json!({"Fn::Sub": ["${a}", 1]}), "a text and a map"),
        (json!({"Fn::GetAtt": "Table"}), "an attribute"),
        (json!({"Fn::Made": "up"}), "Fn::Made"),
        (json!({"Fn::ForEach::X": ["A", "b", {}]}), "collection"),
        (json!({"Fn::ForEach::X": ["A", ["b", "c"], {"same": 1}]}), "twice"),
        (json!({"Fn::Transform": {"Name": "Mine"}}), "macro"),
        (json!({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "x.yaml"}}}), "no folder"),
    ] {
        let mut resolver = resolver();
        resolver.resolve("Fn.Env", &json!({ "KEY": value }));
        let [complaint] = resolver.complaints.as_slice() else { panic!("{value}: {:?}", resolver.complaints) };
        assert!(complaint.key.starts_with("Fn.Env.KEY") && complaint.what.contains(what), "{value}: {complaint}");
    }
}

#[test]
fn a_dynamic_reference_is_a_notice() {
    for value in [
        json!("{{resolve:ssm:/a}}"),
        json!({"Fn::Sub": "{{resolve:secretsmanager:${Table}}}"}),
        json!({"Fn::Join": ["", ["x", "{{resolve:ssm:/a}}"]]}),
    ] {
        let mut resolver = resolver();
        resolver.resolve("X", &value);
        assert_eq!((resolver.notices.len(), resolver.complaints.len()), (1, 0), "{value}");
    }
}

#[test]
fn language_extensions_must_be_asked_for() {
    for value in [
        json!({"Fn::Length": ["a"]}),
        json!({"Fn::ToJsonString": {}}),
        json!({"Fn::ForEach::X": ["A", ["b"], {"${A}": 1}]}),
        json!({"Ref": {"Fn::Sub": "x"}}),
        json!({"Fn::FindInMap": ["Sizes", "prod", "Size", {"DefaultValue": "huge"}]}),
    ] {
        let mut resolver = Resolver { extended: false, ..resolver() };
        resolver.resolve("X", &value);
        assert_eq!(resolver.complaints.len(), 1, "{value}");
    }
}

#[test]
fn an_export_of_another_stack_is_asked_for_with_a_notice() {
    let import = json!({"Fn::ImportValue": {"Fn::Sub": "${Stage}-Vpc"}});
    let mut unknown = resolver();
    assert_eq!(unknown.resolve("Fn.Env", &import), Some(json!("dev-Vpc")));
    assert!(unknown.notices[0].what.contains("dev-Vpc=VALUE"), "{:?}", unknown.notices);
    let exports = [("dev-Vpc".to_owned(), "vpc-1".to_owned())].into();
    let mut known = Resolver { exports: &exports, ..resolver() };
    assert_eq!((known.resolve("Fn.Env", &import), known.notices.len()), (Some(json!("vpc-1")), 0));
}

#[test]
fn a_file_of_the_folder_is_included_and_no_other() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("app");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outer.path().join("secret.yaml"), "a: secret").unwrap();
    std::fs::write(folder.join("part.yaml"), "a: !Ref Stage\nb: !GetAtt T.Arn\n").unwrap();
    std::fs::write(folder.join("again.yaml"), "a: {Fn::Transform: {Name: 'AWS::Include'}}").unwrap();
    let files = Folder::new(&folder);
    let include = |location: &str| json!({"x": 1, "Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": location}}});
    let mut good = Resolver { files: &files, ..resolver() };
    let expected = json!({"x": 1, "a": "dev", "b": {"Fn::GetAtt": ["T", "Arn"]}});
    assert_eq!(good.resolve("X", &include("part.yaml")), Some(expected));
    for (location, what) in
        [("../secret.yaml", "outside"), ("s3://bucket/x", "only files"), ("again.yaml", "included file"), ("none.yaml", "cannot be read")]
    {
        let mut bad = Resolver { files: &files, ..resolver() };
        let read = bad.resolve("X", &include(location));
        assert!(bad.complaints.iter().any(|complaint| complaint.what.contains(what)), "{location}: {:?} {read:?}", bad.complaints);
        assert!(!format!("{read:?}").contains("secret\""), "{location}");
    }
}
