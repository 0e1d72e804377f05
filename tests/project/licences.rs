//! The dependencies of the workspace: licences, duplicate versions, bans and sources, read from
//! `cargo metadata` and checked against `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn rules() -> toml::Table {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    text.parse().unwrap()
}

/// The entries of `[bans]` under this key: each names a crate, or a crate and its version as `name@version`.
fn bans(key: &str) -> BTreeSet<String> {
    let entries = rules()["bans"][key].as_array().unwrap().clone();
    assert!(entries.iter().all(|entry| entry["reason"].as_str().is_some_and(|text| !text.is_empty())), "an entry of `{key}` has no reason");
    entries.iter().map(|entry| entry["crate"].as_str().unwrap().to_owned()).collect()
}

/// Every package of the graph on this machine's platform: cargo keeps no others in its cache.
fn packages() -> Vec<Value> {
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let version = run("rustc", &["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = run(env!("CARGO"), &["metadata", "--format-version", "1", "--offline", "--locked", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn name_and_version(package: &Value) -> String {
    format!("{}@{}", name(package), package["version"].as_str().unwrap())
}

/// Whether a choice of licences within `allowed` satisfies an SPDX expression; a `/` is an old form of `OR`.
/// Each licence that satisfies a part of it is added to `used`.
fn satisfied(expression: &str, allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let yes = any_of(&mut rest, allowed, used);
    assert!(rest.is_empty(), "`{expression}` is not an SPDX expression");
    yes
}

fn any_of(rest: &mut &[&str], allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut yes = all_of(rest, allowed, used);
    while let Some((&"OR", after)) = rest.split_first() {
        *rest = after;
        yes |= all_of(rest, allowed, used);
    }
    yes
}

fn all_of(rest: &mut &[&str], allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let mut yes = one(rest, allowed, used);
    while let Some((&"AND", after)) = rest.split_first() {
        *rest = after;
        yes &= one(rest, allowed, used);
    }
    yes
}

fn one(rest: &mut &[&str], allowed: &BTreeSet<String>, used: &mut BTreeSet<String>) -> bool {
    let (&first, after) = rest.split_first().expect("an SPDX expression ends too early");
    *rest = after;
    if first == "(" {
        let yes = any_of(rest, allowed, used);
        let (&closing, after) = rest.split_first().expect("a parenthesis is not closed");
        assert_eq!(closing, ")");
        *rest = after;
        return yes;
    }
    let mut licence = first.to_owned();
    if let Some((&"WITH", after)) = rest.split_first() {
        licence = format!("{first} WITH {}", after[0]);
        *rest = &after[1..];
    }
    let yes = allowed.contains(&licence);
    if yes {
        used.insert(licence);
    }
    yes
}

#[test]
fn every_package_can_be_used_under_an_allowed_licence() {
    let allowed: BTreeSet<String> =
        rules()["licenses"]["allow"].as_array().unwrap().iter().map(|licence| licence.as_str().unwrap().to_owned()).collect();
    let mut used = BTreeSet::new();
    let mut refused = Vec::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        if licence.is_empty() || !satisfied(licence, &allowed, &mut used) {
            refused.push(format!("{}: `{licence}`", name_and_version(&package)));
        }
    }
    assert_eq!(refused, Vec::<String>::new(), "replace the package, or add a permissive licence to `licenses.allow` in deny.toml");
    assert_eq!(used, allowed, "remove what no package needs from `licenses.allow` in deny.toml");
}

#[test]
fn no_crate_comes_in_two_versions_unless_deny_toml_says_which() {
    let skipped = bans("skip");
    let packages = packages();
    let all: BTreeSet<String> = packages.iter().map(name_and_version).collect();
    let stale: Vec<_> = skipped.difference(&all).collect();
    assert_eq!(stale, Vec::<&String>::new(), "remove what is no longer linked from `bans.skip` in deny.toml");
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for package in packages.iter().filter(|package| !skipped.contains(&name_and_version(package))) {
        versions.entry(name(package)).or_default().push(name_and_version(package));
    }
    versions.retain(|_, several| several.len() > 1);
    assert_eq!(
        versions,
        BTreeMap::new(),
        "find with `cargo tree --invert` what brings the other version; avoid it, or add it to `bans.skip` in deny.toml"
    );
    let alone: Vec<_> =
        skipped.iter().filter(|entry| packages.iter().filter(|one| Some(name(one)) == entry.split('@').next()).count() < 2).collect();
    assert_eq!(alone, Vec::<&String>::new(), "remove what has only one version left from `bans.skip` in deny.toml");
}

#[test]
fn no_banned_crate_is_linked_and_all_come_from_one_registry_or_this_workspace() {
    let banned = bans("deny");
    let packages = packages();
    let linked: Vec<_> = packages.iter().filter(|package| banned.contains(name(package))).map(name_and_version).collect();
    assert_eq!(linked, Vec::<String>::new(), "deny.toml says why these are banned");
    let sources: BTreeSet<_> = packages.iter().filter_map(|package| package["source"].as_str()).collect();
    assert!(sources.len() == 1 && sources.iter().all(|source| source.starts_with("registry+")), "more than one source: {sources:?}");
}

#[test]
fn an_expression_is_satisfied_by_a_choice_of_licences() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("(GPL-3.0-only OR ISC) AND MIT", true),
        ("GPL-3.0-only OR MIT AND Zlib", false),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
    ] {
        assert_eq!(satisfied(expression, &allowed, &mut BTreeSet::new()), expected, "{expression}");
    }
}
