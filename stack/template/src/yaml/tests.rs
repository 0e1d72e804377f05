//! What a text becomes, and what no text can do.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn value(text: &str) -> Value {
    read(text).unwrap_or_else(|why| panic!("{text}: {why}")).value
}

#[test]
fn a_document_reads_as_json_would() {
    let text = "a: 1\nb: [x, 'true', true, null]\nc:\n  - d: 2012-10-17\n    e: \"\"\n    g: [1.5, 1.50, 1.2.3]\nf: >-\n  two\n  words\n";
    let expected = json!({ "a": 1, "b": ["x", "true", true, null], "c": [{ "d": "2012-10-17", "e": "", "g": [1.5, "1.50", "1.2.3"] }], "f": "two words" });
    assert_eq!(value(text), expected);
}

#[test]
fn short_forms_are_long_ones() {
    for (text, long) in [
        ("!Ref A", json!({"Ref": "A"})),
        ("!Condition A", json!({"Condition": "A"})),
        ("!GetAtt A.Arn", json!({"Fn::GetAtt": ["A", "Arn"]})),
        ("!GetAtt A.Outputs.X", json!({"Fn::GetAtt": ["A", "Outputs.X"]})),
        ("!GetAtt [A, Arn]", json!({"Fn::GetAtt": ["A", "Arn"]})),
        ("!Sub '${A}-x'", json!({"Fn::Sub": "${A}-x"})),
        ("!Sub 12", json!({"Fn::Sub": "12"})),
        ("!Sub\n  - ${a}\n  - a: !Ref B", json!({"Fn::Sub": ["${a}", {"a": {"Ref": "B"}}]})),
        ("!If [C, !Ref A, !Ref 'AWS::NoValue']", json!({"Fn::If": ["C", {"Ref": "A"}, {"Ref": "AWS::NoValue"}]})),
        ("!Join ['', [a, !Select [0, !GetAZs '']]]", json!({"Fn::Join": ["", ["a", {"Fn::Select": [0, {"Fn::GetAZs": ""}]}]]})),
        ("!Join [-, [a, -]]", json!({"Fn::Join": ["-", ["a", "-"]]})),
        ("!Equals [!Ref A, '']", json!({"Fn::Equals": [{"Ref": "A"}, ""]})),
        ("!Base64\n  Fn::Sub: x", json!({"Fn::Base64": {"Fn::Sub": "x"}})),
        (
            "!Transform {Name: 'AWS::Include', Parameters: {Location: x}}",
            json!({"Fn::Transform": {"Name": "AWS::Include", "Parameters": {"Location": "x"}}}),
        ),
        ("!!str 012", json!("012")),
        ("!!int 12", json!(12)),
        ("Fn::GetAtt: A.Arn", json!({"Fn::GetAtt": "A.Arn"})),
    ] {
        assert_eq!(value(text), long, "{text}");
    }
}

#[test]
fn line_ends_marks_letters_anchors_and_json_are_read() {
    for (text, expected) in [
        ("a: 1\r\nb:\r\n  - c\r\n", json!({"a": 1, "b": ["c"]})),
        ("\u{feff}a: 1", json!({"a": 1})),
        ("---\na: 1\n...\n", json!({"a": 1})),
        ("a: Grüße 世界 🦀", json!({"a": "Grüße 世界 🦀"})),
        ("a: |\n  x\r\n  y\r\n", json!({"a": "x\ny\n"})),
        ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", json!({"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}})),
        ("a: &x {b: 1}\ne: &y {b: 2, c: 2}\nd:\n  <<: [*x, *y]", json!({"a": {"b": 1}, "e": {"b": 2, "c": 2}, "d": {"b": 1, "c": 2}})),
        ("1: a\ntrue: b\nyes: c", json!({"1": "a", "true": "b", "yes": "c"})),
        ("{\"a\":\t\"\\ud83e\\udd80\\/\", \"b\": [1.0, 2]}", json!({"a": "🦀/", "b": [1.0, 2]})),
        ("\u{feff}\n{\"a\": \"yes\"}", json!({"a": "yes"})),
        ("{a: yes, b: !Ref c}", json!({"a": true, "b": {"Ref": "c"}})),
    ] {
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn what_is_read_otherwise_than_it_looks_is_a_notice_with_its_position() {
    for (text, place, line, column, what) in [
        ("a: 1\na: 2", "a", 2, 1, "twice"),
        ("Resources:\n  Q:\n    Properties:\n      Name: x\n      Name: y", "Q.Name", 5, 7, "twice"),
        ("{\"a\": 1,\n \"a\": 2}", "a", 2, 2, "twice"),
        ("a: &x 1\nb: *x", "b", 2, 4, "aliases"),
        ("a: [1, 0123]", "a[1]", 1, 8, "base 8"),
    ] {
        let document = read(text).unwrap();
        assert_eq!(document.notices.len(), 1, "{text}: {:?}", document.notices);
        let notice = &document.notices[0];
        assert_eq!((notice.place.as_str(), notice.position), (place, Some(Position { line, column })), "{text}");
        assert!(notice.what.contains(what), "{text}: {notice}");
    }
    assert_eq!(value("a: 1\na: 2"), json!({"a": 2}));
    assert_eq!(value("{\"a\": 1, \"a\": 2}"), json!({"a": 2}));
}

#[test]
fn what_is_no_template_is_refused_with_its_position() {
    let deep = format!("a: {}", "[".repeat(200));
    let laughs = (1..30).fold("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
        let before = n - 1;
        format!("{text}a{n}: &a{n} [{}]\n", vec![format!("*a{before}"); 10].join(", "))
    });
    let long = format!("a: &a {}\nb: [{}]", "x".repeat(500_000), vec!["*a"; 100].join(", "));
    let tall = (1..200).fold("a0: &a0 [x]\n".to_owned(), |text, n| format!("{text}a{n}: &a{n} [*a{}]\n", n - 1));
    for (text, why, line) in [
        ("a: !Reff b", "!Reff", Some(1)),
        ("a: !!binary b", "!!binary", Some(1)),
        ("a: !!timestamp 2012-01-01", "!!timestamp", Some(1)),
        ("a: &x [*x]", "alias of itself", Some(1)),
        ("a: *x", "", Some(1)),
        ("a: [", "", None),
        ("a: b: c", "", Some(1)),
        ("", "nothing", None),
        ("a: 1\n---\nb: 1", "second document", Some(2)),
        ("? [a]\n: 1", "key", Some(1)),
        ("a:\n  <<: 1", "`<<`", Some(2)),
        (&deep, "", None),
        (&laughs, "too many", None),
        (&long, "too many", None),
        (&tall, "levels", None),
        (&"x".repeat(1_000_001), "1000000", None),
    ] {
        let error = read(text).unwrap_err();
        let shown: String = text.chars().take(50).collect();
        assert!(error.what.contains(why), "{shown}: {error}");
        if line.is_some() {
            assert_eq!(error.position.map(|at| at.line), line, "{shown}: {error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_pieces_of_yaml_make_it_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "a", "b", ": ", ":", "\n", "\n  ", "- ", "[", "]", "{", "}", ", ", "&x ", "*x", "!Ref ", "!Sub ", "!GetAtt a.b", "!If ", "<<", "? ",
        "'", "\"", "|", ">-", "#", "\t", "---\n", "...", "\r\n", "\u{feff}", "é", "0123", "!!str ", "%YAML 1.1\n", "@", "`", "\\",
    ]), 0..60)) {
        let _ = read(&pieces.concat());
    }
}
