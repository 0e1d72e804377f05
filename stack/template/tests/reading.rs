//! Whole templates: what is told, where, and all at once; and what no template can do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use proptest::prelude::*;
use template::files::Folder;
use template::notices::{Notice, Position};
use template::{Source, Template, TemplateError};

fn read(text: &str, parameters: &[(&str, &str)]) -> Result<Template, TemplateError> {
    Template::read(text, &parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
}

const SHORT: &str = r#"
AWSTemplateFormatVersion: 2010-09-09
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, AllowedValues: [dev, prod], Default: dev}
  Names: {Type: CommaDelimitedList, Default: "a, b"}
Mappings:
  Sizes: {dev: {Memory: 256}, prod: {Memory: 1024}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
Globals:
  Function: {Runtime: python3.13, Handler: app.handler, CodeUri: src/}
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: !Sub '${AWS::StackName}-worker-${Stage}'
      MemorySize: !FindInMap [Sizes, !Ref Stage, Memory]
      ReservedConcurrentExecutions: !If [IsProd, 10, !Ref AWS::NoValue]
      Environment:
        Variables:
          QUEUE: !Ref Jobs
          NAME: !GetAtt Jobs.QueueName
          SECOND: !Select [1, !Ref Names]
          REGION: !Select [3, !Split [':', !GetAtt Jobs.Arn]]
          PHONE: +15551234567
          ACCOUNT: 012345678901
          DATE: 2026-11-29
          SWITCH: yes
          LITERAL: !Sub '${!Stage} ${Jobs.QueueName}'
          JOINED: !Join ['-', [!Ref Stage, !Sub '${Jobs.Arn}']]
  Jobs:
    Type: AWS::SQS::Queue
    Properties: {QueueName: !Sub 'jobs-${Stage}'}
  Audit:
    Type: AWS::SQS::Queue
    Condition: IsProd
Outputs:
  Jobs: {Value: !Ref Jobs, Description: !Sub 'of ${Stage}'}
  Audit: {Condition: IsProd, Value: !GetAtt Audit.Arn}
"#;

#[test]
fn a_template_in_short_form_is_read_with_its_parameters() {
    let dev = read(SHORT, &[]).unwrap();
    let function = &dev.blueprint.functions[0];
    assert_eq!((function.name.as_str(), function.memory_mb, function.reserved), ("brownout-worker-dev", 256, None));
    for (name, value) in [
        ("QUEUE", "https://sqs.us-east-1.amazonaws.com/123456789012/jobs-dev"),
        ("NAME", "jobs-dev"),
        ("SECOND", "b"),
        ("REGION", "us-east-1"),
        ("PHONE", "+15551234567"),
        ("ACCOUNT", "012345678901"),
        ("DATE", "2026-11-29"),
        ("SWITCH", "true"),
        ("LITERAL", "${Stage} jobs-dev"),
        ("JOINED", "dev-arn:aws:sqs:us-east-1:123456789012:jobs-dev"),
    ] {
        assert_eq!(function.variables[name], value, "{name}");
    }
    assert_eq!((dev.blueprint.queues.len(), dev.outputs.len(), dev.outputs[0].description.as_deref()), (1, 1, Some("of dev")));
    assert_eq!(dev.notices, Vec::new());
    let prod = read(SHORT, &[("Stage", "prod"), ("Names", "x,y")]).unwrap();
    let function = &prod.blueprint.functions[0];
    assert_eq!((function.memory_mb, function.reserved, function.variables["SECOND"].as_str()), (1024, Some(10), "y"));
    assert_eq!((prod.blueprint.queues.len(), prod.outputs.len()), (2, 2));
}

#[test]
fn windows_line_ends_a_mark_and_json_change_nothing() {
    let plain = read(SHORT, &[]).unwrap();
    let windows = format!("\u{feff}{}", SHORT.replace('\n', "\r\n"));
    assert_eq!(read(&windows, &[]).unwrap(), plain);
    let json = serde_json::to_string_pretty(&template::yaml::read(SHORT).unwrap().value).unwrap();
    assert_eq!(read(&json, &[]).unwrap(), plain);
}

/// Every contradiction of one template, each at its line and column.
#[test]
fn all_contradictions_are_told_at_once_with_line_and_column() {
    let text = "Parameters:
  Stage: {Type: Sting}
Conditions:
  IsProd: !Equals [!Ref Jobs, prod]
Resources:
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibiltyTimeout: 5
      RedrivePolicy:
        deadLetterTargetArn: !GetAtt Gone.Arn
        maxReceiveCount: 3
  Other:
    Type: AWS::SQS::Queue
    DependsOn: Nowhere
    Properties:
      QueueName: !GetAtt Jobs.Url
  Fn:
    Type: AWS::Lamda::Function
  A: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref B}}
  B: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref A}}
  Worker:
    Type: AWS::Serverless::Function
