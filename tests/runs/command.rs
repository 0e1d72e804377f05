//! The command as a user runs it: its output, its refusals, and what the README promises.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Stdio};

fn brownout(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(crate::support::BROWNOUT).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_readme_lists_the_exit_codes_that_the_command_lists() {
    // Wide enough for one line each.
    let output = Command::new(crate::support::BROWNOUT).arg("--help").env("COLUMNS", "200").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let rows: Vec<_> = readme
        .lines()
        .filter_map(|line| {
            let cells: Vec<_> = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim).collect();
            cells.first()?.parse::<u8>().ok()?;
            Some(cells.join(" "))
        })
        .collect();
    let listed: Vec<_> = help
        .lines()
        .skip_while(|line| !line.starts_with("Exit codes:"))
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(rows, listed);
}

#[test]
fn every_shipped_experiment_checks_and_an_unknown_one_is_named() {
    let names = ["slow-authorizer", "failing-authorizer", "decision-point-down", "lost-shadow-write", "quiet", "published-form"];
    let (code, out, err) = brownout(&[&["check"], names.as_slice()].concat());
    assert_eq!((code, out.lines().count()), (0, names.len()), "{err}");
    let (code, _, err) = brownout(&["check", "slow-authoriser"]);
    assert_eq!(code, 2);
    assert_eq!(err, "error: there is no experiment `slow-authoriser`, and no such file; did you mean `slow-authorizer`?\n");
}

#[test]
fn a_name_like_no_other_is_answered_with_how_many_there_are_and_the_command_that_lists_them() {
    let weather = |kind: &str| format!("question = \"?\"\nsystems = [\"clinic\"]\n[load]\nclinic = {{ rate = \"1/s\" }}\n{kind}\n");
    let service = file(&weather("[[fault]]\nservice = \"weather\"\nerror = {}"));
    let weakness = file(&weather("[stack]\nweaknesses = [\"weather\"]"));
    for arguments in [&["check", "weather"][..], &["faults", "weather"], &["check", &service.1], &["check", &weakness.1]] {
        let (code, _, err) = brownout(arguments);
        assert_eq!(code, 2, "{err}");
        let line = err.lines().find(|line| line.contains("there are ")).unwrap_or_else(|| panic!("{arguments:?}: {err}"));
        let (count, after) = line.split_once("there are ").unwrap().1.split_once(", such as ").unwrap();
        let (names, command) = after.split_once("; `brownout ").unwrap();
        assert_eq!(names.matches('`').count(), 6, "{line}");
        let command: Vec<_> = command.split_once('`').unwrap().0.split(' ').collect();
        let (code, all, err) = brownout(&command);
        assert_eq!(code, 0, "{err}");
        let lines = all.lines().filter(|line| command[0] == "list" || line.starts_with("## ") && !line.starts_with("## Settings"));
        assert_eq!(lines.count().to_string(), count, "{command:?}: {all}");
        names.split('`').skip(1).step_by(2).for_each(|name| assert!(all.contains(name), "{name}: {all}"));
    }
}

