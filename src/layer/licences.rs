//! The licences of everything that is linked into the layer's programs, which must be distributed
//! with them. No crate may be missing.

use std::collections::BTreeMap;

use super::sbom::Crate;

/// The beginnings of the names of files with a licence, a notice or a copyright.
const BEGINNINGS: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE", "UNLICENSE"];

/// A list of the crates, then each licence text once.
pub fn text(crates: &[Crate], static_glibc: Option<&str>) -> String {
    let mut text = "Linked into the programs of this layer, beside brownout's own crates:\n\n".to_owned();
    text.push_str("the Rust standard library: MIT OR Apache-2.0\n");
    if let Some(version) = static_glibc {
        text.push_str(&format!("glibc {version}: LGPL-2.1-or-later; its source comes with the distribution that linked it\n"));
    }
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for outside in crates.iter().filter(|outside| !outside.ours) {
        text.push_str(&format!("{} {}: {}\n", outside.name, outside.version, outside.licence));
        for licence in brought(outside) {
            texts.entry(licence).or_default().push(format!("{} {}", outside.name, outside.version));
        }
    }
    for (licence, crates) in texts {
        text.push_str(&format!("\n{}\n{}\n\n{}\n", "=".repeat(80), crates.join(", "), licence.trim_end()));
    }
    text
}

fn brought(outside: &Crate) -> Vec<String> {
    let files = std::fs::read_dir(&outside.folder).into_iter().flatten().flatten();
    let is_licence = |name: &str| BEGINNINGS.iter().any(|beginning| name.to_ascii_uppercase().starts_with(beginning));
    let mut files: Vec<_> = files.filter(|file| is_licence(&file.file_name().to_string_lossy())).map(|file| file.path()).collect();
    files.sort();
    files.iter().filter_map(|file| std::fs::read_to_string(file).ok()).collect()
}
