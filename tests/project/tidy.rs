//! The style of the code and of the pages that people read, as far as it can be checked:
//! beginnings, lengths, phrases, links.

use std::path::{Path, PathBuf};

/// A file with more lines than this, without its tests, holds two things.
const LONGEST: usize = 400;

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> =
        ["src", "engine", "extension", "stack", "scenarios", "reports", "tests", "benches"].map(|name| root.join(name)).to_vec();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50, "the tree was not found");
    files
}

fn wrong(test: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    sources().into_iter().filter(|path| test(&std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_file_begins_with_its_purpose() {
    assert_eq!(wrong(|text| !text.starts_with("//! ")), Vec::<PathBuf>::new());
}

#[test]
fn no_file_holds_two_things() {
    let code = |text: &str| text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
    assert_eq!(wrong(|text| code(text) > LONGEST), Vec::<PathBuf>::new());
}

#[test]
fn nothing_is_left_to_do_later_and_no_path_of_one_machine_is_in_the_code() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    assert_eq!(wrong(|text| words.iter().any(|word| text.contains(word))), Vec::<PathBuf>::new());
}

/// A page that names the test behind a promise is credible only as long as the test exists.
#[test]
fn every_test_that_the_page_on_verdicts_names_exists() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/verdict.md")).unwrap();
    let rows = page.lines().filter(|line| line.strip_prefix("| ").is_some_and(|row| row.starts_with(|c: char| c.is_ascii_digit())));
    let column = rows.filter_map(|row| row.trim_end_matches([' ', '|']).rsplit(" | ").next());
    let tests: Vec<&str> = column.flat_map(|column| column.split('`').skip(1).step_by(2)).collect();
    assert!(tests.len() > 30, "{tests:?}");
    let all: String = sources().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let missing: Vec<_> = tests.into_iter().filter(|test| !all.contains(&format!("fn {test}()"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

/// The pages that people read, including `docs/contracts/`, `benches/FIGURES.md` and the text of
/// `--help`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<_> =
        ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benches/FIGURES.md", "src/cli.rs"].map(|name| root.join(name)).to_vec();
    for folder in ["docs", "docs/contracts"] {
        let entries = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        pages.extend(entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    }
    assert!(pages.len() > 10, "the pages were not found");
    pages.sort();
    pages
}

/// Phrases that readers trip over, and what to write instead. A phrase is found in any case and
/// across line ends.
const PHRASES: [(&str, &str); 33] = [
    ("a door", "access"),
    ("anybody", "name the reader, the caller or the process"),
    ("asks for leave", "needs a permission"),
    ("asks nothing", "`...` is missing"),
    ("brings with it", "contains"),
    ("for leave", "for a permission"),
    ("hang on", "depend on"),
    ("hangs on", "depends on"),
    ("in mid", "during"),
    ("into leave", "into a grant"),
    ("is none", "is not one; invalid"),
    ("it is said", "say who says it"),
    ("leaned on", "used"),
    ("lean on", "import, use"),
    ("no leave", "no permission"),
    ("nobody", "no process, no caller: name it"),
    ("nothing of it is struck", "it is not faulted"),
    ("of leave", "of a permission"),
    ("ours", "name the owner: brownout's, this project's"),
    ("somebody", "name the user, the process or the tool"),
    ("stands", "is; means; is built on"),
    ("that which", "what"),
    ("the weather", "the outages"),
    ("there are none", "no ... exists"),
    ("there is none", "no ... exists"),
    ("to leave", "to a grant; to keep"),
    ("what would do", "what is accepted"),
    ("whatever strikes", "under every fault"),
    ("which leave", "which permission"),
    ("who asks", "the caller"),
    ("whoever", "the user, the caller, the operator"),
    ("whose time is over", "that has expired"),
    ("with leave", "with a permission"),
];

/// The words of a page in lower case, each with its line. An underscore is part of a word, so that
/// names of tests are one word.
fn words(text: &str) -> Vec<(usize, String)> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let of_line = |(number, line): (usize, &str)| {
        let words: Vec<_> = line.split(|letter| !is_part(letter)).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
        words.into_iter().map(move |word| (number + 1, word))
    };
    text.lines().enumerate().flat_map(of_line).collect()
}

#[test]
fn pages_are_in_plain_english() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for path in pages() {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let words = words(&std::fs::read_to_string(&path).unwrap());
        for (phrase, better) in PHRASES {
            let phrase_words: Vec<_> = phrase.split(' ').collect();
            let here = words
                .windows(phrase_words.len())
                .filter(|window| window.iter().map(|(_, word)| word.as_str()).eq(phrase_words.iter().copied()));
            found.extend(here.map(|window| format!("{name}:{}: `{phrase}`; better: {better}", window[0].0)));
        }
    }
    assert!(found.is_empty(), "phrases that readers trip over:\n{}", found.join("\n"));
}

#[test]
fn every_link_of_a_page_leads_to_a_file() {
    let mut dead = Vec::new();
    for path in pages() {
        let text = std::fs::read_to_string(&path).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = target.split('#').next().unwrap_or_default();
            if !target.contains("://") && !file.is_empty() && !path.parent().unwrap().join(file).exists() {
                dead.push(format!("{}: `{target}`", path.display()));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

/// `tests/runs/weaknesses.rs` shows that each weakness is found; the contracts must say the same of it.
#[test]
fn every_weakness_is_in_a_contract_with_its_rule_and_its_experiment() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let contracts: String = std::fs::read_dir(root.join("docs/contracts"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect::<Vec<_>>()
        .concat();
    let tests = read("tests/runs/weaknesses.rs");
    let rows = tests.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.strip_suffix("\"),"));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split("\", \"").collect()).filter(|row: &Vec<_>| row.len() == 3).collect();
    assert!(rows.len() > 30, "the weaknesses were not found");
    for row in rows {
        let (start, end) = (format!("| `{}` |", row[0]), format!("| {} | `{}` |", row[2], row[1]));
        let is_there = contracts.lines().any(|line| line.starts_with(&start) && line.ends_with(&end));
        assert!(is_there, "no contract has the line `{start} ... {end}`");
        assert!(contracts.contains(&format!("- **{}** ", row[2])), "no contract has the rule {}", row[2]);
    }
}