#[test]
fn the_schema_and_the_completions_are_printed() {
    let (code, schema, _) = brownout(&["schema"]);
    assert_eq!(code, 0);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert!(schema["properties"]["fault"].is_object());
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = brownout(&["completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains("brownout"), "{shell}");
    }
}

#[test]
fn a_report_of_nothing_is_an_error_that_names_the_folder() {
    let (code, _, err) = brownout(&["report", "nowhere/at/all"]);
    assert_eq!(code, 2);
    assert!(err.contains("nowhere/at/all"), "{err}");
}

#[test]
fn a_fault_that_could_grant_access_is_refused_before_anything_starts_with_its_position_and_a_fix() {
    let head = "question = \"May a fault open a door?\"\nsystems = [\"clinic\"]\n[load]\nclinic = { rate = \"1/s\" }\n[[fault]]\n";
    for (function, kind, says) in [
        ("authorizer", r#"response = { raw = '{"policyDocument":{"Statement":[{"Effect":"\u0041llow"}]}}' }"#, "response.raw: "),
        ("appointments", r#"response = { raw = '{"message":"in"}' }"#, "an HTTP answer with a `statusCode` of 400 to 599"),
        ("appointments", r#"response = { status = 500, body = '{"x":1e999,"decision":"\u0041LLOW"}' }"#, "response.body: "),
        (
            "authorizer",
            r#"response = { raw = '{"statusCode":403}' }"#,
            "cannot be done to `authorizer`, which is invoked by: request authorizer",
        ),
        (
            "appointments",
            r#"event = { set = { "/requestContext/identity/sourceIp" = "10.0.0.1" } }"#,
            "event.set.\"/requestContext/identity/sourceIp\": it is not among the places",
        ),
        ("appointments", r#"event = { set = { "/body" = '{"role":"admin"}' } }"#, "only plain words such as `not json`"),
    ] {
        let (_folder, path) = file(&format!("{head}function = \"{function}\"\n{kind}\n"));
        let (code, _, err) = brownout(&["run", &path]);
        assert_eq!(code, 2, "{kind}: {err}");
        assert!(err.contains(says) && err.contains("nothing was started"), "{kind}: {err}");
    }
}

/// Writes `text` to a file in a new folder.
fn file(text: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

#[test]
fn a_folder_that_is_not_free_is_refused_by_name_and_nothing_is_started() {
    let earlier = tempfile::tempdir().unwrap();
    std::fs::write(earlier.path().join("result.json"), "{}").unwrap();
    let busy = tempfile::tempdir().unwrap();
    let lock = std::fs::File::create(busy.path().join("run.lock")).unwrap();
    lock.lock().unwrap();
    let (_folder, a_file) = file("");
    for (out, says) in [
        (earlier.path().to_str().unwrap(), "holds the files of an earlier run; choose another folder, or replace them with `--force`"),
        (busy.path().to_str().unwrap(), "a run is under way in"),
        (&a_file, "is a file; choose a folder"),
        ("/proc/out", "cannot be written; choose a writable folder with free space"),
    ] {
        let (code, _, err) = brownout(&["run", "quiet", "--out", out]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says) && err.contains(out), "{err}");
        assert!(!Path::new(out).join("plan.json").exists(), "{out}");
    }
    let (code, _, err) = brownout(&["run", "quiet", "--force", "--out", busy.path().to_str().unwrap()]);
    assert!(code == 2 && err.contains("a run is under way in"), "{err}");
    assert_eq!(std::fs::read_to_string(earlier.path().join("result.json")).unwrap(), "{}");
}

#[test]
fn one_typo_is_one_complaint_with_its_position_and_its_fix() {
    let quiet = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/experiments/quiet.toml")).unwrap();
    for (text, says) in [
        ("AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  A:\n    Type: B\n".to_owned(), "this is a template"),
        ("a: 1\nb: 2\nc:\n  - d\n  - e\n".to_owned(), "this is YAML"),
        (String::new(), "the file is empty"),
        (quiet.replace("\"clinic\"]", "\"klinik\"]"), "did you mean `clinic`?"),
        (quiet.replace("seed = 19", "seed = -1"), "a whole number, 0 or more"),
        (quiet.replace("seed = 19", "fault = 40"), "write `[[fault]]`"),
        (quiet.replacen("rate = \"15/s\"", "rate = 15", 1), "`15` is not a rate; write `\"15/s\"`"),
        (quiet.replace("[phases]", "[fases]"), "there is no table `fases`; did you mean `[phases]`?"),
        (quiet.replace("[[expect]]", "[expect]"), "`expect` is a list of tables; write `[[expect]]`"),
        (quiet.replace("[[expect]]", "[[expct]]"), "there is no table `expct`; did you mean `[[expect]]`?"),
    ] {
        let (_folder, path) = file(&text);
        let (code, _, err) = brownout(&["check", &path]);
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(says) && err.contains(&format!("{path}: 1 complaint; nothing was started")), "{text}: {err}");
    }
}

#[test]
fn a_file_with_windows_line_endings_is_read_and_a_name_that_is_not_utf_8_is_refused() {
    let quiet = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/experiments/quiet.toml")).unwrap();
    let (folder, path) = file(&format!("\u{feff}{}", quiet.replace('\n', "\r\n")));
    let (code, out, err) = brownout(&["check", &path]);
    assert_eq!(code, 0, "{out}{err}");
    let raw = folder.path().join(OsString::from_vec(b"x\xff.toml".to_vec()));
    std::fs::copy(&path, &raw).unwrap();
    for arguments in
        [vec!["check".into(), raw.clone().into()], vec!["run".into(), path.clone().into(), OsString::from("--out"), raw.join("out").into()]]
    {
        let output = Command::new(crate::support::BROWNOUT).args(&arguments).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{err}");
        assert!(err.contains("x\u{fffd}.toml"), "{err}");
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    for (arguments, says) in [
        (&["up", "--homes", "0"][..], "1..=1000"),
        (&["run", "quiet", "--seed", "-1"], "write a whole number from 0"),
        (&["up", "--members", "0"], "1..=20000"),
    ] {
        let (code, _, err) = brownout(arguments);
        assert!(code == 2 && err.contains(says), "{arguments:?}: {err}");
    }
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    for arguments in [&["faults"][..], &["schema"], &["completions", "bash"], &["--help"], &["check", "quiet"], &["check", "nothing"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let errors = writer.try_clone().unwrap();
        let status =
            Command::new(crate::support::BROWNOUT).args(arguments).stdin(Stdio::null()).stdout(writer).stderr(errors).status().unwrap();
        assert_eq!(status.code(), Some(if arguments.contains(&"nothing") { 2 } else { 0 }), "{arguments:?}");
    }
}

#[test]
fn a_full_device_is_reported_and_is_not_a_success() {
    for arguments in [&["faults"][..], &["schema"], &["completions", "bash"], &["--help"], &["check", "quiet"], &["doctor"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(crate::support::BROWNOUT).args(arguments).stdin(Stdio::null()).stdout(full).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {err}");
        assert!(err.contains("standard output cannot be written; ") && err.contains("No space left"), "{arguments:?}: {err}");
    }
}

#[test]
fn a_check_names_the_aims_that_the_run_can_break_but_not_hold() {
    let text = "question = \"?\"\nsystems = [\"clinic\"]\n[phases]\nfault = \"10s\"\n[load]\nclinic = { rate = \"20/s\" }\n\
        [[expect]]\nof = \"clinic GET /appointment/{id}\"\np99 = \"<= 1s\"\n";
    let (_folder, path) = file(text);
    let (code, out, err) = brownout(&["check", &path]);
    assert!(code == 0 && out.contains(": ok: ?"), "{out}{err}");
    assert!(
        err.contains("p99 of `clinic GET /appointment/{id}` needs 368 requests, this gives at most 204: it can be broken, but not held"),
        "{err}"
    );
}

#[test]
fn doctor_checks_what_a_local_run_needs() {
    let (_, out, err) = brownout(&["doctor", "quiet"]);
    for line in [" open files", " cores for 35 journeys a second", "127.0.0.2", "64 ports", "`quiet` is"] {
        assert!(out.contains(line), "{line}: {out}{err}");
    }
    // The programs may not have been built yet.
    assert!(out.contains("ok    the functions and the extension are in `") || out.contains("is not in `"), "{out}");
    assert!(out.lines().all(|line| ["ok    ", "FAIL  ", "      "].iter().any(|begin| line.starts_with(begin))), "{out}");
}

#[test]
fn a_copied_command_says_how_to_get_its_programs_and_finds_them_by_one_variable() {
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join("brownout");
    // Copied by another process: if a parallel test forks while this process has the copy open, it
    // could not be run ("text file busy").
    assert!(Command::new("cp").arg(crate::support::BROWNOUT).arg(&copy).status().unwrap().success());
    let doctor = |programs: &Path| {
        let mut command = Command::new(&copy);
        command.args(["doctor", "slow-authorizer"]).current_dir(elsewhere.path()).env("BROWNOUT_PROGRAMS", programs);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let lacking = doctor(Path::new(""));
    assert!(
        lacking.contains("FAIL  `thermostat-api` is not in `") && lacking.contains("set `BROWNOUT_PROGRAMS` to its folder"),
        "{lacking}"
    );
    let programs = elsewhere.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    // Exactly what the two systems need.
    ["thermostat-api", "authorizer", "appointments", "brownout-extension", "brownout-namespace"]
        .iter()
        .for_each(|name| std::fs::write(programs.join(name), "").unwrap());
    assert!(doctor(&programs).contains(&format!("ok    the functions and the extension are in `{}`", programs.display())));
}

#[test]
fn a_full_disk_is_reported_with_the_path_and_a_fix() {
    let _turn = crate::support::Share::Place.take();
    // Files may not grow beyond 4 KiB, or 2 by some shells: the load generator's report does not
    // fit, but everything that is written before it does.
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$0\" \"$@\"", crate::support::BROWNOUT]);
    let folder = tempfile::tempdir().unwrap();
    let running = crate::support::start_by(shell, folder.path(), &crate::support::shop(), &[]);
    let outcome = crate::support::ended(running, folder);
    assert_eq!(outcome.code, 2, "{}", outcome.story());
    let last = outcome.stderr.lines().last().unwrap_or_default();
    let file = outcome.folder.path().canonicalize().unwrap().join("goose.json");
    let says = format!("error: `{}` cannot be written; choose a writable folder with free space", file.display());
    assert!(last.starts_with(&says), "{says}\n{}", outcome.story());
}

#[test]
fn requests_to_this_machine_run_without_a_stack_and_a_second_run_in_the_folder_is_refused() {
    let outcome = crate::support::Share::Place.run(&crate::support::shop(), &[]);
    // A busy machine may send too late for a verdict.
    assert!([0, 4].contains(&outcome.code), "{}", outcome.story());
    let result = outcome.result();
    let rule = result["invariants"].as_array().unwrap().iter().find(|rule| rule["id"] == "R-1").unwrap();
    assert!(rule["checked"].as_u64().unwrap() > 50 && rule["broken"] == 0, "{rule}");
    let out = outcome.folder.path().to_str().unwrap();
    let again = || brownout(&["run", &format!("{out}/experiment.toml"), "--out", out]);
    let (code, _, err) = again();
    assert!(code == 2 && err.contains("`--force`"), "{err}");
}
