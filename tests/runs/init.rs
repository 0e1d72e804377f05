//! `brownout init`, as a user starts it: what it writes passes `brownout check` as it is, for every
//! template of the corpus.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::copy;

const BROWNOUT: &str = env!("CARGO_BIN_EXE_brownout");

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stack/template/tests/corpus")
}

/// A copy of the corpus, beside whose templates experiments can be written.
fn copied() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy(&corpus(), folder.path());
    folder
}

fn brownout(arguments: &[&str]) -> Output {
    Command::new(BROWNOUT).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_is_written_for_every_template_of_the_corpus_passes_the_check() {
    let folder = copied();
    let file = folder.path().join("brownout.toml").display().to_string();
    let (mut written, mut without, mut wrong) = (0, Vec::new(), Vec::new());
    let mut names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    names.sort();
    for path in names {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let proposed = brownout(&["init", "--force", &path.display().to_string()]);
        if !proposed.status.success() {
            assert!(said(&proposed).contains("no API and no function with a URL"), "{name}: {}", said(&proposed));
            without.push(name);
            continue;
        }
        written += 1;
        let checked = brownout(&["check", &file]);
        if !checked.status.success() {
            wrong.push(format!("{name}: {}\n{}", said(&checked), std::fs::read_to_string(&file).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(written >= 25, "{written} experiments; nothing can be asked of {without:?}");
}

#[test]
fn the_proposal_for_the_example_has_its_routes_rules_and_says_what_was_guessed() {
    let folder = tempfile::tempdir().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders"), folder.path());
    let path = folder.path().display().to_string();
    let before = std::fs::read_to_string(folder.path().join("brownout.toml")).unwrap();
    let refused = brownout(&["init", &path]);
    assert!(refused.status.code() == Some(2) && said(&refused).contains("is there already"), "{}", said(&refused));
    let printed = brownout(&["init", "--print", &path]);
    let text = String::from_utf8(printed.stdout.clone()).unwrap();
    assert!(printed.status.success(), "{}", said(&printed));
    for part in [
        "name = \"orders-api\"",
        "post = \"/orders\"",
        "keep = { id = \"/id\" }",
        "get = \"/orders/{{id}}\"",
        "never = { queue = \"NotShipped\" }",
        "drains = { queue = \"Shipments\"",
        "# then = { table = \"OrdersTable\", key = \"{{id}}\"",
        "service = \"dynamodb\"",
        "errors = \"<= 1%\"",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(text.find("post =").unwrap() < text.find("get =").unwrap(), "{text}");
    let guesses = String::from_utf8_lossy(&printed.stderr);
    assert!(guesses.contains("fill in `json`") && guesses.contains("`/id` of the answer"), "{guesses}");
    assert_eq!(std::fs::read_to_string(folder.path().join("brownout.toml")).unwrap(), before);
    assert!(brownout(&["init", "--force", &path]).status.success());
    assert_eq!(std::fs::read_to_string(folder.path().join("brownout.toml")).unwrap(), text);
    assert!(brownout(&["check", &folder.path().join("brownout.toml").display().to_string()]).status.success());
}

#[test]
fn where_every_route_is_guarded_each_must_refuse_and_no_fault_is_proposed() {
    let printed = brownout(&["init", "--print", &corpus().join("api-authorizer-cognito.yaml").display().to_string()]);
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(text.contains("name = \"api-denied\"") && text.contains("expect = { status = [401, 403] }"), "{text}");
    assert!(!text.contains("[[fault]]") && text.contains("{{env TOKEN}}"), "{text}");
    assert!(String::from_utf8_lossy(&printed.stderr).contains("none could strike"), "{}", said(&printed));
}
