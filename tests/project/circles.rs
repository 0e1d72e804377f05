//! Files that import one another in a circle can only be understood together. This limits their
//! number, read from the paths in the source. The same applies to the methods of one type, which
//! must be in one file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The most files of a folder that may import one another, directly or through others.
const LIMITS: [(&str, usize); 15] = [
    ("src", 3),
    ("engine/src", 3),
    ("extension/src", 3),
    ("extension/faults/src", 3),
    ("extension/plan-fetcher/src", 3),
    ("reports/src", 3),
    ("scenarios/load/src", 3),
    ("scenarios/src", 3),
    ("stack/src", 3),
    ("stack/aws/src", 3),
    ("stack/aws/exports/src", 3),
    ("stack/aws/protocol/src", 3),
    ("stack/control-plane/src", 3),
    ("stack/run-folder/src", 3),
    ("stack/states/src", 3),
];
/// Folders in which all methods of a type must be in one file.
const METHODS_IN_ONE_FILE: [&str; 2] = ["extension/src", "extension/plan-fetcher/src"];

/// A module's path without `crate`, and the modules that it imports.
type Imports = BTreeMap<Vec<String>, BTreeSet<Vec<String>>>;

fn child(module: &[String], name: &str) -> Vec<String> {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn modules(folder: &Path, within: &[String], found: &mut BTreeMap<Vec<String>, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = child(within, &stem);
        if path.is_dir() {
            modules(&path, &module, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") && !(stem == "main" && folder.join("lib.rs").exists()) {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap();
            let lines: String = code.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
            found.insert(if matches!(stem.as_str(), "lib" | "main" | "mod") { within.to_vec() } else { module }, lines);
        }
    }
}

/// Every path in `code`; `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let (mut all, mut before, mut path) = (Vec::new(), Vec::new(), String::new());
    for char in code.chars() {
        match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | ':' => path.push(char),
            '{' => before.push(std::mem::take(&mut path)),
            _ => {
                let full = before.concat() + &path;
                all.extend((full.contains("::") && !path.is_empty()).then_some(full));
                path = String::new();
                if char == '}' {
                    before.pop();
                }
            }
        }
    }
    all
}

/// The module that a path in the module `own` leads to; `None` if it leads out of the crate.
fn target(own: &[String], path: &str, modules: &BTreeMap<Vec<String>, String>) -> Option<Vec<String>> {
    let mut segments = path.split("::").peekable();
    let mut module = match *segments.peek()? {
        "crate" => Vec::new(),
        "super" | "self" => own.to_vec(),
        name if modules.contains_key(&child(own, name)) => own.to_vec(),
        _ => return None,
    };
    for segment in segments {
        match segment {
            "crate" | "self" => (),
            "super" => drop(module.pop()),
            name => {
                let inner = child(&module, name);
                if !modules.contains_key(&inner) {
                    break;
                }
                module = inner;
            }
        }
    }
    Some(module)
}

fn imports(folder: &str) -> Imports {
    let mut all = BTreeMap::new();
    modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &[], &mut all);
    let of = |own: &Vec<String>, code: &str| {
        paths(code).iter().filter_map(|path| target(own, path, &all)).filter(|module| module != own).collect::<BTreeSet<_>>()
    };
    all.iter().map(|(own, code)| (own.clone(), of(own, code))).collect()
}

fn reached(from: &[String], imports: &Imports) -> BTreeSet<Vec<String>> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![from.to_vec()]);
    while let Some(module) = next.pop() {
        next.extend(imports.get(&module).into_iter().flatten().filter(|module| reached.insert((*module).clone())).cloned());
    }
    reached
}

/// The largest circle in a folder: each of its modules, with the modules of the circle that it
/// imports.
fn largest_circle(folder: &str) -> Vec<String> {
    let imports = imports(folder);
    let reached: BTreeMap<_, _> = imports.keys().map(|module| (module, reached(module, &imports))).collect();
    let circle = |module| reached[module].iter().filter(|other| reached[*other].contains(module)).collect::<BTreeSet<_>>();
    let largest = imports.keys().map(circle).max_by_key(BTreeSet::len).unwrap();
    let name = |module: &Vec<String>| if module.is_empty() { "crate".to_owned() } else { module.join("::") };
    let line = |module: &Vec<String>| {
        let within: Vec<_> = imports[module].iter().filter(|other| largest.contains(other)).map(name).collect();
        format!("{} -> {}", name(module), within.join(", "))
    };
    largest.iter().map(|module| line(module)).collect()
}

#[test]
fn no_more_files_import_one_another_than_their_folder_allows() {
    for (folder, limit) in LIMITS {
        let circle = largest_circle(folder);
        assert!(circle.len() <= limit, "{folder}: {} files import one another, at most {limit} may:\n{}", circle.len(), circle.join("\n"));
    }
}

/// A type whose methods are in many files depends on all of them, and each of them on the type.
#[test]
fn the_methods_of_a_type_are_in_one_file() {
    for folder in METHODS_IN_ONE_FILE {
        let mut all = BTreeMap::new();
        modules(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &[], &mut all);
        let mut homes: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (module, code) in &all {
            let blocks = code.lines().filter_map(|line| line.strip_prefix("impl")).filter(|line| !line.contains(" for "));
            for block in blocks {
                let behind = if block.starts_with('<') { block.split_once("> ").unwrap().1 } else { block.trim_start() };
                let name = behind.split(|char: char| !char.is_ascii_alphanumeric()).next().unwrap();
                homes.entry(name).or_default().insert(module.join("::"));
            }
        }
        for (name, homes) in homes {
            assert!(homes.len() == 1, "{folder}: `{name}` has methods in {homes:?}; make them functions, or rename one of two types");
        }
    }
}
