//! What the command shows in a narrow terminal and in one without escapes: whole words, all of them.

use std::process::{Command, Stdio};

/// The words of each line.
fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// Lines that are longer although they could be folded: code, excerpts and commands stay as they are.
fn too_long(text: &str, columns: usize) -> Vec<&str> {
    let mut in_code = false;
    let mut is_text = |line: &str| {
        in_code ^= line.starts_with("```");
        !in_code && !line.starts_with("  ")
    };
    text.lines().filter(|line| is_text(line) && line.chars().count() > columns && line.trim().contains(' ')).collect()
}

#[test]
fn help_for_forty_columns_breaks_no_word() {
    let commands: [&[&str]; 14] = [
        &[],
        &["run"],
        &["check"],
        &["plan"],
        &["doctor"],
        &["recover"],
        &["export"],
        &["up"],
        &["report"],
        &["layer"],
        &["layer", "build"],
        &["list"],
        &["faults"],
        &["completions"],
    ];
    for command in commands {
        let help = |columns: &str| {
            let output = Command::new(crate::support::BROWNOUT).args(command).arg("--help").env("COLUMNS", columns).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let (narrow, wide) = (help("40"), help("200"));
        assert_eq!(words(&narrow), words(&wide), "{command:?}");
        let long: Vec<_> =
            narrow.lines().filter(|line| line.chars().count() > 40 && words(line).len() > 1 && !line.starts_with("Usage:")).collect();
        assert!(long.is_empty(), "{command:?}: {long:#?}");
    }
}

/// What a terminal of 40 columns shows, and the exit code.
fn in_forty_columns(term: &str, arguments: &[&str]) -> (i32, String) {
    let line = format!("stty cols 40 rows 24; exec {} {}", crate::support::BROWNOUT, arguments.join(" "));
    let output = Command::new("script").args(["-qec", &line, "/dev/null"]).env("TERM", term).stdin(Stdio::null()).output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().replace('\r', ""))
}

#[test]
fn a_terminal_of_forty_columns_shows_whole_words_and_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.toml");
    std::fs::write(&path, "question = \"?\"\nsistems = [\"clinic\"]\n").unwrap();
    let path = path.to_str().unwrap();
    for (arguments, code) in [
        (&["check", "slow-authorizer", "mail"][..], 2),
        (&["check", path], 2),
        (&["check", "examples/own-system/greeting/template.yaml"], 0),
        (&["faults", "latency"], 0),
        (&["list", "experiments"], 0),
        (&["list", "services"], 0),
    ] {
        let (found, shown) = in_forty_columns("xterm", arguments);
        assert_eq!(found, code, "{shown}");
        assert!(too_long(&shown, 40).is_empty(), "{arguments:?}: {:#?}", too_long(&shown, 40));
        let output = Command::new(crate::support::BROWNOUT).args(arguments).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        // A table becomes a list: its borders go, and each cell has its column's name.
        let letters = |text: &str| {
            words(text).into_iter().filter(|word| !word.contains('|')).map(|word| word.trim_end_matches(':').to_owned()).collect::<Vec<_>>()
        };
        let shown = letters(&shown);
        assert!(letters(&format!("{out}{err}")).iter().all(|word| shown.contains(word)), "{arguments:?}: {shown:?}");
    }
}

#[test]
fn a_run_in_a_dumb_terminal_of_forty_columns_shows_whole_words_and_no_escapes() {
    let _turn = crate::support::Share::Place.take();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.toml");
    std::fs::write(&path, crate::support::shop()).unwrap();
    let out = folder.path().join("out");
    let (code, shown) = in_forty_columns("dumb", &["run", path.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert!([0, 4].contains(&code), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert!(too_long(&shown, 40).is_empty(), "{:#?}", too_long(&shown, 40));
    assert!(shown.contains("baseline:") && shown.contains("Of: shop GET /\n"), "{shown}");
    let result: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(out.join("result.json")).unwrap()).unwrap();
    let sentence = result["sentence"].as_str().unwrap();
    assert!(words(&shown).windows(words(sentence).len()).any(|part| part == words(sentence)), "{sentence}: {shown}");
}
