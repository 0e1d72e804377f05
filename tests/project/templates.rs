//! `brownout check` of templates, as a user runs it: what it prints, and its exit code.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

const TEMPLATE: &str = "\
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String}
Resources:
  Api:
    Type: AWS::Serverless::Api
    Properties: {StageName: !Ref Stage}
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub 'hello-${Stage}'
      Runtime: python3.13
      Handler: app.handler
      CodeUri: hello/
      Environment: {Variables: {PEER: !ImportValue peer}}
      Events:
        Get: {Type: Api, Properties: {RestApiId: !Ref Api, Path: /hello, Method: get}}
Outputs:
  Name: {Value: !Ref Hello}
";

fn check(arguments: &[&str]) -> (i32, String, String) {
    run(Command::new(env!("CARGO_BIN_EXE_brownout")).arg("check").args(arguments))
}

fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

fn path(folder: &Path) -> &str {
    folder.to_str().unwrap()
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_folder_is_checked_by_its_template_and_nothing_in_it_changes() {
    let folder = folder(&[("template.yaml", TEMPLATE)]);
    let (code, out, err) = check(&[path(folder.path()), "--parameter", "Stage=dev"]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    for line in [
        "functions:\n- hello-dev: python3.13",
        "- GET /hello -> hello-dev",
        "outputs:\n- Name: hello-dev",
        "not served here:\n- 16:",
        "may be missed by Hello",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert_eq!(entries(folder.path()), ["template.yaml"]);
}

#[test]
fn missing_parameters_come_from_samconfig_or_are_asked_for() {
    let bare = folder(&[("template.yaml", TEMPLATE)]);
    let (code, _, err) = check(&[path(bare.path())]);
    assert_eq!(code, 2, "{err}");
    assert!(
        err.contains("parameter `Stage`: missing, give it with `--parameter Stage=VALUE`") && err.contains("1 missing parameter"),
        "{err}"
    );
    let config = "[default.deploy.parameters]\nparameter_overrides = 'Stage=conf Other=ignored'\n[prod.deploy.parameters]\nparameter_overrides = ['Stage=prod']\n";
    let configured = folder(&[("template.yaml", TEMPLATE), ("samconfig.toml", config)]);
    for (options, name) in
        [(&[][..], "hello-conf"), (&["--config-env", "prod"], "hello-prod"), (&["--parameter", "Stage=own"], "hello-own")]
    {
        let (code, out, err) = check(&[&[path(configured.path())], options].concat());
        assert!(code == 0 && out.contains(name), "{options:?}: {out}{err}");
    }
    let (code, _, err) = check(&[path(configured.path()), "--config-env", "stage"]);
    assert!(code == 2 && err.contains("default, prod"), "{err}");
}

#[test]
fn contradictions_have_their_line_and_strict_refuses_notices() {
    let text = TEMPLATE.replace("Handler: app", "Handlr: app").replace("!Ref Hello}", "!Ref Helo}");
    let wrong = folder(&[("template.yaml", &text)]);
    let (code, _, err) = check(&[path(wrong.path()), "--parameter", "Stage=dev"]);
    assert_eq!(code, 2);
    for part in [
        "template.yaml:14:7: Hello.Handlr: ",
        "did you mean `Handler`?\n        Handlr: app.handler\n        ^",
        "template.yaml:20:10: Outputs.Name.Value",
        "nothing was started",
    ] {
        assert!(err.contains(part), "{part}: {err}");
    }
    let good = folder(&[("template.yaml", TEMPLATE)]);
    let (code, _, err) = check(&[path(good.path()), "--parameter", "Stage=dev", "--strict"]);
    assert!(code == 2 && err.contains("the export `peer`"), "{err}");
}

#[test]
fn an_interpreter_that_this_machine_lacks_is_a_notice() {
    let folder = folder(&[("template.yaml", TEMPLATE)]);
    let lacks = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_brownout"));
        // It is no Python.
        command.env("BROWNOUT_PYTHON", "false").args(["check", path(folder.path()), "--parameter", "Stage=dev"]).args(options);
        run(&mut command)
    };
    let (code, out, err) = lacks(&[]);
    assert!(code == 0 && out.contains("- Hello: function `hello-dev` needs `python3.13`: "), "{out}{err}");
    assert!(out.contains("install Python 3"), "{out}");
    let (code, _, err) = lacks(&["--strict"]);
    assert!(code == 2 && err.contains("`hello-dev` needs `python3.13`"), "{err}");
}

#[test]
fn json_has_the_same_for_programs() {
    let folder = folder(&[("app.yml", TEMPLATE)]);
    let file = folder.path().join("app.yml");
    let read = |arguments: &[&str]| {
        let (code, out, err) = check(&[&[path(&file), "--json"], arguments].concat());
        assert_eq!(err, "");
        (code, serde_json::from_str::<Value>(&out).unwrap())
    };
    let (code, good) = read(&["--parameter", "Stage=dev"]);
    assert_eq!((code, &good["can-start"], &good["outputs"]), (0, &json!(true), &json!({"Name": "hello-dev"})));
    let notice = &good["not-served"][0];
    assert_eq!(
        (&notice["place"], &notice["line"], &notice["functions"]),
        (&json!("Hello.Environment.Variables.PEER"), &json!(16), &json!(["Hello"]))
    );
    let (code, bad) = read(&[]);
    assert_eq!((code, &bad["can-start"], &bad["missing"][0]["name"]), (2, &json!(false), &json!("Stage")));
}

#[test]
fn options_that_do_not_apply_are_refused() {
    let folder = folder(&[("template.yaml", TEMPLATE)]);
    let template = path(folder.path());
    for (arguments, why) in [
        (&["quiet", "--strict"][..], "for templates"),
        (&["quiet", "--parameter", "a=b"], "for templates"),
        (&["quiet", "--json"], "for templates"),
        (&[template, "--target", "aws"], "for experiments"),
        (&[template, template, "--json"], "one template"),
        (&[template, "--parameter", "a"], "NAME=VALUE"),
        (&[template, "--parameter", "Stage=dev", "--parameter", "Nothing=1"], "Nothing"),
    ] {
        let (code, out, err) = check(arguments);
        assert!(code == 2 && err.contains(why), "{arguments:?}: {out}{err}");
    }
    let empty = tempfile::tempdir().unwrap();
    let (code, _, err) = check(&[path(empty.path())]);
    assert!(code == 2 && err.contains("no template in"), "{err}");
}