Outputs:
  X: {Value: !Ref Missing}
Resource: {}
";
    let error = read(text, &[("Unknown", "1")]).unwrap_err();
    let told: Vec<_> = error.refusals.iter().map(|refusal| (refusal.complaint.key.as_str(), refusal.position)).collect();
    for (place, line, column) in [
        ("Parameters.Stage", 2, 3),
        ("Conditions.IsProd", 4, 3),
        ("Jobs.VisibiltyTimeout", 9, 7),
        ("Jobs.RedrivePolicy.deadLetterTargetArn", 11, 9),
        ("Other.DependsOn", 15, 5),
        ("Other.QueueName", 17, 7),
        ("Fn.Type", 19, 5),
        ("A", 20, 3),
        ("Worker.Type", 23, 5),
        ("Outputs.X.Value", 25, 7),
        ("Resource", 26, 1),
    ] {
        assert!(told.contains(&(place, Some(Position { line, column }))), "{place}: {told:#?}");
    }
    assert!(told.iter().any(|(place, _)| *place == "Unknown"), "{told:?}");
    assert!(error.to_string().contains("line 9, column 7: Jobs.VisibiltyTimeout"), "{error}");
}

#[test]
fn a_text_that_is_no_yaml_is_refused_at_its_place() {
    let error = read("Resources:\n  A: [\n", &[]).unwrap_err();
    assert!(error.refusals[0].position.is_some(), "{error}");
    let error = read("", &[]).unwrap_err();
    assert!(error.to_string().contains("found nothing"), "{error}");
}

#[test]
fn all_missing_parameters_are_asked_for_at_once() {
    let text = "Parameters:\n  A: {Type: String}\n  B: {Type: Number, Description: how many}\n  C: {Type: String, Default: c}\nResources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref A}}\n";
    let error = read(text, &[]).unwrap_err();
    let names: Vec<_> = error.missing.iter().map(|missing| missing.name.as_str()).collect();
    assert_eq!((names, error.refusals.len()), (vec!["A", "B"], 0));
    let told = error.to_string();
    assert!(told.contains("--parameter A=VALUE") && told.contains("how many"), "{told}");
    assert!(read(text, &[("A", "a"), ("B", "2")]).is_ok());
}

const TOLERATED: &str = "
Transform: AWS::Serverless-2016-10-31
Rules: {}
Resources:
  Fn:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      Handler: a.b
      CodeUri: src/
      Environment: {Variables: {DB: !ImportValue db-address, VPC: !GetAtt Jobs.DelaySeconds}}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: one
      QueueName: two
";

#[test]
fn what_is_not_served_is_a_notice_with_its_functions_and_strict_refuses_it() {
    let template = read(TOLERATED, &[]).unwrap();
    let find =
        |place: &str| template.notices.iter().find(|notice| notice.place == place).unwrap_or_else(|| panic!("{place}: {template:#?}"));
    let Notice { functions, position, what, .. } = find("Fn.Environment.Variables.DB");
    assert_eq!((functions.as_slice(), *position), (&["Fn".to_owned()][..], Some(Position { line: 11, column: 33 })));
    assert!(what.contains("db-address=VALUE"), "{what}");
    assert_eq!(find("Jobs.QueueName").functions, ["Fn"]);
    assert_eq!(find("Rules").functions, Vec::<String>::new());
    assert_eq!(template.notices.len(), 4, "{template:#?}");
    let error = template.strict().unwrap_err();
    assert_eq!(error.refusals.len(), 4);
    let given = read(TOLERATED, &[("db-address", "127.0.0.1")]).unwrap();
    assert_eq!(given.blueprint.functions[0].variables["DB"], "127.0.0.1");
}

