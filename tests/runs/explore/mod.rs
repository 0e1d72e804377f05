//! `brownout explore` as a user starts it: on a small app of one's own with weaknesses that real code
//! has, on the same app without them, and on a system that comes with brownout.

mod orders;
mod pairs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{BROWNOUT, Share};
use serde_json::Value;

/// The weaknesses of the app.
const ALL: &str = "duplicates,swallowed,patience";

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs/explore")
}

/// What an exploration left behind.
struct Explored {
    code: i32,
    said: String,
    folder: tempfile::TempDir,
}

impl Explored {
    fn json(&self) -> Value {
        let path = self.folder.path().join("out/explore.json");
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{error}: {}\n{}", path.display(), self.said));
        serde_json::from_str(&text).unwrap()
    }

    /// Rule, place and ways of each finding.
    fn findings(&self) -> Vec<(String, String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ways = |value: &Value| value.as_array().unwrap().iter().map(text).collect::<Vec<_>>().join(", ");
        let all = self.json()["findings"].as_array().unwrap().clone();
        all.iter().map(|one| (text(&one["rule"]), text(&one["place"]), ways(&one["ways"]))).collect()
    }

    fn story(&self) -> String {
        format!("exit {}\n{}\n{:#?}", self.code, self.said, self.findings())
    }

    /// The root of the request of each case that was decided, by place and column.
    fn decided(&self) -> BTreeMap<(String, usize), String> {
        let json = self.json();
        let cells = json["places"].as_array().unwrap().iter().flat_map(|row| {
            let place = row["place"].as_str().unwrap();
            row["cells"]
                .as_array()
                .unwrap()
                .iter()
                .enumerate()
                .map(move |(column, cell)| ((place.to_owned(), column), cell["done"].clone()))
        });
        let decided = cells.filter(|(_, done)| !done.is_null() && done["outcome"] != "unclear");
        decided.map(|(case, done)| (case, done["root"].as_str().unwrap().to_owned())).collect()
    }

    /// Which cases can happen, by place: the same for the same seed.
    fn possible(&self) -> Vec<(String, Vec<bool>)> {
        let json = self.json();
        let rows = json["places"].as_array().unwrap();
        let is_possible = |cell: &Value| cell.get("impossible").is_none();
        rows.iter()
            .map(|row| (row["place"].as_str().unwrap().to_owned(), row["cells"].as_array().unwrap().iter().map(is_possible).collect()))
            .collect()
    }
}

/// Explores a file with these arguments; Python needs no module but its own.
fn explore(file: &Path, folder: tempfile::TempDir, arguments: &[&str]) -> Explored {
    explored(Command::new(BROWNOUT).env_remove("PYTHONPATH"), file, folder, arguments)
}

fn explored(brownout: &mut Command, file: &Path, folder: tempfile::TempDir, arguments: &[&str]) -> Explored {
    let place = if arguments.contains(&"--resume") { "--resume" } else { "--out" };
    let arguments = arguments.iter().filter(|argument| **argument != "--resume");
    brownout.arg("explore").arg(file).arg(place).arg(folder.path().join("out")).args(arguments);
    let output = brownout.stdin(Stdio::null()).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    Explored { code: output.status.code().unwrap_or(-1), said, folder }
}

/// The app with these weaknesses mended, without pairs.
fn app(mended: &str, arguments: &[&str]) -> Explored {
    app_of(("brownout.toml", "template.yaml"), mended, &[&["--pairs", "none"], arguments].concat())
}

/// The app of an experiment and its template with these weaknesses mended.
fn app_of((experiment, template): (&str, &str), mended: &str, arguments: &[&str]) -> Explored {
    let folder = tempfile::tempdir().unwrap();
    let app = here().join("app");
    let text = std::fs::read_to_string(app.join(experiment)).unwrap();
    let stack = format!("template = \"{}\"\nparameters = {{ Mended = \"{mended}\" }}", app.join(template).display());
    let file = folder.path().join("brownout.toml");
    std::fs::write(&file, text.replace(&format!("template = \"{template}\""), &stack)).unwrap();
    explore(&file, folder, arguments)
}

fn has(found: &[(String, String, String)], rule: &str, place: &str, way: &str) -> bool {
    found.iter().any(|(id, at, ways)| id == rule && at == place && ways.split(", ").any(|one| one == way))
}

