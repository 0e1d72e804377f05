//! How the code looks, where a machine can tell: what a file begins with, how long it is, what may not stand in it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

/// A file that holds more than this, its tests apart, holds two things.
const LONGEST: usize = 400;

fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders: Vec<_> =
        ["src", "extension", "stack", "scenarios", "reports", "tests", "benches"].map(|name| root.join(name)).to_vec();
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
fn every_file_begins_with_what_it_is_for() {
    assert_eq!(wrong(|text| !text.starts_with("//! ")), Vec::<PathBuf>::new());
}

#[test]
fn no_file_holds_two_things() {
    let code = |text: &str| text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().count();
    assert_eq!(wrong(|text| code(text) > LONGEST), Vec::<PathBuf>::new());
}

#[test]
fn nothing_is_left_to_do_later_and_no_path_of_one_machine_stands_anywhere() {
    let words = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("todo", "!("), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    assert_eq!(wrong(|text| words.iter().any(|word| text.contains(word))), Vec::<PathBuf>::new());
}