#[test]
fn an_include_reads_the_folder_of_the_template_and_nothing_else() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("app");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(outer.path().join("secret.yaml"), "Secret: {Type: AWS::SQS::Queue}").unwrap();
    std::fs::write(folder.join("more.yaml"), "Extra: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref 'AWS::StackName'}}").unwrap();
    std::os::unix::fs::symlink(outer.path().join("secret.yaml"), folder.join("link.yaml")).unwrap();
    let read = |location: &str| {
        let text = format!(
            "Resources:\n  Fn::Transform: {{Name: 'AWS::Include', Parameters: {{Location: '{location}'}}}}\n  Q: {{Type: AWS::SQS::Queue}}\n"
        );
        Template::read_source(Source { text: &text, parameters: &BTreeMap::new(), files: &Folder::new(&folder) })
    };
    let names: Vec<_> = read("more.yaml").unwrap().blueprint.queues.into_iter().map(|queue| queue.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"brownout".to_owned()), "{names:?}");
    for location in ["../secret.yaml", "link.yaml", "/etc/hostname", "s3://bucket/key"] {
        assert!(read(location).is_err(), "{location}");
    }
}

#[test]
fn what_would_become_huge_is_refused_soon() {
    let wide = format!(
        "Parameters: {{P: {{Type: String, Default: {}}}}}\nResources:\n  Q: {{Type: A::B::C, Properties: {{X: [{}]}}}}\n",
        "x".repeat(4000),
        vec!["!Ref P"; 50_000].join(", ")
    );
    let items = vec!["a1"; 100].iter().enumerate().map(|(n, a)| format!("{a}{n}")).collect::<Vec<_>>().join(", ");
    let nested = (0..5).fold("{'X': 1}".to_owned(), |body, n| format!("{{'Fn::ForEach::L{n}': [I{n}, [{items}], {body}]}}"));
    let loops = format!("Transform: AWS::LanguageExtensions\nResources:\n  Q: {{Type: A::B::C, Properties: {nested}}}\n");
    let level = |n: usize| format!("  C{n}: !Or [{}]\n", vec![format!("!Condition C{}", n + 1); 10].join(", "));
    let conditions = format!(
        "Conditions:\n{}  C25: !Equals [a, b]\nResources: {{Q: {{Type: AWS::SQS::Queue, Condition: C0}}, R: {{Type: AWS::SQS::Queue}}}}\n",
        (0..25).map(level).collect::<String>()
    );
    for text in [&wide, &loops] {
        assert!(read(text, &[]).unwrap_err().to_string().contains("more than"), "{}", &text[..60]);
    }
    assert_eq!(read(&conditions, &[]).unwrap().blueprint.queues.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_template_makes_it_panic(at in 0..SHORT.len(), length in 0..40_usize, put in "[-!a-zA-Z:{}\\[\\]&*'\"\n $.]{0,8}") {
        let mut bytes = SHORT.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        let _ = read(&String::from_utf8_lossy(&bytes), &[]);
    }

    #[test]
    fn no_function_makes_it_panic(pieces in prop::collection::vec(prop::sample::select(vec![
        "!Ref ", "!Sub ", "!GetAtt ", "!Join ", "!Select ", "!Split ", "!If ", "!FindInMap ", "!Cidr ", "!Base64 ", "!GetAZs ", "!Length ", "!Transform ",
        "!ImportValue ", "[", "]", "{", "}", ", ", "a: ", "Q", "Q.Arn", "'${Q}-${!x}-${'", "''", "-1", "99999999999", "10.0.0.0/8", "Yes", "P", "'Fn::ForEach::X': ",
    ]), 0..25)) {
        let text = format!("Transform: AWS::LanguageExtensions\nParameters: {{P: {{Type: CommaDelimitedList, Default: 'a,b'}}}}\nConditions: {{Yes: !Equals [a, a]}}\nResources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      Tags: {}\n", pieces.concat());
        let _ = read(&text, &[]);
    }
}

#[test]
fn a_machine_that_is_not_served_is_a_notice_and_the_stack_starts() {
    let text = r#"
Resources:
  Later:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: later
      RoleArn: arn:aws:iam::123456789012:role/r
      Definition: {QueryLanguage: JSONata, StartAt: A, States: {A: {Type: Succeed, Output: "{% $states.input %}"}}}
  Waits:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: waits
      RoleArn: arn:aws:iam::123456789012:role/r
      Definition: {StartAt: A, States: {A: {Type: Task, Resource: "arn:aws:states:::ecs:runTask.sync", End: true}}}
  Now:
    Type: AWS::StepFunctions::StateMachine
    Properties:
      StateMachineName: now
      StateMachineType: EXPRESS
      RoleArn: arn:aws:iam::123456789012:role/r
      Definition: {StartAt: A, States: {A: {Type: Wait, Seconds: 1, End: true}}}
  Files:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: files
      NotificationConfiguration: {QueueConfigurations: [{Event: "s3:ObjectCreated:*", Queue: !GetAtt Jobs.Arn}]}
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs}}
"#;
    let template = read(text, &[]).unwrap();
    let told: Vec<_> = template.notices.iter().map(Notice::to_string).collect();
    assert!(told[0].starts_with("Later: the state machine `later` cannot be started here: ") && told[0].contains("JSONata"), "{told:?}");
    assert!(
        told[1].starts_with("Waits: the state machine `waits` cannot be started here: ") && told[1].contains("ecs:runTask.sync"),
        "{told:?}"
    );
    let served: Vec<_> = template.blueprint.machines.iter().map(|machine| (machine.name.as_str(), machine.definition.is_ok())).collect();
    assert_eq!(served, [("later", false), ("waits", false), ("now", true)]);
    assert_eq!(told.len(), 2);
    let parts = template::summary::summary(&template);
    let lines = |title: &str| parts.iter().find(|part| part.title == title).unwrap().lines.clone();
    assert_eq!(lines("state machines"), ["now"]);
    assert_eq!(lines("event sources"), ["bucket files, s3:ObjectCreated:* -> queue jobs"]);
    assert_eq!(template.strict().unwrap_err().refusals.len(), 2);
    let wrong = text.replace("QueryLanguage: JSONata, ", "").replace(", Output: \"{% $states.input %}\"", ", Surprise: 1");
    let refused = read(&wrong, &[]).unwrap_err().to_string();
    assert!(refused.contains("Surprise"), "{refused}");
}