#[test]
fn the_weaknesses_of_an_app_are_found_each_at_its_place_and_an_experiment_repeats_one() {
    let _turn = Share::Sixth.take();
    let explored = app("", &["--budget", "400"]);
    let found = explored.findings();
    assert_eq!(explored.code, 3, "{}", explored.story());
    for (rule, place, way) in [
        ("T-2", "buy place: worker", "duplicate"),
        ("R-1", "buy place: place > dynamodb:PutItem", "denied"),
        ("R-1", "buy place: place > dynamodb:PutItem", "outage"),
        ("T-2", "buy place: charge", "slow"),
    ] {
        assert!(has(&found, rule, place, way), "{rule} at {place} by {way}: {}", explored.story());
    }
    let json = explored.json();
    let swallowed = json["findings"].as_array().unwrap().iter().find(|one| one["rule"] == "R-1").unwrap();
    let experiment = explored.folder.path().join("out").join(swallowed["experiment"]["Ok"].as_str().unwrap());
    let brownout = |command: &str| {
        let mut ran = Command::new(BROWNOUT);
        ran.arg(command).arg(&experiment).env_remove("PYTHONPATH").current_dir(explored.folder.path());
        ran.stdin(Stdio::null()).output().unwrap()
    };
    assert!(brownout("check").status.success());
    let run = brownout("run");
    assert_eq!(run.status.code(), Some(3), "{}", String::from_utf8_lossy(&run.stderr));
    for file in ["explore.html", "explore.xml"] {
        let text = std::fs::read_to_string(explored.folder.path().join("out").join(file)).unwrap();
        assert!(text.contains("worker"), "{file}");
    }
}

#[test]
fn nothing_is_found_in_the_mended_app_and_the_same_seed_tries_the_same_cases() {
    let _turn = Share::Sixth.take();
    let explored = app(ALL, &["--budget", "400"]);
    assert_eq!((explored.code, explored.findings()), (0, vec![]), "{}", explored.story());
    let covered = &explored.json()["coverage"];
    let count = |name: &str| covered[name].as_u64().unwrap();
    assert!(count("tried") * 10 >= count("possible") * 8, "{covered}\n{}", explored.story());
    assert!(count("held") > 0 && count("degraded") > 0 && count("broken") == 0, "{covered}");
    assert_eq!(count("places-tried"), count("places-seen"), "{covered}");
    let again = app(ALL, &["--budget", "1"]);
    assert_eq!(again.possible(), explored.possible());
    assert_eq!((again.code, again.json()["coverage"]["tried"].as_u64()), (0, Some(1)), "{}", again.story());
}

#[test]
fn an_exploration_goes_on_where_its_budget_ended_it_and_its_report_holds_both() {
    let _turn = Share::Sixth.take();
    let first = app("", &["--budget", "12"]);
    let (decided, found) = (first.decided(), first.findings());
    assert!(!decided.is_empty() && decided.len() <= 12 && !found.is_empty(), "{}", first.story());
    let file = first.folder.path().join("brownout.toml");
    let second = explore(&file, first.folder, &["--resume", "--budget", "9"]);
    let all = second.decided();
    assert!(all.len() > decided.len() && all.len() <= decided.len() + 9, "{} and {}: {}", decided.len(), all.len(), second.story());
    assert!(decided.iter().all(|(case, root)| all.get(case) == Some(root)), "a case was tried again: {}", second.story());
    assert!(
        found.iter().all(|(rule, place, _)| second.findings().iter().any(|one| one.0 == *rule && one.1 == *place)),
        "{}",
        second.story()
    );
    let other = explore(&file, second.folder, &["--resume", "--seed", "8"]);
    assert!(other.code == 2 && other.said.contains("its seed is 7, and yours is 8"), "{}", other.said);
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + "# changed\n").unwrap();
    let changed = explore(&file, other.folder, &["--resume"]);
    assert!(changed.code == 2 && changed.said.contains("the explored file has changed since"), "{}", changed.said);
}

#[test]
fn a_weakness_of_a_shipped_system_is_found_and_without_it_nothing() {
    let _turn = Share::Sixth.take();
    let file = "question = \"q\"\nsystems = [\"users-api\"]\nseed = 11\n[load.users-api]\nrate = \"6/s\"\n";
    let explored = |arguments: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.toml");
        std::fs::write(&path, file).unwrap();
        explore(&path, folder, arguments)
    };
    let only = ["--only", "service:dynamodb:GetItem", "--pairs", "none", "--budget", "40"];
    let weak = explored(&[&only[..], &["--weakness", "outage-reads-as-absence"]].concat());
    assert_eq!(weak.code, 3, "{}", weak.story());
    assert!(weak.findings().iter().any(|(rule, ..)| rule == "F-2"), "{}", weak.story());
    let hard = explored(&only);
    assert_eq!((hard.code, hard.findings()), (0, vec![]), "{}", hard.story());
}

#[test]
fn what_cannot_be_explored_is_said_before_anything_starts() {
    for (arguments, code, says) in [
        (vec!["--only", "function:wrker"], 2, "did you mean `worker`?"),
        (vec!["--only", "queue:x"], 2, "it is `function`, `service`, `endpoint` or `place`"),
        (vec!["--budget", "0"], 2, "`0` tries nothing"),
        (vec!["--accept", "/nowhere/x.toml"], 2, "`/nowhere/x.toml` cannot be read"),
    ] {
        let explored = app("", &arguments);
        assert!(explored.code == code && explored.said.contains(says), "{arguments:?}: {}", explored.said);
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bare.toml");
    std::fs::write(&file, "question = \"q\"\n[[load.requests]]\nof = \"shop GET /\"\nurl = \"http://127.0.0.1:1/\"\nrate = \"1/s\"\n")
        .unwrap();
    let bare = explore(&file, folder, &[]);
    assert!(bare.code == 2 && bare.said.contains("needs a stack on this machine"), "{}", bare.said);
}
