//! The bill of materials, as CycloneDX 1.5: exactly the crates that cargo linked into the programs
//! of the layer. It contains no time and no random number, so the same programs give the same
//! bytes. Source of the format: <https://cyclonedx.org/docs/1.5/json/>.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::archive::Digest;
use super::toolchain::{Built, Toolchain};

/// A crate that is linked in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crate {
    /// Its name.
    pub name: String,
    /// Its version, as in `Cargo.lock`.
    pub version: String,
    /// Its licence as an SPDX expression.
    pub licence: String,
    /// The folder of its sources.
    pub folder: PathBuf,
    /// Whether it belongs to this workspace.
    pub ours: bool,
    /// Its dependencies among the linked crates, as references.
    leans_on: BTreeSet<String>,
}

impl Crate {
    fn reference(&self) -> String {
        reference(&self.name, &self.version, self.ours)
    }
}

/// A package URL; for this workspace's crates, which are in no registry, a plain name.
fn reference(name: &str, version: &str, ours: bool) -> String {
    if ours { format!("{name}@{version}") } else { format!("pkg:cargo/{name}@{version}") }
}

fn texts<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, key: &str) -> impl Iterator<Item = &'v Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn package_reference(package: &Value) -> String {
    reference(texts(package, "name"), texts(package, "version"), package.get("source").is_none_or(Value::is_null))
}

/// The crates that are linked into any of the programs, sorted by name.
pub fn crates(metadata: &Value, programs: &[Built]) -> Vec<Crate> {
    let linked: BTreeSet<_> = programs.iter().flat_map(|program| &program.linked).map(String::as_str).collect();
    let packages: Vec<_> = list(metadata, "packages").filter(|package| linked.contains(texts(package, "id"))).collect();
    let nodes = metadata.get("resolve").cloned().unwrap_or_default();
    let leans_on = |id: &str| {
        let node = list(&nodes, "nodes").find(|node| texts(node, "id") == id);
        let normal = |dependency: &&Value| list(dependency, "dep_kinds").any(|kind| kind.get("kind").is_none_or(Value::is_null));
        let ids: BTreeSet<_> = node.into_iter().flat_map(|node| list(node, "deps")).filter(normal).map(|d| texts(d, "pkg")).collect();
        packages.iter().filter(|package| ids.contains(texts(package, "id"))).map(|package| package_reference(package)).collect()
    };
    let mut crates: Vec<_> = packages
        .iter()
        .map(|package| Crate {
            name: texts(package, "name").to_owned(),
            version: texts(package, "version").to_owned(),
            // The older notation, which is not valid SPDX.
            licence: texts(package, "license").replace(" / ", "/").replace('/', " OR "),
            folder: PathBuf::from(texts(package, "manifest_path")).parent().map(PathBuf::from).unwrap_or_default(),
            ours: package.get("source").is_none_or(Value::is_null),
            leans_on: leans_on(texts(package, "id")),
        })
        .collect();
    crates.sort();
    crates
}

/// The document.
///
/// # Errors
/// If it cannot be written as JSON, which would be a bug in brownout.
pub fn text(crates: &[Crate], programs: &[Built], toolchain: &Toolchain) -> serde_json::Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let licence = |expression: &str| json!([{ "expression": expression }]);
    let rust = format!("rust-std@{}", toolchain.rust_version);
    let mut always = vec![rust.clone()];
    let mut components = vec![json!({
        "type": "library", "bom-ref": rust, "name": "rust-std", "version": toolchain.rust_version, "licenses": licence("MIT OR Apache-2.0"),
    })];
    if let Some(glibc) = toolchain.static_glibc() {
        let reference = format!("glibc@{glibc}");
        always.push(reference.clone());
        components.push(json!({
            "type": "library", "bom-ref": reference, "name": "glibc", "version": glibc, "licenses": licence("LGPL-2.1-or-later"),
        }));
    }
    let mut dependencies = Vec::new();
    for program in programs {
        let reference = format!("program:{}", program.name);
        components.push(json!({
            "type": "application", "bom-ref": reference, "name": program.name, "version": version, "licenses": licence("MIT OR Apache-2.0"),
            "hashes": [{ "alg": "SHA-256", "content": Digest::of(&program.bytes).hex() }],
        }));
        let root = crates.iter().filter(|linked| linked.ours && linked.name == program.package).map(Crate::reference);
        dependencies.push(json!({ "ref": reference, "dependsOn": root.chain(always.iter().cloned()).collect::<Vec<_>>() }));
    }
    for linked in crates {
        let mut component = json!({
            "type": "library", "bom-ref": linked.reference(), "name": linked.name, "version": linked.version, "licenses": licence(&linked.licence),
        });
        if let Some(fields) = component.as_object_mut().filter(|_| !linked.ours) {
            fields.insert("purl".to_owned(), linked.reference().into());
        }
        components.push(component);
        dependencies.push(json!({ "ref": linked.reference(), "dependsOn": linked.leans_on }));
    }
    serde_json::to_string_pretty(&json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": "brownout-layer", "name": format!("brownout-layer-{}", toolchain.arch.name()), "version": version,
            "licenses": licence("MIT OR Apache-2.0"),
        } },
        "components": components, "dependencies": dependencies,
    }))
    .map(|text| text + "\n")
}