#[test]
fn a_function_that_cannot_run_here_exists_all_the_same() {
    let text = r#"
Transform: AWS::Serverless-2016-10-31
Resources:
  Old:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: old
      Runtime: java21
      Handler: a.B
      CodeUri: old/
      Events:
        Get: {Type: Api, Properties: {Path: /old, Method: get}}
        Work: {Type: SQS, Properties: {Queue: !GetAtt Jobs.Arn}}
  Boxed:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: boxed, PackageType: Image, ImageUri: "123456789012.dkr.ecr.us-east-1.amazonaws.com/boxed:1"}
  Jobs: {Type: AWS::SQS::Queue, Properties: {QueueName: jobs, VisibilityTimeout: 30}}
"#;
    let template = read(text, &[]).unwrap();
    let functions: Vec<_> = template.blueprint.functions.iter().map(|it| (it.name.as_str(), it.runtime.name())).collect();
    assert_eq!(functions, [("old", "java21"), ("boxed", "a container image")]);
    assert_eq!((template.apis[0].routes.len(), template.blueprint.mappings.len()), (1, 1), "what invokes it is there");
    let told: Vec<_> = template.notices.iter().map(Notice::to_string).collect();
    assert!(told.len() == 2 && told.iter().all(|notice| notice.contains("every invocation of the function fails")), "{told:?}");
}
